package goliteral_test

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// printed returns the values as goliteral writes them. go test -update writes this file.
func printed() []any {
	var v0 *corev1.Affinity
	var v1 map[string]string
	v2 := []string{}
	v3 := &corev1.Affinity{}
	v4 := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{},
		{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "a", Operator: "In", Values: []string{"", "b\"\n"}},
			{Key: "b", Operator: "Exists"},
		}},
	}}}}
	v5 := topology.NewLabelSet(map[string]string{"a": "1", "b": "2"})
	v6 := topology.LabelSet{}
	v7 := corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "1", "b": ""}},
		Spec:       corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}},
		Status:     corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse("1500m")}},
	}
	v8 := []*corev1.Node{{Spec: corev1.NodeSpec{PodCIDRs: []string{"a"}}}, nil}
	v9 := metav1.LabelSelector{MatchLabels: map[string]string{}}
	v10 := corev1.Toleration{TolerationSeconds: func() *int64 { v := int64(3); return &v }()}
	v11 := []corev1.PreferredSchedulingTerm{{Weight: 60}}
	v12 := [][]string{{"a"}, nil}
	v13 := []map[string]string{{"a": "b"}, nil}

	return []any{v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13}
}
