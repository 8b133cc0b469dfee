package fielderror_test

import (
	"testing"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

func TestWithin(t *testing.T) {
	for path, want := range map[string]bool{"spec.a": true, "spec.a.b": true, "spec.a[0]": true, "spec.ab": false, "spec.b": false, "spec": false, "": false} {
		if got := fielderror.Within(path, "spec.a"); got != want {
			t.Errorf("%q is in spec.a: %v", path, got)
		}
	}
}
