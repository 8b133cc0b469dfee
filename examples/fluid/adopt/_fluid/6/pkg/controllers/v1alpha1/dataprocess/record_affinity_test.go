package dataprocess

import (
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	cruntime "github.com/fluid-cloudnative/fluid/pkg/runtime"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

func TestRecordAffinity(t *testing.T) {
	scheme := runtime.NewScheme()
	_ = datav1alpha1.AddToScheme(scheme)
	_ = batchv1.AddToScheme(scheme)
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "test-processor-job", Namespace: "default", Annotations: map[string]string{
			common.AnnotationDataFlowAffinityInject:                                        "true",
			common.AnnotationDataFlowCustomizedAffinityPrefix + common.K8sNodeNameLabelKey: "node01",
		}},
		Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete}}},
	}
	for _, record := range []bool{false, true} {
		process := &datav1alpha1.DataProcess{
			ObjectMeta: metav1.ObjectMeta{Name: "test", Namespace: "default"},
			Spec:       datav1alpha1.DataProcessSpec{RecordAffinity: record},
		}
		c := fake.NewFakeClientWithScheme(scheme, process, job)
		ctx := cruntime.ReconcileRequestContext{NamespacedName: types.NamespacedName{Namespace: "default"}, Client: c, Log: fake.NullLogger()}
		status, err := (&OnceStatusHandler{Client: c, dataProcess: process}).GetOperationStatus(ctx, &process.Status)
		if err != nil {
			t.Fatalf("GetOperationStatus() error = %v", err)
		}
		if recorded := status.NodeAffinity != nil; status.Phase != common.PhaseComplete || recorded != record {
			t.Errorf("recordAffinity %v: phase = %s, node affinity = %v", record, status.Phase, status.NodeAffinity)
		}
	}
}
