package affinity_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawX1MatchAndScoreAreTheSchedulers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := affinitytest.Affinities().Draw(t, "affinity")
		selector := rapid.MapOfN(rapid.SampledFrom(affinitytest.Keys()), rapid.SampledFrom(affinitytest.Values()), 0, 1).Draw(t, "selector")
		m, err := affinity.Compile(selector, a)
		if malformed(a) != (err != nil) || (m == nil) != (err != nil) {
			t.Fatalf("Compile = %v, %v; malformed: %v", m, err, malformed(a))
		}
		if err != nil {
			return
		}
		for range 8 {
			n := affinitytest.Nodes().Draw(t, "node")
			want := affinitytest.Match(a, n) && labels.SelectorFromSet(selector).Matches(labels.Set(n.Labels))
			if got := m.Match(n); got != want {
				t.Fatalf("Match(%s, %v) = %v, want %v", n.Name, n.Labels, got, want)
			}
			if got, want := m.Score(n), affinitytest.Score(a, n); got != want {
				t.Fatalf("Score(%s, %v) = %v, want %v", n.Name, n.Labels, got, want)
			}
		}
	})
}

// malformed reports whether the validation of kube-apiserver rejects an expression or a field of a.
func malformed(a *corev1.Affinity) bool {
	if required := nodeAffinityOf(a).RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		if slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool { return !accepted(t, false) }) {
			return true
		}
	}
	return slices.ContainsFunc(nodeAffinityOf(a).PreferredDuringSchedulingIgnoredDuringExecution, func(p corev1.PreferredSchedulingTerm) bool {
		return p.Weight != 0 && !accepted(p.Preference, true)
	})
}

// accepted reports whether kube-apiserver accepts a term. It is written from ValidateNodeSelectorTerm
// and the functions that it calls in the validation of Kubernetes. In a preference it accepts any
// label value.
func accepted(term corev1.NodeSelectorTerm, preferred bool) bool {
	for _, e := range term.MatchExpressions {
		count := map[corev1.NodeSelectorOperator]bool{
			corev1.NodeSelectorOpIn: len(e.Values) > 0, corev1.NodeSelectorOpNotIn: len(e.Values) > 0,
			corev1.NodeSelectorOpExists: len(e.Values) == 0, corev1.NodeSelectorOpDoesNotExist: len(e.Values) == 0,
			corev1.NodeSelectorOpGt: len(e.Values) == 1, corev1.NodeSelectorOpLt: len(e.Values) == 1,
		}
		if !count[e.Operator] || len(validation.IsQualifiedName(e.Key)) > 0 {
			return false
		}
		for _, value := range e.Values {
			if !preferred && len(validation.IsValidLabelValue(value)) > 0 {
				return false
			}
		}
	}
	for _, e := range term.MatchFields {
		if e.Key != metav1.ObjectNameField || len(e.Values) != 1 || e.Operator != corev1.NodeSelectorOpIn && e.Operator != corev1.NodeSelectorOpNotIn {
			return false
		}
	}
	return true
}

