package affinity_test

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
)

// Lists of few keys and of many are made unique in different ways.
func TestKeysOfAListOfAnyLengthAreUniqueInItsOrder(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 100} {
		var s affinity.Strategy
		var want []string
		s.Policy = affinity.Require
		for i := range n {
			number := 7 * i % (n/2 + 1)
			if i%3 == 2 {
				number = 7 * (i / 2) % (n/2 + 1) // again, between others
			}
			key := fmt.Sprintf("key-%d", number)
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

func TestValidatePathMayBeNil(t *testing.T) {
	faults := affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.Preferred{{Name: "tier"}}}.Validate(nil)
	mustEqual(t, "faults", `[prefers[0].weight: Invalid value: 0: must be between 1 and 100, inclusive]`, fmt.Sprint(faults))
	mustEqual(t, "faults of the zero strategy", field.ErrorList(nil), affinity.Strategy{}.Validate(nil))
}

func TestKeysOfAnUnknownPolicyAreNone(t *testing.T) {
	s := require("tier")
	s.Policy = "Required"
	mustEqual(t, "keys", []string(nil), s.Keys())
	mustEqual(t, "keys of the zero strategy", []string(nil), affinity.Strategy{}.Keys())
}

// Fluid's AffinityStrategy, from a manifest and back.
func TestStrategyIsFluidsJSON(t *testing.T) {
	for want, s := range map[string]affinity.Strategy{
		`{}`: {},
		`{"policy":"Require","requires":[{"name":"tier"}]}`:            require("tier"),
		`{"policy":"Prefer","prefers":[{"name":"tier","weight":100}]}`: prefer(affinity.Preferred{Name: "tier", Weight: 100}),
	} {
		mustEqual(t, "JSON", want, encode(s))
	}
}
