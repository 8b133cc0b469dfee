package affinity_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// parseAffinity parses the notation of the tables below. Terms are separated by | and expressions by
// ; and an expression is a key, an operator and values separated by commas. The key @name means
// matchFields. "-" is an affinity without a required part, "" one without terms, and "()" is an empty
// term.
func parseAffinity(text string) *corev1.Affinity {
	if text == "-" {
		return nil
	}
	required := &corev1.NodeSelector{}
	for _, part := range strings.Split(text, "|") {
		var term corev1.NodeSelectorTerm
		for _, expression := range strings.Split(part, ";") {
			words := strings.Fields(expression)
			if len(words) < 2 {
				continue
			}
			e := corev1.NodeSelectorRequirement{Key: words[0], Operator: corev1.NodeSelectorOperator(words[1])}
			if len(words) > 2 {
				e.Values = strings.Split(strings.ReplaceAll(words[2], `""`, ""), ",")
			}
			if e.Key == "@name" {
				e.Key = "metadata.name"
				term.MatchFields = append(term.MatchFields, e)
			} else {
				term.MatchExpressions = append(term.MatchExpressions, e)
			}
		}
		if strings.TrimSpace(part) != "" {
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, term)
		}
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}}
}

// parseLabels parses "a=1,b=2".
func parseLabels(text string) map[string]string {
	labels := map[string]string{}
	for _, part := range strings.Split(text, ",") {
		if key, value, ok := strings.Cut(part, "="); ok {
			labels[key] = value
		}
	}
	return labels
}

