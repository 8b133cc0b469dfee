package databackup

import (
	"testing"

	"github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	cruntime "github.com/fluid-cloudnative/fluid/pkg/runtime"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	corev1 "k8s.io/api/core/v1"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// statusOf asks for the status of a DataBackup as its reconciler does.
func statusOf(backup *v1alpha1.DataBackup, pod *corev1.Pod) (*v1alpha1.OperationStatus, error) {
	scheme := runtime.NewScheme()
	_ = v1alpha1.AddToScheme(scheme)
	_ = corev1.AddToScheme(scheme)
	ctx := cruntime.ReconcileRequestContext{Client: fake.NewFakeClientWithScheme(scheme, backup, pod), Log: fake.NullLogger()}
	operation := &dataBackupOperation{Client: ctx.Client, dataBackup: backup}
	return operation.GetStatusHandler().GetOperationStatus(ctx, &backup.Status)
}

func backupAndPod(annotations map[string]string) (*v1alpha1.DataBackup, *corev1.Pod) {
	return &v1alpha1.DataBackup{ObjectMeta: v1.ObjectMeta{Name: "test", Namespace: "default"}}, &corev1.Pod{
		ObjectMeta: v1.ObjectMeta{Name: "test-pod", Namespace: "default", Annotations: annotations},
		Status:     corev1.PodStatus{Phase: corev1.PodSucceeded},
	}
}

func TestStatusHandlerOfTheReconciler(t *testing.T) {
	status, err := statusOf(backupAndPod(nil))
	if err != nil || status.Phase != common.PhaseComplete || status.NodeAffinity != nil {
		t.Errorf("GetOperationStatus() = %v, error = %v, want it complete", status, err)
	}
}
