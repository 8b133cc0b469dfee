package dataflow

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Faults returns the faults that an error of this module holds, in order: the parts of
// an error with several, such as those of [New], [Flow.Forecast] and affinity.Inherit,
// or else the error itself. It is nil for nil.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}

// join returns an error that holds all of the given ones, or nil if there are none.
func join(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return message.Errors(errs)
}

// OperationError is one fault of one of the operations given to [New].
type OperationError struct {
	Operation Ref          // the operation
	Index     int          // its index among the operations given, from 0
	Err       *field.Error // what is wrong, with the path of the field in Fluid's API
}

// Error names the operation, the field and what is wrong with it.
func (e *OperationError) Error() string {
	if e == nil {
		e = &OperationError{}
	}
	if e.Err == nil {
		return e.Operation.String()
	}
	return message.Text(e.Operation.String() + ": " + e.Err.Error())
}

// Unwrap returns Err, or nil.
func (e *OperationError) Unwrap() error {
	if e == nil || e.Err == nil {
		return nil
	}
	return e.Err
}

// CycleError says that operations wait for each other in a cycle, so that none of them
// can start.
type CycleError struct {
	// Operations holds the cycle, each operation once: each runs after the next one,
	// and the last after the first. In an error of Forecast and Lookahead, each
	// inherits from the next one instead, by a dependOn that names no ancestor; New
	// accepts that.
	Operations []Ref

	// Sources is set if the cycle is one of sources (dependOn), not of runAfter.
	Sources bool
}

// Error prints the cycle, its first operation again at its end. Of a long one it prints the
// beginning, within 4 KiB (law G1); Operations has all.
func (e *CycleError) Error() string {
	if e == nil {
		e = &CycleError{}
	}
	text := "cycle of runAfter: "
	if e.Sources {
		text = "cycle of dependOn: "
	}
	if len(e.Operations) == 0 {
		return text
	}
	const longest = 3 << 10
	const arrow = " → "
	return text + message.List(len(e.Operations), func(i int) string { return e.Operations[i].String() }, arrow, longest) + arrow + e.Operations[0].String()
}

// UnknownOperationError says that a flow has no operation with the given reference.
type UnknownOperationError struct {
	Operation Ref  // the reference
	Nearest   *Ref // the operation with the most similar reference; nil if none is similar
}

// Error names the operation, and the most similar one.
func (e *UnknownOperationError) Error() string {
	if e == nil {
		e = &UnknownOperationError{}
	}
	if e.Nearest == nil {
		return "no " + e.Operation.String() + " in the flow"
	}
	return "no " + e.Operation.String() + " in the flow; typo of " + e.Nearest.String() + "?"
}

// StrandedError says that no node is feasible for any operation of a flow, because no
// placement of the whole flow exists.
type StrandedError struct {
	Operation  Ref   // the operation whose affinity was asked for
	Impossible []Ref // the operations at which the flow fails; see [Forecast.Impossible]
}

// Error names the operation, and those at which the flow fails.
func (e *StrandedError) Error() string {
	if e == nil {
		e = &StrandedError{}
	}
	text := "no node is feasible for " + e.Operation.String()
	if len(e.Impossible) == 0 {
		return text
	}
	at := make([]string, len(e.Impossible))
	for i, ref := range e.Impossible {
		at[i] = ref.String()
	}
	return message.Text(text + ": the flow fails at " + listNames(at, len(at)))
}

// ContradictionError says that the specs of operations contradict each other: no node can
// meet the constraints of all operations that must run on one node, or on nodes with the
// same labels (law L6).
type ContradictionError struct {
	// Source and Follower are the two operations whose constraints exclude each other.
	// Follower must run where Source does, or both must run where a third one does.
	// They are the same operation if its constraints are impossible by themselves.
	Source, Follower Ref

	// SourceRequires and FollowerRequires are the requirements that exclude each other,
	// such as "zone In [a]". SourceRequires is empty if both are the same operation.
	SourceRequires, FollowerRequires string

	// Jointly is set if no two operations exclude each other: SourceRequires is then
	// the joint requirement of Source and of other operations that must run where
	// Source does.
	Jointly bool
}

// Error names both operations and the requirements that exclude each other, such as
//
//	DataProcess default/convert cannot run where DataLoad default/download runs: it requires zone In [a], and DataLoad default/download requires zone In [b]
func (e *ContradictionError) Error() string {
	if e == nil {
		e = &ContradictionError{}
	}
	switch {
	case e.Source == e.Follower:
		return message.Text(fmt.Sprintf("%s cannot run anywhere: no node can meet %s", e.Follower, e.FollowerRequires))
	case e.Jointly:
		return message.Text(fmt.Sprintf("%s cannot run where %s runs: it requires %s, and the operations that must run there jointly require %s",
			e.Follower, e.Source, e.FollowerRequires, e.SourceRequires))
	default:
		return message.Text(fmt.Sprintf("%s cannot run where %s runs: it requires %s, and %s requires %s",
			e.Follower, e.Source, e.FollowerRequires, e.Source, e.SourceRequires))
	}
}
