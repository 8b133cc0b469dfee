package nodeselector_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// terms draws terms, some of which no node can match, and some with Gt of a word.
func terms() *rapid.Generator[[]corev1.NodeSelectorTerm] {
	return rapid.Custom(func(t *rapid.T) []corev1.NodeSelectorTerm {
		var terms []corev1.NodeSelectorTerm
		for range rapid.IntRange(0, 3).Draw(t, "terms") {
			var term corev1.NodeSelectorTerm
			for range rapid.IntRange(0, 3).Draw(t, "requirements") {
				e := corev1.NodeSelectorRequirement{
					Key: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
					Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
						corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt}).Draw(t, "operator"),
				}
				switch e.Operator {
				case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
					e.Values = rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3"}), 1, 2).Draw(t, "values")
				case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
					e.Values = []string{rapid.SampledFrom([]string{"2", "x"}).Draw(t, "bound")}
				}
				term.MatchExpressions = append(term.MatchExpressions, e)
			}
			if rapid.IntRange(0, 5).Draw(t, "name") == 5 {
				term.MatchFields = []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}
			}
			terms = append(terms, term)
		}
		return terms
	})
}

// parse parses terms. An empty term requires nothing.
func parse(terms ...corev1.NodeSelectorTerm) []nodeselector.Term {
	parsed := make([]nodeselector.Term, len(terms))
	for i, term := range terms {
		var faults field.ErrorList
		if parsed[i], faults = nodeselector.ParseTerm(term, nil); len(faults) > 0 {
			panic(faults.ToAggregate())
		}
	}
	return parsed
}

func alternatives() *rapid.Generator[nodeselector.Alternatives] {
	return rapid.Map(terms(), func(terms []corev1.NodeSelectorTerm) nodeselector.Alternatives {
		return nodeselector.AnyOf(parse(terms...), nil)
	})
}

// match reports whether alternatives, written as an affinity, match a node.
func match(a nodeselector.Alternatives, name string, labels map[string]string) bool {
	if a.IsTrue() {
		return true
	}
	terms := nodeselector.Required(a.Narrow(nil, nil)).NodeSelectorTerms
	return slices.ContainsFunc(parse(terms...), func(t nodeselector.Term) bool { return t.Matches(name, labels) })
}

// everyNode tries every combination of the states of three labels and two names.
func everyNode(try func(name string, labels map[string]string)) {
	states := []string{"", "0", "1", "2", "3", "4", "x"}
	for _, name := range []string{"n1", "n2"} {
		for i := range len(states) * len(states) * len(states) {
			labels := map[string]string{}
			for k, key := range []string{"a", "b", "c"} {
				if state := states[i/[]int{1, 7, 49}[k]%7]; state != "" {
					labels[key] = state
				}
			}
			try(name, labels)
		}
	}
}

func TestAndIsTheConjunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := alternatives().Draw(t, "a"), alternatives().Draw(t, "b")
		both := a.And(b)
		excluded := true
		if len(a)*len(b) > 0 {
			_, _, excluded = a.Conflict(b)
		}
		possible := false
		everyNode(func(name string, labels map[string]string) {
			want := match(a, name, labels) && match(b, name, labels)
			if got := match(both, name, labels); got != want {
				t.Fatalf("%v and %v = %v matches %s %v: %v", a, b, both, name, labels, got)
			}
			possible = possible || want
		})
		for _, asks := range letters(both) {
			for i, ask := range asks {
				if slices.Contains(asks[:i], ask) {
					t.Fatalf("%v and %v = %v requires %s twice", a, b, letters(both), ask)
				}
			}
		}
		if len(both) == 0 != !possible || excluded == possible {
			t.Fatalf("%v and %v = %v, excluded: %v, possible: %v", a, b, both, excluded, possible)
		}
	})
}

// And keeps the order of the terms, and leaves out a term that has all requirements of another one.
func TestAndLeavesOutRedundantTerms(t *testing.T) {
	is := func(keys ...string) corev1.NodeSelectorTerm {
		var term corev1.NodeSelectorTerm
		for _, key := range keys {
			term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{"1"}})
		}
		return term
	}
	for _, c := range []struct{ given, want []corev1.NodeSelectorTerm }{
		{[]corev1.NodeSelectorTerm{is("y", "z"), is("w"), is("y")}, []corev1.NodeSelectorTerm{is("w", "x"), is("x", "y")}},
		{[]corev1.NodeSelectorTerm{is("v", "w"), is("y")}, []corev1.NodeSelectorTerm{is("v", "w", "x"), is("x", "y")}},
	} {
		both := nodeselector.AnyOf(parse(c.given...), nil).And(nodeselector.AnyOf(parse(is("x")), nil))
		if got := nodeselector.Required(both.Narrow(nil, nil)).NodeSelectorTerms; fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v and x: %v, want %v", c.given, got, c.want)
		}
	}
}

