package dataflowaffinity

import (
	"context"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
)

// An API server rejects an update of a Job with one annotation whose name is too long.
func TestLabelsThatNoAnnotationCanRecord(t *testing.T) {
	scheme := runtime.NewScheme()
	_ = v1.AddToScheme(scheme)
	_ = batchv1.AddToScheme(scheme)
	long, key := strings.Repeat("x", 40), types.NamespacedName{Namespace: "default", Name: "job"}
	selector := map[string]string{"controller-uid": "1"}
	c := fake.NewFakeClientWithScheme(scheme,
		&batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
			Spec:       batchv1.JobSpec{Selector: &metav1.LabelSelector{MatchLabels: selector}},
			Status:     batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: v1.ConditionTrue}}},
		},
		&v1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: key.Namespace, Name: "pod", Labels: selector,
				Annotations: map[string]string{common.AnnotationDataFlowAffinityLabelsName: long},
			},
			Spec:   v1.PodSpec{NodeName: "node01"},
			Status: v1.PodStatus{Phase: v1.PodSucceeded},
		},
		&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node01", Labels: map[string]string{common.K8sNodeNameLabelKey: "node01", long: "true"}}},
	)
	r := NewDataOpJobReconciler(c, fake.NullLogger(), nil)
	if _, err := r.Reconcile(context.TODO(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatalf("Reconcile() error = %v", err)
	}
	job := &batchv1.Job{}
	if err := c.Get(context.TODO(), key, job); err != nil {
		t.Fatal(err)
	}
	if job.Annotations[common.AnnotationDataFlowCustomizedAffinityPrefix+common.K8sNodeNameLabelKey] != "node01" {
		t.Errorf("annotations = %v, want the hostname", job.Annotations)
	}
	for name := range job.Annotations {
		if problems := validation.IsQualifiedName(name); len(problems) > 0 {
			t.Errorf("annotation %q: %v", name, problems)
		}
	}
}
