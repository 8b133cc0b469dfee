package affinity_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// numbered returns n different label keys.
func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("example.com/label-%d", i*7919%n)
	}
	return keys
}

// labelled returns the labels with the given keys and one value.
func labelled(keys []string) map[string]string {
	all := make(map[string]string, len(keys))
	for _, key := range keys {
		all[key] = "a"
	}
	return all
}

// preferred returns a strategy that prefers labels with the given keys.
func preferred(keys []string) affinity.Strategy {
	s := affinity.Strategy{Policy: affinity.Prefer}
	for _, key := range keys {
		s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: key, Weight: 1})
	}
	return s
}

// each returns one expression for each key.
func each(keys []string, expression func(key string) corev1.NodeSelectorRequirement) []corev1.NodeSelectorRequirement {
	expressions := make([]corev1.NodeSelectorRequirement, len(keys))
	for i, key := range keys {
		expressions[i] = expression(key)
	}
	return expressions
}

// separate returns a term for each expression.
func separate(expressions []corev1.NodeSelectorRequirement) *corev1.Affinity {
	terms := make([]corev1.NodeSelectorTerm, len(expressions))
	for i, e := range expressions {
		terms[i] = term(e)
	}
	return requiring(terms...)
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	theSame := func(key string) corev1.NodeSelectorRequirement { return in(key, "a") }
	others := func(key string) corev1.NodeSelectorRequirement { return in("own."+key, "a") }
	conflicting := func(key string) corev1.NodeSelectorRequirement { return in(key, "b") }
	onOneKey := func(key string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: "k", Operator: corev1.NodeSelectorOpNotIn, Values: []string{strings.TrimPrefix(key, "example.com/")}}
	}
	inherit := func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) func() {
		return func() {
			var conflict *affinity.ConflictError
			if _, err := affinity.Inherit(own, s, from); errors.As(err, &conflict) {
				_ = conflict.Error()
			} else if err != nil {
				panic(err)
			}
		}
	}
	compile := func(selector map[string]string, own *corev1.Affinity) func() {
		return func() {
			m, err := affinity.Compile(selector, own)
			if err != nil {
				_ = err.Error()
				return
			}
			m.Satisfiable()
			m.Match(newNode("n", nil))
		}
	}
	zone := topology.NewLabelSet(map[string]string{"zone": "a"})

	for name, prepare := range map[string]func(n int) func(){
		"Require: keys, all exposed": func(n int) func() {
			return inherit(nil, require(numbered(n)...), topology.NewLabelSet(labelled(numbered(n))))
		},
		"Require: keys, none exposed": func(n int) func() { return inherit(nil, require(numbered(n)...), topology.LabelSet{}) },
		"Require: one key many times": func(n int) func() { return inherit(nil, require(slices.Repeat([]string{"zone"}, n)...), zone) },
		"Require: exposed labels":     func(n int) func() { return inherit(nil, require(), topology.NewLabelSet(labelled(numbered(n)))) },
		"Require: own terms":          func(n int) func() { return inherit(separate(each(numbered(n), others)), require("zone"), zone) },
		"Require: own expressions": func(n int) func() {
			return inherit(requiring(term(each(numbered(n), others)...)), require("zone"), zone)
		},
		"Require: expressions on a key": func(n int) func() {
			return inherit(requiring(term(each(numbered(n), onOneKey)...)), require("k"), topology.NewLabelSet(map[string]string{"k": "b"}))
		},
		"Require: own values": func(n int) func() {
			return inherit(requiring(term(in("zone", append(slices.Repeat([]string{"b"}, n), "a")...))), require("zone"), zone)
		},
		"Require: keys and expressions": func(n int) func() {
			return inherit(requiring(term(each(numbered(n), others)...)), require(numbered(n)...), topology.NewLabelSet(labelled(numbered(n))))
		},
		"Require: all is there already": func(n int) func() {
			return inherit(requiring(term(each(numbered(n), theSame)...)), require(numbered(n)...), topology.NewLabelSet(labelled(numbered(n))))
		},
		"Require: conflicting terms": func(n int) func() {
			return inherit(separate(each(numbered(n), conflicting)), require(numbered(n)...), topology.NewLabelSet(labelled(numbered(n))))
		},
		"Require: a conflict, expressions on a key": func(n int) func() {
			return inherit(requiring(term(append(each(numbered(n), onOneKey), in("zone", "b"))...)), require("zone"), zone)
		},
		"Prefer: keys, all exposed": func(n int) func() {
			return inherit(nil, preferred(numbered(n)), topology.NewLabelSet(labelled(numbered(n))))
		},
		"Prefer: all is there already": func(n int) func() {
			own := preferring()
			for _, key := range numbered(n) {
				own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution, weighted(1, in(key, "a")))
			}
			return inherit(own, preferred(numbered(n)), topology.NewLabelSet(labelled(numbered(n))))
		},
		"faults of a strategy": func(n int) func() {
			s := preferred(slices.Repeat([]string{"no key"}, n))
			return func() {
				_, err := affinity.Inherit(nil, s, zone)
				_ = err.Error()
			}
		},
		"FindConflict: node selector": func(n int) func() {
			selector, inherited := labelled(numbered(n)), topology.NewLabelSet(map[string]string{numbered(n)[0]: "b"})
			return func() { affinity.FindConflict(selector, nil, inherited) }
		},
		"FindConflict: node selector and terms": func(n int) func() {
			selector, own := labelled(numbered(n)), separate(append(each(numbered(n), conflicting), each(numbered(n), others)...))
			return func() {
				if affinity.FindConflict(selector, own, topology.NewLabelSet(map[string]string{"own." + numbered(n)[0]: "b"})) != nil {
					panic("conflict")
				}
			}
		},
		"ConflictError: refusals": func(n int) func() {
			err := affinity.ConflictError{Refusals: slices.Repeat([]affinity.Refusal{{Key: "zone", Value: "a", Expression: in("zone", "b")}}, n)}
			return func() { _ = err.Error() }
		},
		"ConflictError: values": func(n int) func() {
			err := affinity.ConflictError{Refusals: []affinity.Refusal{{Key: "zone", Value: "a", Expression: in("zone", numbered(n)...)}}}
			return func() { _ = err.Error() }
		},
		"Compile: terms":                func(n int) func() { return compile(nil, separate(each(numbered(n), others))) },
		"Compile: expressions":          func(n int) func() { return compile(nil, requiring(term(each(numbered(n), others)...))) },
		"Compile: expressions on a key": func(n int) func() { return compile(nil, requiring(term(each(numbered(n), onOneKey)...))) },
		"Compile: terms and a selector": func(n int) func() { return compile(labelled(numbered(n)), separate(each(numbered(n), conflicting))) },
		"Compile: faults":               func(n int) func() { return compile(nil, separate(each(slices.Repeat([]string{"no key"}, n), theSame))) },
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, 1000, prepare) })
	}
}

