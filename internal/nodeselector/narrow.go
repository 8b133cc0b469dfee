package nodeselector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Narrow returns a copy of an affinity that matches only nodes that match one of the
// alternatives too, on a pod with the given node selector. Each term of its required node
// affinity is joined with each alternative that some node matches together with it and the
// node selector, without the requirements that the term or the node selector already has.
// If that makes more terms than the limit, and more than the affinity has, each term is joined
// only with what all alternatives have in common. The affinity must be well-formed.
func (a Alternatives) Narrow(own *corev1.Affinity, selector Term) *corev1.Affinity {
	narrowed := Narrow(own, selector, func(int) Alternatives { return a })
	terms := 1
	if required := Required(own); required != nil {
		terms = len(required.NodeSelectorTerms)
	}
	if len(Required(narrowed).NodeSelectorTerms) > max(terms, maxTerms) {
		return Narrow(own, selector, func(int) Alternatives { return a.common() })
	}
	return narrowed
}

// Narrow returns a copy of an affinity in which the i-th non-empty term of the required node
// affinity is joined with each of the alternatives that more returns for it, as
// [Alternatives.Narrow] does without a limit. An affinity without a required node affinity has one
// term, without requirements.
func Narrow(own *corev1.Affinity, selector Term, more func(i int) Alternatives) *corev1.Affinity {
	ownTerms, parsed := []corev1.NodeSelectorTerm{{}}, []Term{{}}
	if required := Required(own); required != nil {
		ownTerms = slices.DeleteFunc(slices.Clone(required.NodeSelectorTerms), IsEmpty)
		parsed, _ = ParseTerms(ownTerms, "")
	}
	var joined []corev1.NodeSelectorTerm
	for i, c := range joinSelector(parsed, selector) {
		if c == nil {
			continue
		}
		var missing Alternatives
		for _, o := range more(i) {
			if _, ok := c.and(o); ok {
				missing = append(missing, o.without(c))
			}
		}
		if missing.IsTrue() {
			missing = True()
		}
		for _, o := range missing {
			joined = append(joined, o.joinTo(&ownTerms[i]))
		}
	}
	narrowed := WithNodeAffinity(own.DeepCopy())
	narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: joined}
	return narrowed
}

// WithNodeAffinity returns a, or a new affinity if it is nil, with a node affinity.
func WithNodeAffinity(a *corev1.Affinity) *corev1.Affinity {
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	return a
}

// joinTo returns a copy of a term with the requirements of c in addition.
func (c conjunction) joinTo(term *corev1.NodeSelectorTerm) corev1.NodeSelectorTerm {
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
