package topology_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// The laws are tested over a few keys, so that what is asked for is often there.
func labelKeys() []string {
	return []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "example.com/disk", "gpu", "a.b"}
}

func labels() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(rapid.SampledFrom(labelKeys()), rapid.SampledFrom([]string{"", "a", "b", "1"}), 0, 6)
}

func TestLawE1ExposeIsTheRestrictionToBuiltInAndCustomKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		node := labels().Draw(t, "node")
		custom := rapid.SliceOfN(rapid.SampledFrom(append(labelKeys(), "absent", "")), 0, 4).Draw(t, "custom")
		got := maps.Collect(topology.Expose(node, custom...).All())

		want := map[string]string{}
		for key, value := range node {
			if slices.Contains(labelKeys()[:3], key) || slices.Contains(custom, key) {
				want[key] = value
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for _, key := range topology.ExposedKeys(custom...) {
			if !slices.Contains(labelKeys()[:3], key) && !slices.Contains(custom, key) {
				t.Fatalf("%s is exposed by nobody's wish", key)
			}
		}
	})
}

func TestExpose(t *testing.T) {
	node := map[string]string{topology.Hostname: "n1", topology.Zone: "a", "disk": "", "gpu": "yes", "": "garbage"}
	for _, c := range []struct {
		name   string
		labels map[string]string
		custom []string
		want   string
	}{
		{"the built-in keys that are there", node, nil, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"a custom key, sorted in", node, []string{"gpu"}, "gpu=yes,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"an empty value is there", node, []string{"disk"}, "disk=,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"an absent key is not", node, []string{"rack"}, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"a key named twice, one of them built in", node, []string{"gpu", "gpu", topology.Zone}, "gpu=yes,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"the empty key is none", node, []string{""}, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"a node without labels", nil, []string{"gpu"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := topology.Expose(c.labels, c.custom...).String(); got != c.want {
				t.Errorf("Expose = %q, want %q", got, c.want)
			}
		})
	}
	custom := make([]string, 1, 8)
	custom[0] = "gpu"
	topology.Expose(node, custom...)
	if got := custom[:cap(custom)]; !slices.Equal(got, []string{"gpu", "", "", "", "", "", "", ""}) {
		t.Errorf("Expose wrote to its argument: %q", got)
	}
}

func TestLawE2EncodingsAreInvertible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := topology.NewLabelSet(labels().Draw(t, "labels"))
		fromNode, err := topology.FromNodeAffinity(s.NodeAffinity())
		if err != nil || !fromNode.Equal(s) {
			t.Fatalf("%v became %v, %v in a node affinity", s, fromNode, err)
		}
		annotations := s.Annotations()
		fromJob, err := topology.FromAnnotations(annotations)
		if err != nil || !fromJob.Equal(s) {
			t.Fatalf("%v became %v, %v in annotations", s, fromJob, err)
		}
		if (annotations == nil) != (s.Len() == 0) || (s.NodeAffinity() == nil) != (s.Len() == 0) {
			t.Fatalf("encodings of %v: %v and %v", s, annotations, s.NodeAffinity())
		}
		for key, value := range s.All() { // the format of upstream.md, to the letter
			if annotations["affinity.dataflow.fluid.io."+key] != value {
				t.Fatalf("%s is not recorded in %v", key, annotations)
			}
		}
		if s.Len() > 0 && (annotations["affinity.dataflow.fluid.io/inject"] != "true" || len(annotations) != s.Len()+1) {
			t.Fatalf("annotations of %v: %v", s, annotations)
		}
		annotations = maps.Clone(annotations)
		if annotations != nil {
			annotations["example.com/other"] = "x"
			annotations["affinity.dataflow.fluid.io/labels"] = "gpu"
			if again, err := topology.FromAnnotations(annotations); err != nil || !again.Equal(s) {
				t.Fatalf("with other annotations: %v, %v", again, err)
			}
		}
	})
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

// in is an expression as the encoder writes it.
func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func term(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: expressions}
}

func recorded(terms ...corev1.NodeSelectorTerm) *corev1.NodeAffinity {
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}
}

