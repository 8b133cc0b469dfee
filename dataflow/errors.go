package dataflow

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// OperationError is one fault of one of the operations given to [New]. Its cause
// is a *field.Error, with the path that the field has in a manifest.
type OperationError struct {
	Operation Ref          // the operation
	Index     int          // its position among the operations given, from 0
	Err     *field.Error // what is wrong
}

// Error says which operation has which fault.
func (e *OperationError) Error() string { return e.Operation.String() + ": " + e.Err.Error() }

// Unwrap returns Fault.
func (e *OperationError) Unwrap() error { return e.Err }

// CycleError says that operations wait for each other in a circle, so that none of
// them could ever start.
type CycleError struct {
	// Operations holds the circle, each operation once: every one runs after the
	// next, and the last after the first. In an error of Forecast and Lookahead, every
	// one inherits from the next instead, by a dependOn that names no ancestor; New
	// accepts that.
	Operations []Ref

	ofSources bool
}

// Error prints the whole circle, its first operation again at its end.
func (e *CycleError) Error() string {
	var b strings.Builder
	if e.ofSources {
		b.WriteString("cycle of dependOn: ")
	} else {
		b.WriteString("cycle of runAfter: ")
	}
	for _, ref := range e.Operations {
		b.WriteString(ref.String() + " → ")
	}
	if len(e.Operations) > 0 {
		b.WriteString(e.Operations[0].String())
	}
	return b.String()
}

// UnknownOperationError says that a flow has no such operation.
type UnknownOperationError struct {
	Operation Ref  // what was asked for
	Nearest   *Ref // the one that was probably meant; nil if none is like it
}

// Error names the operation, and the one that was probably meant.
func (e *UnknownOperationError) Error() string {
	if e.Nearest == nil {
		return "no " + e.Operation.String() + " in the flow"
	}
	return "no " + e.Operation.String() + " in the flow; typo of " + e.Nearest.String() + "?"
}

// StrandedError says that no node is feasible for an operation.
type StrandedError struct {
	Operation  Ref
	Impossible []Ref // where the flow fails; nil if it is completable, and the operation ran on a node that is gone, not known, or not what its own affinity matches
}

// Error says for which operation there is no node, and where its flow fails.
func (e *StrandedError) Error() string {
	text := "no node is feasible for " + e.Operation.String()
	if len(e.Impossible) == 0 {
		return text + ": where it ran is gone, not known, or not what its own affinity matches"
	}
	var at []string
	for _, ref := range e.Impossible {
		at = append(at, ref.String())
	}
	return text + ": the flow fails at " + strings.Join(at, ", ")
}
