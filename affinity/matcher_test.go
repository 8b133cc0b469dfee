package affinity_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/testgen"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawX1MatchAndScoreAreTheSchedulers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := testgen.Affinity().Draw(t, "affinity")
		selector := rapid.MapOfN(rapid.SampledFrom(testgen.Keys()), rapid.SampledFrom(testgen.Values()), 0, 1).Draw(t, "selector")
		m, err := affinity.Compile(selector, a)
		if malformed(a) != (err != nil) || (m == nil) != (err != nil) {
			t.Fatalf("Compile = %v, %v; malformed: %v", m, err, malformed(a))
		}
		if err != nil {
			return
		}
		for range 8 {
			n := testgen.Node().Draw(t, "node")
			want := match(a, n) && labels.SelectorFromSet(selector).Matches(labels.Set(n.Labels))
			if got := m.Match(n.Name, n.Labels); got != want {
				t.Fatalf("Match(%s, %v) = %v, want %v", n.Name, n.Labels, got, want)
			}
			if got, want := m.Score(n.Name, n.Labels), int64(score(a, n)); got != want {
				t.Fatalf("Score(%s, %v) = %v, want %v", n.Name, n.Labels, got, want)
			}
		}
	})
}

// malformed asks apimachinery, whose requirements the scheduler uses.
func malformed(a *corev1.Affinity) bool {
	if a == nil || a.NodeAffinity == nil {
		return false
	}
	var terms []corev1.NodeSelectorTerm
	if required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		terms = append(terms, required.NodeSelectorTerms...)
	}
	for _, p := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		terms = append(terms, p.Preference)
	}
	operators := map[corev1.NodeSelectorOperator]selection.Operator{
		corev1.NodeSelectorOpIn: selection.In, corev1.NodeSelectorOpNotIn: selection.NotIn,
		corev1.NodeSelectorOpExists: selection.Exists, corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
		corev1.NodeSelectorOpGt: selection.GreaterThan, corev1.NodeSelectorOpLt: selection.LessThan,
	}
	for _, term := range terms {
		for _, e := range term.MatchExpressions {
			if _, err := labels.NewRequirement(e.Key, operators[e.Operator], e.Values); err != nil {
				return true
			}
		}
	}
	return false
}

// What the scheduler does at the edges, one by one.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, selector, own string
		node, labels        string
		want                bool
	}{
		{"nothing asked", "", "-", "n", "", true},
		{"a required part without terms", "", "", "n", "zone=a", false},
		{"an empty term", "", "()", "n", "zone=a", false},
		{"an empty term beside another", "", "() | zone In a", "n", "zone=a", true},
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
		{"a number that does not parse", "", "cores Gt 1", "n", "cores=x", false},
		{"a number beyond 64 bits", "", "cores Gt 1", "n", "cores=9223372036854775808", false},
		{"leading zeros", "", "cores Lt 8", "n", "cores=007", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := affinity.Compile(parseLabels(c.selector), parseAffinity(c.own))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Match(c.node, parseLabels(c.labels)); got != c.want {
				t.Errorf("Match = %v, want %v", got, c.want)
			}
		})
	}
}

