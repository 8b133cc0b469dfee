package nodeindex

import (
	"cmp"
	"slices"
	"strings"
)

// An Agreement is a relation of nodes on some label keys: a follower agrees with a leader if
// it has the same value for every one of the keys that the leader has. It is not symmetric,
// because a key that the leader lacks does not constrain the follower.
//
// Nodes with the same labels on the keys form a class. Every class agrees with the classes
// that it becomes by dropping some of its labels. The relation is stored as a graph with one
// layer of cells for each key. A cell is a class of followers whose labels on the later keys
// were kept or dropped already. It has an edge for keeping the label on the key of its layer and
// one for dropping it, unless that leads to no leader. So the graph grows with the classes, and
// not with the pairs of classes that agree: with k keys of one value each, no layer has more than
// 2^k cells.
//
// With many keys that each node has or lacks at random, the graph becomes larger than the matrix of
// all pairs, with one bit each. Then the matrix is stored. To find the subsets among n sets of many
// keys, no algorithm is known that is much faster than comparing all pairs.
type Agreement struct {
	isolated Set         // the nodes that agree with no other node, and no other with them
	classes  []SparseSet // all other nodes

	layers  [][]edges // the cells of the last layer are the classes
	leaders []int32   // for each cell before the first layer, its class

	matrix []Set // in place of the graph: for each class, the classes with which it agrees
}

// edges holds the cells in the layer before to which a cell leads, or none.
type edges [2]int32

const none int32 = -1

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
	// Classes share cells if the earlier keys have few values.
	slices.SortStableFunc(columns, func(a, b *valueIndex) int { return cmp.Compare(len(a.values), len(b.values)) })

	isolated, rest := x.None(), []int32(nil)
	for _, node := range x.list {
		if slices.ContainsFunc(columns, func(c *valueIndex) bool { return c.identifies(node) }) {
			isolated.add(node)
		} else {
			rest = append(rest, node)
		}
	}
	a := relate(columns, rest, cells)
	related, unrelated := len(rest), a.unrelated()
	rest = nil
	for class, nodes := range a.classes {
		for node := range nodes.All() {
			if unrelated(class) && nodes.Len() == 1 {
				isolated.add(int32(node))
			} else {
				rest = append(rest, int32(node))
			}
		}
	}
	if len(rest) < related {
		slices.Sort(rest)
		a = relate(columns, rest, cells)
	}
	a.isolated = isolated
	return a
}

// cells is how many cells a graph of so many classes may have. A cell takes as much memory as the
// bits of 480 pairs in the matrix.
func cells(classes int) int { return 4*classes + classes*classes/480 }

// relate returns the relation of nodes on the keys with the given indexes. It is a graph if that
// has no more cells than are allowed for the number of classes, and else a matrix.
func relate(columns []*valueIndex, nodes []int32, allowed func(classes int) int) *Agreement {
	// By column, the prefixes of nodes: the prefix on the columns before it and the value in
	// the column. examples holds the first node with each. The prefix on all columns is the
	// class.
	prefixes, examples, prefix := make([]numbering, len(columns)), make([][]int32, len(columns)), make([]int32, len(nodes))
	for c := range columns {
		prefixes[c].number = make(map[pair]int32, min(len(nodes), len(columns[c].values)))
		for i, node := range nodes {
			prefix[i] = prefixes[c].add(pair{prefix[i], columns[c].of[node]})
			if int(prefix[i]) == len(examples[c]) {
				examples[c] = append(examples[c], node)
			}
		}
	}
	classes := partition(nodes, prefix)
	a := &Agreement{}
	var first []int32
	for _, nodes := range classes {
		first = append(first, nodes[0])
		a.classes = append(a.classes, NewSparseSet(nodes))
	}
	if !a.connect(columns, first, prefixes, examples, allowed(len(classes))) {
		a.fill(columns, first)
	}
	return a
}

