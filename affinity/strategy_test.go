package affinity_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestKeysAreUniqueInTheOrderOfTheList(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 100} {
		var s affinity.Strategy
		var want []string
		s.Policy = affinity.Require
		for i := range n {
			number := 7 * i % (n/2 + 1)
			if i%3 == 2 {
				number = 7 * (i / 2) % (n/2 + 1) // repeated
			}
			key := fmt.Sprintf("key-%d", number)
			s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
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
	faults := affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "tier"}}}.Validate(nil)
	mustEqual(t, "faults", `[prefers[0].weight: Invalid value: 0: must be between 1 and 100, inclusive]`, fmt.Sprint(faults))
	mustEqual(t, "faults of the zero strategy", field.ErrorList(nil), affinity.Strategy{}.Validate(nil))
}

func TestKeysOfAnUnknownPolicyAreNil(t *testing.T) {
	s := require("tier")
	s.Policy = "Required"
	mustEqual(t, "keys", []string(nil), s.Keys())
	mustEqual(t, "keys of the zero strategy", []string(nil), affinity.Strategy{}.Keys())
}

func TestStrategyHasTheJSONFormOfFluid(t *testing.T) {
	for want, s := range map[string]affinity.Strategy{
		`{}`: {},
		`{"policy":"Require","requires":[{"name":"tier"}]}`:            require("tier"),
		`{"policy":"Prefer","prefers":[{"name":"tier","weight":100}]}`: prefer(affinity.PreferredLabel{Key: "tier", Weight: 100}),
	} {
		mustEqual(t, "JSON", want, encode(s))
	}
}

// The policies are read from the source, so that a new one that Keys or Inherit does not know is
// noticed.
func TestEveryPolicyIsAcceptedAndHasAnEffect(t *testing.T) {
	declared := declaredPolicies(t)
	for _, known := range []affinity.Policy{affinity.None, affinity.Require, affinity.Prefer} {
		if !slices.Contains(declared, known) {
			t.Errorf("policy %q is not found in the source: %q", known, declared)
		}
	}
	here := topology.NewLabelSet(map[string]string{topology.Hostname: "n1", topology.Zone: "east-a"})
	for _, policy := range declared {
		s := affinity.Strategy{Policy: policy}
		if faults := s.Validate(nil); len(faults) > 0 {
			t.Errorf("policy %q is not valid: %v", policy, faults)
		}
		if policy == affinity.None {
			continue
		}
		mustEqual(t, fmt.Sprintf("default keys of %q", policy), []string{topology.Hostname}, s.Keys())
		for _, own := range []*corev1.Affinity{nil, requiring(term(in("example.com/gpu", "a100")))} {
			got, err := affinity.Inherit(own, s, here)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, fmt.Sprintf("labels inherited by %q", policy), here.Only(topology.Hostname), got.Inherited)
			if encode(got.Affinity) == encode(own) {
				t.Errorf("policy %q adds nothing to %s", policy, encode(own))
			}
		}
	}
}

// declaredPolicies returns the values of the constants of type Policy.
func declaredPolicies(t *testing.T) []affinity.Policy {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var policies []affinity.Policy
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			constant, ok := node.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if typed, ok := constant.Type.(*ast.Ident); ok && typed.Name == "Policy" {
				for _, value := range constant.Values {
					text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					policies = append(policies, affinity.Policy(text))
				}
			}
			return true
		})
	}
	return policies
}
