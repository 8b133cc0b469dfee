package topology_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(string, ...any)
}

func mustEqual(t tester, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s, -want +got:\n%s", what, diff)
	}
}

// fieldErrors returns the entries of an error, which must be an Aggregate of *field.Errors and, as
// its first entry, a *field.Error. It returns nil for nil.
func fieldErrors(t tester, err error) []*field.Error {
	t.Helper()
	if err == nil {
		return nil
	}
	var first *field.Error
	var all utilerrors.Aggregate
	if !errors.As(err, &first) || !errors.As(err, &all) {
		t.Fatalf("error %v is not a list of *field.Error", err)
	}
	var entries []*field.Error
	for _, err := range all.Errors() {
		var entry *field.Error
		if !errors.As(err, &entry) {
			t.Fatalf("%v is not a *field.Error", err)
		}
		entries = append(entries, entry)
	}
	mustEqual(t, "first entry", entries[0], first)
	return entries
}

// faults returns the messages of the entries of an error.
func faults(t tester, err error) []string {
	t.Helper()
	var messages []string
	for _, fault := range fieldErrors(t, err) {
		messages = append(messages, fault.Error())
	}
	return messages
}

// in returns an expression in the form of the encoding.
func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func term(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: expressions}
}

func recorded(terms ...corev1.NodeSelectorTerm) *corev1.NodeAffinity {
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}
}

// anyLabels draws any labels, valid or not.
func anyLabels() *rapid.Generator[map[string]string] {
	key := rapid.OneOf(rapid.SampledFrom(labelKeys()), rapid.StringN(1, 8, -1))
	return rapid.MapOfN(key, rapid.OneOf(rapid.SampledFrom([]string{"a", ""}), rapid.String()), 0, 6)
}

func TestLawE2EncodingsAreInvertible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := topology.NewLabelSet(anyLabels().Draw(t, "labels"))
		a, annotations := s.NodeAffinity(), s.Annotations()
		if (a == nil) != (s.Len() == 0) || (annotations == nil) != (s.Len() == 0) {
			t.Fatalf("encodings of %v: %v and %v", s, a, annotations)
		}
		if a != nil && rapid.Bool().Draw(t, "Fluid's order") {
			terms := a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			terms[0].MatchExpressions = rapid.Permutation(terms[0].MatchExpressions).Draw(t, "order")
		}
		got, err := topology.FromNodeAffinity(a)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "decoded node affinity", s, got)

		if annotations != nil {
			mustEqual(t, "number of annotations", s.Len()+1, len(annotations))
		}
		if annotations != nil && rapid.Bool().Draw(t, "other annotations") {
			annotations["affinity.dataflow.fluid.io/labels"] = "tier"
			annotations["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
			annotations[""] = ""
		}
		got, err = topology.FromAnnotations(annotations)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "decoded annotations", s, got)
	})
}

func TestLawE2EncodingsAreFluids(t *testing.T) {
	s := topology.NewLabelSet(map[string]string{"topology.kubernetes.io/zone": "east-a", "kubernetes.io/hostname": "n1", "tier": ""})
	encoded, err := json.Marshal(s.NodeAffinity())
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "status.nodeAffinity", `{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[`+
		`{"key":"kubernetes.io/hostname","operator":"In","values":["n1"]},`+
		`{"key":"tier","operator":"In","values":[""]},`+
		`{"key":"topology.kubernetes.io/zone","operator":"In","values":["east-a"]}]}]}}`, string(encoded))
	mustEqual(t, "annotations", map[string]string{
		"affinity.dataflow.fluid.io/inject":                      "true",
		"affinity.dataflow.fluid.io.kubernetes.io/hostname":      "n1",
		"affinity.dataflow.fluid.io.tier":                        "",
		"affinity.dataflow.fluid.io.topology.kubernetes.io/zone": "east-a",
	}, s.Annotations())
}

func TestLawE3EncodingsAreSortedByKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := topology.NewLabelSet(labels().Draw(t, "labels"))
		keys := slices.Collect(maps.Keys(maps.Collect(s.All())))
		slices.Sort(keys)
		var all, encoded []string
		for key := range s.All() {
			all = append(all, key)
		}
		if a := s.NodeAffinity(); a != nil {
			for _, e := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
				encoded = append(encoded, e.Key)
			}
		}
		if !slices.Equal(all, keys) || !slices.Equal(encoded, keys) {
			t.Fatalf("keys %v are ranged over as %v and encoded as %v", keys, all, encoded)
		}
	})
}

