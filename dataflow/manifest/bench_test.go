package manifest_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// BenchmarkDecode decodes a DataLoad. For comparison, apimachinery's converter makes a struct
// with the same fields of it.
func BenchmarkDecode(b *testing.B) {
	seconds := int64(5)
	o := map[string]any{
		"apiVersion": "data.fluid.io/v1alpha1", "kind": string(dataflow.DataLoad),
		"metadata": map[string]any{"name": "a", "namespace": "default", "annotations": map[string]any{"affinity.dataflow.fluid.io/labels": "rack,disk"}},
		"spec": map[string]any{
			"dataset": map[string]any{"name": "d", "namespace": "default"}, "nodeSelector": map[string]any{"ssd": "true"},
			"runAfter":    map[string]any{"kind": "DataLoad", "name": "b", "affinityStrategy": map[string]any{"policy": "Require", "requires": []any{map[string]any{"name": "rack"}}}},
			"tolerations": []any{map[string]any{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}},
			"affinity": map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{
				map[string]any{"matchExpressions": []any{map[string]any{"key": "gpu", "operator": "In", "values": []any{"a", "b"}}}},
			}}}},
			"resources": map[string]any{"requests": map[string]any{"cpu": "1", "memory": "1Gi"}},
		},
		"status": map[string]any{"phase": "Pending"},
	}
	b.Run("slipstream", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := manifest.Decode(o); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("apimachinery", func(b *testing.B) {
		type operation struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
			Spec              struct {
				NodeSelector map[string]string           `json:"nodeSelector"`
				Tolerations  []corev1.Toleration         `json:"tolerations"`
				Affinity     *corev1.Affinity            `json:"affinity"`
				Resources    corev1.ResourceRequirements `json:"resources"`
				RunAfter     struct {
					Kind, Name       string
					AffinityStrategy affinity.Strategy `json:"affinityStrategy"`
				} `json:"runAfter"`
			} `json:"spec"`
			Status struct{ Phase string } `json:"status"`
		}
		b.ReportAllocs()
		for range b.N {
			var into operation
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &into); err != nil {
				b.Fatal(err)
			}
		}
	})
}