// The result matches a node exactly if some node that a matches can have its values of the keys.
func TestProjectIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := alternatives().Draw(t, "a").And(nodeselector.True())
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "keys")
		projected := a.Project(keys)
		wanted := map[string]bool{} // by the states of the keys
		of := func(labels map[string]string) string {
			text := ""
			for _, key := range keys {
				text += key + "=" + labels[key] + ","
			}
			return text
		}
		everyNode(func(name string, labels map[string]string) {
			if !match(a, name, labels) {
				return
			}
			for absent := range 1 << len(keys) { // the first node may lack keys
				first := map[string]string{}
				for k, key := range keys {
					if value, ok := labels[key]; ok && absent&(1<<k) == 0 {
						first[key] = value
					}
				}
				wanted[of(first)] = true
			}
		})
		everyNode(func(name string, labels map[string]string) {
			if got := match(projected, name, labels); got != wanted[of(labels)] {
				t.Fatalf("Project(%v) of %v = %v matches %v: %v", keys, a, projected, labels, got)
			}
		})
	})
}

func TestNarrowIsTheConjunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own, more := terms().Draw(t, "own"), alternatives().Draw(t, "more")
		selector := map[string]string{}
		if rapid.Bool().Draw(t, "selects") {
			selector["a"] = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "selector")
		}
		var a *corev1.Affinity
		if rapid.Bool().Draw(t, "required") {
			a = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: own}}}
		}
		selected, _ := nodeselector.ParseSelector(selector)
		narrowed := nodeselector.Required(more.Narrow(a, selected)).NodeSelectorTerms
		given := more.Narrow(nil, nil)
		alternatives := nodeselector.Required(given).NodeSelectorTerms
		joined := nodeselector.Required(nodeselector.Narrow(a, nil, func(int) nodeselector.Alternatives { return nodeselector.AnyOf(parse(alternatives...), nil) })).NodeSelectorTerms
		matches := func(terms []corev1.NodeSelectorTerm, name string, labels map[string]string) bool {
			return slices.ContainsFunc(terms, func(t corev1.NodeSelectorTerm) bool {
				return !nodeselector.IsEmpty(t) && parse(t)[0].Matches(name, labels)
			})
		}
		everyNode(func(name string, labels map[string]string) {
			want := (a == nil || matches(own, name, labels)) && match(more, name, labels)
			if value, ok := selector["a"]; !ok || labels["a"] == value {
				// A term that requires nothing is written as an empty one, which matches no node.
				if got := matches(narrowed, name, labels); got != want && !(a == nil && more.IsTrue()) && !(a == nil && len(narrowed) == 1 && nodeselector.IsEmpty(narrowed[0])) {
					t.Fatalf("%v with %v narrowed to %v = %v matches %s %v: %v", own, selector, alternatives, narrowed, name, labels, got)
				}
			}
			if got := matches(joined, name, labels); got != want && !more.IsTrue() {
				t.Fatalf("%v narrowed to %v = %v matches %s %v: %v", own, alternatives, joined, name, labels, got)
			}
		})
	})
}

