package manifest

import (
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Manifests is what one stream holds that matters for a dataflow.
type Manifests struct {
	Operations []Operation   // in the order in which they stand
	Nodes      []corev1.Node // the nodes, in the order in which they stand
	Skipped    int           // how many objects are of other kinds, and not by mistake
	Lists      int           // how many lists there are, whose objects count by themselves
}

// Operation is an operation as a manifest describes it. If it is Faulty, it may say
// something else than it was meant to.
type Operation struct {
	dataflow.Operation

	// Faulty says that a field could not be read as it was meant, and that nobody should
	// run the operation: of what should be required, it may require less, or nothing. Each
	// such field is a FieldError, whether or not it is listed. That of a key that stands
	// twice in a List in YAML's flow style may name another operation of the List: they
	// cannot be told apart, and all are faulty.
	Faulty bool

	// Observation is what the status says; zero if there is none.
	Observation dataflow.Observation

	// Place is where the object starts.
	Place Place

	text text  // the object itself, to find its fields
	kept *kept // where its fields are, if it is large
}

// maxErrors is how many errors Read lists of one stream.
const maxErrors = 1000

// Read reads every object of one stream of YAML or JSON. The name of the file, "-"
// for standard input, stands in places and errors. An empty stream holds nothing,
// which is no error.
//
// YAML may have many documents, and JSON objects may follow each other. A List, of
// v1 or of one kind, counts as the objects in it. The namespace of an operation
// that names none is "default".
//
// With an error, Read still returns all that it could read. Unwrap() []error lists
// the faults in the order of their places, each a [*DocumentError] or a
// [*FieldError]; after a thousand, an [*UnlistedError] says how many more there are.
// An operation with a FieldError is returned without the faulty field, if its kind
// and name are known, and is marked as Faulty: it may say something else than it was
// meant to, so look at that before you run it. What r itself fails with comes last,
// and ends the reading.
func Read(name string, r io.Reader) (*Manifests, error) {
	in := newReader(name)
	err := in.readAll(r)
	return in.result(err)
}

// result returns what was read, and every error there was; failure is that of the
// stream itself.
func (in *reader) result(failure error) (*Manifests, error) {
	errs := in.sortedErrors()
	if in.unlisted > 0 {
		errs = append(errs, &UnlistedError{in.file, in.unlisted})
	}
	if failure != nil {
		errs = append(errs, fmt.Errorf("%s: %w", in.file, failure))
	}
	return &in.manifests, errors.Join(errs...)
}
