package dataflow

import (
	"context"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// recordedOn returns the status of an operation that ran on node01.
func recordedOn(node string) datav1alpha1.OperationStatus {
	return datav1alpha1.OperationStatus{Phase: common.PhaseComplete, NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: common.K8sNodeNameLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
		}}},
	}}
}

func dataLoad(name string, status datav1alpha1.OperationStatus) *datav1alpha1.DataLoad {
	return &datav1alpha1.DataLoad{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Status: status}
}

// waiting returns a DataLoad "waiting" that waits for the DataLoad "before".
func waiting(strategy datav1alpha1.AffinityStrategy) *datav1alpha1.DataLoad {
	load := dataLoad("waiting", datav1alpha1.OperationStatus{WaitingFor: datav1alpha1.WaitingStatus{OperationComplete: ptr.To(true)}})
	load.Spec.RunAfter = &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"}, AffinityStrategy: strategy}
	return load
}

// eventsOf reconciles the operations "waiting", checks that they start, and returns the events.
func eventsOf(t *testing.T, objects ...runtime.Object) []string {
	t.Helper()
	scheme := runtime.NewScheme()
	_ = datav1alpha1.AddToScheme(scheme)
	recorder := record.NewFakeRecorder(32)
	c := fake.NewFakeClientWithScheme(scheme, objects...)
	key := types.NamespacedName{Namespace: "default", Name: "waiting"}
	r := NewDataFlowReconciler(c, fake.NullLogger(), recorder, 0)
	if _, err := r.Reconcile(context.TODO(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatalf("Reconcile() error = %v", err)
	}
	for _, object := range []client.Object{&datav1alpha1.DataLoad{}, &datav1alpha1.DataProcess{}} {
		if err := c.Get(context.TODO(), key, object); err != nil {
			continue
		}
		if fields, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(object); fields["status"].(map[string]interface{})["waitingFor"].(map[string]interface{})["operationComplete"] != false {
			t.Errorf("%T waits", object)
		}
	}
	close(recorder.Events)
	var events []string
	for event := range recorder.Events {
		events = append(events, event)
	}
	return events
}

// checkEvents compares events by their start, and by a part.
func checkEvents(t *testing.T, events []string, reason string, parts ...string) {
	t.Helper()
	if len(events) != 1 || !strings.HasPrefix(events[0], "Warning "+reason+" ") {
		t.Fatalf("events = %q, want a warning %s", events, reason)
	}
	for _, part := range parts {
		if !strings.Contains(events[0], part) {
			t.Errorf("event %q does not tell %q", events[0], part)
		}
	}
}

var require = datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}

func TestNothingToWarnOf(t *testing.T) {
	for _, strategy := range []datav1alpha1.AffinityStrategy{{}, require} {
		if events := eventsOf(t, dataLoad("before", recordedOn("node01")), waiting(strategy)); len(events) > 0 {
			t.Errorf("events = %q", events)
		}
	}
}

func TestWarnOfLabelsThatAreNotInherited(t *testing.T) {
	strategy := datav1alpha1.AffinityStrategy{
		Policy:   datav1alpha1.RequireAffinityStrategy,
		Requires: []datav1alpha1.Require{{Name: common.K8sNodeNameLabelKey}, {Name: "k8s.rack"}},
	}
	checkEvents(t, eventsOf(t, dataLoad("before", recordedOn("node01")), waiting(strategy)), "DataOperationAffinityLost", "DataLoad default/before", "k8s.rack")
	notRecorded := datav1alpha1.OperationStatus{Phase: common.PhaseComplete}
	checkEvents(t, eventsOf(t, dataLoad("before", notRecorded), waiting(require)), "DataOperationAffinityLost", common.K8sNodeNameLabelKey)
}

func TestWarnOfConflicts(t *testing.T) {
	load := waiting(require)
	load.Spec.NodeSelector = map[string]string{common.K8sNodeNameLabelKey: "node02"}
	checkEvents(t, eventsOf(t, dataLoad("before", recordedOn("node01")), load), "DataOperationAffinityConflict", "DataLoad default/before", "node01", "node02")
}

// The controller also sees an operation that does not wait, with the name of one that does.
func TestNothingToWarnOfWhenItDoesNotWait(t *testing.T) {
	running := waiting(require)
	running.Status = datav1alpha1.OperationStatus{Phase: common.PhaseExecuting, WaitingFor: datav1alpha1.WaitingStatus{OperationComplete: ptr.To(false)}}
	before := dataLoad("before", datav1alpha1.OperationStatus{Phase: common.PhaseComplete})
	if events := eventsOf(t, before, running); len(events) > 0 {
		t.Errorf("events = %q", events)
	}
}
