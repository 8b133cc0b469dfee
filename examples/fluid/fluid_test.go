package fluid_test

import (
	"os"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// Fluid logs. It is not what is tested.
func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// cluster returns a client of an API server that has the objects.
func cluster(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, datav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).Build()
}

// loaded returns a DataLoad that is complete and has recorded the labels.
func loaded(namespace, name string, labels map[string]string) *datav1alpha1.DataLoad {
	return &datav1alpha1.DataLoad{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Status: datav1alpha1.OperationStatus{
			Phase: common.PhaseComplete, NodeAffinity: topology.NewLabelSet(labels).NodeAffinity(),
		},
	}
}

// after returns what runs after a DataLoad of that name.
func after(name string, s datav1alpha1.AffinityStrategy) *datav1alpha1.OperationRef {
	return &datav1alpha1.OperationRef{ObjectRef: load(name), AffinityStrategy: s}
}

func load(name string) datav1alpha1.ObjectRef {
	return datav1alpha1.ObjectRef{Kind: "DataLoad", Name: name}
}

func requiring(names ...string) datav1alpha1.AffinityStrategy {
	s := datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}
	for _, name := range names {
		s.Requires = append(s.Requires, datav1alpha1.Require{Name: name})
	}
	return s
}

func preferring(weight int32, name string) datav1alpha1.AffinityStrategy {
	return datav1alpha1.AffinityStrategy{
		Policy: datav1alpha1.PreferAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: name, Weight: weight}},
	}
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

// required returns an affinity of one term.
func required(expressions ...corev1.NodeSelectorRequirement) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: expressions}},
		},
	}}
}

// preferred returns an affinity of one preference.
func preferred(weight int32, e corev1.NodeSelectorRequirement) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{preference(weight, e)},
	}}
}

func preference(weight int32, e corev1.NodeSelectorRequirement) corev1.PreferredSchedulingTerm {
	return corev1.PreferredSchedulingTerm{
		Weight: weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{e}},
	}
}

// same fails the test if what was got is not what was wanted.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
