// Package fielderror makes and joins errors of type *field.Error.
package fielderror

import (
	"errors"
	"strings"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// Join returns an error that holds every entry of list in its order, or nil if the list is
// empty. errors.As finds the first entry as *field.Error, and all of them as
// utilerrors.Aggregate, the form in which the Kubernetes libraries return several errors.
// The message names as many entries as [message.Limit] has room for.
func Join(list field.ErrorList) error {
	if len(list) == 0 {
		return nil
	}
	return joined(list)
}

type joined field.ErrorList

var _ utilerrors.Aggregate = joined(nil)

func (j joined) Error() string {
	if len(j) == 1 {
		return message.Cut(j[0].Error(), message.Limit)
	}
	return "[" + message.List(len(j), func(i int) string { return j[i].Error() }, ", ", message.Limit-len("[]")) + "]"
}

func (j joined) Errors() []error { return j.Unwrap() }

func (j joined) Unwrap() []error {
	errs := make([]error, len(j))
	for i, err := range j {
		errs[i] = err
	}
	return errs
}

// Is is part of the interface utilerrors.Aggregate.
func (j joined) Is(target error) bool {
	for _, err := range j {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Invalid is field.Invalid with an excerpt of the value.
func Invalid(path *field.Path, value, detail string) *field.Error {
	return field.Invalid(path, message.Excerpt(value), detail)
}

// Unsupported is field.NotSupported with an excerpt of the value, and with a hint if the
// value resembles a supported one.
func Unsupported[S ~string](path *field.Path, value S, supported ...S) *field.Error {
	fault := field.NotSupported(path, message.Excerpt(string(value)), supported)
	fault.Detail += typo.Hint(value, supported...)
	return fault
}

// Within reports whether a field, with a path as field.Path prints it, is the field with
// the path outer or a part of it.
func Within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
