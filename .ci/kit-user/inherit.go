// Package user has an implementation of its own, which it tests with slipstream's test kits.
package user

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Inherit requires labels. It knows no other policy, and finds no conflicts.
func Inherit(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
	if faults := s.Validate(nil); len(faults) > 0 {
		return nil, faults.ToAggregate()
	}
	a := own.DeepCopy()
	var inherited []corev1.NodeSelectorRequirement
	for _, key := range s.Keys() {
		if value, ok := from.Get(key); ok && s.Policy == affinity.Require {
			inherited = append(inherited, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}})
		}
	}
	if len(inherited) == 0 {
		return a, nil
	}
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: inherited}}}
		return a, nil
	}
	for i, t := range required.NodeSelectorTerms {
		has := func(e corev1.NodeSelectorRequirement) bool {
			return slices.ContainsFunc(t.MatchExpressions, func(own corev1.NodeSelectorRequirement) bool { return equality.Semantic.DeepEqual(own, e) })
		}
		if len(t.MatchExpressions)+len(t.MatchFields) > 0 { // an empty term matches no node, and stays empty
			required.NodeSelectorTerms[i].MatchExpressions = append(t.MatchExpressions, slices.DeleteFunc(slices.Clone(inherited), has)...)
		}
	}
	return a, nil
}
