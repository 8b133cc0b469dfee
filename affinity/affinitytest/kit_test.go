package affinitytest_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// The failures of a function that returns the own affinity as it is.
func TestFailuresReadWell(t *testing.T) {
	var all strings.Builder
	for _, f := range affinitytest.CheckInherit(func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		if s.Policy == affinity.Prefer && own == nil {
			panic("not\nexpected")
		}
		return own, nil
	}, affinitytest.Skip(affinitytest.C1, "X9")) {
		fmt.Fprintln(&all, f)
	}
	golden.Compare(t, *update, "testdata/failures.golden", []byte(all.String()))
}

// The subtests of TestInherit are those of a test of its own, which fails.
func TestTestInheritPrintsFailuresAndSkips(t *testing.T) {
	if testing.Short() {
		return
	}
	for name, want := range map[string][]string{
		"wrong": {"--- FAIL: TestSubject/R1", "--- PASS: TestSubject/R2", "--- SKIP: TestSubject/C1", "not claimed: ", "law R1 does not hold"},
		"hangs": {"--- FAIL: TestSubject/N1", "--- PASS: TestSubject/R1", "--- SKIP: TestSubject/N2", "not tested, because a call did not return"},
	} {
		t.Run(name, func(t *testing.T) {
			test := exec.Command(os.Args[0], "-test.run=^TestSubject$", "-test.v")
			test.Env = append(os.Environ(), "SUBJECT="+name)
			output, err := test.CombinedOutput()
			for _, text := range want {
				if err == nil || !strings.Contains(string(output), text) {
					t.Errorf("%v, no %q in\n%s", err, text, output)
				}
			}
		})
	}
}

// TestSubject is run by the test before it.
func TestSubject(t *testing.T) {
	switch os.Getenv("SUBJECT") {
	case "wrong":
		affinitytest.TestInherit(t, func(own *corev1.Affinity, _ affinity.Strategy, _ topology.LabelSet) (*corev1.Affinity, error) {
			return own.DeepCopy(), nil
		}, affinitytest.Skip(affinitytest.C1))
	case "hangs":
		affinitytest.TestInherit(t, func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
			if s.Policy == affinity.None {
				select {}
			}
			return right(own, s, from)
		}, affinitytest.Limit(time.Second))
	}
}

// The oracle is held against kube-scheduler's own code in internal/conformance.
func TestMatchAndScore(t *testing.T) {
	is := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	for _, c := range []struct {
		name string
		term corev1.NodeSelectorTerm
		node *corev1.Node
		want bool
	}{
		{"an empty term", corev1.NodeSelectorTerm{}, node("n", nil), false},
		{"absent", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "NotIn", "b"))}, nil, true},
		{"Gt", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "Gt", "3"))}, node("n", map[string]string{"a": "4"}), true},
		{"Gt without a value", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "Gt"))}, node("n", map[string]string{"a": "4"}), false},
		{"Lt", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "Lt", "3"))}, node("n", map[string]string{"a": "02"}), true},
		{"a value that no label can have", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "NotIn", "-b"))}, nil, false},
		{"a value that is too long", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "In", "b", strings.Repeat("c", 64)))}, node("n", map[string]string{"a": "b"}), false},
		{"a value with another character", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "NotIn", "b c"))}, nil, false},
		{"an unknown operator", corev1.NodeSelectorTerm{MatchExpressions: list(is("a", "Near", "3"))}, node("n", map[string]string{"a": "3"}), false},
		{"a name", corev1.NodeSelectorTerm{MatchFields: list(is("metadata.name", "In", "n"))}, node("n", nil), true},
		{"another name", corev1.NodeSelectorTerm{MatchFields: list(is("metadata.name", "NotIn", "n"))}, node("n", nil), false},
		{"a node without a name", corev1.NodeSelectorTerm{MatchFields: list(is("metadata.name", "In", "n"))}, nil, true},
		{"another field", corev1.NodeSelectorTerm{MatchFields: list(is("metadata.uid", "In", "n"))}, node("n", nil), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{c.term}},
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 3, Preference: c.term}},
			}}
			match, score := affinitytest.Match(a, c.node), affinitytest.Score(a, c.node)
			if match != c.want || (score == 3) != c.want {
				t.Errorf("Match = %v, Score = %d", match, score)
			}
		})
	}
	if !affinitytest.Match(nil, nil) || !affinitytest.Match(&corev1.Affinity{}, nil) || affinitytest.Score(nil, nil) != 0 {
		t.Error("nil does not match every node")
	}
}

