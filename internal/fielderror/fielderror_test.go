package fielderror_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

func TestJoinKeepsEveryEntry(t *testing.T) {
	if err := fielderror.Join(nil); err != nil {
		t.Fatalf("Join(nil) = %v, want nil", err)
	}
	first, second := field.Required(field.NewPath("a"), "x"), field.Required(field.NewPath("b"), "y")
	err := fielderror.Join(field.ErrorList{first, second})

	if got, want := err.Error(), "[a: Required value: x, b: Required value: y]"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := fielderror.Join(field.ErrorList{first}).Error(), "a: Required value: x"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	var one *field.Error
	if !errors.As(err, &one) || one != first {
		t.Errorf("errors.As(*field.Error) = %v, want the first entry", one)
	}
	var all utilerrors.Aggregate
	if !errors.As(err, &all) || len(all.Errors()) != 2 || all.Errors()[1] != error(second) {
		t.Errorf("errors.As(Aggregate) = %v, want both entries in order", all)
	}
	if !errors.Is(err, second) || !all.Is(second) || errors.Is(err, io.EOF) || all.Is(io.EOF) {
		t.Error("errors.Is does not find exactly the entries")
	}
}

// many returns faults with long values.
func many(n int) field.ErrorList {
	var faults field.ErrorList
	for i := range n {
		faults = append(faults, fielderror.Invalid(field.NewPath("a").Index(i), strings.Repeat("\x00", 1<<10), "must be short"))
	}
	return faults
}

func TestLawG1MessagesAreShort(t *testing.T) {
	long := field.Invalid(field.NewPath("a"), "b", strings.Repeat("c", 1<<20))
	for name, list := range map[string]field.ErrorList{"one": {long}, "two": {long, long}, "many": many(10_000), "mixed": append(many(2), long)} {
		text := fielderror.Join(list).Error()
		if len(text) > message.Limit {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		if more := fmt.Sprintf("and %d more]", len(list)-1); name != "one" && !strings.Contains(text, "more]") {
			t.Errorf("%s: the message does not end with %q: %q", name, more, text[len(text)-50:])
		}
	}
	if fault := fielderror.Unsupported(nil, strings.Repeat("a", 1<<20), "b"); len(fault.Error()) > 500 {
		t.Errorf("%d bytes", len(fault.Error()))
	}
}

func TestLawG1Growth(t *testing.T) {
	growth.Check(t, 2000, func(n int) func() {
		err := fielderror.Join(many(n))
		return func() {
			for range 100 {
				_ = err.Error()
			}
		}
	})
}

func TestUnsupportedHints(t *testing.T) {
	for value, want := range map[string]string{
		"Requires": `p: Unsupported value: "Requires": supported values: "Require", "Prefer"; typo of "Require"?`,
		"Foo":      `p: Unsupported value: "Foo": supported values: "Require", "Prefer"`,
		"\n":       `p: Unsupported value: "\n": supported values: "Require", "Prefer"`,
	} {
		if got := fielderror.Unsupported(field.NewPath("p"), value, "Require", "Prefer").Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	for path, want := range map[string]bool{"spec.a": true, "spec.a.b": true, "spec.a[0]": true, "spec.ab": false, "spec.b": false, "spec": false, "": false} {
		if got := fielderror.Within(path, "spec.a"); got != want {
			t.Errorf("%q is in spec.a: %v", path, got)
		}
	}
}
