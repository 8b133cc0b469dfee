package dataflow

import (
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// colocation is what an operation must follow: where its source in the flow has one of
// the labels, it must run where the label has the same value.
type colocation struct {
	source int32    // the index of the source, or none
	keys   []string // what the operation requires and the source exposes
}

// sameNode reports whether that is the very node of the source, where every node has a
// hostname of its own.
func (f colocation) sameNode() bool { return slices.Contains(f.keys, topology.Hostname) }

// colocation returns what the operation must follow. There is nothing that it must
// without policy Require, nor if its source has no one place, or exposes none of the
// labels, or is not in the flow, so that nothing is known of it.
func (f *Flow) colocation(i int32, exposed *exposures) colocation {
	op := &f.operations[i]
	ref, ok := op.Source()
	if !ok || op.RunAfter.Strategy.Policy != affinity.Require {
		return colocation{source: none}
	}
	source := f.predecessor[i]
	if op.RunAfter.DependOn != nil {
		source = f.find(ref)
	}
	if source == none {
		return colocation{source: none}
	}
	keys := exposed.among(op.RunAfter.Strategy.Keys(), source)
	if len(keys) == 0 {
		return colocation{source: none}
	}
	return colocation{source, keys}
}

// exposures are the label keys that operations expose, worked out once for all that follow
// one that names keys of its own.
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
	if len(op.Exposes) == 0 && op.hasPlace() {
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

// among returns which of the keys an operation exposes. It takes over the slice.
func (e *exposures) among(keys []string, i int32) []string {
	return slices.DeleteFunc(keys, func(key string) bool { return !e.have(i, key) })
}

// colocations returns what every operation must follow, an order in which each comes
// after its source, and the cycles there are. A source need not be an ancestor, though
// [Flow.Problems] reports any that is not, and so operations may be each other's: those
// that are follow nothing here.
func (f *Flow) colocations() (all []colocation, order []int32, circular []*CycleError) {
	all = make([]colocation, len(f.operations))
	sources, exposed := make([]int32, len(f.operations)), f.exposures()
	for i := range all {
		all[i] = f.colocation(int32(i), exposed)
		sources[i] = all[i].source
	}
	order = preOrder(sources)
	if len(order) == len(all) {
		return all, order, nil
	}
	for _, cycle := range cycles(sources, order) {
		refs := make([]Ref, len(cycle))
		for i, op := range cycle {
			refs[i] = f.operations[op].Ref
			all[op].source, sources[op] = none, none
		}
		circular = append(circular, &CycleError{Operations: refs, ofSources: true})
	}
	return all, preOrder(sources), circular
}
