package affinity_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// keeps fails the test if Inherit does not keep a law of the test kit.
func keeps(t *testing.T, law affinitytest.Law) {
	t.Helper()
	others := slices.DeleteFunc(affinitytest.Laws(), func(l affinitytest.Law) bool { return l == law })
	for range scale(8, 1) {
		for _, failure := range affinitytest.CheckInherit(inherit, affinitytest.Skip(others...)) {
			t.Fatal(failure)
		}
	}
}

func inherit(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
	result, err := affinity.Inherit(own, s, from)
	return result.Affinity, err
}

// scale returns how much a test does: less with -short.
func scale(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

func TestLawR1RequireMatchesOwnAndInherited(t *testing.T)            { keeps(t, affinitytest.R1) }
func TestLawR2RequireLeavesScoreAndPods(t *testing.T)                { keeps(t, affinitytest.R2) }
func TestLawP1PreferLeavesMatchAndPods(t *testing.T)                 { keeps(t, affinitytest.P1) }
func TestLawP2PreferAddsTheWeights(t *testing.T)                     { keeps(t, affinitytest.P2) }
func TestLawN1TheEmptyPolicyChangesNothing(t *testing.T)             { keeps(t, affinitytest.N1) }
func TestLawN2NothingToAddChangesNothing(t *testing.T)               { keeps(t, affinitytest.N2) }
func TestLawI1InputsAreUnchangedAndNoMemoryIsShared(t *testing.T)    { keeps(t, affinitytest.I1) }
func TestLawI2OwnExpressionsFirstThenTheStrategysOrder(t *testing.T) { keeps(t, affinitytest.I2) }
func TestLawI3InheritingTwiceIsInheritingOnce(t *testing.T)          { keeps(t, affinitytest.I3) }
func TestLawI4RequiringInStepsIsRequiringAtOnce(t *testing.T)        { keeps(t, affinitytest.I4) }
func TestLawC1ConflictsAreFoundAndNamed(t *testing.T)                { keeps(t, affinitytest.C1) }
func TestLawB1InvalidStrategiesAreRejected(t *testing.T)             { keeps(t, affinitytest.B1) }

// The kit looks at the affinity and the error. The rest is about the other fields of Result.

// drawn is an input of the laws.
type drawn struct {
	own      *corev1.Affinity
	strategy affinity.Strategy
	from     topology.LabelSet
}

func draw(t *rapid.T, policies ...affinity.Policy) drawn {
	return drawn{
		own:      affinitytest.Affinities().Draw(t, "own"),
		strategy: affinitytest.ValidStrategies(policies...).Draw(t, "strategy"),
		from:     affinitytest.LabelSets().Draw(t, "from"),
	}
}

// inherit inherits with a valid strategy. ok is false if there is a conflict (law C1).
func (d drawn) inherit(t *rapid.T) (result affinity.Result, ok bool) {
	result, err := affinity.Inherit(d.own, d.strategy, d.from)
	var conflict *affinity.ConflictError
	if err != nil && !errors.As(err, &conflict) {
		t.Fatalf("a valid strategy is rejected: %v", err)
	}
	return result, err == nil
}

// keys returns K: the keys of the strategy or its default, each once.
func (d drawn) keys() []string {
	var keys []string
	switch s := d.strategy; {
	case s.Policy == affinity.Require && len(s.Requires) == 0:
		keys = []string{"kubernetes.io/hostname"}
	case s.Policy == affinity.Require:
		for _, r := range s.Requires {
			keys = append(keys, r.Key)
		}
	case s.Policy == affinity.Prefer:
		for _, p := range d.preferred() {
			keys = append(keys, p.Key)
		}
	}
	var unique []string
	for _, key := range keys {
		if !slices.Contains(unique, key) {
			unique = append(unique, key)
		}
	}
	return unique
}

// preferred returns the list of preferences or its default.
func (d drawn) preferred() []affinity.PreferredLabel {
	if len(d.strategy.Prefers) == 0 {
		return []affinity.PreferredLabel{{Key: "kubernetes.io/hostname", Weight: 100}}
	}
	return d.strategy.Prefers
}

// nodeAffinityOf returns the node affinity of a, or an empty one.
func nodeAffinityOf(a *corev1.Affinity) *corev1.NodeAffinity {
	if a == nil || a.NodeAffinity == nil {
		return &corev1.NodeAffinity{}
	}
	return a.NodeAffinity
}

func encode(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func mustEqual(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s, -want +got:\n%s", what, diff)
	}
}

func TestLawI1ResultsShareNoMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		one, _ := d.inherit(t)
		other, _ := d.inherit(t)
		before := slices.Clone(other.Missing)
		for i := range one.Missing {
			one.Missing[i] += "!"
		}
		mustEqual(t, "the other result", before, other.Missing)
		mustEqual(t, "and one more", keysOnly(d.inherit(t)), before)
	})
}

