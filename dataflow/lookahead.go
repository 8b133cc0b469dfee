package dataflow

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Lookahead returns the affinity of the operation, narrowed to what its followers require,
// as far as the specs alone tell. It is for callers that cannot list nodes, or whose nodes
// do not exist yet.
//
// A follower by hostname runs on the node of the operation itself, and passes up all its
// requirements, those of its node selector included. A follower by other labels passes up
// its requirements on these labels: that the node has such a value for the label, or does
// not have the label. What is passed up to a follower it passes up in turn.
//
// The result is necessary: if every node has a hostname of its own, the result matches
// every node that is feasible for the operation (law L5). If operations follow by hostname
// alone, it is also sufficient for node selectors and required affinities (law L6), on a
// pod that keeps its node selector: the requirements of the node selector are not
// repeated. The ORed terms of one operation are combined with those of another. Above 64
// terms, or 1024 requirements in them, less is passed up: what all terms of one side have
// in common, or nothing.
//
// If nothing is passed up, the result equals the operation's own affinity. It shares no
// memory with anything else. The error is an [*UnknownOperationError] if the flow has no
// such operation; a [*ContradictionError] if the specs contradict each other; one
// [*OperationError] for each malformed requirement, up to a hundred; a [*CycleError] if
// the operation is its own source through others. The cost is linear in the flow.
func (f *Flow) Lookahead(ref Ref) (*corev1.Affinity, error) {
	i := f.find(ref)
	if i == none {
		return nil, f.unknown(ref)
	}
	return f.lookahead().narrow(i)
}

// LookaheadResult is the result of [Flow.Lookahead] for an operation.
type LookaheadResult struct {
	Operation Ref
	Affinity  *corev1.Affinity
	Err       error
}

// LookaheadAll ranges over the result of [Flow.Lookahead] for every operation, in the
// flow's order. The cost is linear in the flow and in the results.
func (f *Flow) LookaheadAll() iter.Seq[LookaheadResult] {
	return func(yield func(LookaheadResult) bool) {
		if f == nil {
			return
		}
		l := f.lookahead()
		for i := range f.operations {
			affinity, err := l.narrow(int32(i))
			if !yield(LookaheadResult{f.operations[i].Ref, affinity, err}) {
				return
			}
		}
	}
}

// lookahead holds what operations require of their nodes, and what is passed up to them.
type lookahead struct {
	flow        *Flow
	colocations []colocation
	followers   [][]int32
	cycle       map[int32]*CycleError // of the operations in a cycle of sources

	own      []nodeselector.Alternatives // the node selector included
	passed   []nodeselector.Alternatives // by all followers
	required []nodeselector.Alternatives // own AND passed

	faults    map[int32]field.ErrorList // of the malformed operations
	malformed [][]int32                 // the malformed operations of a subtree, up to a hundred

	conflictAt []int32 // the root of the smallest subtree that has no node, or none
	exclusions map[int32]*exclusion
}

// lookahead summarizes the subtrees of all operations.
func (f *Flow) lookahead() *lookahead {
	n := len(f.operations)
	l := &lookahead{
		flow: f, followers: make([][]int32, n),
		own: make([]nodeselector.Alternatives, n), passed: make([]nodeselector.Alternatives, n), required: make([]nodeselector.Alternatives, n),
		cycle: map[int32]*CycleError{}, faults: map[int32]field.ErrorList{}, malformed: make([][]int32, n),
		conflictAt: slices.Repeat([]int32{none}, n), exclusions: map[int32]*exclusion{},
	}
	colocations, order, circular := f.colocations()
	l.colocations = colocations
	for _, cycle := range circular {
		for _, ref := range cycle.Operations {
			l.cycle[f.find(ref)] = cycle
		}
	}
	for _, op := range order {
		if source := l.colocations[op].source; source != none {
			l.followers[source] = append(l.followers[source], op)
		}
	}
	for _, followers := range l.followers { // what is left out above a limit depends on their order
		slices.SortFunc(followers, func(a, b int32) int { return f.operations[a].Ref.compare(f.operations[b].Ref) })
	}
	for _, op := range slices.Backward(order) {
		l.summarize(op)
	}
	return l
}

