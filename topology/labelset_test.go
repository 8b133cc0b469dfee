package topology_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/sets"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// labelKeys returns few keys, so that a key that is drawn is often present.
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
		keys := sets.List(sets.New(labelKeys()[:3]...).Insert(custom...))
		if diff := cmp.Diff(keys, topology.ExposedKeys(custom...)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestExpose(t *testing.T) {
	node := map[string]string{topology.Hostname: "n1", topology.Zone: "a", "disk": "", "gpu": "yes", "": "x"}
	for _, c := range []struct {
		name   string
		labels map[string]string
		custom []string
		want   string
	}{
		{"the built-in keys", node, nil, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"a custom key, in order", node, []string{"gpu"}, "gpu=yes,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"an empty value is present", node, []string{"disk"}, "disk=,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"an absent key is not", node, []string{"rack"}, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"a key named twice, one of them built in", node, []string{"gpu", "gpu", topology.Zone}, "gpu=yes,kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
		{"the empty key is not a label", node, []string{""}, "kubernetes.io/hostname=n1,topology.kubernetes.io/zone=a"},
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
			t.Errorf("All does not stop after a break: %s", key)
		}
		break
	}
	for _, other := range []topology.LabelSet{zero, ab.Only("a"), topology.NewLabelSet(map[string]string{"a": "1", "b": "3"})} {
		if ab.Equal(other) || cmp.Equal(ab, other) {
			t.Errorf("%s equals %s", ab, other)
		}
	}
}

func TestGetAndOnlyOfSetsOfAnySize(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 100} {
		labels := map[string]string{}
		var present, absent []string
		for i := range n {
			present, absent = append(present, fmt.Sprintf("key-%03d", 2*i)), append(absent, fmt.Sprintf("key-%03d", 2*i+1))
			labels[present[i]] = fmt.Sprint(i)
		}
		s := topology.NewLabelSet(labels)
		for i := range n {
			if value, ok := s.Get(present[i]); !ok || value != fmt.Sprint(i) {
				t.Errorf("of %d labels, Get of number %d = %q, %v", n, i, value, ok)
			}
			if value, ok := s.Get(absent[i]); ok || value != "" {
				t.Errorf("of %d labels, Get of an absent key = %q, %v", n, value, ok)
			}
		}
		for first := range n {
			want := maps.Clone(labels)
			for _, key := range present[:first] {
				delete(want, key)
			}
			for _, keys := range [][]string{present[first:], slices.Concat(absent, present[first:], present[first:])} {
				if got := s.Only(keys...); !got.Equal(topology.NewLabelSet(want)) {
					t.Errorf("of %d labels, Only(%q) = %s", n, keys, got)
				}
			}
		}
	}
}

func TestLabelSetHasItsLabels(t *testing.T) {
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
			t.Fatalf("Equal(%v) or go-cmp is not %v", other, equal)
		}
	})
}

// Writing to what a LabelSet was made of, or to what it returned, does not change it.
func TestLabelSetSharesNoMemory(t *testing.T) {
	const want = "a=1,kubernetes.io/hostname=n1"
	labels := map[string]string{"a": "1", topology.Hostname: "n1"}
	custom := []string{"a"}
	fromMap, exposed := topology.NewLabelSet(labels), topology.Expose(labels, custom...)
	affinity, annotations := fromMap.NodeAffinity(), fromMap.Annotations()
	fromAffinity, err := topology.FromNodeAffinity(affinity)
	if err != nil {
		t.Fatal(err)
	}
	fromAnnotations, err := topology.FromAnnotations(annotations)
	if err != nil {
		t.Fatal(err)
	}
	only := fromMap.Only("a", topology.Hostname)

	labels["a"], custom[0] = "changed", "changed"
	for key := range annotations {
		annotations[key] = "changed"
	}
	expressions := affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions
	for i := range expressions {
		expressions[i].Values[0], expressions[i].Key = "changed", "changed"
	}

	encodedAgain, err := topology.FromNodeAffinity(fromMap.NodeAffinity())
	if err != nil {
		t.Fatal(err)
	}
	annotatedAgain, err := topology.FromAnnotations(fromMap.Annotations())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]topology.LabelSet{
		"NodeAffinity": encodedAgain, "Annotations": annotatedAgain,
		"NewLabelSet": fromMap, "Expose": exposed, "FromNodeAffinity": fromAffinity, "FromAnnotations": fromAnnotations, "Only": only,
	} {
		mustEqual(t, name, want, s.String())
	}
}

func TestOnly(t *testing.T) {
	five := topology.NewLabelSet(map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"})
	for _, c := range []struct {
		keys []string
		want string
	}{
		{nil, ""}, {[]string{"b", "x", "b"}, "b=2"}, {[]string{"c", "b"}, "b=2,c=3"},
		{[]string{"a", "c", "e"}, "a=1,c=3,e=5"}, {[]string{"e", "d", "b", "a"}, "a=1,b=2,d=4,e=5"},
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

func TestLabelSetJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := labels().Draw(t, "labels")
		s := topology.NewLabelSet(labels)
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(labels)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "JSON", string(want), string(encoded))
		again := topology.NewLabelSet(map[string]string{"other": "label"})
		if err := json.Unmarshal(encoded, &again); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "decoded", s, again)
	})
	mustEqual(t, "JSON of the zero value in a struct", `{"Labels":{}}`, encode(t, struct{ Labels topology.LabelSet }{}))
	for encoded, want := range map[string]string{
		`{"Labels":null}`: "", `{}`: "", `{"Labels":{}}`: "", `{"Labels":{"b":"","a":"1"}}`: "a=1,b=",
	} {
		var got struct{ Labels topology.LabelSet }
		if err := json.Unmarshal([]byte(encoded), &got); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
		mustEqual(t, encoded, want, got.Labels.String())
	}
	for encoded, want := range map[string]string{
		`{"":"x"}`:                  "labels must have keys",
		`{"a":"1","a":"2"}`:         `label "a" is repeated`,
		`{"a":"1","b":"2","a":"1"}`: `label "a" is repeated`,
		`{"a":null}`:                `label "a" must be a string, not null`,
		`{"a":1}`:                   "labels must be an object of strings: json: cannot unmarshal number into Go",
		`["a"]`:                     "labels must be an object of strings: json: cannot unmarshal array into Go",
		`"a=1"`:                     "labels must be an object of strings: json: cannot unmarshal string into Go",
		`{"a":{"b":1}}`:             "labels must be an object of strings: json: cannot unmarshal object into Go",
	} {
		s := topology.NewLabelSet(map[string]string{"other": "label"})
		err := s.UnmarshalJSON([]byte(encoded))
		if err == nil || !strings.HasPrefix(err.Error(), want) || s.String() != "other=label" { // its end differs between releases of Go
			t.Errorf("%s: %v and %v, want %s", encoded, s, err, want)
		}
	}
	if err := new(topology.LabelSet).UnmarshalJSON([]byte("{")); err == nil {
		t.Error("text that is not JSON is accepted")
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
