package dataflow

import (
	"context"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BenchmarkStart is the one reconcile in which an operation starts: with policy Require, after
// another one that recorded where it ran. The status is not written.
func BenchmarkStart(b *testing.B) {
	scheme := runtime.NewScheme()
	_ = datav1alpha1.AddToScheme(scheme)
	before := &datav1alpha1.DataLoad{
		ObjectMeta: metav1.ObjectMeta{Name: "before", Namespace: "default"},
		Status: datav1alpha1.OperationStatus{Phase: common.PhaseComplete, NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: common.K8sNodeNameLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{"node01"}}},
			}}},
		}},
	}
	load := &datav1alpha1.DataLoad{
		ObjectMeta: metav1.ObjectMeta{Name: "waiting", Namespace: "default"},
		Spec: datav1alpha1.DataLoadSpec{RunAfter: &datav1alpha1.OperationRef{
			ObjectRef:        datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"},
			AffinityStrategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy},
		}},
		Status: datav1alpha1.OperationStatus{WaitingFor: datav1alpha1.WaitingStatus{OperationComplete: ptr.To(true)}},
	}
	ctx := reconcileRequestContext{
		Context: context.TODO(), NamespacedName: client.ObjectKeyFromObject(load), Log: fake.NullLogger(), Recorder: &record.FakeRecorder{},
		Client: cached{Client: fake.NewFakeClientWithScheme(scheme), held: before},
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if needRequeue, err := reconcileOperationDataFlow(ctx, load, load.Spec.RunAfter, load.Status, func() error { return nil }); needRequeue || err != nil {
			b.Fatal(needRequeue, err)
		}
	}
}

// cached is a client that copies what it holds, as a cache does.
type cached struct {
	client.Client
	held *datav1alpha1.DataLoad
}

func (c cached) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	c.held.DeepCopyInto(object.(*datav1alpha1.DataLoad))
	return nil
}
