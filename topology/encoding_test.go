package topology_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

func mustEqual(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s, -want +got:\n%s", what, diff)
	}
}

// faults are the parts of an error that is both an Aggregate and, by its first
// part, a *field.Error.
func faults(t *testing.T, err error) []string {
	t.Helper()
	var first *field.Error
	var all utilerrors.Aggregate
	if !errors.As(err, &first) || !errors.As(err, &all) {
		t.Fatalf("error %v is no list of *field.Error", err)
	}
	var messages []string
	for _, err := range all.Errors() {
		messages = append(messages, err.Error())
	}
	mustEqual(t, "first fault", messages[0], first.Error())
	return messages
}

// anyLabels draws labels of any kind, also such as no node can have.
func anyLabels() *rapid.Generator[map[string]string] {
	key := rapid.OneOf(rapid.SampledFrom(labelKeys()), rapid.StringN(1, 8, -1))
	return rapid.MapOfN(key, rapid.OneOf(rapid.SampledFrom([]string{"a", ""}), rapid.String()), 0, 6)
}

func TestLawE2NodeAffinityAndBackIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := topology.NewLabelSet(anyLabels().Draw(t, "labels"))
		encoded := s.NodeAffinity()
		if rapid.Bool().Draw(t, "Fluid's order") && encoded != nil {
			terms := encoded.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			terms[0].MatchExpressions = rapid.Permutation(terms[0].MatchExpressions).Draw(t, "order")
		}
		got, err := topology.FromNodeAffinity(encoded)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "decoded", s, got)
	})
}

func TestLawE2AnnotationsAndBackIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := topology.NewLabelSet(anyLabels().Draw(t, "labels"))
		encoded := s.Annotations()
		if encoded != nil && rapid.Bool().Draw(t, "others beside them") {
			encoded["affinity.dataflow.fluid.io/labels"] = "tier"
			encoded["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
			encoded[""] = ""
		}
		got, err := topology.FromAnnotations(encoded)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "decoded", s, got)
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

// A random node affinity decodes just when it is, but for order, what is encoded.
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

// isEncoding reports whether a is empty, or what Fluid or NodeAffinity writes.
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

// mustBeEncoded says that a, which was decoded to s, is what s encodes to, but for
// the order of expressions and for empty shells.
func mustBeEncoded(t interface {
	Helper()
	Fatalf(string, ...any)
}, a *corev1.NodeAffinity, s topology.LabelSet) {
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

func TestLawE4EveryFaultIsNamedWithItsPath(t *testing.T) {
	const path = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	exists := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpExists}
	gt := corev1.NodeSelectorRequirement{Key: "a", Operator: corev1.NodeSelectorOpGt, Values: []string{"1"}}
	for _, test := range []struct {
		name     string
		affinity *corev1.NodeAffinity
		want     []string
	}{
		{"two terms", recorded(term(in("a", "1")), term(in("b", "1"))), []string{
			path + `: Invalid value: 2: must be at most one term`,
		}},
		{"another operator", recorded(term(gt)), []string{
			path + `[0].matchExpressions[0].operator: Unsupported value: "Gt": supported values: "In"`,
		}},
		{"another operator without a value", recorded(term(exists)), []string{
			path + `[0].matchExpressions[0].operator: Unsupported value: "Exists": supported values: "In"`,
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
		}},
		{"no value", recorded(term(in("a", []string{}...))), []string{
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
		}},
		{"two values", recorded(term(in("b", "1"), in("a", "1", "2"))), []string{
			path + `[0].matchExpressions[1].values: Invalid value: "1, 2": must be the one value of the label`,
		}},
		{"one key with two values", recorded(term(in("a", "1"), in("a", "2"))), []string{
			path + `[0].matchExpressions[1].key: Duplicate value: "a"`,
		}},
		{"one key twice with the same value", recorded(term(in("a", "1"), in("b", "1"), in("a", "1"))), []string{
			path + `[0].matchExpressions[2].key: Duplicate value: "a"`,
		}},
		{"no key", recorded(term(in("", "1"))), []string{
			path + `[0].matchExpressions[0].key: Required value: a label key`,
		}},
		{"fields", recorded(corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "n1")}}), []string{
			path + `[0].matchFields: Forbidden: only labels are recorded`,
		}},
		{"preferences", &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1}}}, []string{
			`preferredDuringSchedulingIgnoredDuringExecution: Forbidden: recorded labels are required, never preferred`,
		}},
		{"every fault at once", recorded(term(in("a")), term(in("b", "1"), gt)), []string{
			path + `: Invalid value: 2: must be at most one term`,
			path + `[0].matchExpressions[0].values: Invalid value: "": must be the one value of the label`,
			path + `[1].matchExpressions[1].operator: Unsupported value: "Gt": supported values: "In"`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := topology.FromNodeAffinity(test.affinity)
			mustEqual(t, "labels beside an error", topology.LabelSet{}, got)
			mustEqual(t, "faults", test.want, faults(t, err))
		})
	}
}

