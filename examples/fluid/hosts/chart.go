package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"text/template"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// workload is the Job, the CronJob or the Pod that a chart of Fluid makes.
type workload struct {
	job *batchv1.Job // the Job, or the one that the CronJob makes; nil for a Pod
	pod corev1.PodSpec
}

// What an operation's name can lead to.
var (
	errRejectedName = errors.New("its name is rejected")
	errNoPods       = errors.New("its name is too long for its pods")
)

// errRejected says that an API server rejects what a chart makes.
var errRejected = errors.New("an API server rejects it")

// checkName says what is wrong with the name of an object, which is a subdomain. "release" is one of
// Helm.
func checkName(kind, name string) error {
	most, ok := map[string]int{
		"release": 53,
		"CronJob": 52, // and a time, for its Jobs
		"Job":     63, // it is a label of its pods
	}[kind]
	switch {
	case ok && len(name) > most, kind == "Service" && len(validation.IsDNS1035Label(name)) > 0: // before Kubernetes 1.36
		return fmt.Errorf("%s %q: %w", kind, name, errRejectedName)
	case kind == "StatefulSet" && len(name) > 63-len("-0123456789"): // with a hash it is a label of its pods
		return fmt.Errorf("%s %q: %w", kind, name, errNoPods)
	default:
		return nil
	}
}

// install renders a chart of Fluid with values, as Helm does, and returns its workload, or nil if
// it has none.
func install(fsys fs.FS, chart, release string, values map[string]any) (*workload, error) {
	if err := checkName("release", release); err != nil {
		return nil, err
	}
	base, err := fs.ReadFile(fsys, path.Join(chart, "values.yaml"))
	if err != nil {
		return nil, err
	}
	var merged map[string]any
	if err := yaml.Unmarshal(base, &merged); err != nil {
		return nil, err
	}
	merge(merged, values)

	templates := template.New("").Option("missingkey=zero")
	templates.Funcs(functions(templates))
	workloads := []string{"job.yaml", "cronjob.yaml", "databackup.yaml"}
	others := []string{"service.yaml", "statefulset.yaml"}
	for _, dir := range []string{"charts/library/templates", path.Join(chart, "templates")} {
		files, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if name := file.Name(); name[0] != '_' && !slices.Contains(workloads, name) && !slices.Contains(others, name) {
				continue
			}
			text, err := fs.ReadFile(fsys, path.Join(dir, file.Name()))
			if err != nil {
				return nil, err
			}
			if _, err := templates.New(file.Name()).Parse(string(text)); err != nil {
				return nil, err
			}
		}
	}
	var made *workload
	var noPods error
	for _, name := range slices.Concat(others, workloads) { // in Helm's order
		if templates.Lookup(name) == nil {
			continue
		}
		var out bytes.Buffer
		err := templates.ExecuteTemplate(&out, name, map[string]any{
			"Values":       merged,
			"Release":      map[string]any{"Name": release, "Namespace": "default", "Service": "Helm"},
			"Chart":        map[string]any{"Name": path.Base(chart), "Version": "0.0.0"},
			"Capabilities": map[string]any{"APIVersions": apiVersions{}},
		})
		if err != nil {
			return nil, err
		}
		text := strings.ReplaceAll(out.String(), "<no value>", "")
		switch {
		case !hasObject(text):
		case slices.Contains(others, name):
			if _, _, err = identify([]byte(text)); errors.Is(err, errNoPods) { // the rest is installed all the same
				noPods, err = err, nil
			}
		default:
			made, err = decode([]byte(text))
		}
		if err != nil {
			return nil, err
		}
	}
	return made, noPods
}

// hasObject reports whether a text is more than blanks and comments.
func hasObject(text string) bool {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return true
		}
	}
	return false
}

// identify returns the kind of an object, and its JSON form. An API server rejects names of
// other types, and owners without one.
func identify(text []byte) (kind string, inJSON []byte, err error) {
	var object metav1.PartialObjectMetadata
	if inJSON, err = yaml.YAMLToJSON(text); err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(inJSON, &object)
	}
	switch {
	case err != nil:
		return "", nil, fmt.Errorf("%w: %w", errRejected, err)
	case slices.ContainsFunc(object.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Name == "" }):
		return "", nil, fmt.Errorf("%w: it has an owner without a name", errRejected)
	}
	return object.Kind, inJSON, checkName(object.Kind, object.Name)
}

