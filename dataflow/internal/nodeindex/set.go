package nodeindex

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// A Set is a set of the nodes of one index, with a bit for each node. Sets share memory, so
// a set that was returned is never written to.
type Set []uint64

func newSet(n int) Set { return make(Set, (n+63)/64) }

func (s Set) add(i int32) { s[i/64] |= 1 << (i % 64) }

// include adds what is in t.
func (s Set) include(t Set) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s Set) addAll(nodes iter.Seq[int32]) {
	for i := range nodes {
		s.add(i)
	}
}

// Has reports whether node i is in s.
func (s Set) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// Empty reports whether s has no nodes.
func (s Set) Empty() bool {
	return !slices.ContainsFunc(s, func(word uint64) bool { return word != 0 })
}

// Len returns the number of nodes in s.
func (s Set) Len() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// All ranges over the nodes of s in order.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			if !each(i, word, yield) {
				return
			}
		}
	}
}

// First returns the first node of s, or -1 if it is empty.
func (s Set) First() int {
	for i := range s.All() {
		return i
	}
	return -1
}

// each yields the nodes of the i-th word of a set. It is false if yield is.
func each(i int, word uint64, yield func(int) bool) bool {
	for ; word != 0; word &= word - 1 {
		if !yield(i*64 + bits.TrailingZeros64(word)) {
			return false
		}
	}
	return true
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

// Intersects reports whether some node is in both s and t.
func (s Set) Intersects(t Set) bool {
	for i := range s {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

// Intersection returns the intersection of s and t. It is s or t itself if one is a subset of
// the other, so that equal sets of many operations share memory.
func (s Set) Intersection(t Set) Set {
	switch {
	case s.SubsetOf(t):
		return s
	case t.SubsetOf(s):
		return t
	}
	return s.intersection(t)
}

// intersection returns the intersection of s and t in memory of its own.
func (s Set) intersection(t Set) Set {
	both := make(Set, len(s))
	for i := range s {
		both[i] = s[i] & t[i]
	}
	return both
}

// Difference returns the nodes of s that are not in t.
func (s Set) Difference(t Set) Set {
	rest := make(Set, len(s))
	for i := range s {
		rest[i] = s[i] &^ t[i]
	}
	return rest
}

// Equal reports whether s and t have the same nodes.
func (s Set) Equal(t Set) bool { return slices.Equal(s, t) }

// Filter returns the nodes of s for which ok is true.
func (s Set) Filter(ok func(i int) bool) Set {
	filtered := make(Set, len(s))
	for i := range s.All() {
		if ok(i) {
			filtered.add(int32(i))
		}
	}
	return filtered
}

// A SparseSet is a set of nodes without the words that are zero.
type SparseSet []chunk

type chunk struct {
	word int32 // its index in a Set
	bits uint64
}

// NewSparseSet returns the set of the nodes in a list, which is sorted.
func NewSparseSet(list []int32) SparseSet {
	var s SparseSet
	for _, i := range list {
		if n := len(s); n == 0 || s[n-1].word != i/64 {
			s = append(s, chunk{word: i / 64})
		}
		s[len(s)-1].bits |= 1 << (i % 64)
	}
	return slices.Clip(s)
}

// All ranges over the nodes of s in order.
func (s SparseSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, c := range s {
			if !each(int(c.word), c.bits, yield) {
				return
			}
		}
	}
}

// intersection returns the intersection of s and t.
func (s SparseSet) intersection(t Set) SparseSet {
	var both SparseSet
	for _, c := range s {
		if word := c.bits & t[c.word]; word != 0 {
			both = append(both, chunk{c.word, word})
		}
	}
	return both
}

// Has reports whether a node is in s.
func (s SparseSet) Has(node int) bool {
	at, ok := slices.BinarySearchFunc(s, int32(node/64), func(c chunk, word int32) int { return cmp.Compare(c.word, word) })
	return ok && s[at].bits&(1<<(node%64)) != 0
}

// Len returns the number of nodes in s.
func (s SparseSet) Len() int {
	n := 0
	for _, c := range s {
		n += bits.OnesCount64(c.bits)
	}
	return n
}

// Intersects reports whether some node is in both s and t.
func (s SparseSet) Intersects(t Set) bool {
	return slices.ContainsFunc(s, func(c chunk) bool { return t[c.word]&c.bits != 0 })
}

func (s SparseSet) addTo(t Set) {
	for _, c := range s {
		t[c.word] |= c.bits
	}
}
