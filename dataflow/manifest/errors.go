package manifest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// DocumentError says that a document, or an object in it, could not be read at
// all: it is malformed, too large, not text, or no Kubernetes object.
type DocumentError struct {
	Place Place
	Err   error
}

// Error starts with the place.
func (e *DocumentError) Error() string { return e.Place.String() + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *DocumentError) Unwrap() error { return e.Err }

// FieldError is one faulty field of an operation, or the kind or apiVersion of an object
// that was probably meant to be one.
type FieldError struct {
	Place Place // of the field, or of what is known to be around it

	// Operation is the operation, or the object that was probably meant to be one, with
	// its kind as it is written. It has no name if that is missing.
	Operation dataflow.Ref

	// Fault says what is wrong. Its type is ErrorTypeForbidden for a field that
	// does not exist, ErrorTypeTypeInvalid for a value of the wrong type,
	// ErrorTypeDuplicate for a key that stands twice, ErrorTypeRequired for a
	// missing field, and ErrorTypeInvalid or another for a value that cannot be.
	Fault *field.Error
}

// Error starts with the place, and names the operation and the field.
func (e *FieldError) Error() string {
	return e.Place.String() + ": " + e.Operation.String() + ": " + e.Fault.Error()
}

// Unwrap returns Fault.
func (e *FieldError) Unwrap() error { return e.Fault }

// Unknown reports whether the field is one that does not exist there, rather than
// one with a faulty value.
func (e *FieldError) Unknown() bool {
	// topology.FromNodeAffinity forbids fields too, but they exist.
	return e.Fault.Type == field.ErrorTypeForbidden && e.Fault.BadValue == unknownField
}

// UnlistedError stands for the faults of a stream beyond those that are listed. The
// operations that they are of are marked as Faulty.
type UnlistedError struct {
	File  string
	Count int
}

// Error says how many there are.
func (e *UnlistedError) Error() string {
	return fmt.Sprintf("%s: %d more errors are not listed", e.File, e.Count)
}
