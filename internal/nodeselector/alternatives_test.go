package nodeselector_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// terms draws terms, some of which no node can match.
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
					e.Values = []string{"2"}
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

// parse parses terms, of which an empty one asks for nothing.
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

// match goes by what alternatives make of an affinity.
func match(a nodeselector.Alternatives, name string, labels map[string]string) bool {
	if a.IsTrue() {
		return true
	}
	terms := nodeselector.Required(a.Narrow(nil, nil)).NodeSelectorTerms
	return slices.ContainsFunc(parse(terms...), func(t nodeselector.Term) bool { return t.Matches(name, labels) })
}

// everyNode tries every state of three labels, and two names.
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

func TestBothIsTheConjunction(t *testing.T) {
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
					t.Fatalf("%v and %v = %v asks twice for %s", a, b, letters(both), ask)
				}
			}
		}
		if len(both) == 0 != !possible || excluded == possible {
			t.Fatalf("%v and %v = %v, excluded: %v, possible: %v", a, b, both, excluded, possible)
		}
	})
}

// Leading asks for a node such that there can be another that a matches and that has the
// node's values of the keys.
func TestLeadingIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := alternatives().Draw(t, "a").And(nodeselector.True())
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "keys")
		leading := a.Project(keys)
		leads := map[string]bool{} // by the states of the keys
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
			for absent := range 1 << len(keys) { // whoever leads may lack labels
				led := map[string]string{}
				for k, key := range keys {
					if value, ok := labels[key]; ok && absent&(1<<k) == 0 {
						led[key] = value
					}
				}
				leads[of(led)] = true
			}
		})
		everyNode(func(name string, labels map[string]string) {
			if got := match(leading, name, labels); got != leads[of(labels)] {
				t.Fatalf("Leading(%v) of %v = %v matches %v: %v", keys, a, leading, labels, got)
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
		joined := nodeselector.Required(nodeselector.Narrow(a, alternatives, func(_, _ *corev1.NodeSelectorTerm) bool { return true })).NodeSelectorTerms
		matches := func(terms []corev1.NodeSelectorTerm, name string, labels map[string]string) bool {
			return slices.ContainsFunc(terms, func(t corev1.NodeSelectorTerm) bool {
				return !nodeselector.IsEmpty(t) && parse(t)[0].Matches(name, labels)
			})
		}
		everyNode(func(name string, labels map[string]string) {
			want := (a == nil || matches(own, name, labels)) && match(more, name, labels)
			if value, ok := selector["a"]; !ok || labels["a"] == value {
				// Alone, a term that asks for nothing is an empty one.
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

// Too much is given up bit by bit, and what is left is never too narrow.
func TestBothIsBounded(t *testing.T) {
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
		terms, first int // how many terms, and requirements in the first
	}{
		{"all of both", each("a", 8), each("b", 8), 64, 2},
		{"one side in common", each("a", 8), each("b", 9, "x"), 8, 2},
		{"the other side in common", each("a", 65, "x"), each("b", 9), 9, 2},
		{"both in common", each("a", 65, "x"), each("b", 65, "y"), 1, 2},
		{"nothing in common", each("a", 65), each("b", 65), 1, 0},
		{"too many to multiply", each("a", 5000, "x"), each("b", 2), 2, 2},
		{"too many, and anything", each("a", 65, "x"), nodeselector.True(), 1, 1},
		{"anything, and too many", nodeselector.True(), each("a", 65, "x"), 1, 1},
		{"as many as there may be", each("a", 64), each("b", 1), 64, 2},
		{"one more", each("a", 65, "x"), each("b", 1), 1, 2},
		{"as many requirements as there may be", each("a", 32, many[:30]...), each("b", 1), 32, 32},
		{"some more", each("a", 32, many[:31]...), each("b", 1), 1, 32},
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
		t.Error("no alternatives and others are some")
	}
}

// letters returns what each term asks for, to the letter.
func letters(a nodeselector.Alternatives) [][]string {
	var all [][]string
	for _, term := range nodeselector.Required(a.Narrow(nil, nil)).NodeSelectorTerms {
		var asks []string
		for _, e := range slices.Concat(term.MatchExpressions, term.MatchFields) {
			asks = append(asks, fmt.Sprint(e))
		}
		all = append(all, asks)
	}
	return all
}

func TestImpliesIsToTheLetter(t *testing.T) {
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
				t.Fatalf("%v does not imply anything", a)
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

// Every fault has its path, and what is well-formed none.
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

func TestANodeWithoutANameSatisfiesFields(t *testing.T) {
	named := parse(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}})[0]
	for name, want := range map[string]bool{"": true, "n1": true, "n2": false} {
		if got := named.Matches(name, nil); got != want {
			t.Errorf("%q matches: %v", name, got)
		}
	}
}

// Only what a term has to the letter is not added again.
func TestNarrowAddsWhatIsNotThere(t *testing.T) {
	in := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	own := in("a", corev1.NodeSelectorOpIn, "1", "2")
	for _, more := range []corev1.NodeSelectorRequirement{
		own,
		in("b", corev1.NodeSelectorOpIn, "1", "2"),
		in("a", corev1.NodeSelectorOpNotIn, "1", "2"),
		in("a", corev1.NodeSelectorOpIn, "1"),
		in("a", corev1.NodeSelectorOpIn, "2", "1"),
	} {
		a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{own}}}}}}
		alternatives := []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{more}}}
		narrowed := nodeselector.Narrow(a, alternatives, func(_, _ *corev1.NodeSelectorTerm) bool { return true })
		want := []corev1.NodeSelectorRequirement{own, more}
		if fmt.Sprint(own) == fmt.Sprint(more) {
			want = want[:1]
		}
		if got := nodeselector.Required(narrowed).NodeSelectorTerms[0].MatchExpressions; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v with %v = %v", own, more, got)
		}
	}
}

// Of what excludes each other, only that is named.
func TestExcludeNamesWhatExcludes(t *testing.T) {
	in := func(key string, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
	}
	of := func(all ...corev1.NodeSelectorRequirement) nodeselector.Alternatives {
		return nodeselector.AnyOf(parse(corev1.NodeSelectorTerm{MatchExpressions: all}), nil)
	}
	there, here, ok := of(in("a", "1"), in("b", "1"), in("c", "1")).Conflict(of(in("a", "1"), in("b", "2", "3"), in("d", "1")))
	if !ok || there.String() != "b In [1]" || here.String() != "b In [2, 3]" {
		t.Errorf("%v, %v, %v", there, here, ok)
	}
}
