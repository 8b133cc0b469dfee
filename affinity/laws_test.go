package affinity_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/testgen"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// check runs a property over more inputs than rapid's default, because the cases that a law is about
// need several coincidences.
func check(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	for range 8 {
		rapid.Check(t, property)
	}
}

// drawn is an input of the laws.
type drawn struct {
	own      *corev1.Affinity
	strategy affinity.Strategy
	from     topology.LabelSet
	nodes    []*corev1.Node
}

func draw(t *rapid.T, policies ...affinity.Policy) drawn {
	d := drawn{
		own:      testgen.Affinity().Draw(t, "own"),
		strategy: testgen.ValidStrategy(policies...).Draw(t, "strategy"),
		from:     testgen.LabelSet().Draw(t, "from"),
	}
	if d.own != nil && d.own.NodeAffinity != nil && rapid.Bool().Draw(t, "has some of it already") {
		d.addSome(t)
	}
	d.nodes = rapid.SliceOfN(testgen.NodeLike(d.from), 20, 20).Draw(t, "nodes")
	return d
}

// addSome adds some of the inherited constraints to own, as an earlier Inherit does.
func (d drawn) addSome(t *rapid.T) {
	node := d.own.NodeAffinity
	if d.strategy.Policy == affinity.Prefer {
		for _, preference := range d.missingTerms() {
			if rapid.Bool().Draw(t, "has preference") {
				node.PreferredDuringSchedulingIgnoredDuringExecution = append(node.PreferredDuringSchedulingIgnoredDuringExecution, preference)
			}
		}
		return
	}
	if node.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return
	}
	terms := node.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for i, term := range terms {
		for _, e := range d.missingExpressions(term) {
			if rapid.Bool().Draw(t, "has expression") {
				terms[i].MatchExpressions = append(terms[i].MatchExpressions, e)
			}
		}
	}
}

// inherit inherits with a valid strategy. ok is false if there is a conflict (law C1). It fails the
// test if a drawn node shows that there is none.
func (d drawn) inherit(t *rapid.T) (result affinity.Result, ok bool) {
	result, err := affinity.Inherit(d.own, d.strategy, d.from)
	if err == nil {
		return result, true
	}
	if fault := (*field.Error)(nil); errors.As(err, &fault) {
		t.Fatalf("a valid strategy is rejected: %v", err)
	}
	for _, n := range d.nodes {
		if match(d.own, n) && d.has(n) {
			t.Fatalf("Inherit returns %q, but node %s with %v meets all constraints", err, n.Name, n.Labels)
		}
	}
	return affinity.Result{}, false
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

// has reports whether n has the exposed value of every key of the strategy.
func (d drawn) has(n *corev1.Node) bool {
	for _, key := range d.keys() {
		if value, exposed := d.from.Get(key); exposed && !hasLabel(n, key, value) {
			return false
		}
	}
	return true
}

func hasLabel(n *corev1.Node, key, value string) bool {
	got, present := n.Labels[key]
	return present && got == value
}

// missingTerms returns the preferences that are added by law P2.
func (d drawn) missingTerms() []corev1.PreferredSchedulingTerm {
	var missing []corev1.PreferredSchedulingTerm
	for _, p := range d.preferred() {
		value, exposed := d.from.Get(p.Key)
		if !exposed {
			continue
		}
		term := corev1.PreferredSchedulingTerm{Weight: p.Weight, Preference: term(in(p.Key, value))}
		has := slices.ContainsFunc(nodeAffinityOf(d.own).PreferredDuringSchedulingIgnoredDuringExecution, func(own corev1.PreferredSchedulingTerm) bool {
			return encode(own) == encode(term)
		})
		if !has {
			missing = append(missing, term)
		}
	}
	return missing
}

// missingExpressions returns the inherited expressions that a term does not have.
func (d drawn) missingExpressions(term corev1.NodeSelectorTerm) []corev1.NodeSelectorRequirement {
	var missing []corev1.NodeSelectorRequirement
	for _, key := range d.keys() {
		value, exposed := d.from.Get(key)
		has := slices.ContainsFunc(term.MatchExpressions, func(own corev1.NodeSelectorRequirement) bool {
			return encode(own) == encode(in(key, value))
		})
		if exposed && !has {
			missing = append(missing, in(key, value))
		}
	}
	return missing
}

// nodeAffinityOf returns the node affinity of a, or an empty one.
func nodeAffinityOf(a *corev1.Affinity) *corev1.NodeAffinity {
	if a == nil || a.NodeAffinity == nil {
		return &corev1.NodeAffinity{}
	}
	return a.NodeAffinity
}

// podParts returns the pod affinity and anti-affinity of a.
func podParts(a *corev1.Affinity) corev1.Affinity {
	if a == nil {
		return corev1.Affinity{}
	}
	return corev1.Affinity{PodAffinity: a.PodAffinity, PodAntiAffinity: a.PodAntiAffinity}
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

func TestLawR1RequireMatchesOwnAndInherited(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require)
		result, ok := d.inherit(t)
		for _, n := range d.nodes {
			// A conflict counts as a result that matches no node.
			got, want := ok && match(result.Affinity, n), match(d.own, n) && d.has(n)
			if got != want {
				t.Fatalf("node %s with %v: match is %v, want %v, with %s", n.Name, n.Labels, got, want, encode(result.Affinity))
			}
		}
	})
}

