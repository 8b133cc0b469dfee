package affinity_test

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// The oracle of the laws: match and score as LAWS.md defines them, for affinities that an API server
// accepts. It shares no code with the package.

// match is kube-scheduler's verdict on n for a pod whose affinity is a.
func match(a *corev1.Affinity, n *corev1.Node) bool {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		if matchTerm(term, n) {
			return true
		}
	}
	return false
}

// score returns the sum of the weights of the preferred terms that match n.
func score(a *corev1.Affinity, n *corev1.Node) int {
	sum := 0
	if a != nil && a.NodeAffinity != nil {
		for _, p := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			if matchTerm(p.Preference, n) {
				sum += int(p.Weight)
			}
		}
	}
	return sum
}

func matchTerm(term corev1.NodeSelectorTerm, n *corev1.Node) bool {
	for _, e := range term.MatchExpressions {
		if value, present := n.Labels[e.Key]; !matchRequirement(e, value, present) {
			return false
		}
	}
	for _, e := range term.MatchFields { // metadata.name is the only field
		if !matchRequirement(e, n.Name, true) {
			return false
		}
	}
	return len(term.MatchExpressions)+len(term.MatchFields) > 0
}

func matchRequirement(e corev1.NodeSelectorRequirement, value string, present bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return present && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !present || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return present
	case corev1.NodeSelectorOpDoesNotExist:
		return !present
	}
	v, notInt := strconv.ParseInt(value, 10, 64)
	bound, boundNotInt := strconv.ParseInt(e.Values[0], 10, 64)
	if !present || notInt != nil || boundNotInt != nil {
		return false
	}
	if e.Operator == corev1.NodeSelectorOpGt {
		return v > bound
	}
	return v < bound
}
