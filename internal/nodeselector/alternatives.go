package nodeselector

import (
	"cmp"
	"slices"

	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Alternatives are conjunctions of which a node must match one. None at all match no
// node; an empty one among them matches every node. They are immutable.
type Alternatives []conjunction

// A conjunction holds requirements that some node can meet together, sorted and each
// once. It shares them with others: those of a long chain have nearly all in common.
type conjunction []*requirement.Requirement

// True returns alternatives that every node matches.
func True() Alternatives { return Alternatives{{}} }

// AnyOf returns the alternatives that the terms are, each together with the selector, as
// far as a node can match them.
func AnyOf(terms []Term, selector Term) Alternatives {
	a := make(Alternatives, 0, len(terms))
	for _, t := range terms {
		if both := t.And(selector); both.Satisfiable() {
			a = append(a, both.conjunction())
		}
	}
	return a
}

func (t Term) conjunction() conjunction {
	c := make(conjunction, len(t))
	for i := range t {
		c[i] = &t[i]
	}
	slices.SortFunc(c, (*requirement.Requirement).Compare)
	return slices.CompactFunc(c, func(r, o *requirement.Requirement) bool { return r.Compare(o) == 0 })
}

// term returns the requirements of c that keep lets through.
func (c conjunction) term(keep func(*requirement.Requirement) bool) Term {
	var t Term
	for _, r := range c {
		if keep(r) {
			t = append(t, *r)
		}
	}
	return t
}

// The most that Both returns.
const (
	MaxTerms        = 64
	MaxRequirements = 1024 // in all terms
)

// And returns alternatives for the nodes that match both a and b. Terms multiply, so
// there may be too many of them. It then asks for less: of a or b, or both, only what
// is common to all terms; and if that is still too much, for nothing.
func (a Alternatives) And(b Alternatives) Alternatives {
	switch { // the common cases, in which nothing is made
	case a.fits() && a.Implies(b):
		return a
	case b.fits() && b.Implies(a):
		return b
	}
	for _, x := range []Alternatives{a, a.common()} {
		for _, y := range []Alternatives{b, b.common()} {
			if both, ok := x.product(y); ok {
				return both
			}
		}
	}
	return True()
}

// Implies reports whether to the letter each term of a asks for all that a term of b does.
func (a Alternatives) Implies(b Alternatives) bool {
	return !slices.ContainsFunc(a, func(x conjunction) bool {
		return !slices.ContainsFunc(b, x.includes)
	})
}

// fits reports whether a is not too much.
func (a Alternatives) fits() bool {
	requirements := 0
	for _, c := range a {
		requirements += len(c)
	}
	return len(a) <= MaxTerms && requirements <= MaxRequirements
}

// product returns the terms of a and b joined each to each, without those that no node
// can match and those that others make superfluous, unless that is too much.
func (a Alternatives) product(b Alternatives) (product Alternatives, ok bool) {
	if len(a)*len(b) > MaxTerms*MaxTerms {
		return nil, false
	}
	product = make(Alternatives, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			if both, ok := x.and(y); ok {
				product = append(product, both)
			}
		}
	}
	return product.pruned()
}

// pruned returns a without the terms that others make superfluous, unless that is too
// much. The shortest come first, for none of them is made superfluous by a longer one: so
// whatever is kept stays, and it is known at once when it becomes too much.
func (a Alternatives) pruned() (rest Alternatives, ok bool) {
	shortest := make([]int, len(a))
	for i := range a {
		shortest[i] = i
	}
	slices.SortStableFunc(shortest, func(i, j int) int { return cmp.Compare(len(a[i]), len(a[j])) })
	var kept []int
	for _, i := range shortest {
		if !slices.ContainsFunc(rest, a[i].includes) {
			kept, rest = append(kept, i), append(rest, a[i])
			if !rest.fits() {
				return nil, false
			}
		}
	}
	slices.Sort(kept)
	for at, i := range kept {
		rest[at] = a[i]
	}
	return rest, true
}