func TestLawR2RequireLeavesScoreAndPods(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require)
		result, ok := d.inherit(t)
		if !ok {
			return
		}
		for _, n := range d.nodes {
			mustEqual(t, "score", score(d.own, n), score(result.Affinity, n))
		}
		mustEqual(t, "affinity to pods", podParts(d.own), podParts(result.Affinity))
	})
}

func TestLawP1PreferLeavesMatchAndPods(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Prefer)
		result, ok := d.inherit(t)
		if !ok {
			t.Fatal("Prefer conflicts")
		}
		for _, n := range d.nodes {
			mustEqual(t, "match", match(d.own, n), match(result.Affinity, n))
		}
		mustEqual(t, "affinity to pods", podParts(d.own), podParts(result.Affinity))
	})
}

// Each entry of the list adds a preference, also if another entry is the same.
func TestLawP2PreferAddsTheWeights(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Prefer)
		result, _ := d.inherit(t)
		for _, n := range d.nodes {
			want := score(d.own, n)
			for _, term := range d.missingTerms() {
				e := term.Preference.MatchExpressions[0]
				if hasLabel(n, e.Key, e.Values[0]) {
					want += int(term.Weight)
				}
			}
			if got := score(result.Affinity, n); got != want {
				t.Fatalf("node %s with %v: score is %d, want %d, with %s", n.Name, n.Labels, got, want, encode(result.Affinity))
			}
		}
	})
}

func TestLawN1TheEmptyPolicyChangesNothing(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.None)
		result, ok := d.inherit(t)
		if !ok {
			t.Fatal("the empty policy conflicts")
		}
		mustEqual(t, "result", affinity.Result{Affinity: d.own}, result)
	})
}

func TestLawN2NothingToAddChangesNothing(t *testing.T) {
	reached := map[string]int{}
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require, affinity.Prefer)
		if rapid.Bool().Draw(t, "nothing exposed") {
			d.from = topology.LabelSet{}
		}
		nothing := true
		if d.strategy.Policy == affinity.Prefer {
			nothing = len(d.missingTerms()) == 0
		} else if required := nodeAffinityOf(d.own).RequiredDuringSchedulingIgnoredDuringExecution; required == nil {
			nothing = len(d.missingExpressions(corev1.NodeSelectorTerm{})) == 0
		} else {
			for _, term := range required.NodeSelectorTerms {
				empty := len(term.MatchExpressions)+len(term.MatchFields) == 0
				nothing = nothing && (empty || len(d.missingExpressions(term)) == 0)
			}
		}
		if result, ok := d.inherit(t); ok && nothing {
			mustEqual(t, "affinity", d.own, result.Affinity)
			if d.from.Len() > 0 {
				reached["already there"]++
			}
			if d.own == nil {
				reached["nil"]++
			}
		}
	})
	if reached["already there"] == 0 || reached["nil"] == 0 {
		t.Errorf("the generators do not reach the cases of this law: %v", reached)
	}
}

func TestLawI1InputsAreUnchangedAndNoMemoryIsShared(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t)
		input := func() any {
			return []any{d.own.DeepCopy(), slices.Clone(d.strategy.Requires), slices.Clone(d.strategy.Prefers), maps.Collect(d.from.All())}
		}
		before := input()
		result, ok := d.inherit(t)
		mustEqual(t, "inputs after Inherit", before, input())
		if !ok {
			return
		}
		output := func() any {
			return []any{result.Affinity.DeepCopy(), slices.Clone(result.Missing), maps.Collect(result.Inherited.All())}
		}

		after := output()
		overwrite(reflect.ValueOf(d.own))
		overwrite(reflect.ValueOf(d.strategy.Requires))
		overwrite(reflect.ValueOf(d.strategy.Prefers))
		mustEqual(t, "result after writing to the inputs", after, output())

		before = input()
		overwrite(reflect.ValueOf(result.Affinity))
		overwrite(reflect.ValueOf(result.Missing))
		mustEqual(t, "inputs after writing to the result", before, input())
	})
}

func TestLawI1ResultsShareNoMemory(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t)
		one, ok := d.inherit(t)
		if !ok {
			return
		}
		other, _ := d.inherit(t)
		before := []any{other.Affinity.DeepCopy(), slices.Clone(other.Missing)}
		overwrite(reflect.ValueOf(one.Affinity))
		overwrite(reflect.ValueOf(one.Missing))
		mustEqual(t, "the other result", before, []any{other.Affinity, other.Missing})
	})
}