func TestLawX1Match(t *testing.T) {
	for _, c := range []struct {
		name, selector, own string
		node, labels        string
		want                bool
	}{
		{"no constraints", "", "-", "n", "", true},
		{"a required part without terms", "", "", "n", "zone=a", false},
		{"an empty term", "", "()", "n", "zone=a", false},
		{"an empty term and another one", "", "() | zone In a", "n", "zone=a", true},
		{"ORed terms", "", "zone In b | zone In a", "n", "zone=a", true},
		{"ANDed expressions", "", "zone In a; disk Exists", "n", "zone=a", false},
		{"a field", "", "@name In n", "n", "", true},
		{"another field", "", "@name In m", "n", "", false},
		{"a field and an expression", "", "@name In n; zone In a", "n", "zone=b", false},
		{"a field of a node without a name", "", "@name In n", "", "", true},
		{"a label called like the field", "", "metadata.name In n", "n", "", false},
		{"a selector", "zone=a", "-", "n", "zone=a", true},
		{"a selector that the node does not meet", "zone=a", "-", "n", "zone=b", false},
		{"a selector of the empty value, and no label", "zone=", "-", "n", "", false},
		{"a selector and an affinity", "zone=a", "disk Exists", "n", "zone=a", false},
		{"absent and NotIn", "", "zone NotIn a", "n", "", true},
		{"absent and In", "", `zone In ""`, "n", "", false},
		{"Gt with a word", "", "cores Gt many", "n", "cores=5", false},
		{"Lt with a fraction", "", "cores Lt 16.5", "n", "cores=5", false},
		{"Gt with the empty value", "", `cores Gt ""`, "n", "cores=5", false},
		{"Gt with an integer beyond 64 bits", "", "cores Gt 9223372036854775808", "n", "cores=9223372036854775809", false},
		{"Gt with a word, and no label", "", "cores Gt many", "n", "", false},
		{"Gt with a word, and another term", "", "cores Gt many | zone In a", "n", "zone=a", true},
		{"a number that does not parse", "", "cores Gt 1", "n", "cores=x", false},
		{"a number beyond 64 bits", "", "cores Gt 1", "n", "cores=9223372036854775808", false},
		{"leading zeros", "", "cores Lt 8", "n", "cores=007", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := affinity.Compile(parseLabels(c.selector), parseAffinity(c.own))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Match(newNode(c.node, parseLabels(c.labels))); got != c.want {
				t.Errorf("Match = %v, want %v", got, c.want)
			}
		})
	}
}

func newNode(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func TestLawX1Score(t *testing.T) {
	prefer := func(weight int32, term string) corev1.PreferredSchedulingTerm {
		return corev1.PreferredSchedulingTerm{Weight: weight, Preference: parseAffinity(term).NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]}
	}
	a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
		prefer(100, "zone In a"), prefer(10, "disk Exists"), prefer(1, "()"), prefer(0, "zone In a"), prefer(2, "@name In n"), prefer(7, "zone Gt many"),
	}}}
	m, err := affinity.Compile(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	for labels, want := range map[string]int64{"": 2, "zone=a": 102, "zone=b": 2, "disk=x": 12, "disk=x,zone=a": 112} {
		if got := m.Score(newNode("n", parseLabels(labels))); got != want {
			t.Errorf("Score(%q) = %d, want %d", labels, got, want)
		}
	}
}

// A preference of weight 0 adds nothing to a score, but kube-apiserver's validation reads it.
func TestLawX1PreferenceOfWeight0(t *testing.T) {
	a := parseAffinity("zone Near a").NodeAffinity
	preferred := []corev1.PreferredSchedulingTerm{{Preference: a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]}}
	_, err := affinity.Compile(nil, &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred}})
	want := "preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Compile: %v, want an error at %s", err, want)
	}
}

func TestNilAndZeroMatchersAndNodes(t *testing.T) {
	node := newNode("n", map[string]string{"zone": "a"})
	for name, m := range map[string]*affinity.Matcher{"nil": nil, "zero": {}} {
		if !m.Match(node) || !m.Match(nil) || m.Score(node) != 0 || m.Score(nil) != 0 || !m.Satisfiable() {
			t.Errorf("the %s Matcher does not match every node with score 0", name)
		}
	}
	m, err := affinity.Compile(nil, nil)
	if err != nil || !m.Match(nil) || !m.Satisfiable() {
		t.Errorf("Compile(nil, nil) = %v, %v", m, err)
	}
	for own, want := range map[string]bool{"zone In a": false, "zone NotIn a": true, "zone DoesNotExist": true, "@name In n": true, "": false} {
		m, err := affinity.Compile(nil, parseAffinity(own))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Match(nil); got != want {
			t.Errorf("%q matches the nil node: %v", own, got)
		}
	}
	m, err = affinity.Compile(nil, preferring(weighted(3, in("zone", "a")), weighted(5, corev1.NodeSelectorRequirement{Key: "zone", Operator: corev1.NodeSelectorOpDoesNotExist})))
	if err != nil || m.Score(nil) != 5 || m.Score(&corev1.Node{}) != 5 || m.Score(node) != 3 {
		t.Errorf("scores %d and %d, %v", m.Score(nil), m.Score(node), err)
	}
}