// summarize summarizes an operation whose followers are summarized.
func (l *lookahead) summarize(i int32) {
	own, faults := alternatives(&l.flow.operations[i])
	l.own[i] = own
	switch {
	case len(faults) > 0:
		l.faults[i], l.malformed[i] = faults, []int32{i}
	case len(own) == 0:
		l.conflictAt[i] = i
	}
	l.passed[i] = nodeselector.True()
	first := none // of the followers with a conflict, in the flow's order
	for _, follower := range l.followers[i] {
		l.malformed[i] = append(l.malformed[i], l.malformed[follower]...)
		l.passed[i] = l.passed[i].And(l.passedUp(follower))
		if l.conflictAt[follower] != none && (first == none || follower < first) {
			first = follower
		}
	}
	if l.conflictAt[i] == none && first != none {
		l.conflictAt[i] = l.conflictAt[first]
	}
	l.malformed[i] = l.malformed[i][:min(len(l.malformed[i]), mostFaults)]
	l.required[i] = l.own[i].And(l.passed[i])
	if l.conflictAt[i] == none && len(l.required[i]) == 0 {
		l.conflictAt[i] = i
	}
}

// passedUp returns what a follower passes up: what its subtree requires of its node, as far
// as that is the node of its source or has the same labels.
func (l *lookahead) passedUp(follower int32) nodeselector.Alternatives {
	if l.colocations[follower].sameNode() {
		return l.required[follower]
	}
	return l.required[follower].Project(l.colocations[follower].keys)
}

// alternatives returns what an operation requires of its node, its node selector included.
func alternatives(op *Operation) (nodeselector.Alternatives, field.ErrorList) {
	selector, terms, faults := constraints(op)
	if faults = append(faults, validateNodeName(op)...); len(faults) > 0 {
		return nil, faults
	}
	return nodeselector.AnyOf(terms, selector.And(nameOf(op))), nil
}

// nameOf returns what the node name of an operation requires.
func nameOf(op *Operation) nodeselector.Term {
	if op.NodeName == "" {
		return nil
	}
	return nodeselector.Name(op.NodeName)
}

// narrow returns the own affinity of an operation AND what is passed up to it.
func (l *lookahead) narrow(i int32) (*corev1.Affinity, error) {
	op := &l.flow.operations[i]
	if cycle := l.cycle[i]; cycle != nil {
		return nil, cycle
	}
	if len(l.malformed[i]) > 0 {
		return nil, join(l.faultsOf(l.malformed[i]))
	}
	if l.conflictAt[i] != none {
		return nil, l.contradiction(i)
	}
	if l.own[i].Implies(l.passed[i]) {
		return op.Affinity.DeepCopy(), nil
	}
	selector, _ := nodeselector.ParseSelector(op.NodeSelector)
	narrowed := l.passed[i].Narrow(op.Affinity, selector.And(nameOf(op)))
	if len(nodeselector.Required(narrowed).NodeSelectorTerms) == 0 {
		return nil, l.contradiction(i)
	}
	return narrowed, nil
}

// mostFaults is how many faults an error of [Flow.Lookahead] holds.
const mostFaults = 100

// faultsOf returns the faults of malformed operations.
func (l *lookahead) faultsOf(malformed []int32) []error {
	var faults []error
	for ; len(malformed) > 0 && len(faults) < mostFaults; malformed = malformed[1:] {
		for _, fault := range l.faults[malformed[0]] {
			faults = append(faults, l.flow.malformed(&l.flow.operations[malformed[0]], fault))
		}
	}
	return faults[:min(len(faults), mostFaults)]
}