// connect makes the graph of classes, of which first holds a node each. ok is false if it has more
// cells than allowed.
func (a *Agreement) connect(columns []*valueIndex, first []int32, prefixes []numbering, examples [][]int32, allowed int) (ok bool) {
	// By column, the suffixes of classes: the value in the column and the suffix on the columns
	// after it. holders holds a node of each class with each.
	suffixes, holders, suffix := make([]numbering, len(columns)), make([][][]int32, len(columns)), make([]int32, len(first))
	for c := range slices.Backward(columns) {
		for class, node := range first {
			suffix[class] = suffixes[c].add(pair{columns[c].of[node], suffix[class]})
		}
		holders[c] = partition(first, suffix)
	}

	// A cell is a prefix of followers and a suffix of leaders.
	var layer numbering
	for class := range first {
		layer.add(pair{int32(class), 0})
	}
	layers := make([][]edges, len(columns))
	for c := range slices.Backward(columns) {
		var before numbering
		for _, cell := range layer.pairs {
			if allowed--; allowed < 0 {
				return false
			}
			follower := prefixes[c].pairs[cell.first]
			to := func(value int32) int32 {
				leader := suffixes[c].find(pair{value, cell.second})
				if leader == none || !mayAgree(columns[:c], holders[c][leader], examples[c][cell.first]) {
					return none
				}
				return before.add(pair{follower.first, leader})
			}
			e := edges{to(follower.second), none}
			if follower.second != absent {
				e[1] = to(absent)
			}
			layers[c] = append(layers[c], e)
		}
		layer = before
	}
	a.layers = layers
	for _, cell := range layer.pairs {
		a.leaders = append(a.leaders, cell.second)
	}
	return true
}

// fill makes the matrix of classes, of which first holds a node each.
func (a *Agreement) fill(columns []*valueIndex, first []int32) {
	all := newSet(len(first))
	for class := range first {
		all.add(int32(class))
	}
	a.matrix = make([]Set, len(first))
	for class := range a.matrix {
		a.matrix[class] = slices.Clone(all)
	}
	for _, column := range columns {
		lacking, with := newSet(len(first)), make([][]int32, len(column.values))
		for class, node := range first {
			if value := column.of[node]; value == absent {
				lacking.add(int32(class))
			} else {
				with[value] = append(with[value], int32(class))
			}
		}
		// By value, the classes that lack the key or have the value.
		agreeing := make([]Set, len(with))
		for class, node := range first {
			row, value := a.matrix[class], column.of[node]
			if value == absent {
				row.keep(lacking)
				continue
			}
			if len(with[value]) < len(row) { // few: cheaper one by one
				var kept []int32
				for _, leader := range with[value] {
					if row.Has(int(leader)) {
						kept = append(kept, leader)
					}
				}
				row.keep(lacking)
				for _, leader := range kept {
					row.add(leader)
				}
				continue
			}
			if agreeing[value] == nil {
				agreeing[value] = slices.Clone(lacking)
				for _, leader := range with[value] {
					agreeing[value].add(leader)
				}
			}
			row.keep(agreeing[value])
		}
	}
}

// mayAgree reports whether a follower agrees with one of the leaders on the columns. It may
// report true without looking at more than a few leaders.
func mayAgree(columns []*valueIndex, leaders []int32, follower int32) bool {
	const few = 16
	return len(leaders) > few || slices.ContainsFunc(leaders, func(leader int32) bool {
		return !slices.ContainsFunc(columns, func(column *valueIndex) bool {
			return column.of[leader] != absent && column.of[leader] != column.of[follower]
		})
	})
}

// unrelated returns a function that reports whether a class agrees with no other class, and no
// other with it.
func (a *Agreement) unrelated() func(class int) bool {
	if a.matrix == nil {
		one, sum := slices.Repeat([]int32{1}, len(a.classes)), func(a, b int32) int32 { return a + b }
		followers, leaders := a.toLeaders(one, 0, sum), a.toFollowers(one, 0, sum)
		return func(class int) bool { return followers[class] == 1 && leaders[class] == 1 }
	}
	led, ledTwice := newSet(len(a.classes)), newSet(len(a.classes))
	for _, leaders := range a.matrix {
		for i, word := range leaders {
			ledTwice[i] |= led[i] & word
			led[i] |= word
		}
	}
	return func(class int) bool { return !ledTwice.Has(class) && a.matrix[class].Len() == 1 }
}

// greatestOfFollowers returns, for each class, the greatest of the values of all classes that agree
// with it, or least if there are none. No value is below least.
func (a *Agreement) greatestOfFollowers(values []int32, least int32) []int32 {
	if a.matrix == nil {
		return a.toLeaders(values, least, larger)
	}
	greatest, found, order := slices.Repeat([]int32{least}, len(values)), newSet(len(values)), make([]int32, len(values))
	for class := range order {
		order[class] = int32(class)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(values[b], values[a]) })
	for _, class := range order {
		for i, word := range a.matrix[class] {
			each(i, word&^found[i], func(leader int) bool { greatest[leader] = values[class]; return true })
			found[i] |= word
		}
	}
	return greatest
}

