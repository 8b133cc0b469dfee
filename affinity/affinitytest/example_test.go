package affinitytest_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// In a test, this is affinitytest.TestInherit(t, inherit): it reports each failure in a subtest.
func ExampleCheckInherit() {
	// inherit forgets what the operation itself asks for.
	inherit := func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		result, err := affinity.Inherit(nil, s, from)
		return result.Affinity, err
	}
	failures := affinitytest.CheckInherit(inherit, affinitytest.Skip(affinitytest.C1))
	fmt.Println(failures[0])
	// Output:
	// law R1 does not hold.
	// With policy Require, a node matches the result exactly if it matches the own affinity and has the exposed value of every required label that the source exposes.
	// Instead, match is true, want false, with null
	//
	// own := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
	// strategy := affinity.Strategy{Policy: "Require"}
	// from := topology.LabelSet{}
	// got, err := inherit(own, strategy, from)
	// t.Log(got, err)
	// node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	// t.Log(affinitytest.Match(own, node), affinitytest.Match(got, node))
	// t.Log(affinitytest.Score(own, node), affinitytest.Score(got, node))
}

func ExampleFindMatch() {
	a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "cores", Operator: corev1.NodeSelectorOpGt, Values: []string{"3"}},
			{Key: "cores", Operator: corev1.NodeSelectorOpLt, Values: []string{"5"}},
		}}},
	}}}
	fmt.Println(affinitytest.FindMatch(a, nil).Labels)
	fmt.Println(affinitytest.FindMatch(a, map[string]string{"cores": "5"}) == nil)
	// Output:
	// map[cores:4]
	// true
}
