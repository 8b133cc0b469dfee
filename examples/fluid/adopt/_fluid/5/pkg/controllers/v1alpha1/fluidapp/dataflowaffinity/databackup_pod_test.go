package dataflowaffinity

import (
	"context"
	"reflect"
	"testing"

	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

func TestRecordDataBackupPod(t *testing.T) {
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node01", Labels: map[string]string{
		common.K8sNodeNameLabelKey: "node01", common.K8sZoneLabelKey: "zone01", "k8s.gpu": "true", "k8s.rack": "rack01",
	}}}
	const prefix = common.AnnotationDataFlowCustomizedAffinityPrefix
	tests := []struct {
		name        string
		annotations map[string]string
		phase       v1.PodPhase
		nodeName    string
		want        map[string]string
	}{
		{
			name:     "running",
			phase:    v1.PodRunning,
			nodeName: "node01",
			want:     map[string]string{common.AnnotationDataFlowAffinityInject: "true"},
		},
		{
			name:        "succeeded",
			annotations: map[string]string{common.AnnotationDataFlowAffinityLabelsName: "k8s.rack, a/b/c"},
			phase:       v1.PodSucceeded,
			nodeName:    "node01",
			want: map[string]string{
				common.AnnotationDataFlowAffinityLabelsName: "k8s.rack, a/b/c",
				common.AnnotationDataFlowAffinityInject:     "true",
				prefix + common.K8sNodeNameLabelKey:         "node01",
				prefix + common.K8sZoneLabelKey:             "zone01",
				prefix + "k8s.rack":                         "rack01",
			},
		},
		{
			name:        "switched off",
			annotations: map[string]string{common.AnnotationDataFlowAffinityInject: "false"},
			phase:       v1.PodSucceeded,
			nodeName:    "node01",
			want:        map[string]string{common.AnnotationDataFlowAffinityInject: "false"},
		},
		{
			name:     "node is gone",
			phase:    v1.PodSucceeded,
			nodeName: "node02",
			want:     map[string]string{common.AnnotationDataFlowAffinityInject: "false"},
		},
	}
	scheme := runtime.NewScheme()
	_ = v1.AddToScheme(scheme)
	key := types.NamespacedName{Namespace: "default", Name: "test-pod"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fake.NewFakeClientWithScheme(scheme, node, &v1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Annotations: tt.annotations},
				Spec:       v1.PodSpec{NodeName: tt.nodeName},
				Status:     v1.PodStatus{Phase: tt.phase},
			})
			if err := recordDataBackupPod(context.TODO(), c, key); err != nil {
				t.Fatalf("recordDataBackupPod() error = %v", err)
			}
			pod := &v1.Pod{}
			if err := c.Get(context.TODO(), key, pod); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(pod.Annotations, tt.want) {
				t.Errorf("annotations = %v, want %v", pod.Annotations, tt.want)
			}
		})
	}
}