func TestCompileNamesEveryFault(t *testing.T) {
	a := parseAffinity("zone In a | zone Near b; zone In | cores Gt -1; cores Lt many; @zone In a | @name Exists; @name In a,b")
	a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[2].MatchExpressions = append(
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[2].MatchExpressions,
		corev1.NodeSelectorRequirement{Key: "no key", Operator: corev1.NodeSelectorOpExists})
	a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{
		{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpExists, Values: []string{"a"}}}}},
	}
	m, err := affinity.Compile(map[string]string{"zone": "not valid"}, a)
	var all utilerrors.Aggregate
	if m != nil || !errors.As(err, &all) {
		t.Fatalf("Compile = %v, %v", m, err)
	}
	const required = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	want := []string{
		"nodeSelector[zone]",
		"preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values",
		required + "[1].matchExpressions[0].operator",
		required + "[1].matchExpressions[1].values",
		required + "[2].matchExpressions[0].values[0]",
		required + "[2].matchExpressions[2].key",
		required + "[2].matchExpressions[3].key",
		required + "[3].matchFields[0].operator",
		required + "[3].matchFields[0].values",
		required + "[3].matchFields[1].values",
	}
	var got []string
	for _, err := range all.Errors() {
		var fault *field.Error
		errors.As(err, &fault)
		got = append(got, fault.Field)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("faults at\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every conjunction of up to three expressions of every operator on one key is compared with all states
// that can make a difference: every value that occurs, one more spelling of a number, a word that does
// not occur, and absence ("-").
func TestLawC2SatisfiableIsExact(t *testing.T) {
	var expressions []corev1.NodeSelectorRequirement
	add := func(op corev1.NodeSelectorOperator, values ...string) {
		expressions = append(expressions, corev1.NodeSelectorRequirement{Key: "k", Operator: op, Values: values})
	}
	for _, op := range []corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn} {
		for _, values := range [][]string{{""}, {"a"}, {"4"}, {"04"}, {"a", "b"}, {"3", "4"}, {"4", "04"}, {"", "a", "5"}} {
			add(op, values...)
		}
	}
	add(corev1.NodeSelectorOpExists)
	add(corev1.NodeSelectorOpDoesNotExist)
	for _, bound := range []string{"0", "3", "4", "5", "9223372036854775807", "9223372036854775808", "many"} {
		add(corev1.NodeSelectorOpGt, bound)
		add(corev1.NodeSelectorOpLt, bound)
	}
	// Numbers that are in no list, with two spellings more than three expressions can exclude.
	states := []string{"-", "", "a", "b", "3", "4", "04", "004", "5", "word"}
	for _, n := range []string{"0", "1", "6", "9223372036854775807"} {
		states = append(states, n, "0"+n, "00"+n)
	}
	states = append(states, "00003", "00004", "00005")

	// The states that meet an expression, as bits.
	meeting := make([]uint64, len(expressions))
	for i, e := range expressions {
		for j, state := range states {
			if meets(e, state) {
				meeting[i] |= 1 << j
			}
		}
	}

	cases := 0
	check := func(numbers ...int) {
		cases++
		states := ^uint64(0)
		var conjunction []corev1.NodeSelectorRequirement
		for _, i := range numbers {
			states &= meeting[i]
			conjunction = append(conjunction, expressions[i])
		}
		want := states != 0
		a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: conjunction}},
		}}}
		m, err := affinity.Compile(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		if m.Satisfiable() != want {
			t.Errorf("%v: Satisfiable = %v, want %v", conjunction, m.Satisfiable(), want)
		}
	}
	for a := range expressions {
		check(a)
		for b := range expressions {
			check(a, b)
			for c := range expressions {
				check(a, b, c)
			}
		}
	}
	t.Logf("%d conjunctions of %d expressions, each against %d states", cases, len(expressions), len(states))
}

