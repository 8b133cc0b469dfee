package dataflow

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Kind is the kind of an operation.
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

// podSpec returns the path, in a manifest, of what holds the affinity, the node
// selector and the tolerations of an operation of kind k.
func (k Kind) podSpec() string {
	if k == DataProcess {
		return "spec.processor.job.podSpec"
	}
	return "spec"
}

// hasPodSpec reports whether there is such a thing in a manifest of kind k. A DataBackup
// says nothing of its node: its pod is made without.
func (k Kind) hasPodSpec() bool { return k != DataBackup }

// Ref names an operation. It is comparable. Where an operation refers to another,
// an empty namespace means the referring operation's own; everywhere else it is a
// namespace like any other.
type Ref struct {
	Kind      Kind   `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "DataLoad default/loadA", without the slash if the namespace is
// empty.
func (r Ref) String() string {
	if r.Namespace == "" {
		return string(r.Kind) + " " + r.Name
	}
	return string(r.Kind) + " " + r.Namespace + "/" + r.Name
}

// from returns r as it is meant in an operation of the given namespace.
func (r Ref) from(namespace string) Ref {
	if r.Namespace == "" {
		r.Namespace = namespace
	}
	return r
}

// RunAfter says what an operation runs after, and what it inherits from where.
type RunAfter struct {
	Ref                        // the predecessor
	Strategy affinity.Strategy // what is inherited
	DependOn *Ref              // from which operation; nil means the predecessor
}

// Operation is what matters for the dataflow of one of Fluid's data operations.
// Beside Ref every field may be left zero.
type Operation struct {
	Ref

	// RunAfter is nil for an operation that waits for nothing.
	RunAfter *RunAfter

	// Exposes holds the label keys that later operations can follow, beside the
	// built-in three (topology.ParseKeys reads them from the annotation).
	Exposes []string

	// NodeSelector, Affinity and Tolerations are what the operation asks of a
	// node itself.
	NodeSelector map[string]string
	Affinity     *corev1.Affinity
	Tolerations  []corev1.Toleration

	// Distributed says that the operation runs as several pods. It then has no
	// one place: it exposes nothing and inherits nothing.
	Distributed bool

	// Recurring says that the operation runs again and again, by a schedule. Its
	// place changes, so it exposes nothing.
	Recurring bool
}

// Predecessor returns the operation that o runs after, and whether there is one.
func (o Operation) Predecessor() (Ref, bool) {
	if o.RunAfter == nil {
		return Ref{}, false
	}
	return o.RunAfter.from(o.Namespace), true
}

// Source returns the operation that o inherits from, and whether there is one:
// what it depends on or else its predecessor, but none without a policy, and none
// if o is distributed (law F3).
func (o Operation) Source() (Ref, bool) {
	switch {
	case o.RunAfter == nil, o.RunAfter.Strategy.Policy == affinity.None, o.Distributed:
		return Ref{}, false
	case o.RunAfter.DependOn != nil:
		return o.RunAfter.DependOn.from(o.Namespace), true
	default:
		return o.Predecessor()
	}
}

// ExposedKeys returns the label keys that others can follow to where o ran, sorted, each
// once: the built-in three and those of Exposes; none (nil) if it has no one place.
func (o Operation) ExposedKeys() []string {
	if !o.hasPlace() {
		return nil
	}
	return topology.ExposedKeys(o.Exposes...)
}

// hasPlace reports whether o, once it ran, has one lasting place to be followed to.
func (o Operation) hasPlace() bool { return !o.Distributed && !o.Recurring }

// clone returns a copy of o that shares no memory with it.
func (o Operation) clone() Operation {
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
	o.Tolerations = cloneTolerations(o.Tolerations)
	return o
}

func cloneTolerations(tolerations []corev1.Toleration) []corev1.Toleration {
	tolerations = slices.Clone(tolerations)
	for i := range tolerations {
		tolerations[i] = *tolerations[i].DeepCopy()
	}
	return tolerations
}
