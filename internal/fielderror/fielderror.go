// Package fielderror turns a field.ErrorList into one error that keeps its parts.
package fielderror

import (
	"errors"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Join returns an error that holds every entry of list in its order, or nil if
// there is none. errors.As finds the entries as *field.Error, and the whole as
// utilerrors.Aggregate, the form in which the Kubernetes libraries pass lists of
// errors on. field.ErrorList.ToAggregate gives only the latter.
func Join(list field.ErrorList) error {
	if len(list) == 0 {
		return nil
	}
	return joined(list)
}

type joined field.ErrorList

var _ utilerrors.Aggregate = joined(nil)

func (j joined) Error() string { return field.ErrorList(j).ToAggregate().Error() }

func (j joined) Errors() []error { return j.Unwrap() }

func (j joined) Unwrap() []error {
	errs := make([]error, len(j))
	for i, err := range j {
		errs[i] = err
	}
	return errs
}

func (j joined) Is(target error) bool {
	for _, err := range j {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