func TestLawG1AndIsBounded(t *testing.T) {
	each := func(key string, values int, common ...string) nodeselector.Alternatives {
		var terms []corev1.NodeSelectorTerm
		for v := range values {
			term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{fmt.Sprint(v)}},
			}}
			for _, key := range common {
				term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpExists})
			}
			terms = append(terms, term)
		}
		return nodeselector.AnyOf(parse(terms...), nil)
	}
	many := make([]string, 600)
	for i := range many {
		many[i] = fmt.Sprint("key-", i)
	}
	more := make([]string, 600)
	for i := range more {
		more[i] = fmt.Sprint("more-", i)
	}
	for _, c := range []struct {
		name         string
		a, b         nodeselector.Alternatives
		terms, first int // the number of terms, and of requirements in the first
	}{
		{"within the limits", each("a", 8), each("b", 8), 64, 2},
		{"one side in common", each("a", 8), each("b", 9, "x"), 8, 2},
		{"the other side in common", each("a", 65, "x"), each("b", 9), 9, 2},
		{"both in common", each("a", 65, "x"), each("b", 65, "y"), 1, 2},
		{"nothing in common", each("a", 65), each("b", 65), 1, 0},
		{"too many steps", each("a", 5000, "x"), each("b", 2), 2, 2},
		{"too many, and true", each("a", 65, "x"), nodeselector.True(), 1, 1},
		{"true, and too many", nodeselector.True(), each("a", 65, "x"), 1, 1},
		{"as many terms as allowed", each("a", 64), each("b", 1), 64, 2},
		{"one term more", each("a", 65, "x"), each("b", 1), 1, 2},
		{"as many requirements as allowed", each("a", 32, many[:30]...), each("b", 1), 32, 32},
		{"more requirements", each("a", 32, many[:31]...), each("b", 1), 1, 32},
		{"too many requirements", each("a", 2, many...), each("b", 1), 1, 601},
		{"too many requirements in common", each("a", 1, many...), each("b", 1, more...), 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := c.a.And(c.b)
			if len(both) != c.terms || len(both[0]) != c.first {
				t.Errorf("%d terms, the first of %d; want %d, %d", len(both), len(both[0]), c.terms, c.first)
			}
		})
	}
	if none := (nodeselector.Alternatives{}); len(none.And(each("a", 5000))) != 0 || len(each("a", 5000).And(none)) != 0 {
		t.Error("a conjunction with no alternatives has some")
	}
}

// letters returns the requirements of each term as text.
func letters(a nodeselector.Alternatives) [][]string {
	var all [][]string
	for _, term := range nodeselector.Required(a.Narrow(nil, nil)).NodeSelectorTerms {
		var requirements []string
		for _, e := range slices.Concat(term.MatchExpressions, term.MatchFields) {
			requirements = append(requirements, fmt.Sprint(e))
		}
		all = append(all, requirements)
	}
	return all
}

func TestImpliesComparesRequirements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := alternatives().Draw(t, "a"), alternatives().Draw(t, "b")
		if len(a) > 0 && rapid.Bool().Draw(t, "with more of the same") {
			b = a
			if more := alternatives().Draw(t, "more"); len(a.And(more)) > 0 {
				a = a.And(more)
			}
		}
		if a.IsTrue() || b.IsTrue() {
			if b.IsTrue() && !a.Implies(b) {
				t.Fatalf("%v does not imply true", a)
			}
			return
		}
		want := true
		for _, x := range letters(a) {
			found := false
			for _, y := range letters(b) {
				all := true
				for _, ask := range y {
					all = all && slices.Contains(x, ask)
				}
				found = found || all
			}
			want = want && found
		}
		if got := a.Implies(b); got != want {
			t.Fatalf("%v implies %v: %v", letters(a), letters(b), got)
		}
	})
}

// Well-formed requirements have no faults.
func TestFaultsHavePaths(t *testing.T) {
	malformed := corev1.NodeSelectorRequirement{Key: "a", Operator: "Near"}
	wellFormed := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpExists}
	terms := []corev1.NodeSelectorTerm{
		{MatchExpressions: []corev1.NodeSelectorRequirement{wellFormed}},
		{},
		{MatchExpressions: []corev1.NodeSelectorRequirement{wellFormed, malformed}, MatchFields: []corev1.NodeSelectorRequirement{malformed}},
	}
	_, faults := nodeselector.ParseTerms(terms, "required", "terms")
	_, more := nodeselector.ParseSelector(map[string]string{"a": "1", "b": "not a value", "not a key": "1"})
	var fields []string
	for _, fault := range append(faults, more...) {
		fields = append(fields, fault.Field)
	}
	want := []string{
		"required.terms[2].matchExpressions[1].operator",
		"required.terms[2].matchFields[0].key", "required.terms[2].matchFields[0].operator", "required.terms[2].matchFields[0].values",
		"nodeSelector[b]", "nodeSelector[not a key]",
	}
	if !slices.Equal(fields, want) {
		t.Errorf("%q", fields)
	}
	if parsed, faults := nodeselector.ParseTerms(terms[:2], "terms"); len(parsed) != 1 || faults != nil {
		t.Errorf("%v, %v", parsed, faults)
	}
}

