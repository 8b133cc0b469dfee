package topology_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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

	encodedAgain, err := topology.FromNodeAffinity(ofMap.NodeAffinity())
	if err != nil {
		t.Fatal(err)
	}
	annotatedAgain, err := topology.FromAnnotations(ofMap.Annotations())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]topology.LabelSet{
		"NodeAffinity": encodedAgain, "Annotations": annotatedAgain,
		"NewLabelSet": ofMap, "Expose": exposed, "FromNodeAffinity": ofAffinity, "FromAnnotations": ofAnnotations, "Only": narrowed,
	} {
		mustEqual(t, name, want, s.String())
	}
}

// What is kept of a set may stand together in it or apart.
func TestOnlyKeepsWhatIsNamed(t *testing.T) {
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
