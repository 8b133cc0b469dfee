package nodeindex

import (
	"iter"
	"math/bits"
	"slices"
)

// A Set is a set of the nodes of one catalogue, a bit for each. What is published is
// never written to, so that sets may share memory.
type Set []uint64

func newSet(n int) Set { return make(Set, (n+63)/64) }

func (s Set) add(i int32) { s[i/64] |= 1 << (i % 64) }

func (s Set) remove(i int32) { s[i/64] &^= 1 << (i % 64) }

// Has reports whether node i is in s.
func (s Set) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// Empty reports whether no node is in s.
func (s Set) Empty() bool {
	for _, word := range s {
		if word != 0 {
			return false
		}
	}
	return true
}

// Len returns how many nodes are in s.
func (s Set) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// All ranges over the nodes of s in their order.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for w, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(w*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// SubsetOf reports whether every node of s is in t.
func (s Set) SubsetOf(t Set) bool {
	for i := range s {
		if s[i]&^t[i] != 0 {
			return false
		}
	}
	return true
}

// Intersects reports whether some node is in both.
func (s Set) Intersects(t Set) bool {
	for i := range s {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

// Intersection returns what is in both: s or t itself where one is within the other, so that
// equal sets of many operations are one in memory.
func (s Set) Intersection(t Set) Set {
	switch {
	case s.SubsetOf(t):
		return s
	case t.SubsetOf(s):
		return t
	}
	both := make(Set, len(s))
	for i := range s {
		both[i] = s[i] & t[i]
	}
	return both
}

// Union returns what is in either: s or t itself where one is within the other.
func (s Set) Union(t Set) Set {
	switch {
	case s.SubsetOf(t):
		return t
	case t.SubsetOf(s):
		return s
	}
	either := slices.Clone(s)
	either.include(t)
	return either
}

// Difference returns what is in s and not in t.
func (s Set) Difference(t Set) Set {
	rest := make(Set, len(s))
	for i := range s {
		rest[i] = s[i] &^ t[i]
	}
	return rest
}

// Equal reports whether s and t have the same nodes.
func (s Set) Equal(t Set) bool { return s.SubsetOf(t) && t.SubsetOf(s) }

func (s Set) include(t Set) {
	for i := range s {
		s[i] |= t[i]
	}
}

// Filter returns the nodes of s that ok holds of.
func (s Set) Filter(ok func(i int) bool) Set {
	where := make(Set, len(s))
	for i := range s.All() {
		if ok(i) {
			where.add(int32(i))
		}
	}
	return where
}
