package manifest

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
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

type annotations struct {
	_      keyed
	Labels string `json:"affinity.dataflow.fluid.io/labels"` // topology.LabelsAnnotation
}

type status struct {
	_            open
	Phase        dataflow.Phase       `json:"phase"`
	NodeAffinity *corev1.NodeAffinity `json:"nodeAffinity"`
}

type dataLoad struct {
	_ open
	pod
	RunAfter *runAfter `json:"runAfter"`
	Policy   string    `json:"policy"`
}

func (s *dataLoad) fill(op *dataflow.Operation) *runAfter {
	s.pod.fill(op)
	op.Recurring = s.Policy == cron
	return s.RunAfter
}

type dataMigrate struct {
	_ open
	dataLoad
	Parallelism int32 `json:"parallelism"`
}

func (s *dataMigrate) fill(op *dataflow.Operation) *runAfter {
	op.Distributed = s.Parallelism > 1
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

func (s *dataProcess) fill(op *dataflow.Operation) *runAfter {
	s.Processor.Job.PodSpec.fill(op)
	op.Recurring = s.Policy == cron
	return s.RunAfter
}

type dataBackup struct {
	_        open
	RunAfter *runAfter `json:"runAfter"`
}

func (s *dataBackup) fill(*dataflow.Operation) *runAfter { return s.RunAfter }

// cron is the policy of an operation that runs by a schedule.
const cron = "Cron"

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
		Requires []affinity.Required  `json:"requires"`
		Prefers  []affinity.Preferred `json:"prefers"`
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
	if is.apiVersion == "" {
		d.reject(field.Required(field.NewPath("apiVersion"), group+"/v1alpha1"))
	}
	op := dataflow.Operation{Ref: dataflow.Ref{Kind: kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}}
	if op.Namespace == "" {
		op.Namespace = corev1.NamespaceDefault
	}
	if op.Name == "" {
		d.reject(field.Required(field.NewPath("metadata", "name"), "a name that later operations can run after"))
	}
	op.RunAfter = d.runAfter(o.Spec.fill(&op))

	var err error
	op.Exposes, err = topology.ParseKeys(o.Metadata.Annotations.Labels)
	d.rejectAll("", err)
	seen := dataflow.Observation{Phase: o.Status.Phase}
	seen.Labels, err = topology.FromNodeAffinity(o.Status.NodeAffinity)
	d.rejectAll("status.nodeAffinity.", err)
	return op, seen
}

func (d *decoder) runAfter(r *runAfter) *dataflow.RunAfter {
	if r == nil {
		return nil
	}
	path := field.NewPath("spec", "runAfter")
	d.require(path, r.reference)
	s := &r.AffinityStrategy
	after := &dataflow.RunAfter{
		Ref:      r.ref(),
		Strategy: affinity.Strategy{Policy: s.Policy, Requires: s.Requires, Prefers: s.Prefers},
	}
	if s.DependOn != nil {
		d.require(path.Child("affinityStrategy", "dependOn"), *s.DependOn)
		on := s.DependOn.ref()
		after.DependOn = &on
	}
	return after
}

// require rejects a reference without a kind or a name.
func (d *decoder) require(path *field.Path, r reference) {
	if r.Kind == "" {
		d.reject(field.Required(path.Child("kind"), "the kind of an operation, such as "+string(dataflow.DataLoad)))
	}
	if r.Name == "" {
		d.reject(field.Required(path.Child("name"), "the name of an operation"))
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