func TestConflictsReadWell(t *testing.T) {
	var got bytes.Buffer
	section := ""
	for _, c := range []struct {
		section, selector, own, inherited string
	}{
		{"One term", "", "-", "zone=a"},
		{"", "", "zone In a", "zone=a"},
		{"", "", "zone In a,b", "zone=b"},
		{"", "", "zone In b", "zone=a"},
		{"", "", "zone In b,c", "zone=a"},
		{"", "", "zone NotIn a", "zone=a"},
		{"", "", "zone NotIn a,b", "zone=c"},
		{"", "", "zone Exists", "zone=a"},
		{"", "", "zone DoesNotExist", "zone=a"},
		{"", "", "disk DoesNotExist", "zone=a"},
		{"", "", `zone In ""`, "zone="},
		{"", "", "zone In a", "zone="},
		{"", "", `zone NotIn ""`, "zone="},
		{"", "", "zone Exists", "zone="},
		{"", "", "gpu In yes; zone In b; disk Exists", "zone=a"},
		{"", "", "gpu In yes; disk Exists", "zone=a"},
		{"", "", "zone In a,b; zone NotIn a", "zone=a"},
		{"", "", "zone In a,b; zone NotIn a", "zone=b"},
		{"", "", "@name In node-1", "kubernetes.io/hostname=node-2"},

		{"Numbers", "", "cores Gt 8", "cores=16"},
		{"", "", "cores Gt 8", "cores=8"},
		{"", "", "cores Lt 8", "cores=8"},
		{"", "", "cores Gt 8", "cores=many"},
		{"", "", "cores Gt 8", "cores=009"},
		{"", "", "cores Gt 8", "cores=99999999999999999999"},
		{"", "", "cores Gt 3; cores Lt 5", "cores=4"},
		{"", "", "cores Gt 3; cores Lt 5; cores NotIn 4", "cores=4"},
		{"", "", "cores Gt 3; cores Lt 5; cores NotIn 4", "cores=04"},

		{"Several terms", "", "zone In a | zone In b", "zone=a"},
		{"", "", "zone In b | zone In c", "zone=a"},
		{"", "", "zone In b | disk Exists", "zone=a"},
		{"", "", "zone In b; disk Exists | zone NotIn a; gpu In yes", "zone=a"},
		{"", "", "zone In b | rack In r2", "rack=r1,zone=a"},
		{"", "", "zone In b | ()", "zone=a"},

		{"Terms that no node matches", "", "", "zone=a"},
		{"", "", "()", "zone=a"},
		{"", "", "disk Exists; disk DoesNotExist", "zone=a"},
		{"", "", "disk In x; disk In y; zone In b", "zone=a"},
		{"", "", "disk Exists; disk DoesNotExist | zone In b", "zone=a"},
		{"", "", "cores Gt 3; cores Lt 4 | zone In b", "zone=a"},
		{"", "", "@name In n1; @name NotIn n1 | zone In b", "zone=a"},
		{"", "", "zone Near b", "zone=a"},

		{"The node selector", "zone=a", "-", "zone=a"},
		{"", "zone=b", "-", "zone=a"},
		{"", "zone=b", "zone In a,b", "zone=a"},
		{"", "zone=b", "disk Exists | gpu Exists", "zone=a"},
		{"", "disk=ssd", "zone In b", "zone=a"},
		{"", "zone=b", "zone In c", "zone=a"},
		{"", "disk=ssd", "disk In hdd | zone In b", "zone=a"},
		{"", "zone=", "-", "zone=a"},
		{"", "zone=not valid", "-", "zone=a"},

		{"A label that no node can have", "", "-", "zone=not valid"},
		{"", "", "zone In b | disk Exists", "zone=not valid"},
		{"", "", "()", "zone=not valid"},
		{"", "", "-", "not valid=a"},
		{"", "", "zone In b | disk Exists", "a/b/c=a"},
		{"", "", "()", "a/b/c=a"},
		{"", "zone=b", "-", "a/b/c=a"},

		{"A requirement that no node can meet", "", "cores Gt many", "cores=16"},
		{"", "", "cores Gt many | cores Gt 8", "cores=8"},
		{"", "", "cores Lt 16.5 | cores Gt 8", "cores=9"},

		{"Nothing inherited", "", "zone In b", ""},
	} {
		if c.section != "" {
			section = c.section
			fmt.Fprintf(&got, "%s\n%s\n\n", section, strings.Repeat("-", len(section)))
		}
		own := parseAffinity(c.own)
		conflict := affinity.FindConflict(parseLabels(c.selector), own, topology.NewLabelSet(parseLabels(c.inherited)))
		if c.selector != "" {
			fmt.Fprintf(&got, "selector   %s\n", c.selector)
		}
		fmt.Fprintf(&got, "own        %s\ninherited  %s\n", c.own, c.inherited)
		if conflict != nil {
			fmt.Fprintf(&got, "           %s\n\n", conflict)
		} else {
			fmt.Fprintf(&got, "           no conflict\n\n")
		}
	}
	golden.Compare(t, *update, "testdata/conflicts.golden", got.Bytes())
}