// common returns what all terms ask for.
func (a Alternatives) common() Alternatives {
	if len(a) == 0 {
		return a
	}
	common := a[0]
	for _, c := range a[1:] {
		common = common.without(common.without(c))
	}
	return Alternatives{common}
}

// IsTrue reports whether a asks for nothing.
func (a Alternatives) IsTrue() bool {
	return slices.ContainsFunc(a, func(c conjunction) bool { return len(c) == 0 })
}

// Conflict reports whether no node can match both a and b, neither of which is without
// terms, and what in the first term of each excludes the other.
func (a Alternatives) Conflict(b Alternatives) (there, here Term, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if _, ok := x.and(y); ok {
				return nil, nil, false
			}
		}
	}
	all := func(*requirement.Requirement) bool { return true }
	impossible := a[0].term(all).And(b[0].term(all)).Impossible()
	same := func(r *requirement.Requirement) bool { return r.CompareSubject(&impossible[0]) == 0 }
	return a[0].term(same), b[0].term(same), true
}

// includes reports whether c has every requirement of o.
func (c conjunction) includes(o conjunction) bool {
	if len(o) > len(c) {
		return false
	}
	for _, r := range o {
		for len(c) > 0 && c[0] != r && c[0].Compare(r) < 0 {
			c = c[1:]
		}
		if len(c) == 0 || c[0] != r && c[0].Compare(r) != 0 {
			return false
		}
		c = c[1:]
	}
	return true
}

// without returns the requirements of c that o does not have.
func (c conjunction) without(o conjunction) conjunction {
	var rest conjunction
	for _, r := range c {
		for len(o) > 0 && o[0].Compare(r) < 0 {
			o = o[1:]
		}
		if len(o) == 0 || o[0].Compare(r) != 0 {
			rest = append(rest, r)
		}
	}
	return rest
}

// and returns the conjunction of c and o, and whether a node can match it. Only what both
// add to one subject can exclude each other, for each can be matched by itself.
func (c conjunction) and(o conjunction) (both conjunction, ok bool) {
	both = make(conjunction, 0, len(c)+len(o))
	of, byC, byO := 0, false, false // where the subject begins, and who adds to it
	excluded := func() bool {
		if !byC || !byO {
			return false
		}
		var same Term
		for _, r := range both[of:] {
			same = append(same, *r)
		}
		return same.Set().Empty()
	}
	for len(c)+len(o) > 0 {
		var order int
		switch {
		case len(c) == 0:
			order = 1
		case len(o) == 0:
			order = -1
		case c[0] != o[0]:
			order = c[0].Compare(o[0])
		}
		var next *requirement.Requirement
		if order <= 0 {
			next, c = c[0], c[1:]
		}
		if order >= 0 {
			next, o = o[0], o[1:]
		}
		if of < len(both) && both[of].CompareSubject(next) != 0 {
			if excluded() {
				return nil, false
			}
			of, byC, byO = len(both), false, false
		}
		both, byC, byO = append(both, next), byC || order < 0, byO || order > 0
	}
	return both, !excluded()
}

// Project returns what a asks of a node such that another, which a is matched by, can
// have the same values for those of the keys that the node has. A label that the node
// lacks asks nothing, so a demand for a value becomes one for it or for no label. Like
// Both it asks for less where that would be too much.
func (a Alternatives) Project(keys []string) Alternatives {
	var leading Alternatives
	for _, c := range a.And(True()) {
		ways := True()
		for _, key := range keys {
			ways = ways.And(c.project(key))
		}
		leading = append(leading, ways...)
	}
	if pruned, ok := leading.pruned(); ok {
		return pruned
	}
	return leading.common()
}

func (c conjunction) project(key string) Alternatives {
	on := c.term(func(r *requirement.Requirement) bool { return !r.IsField() && r.Key() == key && !r.IsExists() })
	switch {
	case len(on) == 0:
		return True()
	case on.Matches("", nil):
		return Alternatives{on.conjunction()}
	}
	return Alternatives{on.conjunction(), Term{requirement.Absent(key)}.conjunction()}
}