// checkMessages fails the test if a message is long or has characters that are not printable, for an
// error and every error in it.
func checkMessages(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	checkMessage(t, err)
	for _, fault := range faults(err) {
		checkMessage(t, fault)
	}
}

func checkMessage(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if i := strings.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }); i >= 0 || len(text) > message.Limit {
		t.Errorf("%d bytes, not printable at %d: %.500q", len(text), i, text)
	}
}

func TestLawG1MessagesAreShortAndPrintable(t *testing.T) {
	long, control := strings.Repeat("a", 1<<13), strings.Repeat("\x1b\u202e\n", 1<<11)
	for _, text := range []string{long, control} {
		exists := corev1.NodeSelectorRequirement{Key: text, Operator: corev1.NodeSelectorOpExists}
		operator := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOperator(text)}
		for _, own := range []*corev1.Affinity{
			requiring(term(in("zone", text))), requiring(term(exists)), requiring(term(operator)), preferring(weighted(1, exists)),
			separate(slices.Repeat([]corev1.NodeSelectorRequirement{in("zone", text, text)}, 20)),
			requiring(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in(text, text)}}),
		} {
			_, err := affinity.Compile(nil, own)
			checkMessages(t, err)
		}
		for _, selector := range []map[string]string{{text: "a"}, {"a": text}} {
			_, err := affinity.Compile(selector, nil)
			checkMessages(t, err)
		}
		for _, s := range []affinity.Strategy{{Policy: affinity.Policy(text)}, require(text), require(slices.Repeat([]string{text}, 20)...), preferred([]string{text})} {
			_, err := affinity.Inherit(nil, s, topology.LabelSet{})
			checkMessages(t, err)
		}
		for _, labels := range []map[string]string{{text: "a"}, {"zone": text}} {
			checkMessages(t, affinity.FindConflict(nil, nil, topology.NewLabelSet(labels)))
		}
		refusal := affinity.Refusal{Key: text, Value: text, Expression: in(text, text, text)}
		for _, by := range []affinity.RefusedBy{affinity.ByTerm, affinity.ByNodeSelector, affinity.ByLabelSyntax, ""} {
			refusal.By = by
			checkMessages(t, &affinity.ConflictError{Source: text, SpecPath: text, Refusals: slices.Repeat([]affinity.Refusal{refusal}, 10_000)})
		}
	}

	// Valid labels of the greatest length are named in full.
	key := strings.Repeat("a", 253) + "/" + strings.Repeat("b", 63)
	var values []string
	for i := range 300 {
		values = append(values, fmt.Sprintf("%063d", i))
	}
	terms := slices.Repeat([]corev1.NodeSelectorTerm{term(in(key, values...))}, 1000)
	value := strings.Repeat("c", 63)
	_, err := affinity.Inherit(requiring(terms...), require(key), topology.NewLabelSet(map[string]string{key: value}))
	checkMessages(t, err)
	if !strings.Contains(err.Error(), key+"="+value) || !strings.HasSuffix(err.Error(), ", and 996 more") {
		t.Errorf("%s", err)
	}
}
