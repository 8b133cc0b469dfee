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
	return narrow(a, func(own *corev1.NodeSelectorTerm) (joined []corev1.NodeSelectorTerm) {
		for j := range alternatives {
			if fits(own, &alternatives[j]) {
				joined = append(joined, join(*own, alternatives[j]))
			}
		}
		return joined
	})
}

// Narrow returns a copy of an affinity that matches, on a pod with the given node
// selector, the nodes that match one of the alternatives as well. Each term is joined to
// each alternative that some node matches together with it, of which it gets what neither
// it nor the node selector asks for already. What is malformed must not be there.
func (a Alternatives) Narrow(own *corev1.Affinity, selector Term) *corev1.Affinity {
	return narrow(own, func(term *corev1.NodeSelectorTerm) (joined []corev1.NodeSelectorTerm) {
		parsed, _ := ParseTerm(*term, nil)
		for _, here := range AnyOf([]Term{parsed}, selector) {
			var more Alternatives
			for _, c := range a {
				if _, ok := here.and(c); ok {
					more = append(more, c.without(here))
				}
			}
			if more.IsTrue() {
				more = True()
			}
			for _, c := range more {
				joined = append(joined, c.join(term))
			}
		}
		return joined
	})
}

// narrow returns a copy of a in which what each term becomes takes its place. What is
// without a required node affinity is as if it had a term that every node matches.
func narrow(a *corev1.Affinity, becomes func(*corev1.NodeSelectorTerm) []corev1.NodeSelectorTerm) *corev1.Affinity {
	own := []corev1.NodeSelectorTerm{{}}
	required := Required(a)
	if required != nil {
		own = required.NodeSelectorTerms
	}
	var joined []corev1.NodeSelectorTerm
	for i := range own {
		if required == nil || !IsEmpty(own[i]) {
			joined = append(joined, becomes(&own[i])...)
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

// join returns a copy of a term with c added to it.
func (c conjunction) join(term *corev1.NodeSelectorTerm) corev1.NodeSelectorTerm {
	joined := *term.DeepCopy()
	joined.MatchExpressions = slices.Grow(joined.MatchExpressions, len(c))
	for _, r := range c {
		if r.IsField() {
			joined.MatchFields = append(joined.MatchFields, r.Expression())
		} else {
			joined.MatchExpressions = append(joined.MatchExpressions, r.Expression())
		}
	}
	return joined
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