func TestLawE5ParseKeysReadsAnyList(t *testing.T) {
	wellFormed := rapid.SampledFrom([]string{"a", "b", "Tier", "example.com/gpu", topology.Hostname, topology.Zone})
	malformed := rapid.SampledFrom([]string{"-a", "a b", "/a", "a/", "a/b/c", "A.com/x", "é", strings.Repeat("a", 64)})
	blank := rapid.SampledFrom([]string{"", " ", "\t", "\n  "})
	rapid.Check(t, func(t *rapid.T) {
		keys, bad := []string(nil), sets.New[string]()
		var items []string
		sound := rapid.Bool().Draw(t, "sound")
		for range rapid.IntRange(0, 6).Draw(t, "items") {
			item := ""
			switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
			case kind == 0:
			case kind == 4 && !sound:
				item = malformed.Draw(t, "malformed")
				bad.Insert(item)
			default:
				item = wellFormed.Draw(t, "key")
				keys = append(keys, item)
			}
			items = append(items, blank.Draw(t, "before")+item+blank.Draw(t, "after"))
		}
		got, err := topology.ParseKeys(strings.Join(items, ","))
		if len(bad) == 0 {
			slices.Sort(keys)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "keys", slices.Compact(keys), got)
			return
		}
		reported := sets.New[string]()
		var all utilerrors.Aggregate
		if !errors.As(err, &all) {
			t.Fatalf("ParseKeys = %v, %v; want an error", got, err)
		}
		for _, err := range all.Errors() {
			var fault *field.Error
			errors.As(err, &fault)
			mustEqual(t, "path", "metadata.annotations[affinity.dataflow.fluid.io/labels]", fault.Field)
			reported.Insert(fault.BadValue.(string))
		}
		mustEqual(t, "reported keys", sets.List(bad), sets.List(reported))
		mustEqual(t, "keys beside an error", []string(nil), got)
	})
}

func TestLawE5EveryMalformedKeyIsNamed(t *testing.T) {
	keys, err := topology.ParseKeys("tier,a b, tier, /x")
	mustEqual(t, "keys", []string(nil), keys)
	mustEqual(t, "faults", []string{
		`metadata.annotations[affinity.dataflow.fluid.io/labels]: Invalid value: "a b": not a label key: name part must consist of alphanumeric ` +
			`characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', ` +
			`regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
		`metadata.annotations[affinity.dataflow.fluid.io/labels]: Invalid value: "/x": not a label key: prefix part must be non-empty`,
	}, faults(t, err))
}

func TestLabelSetIsItsLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := anyLabels().Draw(t, "labels")
		s := topology.NewLabelSet(labels)
		mustEqual(t, "all", labels, maps.Collect(s.All()))
		mustEqual(t, "len", len(labels), s.Len())
		for _, key := range append(labelKeys(), slices.Collect(maps.Keys(labels))...) {
			want, wantOK := labels[key]
			got, ok := s.Get(key)
			if got != want || ok != wantOK {
				t.Fatalf("Get(%q) = %q, %v, want %q, %v", key, got, ok, want, wantOK)
			}
		}
		other := anyLabels().Draw(t, "other")
		if rapid.Bool().Draw(t, "the same") {
			other = maps.Clone(labels)
		}
		equal := maps.Equal(labels, other)
		if s.Equal(topology.NewLabelSet(other)) != equal || cmp.Equal(s, topology.NewLabelSet(other)) != equal {
			t.Fatalf("Equal(%v) and go-cmp should both say %v", other, equal)
		}
	})
}

// Whatever is written to what a LabelSet was made of, or to what it gave out, it
// stays as it is.
func TestLabelSetSharesNoMemory(t *testing.T) {
	const want = "a=1,kubernetes.io/hostname=n1"
	labels := map[string]string{"a": "1", topology.Hostname: "n1"}
	custom := []string{"a"}
	ofMap, exposed := topology.NewLabelSet(labels), topology.Expose(labels, custom...)
	affinity, annotations := ofMap.NodeAffinity(), ofMap.Annotations()
	ofAffinity, err := topology.FromNodeAffinity(affinity)
	if err != nil {
		t.Fatal(err)
	}
	ofAnnotations, err := topology.FromAnnotations(annotations)
	if err != nil {
		t.Fatal(err)
	}
	narrowed := ofMap.Only("a", topology.Hostname)

	labels["a"], custom[0] = "scribbled", "scribbled"
	for key := range annotations {
		annotations[key] = "scribbled"
	}
	expressions := affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions
	for i := range expressions {
		expressions[i].Values[0], expressions[i].Key = "scribbled", "scribbled"
	}

	for name, s := range map[string]topology.LabelSet{
		"NewLabelSet": ofMap, "Expose": exposed, "FromNodeAffinity": ofAffinity, "FromAnnotations": ofAnnotations, "Only": narrowed,
	} {
		mustEqual(t, name, want, s.String())
	}
}
