package nodeselector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Narrow returns a copy of a that matches the nodes that a matches and that match one
// of the alternatives, which must not be empty terms. Each term of a is joined to each
// alternative that goes with it; so fits may leave out those that match no node
// together. An expression that a term has to the letter is not added again.
func Narrow(a *corev1.Affinity, alternatives []corev1.NodeSelectorTerm, fits func(term, alternative *corev1.NodeSelectorTerm) bool) *corev1.Affinity {
	own := []corev1.NodeSelectorTerm{{}}
	required := Required(a)
	if required != nil {
		own = required.NodeSelectorTerms
	}
	var joined []corev1.NodeSelectorTerm
	for i := range own {
		if required != nil && IsEmpty(own[i]) {
			continue
		}
		for j := range alternatives {
			if fits(&own[i], &alternatives[j]) {
				joined = append(joined, join(own[i], alternatives[j]))
			}
		}
	}
	narrowed := a.DeepCopy()
	if narrowed == nil {
		narrowed = &corev1.Affinity{}
	}
	if narrowed.NodeAffinity == nil {
		narrowed.NodeAffinity = &corev1.NodeAffinity{}
	}
	narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: joined}
	return narrowed
}

// join returns a copy of term with what the alternative asks for beyond it.
func join(term, alternative corev1.NodeSelectorTerm) corev1.NodeSelectorTerm {
	joined := *term.DeepCopy()
	joined.MatchExpressions = joinTo(joined.MatchExpressions, alternative.MatchExpressions)
	joined.MatchFields = joinTo(joined.MatchFields, alternative.MatchFields)
	return joined
}

func joinTo(own, more []corev1.NodeSelectorRequirement) []corev1.NodeSelectorRequirement {
	for _, e := range more {
		same := func(o corev1.NodeSelectorRequirement) bool {
			return o.Key == e.Key && o.Operator == e.Operator && slices.Equal(o.Values, e.Values)
		}
		if !slices.ContainsFunc(own, same) {
			own = append(own, *e.DeepCopy())
		}
	}
	return own
}
