package affinity_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fluid-cloudnative/slipstream/affinity"
)

// Lists of few keys and of many are made unique in different ways.
func TestKeysOfAListOfAnyLengthAreUniqueInItsOrder(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 100} {
		var s affinity.Strategy
		var want []string
		s.Policy = affinity.Require
		for i := range n {
			key := fmt.Sprintf("key-%d", (i*7)%(n/2+1))
			s.Requires = append(s.Requires, affinity.Required{Name: key})
			if !slices.Contains(want, key) {
				want = append(want, key)
			}
		}
		if got := s.Keys(); !slices.Equal(got, want) {
			t.Errorf("%d entries: Keys = %q, want %q", n, got, want)
		}
	}
}
