package dataflow

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Kind is the kind of an operation in Fluid's API.
type Kind string

// The kinds of Fluid's API group data.fluid.io that form dataflows.
const (
	DataLoad    Kind = "DataLoad"
	DataMigrate Kind = "DataMigrate"
	DataProcess Kind = "DataProcess"
	DataBackup  Kind = "DataBackup"
)

// Kinds returns the supported kinds.
func Kinds() []Kind { return []Kind{DataLoad, DataMigrate, DataProcess, DataBackup} }

// Ref names an operation. It is comparable. In a reference from one operation to
// another, an empty namespace means the namespace of the referring operation. Everywhere
// else the empty namespace is a namespace like any other.
type Ref struct {
	Kind      Kind   `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "DataLoad default/load-a", without the slash if the namespace is
// empty. A part that no API server accepts is quoted if it is not printable, and an excerpt if it
// is long.
func (r Ref) String() string {
	name := message.Printable(r.Name)
	if r.Namespace != "" {
		name = message.Printable(r.Namespace) + "/" + name
	}
	return message.Excerpt(message.Printable(string(r.Kind)) + " " + name)
}

// compare orders references by kind, namespace and name.
func (r Ref) compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Namespace, o.Namespace), cmp.Compare(r.Name, o.Name))
}

// in returns r with an empty namespace replaced by that of the referring operation.
func (r Ref) in(namespace string) Ref {
	if r.Namespace == "" {
		r.Namespace = namespace
	}
	return r
}

// RunAfter names the predecessor of an operation, and says what the operation inherits
// and from which operation.
type RunAfter struct {
	// Ref names the predecessor. An empty namespace means the operation's own.
	Ref Ref `json:"ref"`

	// Strategy says which labels are inherited. Its zero value inherits nothing.
	Strategy affinity.Strategy `json:"strategy"`

	// DependOn names the operation to inherit from. Nil means the predecessor. An
	// empty namespace means the operation's own.
	DependOn *Ref `json:"dependOn,omitempty"`
}

// Operation is the part of one of Fluid's data operations that a dataflow depends on.
// Every field except Ref may be zero. Its JSON form is slipstream's own, not that of
// Fluid's API; package manifest reads the latter.
type Operation struct {
	Ref Ref `json:"ref"`

	// RunAfter is nil for an operation without a predecessor.
	RunAfter *RunAfter `json:"runAfter,omitempty"`

	// Exposes holds the label keys that later operations can inherit, in addition
	// to the built-in three ([topology.ParseKeys] reads them from the annotation).
	Exposes []string `json:"exposes,omitempty"`

	// NodeSelector, Affinity and Tolerations are the operation's own constraints on
	// its node.
	NodeSelector map[string]string   `json:"nodeSelector,omitempty"`
	Affinity     *corev1.Affinity    `json:"affinity,omitempty"`
	Tolerations  []corev1.Toleration `json:"tolerations,omitempty"`

	// NodeName binds the operation's pod to the node with this name: the scheduler is
	// not asked. Empty means that the scheduler places the pod.
	NodeName string `json:"nodeName,omitempty"`

	// Requests are the resources that one pod of the operation requests, as
	// kube-scheduler counts them. Nil and empty mean none.
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// Distributed is set if the operation runs as several pods. It then exposes
	// nothing and inherits nothing.
	Distributed bool `json:"distributed,omitempty"`

	// Recurring is set if the operation runs on a schedule. Its node can change with
	// every run, so it exposes nothing.
	Recurring bool `json:"recurring,omitempty"`

	// OnEvent is set if the operation is to run on an event (policy OnEvent), which no
	// version of Fluid carries out ([Flow.HostProblems]). It changes nothing else.
	OnEvent bool `json:"onEvent,omitempty"`

	// NoPodSpec is set for a DataProcess with a job processor that has no pod spec
	// (processor.job: {}), so that there is nothing to run.
	NoPodSpec bool `json:"noPodSpec,omitempty"`

	// Script is set for a DataProcess with a script processor, which has no affinity, no
	// node selector and no tolerations of its own. It changes only what problems name.
	Script bool `json:"script,omitempty"`

	// TTLSecondsAfterFinished is the time after which the host deletes the operation,
	// counted from its end. Nil means never.
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// podSpec returns the path of the object that holds the affinity, the node selector and
// the tolerations of the operation, or that would hold them.
func (o *Operation) podSpec() string {
	switch {
	case o.isScript():
		return "spec.processor.script"
	case o.Ref.Kind == DataProcess:
		return "spec.processor.job.podSpec"
	default:
		return "spec"
	}
}

// hasPodSpec reports whether the operation can have these fields. A DataBackup and a script
// cannot.
func (o *Operation) hasPodSpec() bool { return o.Ref.Kind != DataBackup && !o.isScript() }

func (o *Operation) isScript() bool { return o.Ref.Kind == DataProcess && o.Script }

// Predecessor returns the operation that o runs after. ok is false if there is none.
func (o Operation) Predecessor() (ref Ref, ok bool) {
	if o.RunAfter == nil {
		return Ref{}, false
	}
	return o.RunAfter.Ref.in(o.Ref.Namespace), true
}

// Source returns the operation that o inherits from: its dependOn, or else its
// predecessor. ok is false without a policy, and if o is distributed (law F3).
func (o Operation) Source() (ref Ref, ok bool) {
	switch {
	case o.RunAfter == nil, o.RunAfter.Strategy.Policy == affinity.None, o.Distributed:
		return Ref{}, false
	case o.RunAfter.DependOn != nil:
		return o.RunAfter.DependOn.in(o.Ref.Namespace), true
	default:
		return o.Predecessor()
	}
}

// ExposedKeys returns the label keys that other operations can inherit from o: the
// built-in three and those of Exposes, sorted, each once. It is nil if o is distributed
// or recurring.
func (o Operation) ExposedKeys() []string {
	if !o.exposesPlace() {
		return nil
	}
	return topology.ExposedKeys(o.Exposes...)
}

// exposesPlace reports whether o, once it ran, exposes labels of the node where it ran.
func (o Operation) exposesPlace() bool { return !o.Distributed && !o.Recurring }

// DeepCopy returns a copy of o that shares no memory with it.
func (o Operation) DeepCopy() Operation {
	if o.RunAfter != nil {
		runAfter := *o.RunAfter
		runAfter.Strategy.Requires = slices.Clone(runAfter.Strategy.Requires)
		runAfter.Strategy.Prefers = slices.Clone(runAfter.Strategy.Prefers)
		if runAfter.DependOn != nil {
			dependOn := *runAfter.DependOn
			runAfter.DependOn = &dependOn
		}
		o.RunAfter = &runAfter
	}
	o.Exposes = slices.Clone(o.Exposes)
	o.NodeSelector = maps.Clone(o.NodeSelector)
	o.Affinity = o.Affinity.DeepCopy()
	o.Tolerations = slices.Clone(o.Tolerations)
	for i := range o.Tolerations {
		o.Tolerations[i] = *o.Tolerations[i].DeepCopy()
	}
	o.Requests = o.Requests.DeepCopy()
	if o.TTLSecondsAfterFinished != nil {
		ttl := *o.TTLSecondsAfterFinished
		o.TTLSecondsAfterFinished = &ttl
	}
	return o
}
