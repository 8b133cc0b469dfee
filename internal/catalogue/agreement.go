package catalogue

import (
	"encoding/binary"
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
type group struct{ leaders, followers members }

// Agreement returns who agrees with whom on the keys.
func (c *Catalogue) Agreement(keys []string) *Agreement {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	of := strings.Join(keys, ",")
	a, ok := c.agree[of]
	if !ok {
		a = c.agreementOn(keys)
		c.agree[of] = a
	}
	return a
}

func (c *Catalogue) agreementOn(keys []string) *Agreement {
	indexes := make([]*index, len(keys))
	for k, key := range keys {
		indexes[k] = c.label(key)
	}
	a := &Agreement{alone: none(len(c.nodes))}
	for _, present := range patterns(indexes, len(c.nodes)) {
		leaders, followers := groupsOn(indexes, present, len(c.nodes))
		for g := range leaders {
			if len(leaders[g]) == 1 && len(followers[g]) == 1 {
				a.alone.add(leaders[g][0])
			} else {
				a.groups = append(a.groups, group{c.membersOf(leaders[g]), c.membersOf(followers[g])})
			}
		}
	}
	return a
}

// patterns returns which keys nodes have and which they lack: each combination that
// occurs, as a byte a key, in the order in which they occur.
func patterns(indexes []*index, n int) []string {
	var found []string
	known := map[string]bool{}
	pattern := make([]byte, len(indexes))
	for i := range n {
		for k, index := range indexes {
			pattern[k] = 0
			if index.of[i] != absent {
				pattern[k] = 1
			}
		}
		if !known[string(pattern)] {
			known[string(pattern)] = true
			found = append(found, string(pattern))
		}
	}
	return found
}

// groupsOn returns, for the nodes that have exactly the present keys, groups of equal
// values, and for each group all nodes that have at least these values.
func groupsOn(indexes []*index, present string, n int) (leaders, followers [][]int32) {
	number := map[string]int32{}
	of, values := make([]int32, n), make([]byte, 0, 4*len(indexes))
	var leading, following []int32 // how many there are in each group
	fill := func(leader bool) (total int) {
		for i := range n {
			of[i] = absent
			values = values[:0]
			fits := true
			for k, index := range indexes {
				has := index.of[i] != absent
				if present[k] == 1 {
					fits = fits && has
					values = binary.LittleEndian.AppendUint32(values, uint32(index.of[i]))
				} else {
					fits = fits && (!leader || !has)
				}
			}
			if !fits {
				continue
			}
			g, ok := number[string(values)]
			if !ok && leader {
				g, ok = int32(len(number)), true
				number[string(values)] = g
				leading, following = append(leading, 0), append(following, 0)
			}
			if !ok {
				continue
			}
			of[i] = g
			total++
			if leader {
				leading[g]++
			} else {
				following[g]++
			}
		}
		return total
	}
	total := fill(true)
	leaders = partition(of, leading, total)
	total = fill(false)
	followers = partition(of, following, total)
	return leaders, followers
}

// Following returns the nodes that agree with one of the leaders.
func (a *Agreement) Following(leaders Set) Set {
	following := make(Set, len(leaders))
	for i := range leaders {
		following[i] = leaders[i] & a.alone[i]
	}
	for _, g := range a.groups {
		if g.leaders.meet(leaders) {
			g.followers.joinTo(following)
		}
	}
	return following
}

// Leading returns the nodes with which one of the followers agrees.
func (a *Agreement) Leading(followers Set) Set {
	leading := make(Set, len(followers))
	for i := range followers {
		leading[i] = followers[i] & a.alone[i]
	}
	for _, g := range a.groups {
		if g.followers.meet(followers) {
			g.leaders.joinTo(leading)
		}
	}
	return leading
}

// members is a set of nodes in the form that is shorter: as bits, or as a list, if it
// has fewer nodes than the bits have words.
type members struct {
	bits Set
	list []int32
}

func (c *Catalogue) membersOf(list []int32) members {
	if len(list) < len(c.all) {
		return members{list: list}
	}
	bits := none(len(c.nodes))
	for _, i := range list {
		bits.add(i)
	}
	return members{bits: bits}
}

func (m members) meet(s Set) bool {
	if m.bits != nil {
		return m.bits.Meets(s)
	}
	return slices.ContainsFunc(m.list, func(i int32) bool { return s.Has(int(i)) })
}

func (m members) joinTo(s Set) {
	if m.bits != nil {
		s.include(m.bits)
		return
	}
	for _, i := range m.list {
		s.add(i)
	}
}
