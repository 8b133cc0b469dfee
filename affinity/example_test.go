package affinity_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// An operation needs a GPU and must run on the node where its predecessor ran.
func ExampleInherit() {
	own := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: "example.com/gpu", Operator: corev1.NodeSelectorOpExists},
				},
			}},
		},
	}}
	ranOn := topology.NewLabelSet(map[string]string{
		topology.Hostname: "gpu-a1",
		topology.Zone:     "east-a",
	})

	result, err := affinity.Inherit(own, affinity.Strategy{Policy: affinity.Require}, ranOn)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, term := range result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			fmt.Println(e.Key, e.Operator, e.Values)
		}
	}
	// Output:
	// example.com/gpu Exists []
	// kubernetes.io/hostname In [gpu-a1]
}

// An operation prefers the zone where its predecessor ran. Its strategy also names a label that the
// predecessor does not expose.
func ExampleInherit_prefer() {
	strategy := affinity.Strategy{
		Policy: affinity.Prefer,
		Prefers: []affinity.PreferredLabel{
			{Key: topology.Zone, Weight: 50},
			{Key: "example.com/rack", Weight: 20},
		},
	}
	ranOn := topology.NewLabelSet(map[string]string{topology.Zone: "east-a"})

	result, err := affinity.Inherit(nil, strategy, ranOn)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range result.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		e := p.Preference.MatchExpressions[0]
		fmt.Println(p.Weight, e.Key, e.Operator, e.Values)
	}
	fmt.Println("missing:", result.Missing)
	// Output:
	// 50 topology.kubernetes.io/zone In [east-a]
	// missing: [example.com/rack]
}

func ExampleStrategy_Validate() {
	strategy := affinity.Strategy{
		Policy:  affinity.Prefer,
		Prefers: []affinity.PreferredLabel{{Key: "", Weight: 500}},
	}
	for _, fault := range strategy.Validate(field.NewPath("spec", "runAfter", "affinityStrategy")) {
		fmt.Println(fault)
	}
	// Output:
	// spec.runAfter.affinityStrategy.prefers[0].name: Required value: the key of a node label, such as kubernetes.io/hostname
	// spec.runAfter.affinityStrategy.prefers[0].weight: Invalid value: 500: must be between 1 and 100, inclusive
}

func ExampleStrategy_Keys() {
	fmt.Println(affinity.Strategy{Policy: affinity.Require}.Keys())
	fmt.Println(affinity.Strategy{
		Policy:   affinity.Require,
		Requires: []affinity.RequiredLabel{{Key: topology.Zone}, {Key: "example.com/rack"}, {Key: topology.Zone}},
	}.Keys())
	// Output:
	// [kubernetes.io/hostname]
	// [topology.kubernetes.io/zone example.com/rack]
}

// The own affinity of an operation may exclude the place where it must run.
func ExampleConflictError() {
	own := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: topology.Zone, Operator: corev1.NodeSelectorOpIn, Values: []string{"west-c"}},
				},
			}},
		},
	}}
	sameZone := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}}
	_, err := affinity.Inherit(own, sameZone, topology.NewLabelSet(map[string]string{topology.Zone: "east-a"}))

	var conflict *affinity.ConflictError
	if errors.As(err, &conflict) {
		for _, r := range conflict.Refusals {
			fmt.Printf("term %d refuses %s=%s\n", r.Term, r.Key, r.Value)
		}
	}
	fmt.Println(err)
	// Output:
	// term 0 refuses topology.kubernetes.io/zone=east-a
	// cannot follow the source: it ran where topology.kubernetes.io/zone=east-a, but affinity requires topology.kubernetes.io/zone In [west-c]
}

// Inherit does not have the node selector of the pod.
func ExampleFindConflict() {
	selector := map[string]string{topology.Zone: "west-c"}
	inherited := topology.NewLabelSet(map[string]string{topology.Zone: "east-a"})
	fmt.Println(affinity.FindConflict(selector, nil, inherited))
	// Output:
	// cannot follow the source: it ran where topology.kubernetes.io/zone=east-a, but nodeSelector requires topology.kubernetes.io/zone In [west-c]
}

// The constraints of a pod are parsed once and matched with every node, as in kube-scheduler.
func ExampleCompile() {
	a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
			Weight: 50,
			Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: topology.Zone, Operator: corev1.NodeSelectorOpIn, Values: []string{"east-a"}},
			}},
		}},
	}}
	matcher, err := affinity.Compile(map[string]string{"accelerator": "gpu"}, a)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, node := range []corev1.Node{
		{ObjectMeta: metav1.ObjectMeta{Name: "cpu-a1", Labels: map[string]string{topology.Zone: "east-a"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "gpu-a1", Labels: map[string]string{topology.Zone: "east-a", "accelerator": "gpu"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "gpu-b1", Labels: map[string]string{topology.Zone: "east-b", "accelerator": "gpu"}}},
	} {
		fmt.Println(node.Name, matcher.Match(&node), matcher.Score(&node))
	}
	// Output:
	// cpu-a1 false 50
	// gpu-a1 true 50
	// gpu-b1 true 0
}
