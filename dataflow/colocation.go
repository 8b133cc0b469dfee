package dataflow

import (
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// colocation is the constraint that an operation inherits from its source by policy
// Require: for each key that the node of the source has as a label, the node of the
// operation has the same value.
type colocation struct {
	source int32    // the index of the source, or none
	keys   []string // the keys that the operation requires and the source exposes
}

// sameNode reports whether both run on one node, if every node has a hostname of its own.
func (c colocation) sameNode() bool { return slices.Contains(c.keys, topology.Hostname) }

// colocation returns the constraint of an operation. Its source is none without policy
// Require, and if the source is not in the flow or exposes none of the keys.
func (f *Flow) colocation(i int32, exposed *exposures) colocation {
	op := &f.operations[i]
	if ref, ok := op.Source(); ok && op.RunAfter.Strategy.Policy == affinity.Require {
		if source := f.sourceOf(i, ref); source != none {
			if keys := exposed.among(op.RunAfter.Strategy.Keys(), source); len(keys) > 0 {
				return colocation{source, keys}
			}
		}
	}
	return colocation{source: none}
}

// sourceOf returns the index of an operation's source, or none.
func (f *Flow) sourceOf(i int32, source Ref) int32 {
	if p := f.predecessor[i]; p != none && f.operations[i].RunAfter.DependOn == nil {
		return p
	}
	return f.find(source)
}

// exposures holds the label keys that operations expose. The keys of an operation with
// custom keys are computed once for all its followers.
type exposures struct {
	flow    *Flow
	builtIn []string
	custom  map[int32][]string
}

func (f *Flow) exposures() *exposures {
	return &exposures{f, topology.ExposedKeys(), map[int32][]string{}}
}

// of returns the keys that an operation exposes, sorted.
func (e *exposures) of(i int32) []string {
	op := &e.flow.operations[i]
	if len(op.Exposes) == 0 && op.exposesPlace() {
		return e.builtIn
	}
	keys, ok := e.custom[i]
	if !ok {
		keys = op.ExposedKeys()
		e.custom[i] = keys
	}
	return keys
}

// have reports whether an operation exposes a key.
func (e *exposures) have(i int32, key string) bool {
	_, ok := slices.BinarySearch(e.of(i), key)
	return ok
}

// among removes from keys those that an operation does not expose.
func (e *exposures) among(keys []string, i int32) []string {
	return slices.DeleteFunc(keys, func(key string) bool { return !e.have(i, key) })
}

// colocations returns the constraint of every operation, an order in which each comes
// after its source, and the cycles of sources. A source need not be an ancestor, although
// [Flow.Problems] reports one that is not, so sources can form cycles. An operation in a
// cycle has no constraint here.
func (f *Flow) colocations() (all []colocation, order []int32, circular []*CycleError) {
	all = make([]colocation, len(f.operations))
	sources, exposed := make([]int32, len(f.operations)), f.exposures()
	for i := range all {
		all[i], sources[i] = f.colocation(int32(i), exposed), none
		if ref, ok := f.operations[i].Source(); ok { // whatever is inherited
			sources[i] = f.sourceOf(int32(i), ref)
		}
	}
	if order = preOrder(sources); len(order) == len(all) {
		return all, order, nil
	}
	for _, cycle := range cycles(sources, order) {
		refs := make([]Ref, len(cycle))
		for i, op := range cycle {
			refs[i] = f.operations[op].Ref
			all[op].source, sources[op] = none, none
		}
		circular = append(circular, &CycleError{Operations: refs, Sources: true})
	}
	return all, preOrder(sources), circular
}