func TestScore(t *testing.T) {
	prefer := func(weight int32, term string) corev1.PreferredSchedulingTerm {
		return corev1.PreferredSchedulingTerm{Weight: weight, Preference: parseAffinity(term).NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]}
	}
	a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
		prefer(100, "zone In a"), prefer(10, "disk Exists"), prefer(1, "()"), prefer(0, "zone Near a"), prefer(2, "@name In n"),
	}}}
	m, err := affinity.Compile(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	for labels, want := range map[string]int64{"": 2, "zone=a": 102, "zone=b": 2, "disk=x": 12, "disk=x,zone=a": 112} {
		if got := m.Score("n", parseLabels(labels)); got != want {
			t.Errorf("Score(%q) = %d, want %d", labels, got, want)
		}
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
		required + "[2].matchExpressions[1].values[0]",
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

// witnesses are the states of one label that tell apart all the expressions which
// enumerated draws: every value named there, one number between them with more
// zeros, a word that is named nowhere, and absence ("-").
func witnesses() []string { return []string{"-", "", "a", "b", "3", "4", "04", "004", "5", "word"} }

// Every conjunction of up to three requirements of every operator on one key,
// against all states that can make a difference.
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
	for _, bound := range []string{"0", "3", "4", "5", "9223372036854775807"} {
		add(corev1.NodeSelectorOpGt, bound)
		add(corev1.NodeSelectorOpLt, bound)
	}
	// Numbers that are in no list: two spellings of each more than any three
	// expressions can exclude.
	states := witnesses()
	for _, n := range []string{"0", "1", "6", "9223372036854775807"} {
		states = append(states, n, "0"+n, "00"+n)
	}
	states = append(states, "00003", "00004", "00005")

	cases := 0
	check := func(conjunction ...corev1.NodeSelectorRequirement) {
		cases++
		want := false
		for _, state := range states {
			all := true
			for _, e := range conjunction {
				all = all && matchRequirement(e, state, state != "-")
			}
			want = want || all
		}
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
	for _, a := range expressions {
		check(a)
		for _, b := range expressions {
			check(a, b)
			for _, c := range expressions {
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
		{"metadata.name=b", "@name In a", true}, // a label is not the field
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

// someNodeMatches tries every node that can make a difference to what testgen draws: each
// key absent or with one of the values and bounds that occur, or another word.
// Keys do not depend on each other, so it suffices to combine them per term; a
// term of at most three expressions has at most three keys.
func someNodeMatches(a *corev1.Affinity) bool {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	values := append(testgen.Values(), "1", "01", "001", "4", "04", "004", "word", "9223372036854775807", "5")
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if len(term.MatchExpressions)+len(term.MatchFields) == 0 || malformed(requiringTerm(term)) {
			continue
		}
		possible := true
		for _, key := range testgen.Keys() {
			possible = possible && someState(append([]string{"-"}, values...), func(value string) bool {
				for _, e := range term.MatchExpressions {
					if e.Key == key && !matchRequirement(e, value, value != "-") {
						return false
					}
				}
				return true
			})
		}
		possible = possible && someState(append(testgen.Names(), "another"), func(name string) bool {
			for _, e := range term.MatchFields {
				if !matchRequirement(e, name, true) {
					return false
				}
			}
			return true
		})
		if possible {
			return true
		}
	}
	return false
}

func someState(states []string, ok func(string) bool) bool {
	for _, s := range states {
		if ok(s) {
			return true
		}
	}
	return false
}

func requiringTerm(term corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{term},
	}}}
}

// and is what R must match, written as an affinity by distribution: the oracle's
// way to law R1.
func and(a *corev1.Affinity, labels map[string]string) *corev1.Affinity {
	terms := []corev1.NodeSelectorTerm{{}}
	bare := a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil
	if !bare {
		terms = nil
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			if len(term.MatchExpressions)+len(term.MatchFields) > 0 {
				terms = append(terms, *term.DeepCopy())
			}
		}
	}
	for i := range terms {
		for key, value := range labels {
			terms[i].MatchExpressions = append(terms[i].MatchExpressions, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}})
		}
	}
	if bare && len(labels) == 0 {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
}

func TestLawC1ConflictExactlyWhenOnlyTheOwnIsSatisfiable(t *testing.T) {
	hits := map[bool]int{}
	property := func(t *rapid.T) {
		own := testgen.Affinity().Draw(t, "own")
		s := testgen.ValidStrategy(affinity.Require).Draw(t, "strategy")
		exposed := testgen.LabelSet().Draw(t, "exposed")
		selector := rapid.MapOfN(rapid.SampledFrom(testgen.Keys()), rapid.SampledFrom(testgen.Values()), 0, 1).Draw(t, "selector")

		inherited := map[string]string{}
		for _, key := range s.Keys() {
			if value, ok := exposed.Get(key); ok {
				inherited[key] = value
			}
		}
		_, err := affinity.Inherit(own, s, exposed)
		var conflict *affinity.ConflictError
		got := errors.As(err, &conflict)
		want := someNodeMatches(own) && !someNodeMatches(and(own, inherited))
		if got != want {
			t.Fatalf("Inherit: %v; want a conflict: %v", err, want)
		}
		hits[got]++
		if got {
			checkRefusals(t, own, nil, inherited, conflict)
		}

		selected := and(own, selector)
		err = affinity.FindConflict(selector, own, topology.NewLabelSet(inherited))
		want = someNodeMatches(selected) && !someNodeMatches(and(selected, inherited))
		if got = errors.As(err, &conflict); got != want || got != (err != nil) {
			t.Fatalf("FindConflict: %v; want a conflict: %v", err, want)
		}
		if got {
			checkRefusals(t, own, selector, inherited, conflict)
		}
	}
	for range 200 { // what makes the difference is rare
		rapid.Check(t, property)
	}
	if hits[true] == 0 || hits[false] == 0 {
		t.Errorf("the generators do not reach what this law is about; conflicts drawn: %v", hits)
	}
}

