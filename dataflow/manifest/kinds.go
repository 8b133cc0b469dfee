package manifest

import (
	"cmp"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// group is the API group of the operations.
const group = "data.fluid.io"

// The types below are the parts of Fluid's API that are read.

type object struct {
	_          open
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       spec     `json:"spec"`
	Status     status   `json:"status"`
}

// spec is the spec of one kind. It fills the operation, and returns what it runs
// after.
type spec interface {
	fill(*dataflow.Operation) *runAfter

	// validate rejects what Fluid's schema, or that of a pod, does not let through.
	validate(*decoder)
}

func newSpec(kind dataflow.Kind) spec {
	switch kind {
	case dataflow.DataLoad:
		return new(dataLoad)
	case dataflow.DataMigrate:
		return new(dataMigrate)
	case dataflow.DataProcess:
		return new(dataProcess)
	default:
		return new(dataBackup)
	}
}

type metadata struct {
	_           open
	Name        string      `json:"name"`
	Namespace   string      `json:"namespace"`
	Annotations annotations `json:"annotations"`
}

// ref returns what names an object. Its namespace is what kubectl fills in, if it has none.
func (m *metadata) ref(kind dataflow.Kind) dataflow.Ref {
	return dataflow.Ref{Kind: kind, Namespace: cmp.Or(m.Namespace, corev1.NamespaceDefault), Name: m.Name}
}

type annotations struct {
	_      keyed
	Labels string `json:"affinity.dataflow.fluid.io/labels"` // topology.LabelsAnnotation
}

type status struct {
	_            foreign
	Phase        dataflow.Phase       `json:"phase"`
	NodeAffinity *corev1.NodeAffinity `json:"nodeAffinity"`
}

type dataLoad struct {
	_ open
	pod
	RunAfter *runAfter `json:"runAfter"`
	Policy   string    `json:"policy"`
}

func (s *dataLoad) validate(d *decoder) {
	spec := field.NewPath("spec")
	d.validatePolicy(spec.Child("policy"), s.Policy)
	d.validateTolerations(spec.Child("tolerations"), s.Tolerations)
}

func (s *dataLoad) fill(op *dataflow.Operation) *runAfter {
	s.pod.fill(op)
	op.Recurring = s.Policy == cron
	return s.RunAfter
}

type dataMigrate struct {
	_ open
	dataLoad
	Parallelism *int32 `json:"parallelism"`
}

func (s *dataMigrate) validate(d *decoder) {
	s.dataLoad.validate(d)
	path := field.NewPath("spec", "parallelism")
	if n := s.Parallelism; n != nil && *n < 1 && !d.faultyIn(path) {
		d.reject(field.Invalid(path, *n, "must be at least 1"))
	}
}

func (s *dataMigrate) fill(op *dataflow.Operation) *runAfter {
	op.Distributed = s.Parallelism != nil && *s.Parallelism > 1
	return s.dataLoad.fill(op)
}

type dataProcess struct {
	_         open
	RunAfter  *runAfter `json:"runAfter"`
	Policy    string    `json:"policy"`
	Processor struct {
		_   open
		Job struct {
			_       open
			PodSpec pod `json:"podSpec"`
		} `json:"job"`
		Script struct{ _ open } `json:"script"`
	} `json:"processor"`
}

func (s *dataProcess) validate(d *decoder) {
	spec := field.NewPath("spec")
	d.validatePolicy(spec.Child("policy"), s.Policy)
	d.validateTolerations(spec.Child("processor", "job", "podSpec", "tolerations"), s.Processor.Job.PodSpec.Tolerations)
}

func (s *dataProcess) fill(op *dataflow.Operation) *runAfter {
	s.Processor.Job.PodSpec.fill(op)
	op.Recurring = s.Policy == cron
	return s.RunAfter
}

type dataBackup struct {
	_        open
	RunAfter *runAfter `json:"runAfter"`
}

func (s *dataBackup) validate(*decoder) {}

func (s *dataBackup) fill(*dataflow.Operation) *runAfter { return s.RunAfter }

// cron is the policy of an operation that runs by a schedule.
const cron = "Cron"

// version is the one that Fluid serves.
const version = "v1alpha1"

// aVersion is how Kubernetes writes versions: another one may well come.
var aVersion = regexp.MustCompile(`^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$`)

// validateVersion rejects an apiVersion of the group that cannot be one.
func (d *decoder) validateVersion(path *field.Path, apiVersion string) {
	_, of, _ := strings.Cut(apiVersion, "/")
	switch {
	case apiVersion == "":
		d.reject(field.Required(path, group+"/"+version))
	case !aVersion.MatchString(of):
		d.reject(field.Invalid(path, excerpt(apiVersion), "must be "+group+"/"+version+", or another version of Kubernetes' form"+typo.Hint(of, version)))
	}
}

// validatePolicy rejects what is none of the policies of Fluid's schema.
func (d *decoder) validatePolicy(path *field.Path, policy string) {
	if policy != "" && policy != cron {
		validateOneOf(d, path, policy, "Once", cron, "OnEvent")
	}
}

// validateOneOf rejects a value that is none of those accepted.
func validateOneOf[S ~string](d *decoder, path *field.Path, value S, accepted ...S) {
	if slices.Contains(accepted, value) {
		return
	}
	d.reject(fielderror.Unsupported(path, S(excerpt(string(value))), accepted...))
}

// validateTolerations rejects what no pod may have. Gt and Lt are newer than the
// other operators, and are accepted by the API servers that know them.
func (d *decoder) validateTolerations(path *field.Path, tolerations []corev1.Toleration) {
	for i, t := range tolerations {
		at := path.Index(i)
		if d.faultyIn(at) {
			continue // what is missing may be what was faulty
		}
		if t.Operator != "" {
			validateOneOf(d, at.Child("operator"), t.Operator, corev1.TolerationOpExists, corev1.TolerationOpEqual, "Lt", "Gt")
		}
		if t.Effect != "" {
			validateOneOf(d, at.Child("effect"), t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
		}
		if t.Key == "" && t.Operator != corev1.TolerationOpExists {
			d.reject(field.Required(at.Child("key"), "the key of a taint, or operator Exists to tolerate every taint"))
		}
		if t.Value != "" && t.Operator == corev1.TolerationOpExists {
			d.reject(field.Invalid(at.Child("value"), excerpt(t.Value), "must be left out beside operator Exists"))
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			d.reject(field.Invalid(at.Child("effect"), string(t.Effect), "must be NoExecute beside tolerationSeconds"))
		}
	}
}

// pod is what an operation asks of a node.
type pod struct {
	_            open
	Affinity     *corev1.Affinity    `json:"affinity"`
	NodeSelector map[string]string   `json:"nodeSelector"`
	Tolerations  []corev1.Toleration `json:"tolerations"`
}

func (p pod) fill(op *dataflow.Operation) {
	op.Affinity, op.NodeSelector, op.Tolerations = p.Affinity, p.NodeSelector, p.Tolerations
}

// The types from here on have no other fields than these.

type runAfter struct {
	reference
	AffinityStrategy struct {
		Policy   affinity.Policy      `json:"policy"`
		DependOn *reference           `json:"dependOn"`
		Requires []affinity.RequiredLabel  `json:"requires"`
		Prefers  []affinity.PreferredLabel `json:"prefers"`
	} `json:"affinityStrategy"`
}

type reference struct {
	Kind       dataflow.Kind `json:"kind"`
	Name       string        `json:"name"`
	Namespace  string        `json:"namespace"`
	APIVersion string        `json:"apiVersion"`
}

func (r reference) ref() dataflow.Ref {
	return dataflow.Ref{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

// home returns where an operation of a kind has a field of a name that matters to a
// dataflow, and no other field of Fluid's has; or nothing, if other kinds only have
// it. It reports whether the name is one of those.
func home(kind dataflow.Kind, name string) (path string, ok bool) {
	switch name {
	case "runAfter":
		return "spec.runAfter", true
	case "affinityStrategy":
		return "spec.runAfter.affinityStrategy", true
	case "dependOn", "requires", "prefers":
		return "spec.runAfter.affinityStrategy." + name, true
	case "affinity", "nodeSelector", "tolerations":
		switch kind {
		case dataflow.DataBackup:
			return "", true
		case dataflow.DataProcess:
			return "spec.processor.job.podSpec." + name, true
		}
		return "spec." + name, true
	case "template":
		return "spec.processor.job.podSpec", kind == dataflow.DataProcess
	case "parallelism":
		if kind == dataflow.DataMigrate {
			return "spec.parallelism", true
		}
		return "", true
	}
	return "", false
}

// isOperation reports whether the reader takes objects of that kind for
// operations. One that lacks its apiVersion is taken too, to be told so.
func isOperation(apiVersion, kind string) bool {
	of, _, _ := strings.Cut(apiVersion, "/")
	return (of == group || apiVersion == "") && slices.Contains(dataflow.Kinds(), dataflow.Kind(kind))
}

// operation decodes an operation. It has no name if that is missing or faulty.
func (d *decoder) operation(r raw, is header) (dataflow.Operation, dataflow.Observation) {
	kind := dataflow.Kind(is.kind)
	d.begin(r, kind)
	o := object{Spec: newSpec(kind)}
	d.decode(reflect.ValueOf(&o).Elem())
	d.validateVersion(field.NewPath("apiVersion"), is.apiVersion)
	op := dataflow.Operation{Ref: o.Metadata.ref(kind)}
	d.require(field.NewPath("metadata", "name"), op.Name, "a name that later operations can run after")
	op.RunAfter = d.runAfter(o.Spec.fill(&op))
	o.Spec.validate(d)

	var err error
	op.Exposes, err = topology.ParseKeys(o.Metadata.Annotations.Labels)
	d.rejectAll("", err)
	seen := dataflow.Observation{Phase: o.Status.Phase}
	seen.Labels, err = topology.FromNodeAffinity(o.Status.NodeAffinity)
	d.rejectAll("status.nodeAffinity.", err)
	return op, seen
}

// refOf returns what names an object of a kind that is no operation. Whatever else it says,
// right or wrong, is passed over.
func (d *decoder) refOf(r raw, kind string) dataflow.Ref {
	var o struct {
		_        open
		Metadata metadata `json:"metadata"`
	}
	d.begin(r, dataflow.Kind(kind))
	d.decode(reflect.ValueOf(&o).Elem())
	return o.Metadata.ref(d.kind)
}

func (d *decoder) runAfter(r *runAfter) *dataflow.RunAfter {
	if r == nil {
		return nil
	}
	path := field.NewPath("spec", "runAfter")
	d.requireReference(path, r.reference)
	s := &r.AffinityStrategy
	after := &dataflow.RunAfter{
		Ref:      r.ref(),
		Strategy: affinity.Strategy{Policy: s.Policy, Requires: s.Requires, Prefers: s.Prefers},
	}
	if s.DependOn != nil {
		d.requireReference(path.Child("affinityStrategy", "dependOn"), *s.DependOn)
		on := s.DependOn.ref()
		after.DependOn = &on
	}
	return after
}

// requireReference rejects a reference without a kind or a name.
func (d *decoder) requireReference(path *field.Path, r reference) {
	d.require(path.Child("kind"), string(r.Kind), "the kind of an operation, such as "+string(dataflow.DataLoad))
	d.require(path.Child("name"), r.Name, "the name of an operation")
}

// require rejects a field without a value, unless it had a faulty one.
func (d *decoder) require(path *field.Path, value, meaning string) {
	if value == "" && !d.faultyIn(path) {
		d.reject(field.Required(path, meaning))
	}
}

// rejectAll rejects every *field.Error in err, whose paths start below prefix.
func (d *decoder) rejectAll(prefix string, err error) {
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		return
	}
	for _, err := range list.Unwrap() {
		var fault *field.Error
		if errors.As(err, &fault) {
			fault.Field = prefix + fault.Field
			d.reject(fault)
		}
	}
}