func TestLawE4WhatNoEncoderWroteIsAnErrorThatSaysWhere(t *testing.T) {
	const terms = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
	fields := term(in("a", "1"))
	fields.MatchFields = []corev1.NodeSelectorRequirement{in("metadata.name", "n1")}
	preferring := recorded(term(in("a", "1")))
	preferring.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: term(in("a", "1"))}}
	notIn := in("a", "1")
	notIn.Operator = corev1.NodeSelectorOpNotIn

	for _, c := range []struct {
		name string
		a    *corev1.NodeAffinity
		want string // the labels, or
		at   []string
	}{
		{"nil", nil, "", nil},
		{"no required part", &corev1.NodeAffinity{}, "", nil},
		{"no term", recorded(), "", nil},
		{"an empty term", recorded(corev1.NodeSelectorTerm{}), "", nil},
		{"another order, as Fluid writes it", recorded(term(in("b", "2"), in("a", "1"))), "a=1,b=2", nil},
		{"an empty value", recorded(term(in("a", ""))), "a=", nil},

		{"two terms", recorded(term(in("a", "1")), term(in("b", "1"))), "", []string{terms}},
		{"another operator", recorded(term(notIn)), "", []string{terms + "[0].matchExpressions[0].operator"}},
		{"no value", recorded(term(in("a"))), "", []string{terms + "[0].matchExpressions[0].values"}},
		{"two values", recorded(term(in("a", "1", "2"))), "", []string{terms + "[0].matchExpressions[0].values"}},
		{"one key with two values", recorded(term(in("a", "1"), in("b", "1"), in("a", "2"))), "", []string{terms + "[0].matchExpressions[2].key"}},
		{"one key twice", recorded(term(in("a", "1"), in("a", "1"))), "", []string{terms + "[0].matchExpressions[1].key"}},
		{"no key", recorded(term(in("", "1"))), "", []string{terms + "[0].matchExpressions[0].key"}},
		{"fields", recorded(fields), "", []string{terms + "[0].matchFields"}},
		{"preferences", preferring, "", []string{"preferredDuringSchedulingIgnoredDuringExecution"}},
		{"everything at once", recorded(term(notIn), term(in("a"), in("b", "1", "2"))), "", []string{
			terms, terms + "[0].matchExpressions[0].operator", terms + "[1].matchExpressions[0].values", terms + "[1].matchExpressions[1].values",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := topology.FromNodeAffinity(c.a)
			if got.String() != c.want {
				t.Errorf("labels %q, want %q", got, c.want)
			}
			if diff := cmp.Diff(c.at, paths(err)); diff != "" {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}

// paths returns the fields that an error names.
func paths(err error) []string {
	var all utilerrors.Aggregate
	if !errors.As(err, &all) {
		return nil
	}
	var paths []string
	for _, err := range all.Errors() {
		var fault *field.Error
		if errors.As(err, &fault) {
			paths = append(paths, fault.Field)
		}
	}
	return paths
}

func TestLawE4Annotations(t *testing.T) {
	const on = "affinity.dataflow.fluid.io/inject"
	for _, c := range []struct {
		name        string
		annotations map[string]string
		want, wrong string
	}{
		{"nil", nil, "", ""},
		{"no switch", map[string]string{"affinity.dataflow.fluid.io.gpu": "yes"}, "", ""},
		{"the switch is off", map[string]string{on: "false", "affinity.dataflow.fluid.io.gpu": "yes"}, "", ""},
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

func TestLawE5ParseKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		annotation := rapid.StringOfN(rapid.SampledFrom([]rune("ab/.-, \t\n,A")), 0, 20, -1).Draw(t, "annotation")
		var keys []string
		malformed := 0
		start := 0
		for i := 0; i <= len(annotation); i++ {
			if i < len(annotation) && annotation[i] != ',' {
				continue
			}
			item := annotation[start:i]
			start = i + 1
			for item != "" && slices.Contains([]byte(" \t\n"), item[0]) {
				item = item[1:]
			}
			for item != "" && slices.Contains([]byte(" \t\n"), item[len(item)-1]) {
				item = item[:len(item)-1]
			}
			switch {
			case item == "":
			case len(validation.IsQualifiedName(item)) > 0:
				malformed++
			case !slices.Contains(keys, item):
				keys = append(keys, item)
			}
		}
		slices.Sort(keys)
		got, err := topology.ParseKeys(annotation)
		if len(paths(err)) != malformed {
			t.Fatalf("%v; want %d faults", err, malformed)
		}
		if malformed == 0 && !slices.Equal(got, keys) || malformed > 0 && got != nil {
			t.Fatalf("ParseKeys = %q, want %q", got, keys)
		}
	})
}

func TestParseKeys(t *testing.T) {
	for annotation, want := range map[string][]string{
		"":                    nil,
		" , ,,\t":             nil,
		"gpu":                 {"gpu"},
		" gpu ,example.com/a": {"example.com/a", "gpu"},
		"b,a,b":               {"a", "b"},
	} {
		if got, err := topology.ParseKeys(annotation); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseKeys(%q) = %q, %v; want %q", annotation, got, err, want)
		}
	}
	_, err := topology.ParseKeys("gpu, no key, a/b/c")
	const at = "metadata.annotations[affinity.dataflow.fluid.io/labels]"
	if diff := cmp.Diff([]string{at, at}, paths(err)); diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	var fault *field.Error
	if !errors.As(err, &fault) || fault.BadValue != "no key" {
		t.Errorf("the fault is in %v, want it in the key alone", fault.BadValue)
	}
}

func TestLabelSet(t *testing.T) {
	var zero topology.LabelSet
	ab := topology.NewLabelSet(map[string]string{"b": "2", "a": "1"})
	if zero.Len() != 0 || zero.String() != "" || !zero.Equal(topology.NewLabelSet(nil)) || !cmp.Equal(zero, topology.NewLabelSet(map[string]string{"": "x"})) {
		t.Error("the zero value is not the empty set")
	}
	if ab.Len() != 2 || ab.String() != "a=1,b=2" {
		t.Errorf("%d labels: %s", ab.Len(), ab)
	}
	if value, ok := ab.Get("b"); value != "2" || !ok {
		t.Errorf("Get = %q, %v", value, ok)
	}
	if value, ok := ab.Get("c"); value != "" || ok {
		t.Errorf("Get of an absent key = %q, %v", value, ok)
	}
	for key := range ab.All() {
		if key != "a" {
			t.Errorf("ranging went on after a break: %s", key)
		}
		break
	}
	for _, other := range []topology.LabelSet{zero, ab.Only("a"), topology.NewLabelSet(map[string]string{"a": "1", "b": "3"})} {
		if ab.Equal(other) || cmp.Equal(ab, other) {
			t.Errorf("%s equals %s", ab, other)
		}
	}
	for _, c := range []struct {
		keys []string
		want string
	}{{nil, ""}, {[]string{"b", "c", "b"}, "b=2"}, {[]string{"b", "a"}, "a=1,b=2"}} {
		if got := ab.Only(c.keys...).String(); got != c.want {
			t.Errorf("Only(%q) = %q, want %q", c.keys, got, c.want)
		}
	}
}

// Small and large sets, and short and long lists, are looked through in different ways.
func TestGetAndOnlyOfSetsOfAnySize(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 100} {
		labels := map[string]string{}
		var there, absent []string
		for i := range n {
			there, absent = append(there, fmt.Sprintf("key-%03d", 2*i)), append(absent, fmt.Sprintf("key-%03d", 2*i+1))
			labels[there[i]] = fmt.Sprint(i)
		}
		s := topology.NewLabelSet(labels)
		for i := range n {
			if value, ok := s.Get(there[i]); !ok || value != fmt.Sprint(i) {
				t.Errorf("of %d labels, Get of number %d = %q, %v", n, i, value, ok)
			}
			if value, ok := s.Get(absent[i]); ok || value != "" {
				t.Errorf("of %d labels, Get of an absent key = %q, %v", n, value, ok)
			}
		}
		for first := range n {
			want := maps.Clone(labels)
			for _, key := range there[:first] {
				delete(want, key)
			}
			for _, keys := range [][]string{there[first:], slices.Concat(absent, there[first:], there[first:])} {
				if got := s.Only(keys...); !got.Equal(topology.NewLabelSet(want)) {
					t.Errorf("of %d labels, Only(%q) = %s", n, keys, got)
				}
			}
		}
	}
}