// A random node affinity is decoded exactly if it is an encoding in some order.
func TestLawE4DecodingIsTheInverseOfEncoding(t *testing.T) {
	expression := rapid.Custom(func(t *rapid.T) corev1.NodeSelectorRequirement {
		e := in(rapid.SampledFrom([]string{"a", "b", "c", "d", ""}).Draw(t, "key"), "1")
		if rapid.IntRange(0, 9).Draw(t, "odd") == 9 {
			e.Operator = rapid.SampledFrom([]corev1.NodeSelectorOperator{"NotIn", "in", ""}).Draw(t, "operator")
		}
		if rapid.IntRange(0, 9).Draw(t, "odd") == 9 {
			e.Values = rapid.SliceOfN(rapid.Just("1"), 0, 2).Draw(t, "values")
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		a := &corev1.NodeAffinity{}
		if n := rapid.IntRange(0, 3).Draw(t, "terms"); n > 0 {
			a = recorded(make([]corev1.NodeSelectorTerm, (n+1)/2)...)
			for i := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
				a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i] = term(rapid.SliceOfN(expression, 0, 3).Draw(t, "expressions")...)
			}
		}
		s, err := topology.FromNodeAffinity(a)
		if want := isEncoding(a); (err == nil) != want {
			t.Fatalf("FromNodeAffinity = %v, %v; is an encoding: %v", s, err, want)
		}
		if err == nil {
			mustBeEncoded(t, a, s)
		}
	})
}

// isEncoding reports whether a is empty, or in the form that Fluid and NodeAffinity write.
func isEncoding(a *corev1.NodeAffinity) bool {
	required := a.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil || len(required.NodeSelectorTerms) == 0 {
		return true
	}
	keys := map[string]bool{"": true}
	for _, e := range required.NodeSelectorTerms[0].MatchExpressions {
		if keys[e.Key] || e.Operator != "In" || len(e.Values) != 1 {
			return false
		}
		keys[e.Key] = true
	}
	return len(required.NodeSelectorTerms) == 1
}

// mustBeEncoded fails the test if a, which was decoded to s, is not the encoding of s in some order
// of expressions, or empty.
func mustBeEncoded(t tester, a *corev1.NodeAffinity, s topology.LabelSet) {
	t.Helper()
	again, err := topology.FromNodeAffinity(s.NodeAffinity())
	if err != nil || !again.Equal(s) {
		t.Fatalf("decoded %v, encoded and decoded again %v, %v", s, again, err)
	}
	if s.Len() == 0 {
		return
	}
	anyOrder := cmpopts.SortSlices(func(a, b corev1.NodeSelectorRequirement) bool { return a.Key < b.Key })
	if diff := cmp.Diff(a, s.NodeAffinity(), anyOrder, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("decoded to %v, which encodes otherwise, -before +after:\n%s", s, diff)
	}
}

