package affinity

import corev1 "k8s.io/api/core/v1"

// equality is the expression that a label has a value.
func equality(key, value string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
}

// isEquality reports whether e is equality(key, value) to the letter.
func isEquality(e *corev1.NodeSelectorRequirement, key, value string) bool {
	return e.Key == key && e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 && e.Values[0] == value
}

// hasEquality reports whether term has that expression.
func hasEquality(term *corev1.NodeSelectorTerm, key, value string) bool {
	for i := range term.MatchExpressions {
		if isEquality(&term.MatchExpressions[i], key, value) {
			return true
		}
	}
	return false
}

// nodeAffinity returns the node affinity of a, for writing, and a itself. Either
// is made if it is not there.
func nodeAffinity(a *corev1.Affinity) (*corev1.Affinity, *corev1.NodeAffinity) {
	if a == nil {
		made := &struct {
			affinity corev1.Affinity
			node     corev1.NodeAffinity
		}{}
		made.affinity.NodeAffinity = &made.node
		return &made.affinity, &made.node
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	return a, a.NodeAffinity
}

// prefersAlready reports whether a has a preference of p's weight for p's label
// with the given value, and for nothing else.
func prefersAlready(a *corev1.Affinity, p Preferred, value string) bool {
	if a == nil || a.NodeAffinity == nil {
		return false
	}
	terms := a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	for i := range terms {
		preference := &terms[i].Preference
		if terms[i].Weight == p.Weight && len(preference.MatchFields) == 0 && len(preference.MatchExpressions) == 1 &&
			hasEquality(preference, p.Name, value) {
			return true
		}
	}
	return false
}
