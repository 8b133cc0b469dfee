package affinity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// equality returns the expression that a label has a value.
func equality(key, value string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
}

// preference returns the preference that a label has a value.
func preference(p PreferredLabel, value string) corev1.PreferredSchedulingTerm {
	return corev1.PreferredSchedulingTerm{Weight: p.Weight, Preference: corev1.NodeSelectorTerm{
		MatchExpressions: []corev1.NodeSelectorRequirement{equality(p.Key, value)},
	}}
}

// isEquality reports whether e is the equality for an inherited label.
func isEquality(e *corev1.NodeSelectorRequirement, inherited topology.LabelSet) bool {
	if e.Operator != corev1.NodeSelectorOpIn || len(e.Values) != 1 {
		return false
	}
	value, ok := inherited.Get(e.Key)
	return ok && value == e.Values[0]
}

// appendMissing appends to own the equality for the inherited value of every key, unless own
// has it already.
func appendMissing(own []corev1.NodeSelectorRequirement, keys []string, inherited topology.LabelSet) []corev1.NodeSelectorRequirement {
	has := make(map[string]bool)
	for i := range own {
		if isEquality(&own[i], inherited) {
			has[own[i].Key] = true
		}
	}
	own = slices.Grow(own, inherited.Len())
	for _, key := range keys {
		if value, ok := inherited.Get(key); ok && !has[key] {
			own = append(own, equality(key, value))
		}
	}
	return own
}

// heldPreferences returns the preferences for an inherited label that a has already.
func heldPreferences(a *corev1.Affinity, inherited topology.LabelSet) map[PreferredLabel]bool {
	has := make(map[PreferredLabel]bool)
	if a == nil || a.NodeAffinity == nil {
		return has
	}
	for _, own := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		expressions := own.Preference.MatchExpressions
		if len(expressions) == 1 && len(own.Preference.MatchFields) == 0 && isEquality(&expressions[0], inherited) {
			has[PreferredLabel{Key: expressions[0].Key, Weight: own.Weight}] = true
		}
	}
	return has
}
