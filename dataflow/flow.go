package dataflow

import (
	"errors"
	"iter"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// Flow is a set of operations and the order in which they run. It never changes
// and is safe for use by many goroutines at once (law F8).
//
// Operations that have nothing to do with each other may be in one flow.
type Flow struct {
	operations  []Operation   // every operation after its predecessor
	predecessor []int32       // of each operation, the index of its predecessor, or none
	given       map[Ref]int32 // where each operation stood among those given to New
	position    []int32       // and where that one is now
	names       names         // for guesses at what was meant
}

// find returns the index of an operation, or none.
func (f *Flow) find(ref Ref) int32 {
	if i, ok := f.given[ref]; ok {
		return f.position[i]
	}
	return none
}

// none is the index of no operation.
const none int32 = -1

// New checks operations and builds their flow. They are copied, and may come in
// any order (law F2).
//
// It accepts operations that have a supported kind and a valid strategy, no two
// the same reference, and none in a cycle of runAfter (law F1). A reference to an
// operation that is not among them is accepted: it may run elsewhere, or be made
// later.
//
// The error holds every fault there is, each as an [*OperationError] or a
// [*CycleError]; Unwrap() []error lists them.
func New(operations ...Operation) (*Flow, error) {
	f, faults := build(operations)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for i := range f.operations {
		f.operations[i] = f.operations[i].clone()
	}
	return f, nil
}

// build builds a flow that shares the memory of operations, unless they have faults.
func build(operations []Operation) (*Flow, []error) {
	index, faults := check(operations)
	predecessor := predecessors(operations, index)
	order := preOrder(predecessor)
	if len(order) < len(operations) {
		for _, cycle := range cycles(predecessor, order) {
			refs := make([]Ref, len(cycle))
			for i, op := range cycle {
				refs[i] = operations[op].Ref
			}
			faults = append(faults, &CycleError{Operations: refs})
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return arrange(operations, predecessor, order, index), nil
}

// predecessors returns where the predecessor of each operation stands, or none.
func predecessors(operations []Operation, index map[Ref]int32) []int32 {
	predecessor := make([]int32, len(operations))
	for i := range operations {
		predecessor[i] = none
		if ref, ok := operations[i].Predecessor(); ok {
			if p, ok := index[ref]; ok {
				predecessor[i] = p
			}
		}
	}
	return predecessor
}

// arrange builds the flow of operations in the given order. It takes over given.
func arrange(operations []Operation, predecessor, order []int32, given map[Ref]int32) *Flow {
	f := &Flow{
		operations:  make([]Operation, len(order)),
		predecessor: make([]int32, len(order)),
		given:       given,
		position:    make([]int32, len(order)),
	}
	for to, from := range order {
		f.position[from] = int32(to)
		f.operations[to] = operations[from]
		f.predecessor[to] = none
		if p := predecessor[from]; p != none {
			f.predecessor[to] = f.position[p]
		}
	}
	return f
}

// check returns where each operation stands, and the faults that an operation can
// have by itself or by having another's reference.
func check(operations []Operation) (index map[Ref]int32, faults []error) {
	index = make(map[Ref]int32, len(operations))
	path := field.NewPath("spec", "runAfter", "affinityStrategy")
	for i := range operations {
		op := &operations[i]
		reject := func(fault *field.Error) { faults = append(faults, &OperationError{op.Ref, i, fault}) }
		if !slices.Contains(Kinds(), op.Kind) {
			reject(fielderror.Unsupported(field.NewPath("kind"), op.Kind, Kinds()...))
		}
		if _, ok := index[op.Ref]; ok {
			reject(field.Duplicate(field.NewPath("metadata", "name"), op.Ref.String()))
		} else {
			index[op.Ref] = int32(i)
		}
		if op.RunAfter != nil {
			for _, fault := range op.RunAfter.Strategy.Validate(path) {
				reject(fault)
			}
		}
	}
	return index, faults
}

// Operations ranges over the operations, each after its predecessor, chain by
// chain; those that have no order among them stay as they were given (law F2).
// Each is a copy that the caller may change.
func (f *Flow) Operations() iter.Seq[Operation] {
	return func(yield func(Operation) bool) {
		for i := range f.operations {
			if !yield(f.operations[i].clone()) {
				return
			}
		}
	}
}

// Source returns the operation that ref inherits from, and whether there is one
// (law F3, [Operation.Source]). It need not be in the flow. Of an operation that
// is not in the flow nothing is known: there is none.
func (f *Flow) Source(ref Ref) (Ref, bool) {
	i := f.find(ref)
	if i == none {
		return Ref{}, false
	}
	return f.operations[i].Source()
}

// unknown returns the error for an operation that is not in the flow.
func (f *Flow) unknown(ref Ref) error {
	err := &UnknownOperationError{Operation: ref}
	if meant, ok := f.nearest(ref, ref); ok {
		err.Nearest = &meant
	}
	return err
}