func list[E any](elements ...E) []E { return elements }

func node(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// FindMatch returns a node that matches, and finds one if a drawn node does.
func TestFindMatchIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, labels := affinitytest.Affinities().Draw(t, "a"), affinitytest.LabelSets().Draw(t, "labels")
		asked := map[string]string{}
		for key, value := range labels.All() {
			asked[key] = value
		}
		found := affinitytest.FindMatch(a, asked)
		if found != nil && (!affinitytest.Match(a, found) || !reflect.DeepEqual(topology.NewLabelSet(found.Labels).Only(keys(asked)...), labels)) {
			t.Fatalf("%v does not match", found)
		}
		for range 8 {
			drawn := affinitytest.Nodes(labels).Draw(t, "node")
			if found == nil && affinitytest.Match(a, drawn) && reflect.DeepEqual(topology.NewLabelSet(drawn.Labels).Only(keys(asked)...), labels) {
				t.Fatalf("%v matches", drawn)
			}
		}
	})
	crowded := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: list(corev1.NodeSelectorRequirement{Key: "a", Operator: "Exists"}, corev1.NodeSelectorRequirement{Key: "a", Operator: "NotIn", Values: []string{"other", "otherr", ""}}),
	}}}}}
	if found := affinitytest.FindMatch(crowded, nil); found == nil || found.Labels["a"] != "otherrr" {
		t.Errorf("FindMatch = %v", found)
	}
	nobody := crowded.DeepCopy()
	nobody.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields = list(in("metadata.name", "n"), in("metadata.name", "m"))
	if found := affinitytest.FindMatch(nobody, nil); found != nil {
		t.Errorf("FindMatch = %v", found)
	}
	if found := affinitytest.FindMatch(nil, map[string]string{"a": "not a value"}); found != nil {
		t.Errorf("FindMatch = %v", found)
	}
}

func keys(labels map[string]string) (keys []string) {
	for key := range labels {
		keys = append(keys, key)
	}
	return keys
}

// The generators draw what a law can depend on.
func TestGeneratorsReachTheAwkward(t *testing.T) {
	reached := map[string]bool{}
	reach := func(what string, is bool) { reached[what] = reached[what] || is }
	property := func(t *rapid.T) {
		a := affinitytest.Affinities().Draw(t, "a")
		terms := requiredTerms(a)
		reach("nil", a == nil)
		reach("pod affinity", a != nil && a.PodAffinity != nil && len(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0)
		reach("several terms", len(terms) > 1)
		reach("no terms", a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil && len(terms) == 0)
		for _, term := range terms {
			reach("an empty term", len(term.MatchExpressions)+len(term.MatchFields) == 0)
			reach("fields only", len(term.MatchExpressions) == 0 && len(term.MatchFields) > 0)
			for i, e := range term.MatchExpressions {
				reach(string(e.Operator), true)
				reach("a key twice", i > 0 && term.MatchExpressions[0].Key == e.Key)
			}
		}
		s := affinitytest.Strategies().Draw(t, "s")
		reach("invalid", len(s.Validate(nil)) > 0)
		reach("default", s.Policy == affinity.Require && len(s.Requires) == 0)
		reach("a repeated key", len(s.Requires) > 1 && s.Requires[0] == s.Requires[1])
		reach("an empty value", strings.HasSuffix(affinitytest.LabelSets().Draw(t, "l").String(), "="))
	}
	for range 50 {
		rapid.Check(t, property)
	}
	for _, what := range []string{"nil", "pod affinity", "several terms", "no terms", "an empty term", "fields only", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt",
		"a key twice", "invalid", "default", "a repeated key", "an empty value"} {
		if !reached[what] {
			t.Errorf("not drawn: %s", what)
		}
	}
}
