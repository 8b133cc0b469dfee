package conformance_test

import (
	"flag"
	"testing"

	"github.com/fluid-cloudnative/slipstream/internal/comparison"
)

var (
	cases = flag.Int("cases", 100_000, "how many cases each comparison compares")
	seed  = flag.Uint64("seed", 1, "of the generated inputs")
)

// compare draws an alphabet and checks what is drawn from it, until there were enough cases.
func compare(t *testing.T, check func(*draw) error, corners ...string) {
	comparison.Run(t, *cases, *seed, func(base *comparison.Draw) error {
		d := &draw{Draw: base}
		d.alphabet = d.newAlphabet()
		return check(d)
	}, corners...)
}

func disagreement(what string, inputs ...any) error { return comparison.Disagreement(what, inputs...) }
