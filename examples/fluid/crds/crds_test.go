// Package crds holds the fields that manifest.Decode knows against Fluid's custom resource
// definitions: those of the module Fluid v1.0.8, and with -checkout those of a checkout, such as
// one of the main branch.
package crds

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

var checkout = flag.String("checkout", "", "the folder of a checkout of Fluid, to hold it against its definitions too")

// newer holds the fields that Fluid's main branch has, as of commit a826600a43, and v1.0.8 has not.
var newer = map[dataflow.Kind][]string{dataflow.DataProcess: {"policy", "schedule"}}

// definition is what is read of a custom resource definition.
type definition struct {
	Spec struct {
		Names    struct{ Kind string }
		Versions []struct {
			Schema struct{ OpenAPIV3Schema schema }
		}
	}
}

type schema struct {
	Properties map[string]schema
	Items      *schema
}

// at returns the schema at a path of names, each of an object or of the items of a list.
func (s schema) at(t *testing.T, path ...string) schema {
	for _, name := range path {
		if s.Items != nil {
			s = *s.Items
		}
		below, ok := s.Properties[name]
		if !ok {
			t.Fatalf("no %s in the definition; it has %q", name, s.names())
		}
		s = below
	}
	if s.Items != nil {
		return *s.Items
	}
	return s
}