// decode returns the workload that an API server makes of an object. It rejects pods without
// containers.
func decode(text []byte) (*workload, error) {
	kind, text, err := identify(text)
	if err != nil {
		return nil, err
	}
	var w workload
	switch kind {
	case "Job":
		w.job = new(batchv1.Job)
		err = json.UnmarshalCaseSensitivePreserveInts(text, w.job)
	case "CronJob":
		var cron batchv1.CronJob
		err = json.UnmarshalCaseSensitivePreserveInts(text, &cron)
		w.job = &batchv1.Job{ObjectMeta: cron.Spec.JobTemplate.ObjectMeta, Spec: cron.Spec.JobTemplate.Spec}
	case "Pod":
		var pod corev1.Pod
		err = json.UnmarshalCaseSensitivePreserveInts(text, &pod)
		w.pod = pod.Spec
	default:
		return nil, fmt.Errorf("a chart makes a %q", kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRejected, err)
	}
	if w.job != nil {
		w.pod = w.job.Spec.Template.Spec
		if len(w.job.Labels) == 0 { // an API server copies those of its pods
			w.job.Labels = maps.Clone(w.job.Spec.Template.Labels)
		}
	}
	if len(w.pod.Containers) == 0 {
		return nil, fmt.Errorf("%w: it has no containers", errRejected)
	}
	return &w, nil
}

// merge sets values over those of a chart.
func merge(base, values map[string]any) {
	for key, value := range values {
		over, isMap := value.(map[string]any)
		under, wasMap := base[key].(map[string]any)
		if isMap && wasMap {
			merge(under, over)
		} else {
			base[key] = value
		}
	}
}

// apiVersions is .Capabilities.APIVersions: the API server serves everything.
type apiVersions struct{}

func (apiVersions) Has(string) bool { return true }

// functions returns the functions of Helm and of its library sprig that Fluid's charts call.
func functions(templates *template.Template) template.FuncMap {
	isEmpty := func(value any) bool {
		return value == nil || !reflect.ValueOf(value).IsValid() || isZero(reflect.ValueOf(value))
	}
	toYAML := func(value any) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	indent := func(n int, text string) string {
		pad := strings.Repeat(" ", n)
		return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
	}
	return template.FuncMap{
		"lower":      func(text any) string { return strings.ToLower(fmt.Sprint(text)) },
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"toYaml":     toYAML,
		"indent":     indent,
		"nindent":    func(n int, text string) string { return "\n" + indent(n, text) },
		"nospace":    func(text string) string { return strings.ReplaceAll(text, " ", "") },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"trim":       strings.TrimSpace,
		"trimAll":    func(cut, text string) string { return strings.Trim(text, cut) },
		"contains":   func(part, text string) bool { return strings.Contains(text, part) },
		"replace":    func(old, new, text string) string { return strings.ReplaceAll(text, old, new) },
		"trunc":      func(n int, text string) string { return text[:min(n, len(text))] },
		"sub":        func(a, b any) string { return fmt.Sprint(a, "-", b) }, // of pods, which nothing here reads
		"cat":        func(words ...any) string { return strings.TrimSpace(fmt.Sprintln(words...)) },
		"int": func(value any) int {
			number, _ := value.(float64)
			return int(number)
		},
		"default": func(otherwise, value any) any {
			if isEmpty(value) {
				return otherwise
			}
			return value
		},
		"ternary": func(yes, no any, condition bool) any {
			if condition {
				return yes
			}
			return no
		},
		"required": func(message string, value any) (any, error) {
			if value == nil || value == "" {
				return nil, errors.New(message)
			}
			return value, nil
		},
		"include": func(name string, data any) (string, error) {
			var out strings.Builder
			err := templates.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
	}
}

func isZero(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Map, reflect.Slice, reflect.String:
		return value.Len() == 0
	default:
		return value.IsZero()
	}
}
