package dataflow

import (
	"errors"
	"iter"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Phase is how far an operation has come, in the words of Fluid's status.phase.
// The zero value is that of an operation that has not been started. Any phase but
// Complete and Failed, also one that is not named here, says that it has yet to complete.
type Phase string

// The phases of an operation that has been started.
const (
	Pending   Phase = "Pending"
	Executing Phase = "Executing"
	Complete  Phase = "Complete"
	Failed    Phase = "Failed"
)

// Observation is what is known of an operation. The zero value stands for one of
// which nothing is known, which is one that has not been started.
type Observation struct {
	Phase  Phase             // status.phase
	Labels topology.LabelSet // what it exposed of the node where it ran, status.nodeAffinity; without them nothing can be followed
}

// State says whether an operation may start.
type State string

// The states of an operation.
const (
	Ready   State = "Ready"   // may start; what it was to follow and could not is in Result.Missing
	Waiting State = "Waiting" // another must complete first
	Blocked State = "Blocked" // another failed: it can never start
)

// Decision says whether an operation may start, and if so, with which affinity.
type Decision struct {
	State State

	// Cause is what is waited for, or what failed: the nearest such ancestor, or
	// the source. Zero when Ready.
	Cause Ref

	// Result is what the operation inherits, when Ready; else it is zero.
	affinity.Result
}

// Resolve says whether the operation may start, given what is known of it and the
// others, and with which affinity (laws F4, F5).
//
// It is Blocked if one of its ancestors (the operations it runs after, directly
// or through others) failed. It is Ready if all its ancestors and its source are
// complete. Otherwise it is Waiting. An observation counts whether or not its
// operation is in the flow; no observation means not started. What is known of
// the operation itself changes nothing.
//
// When Ready, the affinity is what [affinity.Inherit] makes of the operation's own
// affinity, its strategy, and the labels observed at its source. A distributed
// source, and a recurring one, expose nothing. If the strategy asks for a label
// that is not exposed, the operation is Ready without it, and Result.Missing says
// so.
//
// The error is an [*UnknownOperationError] if the flow has no such operation, and an
// [*affinity.ConflictError] if the operation is ready, but no node can satisfy both
// what it asks for itself, its node selector included, and what it must inherit. The
// cost is that of looking at every ancestor; ResolveAll shares it among all
// operations.
func (f *Flow) Resolve(ref Ref, seen map[Ref]Observation) (Decision, error) {
	i := f.find(ref)
	if i == none {
		return Decision{}, f.unknown(ref)
	}
	a := f.parentage(i, seen)
	for next := f.predecessor[i]; next != none; next = f.predecessor[next] {
		a = a.or(f.parentage(next, seen))
	}
	return f.decide(i, a, seen)
}

// Resolution is what [Flow.Resolve] says of an operation.
type Resolution struct {
	Ref
	Decision
	Err error
}

// ResolveAll ranges over what [Flow.Resolve] says of every operation, in the
// flow's order. It costs a constant for each of them.
func (f *Flow) ResolveAll(seen map[Ref]Observation) iter.Seq[Resolution] {
	return func(yield func(Resolution) bool) {
		ancestries := make([]ancestry, len(f.operations))
		for i := range f.operations {
			ancestries[i] = f.parentage(int32(i), seen)
			if p := f.predecessor[i]; p != none {
				ancestries[i] = ancestries[i].or(ancestries[p])
			}
			decision, err := f.decide(int32(i), ancestries[i], seen)
			if !yield(Resolution{f.operations[i].Ref, decision, err}) {
				return
			}
		}
	}
}

// ancestry is what matters of an operation's ancestors. Each is given by the
// operation that runs right after it, since the ancestor may not be in the flow.
type ancestry struct {
	afterFailed     int32 // runs after the nearest ancestor that failed, or none
	afterIncomplete int32 // runs after the nearest ancestor that is not complete, or none
}

// parentage returns the ancestry of an operation as far as its predecessor.
func (f *Flow) parentage(i int32, seen map[Ref]Observation) ancestry {
	a := ancestry{none, none}
	if predecessor, ok := f.operations[i].Predecessor(); ok {
		phase := seen[predecessor].Phase
		if phase == Failed {
			a.afterFailed = i
		}
		if phase != Complete {
			a.afterIncomplete = i
		}
	}
	return a
}

// or returns a, with what a lacks taken from further up.
func (a ancestry) or(further ancestry) ancestry {
	if a.afterFailed == none {
		a.afterFailed = further.afterFailed
	}
	if a.afterIncomplete == none {
		a.afterIncomplete = further.afterIncomplete
	}
	return a
}

// decide is law F4, and F5 for an operation that is ready.
func (f *Flow) decide(i int32, a ancestry, seen map[Ref]Observation) (Decision, error) {
	if a.afterFailed != none {
		failed, _ := f.operations[a.afterFailed].Predecessor()
		return Decision{State: Blocked, Cause: failed}, nil
	}
	if a.afterIncomplete != none {
		incomplete, _ := f.operations[a.afterIncomplete].Predecessor()
		return Decision{State: Waiting, Cause: incomplete}, nil
	}
	op := &f.operations[i]
	source, ok := op.Source()
	if !ok {
		return Decision{State: Ready, Result: affinity.Result{Affinity: op.Affinity.DeepCopy()}}, nil
	}
	if seen[source].Phase != Complete {
		return Decision{State: Waiting, Cause: source}, nil
	}
	result, err := inherit(op, source, f.exposed(source, seen))
	if err != nil {
		return Decision{}, err
	}
	return Decision{State: Ready, Result: result}, nil
}

// inherit is affinity.Inherit, which knows nothing of the node selector nor of the
// names of things. Its only error here is a conflict: New has checked the strategy.
func inherit(op *Operation, source Ref, exposed topology.LabelSet) (affinity.Result, error) {
	strategy := op.RunAfter.Strategy
	var err error
	if len(op.NodeSelector) > 0 && strategy.Policy == affinity.Require { // above all by what it selects
		err = affinity.FindConflict(op.NodeSelector, op.Affinity, exposed.Only(strategy.Keys()...))
	}
	var result affinity.Result
	if err == nil {
		result, err = affinity.Inherit(op.Affinity, strategy, exposed)
	}
	var conflict *affinity.ConflictError
	if errors.As(err, &conflict) {
		conflict.Source, conflict.SpecPath = source.String(), op.Kind.podSpec()
		return affinity.Result{}, conflict
	}
	return result, nil
}

// exposed returns the labels that others can follow to where the operation ran.
func (f *Flow) exposed(ref Ref, seen map[Ref]Observation) topology.LabelSet {
	if i := f.find(ref); i != none && !f.operations[i].hasPlace() {
		return topology.LabelSet{}
	}
	return seen[ref].Labels
}