// withMarkedLeader returns 1 for the classes that agree with a marked class, and 0 for all others.
func (a *Agreement) withMarkedLeader(marks []int32) []int32 {
	if a.matrix == nil {
		return a.toFollowers(marks, 0, larger)
	}
	marked, led := newSet(len(marks)), make([]int32, len(marks))
	for class, mark := range marks {
		if mark == 1 {
			marked.add(int32(class))
		}
	}
	for class, leaders := range a.matrix {
		if leaders.Intersects(marked) {
			led[class] = 1
		}
	}
	return led
}

// toLeaders returns, for each class, the combination of the values of all classes that agree
// with it, or start if there are none.
func (a *Agreement) toLeaders(values []int32, start int32, combine func(a, b int32) int32) []int32 {
	for c, layer := range slices.Backward(a.layers) {
		before := slices.Repeat([]int32{start}, a.cellsBefore(c))
		for i, e := range layer {
			for _, to := range e {
				if to != none {
					before[to] = combine(before[to], values[i])
				}
			}
		}
		values = before
	}
	combined := slices.Repeat([]int32{start}, len(a.classes))
	for i, class := range a.leaders {
		combined[class] = values[i]
	}
	return combined
}

// cellsBefore returns the number of cells before a layer.
func (a *Agreement) cellsBefore(layer int) int {
	if layer == 0 {
		return len(a.leaders)
	}
	return len(a.layers[layer-1])
}

// toFollowers returns, for each class, the combination of the values of all classes with
// which it agrees, or start if there are none.
func (a *Agreement) toFollowers(values []int32, start int32, combine func(a, b int32) int32) []int32 {
	combined := make([]int32, len(a.leaders))
	for i, class := range a.leaders {
		combined[i] = values[class]
	}
	for _, layer := range a.layers {
		after := slices.Repeat([]int32{start}, len(layer))
		for i, e := range layer {
			for _, from := range e {
				if from != none {
					after[i] = combine(after[i], combined[from])
				}
			}
		}
		combined = after
	}
	return combined
}

func larger(a, b int32) int32 { return max(a, b) }

// marks returns 1 for the classes that have a node in s, and 0 for all others.
func (a *Agreement) marks(s Set) []int32 {
	marks := make([]int32, len(a.classes))
	for class, nodes := range a.classes {
		if nodes.Intersects(s) {
			marks[class] = 1
		}
	}
	return marks
}

// nodes returns the nodes of the marked classes, and the given isolated ones.
func (a *Agreement) nodes(marks []int32, isolated Set) Set {
	for class, nodes := range a.classes {
		if marks[class] == 1 {
			nodes.addTo(isolated)
		}
	}
	return isolated
}

// Followers returns the nodes that agree with one of the leaders.
func (a *Agreement) Followers(leaders Set) Set {
	return a.nodes(a.withMarkedLeader(a.marks(leaders)), leaders.intersection(a.isolated))
}

// Leaders returns the nodes with which one of the followers agrees.
func (a *Agreement) Leaders(followers Set) Set {
	return a.nodes(a.greatestOfFollowers(a.marks(followers), 0), followers.intersection(a.isolated))
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
	greatest := slices.Repeat([]int32{least}, len(a.classes))
	for class, nodes := range a.classes {
		for node := range nodes.intersection(followers).All() {
			greatest[class] = max(greatest[class], of[node])
		}
	}
	greatest = a.greatestOfFollowers(greatest, least)
	for class, nodes := range a.classes {
		for node := range nodes.intersection(leaders).All() {
			numbers[node] = min(numbers[node], greatest[class])
		}
	}
}

// numbering numbers pairs in the order in which they are added.
type numbering struct {
	pairs  []pair
	number map[pair]int32
}

type pair struct{ first, second int32 }

// add returns the number of a pair, which is a new one if it was not added before.
func (n *numbering) add(p pair) int32 {
	if number, ok := n.number[p]; ok {
		return number
	}
	if n.number == nil {
		n.number = map[pair]int32{}
	}
	number := int32(len(n.pairs))
	n.number[p] = number
	n.pairs = append(n.pairs, p)
	return number
}

// find returns the number of a pair, or none if it was not added.
func (n *numbering) find(p pair) int32 {
	if number, ok := n.number[p]; ok {
		return number
	}
	return none
}
