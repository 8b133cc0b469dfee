package dataflow

import (
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const misconfigured = "DataOperationMisconfigured"

func TestWarnOfDependOnOutsideTheDataflow(t *testing.T) {
	for _, name := range []string{"stranger", "later", "nobody"} {
		strategy := require
		strategy.DependOn = &datav1alpha1.ObjectRef{Kind: "DataLoad", Name: name}
		later := dataLoad("later", datav1alpha1.OperationStatus{})
		later.Spec.RunAfter = &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "waiting"}}
		events := eventsOf(t, dataLoad("before", recordedOn("node01")), dataLoad("stranger", recordedOn("node09")), later, waiting(strategy))
		checkEvents(t, events, misconfigured, "dependOn", name)
	}
}

// What an operation depends on may run before an operation that has been deleted since.
func TestNothingToWarnOfBehindADeletedOperation(t *testing.T) {
	before := dataLoad("before", recordedOn("node01"))
	before.Spec.RunAfter = &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "deleted"}}
	strategy := require
	strategy.DependOn = &datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "first"}
	if events := eventsOf(t, before, dataLoad("first", recordedOn("node01")), waiting(strategy)); len(events) > 0 {
		t.Errorf("events = %q", events)
	}
}

func TestWarnOfInvalidStrategies(t *testing.T) {
	tests := []struct {
		name     string
		strategy datav1alpha1.AffinityStrategy
		field    string
	}{
		{
			name:     "weight out of range",
			strategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.PreferAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: common.K8sNodeNameLabelKey, Weight: 101}}},
			field:    "prefers[0].weight",
		},
		{
			name:     "unknown policy",
			strategy: datav1alpha1.AffinityStrategy{Policy: "require"},
			field:    "policy",
		},
		{
			name:     "list that is not read",
			strategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: common.K8sNodeNameLabelKey, Weight: 1}}},
			field:    "prefers",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkEvents(t, eventsOf(t, dataLoad("before", recordedOn("node01")), waiting(tt.strategy)), misconfigured, tt.field)
		})
	}
}

func TestWarnOfNodeNameAndAnotherRequiredNode(t *testing.T) {
	load := waiting(require)
	process := &datav1alpha1.DataProcess{
		ObjectMeta: metav1.ObjectMeta{Name: "waiting", Namespace: "default"},
		Spec: datav1alpha1.DataProcessSpec{
			Processor: datav1alpha1.Processor{Job: &datav1alpha1.JobProcessor{PodSpec: &corev1.PodSpec{NodeName: "node02"}}},
			RunAfter:  load.Spec.RunAfter,
		},
		Status: load.Status,
	}
	checkEvents(t, eventsOf(t, dataLoad("before", recordedOn("node01")), process), misconfigured, "node01", "node02")
}

func TestNothingToWarnOfInThePrecedingOperation(t *testing.T) {
	before := dataLoad("before", recordedOn("node01"))
	before.Spec.RunAfter = &datav1alpha1.OperationRef{
		ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "first"},
		AffinityStrategy: datav1alpha1.AffinityStrategy{
			Policy:  datav1alpha1.RequireAffinityStrategy,
			Prefers: []datav1alpha1.Prefer{{Name: common.K8sNodeNameLabelKey, Weight: 1}}, // not read
		},
	}
	if events := eventsOf(t, before, dataLoad("first", recordedOn("node01")), waiting(require)); len(events) > 0 {
		t.Errorf("events = %q", events)
	}
}