// In a preference kube-apiserver accepts a value that is not a label value. No node matches it.
func TestParsePreference(t *testing.T) {
	preference := term(in("a", "not a value"))
	parsed, faults := nodeselector.ParsePreference(preference, field.NewPath("p"))
	if len(faults) > 0 || parsed.Matches("n1", map[string]string{"a": "not a value"}) {
		t.Errorf("%v, %v", parsed, faults)
	}
	if _, faults := nodeselector.ParseTerm(preference, field.NewPath("p")); len(faults) != 1 || faults[0].Field != "p.matchExpressions[0].values[0]" {
		t.Errorf("as a required term: %v", faults)
	}
}

func TestANodeWithoutANameMatchesFields(t *testing.T) {
	named := parse(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}})[0]
	for name, want := range map[string]bool{"": true, "n1": true, "n2": false} {
		if got := named.Matches(name, nil); got != want {
			t.Errorf("%q matches: %v", name, got)
		}
	}
}

// A requirement that a term already has, in whatever spelling, is not added.
func TestNarrowAddsWhatIsMissing(t *testing.T) {
	in := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	own := in("a", corev1.NodeSelectorOpIn, "1", "2")
	for _, test := range []struct {
		more  corev1.NodeSelectorRequirement
		added bool
	}{
		{own, false},
		{in("a", corev1.NodeSelectorOpIn, "2", "1", "1"), false},
		{in("b", corev1.NodeSelectorOpIn, "1", "2"), true},
		{in("a", corev1.NodeSelectorOpNotIn, "1"), true},
		{in("a", corev1.NodeSelectorOpIn, "1"), true},
	} {
		more := []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{test.more}}}
		narrowed := nodeselector.Narrow(requiring(term(own)), nil, func(int) nodeselector.Alternatives { return nodeselector.AnyOf(parse(more...), nil) })
		want := []corev1.NodeSelectorRequirement{own}
		if test.added {
			want = append(want, test.more)
		}
		if got := nodeselector.Required(narrowed).NodeSelectorTerms[0].MatchExpressions; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v with %v = %v", own, test.more, got)
		}
	}
}

// A term that has all requirements of one alternative already stays one term.
func TestNarrowKeepsATermThatImpliesAnAlternative(t *testing.T) {
	own := requiring(term(in("a", "1")), term(in("b", "1")))
	alternatives := nodeselector.AnyOf(parse(term(in("a", "1")), term(in("c", "1")), term(in("d", "1"))), nil)
	want := requiring(term(in("a", "1")), term(in("b", "1"), in("a", "1")), term(in("b", "1"), in("c", "1")), term(in("b", "1"), in("d", "1")))
	if got := nodeselector.Required(alternatives.Narrow(own, nil)); fmt.Sprint(got) != fmt.Sprint(nodeselector.Required(want)) {
		t.Errorf("got %v, want %v", got, nodeselector.Required(want))
	}
}

// An affinity with more terms than the limit is still narrowed, if it does not get more.
func TestNarrowKeepsTheNumberOfTerms(t *testing.T) {
	var own, want []corev1.NodeSelectorTerm
	for i := range 100 {
		k := in("k", fmt.Sprint(i))
		own, want = append(own, term(k, in("b", "1"))), append(want, term(k, in("b", "1"), in("x", "1")))
	}
	alternatives := nodeselector.AnyOf(parse(term(in("b", "1"), in("x", "1")), term(in("b", "2"), in("x", "2"))), nil)
	if got := nodeselector.Required(alternatives.Narrow(requiring(own...), nil)).NodeSelectorTerms; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Each own term is joined with its own terms. Empty terms are not counted.
func TestNarrowByTerm(t *testing.T) {
	exists := func(key string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpExists}
	}
	own := requiring(term(), term(exists("a")), term(exists("b")), term(exists("c")))
	narrowed := nodeselector.Narrow(own, nil, func(i int) nodeselector.Alternatives {
		return nodeselector.AnyOf(parse([][]corev1.NodeSelectorTerm{{term(exists("x")), term(exists("y"))}, nil, {term(exists("z"))}}[i]...), nil)
	})
	want := requiring(term(exists("a"), exists("x")), term(exists("a"), exists("y")), term(exists("c"), exists("z")))
	if fmt.Sprint(nodeselector.Required(narrowed)) != fmt.Sprint(nodeselector.Required(want)) {
		t.Errorf("got %v, want %v", nodeselector.Required(narrowed), nodeselector.Required(want))
	}
}

func term(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: expressions}
}

