package dataflow

import (
	"errors"
	"iter"
	"sync"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Phase is Fluid's status.phase. The zero value is the phase of an operation that has
// not started. Every value except Executing, Complete and Failed, known or not, means the
// same.
type Phase string

// The phases of an operation.
const (
	Pending   Phase = "Pending"
	Executing Phase = "Executing"
	Complete  Phase = "Complete"
	Failed    Phase = "Failed"
)

// started reports whether an operation of phase p has started: nothing is decided for it
// any more.
func (p Phase) started() bool { return p == Executing || p == Complete || p == Failed }

// Observation is what is known of an operation that has started. The zero value is that
// of an operation that has not started.
type Observation struct {
	// Phase is status.phase.
	Phase Phase `json:"phase,omitempty"`

	// Labels are the labels of its node that the operation recorded when it completed
	// (status.nodeAffinity). If they are empty, other operations inherit nothing from
	// it.
	Labels topology.LabelSet `json:"labels"`

	// Node is the name of the node where the operation ran or is running. Empty means
	// that the node is not known.
	Node string `json:"node,omitempty"`
}

// State says what can be decided for an operation now.
type State string

// The states of an operation (law F4).
const (
	Waiting  State = "Waiting"  // its predecessor or its source has to complete first
	Ready    State = "Ready"    // it can start
	Running  State = "Running"  // it is running: nothing is left to decide
	Finished State = "Finished" // it completed or failed: nothing is left to decide
	Blocked  State = "Blocked"  // an operation that it waits for failed: it can never start
)

// Decision is the state of an operation and, if it is Ready, the affinity of its pods.
type Decision struct {
	State State `json:"state"`

	// Cause is the operation that is waited for, if the state is Waiting: the
	// predecessor, or if that is complete the source. If the state is Blocked, it is
	// the failed operation that is nearest. Else it is zero.
	Cause Ref `json:"cause"`

	// Result is what the operation inherits, if the state is Ready. Else it is zero.
	affinity.Result
}

// Resolve returns the state of an operation, given what is known of it and of others, and
// if it is Ready the affinity of its pods (laws F4, F5).
//
// An operation that is Executing is Running, and one that is Complete or Failed is
// Finished. Any other is Ready if its predecessor and its source are Complete: what ran
// before a complete operation is not looked at. It is Blocked if its predecessor or its
// source Failed or is itself Blocked. Otherwise it is Waiting. An observation counts
// whether or not its operation is in the flow. No observation means not started.
//
// If the operation is Ready, the affinity is that of [affinity.Inherit] for the
// operation's own affinity, its strategy, and the labels that its source recorded. A
// distributed and a recurring source expose nothing. If the strategy names a label that
// was not recorded, the operation is Ready without it, and Result.Missing holds its key.
//
// The error is an [*UnknownOperationError] if the flow has no such operation, and an
// [*affinity.ConflictError] if the operation is Ready, but no node can meet both its own
// constraints, its node selector included, and what it must inherit. The Decision is zero then,
// with no State.
//
// The cost is linear in the flow if the operation waits for another one. ResolveAll shares it
// among all operations. A nil flow has no operations.
func (f *Flow) Resolve(ref Ref, seen map[Ref]Observation) (Decision, error) {
	i := f.find(ref)
	if i == none {
		return Decision{}, f.unknown(ref)
	}
	return f.decide(i, seen, func() map[int32]blocked { return f.failures(seen) })
}

// Resolution is the result of [Flow.Resolve] for an operation.
type Resolution struct {
	Operation Ref
	Decision
	Err error
}

// ResolveAll ranges over the result of [Flow.Resolve] for every operation, in the flow's
// order. The cost is linear in the flow.
func (f *Flow) ResolveAll(seen map[Ref]Observation) iter.Seq[Resolution] {
	return func(yield func(Resolution) bool) {
		if f == nil {
			return
		}
		failures := sync.OnceValue(func() map[int32]blocked { return f.failures(seen) })
		for i := range f.operations {
			decision, err := f.decide(int32(i), seen, failures)
			if !yield(Resolution{f.operations[i].Ref, decision, err}) {
				return
			}
		}
	}
}

// decide is law F4, and F5 for an operation that is Ready.
func (f *Flow) decide(i int32, seen map[Ref]Observation, failures func() map[int32]blocked) (Decision, error) {
	op := &f.operations[i]
	switch seen[op.Ref].Phase {
	case Executing:
		return Decision{State: Running}, nil
	case Complete, Failed:
		return Decision{State: Finished}, nil
	}
	for _, ref := range op.prerequisites() {
		if seen[ref].Phase == Complete {
			continue
		}
		if failed, ok := failures()[i]; ok {
			return Decision{State: Blocked, Cause: failed.by}, nil
		}
		return Decision{State: Waiting, Cause: ref}, nil
	}
	result, err := f.inherit(op, seen)
	if err != nil {
		return Decision{}, err
	}
	return Decision{State: Ready, Result: result}, nil
}

// prerequisites returns the operations that must be complete before o starts: its
// predecessor, and its source if that is another one.
func (o *Operation) prerequisites() []Ref {
	predecessor, ok := o.Predecessor()
	if !ok {
		return nil // and no source
	}
	refs := []Ref{predecessor}
	if source, ok := o.Source(); ok && source != predecessor {
		refs = append(refs, source)
	}
	return refs
}

// blocked is the failed operation that blocks another, and the distance to it.
type blocked struct {
	by       Ref
	distance int32
}

// failures returns the nearest failed operation of each that is Blocked. The search is breadth-first
// from the failed operations.
func (f *Flow) failures(seen map[Ref]Observation) map[int32]blocked {
	all := map[int32]blocked{}
	var queue []int32
	for i := range f.operations {
		if seen[f.operations[i].Ref].Phase.started() {
			continue
		}
		for _, ref := range f.operations[i].prerequisites() {
			if seen[ref].Phase == Failed {
				all[int32(i)] = blocked{ref, 1}
				queue = append(queue, int32(i))
				break
			}
		}
	}
	if len(queue) == 0 {
		return nil
	}
	waiting := f.waiting(seen)
	for ; len(queue) > 0; queue = queue[1:] {
		at := all[queue[0]]
		for _, i := range waiting[queue[0]] {
			known, ok := all[i]
			if !ok {
				queue = append(queue, i)
			}
			// Of two at the same distance, the way through the predecessor counts.
			if !ok || known.distance > at.distance && f.predecessor[i] == queue[0] {
				all[i] = blocked{at.by, at.distance + 1}
			}
		}
	}
	return all
}

// waiting returns, for each operation that has not started, those that wait for it.
func (f *Flow) waiting(seen map[Ref]Observation) [][]int32 {
	waiting := make([][]int32, len(f.operations))
	for i := range f.operations {
		if seen[f.operations[i].Ref].Phase.started() {
			continue
		}
		for _, ref := range f.operations[i].prerequisites() {
			if p := f.find(ref); p != none && !seen[ref].Phase.started() {
				waiting[p] = append(waiting[p], int32(i))
			}
		}
	}
	return waiting
}

// inherit is [affinity.Inherit] for an operation, with its node selector taken into
// account. The error is a conflict: New has checked the strategy.
func (f *Flow) inherit(op *Operation, seen map[Ref]Observation) (affinity.Result, error) {
	source, ok := op.Source()
	if !ok {
		return affinity.Result{Affinity: op.Affinity.DeepCopy()}, nil
	}
	strategy, recorded := op.RunAfter.Strategy, f.recorded(source, seen)
	var err error
	if len(op.NodeSelector) > 0 && strategy.Policy == affinity.Require {
		err = affinity.FindConflict(op.NodeSelector, op.Affinity, recorded.Only(strategy.Keys()...))
	}
	var result affinity.Result
	if err == nil {
		result, err = affinity.Inherit(op.Affinity, strategy, recorded)
	}
	var conflict *affinity.ConflictError
	if errors.As(err, &conflict) {
		conflict.Source, conflict.SpecPath = source.String(), op.podSpec()
	}
	return result, err
}

// recorded returns the labels that others inherit from an operation: those that were
// observed, or none if it is distributed or recurring.
func (f *Flow) recorded(ref Ref, seen map[Ref]Observation) topology.LabelSet {
	if i := f.find(ref); i != none && !f.operations[i].exposesPlace() {
		return topology.LabelSet{}
	}
	return seen[ref].Labels
}
