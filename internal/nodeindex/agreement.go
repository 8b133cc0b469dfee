package nodeindex

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// An Agreement says which nodes agree with which on some label keys: b agrees with a
// if it has the same value for every one of the keys that a has. A label that a lacks
// asks nothing of b, so the two are not interchangeable.
type Agreement struct {
	alone  Set     // the nodes with which only they themselves agree
	groups []group // all other nodes, each once as a leader
}

// group says that all followers agree with each of the leaders, and that nobody else
// does.
type group struct{ leaders, followers SparseSet }

// Agreement returns who agrees with whom on the keys.
func (c *Index) Agreement(keys []string) *Agreement {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return c.agree.Get([]byte(strings.Join(keys, ",")), func() *Agreement { return c.agreementOn(keys) })
}

func (c *Index) agreementOn(keys []string) *Agreement {
	indexes := make([]*valueIndex, len(keys))
	for k, key := range keys {
		indexes[k] = c.label(key)
	}
	a := &Agreement{alone: newSet(len(c.nodes))}
	found, nodes := patterns(indexes, len(c.nodes))
	for p, present := range found {
		if present == "\x01" {
			a.group(indexes[0].nodes, indexes[0].nodes)
			continue
		}
		var candidates [][]int32 // with these keys, and maybe others
		for q, other := range found {
			if hasAll(other, present) {
				candidates = append(candidates, nodes[q])
			}
		}
		a.group(groupsOn(indexes, present, nodes[p], candidates))
	}
	return a
}

func (a *Agreement) group(leaders, followers [][]int32) {
	for g := range leaders {
		if len(followers[g]) == 1 { // itself, as every node agrees with itself
			a.alone.add(leaders[g][0])
		} else {
			a.groups = append(a.groups, group{NewSparseSet(leaders[g]), NewSparseSet(followers[g])})
		}
	}
}

// patterns returns which keys nodes have and which they lack: each combination that
// occurs, as a byte a key, in the order in which they occur, and the nodes of each.
func patterns(indexes []*valueIndex, n int) (found []string, nodes [][]int32) {
	number := map[string]int32{}
	pattern := make([]byte, len(indexes))
	of, size := make([]int32, n), []int32(nil)
	for i := range n {
		for k, index := range indexes {
			pattern[k] = 0
			if index.of[i] != absent {
				pattern[k] = 1
			}
		}
		p, ok := number[string(pattern)]
		if !ok {
			p = int32(len(found))
			number[string(pattern)] = p
			found, size = append(found, string(pattern)), append(size, 0)
		}
		of[i] = p
		size[p]++
	}
	return found, partition(nil, of, size)
}

// hasAll reports whether a pattern has every key that another has.
func hasAll(pattern, other string) bool {
	for k := range len(other) {
		if other[k] > pattern[k] {
			return false
		}
	}
	return true
}

// groupsOn returns, for nodes that have exactly the present keys, groups of equal values,
// and for each group those of the candidates that have these values.
func groupsOn(indexes []*valueIndex, present string, nodes []int32, candidates [][]int32) (leaders, followers [][]int32) {
	values, number := make([]byte, 0, 4*len(indexes)), map[string]int32{}
	valuesOf := func(i int32) []byte {
		values = values[:0]
		for k, index := range indexes {
			if present[k] == 1 {
				values = binary.LittleEndian.AppendUint32(values, uint32(index.of[i]))
			}
		}
		return values
	}
	of, size := make([]int32, len(nodes)), []int32(nil)
	for at, i := range nodes {
		g, ok := number[string(valuesOf(i))]
		if !ok {
			g = int32(len(number))
			number[string(values)] = g
			size = append(size, 0)
		}
		of[at] = g
		size[g]++
	}
	leaders = partition(nodes, of, size)

	following, of := []int32(nil), of[:0]
	clear(size)
	for _, candidates := range candidates {
		for _, i := range candidates {
			if g, ok := number[string(valuesOf(i))]; ok {
				following, of = append(following, i), append(of, g)
				size[g]++
			}
		}
	}
	followers = partition(following, of, size)
	if len(candidates) > 1 {
		for _, nodes := range followers {
			slices.Sort(nodes)
		}
	}
	return leaders, followers
}

// Followers returns the nodes that agree with one of the leaders.
func (a *Agreement) Followers(leaders Set) Set {
	following := make(Set, len(leaders))
	for i := range leaders {
		following[i] = leaders[i] & a.alone[i]
	}
	for _, g := range a.groups {
		if g.leaders.intersects(leaders) {
			g.followers.addTo(following)
		}
	}
	return following
}

// Leaders returns the nodes with which one of the followers agrees.
func (a *Agreement) Leaders(followers Set) Set {
	leading := make(Set, len(followers))
	for i := range followers {
		leading[i] = followers[i] & a.alone[i]
	}
	for _, g := range a.groups {
		if g.followers.intersects(followers) {
			g.leaders.addTo(leading)
		}
	}
	return leading
}

// Lower lowers numbers of leaders: each to the greatest that a follower which agrees with
// it has in of, or to least if there is none; but it raises none. No number of a node that
// is not a leader, or in of not a follower, is looked at.
func (a *Agreement) Lower(numbers []int32, leaders Set, of []int32, followers Set, least int32) {
	for i := range leaders {
		for word := leaders[i] & a.alone[i]; word != 0; word &= word - 1 {
			node := i*64 + bits.TrailingZeros64(word)
			number := least
			if followers.Has(node) {
				number = of[node]
			}
			numbers[node] = min(numbers[node], number)
		}
	}
	for _, g := range a.groups {
		if !g.leaders.intersects(leaders) {
			continue
		}
		greatest := least
		for _, c := range g.followers {
			for word := followers[c.word] & c.bits; word != 0; word &= word - 1 {
				greatest = max(greatest, of[int(c.word)*64+bits.TrailingZeros64(word)])
			}
		}
		for _, c := range g.leaders {
			for word := leaders[c.word] & c.bits; word != 0; word &= word - 1 {
				node := int(c.word)*64 + bits.TrailingZeros64(word)
				numbers[node] = min(numbers[node], greatest)
			}
		}
	}
}

// SparseSet is a set of nodes of which most words would be zero: only the others are there.
type SparseSet []chunk

type chunk struct {
	word int32
	bits uint64
}

// NewSparseSet returns the set of the nodes in a list that is in their order.
func NewSparseSet(list []int32) SparseSet {
	m := make(SparseSet, 0, words(list))
	for _, i := range list {
		if n := len(m); n == 0 || m[n-1].word != i/64 {
			m = append(m, chunk{word: i / 64})
		}
		m[len(m)-1].bits |= 1 << (i % 64)
	}
	return m
}

func words(list []int32) int {
	words, last := 0, int32(-1)
	for _, i := range list {
		if i/64 != last {
			words, last = words+1, i/64
		}
	}
	return words
}

// All ranges over the nodes in their order.
func (m SparseSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, c := range m {
			for word := c.bits; word != 0; word &= word - 1 {
				if !yield(int(c.word)*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// Len returns how many nodes are in m.
func (m SparseSet) Len() int {
	n := 0
	for _, c := range m {
		n += bits.OnesCount64(c.bits)
	}
	return n
}

func (m SparseSet) intersects(s Set) bool {
	for _, c := range m {
		if s[c.word]&c.bits != 0 {
			return true
		}
	}
	return false
}

func (m SparseSet) addTo(s Set) {
	for _, c := range m {
		s[c.word] |= c.bits
	}
}