func TestLawC2WholeSelectors(t *testing.T) {
	for _, c := range []struct {
		selector, own string
		want          bool
	}{
		{"", "-", true},
		{"zone=a", "-", true},
		{"", "", false},
		{"", "()", false},
		{"", "cores Gt 3; cores Lt 4", false},
		{"", "cores Gt 3; cores Lt 5; cores NotIn 4", true},
		{"", "cores Gt 3; cores Lt 4 | zone Exists", true},
		{"", "zone Exists; disk DoesNotExist", true},
		{"zone=a", "zone In b", false},
		{"zone=a", "zone In b | disk Exists", true},
		{"zone=a", "zone In a,b; zone NotIn a", false},
		{"", "@name In a; @name In b", false},
		{"", "@name In a; @name NotIn a", false},
		{"", "@name NotIn a; @name NotIn b", true},
		{"metadata.name=b", "@name In a", true}, // the label is not the field
		{"", "cores Gt many", false},
		{"", "cores Lt 16.5 | zone Exists", true},
	} {
		t.Run(fmt.Sprintf("%s and %s", c.selector, c.own), func(t *testing.T) {
			m, err := affinity.Compile(parseLabels(c.selector), parseAffinity(c.own))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Satisfiable(); got != c.want {
				t.Errorf("Satisfiable = %v, want %v", got, c.want)
			}
		})
	}
}

// meets reports whether a state of the key, where "-" means absent, meets an expression.
func meets(e corev1.NodeSelectorRequirement, state string) bool {
	labels := map[string]string{}
	if state != "-" {
		labels[e.Key] = state
	}
	return affinitytest.Match(requiring(term(e)), newNode("n", labels))
}

// TestLawC1ConflictsAreFoundAndNamed has no node selectors.
func TestLawC1FindConflictLooksAtTheNodeSelector(t *testing.T) {
	hits := map[bool]int{}
	property := func(t *rapid.T) {
		own := affinitytest.Affinities().Draw(t, "own")
		inherited := maps.Collect(affinitytest.LabelSets().Draw(t, "inherited").All())
		selector := rapid.MapOfN(rapid.SampledFrom(affinitytest.Keys()), rapid.SampledFrom(affinitytest.Values()), 0, 1).Draw(t, "selector")

		err := affinity.FindConflict(selector, own, topology.NewLabelSet(inherited))
		var conflict *affinity.ConflictError
		got := errors.As(err, &conflict)
		want := affinitytest.FindMatch(own, selector) != nil && !someNodeHas(own, selector, inherited)
		if got != want || got != (err != nil) {
			t.Fatalf("FindConflict: %v; want a conflict: %v", err, want)
		}
		hits[got]++
		if got {
			checkRefusals(t, own, selector, inherited, conflict)
		}
	}
	for range scale(100, 10) { // what makes the difference is rare
		rapid.Check(t, property)
	}
	if hits[true] == 0 || hits[false] == 0 {
		t.Errorf("the generators do not reach the cases of this law; conflicts: %v", hits)
	}
}

// someNodeHas reports whether some node matches an affinity and has all labels.
func someNodeHas(a *corev1.Affinity, labels, others map[string]string) bool {
	all := maps.Clone(labels)
	for key, value := range others {
		if other, ok := labels[key]; ok && other != value {
			return false
		}
		all[key] = value
	}
	return affinitytest.FindMatch(a, all) != nil
}

