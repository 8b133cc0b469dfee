package topology_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluid-cloudnative/slipstream/topology"
)

func FuzzParseKeys(f *testing.F) {
	for _, annotation := range []string{
		"", ",", " ", "tier", "tier,tier", "b, a", "kubernetes.io/hostname,topology.kubernetes.io/zone,topology.kubernetes.io/region",
		"a b", "/x", "a/b/c", "\u00a0tier\u2003", "tier\x00", "é,\xff", strings.Repeat("a", 64), strings.Repeat("a.", 130) + "/b",
	} {
		f.Add(annotation)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		keys, err := topology.ParseKeys(annotation)
		if err != nil {
			if keys != nil || len(faults(t, err)) == 0 {
				t.Fatalf("ParseKeys = %v, %v", keys, err)
			}
			return
		}
		for i, key := range keys {
			if len(validation.IsQualifiedName(key)) > 0 || i > 0 && keys[i-1] >= key {
				t.Fatalf("ParseKeys = %q: malformed, unsorted or repeated at %d", keys, i)
			}
		}
		again, err := topology.ParseKeys(strings.Join(keys, ","))
		if err != nil || !slices.Equal(keys, again) {
			t.Fatalf("ParseKeys = %q, and of those: %q, %v", keys, again, err)
		}
	})
}

func FuzzFromNodeAffinity(f *testing.F) {
	for _, encoded := range []string{
		``, `null`, `{}`, `{"requiredDuringSchedulingIgnoredDuringExecution":{}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{}]}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"b","operator":"In","values":["1"]},{"key":"a","operator":"In","values":[""]}]}]}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["1"]},{"key":"a","operator":"In","values":["2"]}]}]}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"","operator":"Exists"}]},{"matchFields":[{"key":"metadata.name"}]}]}}`,
		`{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{}}]}`,
	} {
		f.Add([]byte(encoded))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var a *corev1.NodeAffinity
		if json.Unmarshal(encoded, &a) != nil {
			return
		}
		before := a.DeepCopy()
		s, err := topology.FromNodeAffinity(a)
		mustEqual(t, "input", before, a)
		if err == nil {
			mustBeEncoded(t, a, s)
		} else if s.Len() > 0 || len(faults(t, err)) == 0 {
			t.Fatalf("FromNodeAffinity = %v, %v", s, err)
		}
	})
}

func FuzzUnmarshalLabelSet(f *testing.F) {
	for _, encoded := range []string{`null`, `{}`, `{"a":"1"}`, `{"a":null}`, `{"":"1"}`, `[]`, `{"a":"\ud800"}`, `{"a":"<&>"}`} {
		f.Add([]byte(encoded))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var s, again topology.LabelSet
		if json.Unmarshal(encoded, &s) != nil {
			return
		}
		if err := json.Unmarshal([]byte(encode(t, s)), &again); err != nil || !again.Equal(s) {
			t.Fatalf("decoded %v, encoded and decoded again %v, %v", s, again, err)
		}
	})
}

func FuzzFromAnnotations(f *testing.F) {
	for _, annotations := range [][4]string{
		{"", "", "", ""},
		{"affinity.dataflow.fluid.io/inject", "true", "", ""},
		{"affinity.dataflow.fluid.io/inject", "true", "affinity.dataflow.fluid.io.kubernetes.io/hostname", "n1"},
		{"affinity.dataflow.fluid.io/inject", "true", "affinity.dataflow.fluid.io.", "n1"},
		{"affinity.dataflow.fluid.io/inject", "True", "affinity.dataflow.fluid.io.tier", ""},
		{"affinity.dataflow.fluid.io.a", "1", "affinity.dataflow.fluid.io.b", "2"},
	} {
		f.Add(annotations[0], annotations[1], annotations[2], annotations[3], true)
	}
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string, inject bool) {
		annotations := map[string]string{key1: value1, key2: value2}
		if inject {
			annotations["affinity.dataflow.fluid.io/inject"] = "true"
		}
		s, err := topology.FromAnnotations(annotations)
		if err != nil {
			if s.Len() > 0 || !errors.Is(err, topology.ErrNotRecorded) && len(faults(t, err)) == 0 {
				t.Fatalf("FromAnnotations = %v, %v", s, err)
			}
			return
		}
		encoded := s.Annotations()
		again, err := topology.FromAnnotations(encoded)
		if err != nil || !again.Equal(s) {
			t.Fatalf("decoded %v, encoded and decoded again %v, %v", s, again, err)
		}
		for key, value := range encoded {
			if got, ok := annotations[key]; !ok || got != value {
				t.Fatalf("%v encodes to %s=%q, which was not in the input", s, key, value)
			}
		}
	})
}