// overwrite writes to all memory that can be reached from v: through pointers, into slices up to their
// capacity, and into maps.
func overwrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			overwrite(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			overwrite(v.Field(i))
		}
	case reflect.Slice:
		whole := v.Slice(0, v.Cap())
		for i := range whole.Len() {
			overwrite(whole.Index(i))
		}
	case reflect.Map:
		if !v.IsNil() {
			v.SetMapIndex(reflect.ValueOf("new key"), reflect.ValueOf("value"))
		}
	case reflect.String:
		v.SetString(v.String() + "!")
	case reflect.Int32:
		v.SetInt(v.Int() + 1)
	default:
		panic("overwrite does not know " + v.Type().String())
	}
}

func TestLawI2EqualInputsGiveTheSameBytes(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t)
		one, ok := d.inherit(t)
		d.own = d.own.DeepCopy()
		d.strategy.Requires, d.strategy.Prefers = slices.Clone(d.strategy.Requires), slices.Clone(d.strategy.Prefers)
		labels := map[string]string{}
		for _, key := range rapid.Permutation(testgen.Keys()).Draw(t, "order of insertion") {
			if value, exposed := d.from.Get(key); exposed {
				labels[key] = value
			}
		}
		d.from = topology.NewLabelSet(labels)
		other, otherOK := d.inherit(t)
		mustEqual(t, "ok", ok, otherOK)
		mustEqual(t, "encoded affinity", encode(one.Affinity), encode(other.Affinity))
		mustEqual(t, "encoded missing keys", encode(one.Missing), encode(other.Missing))
		mustEqual(t, "inherited labels", one.Inherited.String(), other.Inherited.String())
	})
}

func TestLawI2OwnExpressionsFirstThenTheStrategysOrder(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require, affinity.Prefer)
		result, ok := d.inherit(t)
		if !ok {
			return
		}
		own, got := nodeAffinityOf(d.own), nodeAffinityOf(result.Affinity)
		if d.strategy.Policy == affinity.Prefer {
			want := append(slices.Clone(own.PreferredDuringSchedulingIgnoredDuringExecution), d.missingTerms()...)
			mustEqual(t, "preferences", encode(want), encode(got.PreferredDuringSchedulingIgnoredDuringExecution))
			return
		}
		want := own.RequiredDuringSchedulingIgnoredDuringExecution.DeepCopy()
		if want == nil {
			if added := d.missingExpressions(corev1.NodeSelectorTerm{}); len(added) > 0 {
				want = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term(added...)}}
			}
		} else {
			for i, term := range want.NodeSelectorTerms {
				if len(term.MatchExpressions)+len(term.MatchFields) > 0 {
					want.NodeSelectorTerms[i].MatchExpressions = append(term.MatchExpressions, d.missingExpressions(term)...)
				}
			}
		}
		mustEqual(t, "required", encode(want), encode(got.RequiredDuringSchedulingIgnoredDuringExecution))
	})
}

func TestLawI3InheritingTwiceIsInheritingOnce(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t)
		once, ok := d.inherit(t)
		if !ok {
			return
		}
		d.own = once.Affinity
		twice, ok := d.inherit(t)
		if !ok {
			t.Fatal("only the second time conflicts")
		}
		mustEqual(t, "result of the second time", once, twice)
	})
}

func TestLawI4RequiringInStepsIsRequiringAtOnce(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := draw(t, affinity.Require)
		list := rapid.SliceOfN(rapid.SampledFrom(testgen.Keys()), 1, 3)
		one, two := list.Draw(t, "one list"), list.Draw(t, "another list")
		// requiring returns the required node affinity after one step for each list.
		requiring := func(steps ...[]string) (a *corev1.Affinity, ok bool) {
			d := d
			for _, keys := range steps {
				d.strategy.Requires = nil
				for _, key := range keys {
					d.strategy.Requires = append(d.strategy.Requires, affinity.RequiredLabel{Key: key})
				}
				result, ok := d.inherit(t)
				if !ok {
					return nil, false
				}
				d.own = result.Affinity
			}
			return d.own, true
		}
		both, bothOK := requiring(slices.Concat(one, two))
		oneTwo, oneTwoOK := requiring(one, two)
		twoOne, twoOneOK := requiring(two, one)
		for _, n := range d.nodes {
			want := bothOK && match(both, n)
			mustEqual(t, "match, one list after the other", want, oneTwoOK && match(oneTwo, n))
			mustEqual(t, "match, the lists in reverse order", want, twoOneOK && match(twoOne, n))
		}
	})
}

func TestLawD1TheDefaultIsHostname(t *testing.T) {
	hostname := map[affinity.Policy]affinity.Strategy{
		affinity.Require: {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "kubernetes.io/hostname"}}},
		affinity.Prefer:  {Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "kubernetes.io/hostname", Weight: 100}}},
	}
	check(t, func(t *rapid.T) {
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
	check(t, func(t *rapid.T) {
		d := draw(t)
		want, wantOK := d.inherit(t)
		keys := d.strategy.Keys()
		other := testgen.Strategy().Draw(t, "other") // malformed entries included
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
	check(t, func(t *rapid.T) {
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
	check(t, func(t *rapid.T) {
		s := testgen.Strategy().Draw(t, "strategy")
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

		d := drawn{own: testgen.Affinity().Draw(t, "own"), from: testgen.LabelSet().Draw(t, "from")}
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
