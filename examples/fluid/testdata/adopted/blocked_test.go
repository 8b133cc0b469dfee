// Package dataflow is Fluid's, with the change of README.md: see adopt.
package dataflow

import (
	"context"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// That a predecessor failed is said while Fluid waits for it.
func TestBlockedIsTold(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := datav1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }
	failed := &datav1alpha1.DataLoad{ObjectMeta: named("a"), Status: datav1alpha1.OperationStatus{Phase: common.PhaseFailed}}
	waiting := &datav1alpha1.DataLoad{
		ObjectMeta: named("b"),
		Spec:       datav1alpha1.DataLoadSpec{RunAfter: &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "a"}}},
		Status:     datav1alpha1.OperationStatus{WaitingFor: datav1alpha1.WaitingStatus{OperationComplete: ptr.To(true)}},
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(failed, waiting).Build()
	recorder := record.NewFakeRecorder(10)
	r := NewDataFlowReconciler(c, logr.Discard(), recorder, 0)
	if _, err := r.Reconcile(context.Background(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "default", Name: "b"}}); err != nil {
		t.Fatal(err)
	}
	for len(recorder.Events) > 0 {
		if event := <-recorder.Events; strings.HasPrefix(event, "Warning Blocked ") {
			return
		}
	}
	t.Error("no event says that it is blocked")
}
