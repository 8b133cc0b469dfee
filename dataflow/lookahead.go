package dataflow

import (
	"errors"
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
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
// L6). What ORed terms of several operations ask for together multiplies; beyond 64 terms,
// or 1024 requirements in them, less is passed up: what all terms of one side have in
// common, or nothing.
//
// If nothing is passed up, the result equals the operation's own affinity. It shares no
// memory with anything else. The error is an [*UnknownOperationError] if the flow has no
// such operation; an [*affinity.ConflictError] that names two operations if the specs
// contradict each other; one [*OperationError] for each malformed requirement; a
// [*CycleError] if the operation depends on itself through others. The cost is linear in
// the flow.
func (f *Flow) Lookahead(ref Ref) (*corev1.Affinity, error) {
	i := f.find(ref)
	if i == none {
		return nil, f.unknown(ref)
	}
	return f.lookahead(i).narrow(i)
}

// Foresight is what [Flow.Lookahead] says of an operation.
type Foresight struct {
	Ref
	Affinity *corev1.Affinity
	Err      error
}

// LookaheadAll ranges over what [Flow.Lookahead] says of every operation, in the flow's
// order. It costs a constant for each of them, but for conflicts.
func (f *Flow) LookaheadAll() iter.Seq[Foresight] {
	return func(yield func(Foresight) bool) {
		l := f.lookahead(none)
		for i := range f.operations {
			narrowed, err := l.narrow(int32(i))
			if !yield(Foresight{f.operations[i].Ref, narrowed, err}) {
				return
			}
		}
	}
}

// lookahead holds what operations ask of their nodes, and what is passed up to them.
type lookahead struct {
	flow      *Flow
	following []following
	followers [][]int32
	circular  []*CycleError

	own    []nodeselector.Alternatives // each with the node selector in it
	passed []nodeselector.Alternatives // by all followers, with what was passed to them
	faults []field.ErrorList
	faulty []bool // an operation or a follower has faults
}

// lookahead looks at one operation and those that must follow it, or at all if i is none.
func (f *Flow) lookahead(i int32) *lookahead {
	n := len(f.operations)
	l := &lookahead{
		flow: f, followers: make([][]int32, n),
		own: make([]nodeselector.Alternatives, n), passed: make([]nodeselector.Alternatives, n),
		faults: make([]field.ErrorList, n), faulty: make([]bool, n),
	}
	var order []int32
	l.following, order, l.circular = f.followings()
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
			l.look(op)
		}
	}
	return l
}

// look fills in what is known of an operation, after its followers.
func (l *lookahead) look(i int32) {
	l.own[i], l.faults[i] = ways(&l.flow.operations[i])
	l.faulty[i] = len(l.faults[i]) > 0
	l.passed[i] = nodeselector.Anything()
	for _, follower := range l.followers[i] {
		l.faulty[i] = l.faulty[i] || l.faulty[follower]
		l.passed[i] = l.passed[i].Both(l.passing(follower))
	}
}

// passing returns what a follower passes up.
func (l *lookahead) passing(follower int32) nodeselector.Alternatives {
	return leading(l.own[follower].Both(l.passed[follower]), l.following[follower])
}

// leading returns what demands on a follower's node ask of its source's node: the same,
// if it is the same node.
func leading(demands nodeselector.Alternatives, of following) nodeselector.Alternatives {
	if of.sameNode() {
		return demands
	}
	return demands.Leading(of.keys)
}

// ways returns what an operation asks of its node.
func ways(op *Operation) (nodeselector.Alternatives, field.ErrorList) {
	selector, terms, faults := demands(op)
	if len(faults) > 0 {
		return nil, faults
	}
	own := nodeselector.Alternatives{}
	for _, t := range terms {
		if both := t.And(selector); both.Satisfiable() {
			own = append(own, both)
		}
	}
	return own, nil
}

