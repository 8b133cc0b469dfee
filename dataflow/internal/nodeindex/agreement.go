package nodeindex

import (
	"slices"
	"strings"
)

// An Agreement is a relation of nodes on some label keys: a follower agrees with a leader if
// it has the same value for every one of the keys that the leader has. It is not symmetric,
// because a key that the leader lacks does not constrain the follower.
//
// Leaders with the same labels on the keys form a class. Each node is a leader in one class, and a
// follower in at most one class of each combination of keys that leaders have. So the size of the
// relation, and the cost of a question, is linear in the nodes, unless they have or lack many keys
// at random. Then it grows with the pairs of nodes, by a step for each 64 of them: to find the
// subsets among n sets of many keys, no algorithm is known that is much faster than comparing all
// pairs.
type Agreement struct {
	isolated Set // the nodes that agree with no other node, and no other with them
	classes  []class
}

// A class holds leaders with the same labels, and all nodes that agree with them.
type class struct{ leaders, followers SparseSet }

// Agreement returns the relation of the nodes on the given keys. It is computed once.
func (x *Index) Agreement(keys []string) *Agreement {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return x.agreements.Get([]byte(strings.Join(keys, ",")), func() *Agreement { return x.newAgreement(keys) })
}

func (x *Index) newAgreement(keys []string) *Agreement {
	var columns []*valueIndex
	for _, key := range keys {
		if x.HasLabel(key) {
			columns = append(columns, x.label(key))
		}
	}
	a, rest := &Agreement{isolated: x.None()}, []int32(nil)
	for node := range int32(len(x.nodes)) {
		if slices.ContainsFunc(columns, func(c *valueIndex) bool { return c.identifies(node) }) {
			a.isolated.add(node)
		} else {
			rest = append(rest, node)
		}
	}
	a.relate(rest, rest, columns)
	return a
}

// relate adds the classes of leaders, which have the same labels on all keys but those of the
// columns, and of followers, which agree with them on these keys.
func (a *Agreement) relate(leaders, followers []int32, columns []*valueIndex) {
	if len(leaders) == 0 {
		return
	}
	if leader := leaders[0]; len(leaders) == 1 { // all columns at once
		followers = slices.DeleteFunc(slices.Clone(followers), func(follower int32) bool {
			return slices.ContainsFunc(columns, func(c *valueIndex) bool { return c.has(leader) && c.of[leader] != c.of[follower] })
		})
		columns = nil
	}
	for len(columns) > 0 && !slices.ContainsFunc(leaders, columns[0].has) {
		columns = columns[1:]
	}
	if len(columns) == 0 {
		a.classes = append(a.classes, class{NewSparseSet(leaders), NewSparseSet(followers)})
		return
	}
	lacking, leading := columns[0].split(leaders)
	_, following := columns[0].split(followers)
	a.relate(lacking, followers, columns[1:])
	for value, leaders := range leading {
		a.relate(leaders, following[value], columns[1:])
	}
}

// Followers returns the nodes that agree with one of the leaders.
func (a *Agreement) Followers(leaders Set) Set {
	followers := leaders.intersection(a.isolated)
	for _, c := range a.classes {
		if c.leaders.Intersects(leaders) {
			c.followers.addTo(followers)
		}
	}
	return followers
}

// Leaders returns the nodes with which one of the followers agrees.
func (a *Agreement) Leaders(followers Set) Set {
	leaders := followers.intersection(a.isolated)
	for _, c := range a.classes {
		if c.followers.Intersects(followers) {
			c.leaders.addTo(leaders)
		}
	}
	return leaders
}

// Lower lowers numbers[l], for every leader l, to the maximum of least and of[f] over all
// followers f that agree with l. It raises no number. The numbers of other nodes are neither
// read nor written, and of is read only for followers.
func (a *Agreement) Lower(numbers []int32, leaders Set, of []int32, followers Set, least int32) {
	for node := range leaders.Intersection(a.isolated).All() {
		number := least
		if followers.Has(node) {
			number = max(number, of[node])
		}
		numbers[node] = min(numbers[node], number)
	}
	for _, c := range a.classes {
		greatest := least
		for node := range c.followers.intersection(followers).All() {
			greatest = max(greatest, of[node])
		}
		for node := range c.leaders.intersection(leaders).All() {
			numbers[node] = min(numbers[node], greatest)
		}
	}
}
