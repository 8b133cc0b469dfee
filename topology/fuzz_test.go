package topology_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

func FuzzParseKeys(f *testing.F) {
	for _, seed := range []string{"", ",", "gpu", " gpu , example.com/disk ", "a,a", "a/b/c", "no key", "\x00", "é", "kubernetes.io/hostname,topology.kubernetes.io/zone"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, annotation string) {
		keys, err := topology.ParseKeys(annotation)
		if err != nil && keys != nil {
			t.Errorf("keys %q beside %v", keys, err)
		}
		for i, key := range keys {
			if i > 0 && keys[i-1] >= key {
				t.Errorf("%q is not sorted, or has repeats", keys)
			}
			if again, err := topology.ParseKeys(key); err != nil || len(again) != 1 || again[0] != key {
				t.Errorf("%q alone is read as %q, %v", key, again, err)
			}
		}
	})
}

func FuzzFromNodeAffinity(f *testing.F) {
	for _, seed := range []string{
		`null`, `{}`, `{"requiredDuringSchedulingIgnoredDuringExecution":{}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["1"]},{"key":"b","operator":"In","values":[""]}]}]}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["1","2"]}]},{}]}}`,
		`{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]}}`,
		`{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a *corev1.NodeAffinity
		if json.Unmarshal(data, &a) != nil {
			return
		}
		s, err := topology.FromNodeAffinity(a)
		if err != nil {
			if s.Len() != 0 {
				t.Errorf("labels %s beside %v", s, err)
			}
			return
		}
		if again, err := topology.FromNodeAffinity(s.NodeAffinity()); err != nil || !again.Equal(s) {
			t.Errorf("%s is written and read as %s, %v", s, again, err)
		}
	})
}

func FuzzFromAnnotations(f *testing.F) {
	f.Add("affinity.dataflow.fluid.io/inject", "true", "affinity.dataflow.fluid.io.gpu", "yes")
	f.Add("affinity.dataflow.fluid.io/inject", "false", "affinity.dataflow.fluid.io.gpu", "yes")
	f.Add("affinity.dataflow.fluid.io/inject", "true", "affinity.dataflow.fluid.io.", "")
	f.Add("affinity.dataflow.fluid.io/inject", "true", "other", "")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		s, err := topology.FromAnnotations(map[string]string{key1: value1, key2: value2})
		if err != nil {
			if s.Len() != 0 {
				t.Errorf("labels %s beside %v", s, err)
			}
			return
		}
		if again, err := topology.FromAnnotations(s.Annotations()); err != nil || !again.Equal(s) {
			t.Errorf("%s is written and read as %s, %v", s, again, err)
		}
	})
}