func requiring(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

// Only the requirements that exclude each other are named.
func TestConflictNamesWhatExcludes(t *testing.T) {
	of := func(all ...corev1.NodeSelectorRequirement) nodeselector.Alternatives {
		return nodeselector.AnyOf(parse(term(all...)), nil)
	}
	there, here, ok := of(in("a", "1"), in("b", "1"), in("c", "1")).Conflict(of(in("a", "1"), in("b", "2", "3"), in("d", "1")))
	if !ok || there.String() != "b In [1]" || here.String() != "b In [2, 3]" {
		t.Errorf("%v, %v, %v", there, here, ok)
	}
}

// many returns alternatives with one value of a key each, and a common requirement.
func many(n int, key, common string) nodeselector.Alternatives {
	terms := make([]corev1.NodeSelectorTerm, n)
	for i := range terms {
		terms[i] = term(in(key, fmt.Sprint(key, i)), in("common", common))
	}
	return nodeselector.AnyOf(parse(terms...), nil)
}

// Beyond the limits only what all terms have in common is compared: a conflict that is reported is
// one, and one between a term and each of many is found if one side is within the limits.
func TestConflictOfTooManyTerms(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b nodeselector.Alternatives
		want bool
	}{
		{"different values", many(1000, "k", "x"), many(60, "k", "x").And(many(1, "l", "x")), false},
		{"in common", many(1000, "k", "x"), many(1000, "l", "y"), true},
		{"within the limits", many(1000, "k", "x"), many(3, "m", "y"), true},
		{"each pair, of too many", many(1000, "k", "x"), disjoint(1000), false},
		{"each pair, one side within the limits", many(1000, "k", "x"), disjoint(60).And(nodeselector.True()), true},
	} {
		if _, _, ok := c.a.Conflict(c.b); ok != c.want {
			t.Errorf("%s: conflict is %v", c.name, ok)
		}
	}
}

// disjoint returns alternatives that exclude those of many on key k pair by pair, without having a
// requirement in common.
func disjoint(n int) nodeselector.Alternatives {
	terms := make([]corev1.NodeSelectorTerm, n)
	for i := range terms {
		terms[i] = term(in("k", fmt.Sprint("other", i)))
	}
	return nodeselector.AnyOf(parse(terms...), nil)
}

// A projection of too many terms keeps what they have in common.
func TestProjectIsBounded(t *testing.T) {
	var terms []corev1.NodeSelectorTerm
	for i := range 60 {
		terms = append(terms, term(in("a", fmt.Sprint(i)), in("b", fmt.Sprint(i)), corev1.NodeSelectorRequirement{Key: "c", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"1"}}))
	}
	projected := nodeselector.AnyOf(parse(terms...), nil).Project([]string{"a", "b", "c"})
	if got := fmt.Sprint(letters(projected)); got != "[[{c NotIn [1]}]]" {
		t.Errorf("got %s", got)
	}
	var wide []corev1.NodeSelectorRequirement
	for i := range 20 {
		wide = append(wide, in(fmt.Sprint("key-", i), "1"))
	}
	if projected := nodeselector.AnyOf(parse(term(wide...)), nil).Project([]string{"key-0", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7"}); len(projected) != 64 {
		t.Errorf("%d terms", len(projected))
	}
}

func TestSatisfiableWith(t *testing.T) {
	selector, _ := nodeselector.ParseSelector(map[string]string{"a": "1", "b": "2", "metadata.name": "n1"})
	named := parse(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "n2")}})[0]
	for _, c := range []struct {
		term     nodeselector.Term
		selector nodeselector.Term
		want     bool
	}{
		{nil, nil, true},
		{nil, selector, true},
		{parse(term(in("a", "1", "2"), in("c", "3")))[0], selector, true},
		{parse(term(in("c", "3"), in("b", "1")))[0], selector, false},
		{parse(term(in("c", "3"), in("c", "4")))[0], selector, false},
		{named, selector, true}, // the label is not the name
		{named, append(slices.Clone(selector), nodeselector.Name("n2")...), true},
		{named, append(slices.Clone(selector), nodeselector.Name("n1")...), false},
	} {
		if got := c.term.SatisfiableWith(c.selector); got != c.want {
			t.Errorf("%v with %v: %v", c.term, c.selector, got)
		}
		if got := len(nodeselector.AnyOf([]nodeselector.Term{c.term}, c.selector)) == 1; got != c.want {
			t.Errorf("AnyOf: %v with %v: %v", c.term, c.selector, got)
		}
	}
}

