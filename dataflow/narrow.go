package dataflow

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Affinity returns the affinity of the operation, narrowed to its feasible nodes: among the
// nodes of the forecast that admit the operation by itself, it matches exactly the feasible
// ones (law L4). A flow whose operations run with these affinities, and with what they
// inherit, is never stranded (law L3); [Forecast.Flow] returns that flow.
//
// It is the shortest affinity that does so: the own affinity if nothing needs narrowing,
// else the values of one label that separate the nodes, as few as possible, else their
// hostnames, else their names. For an operation that is complete, or running on a known
// node, it is the own affinity. It shares no memory with anything else.
//
// The first call that narrows indexes the labels of all nodes. Each call costs a step for
// every node that admits the operation and every label key of a feasible one.
//
// The error is an [*UnknownOperationError] if the flow has no such operation, and a
// [*StrandedError] if the flow is not completable.
func (fc *Forecast) Affinity(ref Ref) (*corev1.Affinity, error) {
	i := fc.find(ref)
	switch {
	case i == none:
		return nil, fc.unknown(ref)
	case !fc.Completable():
		return nil, &StrandedError{ref, fc.Impossible()}
	}
	return fc.affinity(i), nil
}

// Flow returns the flow with the affinities of the forecast in place of the operations' own,
// to be resolved from. If the flow is not completable, it is the flow of the forecast
// unchanged. It is nil for a nil Forecast.
func (fc *Forecast) Flow() *Flow {
	switch {
	case fc == nil:
		return nil
	case fc.flow == nil, !fc.Completable():
		return fc.flow
	}
	narrowed := *fc.flow
	narrowed.operations = make([]Operation, len(fc.flow.operations))
	for i := range narrowed.operations {
		narrowed.operations[i] = fc.flow.operations[i]
		narrowed.operations[i].Affinity = fc.affinity(int32(i))
	}
	return &narrowed
}

// affinity returns the narrowed affinity of an operation of a completable flow.
func (fc *Forecast) affinity(i int32) *corev1.Affinity {
	own, admitted, feasible := fc.flow.operations[i].Affinity, fc.admission[i].admitted, fc.feasible[i]
	if fc.admission[i].settled || feasible.Equal(admitted) {
		return own.DeepCopy()
	}
	if key, values, ok := fc.nodes.index.Separating(feasible, admitted); ok {
		separating := nodeselector.AnyOf([]nodeselector.Term{nodeselector.Label(key, values...)}, nil)
		return nodeselector.Narrow(own, nil, func(int) nodeselector.Alternatives { return separating })
	}
	return fc.narrowedByName(own, feasible)
}

// narrowedByName returns own with a term for each node. A requirement on the name can hold
// one name only. Each name is joined with the first own term that its node matches.
func (fc *Forecast) narrowedByName(own *corev1.Affinity, nodes nodeindex.Set) *corev1.Affinity {
	terms := []nodeselector.Term{{}}
	if required := nodeselector.Required(own); required != nil {
		terms, _ = nodeselector.ParseTerms(required.NodeSelectorTerms, "")
	}
	names := make([][]nodeselector.Term, len(terms))
	for i := range nodes.All() {
		node := &fc.nodes.list[i]
		at := slices.IndexFunc(terms, func(t nodeselector.Term) bool { return t.Matches(node.Name, node.Labels) })
		names[at] = append(names[at], nodeselector.Name(node.Name))
	}
	return nodeselector.Narrow(own, nil, func(i int) nodeselector.Alternatives { return nodeselector.AnyOf(names[i], nil) })
}