func keysOnly(result affinity.Result, _ bool) []string { return result.Missing }

func TestLawD1TheDefaultIsHostname(t *testing.T) {
	hostname := map[affinity.Policy]affinity.Strategy{
		affinity.Require: {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "kubernetes.io/hostname"}}},
		affinity.Prefer:  {Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "kubernetes.io/hostname", Weight: 100}}},
	}
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require, affinity.Prefer)
		d.strategy = hostname[d.strategy.Policy]
		want, wantOK := d.inherit(t)
		keys := d.strategy.Keys()
		d.strategy = affinity.Strategy{Policy: d.strategy.Policy}
		if rapid.Bool().Draw(t, "empty list") {
			d.strategy.Requires, d.strategy.Prefers = []affinity.RequiredLabel{}, []affinity.PreferredLabel{}
		}
		got, gotOK := d.inherit(t)
		mustEqual(t, "ok", wantOK, gotOK)
		mustEqual(t, "result", want, got)
		mustEqual(t, "keys", keys, d.strategy.Keys())
		mustEqual(t, "keys", []string{"kubernetes.io/hostname"}, d.strategy.Keys())
	})
}

func TestLawD2OnlyTheListOfThePolicyHasAnEffect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		want, wantOK := d.inherit(t)
		keys := d.strategy.Keys()
		other := affinitytest.Strategies().Draw(t, "other") // malformed entries included
		if d.strategy.Policy != affinity.Require {
			d.strategy.Requires = other.Requires
		}
		if d.strategy.Policy != affinity.Prefer {
			d.strategy.Prefers = other.Prefers
		}
		got, gotOK := d.inherit(t)
		mustEqual(t, "ok", wantOK, gotOK)
		mustEqual(t, "result", want, got)
		mustEqual(t, "keys", keys, d.strategy.Keys())
	})
}

func TestLawM1MissingAndInherited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		result, ok := d.inherit(t)
		if !ok {
			return
		}
		var missing []string
		inherited := map[string]string{}
		for _, key := range d.keys() {
			if value, exposed := d.from.Get(key); exposed {
				inherited[key] = value
			} else {
				missing = append(missing, key)
			}
		}
		mustEqual(t, "missing", missing, result.Missing)
		mustEqual(t, "inherited", inherited, maps.Collect(result.Inherited.All()))
		mustEqual(t, "keys", d.keys(), d.strategy.Keys())
	})
}

func TestLawB1ExactlyInvalidStrategiesAreRejected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := affinitytest.Strategies().Draw(t, "strategy")
		want := sets.New[string]()
		key := func(path *field.Path, name string) {
			if len(validation.IsQualifiedName(name)) > 0 {
				want.Insert(path.Child("name").String())
			}
		}
		path := field.NewPath("affinityStrategy")
		switch s.Policy {
		case affinity.None:
		case affinity.Require:
			for i, r := range s.Requires {
				key(path.Child("requires").Index(i), r.Key)
			}
		case affinity.Prefer:
			for i, p := range s.Prefers {
				key(path.Child("prefers").Index(i), p.Key)
				if p.Weight < 1 || p.Weight > 100 {
					want.Insert(path.Child("prefers").Index(i).Child("weight").String())
				}
			}
		default:
			want.Insert(path.Child("policy").String())
		}

		d := drawn{own: affinitytest.Affinities().Draw(t, "own"), from: affinitytest.LabelSets().Draw(t, "from")}
		result, err := affinity.Inherit(d.own, s, d.from)
		got := sets.New[string]()
		for _, fault := range faults(err) {
			got.Insert(fault.Field)
		}
		mustEqual(t, "faulty fields", sets.List(want), sets.List(got))
		if len(got) > 0 {
			mustEqual(t, "result", affinity.Result{}, result)
		}
	})
}