// checkRefusals holds what a conflict says against the inputs: each refusal is an
// expression of theirs that refuses an inherited label, and no term that some node
// could satisfy goes unmentioned.
func checkRefusals(t *rapid.T, own *corev1.Affinity, selector, inherited map[string]string, conflict *affinity.ConflictError) {
	mentioned := map[int]bool{}
	for _, r := range conflict.Refusals {
		mentioned[r.Term] = true
		if value, ok := inherited[r.Key]; !ok || value != r.Value || matchRequirement(r.Expression, r.Value, true) {
			t.Fatalf("%+v does not refuse %v", r, inherited)
		}
		if !strings.Contains(conflict.Error(), r.Key+"="+r.Value) {
			t.Fatalf("%q does not name %s=%s", conflict, r.Key, r.Value)
		}
	}
	if mentioned[affinity.ByNodeSelector] {
		return
	}
	for i, term := range own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if someNodeMatches(and(requiringTerm(term), selector)) && !mentioned[i] {
			t.Fatalf("term %d is not mentioned in %q", i, conflict)
		}
	}
}

// accepted is what an API server demands of a node affinity, written out from
// ValidateNodeSelector and its neighbours in Kubernetes' core validation.
func accepted(a *corev1.Affinity) bool {
	if a == nil || a.NodeAffinity == nil {
		return true
	}
	ok := true
	if required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		ok = len(required.NodeSelectorTerms) > 0
		for _, term := range required.NodeSelectorTerms {
			ok = ok && acceptedTerm(term)
		}
	}
	for _, p := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		ok = ok && p.Weight >= 1 && p.Weight <= 100 && acceptedTerm(p.Preference)
	}
	return ok
}

func acceptedTerm(term corev1.NodeSelectorTerm) bool {
	for _, e := range term.MatchExpressions {
		switch e.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			if len(e.Values) == 0 {
				return false
			}
		case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
			if len(e.Values) > 0 {
				return false
			}
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			if len(e.Values) != 1 {
				return false
			}
		default:
			return false
		}
		if len(validation.IsQualifiedName(e.Key)) > 0 {
			return false
		}
	}
	for _, e := range term.MatchFields {
		if e.Key != metav1.ObjectNameField || len(e.Values) != 1 || e.Operator != corev1.NodeSelectorOpIn && e.Operator != corev1.NodeSelectorOpNotIn {
			return false
		}
	}
	return true
}

func TestLawV1WhatWasAcceptedStaysAccepted(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		own := testgen.Affinity().Draw(t, "own")
		if !accepted(own) {
			return
		}
		hits++
		result, err := affinity.Inherit(own, testgen.ValidStrategy().Draw(t, "strategy"), testgen.LabelSet().Draw(t, "exposed"))
		if err == nil && !accepted(result.Affinity) {
			t.Fatalf("an API server accepts %v, but not %v", own, result.Affinity)
		}
	})
	if hits == 0 {
		t.Error("no affinity was drawn that an API server accepts")
	}
}

func BenchmarkMatch(b *testing.B) {
	m, err := affinity.Compile(nil, parseAffinity("topology.kubernetes.io/zone In east-a,east-b; example.com/gpu Exists; example.com/cores Gt 8"))
	if err != nil {
		b.Fatal(err)
	}
	nodes := make([]map[string]string, 5000)
	for i := range nodes {
		nodes[i] = parseLabels(fmt.Sprintf("kubernetes.io/hostname=node-%d,topology.kubernetes.io/zone=east-%c,topology.kubernetes.io/region=east,"+
			"kubernetes.io/arch=amd64,kubernetes.io/os=linux,example.com/gpu=yes,example.com/cores=%d", i, 'a'+i%3, i%17))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, labels := range nodes {
			m.Match("node", labels)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(nodes)), "ns/node")
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m, err := affinity.Compile(map[string]string{"zone": "a"}, parseAffinity("cores Gt 8; disk In x,y; @name NotIn m | gpu DoesNotExist"))
	if err != nil {
		t.Fatal(err)
	}
	labels := parseLabels("zone=a,cores=many,disk=x,gpu=")
	if n := testing.AllocsPerRun(100, func() { m.Match("n", labels); m.Score("n", labels) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