func (s schema) names() []string {
	var names []string
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// definitions returns the definitions in a folder of Fluid's.
func definitions(t *testing.T, fluid string) map[string]schema {
	files, err := filepath.Glob(filepath.Join(fluid, "charts", "fluid", "fluid", "crds", "data.fluid.io_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no definitions in ", fluid, err)
	}
	all := map[string]schema{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d definition
		if err := yaml.Unmarshal(text, &d); err != nil {
			t.Fatal(file, err)
		}
		for _, version := range d.Spec.Versions {
			all[d.Spec.Names.Kind] = version.Schema.OpenAPIV3Schema
		}
	}
	return all
}

// folders returns the folder of the module Fluid v1.0.8, and that of a checkout if there is one.
func folders(t *testing.T) []string {
	command := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/fluid-cloudnative/fluid")
	folder, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{strings.TrimSpace(string(folder))}
	if *checkout != "" {
		all = append(all, *checkout)
	}
	return all
}

// unknown returns the names of those fields at a path that Decode says do not exist.
func unknown(t *testing.T, kind dataflow.Kind, names []string, path ...string) []string {
	var inner any
	fields := map[string]any{}
	for _, name := range names {
		fields[name] = nil
	}
	inner = fields
	for _, name := range slices.Backward(path) {
		if name == "[]" {
			inner = []any{inner}
		} else {
			inner = map[string]any{name: inner}
		}
	}
	_, err := manifest.Decode(map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": string(kind), "metadata": map[string]any{"name": "a"}, "spec": inner})
	var all []string
	for _, err := range dataflow.Faults(err) {
		var fault *manifest.Fault
		if !errors.As(err, &fault) {
			t.Fatal(err)
		}
		if fault.Code == dataflow.CodeUnknownField {
			all = append(all, fault.Path[len(fault.Path)-1])
		}
	}
	slices.Sort(all)
	return all
}

// Directly below spec, Decode knows the fields of v1.0.8 and of the main branch, and no others.
func TestFieldsOfSpecs(t *testing.T) {
	for i, folder := range folders(t) {
		of := definitions(t, folder)
		everywhere := []string{"nodeName", "after", "x"}
		for _, kind := range dataflow.Kinds() {
			everywhere = append(everywhere, of[string(kind)].at(t, "spec").names()...)
		}
		slices.Sort(everywhere)
		everywhere = slices.Compact(everywhere)
		for _, kind := range dataflow.Kinds() {
			known := of[string(kind)].at(t, "spec").names()
			if i == 0 {
				known = append(known, newer[kind]...)
			}
			want := slices.DeleteFunc(slices.Clone(everywhere), func(name string) bool { return slices.Contains(known, name) })
			if got := unknown(t, kind, everywhere); !slices.Equal(got, want) {
				t.Errorf("%s: unknown are %q, want %q", kind, got, want)
			}
			if got := unknown(t, kind, known); got != nil {
				t.Errorf("%s: unknown are %q, and all are known", kind, got)
			}
		}
	}
}

// Below spec, Decode knows exactly the fields that Fluid has where the fields are Fluid's own, and
// at least those of the pod specs that Fluid knows.
func TestFieldsBelowSpecs(t *testing.T) {
	const strategy = "affinityStrategy"
	for _, folder := range folders(t) {
		of := definitions(t, folder)
		for _, kind := range dataflow.Kinds() {
			paths := [][]string{
				{"runAfter"}, {"runAfter", strategy}, {"runAfter", strategy, "dependOn"},
				{"runAfter", strategy, "requires", "[]"}, {"runAfter", strategy, "prefers", "[]"},
			}
			switch kind {
			case dataflow.DataLoad, dataflow.DataMigrate:
				paths = append(paths, placement()...)
				paths = append(paths, []string{"podMetadata"}, []string{"resources"})
			case dataflow.DataProcess:
				paths = append(paths, []string{"processor"}, []string{"processor", "job"}, []string{"processor", "script"}, []string{"processor", "podMetadata"})
				for _, path := range placement() {
					paths = append(paths, append([]string{"processor", "job", "podSpec"}, path...))
				}
				paths = append(paths, []string{"processor", "script", "resources"}, []string{"processor", "job", "podSpec", "containers", "[]", "resources"},
					[]string{"processor", "job", "podSpec"}, []string{"processor", "job", "podSpec", "containers", "[]"})
			}
			for _, path := range paths {
				names := of[string(kind)].at(t, append([]string{"spec"}, slices.DeleteFunc(slices.Clone(path), func(name string) bool { return name == "[]" })...)...).names()
				got := unknown(t, kind, append(names, "zzz"), path...)
				isOpen := slices.Contains(path, "podSpec") && (len(path) == 3 || len(path) == 5 && path[4] == "[]" && path[3] == "containers")
				if want := []string{"zzz"}; isOpen && got != nil || !isOpen && !slices.Equal(got, want) {
					t.Errorf("%s: unknown in %s are %q; it has %q", kind, strings.Join(path, "."), got, names)
				}
			}
		}
	}
}

// placement returns the paths to the objects in affinities and tolerations.
func placement() [][]string {
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	return [][]string{
		{"affinity"}, {"affinity", "nodeAffinity"}, {"affinity", "nodeAffinity", required}, {"affinity", "nodeAffinity", required, "nodeSelectorTerms", "[]"},
		{"affinity", "nodeAffinity", required, "nodeSelectorTerms", "[]", "matchExpressions", "[]"}, {"affinity", "nodeAffinity", preferred, "[]"},
		{"affinity", "podAffinity"}, {"affinity", "podAntiAffinity", required, "[]"}, {"affinity", "podAffinity", preferred, "[]"},
		{"affinity", "podAffinity", required, "[]", "labelSelector"}, {"affinity", "podAffinity", required, "[]", "labelSelector", "matchExpressions", "[]"},
		{"tolerations", "[]"},
	}
}

// Every other kind of Fluid's group is one that Decode tells from a misspelled operation.
func TestOtherKinds(t *testing.T) {
	for _, folder := range folders(t) {
		for kind := range definitions(t, folder) {
			_, err := manifest.Decode(map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": kind, "metadata": map[string]any{"name": "a"}})
			var other *manifest.KindError
			isOther := errors.As(err, &other)
			if isOperation := slices.Contains(dataflow.Kinds(), dataflow.Kind(kind)); isOperation == isOther || isOther && other.Fault != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}
