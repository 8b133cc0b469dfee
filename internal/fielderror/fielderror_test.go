package fielderror_test

import (
	"errors"
	"io"
	"testing"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

func TestJoinKeepsEveryPart(t *testing.T) {
	if err := fielderror.Join(nil); err != nil {
		t.Fatalf("Join(nil) = %v, want nil", err)
	}
	first, second := field.Required(field.NewPath("a"), "x"), field.Required(field.NewPath("b"), "y")
	err := fielderror.Join(field.ErrorList{first, second})

	if got, want := err.Error(), "[a: Required value: x, b: Required value: y]"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	var one *field.Error
	if !errors.As(err, &one) || one != first {
		t.Errorf("errors.As(*field.Error) = %v, want the first", one)
	}
	var all utilerrors.Aggregate
	if !errors.As(err, &all) || len(all.Errors()) != 2 || all.Errors()[1] != error(second) {
		t.Errorf("errors.As(Aggregate) = %v, want both in order", all)
	}
	if !errors.Is(err, second) || errors.Is(err, io.EOF) {
		t.Error("errors.Is does not tell what the list holds")
	}
}
