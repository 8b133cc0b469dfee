package dataflow_test

import (
	"fmt"
	"reflect"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	v1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/examples/fluid/adopt/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The keys of a strategy: each is recorded, not recorded or malformed.
var keys = []string{topology.Hostname, topology.Zone, "example.com/rack", "a/b/c"}

var recorded = topology.NewLabelSet(map[string]string{topology.Hostname: "node-1", topology.Zone: "east-a"})

func owns() []*v1.Affinity {
	selector := func(expressions ...v1.NodeSelectorRequirement) *v1.Affinity {
		return &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{
			NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: expressions}},
		}}}
	}
	return []*v1.Affinity{
		nil, {}, {NodeAffinity: &v1.NodeAffinity{}},
		selector(v1.NodeSelectorRequirement{Key: "gpu", Operator: v1.NodeSelectorOpExists}),
		selector(v1.NodeSelectorRequirement{Key: topology.Hostname, Operator: v1.NodeSelectorOpIn, Values: []string{"node-2"}}),
	}
}

// Over all lists of up to two labels, the result is slipstream's for the labels that were
// recorded: the rest of a strategy, even if it is malformed, is missing and has no effect.
func TestInheritIsSlipstreamsForWhatWasRecorded(t *testing.T) {
	cases := 0
	for _, own := range owns() {
		for _, weight := range []int32{0, 1, 100, 101} {
			for i := -1; i < len(keys); i++ {
				for j := -1; j < len(keys); j++ {
					for _, policy := range []datav1alpha1.AffinityPolicy{datav1alpha1.RequireAffinityStrategy, datav1alpha1.PreferAffinityStrategy} {
						theirs := datav1alpha1.AffinityStrategy{Policy: policy}
						ours := affinity.Strategy{Policy: affinity.Policy(policy)}
						var missing []string
						listed := false
						for _, at := range []int{i, j} {
							if at < 0 {
								continue
							}
							listed = true
							theirs.Requires = append(theirs.Requires, datav1alpha1.Require{Name: keys[at]})
							theirs.Prefers = append(theirs.Prefers, datav1alpha1.Prefer{Name: keys[at], Weight: weight})
							if _, ok := recorded.Get(keys[at]); ok {
								ours.Requires = append(ours.Requires, affinity.RequiredLabel{Key: keys[at]})
								ours.Prefers = append(ours.Prefers, affinity.PreferredLabel{Key: keys[at], Weight: weight})
							} else if len(missing) == 0 || missing[0] != keys[at] {
								missing = append(missing, keys[at])
							}
						}
						if listed && len(ours.Requires) == 0 {
							ours.Policy = affinity.None
						}
						want, wantErr := affinity.Inherit(own, ours, recorded)
						want.Missing = missing
						got, err := dataflow.Inherit(own, theirs, recorded.NodeAffinity())
						if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got.Affinity, want.Affinity) || !reflect.DeepEqual(got.Missing, want.Missing) {
							t.Fatalf("own %v, strategy %+v:\ngot  %v %v\nwant %v %v", own, theirs, got, err, want, wantErr)
						}
						cases++
					}
				}
			}
		}
	}
	if cases != 5*4*5*5*2 {
		t.Errorf("%d cases", cases)
	}
}

func TestInheritFromNothing(t *testing.T) {
	require := datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}
	for _, nothing := range []*v1.NodeAffinity{nil, {}, {RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{}}} {
		for _, own := range owns() {
			got, err := dataflow.Inherit(own, require, nothing)
			if err != nil || !reflect.DeepEqual(got, affinity.Result{Affinity: own, Missing: []string{topology.Hostname}}) {
				t.Errorf("own %v, recorded %v: %v, %v", own, nothing, got, err)
			}
		}
	}
	preferred := &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: make([]v1.PreferredSchedulingTerm, 1)}
	if got, err := dataflow.Inherit(nil, require, preferred); err == nil || !reflect.DeepEqual(got, affinity.Result{}) {
		t.Errorf("a status that Fluid does not write: %v, %v", got, err)
	}
	noTerms := &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{}}}
	if got, err := dataflow.Inherit(noTerms, require, recorded.NodeAffinity()); err == nil || !reflect.DeepEqual(got, affinity.Result{}) {
		t.Errorf("no terms: %v, %v", got, err)
	}
}