// Whatever is given to a label set or comes from it can be written to.
func TestLabelSetIsImmutable(t *testing.T) {
	given := map[string]string{"a": "1"}
	s := topology.NewLabelSet(given)
	given["a"] = "scribbled"
	s.Annotations()["affinity.dataflow.fluid.io.a"] = "scribbled"
	a := s.NodeAffinity()
	a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "scribbled"
	decoded, err := topology.FromNodeAffinity(s.NodeAffinity())
	if err != nil || s.String() != "a=1" || decoded.String() != "a=1" {
		t.Errorf("the set is %s, decoded %s, %v", s, decoded, err)
	}
}

// What is kept of a set may stand together in it or apart.
func TestOnlyKeepsWhatIsNamed(t *testing.T) {
	five := topology.NewLabelSet(map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"})
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"b", "c"}, "b=2,c=3"}, {[]string{"a", "c", "e"}, "a=1,c=3,e=5"}, {[]string{"e", "d", "b", "a"}, "a=1,b=2,d=4,e=5"},
	} {
		if got := five.Only(c.keys...).String(); got != c.want {
			t.Errorf("Only(%q) = %q, want %q", c.keys, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		all := labels().Draw(t, "labels")
		keys := rapid.SliceOfN(rapid.SampledFrom(append(labelKeys(), "absent", "")), 0, 6).Draw(t, "keys")
		want := map[string]string{}
		for _, key := range keys {
			if value, ok := all[key]; ok {
				want[key] = value
			}
		}
		set := topology.NewLabelSet(all)
		got := set.Only(keys...)
		if diff := cmp.Diff(topology.NewLabelSet(want), got); diff != "" || got.Len() != len(want) {
			t.Fatalf("Only(%q) of %s: %s", keys, set, diff)
		}
		if len(want) == 0 && !reflect.DeepEqual(got, topology.LabelSet{}) {
			t.Fatalf("Only(%q) of %s is not the zero value", keys, set)
		}
	})
}
