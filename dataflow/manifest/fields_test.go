package manifest

import (
	"slices"
	"strings"
	"testing"
)

// Each kind has the fields that homesOf says it has, and no field of which homesOf says that only
// other kinds have it.
func TestHomesAreFieldsOfTheKind(t *testing.T) {
	for kind, shape := range specs {
		for name, home := range homesOf(kind) {
			field, inSpec := strings.CutPrefix(home, "spec.")
			field, _, _ = strings.Cut(field, ".")
			if inSpec && !slices.Contains(shape.Fields, field) || home == "" && slices.Contains(shape.Fields, name) {
				t.Errorf("%s: the home of %s is %q", kind, name, home)
			}
		}
	}
}
