package dataflow

import (
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Check returns the problems of operations, whether or not [New] accepts them: the faults
// for which New rejects them, and the problems of the flow without the faulty parts. So one
// mistake does not hide another. It is nil if there are none, as for no operations.
//
// It compares an operation with its source only. [Flow.LookaheadAll] finds contradictions
// over several steps.
func Check(operations ...Operation) []Problem {
	f, faults := build(operations)
	if len(faults) == 0 {
		return f.Problems()
	}
	return append(rejections(faults), withoutFaults(operations, faults).Problems()...)
}

// withoutFaults returns the flow of operations without repeated ones and unknown kinds, and
// with each cycle cut. The faults of a strategy stay: an unknown policy reads no list,
// and what is wrong in a list causes no further problem.
func withoutFaults(operations []Operation, faults []error) *Flow {
	operations = slices.Clone(operations)
	drop, cut := make([]bool, len(operations)), []Ref(nil)
	for _, fault := range faults {
		var of *OperationError
		var cycle *CycleError
		switch {
		case errors.As(fault, &cycle):
			cut = append(cut, cycle.Operations[0])
		case errors.As(fault, &of) && !strings.HasPrefix(of.Err.Field, strategyField):
			drop[of.Index] = true
		}
	}
	kept := operations[:0]
	for i, op := range operations {
		if !drop[i] {
			kept = append(kept, op)
		}
	}
	index := make(map[Ref]int32, len(kept))
	for i := range kept {
		index[kept[i].Ref] = int32(i)
	}
	predecessor := predecessors(kept, index)
	for _, ref := range cut {
		if i, ok := index[ref]; ok {
			predecessor[i] = none
		}
	}
	return arrange(kept, predecessor, preOrder(predecessor), index)
}

// rejections returns the problems for the faults for which New rejects operations.
func rejections(faults []error) []Problem {
	var l listing
	report := func(operation Ref, code Code, field string, text func() string) {
		l.of(operation)
		l.add(code, func() Problem { return Problem{code, SeverityError, operation, field, message.Text(text()), nil} })
	}
	for _, fault := range faults {
		var of *OperationError
		var cycle *CycleError
		switch {
		case errors.As(fault, &cycle):
			report(cycle.Operations[0], CodeCycle, runAfterField, func() string { return cycle.Error() + "; remove one runAfter" })
		case errors.As(fault, &of) && of.Err.Type == field.ErrorTypeDuplicate:
			report(of.Operation, CodeDuplicate, of.Err.Field, func() string { return "another operation has the same kind, namespace and name; remove or rename one" })
		case errors.As(fault, &of):
			report(of.Operation, CodeInvalid, of.Err.Field, of.Err.ErrorBody)
		}
	}
	return l.end()
}
