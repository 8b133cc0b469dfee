package nodeselector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Alternatives are terms of which a node must match one. None at all match no node; an
// empty term among them matches every node. Each term by itself is satisfiable. They are
// immutable.
type Alternatives []Term

// Anything returns alternatives that every node matches.
func Anything() Alternatives { return Alternatives{{}} }

// The most that Both returns.
const (
	MaxTerms        = 64
	MaxRequirements = 1024 // in all terms
)

// Both returns alternatives for the nodes that match both a and b. Terms multiply, so
// there may be too many of them. It then asks for less: of a or b, or both, only what
// is common to all terms; and if that is still too much, for nothing.
func (a Alternatives) Both(b Alternatives) Alternatives {
	switch { // the common cases
	case a.isEmptyTerm() && b.fits():
		return b
	case b.isEmptyTerm() && a.fits():
		return a
	}
	for _, x := range []Alternatives{a, a.common()} {
		for _, y := range []Alternatives{b, b.common()} {
			if both, ok := x.times(y); ok {
				return both
			}
		}
	}
	return Anything()
}

// times returns the terms of a and b joined each to each, without those that no node
// can match and those that others make superfluous, unless that is too much.
func (a Alternatives) times(b Alternatives) (product Alternatives, ok bool) {
	if len(a)*len(b) > MaxTerms*MaxTerms {
		return nil, false
	}
	product = Alternatives{}
	for _, x := range a {
		for _, y := range b {
			if joined := x.with(y); joined.Satisfiable() {
				product = product.or(joined)
			}
		}
	}
	return product, product.fits()
}

func (a Alternatives) isEmptyTerm() bool { return len(a) == 1 && len(a[0]) == 0 }

// fits reports whether a is not too much.
func (a Alternatives) fits() bool {
	requirements := 0
	for _, t := range a {
		requirements += len(t)
	}
	return len(a) <= MaxTerms && requirements <= MaxRequirements
}

// or returns a, which it may write to, with t, unless whatever matches t matches a term
// of a, and without the terms of a that are superfluous beside t.
func (a Alternatives) or(t Term) Alternatives {
	if slices.ContainsFunc(a, func(o Term) bool { return t.includes(o) }) {
		return a
	}
	return append(slices.DeleteFunc(a, func(o Term) bool { return o.includes(t) }), t)
}

// common returns what all terms ask for.
func (a Alternatives) common() Alternatives {
	if len(a) == 0 {
		return a
	}
	var common Term
	for _, r := range a[0] {
		if !slices.ContainsFunc(a[1:], func(t Term) bool { return !t.has(r) }) {
			common = append(common, r)
		}
	}
	return Alternatives{common}
}

// Without returns a without the requirements that t makes superfluous.
func (a Alternatives) Without(t Term) Alternatives {
	rest := Alternatives{}
	for _, o := range a {
		rest = rest.or(slices.DeleteFunc(slices.Clone(o), t.has))
	}
	return rest
}

// IsAnything reports whether a asks for nothing.
func (a Alternatives) IsAnything() bool {
	return slices.ContainsFunc(a, func(t Term) bool { return len(t) == 0 })
}

// Terms returns a as it stands in a node affinity. It must not hold an empty term.
func (a Alternatives) Terms() []corev1.NodeSelectorTerm {
	terms := make([]corev1.NodeSelectorTerm, len(a))
	for i, t := range a {
		for _, r := range t {
			if r.IsField() {
				terms[i].MatchFields = append(terms[i].MatchFields, r.Expression())
			} else {
				terms[i].MatchExpressions = append(terms[i].MatchExpressions, r.Expression())
			}
		}
	}
	return terms
}

// Exclude reports whether no node can match both a and b, neither of which is without
// terms, and what in the first term of each excludes the other.
func (a Alternatives) Exclude(b Alternatives) (there, here Term, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if x.And(y).Satisfiable() {
				return nil, nil, false
			}
		}
	}
	together := a[0].And(b[0]).Impossible()
	among := func(r requirement.Requirement) bool { return !together.has(r) }
	return slices.DeleteFunc(slices.Clone(a[0]), among), slices.DeleteFunc(slices.Clone(b[0]), among), true
}

func (t Term) has(r requirement.Requirement) bool { return slices.ContainsFunc(t, r.Equal) }

// includes reports whether t has every requirement of o.
func (t Term) includes(o Term) bool {
	return !slices.ContainsFunc(o, func(r requirement.Requirement) bool { return !t.has(r) })
}

// with returns the conjunction of t and o, each requirement once.
func (t Term) with(o Term) Term {
	both := slices.Clone(t)
	for _, r := range o {
		if !both.has(r) {
			both = append(both, r)
		}
	}
	return both
}

// Leading returns what a asks of a node such that another, which a is matched by, can
// have the same values for those of the keys that the node has. A label that the node
// lacks asks nothing, so a demand for a value becomes one for it or for no label.
func (a Alternatives) Leading(keys []string) Alternatives {
	leading := Alternatives{}
	for _, t := range a {
		ways := Anything()
		for _, key := range keys {
			ways = ways.Both(t.leading(key))
		}
		for _, way := range ways {
			leading = leading.or(way)
		}
	}
	return leading.Both(Anything())
}

func (t Term) leading(key string) Alternatives {
	on := slices.DeleteFunc(t.On(key), requirement.Requirement.IsExists)
	switch {
	case len(on) == 0:
		return Anything()
	case on.Matches("", nil):
		return Alternatives{on}
	}
	return Alternatives{on, {requirement.Absent(key)}}
}
