package nodeselector

import (
	"cmp"
	"iter"
	"slices"

	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Alternatives are ORed conjunctions. Some node can match each of them. Without conjunctions they
// match no node; with an empty conjunction they match every node. They are immutable.
type Alternatives []conjunction

// A conjunction holds requirements that some node can meet together, sorted and each once.
// Conjunctions share requirements: those of the operations of a chain have most in common.
type conjunction []*requirement.Requirement

// Beyond these limits the functions of Alternatives require less than they should, so that
// their cost is linear in every dimension.
const (
	maxTerms        = 64                                             // in the result of And
	maxRequirements = 1024                                           // in all terms of the result
	maxSteps        = 2*maxTerms*maxRequirements + maxTerms*maxTerms // to join two results
)

// True returns alternatives that every node matches.
func True() Alternatives { return Alternatives{{}} }

// AnyOf returns the alternatives of ORed terms, each joined with the node selector. Terms
// that no node can match together with it are left out. If terms and node selector are too
// many to be joined, only the entries of the node selector on keys of the term are.
func AnyOf(terms []Term, selector Term) Alternatives {
	joined := joinSelector(terms, selector)
	return slices.DeleteFunc(joined, func(c conjunction) bool { return c == nil })
}

// joinSelector returns each term joined with the node selector, as AnyOf does, and nil for a
// term that no node can match together with it.
func joinSelector(terms []Term, selector Term) []conjunction {
	joined := make([]conjunction, len(terms))
	for i, t := range terms {
		both := t.And(selector.about(t))
		if !both.Satisfiable() {
			continue
		}
		if len(terms)*len(selector) <= maxSteps {
			both = t.And(selector)
		}
		joined[i] = both.conjunction()
	}
	return joined
}

// conjunction returns the requirements of t, sorted and each once. It is not nil.
func (t Term) conjunction() conjunction {
	c := make(conjunction, len(t))
	for i := range t {
		c[i] = &t[i]
	}
	return sorted(c)
}

// term is the inverse of conjunction.
func (c conjunction) term() Term {
	t := make(Term, len(c))
	for i, r := range c {
		t[i] = *r
	}
	return t
}

// And returns alternatives for the nodes that match both a and b. If there are too many
// terms, it uses of a or b, or of both, only what all terms have in common. If that is still
// too much, it requires nothing.
func (a Alternatives) And(b Alternatives) Alternatives {
	switch { // the common cases, in which nothing is allocated
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

// Implies reports whether each term of a has all requirements of some term of b.
func (a Alternatives) Implies(b Alternatives) bool {
	return !slices.ContainsFunc(a, func(x conjunction) bool {
		return !slices.ContainsFunc(b, x.includes)
	})
}

// fits reports whether a is within the limits.
func (a Alternatives) fits() bool { return len(a) <= maxTerms && a.Requirements() <= maxRequirements }

// Requirements returns the number of requirements in all terms.
func (a Alternatives) Requirements() int {
	n := 0
	for _, c := range a {
		n += len(c)
	}
	return n
}

// stepsWith returns the number of steps to join every term of a with every term of b.
func (a Alternatives) stepsWith(b Alternatives) int {
	return len(a)*b.Requirements() + len(b)*a.Requirements() + len(a)*len(b)
}

// product returns the terms of a, each joined with each term of b. Terms that no node can match, and
// redundant terms, are left out. ok is false if there are too many.
func (a Alternatives) product(b Alternatives) (product Alternatives, ok bool) {
	if a.stepsWith(b) > maxSteps {
		return nil, false
	}
	for _, x := range a {
		for _, y := range b {
			if both, ok := x.and(y); ok {
				product = append(product, both)
			}
		}
	}
	return product.pruned()
}

// pruned returns a without the terms that have all requirements of another one. ok is false
// if they are too many. Short terms come first, because no longer one makes them redundant:
// what is kept once is kept.
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

// common returns the requirements that all terms have in common. There must be a term.
func (a Alternatives) common() Alternatives {
	common := a[0]
	for _, c := range a[1:] {
		common = common.without(common.without(c))
	}
	return Alternatives{common}
}

// IsTrue reports whether a matches every node because it requires nothing.
func (a Alternatives) IsTrue() bool {
	return slices.ContainsFunc(a, func(c conjunction) bool { return len(c) == 0 })
}

// Conflict reports whether no node can match both a and b, and which requirements of the
// first term of each exclude each other. Neither may be without terms. It is exact if a or b
// is a result of And or Project. Otherwise it compares, of too many terms, only what they
// have in common.
func (a Alternatives) Conflict(b Alternatives) (ofA, ofB Term, ok bool) {
	x, y := a, b
	if !a.fits() && !b.fits() && a.stepsWith(b) > maxSteps {
		x, y = a.common(), b.common()
	}
	for _, c := range x {
		for _, o := range y {
			if _, ok := c.and(o); ok {
				return nil, nil, false
			}
		}
	}
	first, second := a[0].term(), b[0].term()
	impossible := first.And(second).Impossible()
	other := func(r requirement.Requirement) bool { return r.CompareSubject(&impossible[0]) != 0 }
	return slices.DeleteFunc(first, other), slices.DeleteFunc(second, other), true
}

// includes reports whether c has every requirement of o.
func (c conjunction) includes(o conjunction) bool {
	for range o.lackedBy(c) {
		return false
	}
	return true
}

// without returns the requirements of c that o does not have.
func (c conjunction) without(o conjunction) conjunction { return slices.Collect(c.lackedBy(o)) }

// lackedBy ranges over the requirements of c that o does not have.
func (c conjunction) lackedBy(o conjunction) iter.Seq[*requirement.Requirement] {
	return func(yield func(*requirement.Requirement) bool) {
		others := o
		for _, r := range c {
			for len(others) > 0 && others[0].Compare(r) < 0 {
				others = others[1:]
			}
			if (len(others) == 0 || others[0].Compare(r) != 0) && !yield(r) {
				return
			}
		}
	}
}

// and returns the conjunction of c and o. ok is false if no node can match it.
func (c conjunction) and(o conjunction) (both conjunction, ok bool) {
	both = sorted(slices.Concat(c, o))
	for rest := both; len(rest) > 0; {
		var subject conjunction
		subject, rest = rest.cutSubject()
		if len(subject) > 1 && requirement.Of(subject.term()...).Empty() {
			return nil, false
		}
	}
	return both, true
}

// sorted sorts requirements, and keeps each once.
func sorted(c conjunction) conjunction {
	slices.SortFunc(c, (*requirement.Requirement).Compare)
	return slices.CompactFunc(c, func(r, o *requirement.Requirement) bool { return r.Compare(o) == 0 })
}

// cutSubject returns the requirements of c on the first subject, and the others.
func (c conjunction) cutSubject() (first, rest conjunction) {
	end := 1
	for end < len(c) && c[end].CompareSubject(c[0]) == 0 {
		end++
	}
	return c[:end], c[end:]
}

// Project returns the alternatives for a node such that some other node, which matches a, has
// the same values for those of the keys that the first node has. A key that the first node
// lacks constrains neither, so a requirement on a key becomes one on its value or its absence.
// As with And, the result may require less.
func (a Alternatives) Project(keys []string) Alternatives {
	var projected Alternatives
	for _, c := range a.And(True()) {
		byKey := map[string]conjunction{}
		for len(c) > 0 && !c[0].IsField() {
			var on conjunction
			on, c = c.cutSubject()
			byKey[on[0].Key()] = on
		}
		alternatives := True()
		for _, key := range keys {
			// If the terms would be too many, the key is left out, as And does.
			if either := byKey[key].orAbsent(key); len(alternatives)*len(either) <= maxTerms {
				alternatives = alternatives.And(either)
			}
		}
		projected = append(projected, alternatives...)
	}
	if pruned, ok := projected.pruned(); ok {
		return pruned
	}
	return projected.common()
}

// orAbsent returns the alternatives that a label, which is the only subject of c, meets c or
// is absent.
func (c conjunction) orAbsent(key string) Alternatives {
	var values conjunction
	absentMatches := true
	for _, r := range c {
		if !r.IsExists() {
			values = append(values, r)
			absentMatches = absentMatches && r.Matches("", false)
		}
	}
	if absentMatches {
		return Alternatives{values}
	}
	absent := requirement.Absent(key)
	return Alternatives{values, {&absent}}
}
