package dataflow

import (
	"errors"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Lookahead returns the affinity of the operation, narrowed to what those that must follow
// it ask for, as far as the specs alone tell. It is for who may not list nodes, or whose
// nodes do not exist yet.
//
// A follower by hostname will run on the very node of the operation, and passes up all that
// it asks for, its node selector included. A follower by other labels passes up what it
// demands of these: that the node has such a value for the label, or has no such label.
// What is passed up to a follower it passes up itself.
//
// The result is necessary: wherever every node has a hostname of its own, it matches every
// node that is feasible for the operation (law L5). Where operations follow by hostname
// alone, it is sufficient as well, as far as node selectors and required affinities go (law
// L6): on a pod that keeps its node selector, for what that asks for is not repeated. Where
// several operations have ORed terms, each term of one is combined with each of the others;
// beyond 64 terms, or 1024 requirements in them, less is passed up: what all terms of one
// side have in common, or nothing.
//
// If nothing is passed up, the result equals the operation's own affinity. It shares no
// memory with anything else. The error is an [*UnknownOperationError] if the flow has no
// such operation; an [*affinity.ConflictError] that names two operations if the specs
// contradict each other (where only three or more do so together, the operation and the last
// of them); one [*OperationError] for each malformed requirement, up to a hundred; a
// [*CycleError] if the operation depends on itself through others. The cost is linear in
// the flow.
func (f *Flow) Lookahead(ref Ref) (*corev1.Affinity, error) {
	i := f.find(ref)
	if i == none {
		return nil, f.unknown(ref)
	}
	return f.lookahead(i).narrow(i)
}

// LookaheadResult is what [Flow.Lookahead] says of an operation.
type LookaheadResult struct {
	Ref
	Affinity *corev1.Affinity
	Err      error
}

// LookaheadAll ranges over what [Flow.Lookahead] says of every operation, in the flow's
// order. The cost is linear in the flow and in what it says.
func (f *Flow) LookaheadAll() iter.Seq[LookaheadResult] {
	return func(yield func(LookaheadResult) bool) {
		l := f.lookahead(none)
		for i := range f.operations {
			affinity, err := l.narrow(int32(i))
			if !yield(LookaheadResult{f.operations[i].Ref, affinity, err}) {
				return
			}
		}
	}
}

// lookahead holds what operations ask of their nodes, and what is passed up to them.
type lookahead struct {
	flow      *Flow
	following []colocation
	followers [][]int32
	circle    map[int32]*CycleError // that an operation is in

	own     []nodeselector.Alternatives // each with the node selector in it
	passed  []nodeselector.Alternatives // by all followers, with what was passed to them
	demands []nodeselector.Alternatives // both
	faults  map[int32]field.ErrorList
	faulty  []int32           // where those of it and its followers begin: who has faults, or several to go on to, or none
	further map[int32][]int32 // where they go on from there

	conflictAt    []int32 // where the demands of those that exclude each other first meet, or none
	exclusions map[int32]*exclusion
}

// lookahead looks at one operation and those that must follow it, or at all if i is none.
func (f *Flow) lookahead(i int32) *lookahead {
	n := len(f.operations)
	l := &lookahead{
		flow: f, followers: make([][]int32, n),
		own: make([]nodeselector.Alternatives, n), passed: make([]nodeselector.Alternatives, n), demands: make([]nodeselector.Alternatives, n),
		circle: map[int32]*CycleError{}, faults: map[int32]field.ErrorList{},
		faulty: slices.Repeat([]int32{none}, n), further: map[int32][]int32{},
		conflictAt: slices.Repeat([]int32{none}, n), exclusions: map[int32]*exclusion{},
	}
	following, order, circular := f.colocations()
	l.following = following
	for _, cycle := range circular {
		for _, ref := range cycle.Operations {
			l.circle[f.find(ref)] = cycle
		}
	}
	concerned := make([]bool, n)
	for _, op := range order {
		source := l.following[op].source
		concerned[op] = i == none || op == i || source != none && concerned[source]
		if source != none {
			l.followers[source] = append(l.followers[source], op)
		}
	}
	for _, op := range slices.Backward(order) {
		if concerned[op] {
			l.summarize(op)
		}
	}
	return l
}

// summarize fills in what is known of an operation, after its followers.
func (l *lookahead) summarize(i int32) {
	own, faults := alternatives(&l.flow.operations[i])
	l.own[i] = own
	switch {
	case len(faults) > 0:
		l.faults[i], l.faulty[i] = faults, i
	case len(own) == 0:
		l.conflictAt[i] = i
	}
	var further []int32
	l.passed[i] = nodeselector.True()
	for _, follower := range l.followers[i] {
		if l.faulty[follower] != none {
			further = append(further, l.faulty[follower])
		}
		l.passed[i] = l.passed[i].And(l.passedUp(follower))
		if l.conflictAt[i] == none {
			l.conflictAt[i] = l.conflictAt[follower]
		}
	}
	switch {
	case len(faults) == 0 && len(further) == 1:
		l.faulty[i] = further[0]
	case len(further) > 0:
		l.faulty[i], l.further[i] = i, further
	}
	l.demands[i] = l.own[i].And(l.passed[i])
	if l.conflictAt[i] == none && len(l.demands[i]) == 0 {
		l.conflictAt[i] = i
	}
}

// passedUp returns what a follower passes up: what is asked of its node, as far as that is
// the node of its source or has the same labels.
func (l *lookahead) passedUp(follower int32) nodeselector.Alternatives {
	if l.following[follower].sameNode() {
		return l.demands[follower]
	}
	return l.demands[follower].Project(l.following[follower].keys)
}

// alternatives returns what an operation asks of its node.
func alternatives(op *Operation) (nodeselector.Alternatives, field.ErrorList) {
	selector, terms, faults := demands(op)
	if len(faults) > 0 {
		return nil, faults
	}
	return nodeselector.AnyOf(terms, selector), nil
}

// narrow returns the own affinity of an operation AND what is passed up to it.
func (l *lookahead) narrow(i int32) (*corev1.Affinity, error) {
	op := &l.flow.operations[i]
	if cycle := l.circle[i]; cycle != nil {
		return nil, cycle
	}
	if l.faulty[i] != none {
		return nil, errors.Join(l.malformed(i)...)
	}
	if l.conflictAt[i] != none {
		return nil, l.conflict(i)
	}
	if l.own[i].Implies(l.passed[i]) {
		return op.Affinity.DeepCopy(), nil
	}
	selector, _ := nodeselector.ParseSelector(op.NodeSelector)
	narrowed := l.passed[i].Narrow(op.Affinity, selector)
	if len(nodeselector.Required(narrowed).NodeSelectorTerms) == 0 {
		return nil, l.conflict(i)
	}
	return narrowed, nil
}

// malformed returns the faults of an operation and of those that must follow it, the
// nearest first, and no more than somebody would mend before looking again.
func (l *lookahead) malformed(i int32) []error {
	const most = 100
	var faults []error
	for at := []int32{l.faulty[i]}; len(at) > 0 && len(faults) < most; at = at[1:] {
		for _, fault := range l.faults[at[0]] {
			faults = append(faults, l.flow.malformed(&l.flow.operations[at[0]], fault))
		}
		at = append(at, l.further[at[0]]...)
	}
	return faults[:min(most, len(faults))]
}
