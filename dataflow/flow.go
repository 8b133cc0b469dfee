package dataflow

import (
	"iter"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// Flow is a set of operations and the order in which they run. It is immutable and safe
// for use by many goroutines at once (law F8). A nil Flow has no operations.
//
// Operations that are not connected may be in one flow.
type Flow struct {
	operations  []Operation   // in pre-order: every operation after its predecessor
	predecessor []int32       // for each operation, the index of its predecessor, or none
	given       map[Ref]int32 // the index of each operation among those given to New
	position    []int32       // for each of these indexes, the index in operations
	names       *names        // for typo hints
}

// find returns the index of an operation, or none.
func (f *Flow) find(ref Ref) int32 {
	if f == nil {
		return none
	}
	if i, ok := f.given[ref]; ok {
		return f.position[i]
	}
	return none
}

// none is the index of no operation.
const none int32 = -1

// New checks operations and builds their flow. It copies them. They may be in any order
// (law F2), and no operations make an empty flow.
//
// It accepts operations that have a supported kind, a valid strategy and a reference of
// their own, and are not in a cycle of runAfter (law F1). A reference to an operation
// that is not given is accepted: the operation may run elsewhere, or be created later.
//
// The error holds every fault, each as an [*OperationError] or a [*CycleError];
// [Faults] lists them.
func New(operations ...Operation) (*Flow, error) {
	f, faults := build(operations)
	if len(faults) > 0 {
		return nil, join(faults)
	}
	for i := range f.operations {
		f.operations[i] = f.operations[i].DeepCopy()
	}
	return f, nil
}

// build returns a flow that shares memory with operations, or their faults.
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

// predecessors returns the index of the predecessor of each operation, or none.
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

// arrange returns the flow of operations in the given order. It keeps given.
func arrange(operations []Operation, predecessor, order []int32, given map[Ref]int32) *Flow {
	f := &Flow{
		operations:  make([]Operation, len(order)),
		predecessor: make([]int32, len(order)),
		given:       given,
		position:    make([]int32, len(order)),
		names:       new(names),
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

// check returns the index of each operation, and the faults of single operations and of
// equal references.
func check(operations []Operation) (index map[Ref]int32, faults []error) {
	index = make(map[Ref]int32, len(operations))
	path := field.NewPath("spec", "runAfter", "affinityStrategy")
	for i := range operations {
		op := &operations[i]
		reject := func(fault *field.Error) { faults = append(faults, &OperationError{op.Ref, i, fault}) }
		if !slices.Contains(Kinds(), op.Ref.Kind) {
			reject(fielderror.Unsupported(field.NewPath("kind"), op.Ref.Kind, Kinds()...))
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

// Operations ranges over the operations in pre-order: each after its predecessor, and
// otherwise in the order in which they were given (law F2). Each is a copy that the
// caller may change.
func (f *Flow) Operations() iter.Seq[Operation] {
	return func(yield func(Operation) bool) {
		if f == nil {
			return
		}
		for i := range f.operations {
			if !yield(f.operations[i].DeepCopy()) {
				return
			}
		}
	}
}

// Operation returns a copy of the operation with the given reference. ok is false if the
// flow has none.
func (f *Flow) Operation(ref Ref) (op Operation, ok bool) {
	i := f.find(ref)
	if i == none {
		return Operation{}, false
	}
	return f.operations[i].DeepCopy(), true
}

// unknown returns the error for an operation that is not in the flow.
func (f *Flow) unknown(ref Ref) error {
	err := &UnknownOperationError{Operation: ref}
	if nearest, ok := f.nearest(ref, ref); ok {
		err.Nearest = &nearest
	}
	return err
}
