package dataflow

import (
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOperationOfAnotherKindWithTheNameOfOneThatWaits(t *testing.T) {
	process := &datav1alpha1.DataProcess{ObjectMeta: metav1.ObjectMeta{Name: "waiting", Namespace: "default"}}
	load := waiting(datav1alpha1.AffinityStrategy{})
	if needRequeue, err := reconcileOperationDataFlow(reconcileRequestContext{}, process, process.Spec.RunAfter, process.Status, func() error {
		t.Error("the status of an operation that does not wait is written")
		return nil
	}); needRequeue || err != nil {
		t.Errorf("needRequeue = %v, error = %v", needRequeue, err)
	}
	if events := eventsOf(t, dataLoad("before", recordedOn("node01")), load); len(events) > 0 {
		t.Errorf("events = %q", events)
	}
}

func TestRunAfterIsRemovedWhileItWaits(t *testing.T) {
	load := waiting(datav1alpha1.AffinityStrategy{})
	load.Spec.RunAfter = nil
	if events := eventsOf(t, load); len(events) > 0 { // and it starts
		t.Errorf("events = %q", events)
	}
}
