package conformance_test

import (
	"flag"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fluid-cloudnative/slipstream/internal/comparison"
)

var (
	cases = flag.Int("cases", 100_000, "how many cases each comparison compares")
	seed  = flag.Uint64("seed", 1, "of the generated inputs")
)

// Fluid logs. It is not what is tested.
func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// compare draws inputs and checks them, until there were enough cases.
func compare(t *testing.T, check func(*draw) error, corners ...string) {
	comparison.Run(t, *cases, *seed, func(base *comparison.Draw) error {
		base.Cases++
		return check(&draw{base})
	}, corners...)
}

func disagreement(what string, inputs ...any) error { return comparison.Disagreement(what, inputs...) }

// text is what an error says, also if there is none.
func text(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
