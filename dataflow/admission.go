package dataflow

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// admission holds the nodes on which an operation can run, without regard to the other
// operations that still have to be placed.
type admission struct {
	tested // admitted has only nodes that pass the caller's test too

	// possible are the admitted nodes with the inherited labels. If the operation is
	// settled, it is the node where it ran, if that is known and still exists.
	possible  nodeindex.Set
	settled   bool // it completed, or is running on a known node
	failed    bool
	blockedBy *Ref // an operation outside the flow that it waits for, and that failed: no node helps
	inherited inheritance
}

// inheritance holds the labels that an operation must match because its source is settled.
type inheritance struct {
	source Ref
	labels topology.LabelSet
	nodes  nodeindex.Set // the nodes that have the labels
	gone   string        // the name of the node where the source runs, if that does not exist
}

// admissions returns the admission of every operation, and the faults of their own
// constraints.
func (f *Flow) admissions(nodes *NodeIndex, options ForecastOptions) ([]admission, []error) {
	admissions := make([]admission, len(f.operations))
	var faults []error
	for i := range f.operations {
		op, a, o := &f.operations[i], &admissions[i], options.Seen[f.operations[i].Ref]
		tolerations := options.tolerations(op)
		a.tested = nodes.tested.Get(identity(op, tolerations), func() tested { return nodes.test(op, tolerations) })
		for _, fault := range a.faults {
			faults = append(faults, f.malformed(op, fault))
		}
		a.failed, a.settled, a.blockedBy = o.Phase == Failed, o.settled(), f.blockedFromOutside(op, options.Seen)
		switch {
		case a.settled:
			a.possible = nodes.index.Named(o.Node)
		case a.failed:
			a.possible = nodes.index.None()
		default:
			if options.Admit != nil {
				clone := op.DeepCopy()
				a.admitted = a.admitted.Filter(func(i int) bool { return options.Admit(clone, &nodes.list[i]) })
			}
			a.inherited = f.inheritance(op, nodes, options.Seen)
			a.possible = a.admitted.Intersection(a.inherited.nodes)
		}
	}
	return admissions, faults
}

// blockedFromOutside returns an operation outside the flow that failed, if op waits for it. Those
// of the flow fail themselves.
func (f *Flow) blockedFromOutside(op *Operation, seen map[Ref]Observation) *Ref {
	if seen[op.Ref].Phase.started() {
		return nil
	}
	for _, ref := range op.prerequisites() {
		if seen[ref].Phase == Failed && f.find(ref) == none {
			return &ref
		}
	}
	return nil
}

// settled reports whether an operation needs no node any more: it completed, or is running
// on a known node. One that is Executing on an unknown node may not be scheduled yet.
func (o Observation) settled() bool {
	return o.Phase == Complete || o.Phase == Executing && o.Node != ""
}

// inheritance returns what an operation inherits from a settled source by policy Require
// (law L7): of a complete source the recorded labels, of one that is running the present
// labels of its node.
func (f *Flow) inheritance(op *Operation, nodes *NodeIndex, seen map[Ref]Observation) inheritance {
	nothing := inheritance{nodes: nodes.index.All()}
	source, ok := op.Source()
	o := seen[source]
	if !ok || op.RunAfter.Strategy.Policy != affinity.Require || !o.settled() {
		return nothing
	}
	labels := f.recorded(source, seen)
	if o.Phase == Executing {
		running, _ := f.Operation(source) // the zero Operation exposes the built-in keys
		keys := running.ExposedKeys()     // sorted
		if !slices.ContainsFunc(op.RunAfter.Strategy.Keys(), func(key string) bool { _, ok := slices.BinarySearch(keys, key); return ok }) {
			return nothing
		}
		node, ok := nodes.index.Find(o.Node)
		if !ok {
			return inheritance{source: source, nodes: nodes.index.None(), gone: o.Node}
		}
		labels = topology.Expose(nodes.list[node].Labels, keys...)
	}
	labels = labels.Only(op.RunAfter.Strategy.Keys()...)
	if labels.Len() == 0 {
		return nothing
	}
	like := identity(&Operation{NodeSelector: maps.Collect(labels.All())}, nil)
	having := nodes.inherited.Get(like, func() nodeindex.Set { return nodes.index.Labelled(labels.All()) })
	return inheritance{source: source, labels: labels, nodes: having}
}

// tolerations returns those of an operation, and those that the admission plugin
// ExtendedResourceToleration adds: one for each extended resource that is requested.
func (o ForecastOptions) tolerations(op *Operation) []corev1.Toleration {
	tolerations := slices.Clip(op.Tolerations)
	if o.ExtendedResourceToleration {
		for _, name := range slices.Sorted(maps.Keys(op.Requests)) {
			if nodeindex.IsExtended(name) {
				tolerations = append(tolerations, corev1.Toleration{Key: string(name), Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
			}
		}
	}
	return tolerations
}

// constraints returns the node selector of an operation as a term, and its required node
// affinity as ORed terms: the empty term, which every node matches, if there is no required
// node affinity. The paths of the faults start below the pod spec.
func constraints(op *Operation) (selector nodeselector.Term, terms []nodeselector.Term, faults field.ErrorList) {
	selector, faults = nodeselector.ParseSelector(op.NodeSelector)
	required := nodeselector.Required(op.Affinity)
	if required == nil {
		return selector, []nodeselector.Term{{}}, faults
	}
	terms, termFaults := nodeselector.ParseTerms(required.NodeSelectorTerms,
		"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	return selector, terms, append(faults, termFaults...)
}

// malformed returns the error for a fault that constraints found.
func (f *Flow) malformed(op *Operation, fault *field.Error) error {
	at := *fault
	at.Field = op.podSpec() + "." + at.Field
	return &OperationError{op.Ref, int(f.given[op.Ref]), &at}
}

// identity returns the same bytes for operations with the same constraints, and only for these.
func identity(op *Operation, tolerations []corev1.Toleration) []byte {
	spec := corev1.PodSpec{NodeName: op.NodeName, NodeSelector: op.NodeSelector, Tolerations: tolerations, Overhead: op.Requests}
	if required := nodeselector.Required(op.Affinity); required != nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}}
	}
	bytes, _ := spec.Marshal() // in the order of fields and keys; it has no errors
	return bytes
}