func TestLawE4OtherFormsAreErrorsWithPaths(t *testing.T) {
	const path = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	exists := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpExists}
	gt := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpGt, Values: []string{"1"}}
	notIn := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"1"}}
	onlyFields := corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "n1")}}
	withFields := term(in("a", "1"))
	withFields.MatchFields = onlyFields.MatchFields
	onlyPreferring := &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1}}}
	preferring := recorded(term(in("a", "1")))
	preferring.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: term(in("a", "1"))}}

	for _, c := range []struct {
		name   string
		a      *corev1.NodeAffinity
		want   string // the labels
		faults []string
	}{
		{"nil", nil, "", nil},
		{"no required part", &corev1.NodeAffinity{}, "", nil},
		{"no term", recorded(), "", nil},
		{"an empty term", recorded(term()), "", nil},
		{"another order", recorded(term(in("b", "2"), in("a", "1"))), "a=1,b=2", nil},
		{"an empty value", recorded(term(in("a", ""))), "a=", nil},

		{"two terms", recorded(term(in("a", "1")), term(in("b", "1"))), "", []string{
			path + `: Invalid value: 2: must be at most one term`,
		}},
		{"another operator", recorded(term(gt)), "", []string{
			path + `[0].matchExpressions[0].operator: Unsupported value: "Gt": supported values: "In"`,
		}},
		{"the opposite operator", recorded(term(notIn)), "", []string{
			path + `[0].matchExpressions[0].operator: Unsupported value: "NotIn": supported values: "In"`,
		}},
		{"another operator without a value", recorded(term(exists)), "", []string{
			path + `[0].matchExpressions[0].operator: Unsupported value: "Exists": supported values: "In"`,
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
		}},
		{"no value", recorded(term(in("a"))), "", []string{
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
		}},
		{"two values", recorded(term(in("b", "1"), in("a", "1", "2"))), "", []string{
			path + `[0].matchExpressions[1].values: Invalid value: "1, 2": must be the one value of the label`,
		}},
		{"one key with two values", recorded(term(in("a", "1"), in("a", "2"))), "", []string{
			path + `[0].matchExpressions[1].key: Duplicate value: "a"`,
		}},
		{"one key twice with the same value", recorded(term(in("a", "1"), in("b", "1"), in("a", "1"))), "", []string{
			path + `[0].matchExpressions[2].key: Duplicate value: "a"`,
		}},
		{"no key", recorded(term(in("", "1"), in("", "1"))), "", []string{
			path + `[0].matchExpressions[0].key: Required value: a label key`,
			path + `[0].matchExpressions[1].key: Required value: a label key`,
		}},
		{"control characters", recorded(term(in("a\n", "1"), in("a\n", "\x1b[1m", "\u202e"))), "", []string{
			path + `[0].matchExpressions[1].key: Duplicate value: "a\n"`,
			path + `[0].matchExpressions[1].values: Invalid value: "\x1b[1m, \u202e": must be the one value of the label`,
		}},
		{"fields", recorded(onlyFields), "", []string{
			path + `[0].matchFields: Forbidden: only labels are recorded`,
		}},
		{"fields and a label", recorded(withFields), "", []string{
			path + `[0].matchFields: Forbidden: only labels are recorded`,
		}},
		{"preferences", onlyPreferring, "", []string{
			`preferredDuringSchedulingIgnoredDuringExecution: Forbidden: recorded labels are required, never preferred`,
		}},
		{"preferences and a label", preferring, "", []string{
			`preferredDuringSchedulingIgnoredDuringExecution: Forbidden: recorded labels are required, never preferred`,
		}},
		{"every fault at once", recorded(term(in("a")), term(in("b", "1", "2"), gt)), "", []string{
			path + `: Invalid value: 2: must be at most one term`,
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
			path + `[1].matchExpressions[0].values: Invalid value: "1, 2": must be the one value of the label`,
			path + `[1].matchExpressions[1].operator: Unsupported value: "Gt": supported values: "In"`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := topology.FromNodeAffinity(c.a)
			mustEqual(t, "labels", c.want, got.String())
			mustEqual(t, "faults", c.faults, faults(t, err))
			if err != nil {
				mustEqual(t, "labels with an error", topology.LabelSet{}, got)
			}
		})
	}
}

func TestLawE4Annotations(t *testing.T) {
	const on = "affinity.dataflow.fluid.io/inject"
	for _, c := range []struct {
		name        string
		annotations map[string]string
		want, wrong string
	}{
		{"nil", nil, "", ""},
		{"recording is not on", map[string]string{"affinity.dataflow.fluid.io.gpu": "yes"}, "", ""},
		{"recording is off", map[string]string{on: "false", "affinity.dataflow.fluid.io.gpu": "yes"}, "", ""},
		{"a key with a slash", map[string]string{on: "true", "affinity.dataflow.fluid.io.topology.kubernetes.io/zone": "a"}, "topology.kubernetes.io/zone=a", ""},
		{"an empty value", map[string]string{on: "true", "affinity.dataflow.fluid.io.gpu": ""}, "gpu=", ""},
		{"not recorded yet", map[string]string{on: "true", "affinity.dataflow.fluid.io/labels": "gpu"}, "", "no label recorded yet, although affinity.dataflow.fluid.io/inject is true"},
		{"a label without a key", map[string]string{on: "true", "affinity.dataflow.fluid.io.": "x", "affinity.dataflow.fluid.io.gpu": "yes"}, "",
			`metadata.annotations[affinity.dataflow.fluid.io.]: Invalid value: "x": a label key must follow affinity.dataflow.fluid.io.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := topology.FromAnnotations(c.annotations)
			if got.String() != c.want || (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
				t.Errorf("FromAnnotations = %q, %v; want %q, %s", got, err, c.want, c.wrong)
			}
		})
	}
	if _, err := topology.FromAnnotations(map[string]string{on: "true"}); !errors.Is(err, topology.ErrNotRecorded) {
		t.Errorf("%v is not ErrNotRecorded", err)
	}
}