// narrow returns the own affinity of an operation AND what is passed up to it.
func (l *lookahead) narrow(i int32) (*corev1.Affinity, error) {
	op := &l.flow.operations[i]
	for _, cycle := range l.circular {
		if slices.Contains(cycle.Operations, op.Ref) {
			return nil, cycle
		}
	}
	if l.faulty[i] {
		return nil, errors.Join(l.malformed(i)...)
	}
	selector, _ := nodeselector.ParseSelector(op.NodeSelector)
	passed := l.passed[i].Without(selector)
	switch {
	case len(l.own[i]) == 0:
		return nil, l.conflict(i)
	case passed.IsAnything():
		return op.Affinity.DeepCopy(), nil
	}
	narrowed := nodeselector.Narrow(op.Affinity, passed.Terms(), func(term, more *corev1.NodeSelectorTerm) bool {
		own, _ := nodeselector.ParseTerm(*term, nil)
		alternative, _ := nodeselector.ParseTerm(*more, nil)
		return own.And(alternative).And(selector).Satisfiable()
	})
	if len(nodeselector.Required(narrowed).NodeSelectorTerms) == 0 {
		return nil, l.conflict(i)
	}
	return narrowed, nil
}

func (l *lookahead) malformed(i int32) []error {
	var faults []error
	for _, op := range l.line(i) {
		for _, fault := range l.faults[op] {
			faults = append(faults, l.flow.malformed(&l.flow.operations[op], fault))
		}
	}
	return faults
}

// line returns an operation and all that must follow it, the nearest first and otherwise
// in the flow's order.
func (l *lookahead) line(i int32) []int32 {
	line := []int32{i}
	for from := 0; from < len(line); {
		level := len(line)
		for ; from < level; from++ {
			line = append(line, l.followers[line[from]]...)
		}
		slices.Sort(line[level:])
	}
	return line
}

// conflict names two operations whose demands exclude each other, of i and those that
// must follow it.
func (l *lookahead) conflict(i int32) *affinity.ConflictError {
	for fails := true; fails; { // to where the demands meet
		deeper := slices.IndexFunc(l.followers[i], func(t int32) bool { return len(l.passing(t)) == 0 })
		if fails = deeper >= 0; fails {
			i = l.followers[i][deeper]
		}
	}
	if len(l.own[i]) == 0 {
		return l.foreseen(i, i, "", impossible(&l.flow.operations[i]))
	}
	const most = 1000 // a pair is looked for among the nearest
	line := l.line(i)
	line = line[:min(most, len(line))]
	asks := make([]nodeselector.Alternatives, len(line)) // of the node of i
	for b := range line {
		asks[b] = l.asks(line[b], i)
		for a := range b {
			if there, here, ok := asks[a].Exclude(asks[b]); ok {
				return l.foreseen(line[a], line[b], there.String(), here.String())
			}
		}
	}
	// It takes more than two. The one that is one too many cannot follow the first.
	together := asks[0]
	for b := 1; b < len(line)-1; b++ {
		if there, here, ok := together.Exclude(asks[b]); ok {
			return l.foreseen(i, line[b], there.String(), here.String())
		}
		together = together.Both(asks[b])
	}
	last := len(line) - 1
	there, here, _ := together.Exclude(asks[last])
	return l.foreseen(i, line[last], there.String(), here.String())
}

// asks returns what an operation by itself asks of the node of another, which it must
// follow.
func (l *lookahead) asks(op, of int32) nodeselector.Alternatives {
	asks := l.own[op]
	for ; op != of; op = l.following[op].source {
		asks = leading(asks, l.following[op])
	}
	return asks
}

func (l *lookahead) foreseen(following, follower int32, there, here string) *affinity.ConflictError {
	ops := l.flow.operations
	return &affinity.ConflictError{
		Following: ops[following].Ref.String(),
		Foreseen:  &affinity.Foreseen{Follower: ops[follower].Ref.String(), There: there, Here: here},
	}
}
