package dataflow

import (
	"context"
	"reflect"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func in(key string, value string) v1.NodeSelectorRequirement {
	return v1.NodeSelectorRequirement{Key: key, Operator: v1.NodeSelectorOpIn, Values: []string{value}}
}

// terms returns an affinity that requires one of the terms, each with the given expressions.
func terms(each ...[]v1.NodeSelectorRequirement) *v1.Affinity {
	selector := &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{}}
	for _, expressions := range each {
		selector.NodeSelectorTerms = append(selector.NodeSelectorTerms, v1.NodeSelectorTerm{MatchExpressions: expressions})
	}
	return &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: selector}}
}

func completeDataLoad(recorded *v1.NodeAffinity) *datav1alpha1.DataLoad {
	return &datav1alpha1.DataLoad{
		ObjectMeta: metav1.ObjectMeta{Name: "before", Namespace: "default"},
		Status:     datav1alpha1.OperationStatus{Phase: common.PhaseComplete, NodeAffinity: recorded},
	}
}

func clientWith(objects ...runtime.Object) client.Client {
	scheme := runtime.NewScheme()
	_ = v1.AddToScheme(scheme)
	_ = datav1alpha1.AddToScheme(scheme)
	return fake.NewFakeClientWithScheme(scheme, objects...)
}

func runAfter(strategy datav1alpha1.AffinityStrategy) *datav1alpha1.OperationRef {
	return &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"}, AffinityStrategy: strategy}
}

var (
	requireHostname = datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}
	preferHostname  = datav1alpha1.AffinityStrategy{Policy: datav1alpha1.PreferAffinityStrategy}

	onNode01 = terms([]v1.NodeSelectorRequirement{in(common.K8sNodeNameLabelKey, "node01")})
)

func TestInjectRequiredAffinityIntoOwnTerms(t *testing.T) {
	gpu, ssd := in("gpu", "a100"), in("disk", "ssd")
	host := in(common.K8sNodeNameLabelKey, "node01")
	own := terms([]v1.NodeSelectorRequirement{gpu}, []v1.NodeSelectorRequirement{ssd})

	got, err := InjectAffinityByRunAfterOp(clientWith(completeDataLoad(onNode01.NodeAffinity)), runAfter(requireHostname), "default", own)
	if err != nil {
		t.Fatalf("InjectAffinityByRunAfterOp() error = %v", err)
	}
	want := terms([]v1.NodeSelectorRequirement{gpu, host}, []v1.NodeSelectorRequirement{ssd, host})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("InjectAffinityByRunAfterOp() got = %v, want %v", got, want)
	}
	if !reflect.DeepEqual(own, terms([]v1.NodeSelectorRequirement{gpu}, []v1.NodeSelectorRequirement{ssd})) {
		t.Errorf("InjectAffinityByRunAfterOp() changed the affinity of the operation to %v", own)
	}
}

func TestInjectAffinityThatExcludesEveryNode(t *testing.T) {
	own := terms([]v1.NodeSelectorRequirement{in(common.K8sNodeNameLabelKey, "node02")})
	_, err := InjectAffinityByRunAfterOp(clientWith(completeDataLoad(onNode01.NodeAffinity)), runAfter(requireHostname), "default", own)
	if err == nil || !strings.Contains(err.Error(), "node01") || !strings.Contains(err.Error(), "node02") {
		t.Errorf("InjectAffinityByRunAfterOp() error = %v, want one that names both nodes", err)
	}
}

func TestInjectPreferredAffinityWithoutRecordedTerms(t *testing.T) {
	got, err := InjectAffinityByRunAfterOp(clientWith(completeDataLoad(&v1.NodeAffinity{})), runAfter(preferHostname), "default", nil)
	if err != nil || got != nil {
		t.Errorf("InjectAffinityByRunAfterOp() got = %v, error = %v, want nothing to inherit", got, err)
	}
}

func TestInjectRequiredAffinityIntoNoTerms(t *testing.T) {
	own := terms()
	_, err := InjectAffinityByRunAfterOp(clientWith(completeDataLoad(onNode01.NodeAffinity)), runAfter(requireHostname), "default", own)
	if err == nil || !strings.Contains(err.Error(), "nodeSelectorTerms") {
		t.Errorf("InjectAffinityByRunAfterOp() error = %v, want one that names the empty field", err)
	}
}

// sharing is a client that returns the object that it holds, and no copy of it.
type sharing struct {
	client.Client
	held *datav1alpha1.DataLoad
}

func (s sharing) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	*object.(*datav1alpha1.DataLoad) = *s.held
	return nil
}

func TestInjectedAffinityIsACopy(t *testing.T) {
	held := completeDataLoad(onNode01.DeepCopy().NodeAffinity)
	for _, strategy := range []datav1alpha1.AffinityStrategy{requireHostname, preferHostname} {
		got, err := InjectAffinityByRunAfterOp(sharing{clientWith(), held}, runAfter(strategy), "default", nil)
		if err != nil {
			t.Fatalf("InjectAffinityByRunAfterOp() error = %v", err)
		}
		if selector := got.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; selector != nil {
			selector.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "changed"
		}
		for _, term := range got.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			term.Preference.MatchExpressions[0].Values[0] = "changed"
		}
		if !reflect.DeepEqual(held.Status.NodeAffinity, onNode01.NodeAffinity) {
			t.Errorf("policy %s: a change of the pod's affinity changes the status of the preceding operation", strategy.Policy)
		}
	}
}

// What the preceding operation did not record never keeps an operation from starting.
func TestInjectAffinitySkipsWhatIsNotRecorded(t *testing.T) {
	c := clientWith(completeDataLoad(onNode01.NodeAffinity))
	tests := []struct {
		name     string
		strategy datav1alpha1.AffinityStrategy
		want     *v1.Affinity
	}{
		{
			name:     "malformed label",
			strategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy, Requires: []datav1alpha1.Require{{Name: "a/b/c"}}},
			want:     nil,
		},
		{
			name:     "weight out of range",
			strategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.PreferAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: "rack", Weight: 0}}},
			want:     nil,
		},
		{
			name: "one of two",
			strategy: datav1alpha1.AffinityStrategy{
				Policy:   datav1alpha1.RequireAffinityStrategy,
				Requires: []datav1alpha1.Require{{Name: "a/b/c"}, {Name: common.K8sNodeNameLabelKey}},
			},
			want: onNode01,
		},
		{
			name: "one of two preferences",
			strategy: datav1alpha1.AffinityStrategy{
				Policy:  datav1alpha1.PreferAffinityStrategy,
				Prefers: []datav1alpha1.Prefer{{Name: "rack", Weight: 0}, {Name: common.K8sNodeNameLabelKey, Weight: 10}},
			},
			want: &v1.Affinity{NodeAffinity: &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.PreferredSchedulingTerm{
				{Weight: 10, Preference: v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{in(common.K8sNodeNameLabelKey, "node01")}}},
			}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := InjectAffinityByRunAfterOp(c, runAfter(tt.strategy), "default", nil)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("InjectAffinityByRunAfterOp() got = %v, error = %v, want %v", got, err, tt.want)
			}
		})
	}
}
