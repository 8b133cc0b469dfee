package dataflow

import (
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// following is what an operation must follow: where its source in the flow has one of
// the labels, it must run where the label has the same value.
type following struct {
	source int32    // the index of the source, or none
	keys   []string // what the operation requires and the source exposes
}

// sameNode reports whether that is the very node of the source, where every node has a
// hostname of its own.
func (f following) sameNode() bool { return slices.Contains(f.keys, topology.Hostname) }

// following returns what the operation must follow. There is nothing that it must
// without policy Require, nor if its source has no one place, or exposes none of the
// labels, or is not in the flow, so that nothing is known of it.
func (f *Flow) following(i int32) following {
	op := &f.operations[i]
	ref, ok := op.Source()
	if !ok || op.RunAfter.Strategy.Policy != affinity.Require {
		return following{source: none}
	}
	source := f.predecessor[i]
	if op.RunAfter.DependOn != nil {
		source = f.find(ref)
	}
	if source == none || !f.operations[source].hasPlace() {
		return following{source: none}
	}
	keys := exposedOf(op.RunAfter.Strategy.Keys(), &f.operations[source])
	if len(keys) == 0 {
		return following{source: none}
	}
	return following{source, keys}
}

// exposedOf returns which of the keys an operation exposes.
func exposedOf(keys []string, source *Operation) []string {
	exposed := topology.ExposedKeys(source.Exposes...)
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !slices.Contains(exposed, key) })
}

// followings returns what every operation must follow, an order in which each comes
// after its source, and the cycles there are. A source need not be an ancestor, though
// [Flow.Problems] reports any that is not, and so operations may be each other's: those
// that are follow nothing here.
func (f *Flow) followings() (all []following, order []int32, circular []*CycleError) {
	all = make([]following, len(f.operations))
	sources := make([]int32, len(f.operations))
	for i := range all {
		all[i] = f.following(int32(i))
		sources[i] = all[i].source
	}
	order = predecessorsFirst(sources)
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
	return all, predecessorsFirst(sources), circular
}