func TestConflictErrorNamesSourceAndPath(t *testing.T) {
	for _, c := range []struct {
		name string
		err  affinity.ConflictError
		want string
	}{
		{"source and path", affinity.ConflictError{
			Source:   "DataLoad default/loadA",
			SpecPath: "spec",
			Refusals: []affinity.Refusal{{Key: "topology.kubernetes.io/zone", Value: "east-a", Expression: corev1.NodeSelectorRequirement{
				Key: "topology.kubernetes.io/zone", Operator: corev1.NodeSelectorOpIn, Values: []string{"west-c"},
			}}},
		}, "cannot follow DataLoad default/loadA: it ran where topology.kubernetes.io/zone=east-a, but spec.affinity requires topology.kubernetes.io/zone In [west-c]"},
		{"zero", affinity.ConflictError{}, "cannot follow the source"},
		{"unknown refusal", affinity.ConflictError{Refusals: []affinity.Refusal{{}}}, `cannot follow the source: it ran where =, but affinity requires   []`},
		{"malformed expression", affinity.ConflictError{Refusals: []affinity.Refusal{{Key: "a", Value: "b", Expression: corev1.NodeSelectorRequirement{Key: "a\n", Operator: "Near", Values: []string{"c"}}}}},
			`cannot follow the source: it ran where a=b, but affinity requires "a\n Near [c]"`},
		{"control characters", affinity.ConflictError{Source: "a\x1b[1m", SpecPath: "spec\n", Refusals: []affinity.Refusal{{Key: "a\u202e", Value: "b", By: affinity.ByLabelSyntax}}},
			`cannot follow "a\x1b[1m": it ran where "a\u202e=b", but "a\u202e" is not a label key`},
		{"five terms", affinity.ConflictError{Refusals: slices.Repeat([]affinity.Refusal{{Key: "a", Value: "b", By: affinity.ByTerm, Term: 7, Expression: in("a", "c")}}, 5)},
			"cannot follow the source: it ran where a=b, but term 7 of affinity requires a In [c], and term 7 of affinity requires a In [c], " +
				"and term 7 of affinity requires a In [c], and term 7 of affinity requires a In [c], and 1 more"},
		{"no refusals", affinity.ConflictError{Source: "DataLoad default/loadA", SpecPath: "spec"}, "cannot follow DataLoad default/loadA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.err.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNilConflictErrorHasAMessage(t *testing.T) {
	var err *affinity.ConflictError
	if got := err.Error(); got != "cannot follow the source" {
		t.Errorf("got %s", got)
	}
}

func TestInheritReturnsTheConflict(t *testing.T) {
	own := parseAffinity("zone In b | zone DoesNotExist")
	result, err := affinity.Inherit(own, affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "zone"}}}, topology.NewLabelSet(map[string]string{"zone": "a"}))
	var conflict *affinity.ConflictError
	if !errors.As(err, &conflict) || !cmp.Equal(result, affinity.Result{}) {
		t.Fatalf("Inherit = %v, %v", result, err)
	}
	terms := own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	want := []affinity.Refusal{
		{Key: "zone", Value: "a", By: affinity.ByTerm, Term: 0, Expression: terms[0].MatchExpressions[0]},
		{Key: "zone", Value: "a", By: affinity.ByTerm, Term: 1, Expression: terms[1].MatchExpressions[0]},
	}
	if diff := cmp.Diff(want, conflict.Refusals); diff != "" {
		t.Error(diff)
	}
	conflict.Refusals[0].Expression.Values[0] = "changed"
	if terms[0].MatchExpressions[0].Values[0] != "b" {
		t.Error("the error shares memory with the affinity")
	}
}

func TestPreferNeverConflicts(t *testing.T) {
	_, err := affinity.Inherit(parseAffinity("zone In b"), affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "zone", Weight: 1}}}, topology.NewLabelSet(map[string]string{"zone": "a"}))
	if err != nil {
		t.Error(err)
	}
}

// BenchmarkFindConflict compares the check for conflicts with the Inherit that contains it.
func BenchmarkFindConflict(b *testing.B) {
	from := topology.NewLabelSet(map[string]string{topology.Hostname: "gpu-a1", topology.Zone: "east-a"})
	s := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Hostname}, {Key: topology.Zone}}}
	for _, own := range []string{"example.com/gpu In a100", "topology.kubernetes.io/zone In east-a,east-b"} {
		a := parseAffinity(own)
		b.Run(own, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if affinity.FindConflict(nil, a, from) != nil {
					b.Fatal("conflict")
				}
			}
		})
		b.Run(own+"/Inherit", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := affinity.Inherit(a, s, from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSatisfiable(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		text := "cores Gt 3; cores Lt 4"
		for i := range n {
			text += fmt.Sprintf("; key-%d In a,b,c", i/2)
		}
		m, err := affinity.Compile(nil, parseAffinity(text))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				if m.Satisfiable() {
					b.Fatal("satisfiable")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/expression")
		})
	}
}
