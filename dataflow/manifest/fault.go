package manifest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Fault is one fault of an object.
type Fault struct {
	// Code is CodeUnknownField, CodeWrongKey, CodeUnrecordable, CodeInvalidName or
	// CodeInvalid of package dataflow.
	Code dataflow.Code

	// Path leads from the object to the field: the names of fields, the keys of maps, and
	// the indices of lists in decimal, as in a JSON Pointer. A missing field is not there.
	Path []string

	// Err says what is wrong. Its Field is the path as field.Path prints it, with odd keys
	// quoted, and its BadValue is at most an excerpt of the value.
	Err *field.Error
}

// Error names the field and what is wrong with it.
func (f *Fault) Error() string { return message.Text(f.Err.Error()) }

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// Problem returns the fault as a problem of an operation.
func (f *Fault) Problem(op dataflow.Ref) dataflow.Problem {
	return dataflow.Problem{Code: f.Code, Severity: dataflow.SeverityError, Operation: op, Field: message.Text(f.Err.Field), Message: message.Text(f.Err.ErrorBody())}
}

// KindError says that an object is not an operation.
type KindError struct {
	// APIVersion and Operation are what the object says of itself: its apiVersion, its
	// kind, its namespace and its name, each empty if it is missing or not a string.
	APIVersion string
	Operation  dataflow.Ref

	// Fault is nil if the object is of another kind, or has no kind and nothing of an
	// operation. Otherwise it was probably meant to be an operation, or is a list of
	// operations, and Fault says what is wrong with its kind.
	Fault *Fault
}

// Error names the kind, or says what is wrong with it.
func (e *KindError) Error() string {
	switch {
	case e.Fault != nil:
		return message.Text("not an operation: " + e.Fault.Error())
	case e.Operation.Kind == "":
		return "not an operation: the object has no kind"
	}
	return fmt.Sprintf("not an operation: kind %q of %q", fielderror.Excerpt(string(e.Operation.Kind)), fielderror.Excerpt(e.APIVersion))
}

// Unwrap returns Fault, or nil.
func (e *KindError) Unwrap() error {
	if e.Fault == nil {
		return nil
	}
	return e.Fault
}

// OmittedError counts the faults of an object that are not listed.
type OmittedError struct {
	Count int
}

// Error says how many there are.
func (e *OmittedError) Error() string { return fmt.Sprintf("%d more faults are not listed", e.Count) }

// join returns the faults that were found as one error, or nil.
func join(found *strict.Reader) error {
	var all message.Errors
	for _, fault := range found.Faults {
		all = append(all, (*Fault)(fault))
	}
	if found.Omitted > 0 {
		all = append(all, &OmittedError{found.Omitted})
	}
	if all == nil {
		return nil
	}
	return all
}
