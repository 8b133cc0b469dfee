package nodeselector_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

func alternatives() *rapid.Generator[nodeselector.Alternatives] {
	return rapid.Custom(func(t *rapid.T) nodeselector.Alternatives {
		a := nodeselector.Alternatives{}
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
			parsed, faults := nodeselector.ParseTerm(term, nil)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if parsed.Satisfiable() {
				a = append(a, parsed)
			}
		}
		return a
	})
}

func match(a nodeselector.Alternatives, name string, labels map[string]string) bool {
	return slices.ContainsFunc(a, func(t nodeselector.Term) bool { return t.Matches(name, labels) })
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
		both := a.Both(b)
		excluded := true
		if len(a)*len(b) > 0 {
			_, _, excluded = a.Exclude(b)
		}
		possible := false
		everyNode(func(name string, labels map[string]string) {
			want := match(a, name, labels) && match(b, name, labels)
			if got := match(both, name, labels); got != want {
				t.Fatalf("%v and %v = %v matches %s %v: %v", a, b, both, name, labels, got)
			}
			possible = possible || want
		})
		if len(both) == 0 != !possible || excluded == possible {
			t.Fatalf("%v and %v = %v, excluded: %v, possible: %v", a, b, both, excluded, possible)
		}
	})
}

// Leading asks for a node such that there can be another that a matches and that has the
// node's values of the keys.
func TestLeadingIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := alternatives().Draw(t, "a").Both(nodeselector.Anything())
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "keys")
		leading := a.Leading(keys)
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
		own, more := alternatives().Draw(t, "own"), alternatives().Draw(t, "more").Both(nodeselector.Anything())
		if more.IsAnything() {
			return
		}
		var a *corev1.Affinity
		if rapid.Bool().Draw(t, "required") {
			a = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: own.Terms()}}}
		} else {
			own = nodeselector.Anything()
		}
		narrowed := nodeselector.Narrow(a, more.Terms(), func(_, _ *corev1.NodeSelectorTerm) bool { return true })
		terms, faults := nodeselector.ParseTerms(nodeselector.Required(narrowed).NodeSelectorTerms, nil)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		everyNode(func(name string, labels map[string]string) {
			ofOwn := slices.ContainsFunc(own, func(o nodeselector.Term) bool { return (len(o) > 0 || a == nil) && o.Matches(name, labels) })
			if got, want := match(terms, name, labels), ofOwn && match(more, name, labels); got != want {
				t.Fatalf("%v narrowed to %v = %v matches %s %v: %v", own, more, terms, name, labels, got)
			}
		})
	})
}

// Too much is given up bit by bit, and what is left is never too narrow.
func TestBothIsBounded(t *testing.T) {
	each := func(key string, values int, common ...string) nodeselector.Alternatives {
		var a nodeselector.Alternatives
		for v := range values {
			term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{fmt.Sprint(v)}},
			}}
			for _, key := range common {
				term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpExists})
			}
			parsed, _ := nodeselector.ParseTerm(term, nil)
			a = append(a, parsed)
		}
		return a
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
		{"too many requirements", each("a", 2, many...), each("b", 1), 1, 601},
		{"too many requirements in common", each("a", 1, many...), each("b", 1, more...), 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			both := c.a.Both(c.b)
			if len(both) != c.terms || len(both[0]) != c.first {
				t.Errorf("%d terms, the first of %d; want %d, %d", len(both), len(both[0]), c.terms, c.first)
			}
		})
	}
	if none := (nodeselector.Alternatives{}); len(none.Both(each("a", 5000))) != 0 || len(each("a", 5000).Both(none)) != 0 {
		t.Error("no alternatives and others are some")
	}
}

func TestWays(t *testing.T) {
	malformed := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{},
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "not a key", Operator: corev1.NodeSelectorOpExists}}},
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: corev1.NodeSelectorOpExists}}},
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "b", Operator: corev1.NodeSelectorOpDoesNotExist}}},
		},
	}}}
	for _, c := range []struct {
		selector map[string]string
		affinity *corev1.Affinity
		want     string
	}{
		{nil, nil, "[]"},
		{map[string]string{"b": "1"}, nil, "[b In [1]]"},
		{map[string]string{"b": "1"}, malformed, "[a Exists and b In [1]]"},
		{nil, malformed, "[a Exists b DoesNotExist]"},
		{map[string]string{"not a key": "1"}, malformed, "[]"},
	} {
		if got := fmt.Sprint(nodeselector.Ways(c.selector, c.affinity)); got != c.want {
			t.Errorf("Ways(%v) = %s, want %s", c.selector, got, c.want)
		}
	}
}