// checkRefusals compares the refusals of a conflict with the inputs: each names an expression that
// refuses an inherited label, and each term that some node can match has one.
func checkRefusals(t *rapid.T, own *corev1.Affinity, selector, inherited map[string]string, conflict *affinity.ConflictError) {
	terms := map[int]bool{}
	for i, r := range conflict.Refusals {
		if value, ok := inherited[r.Key]; !ok || value != r.Value || meets(r.Expression, r.Value) {
			t.Fatalf("%+v does not refuse %v", r, inherited)
		}
		if i < 4 && !strings.Contains(conflict.Error(), r.Key+"="+r.Value) {
			t.Fatalf("%q does not name %s=%s", conflict, r.Key, r.Value)
		}
		terms[r.Term] = true
		switch r.By {
		case affinity.ByNodeSelector:
			mustEqual(t, "refusing entry", in(r.Key, selector[r.Key]), r.Expression)
			mustEqual(t, "number of refusals", 1, len(conflict.Refusals))
			return
		case affinity.ByTerm:
			expressions := nodeAffinityOf(own).RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[r.Term].MatchExpressions
			if !slices.ContainsFunc(expressions, func(e corev1.NodeSelectorRequirement) bool { return encode(e) == encode(r.Expression) }) {
				t.Fatalf("term %d does not have %v", r.Term, r.Expression)
			}
		default:
			t.Fatalf("%+v of valid labels", r)
		}
	}
	for i, term := range own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if possible := affinitytest.FindMatch(requiring(term), selector) != nil; possible != terms[i] {
			t.Fatalf("term %d is possible: %v, and in %q: %v", i, possible, conflict, terms[i])
		}
	}
}

// acceptedAffinity reports whether kube-apiserver accepts the node affinity of a pod.
func acceptedAffinity(a *corev1.Affinity) bool {
	node := nodeAffinityOf(a)
	if required := node.RequiredDuringSchedulingIgnoredDuringExecution; required != nil && len(required.NodeSelectorTerms) == 0 {
		return false
	}
	return !malformed(a) && !slices.ContainsFunc(node.PreferredDuringSchedulingIgnoredDuringExecution, func(p corev1.PreferredSchedulingTerm) bool {
		return p.Weight < 1 || p.Weight > 100
	})
}

func TestLawV1TheResultIsAcceptedIfOwnIs(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		own := affinitytest.Affinities().Draw(t, "own")
		if !acceptedAffinity(own) {
			return
		}
		hits++
		result, err := affinity.Inherit(own, affinitytest.ValidStrategies().Draw(t, "strategy"), affinitytest.LabelSets().Draw(t, "exposed"))
		if err == nil && !acceptedAffinity(result.Affinity) {
			t.Fatalf("kube-apiserver accepts %v, but not %v", own, result.Affinity)
		}
	})
	if hits == 0 {
		t.Error("no affinity was drawn that kube-apiserver accepts")
	}
}

func BenchmarkMatch(b *testing.B) {
	m, err := affinity.Compile(nil, parseAffinity("topology.kubernetes.io/zone In east-a,east-b; example.com/gpu Exists; example.com/cores Gt 8"))
	if err != nil {
		b.Fatal(err)
	}
	nodes := make([]*corev1.Node, 5000)
	for i := range nodes {
		nodes[i] = newNode(fmt.Sprint("node-", i), parseLabels(fmt.Sprintf("kubernetes.io/hostname=node-%d,topology.kubernetes.io/zone=east-%c,topology.kubernetes.io/region=east,"+
			"kubernetes.io/arch=amd64,kubernetes.io/os=linux,example.com/gpu=yes,example.com/cores=%d", i, 'a'+i%3, i%17)))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, n := range nodes {
			m.Match(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(nodes)), "ns/node")
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m, err := affinity.Compile(map[string]string{"zone": "a"}, parseAffinity("cores Gt 8; disk In x,y; @name NotIn m | gpu DoesNotExist"))
	if err != nil {
		t.Fatal(err)
	}
	node := newNode("n", parseLabels("zone=a,cores=many,disk=x,gpu="))
	if n := testing.AllocsPerRun(100, func() { m.Match(node); m.Score(node) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