func TestImpossibleIsTheFirstSubject(t *testing.T) {
	t1 := parse(term(in("z", "1"), in("a", "1"), in("z", "2"), in("a", "2")))[0]
	if got := t1.Impossible().String(); got != "z In [1] and z In [2]" {
		t.Errorf("got %s", got)
	}
	if got := parse(term(in("z", "1"), in("a", "1")))[0].Impossible(); got != nil {
		t.Errorf("got %s", got)
	}
}

func TestLawG1MessagesAreShort(t *testing.T) {
	var expressions []corev1.NodeSelectorRequirement
	for i := range 1000 {
		expressions = append(expressions, in(fmt.Sprint("key-", i), "a", "b"))
	}
	if got := parse(term(expressions...))[0].String(); len(got) > 1000 || !regexp.MustCompile(` and [0-9]+ more$`).MatchString(got) {
		t.Errorf("%s", got)
	}
	_, faults := nodeselector.ParseSelector(map[string]string{strings.Repeat("\n", 1<<20): "a"})
	for _, fault := range faults {
		if text := fault.Error(); len(text) > message.Limit || strings.Contains(text, "\n") {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	oneKey := func(n int) corev1.NodeSelectorTerm {
		var expressions []corev1.NodeSelectorRequirement
		for i := range n {
			expressions = append(expressions, corev1.NodeSelectorRequirement{Key: "k", Operator: corev1.NodeSelectorOpNotIn, Values: []string{fmt.Sprint("v", i)}})
		}
		return term(expressions...)
	}
	keys := func(n int) corev1.NodeSelectorTerm {
		var expressions []corev1.NodeSelectorRequirement
		for i := range n {
			expressions = append(expressions, in(fmt.Sprintf("key-%06d", i), "a", "b"))
		}
		return term(expressions...)
	}
	selector := func(n int) nodeselector.Term {
		labels := map[string]string{}
		for i := range n {
			labels[fmt.Sprintf("key-%06d", i)] = "a"
		}
		parsed, _ := nodeselector.ParseSelector(labels)
		return parsed
	}
	terms := func(n int) []nodeselector.Term {
		var terms []corev1.NodeSelectorTerm
		for i := range n {
			terms = append(terms, term(in(fmt.Sprintf("key-%06d", i), "a"), in("own", fmt.Sprint(i))))
		}
		return parse(terms...)
	}
	with := func(terms []nodeselector.Term) nodeselector.Alternatives { return nodeselector.AnyOf(terms, nil) }
	for name, prepare := range map[string]func(n int) func(){
		"expressions on one key": func(n int) func() {
			t := oneKey(n)
			return func() { parse(t)[0].Impossible() }
		},
		"keys": func(n int) func() {
			t := keys(n)
			return func() { parse(t)[0].SatisfiableWith(selector(n)) }
		},
		"terms × node selector": func(n int) func() {
			terms, selector := terms(n), selector(n)
			return func() { nodeselector.AnyOf(terms, selector) }
		},
		"And of terms": func(n int) func() {
			a, b := with(terms(n)), many(n, "x", "y")
			return func() { a.And(b); a.And(nodeselector.True()) }
		},
		"And of keys": func(n int) func() {
			a, b := with(parse(keys(2*n))), many(10, "x", "y")
			return func() { a.And(b) }
		},
		"Conflict of terms": func(n int) func() {
			a, b := many(n, "x", "1"), many(n, "y", "2")
			return func() { a.Conflict(b) }
		},
		"Conflict with few terms": func(n int) func() {
			a, b := many(n, "x", "1"), many(50, "y", "2")
			return func() { a.Conflict(b) }
		},
		"Project": func(n int) func() {
			a, of := with(parse(keys(min(n, 1000)))), make([]string, n)
			for i := range of {
				of[i] = fmt.Sprintf("key-%06d", i)
			}
			return func() { a.Project(of) }
		},
		"Narrow terms": func(n int) func() {
			var own []corev1.NodeSelectorTerm
			for i := range n {
				own = append(own, term(in("own", fmt.Sprint("v", i))))
			}
			affinity, selector, a := requiring(own...), selector(n), many(8, "x", "y")
			return func() { a.Narrow(affinity, selector) }
		},
		"Narrow one term with many keys": func(n int) func() {
			affinity, a := requiring(keys(n)), many(8, "x", "y")
			return func() { a.Narrow(affinity, nil) }
		},
		"String": func(n int) func() {
			t := parse(keys(n))[0]
			return func() { _ = t.String() }
		},
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, 1000, prepare) })
	}
}
