// Package catalogue answers questions about all nodes of a cluster at once. It holds
// sets of nodes as bits, and looks at each label of a node once, however many
// operations ask for it.
package nodeindex

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// A Index is an index of nodes, which have the numbers of their places in the
// list that it was made of. It is safe for use by several goroutines at once, and so are
// the sets and agreements that come from it.
type Index struct {
	nodes    []corev1.Node
	all      Set
	names    *valueIndex
	profiles []profile // the combinations of taints that nodes have
	cordoned Set

	labels Memo[*valueIndex] // by key, when first asked for
	agree  Memo[*Agreement]
}

// New returns the catalogue of nodes, for as long as they stay as they are. Nodes without
// a name, and those that have the name of one before, are faults, with paths that start
// at nodes.
func New(nodes []corev1.Node) (*Index, field.ErrorList) {
	c := &Index{nodes: nodes, all: newSet(len(nodes)), cordoned: newSet(len(nodes))}
	c.names = newValueIndex(nodes, len(nodes), func(n *corev1.Node) (string, bool) { return n.Name, true })
	for i := range nodes {
		c.all.add(int32(i))
		if nodes[i].Spec.Unschedulable {
			c.cordoned.add(int32(i))
		}
	}
	c.profiles = profilesOf(nodes)
	return c, c.nameFaults()
}

func (c *Index) nameFaults() field.ErrorList {
	var faults field.ErrorList
	for name, nodes := range c.names.nodes {
		if c.names.values[name] != "" {
			nodes = nodes[1:]
		}
		for _, i := range nodes {
			path := field.NewPath("nodes").Index(int(i)).Child("metadata", "name")
			if c.names.values[name] == "" {
				faults = append(faults, field.Required(path, "a node has a name"))
			} else {
				faults = append(faults, field.Duplicate(path, c.names.values[name]))
			}
		}
	}
	return faults
}

// Named returns the set of the one node of the given name, which is empty if there is
// none.
func (c *Index) Named(name string) Set {
	only := newSet(len(c.nodes))
	for _, i := range c.names.having(name) {
		only.add(i)
	}
	return only
}

// Matching returns the nodes that match one of the terms.
func (c *Index) Matching(terms []nodeselector.Term) Set {
	matching := newSet(len(c.nodes))
	for _, t := range terms {
		of := c.all
		for _, r := range t {
			of = of.Intersection(c.meeting(r))
		}
		matching = matching.Union(of)
	}
	return matching
}

// meeting returns the nodes that meet a requirement.
func (c *Index) meeting(r requirement.Requirement) Set {
	index := c.names
	if !r.IsField() {
		index = c.label(r.Key())
	}
	meeting := newSet(len(c.nodes))
	values, excluded, listed := r.Listed()
	switch {
	case listed:
		for _, value := range values {
			for _, i := range index.having(value) {
				meeting.add(i)
			}
		}
		if excluded {
			return c.all.Difference(meeting)
		}
		return meeting
	case r.Matches("", false):
		for i, value := range index.of {
			if value == absent {
				meeting.add(int32(i))
			}
		}
	}
	for value, nodes := range index.nodes {
		if r.Matches(index.values[value], true) {
			for _, i := range nodes {
				meeting.add(i)
			}
		}
	}
	return meeting
}

// HasLabel reports whether a node has a label with the key.
func (c *Index) HasLabel(key string) bool { return len(c.label(key).values) > 0 }

func (c *Index) label(key string) *valueIndex {
	return c.labels.Get([]byte(key), func() *valueIndex {
		return newValueIndex(c.nodes, 0, func(n *corev1.Node) (string, bool) { value, ok := n.Labels[key]; return value, ok })
	})
}

// valueIndex says which nodes have which value, of one label or as their name.
type valueIndex struct {
	values []string         // each once
	number map[string]int32 // of each value
	of     []int32          // the number of each node's value, or absent
	nodes  [][]int32        // the nodes that have each value
}

const absent int32 = -1

// newValueIndex returns the index of what valueOf returns, which has about that many values.
func newValueIndex(nodes []corev1.Node, values int, valueOf func(*corev1.Node) (string, bool)) *valueIndex {
	x := &valueIndex{number: make(map[string]int32, values), of: make([]int32, len(nodes))}
	var size []int32
	for i := range nodes {
		value, ok := valueOf(&nodes[i])
		if !ok {
			x.of[i] = absent
			continue
		}
		number, ok := x.number[value]
		if !ok {
			number = int32(len(x.values))
			x.number[value] = number
			x.values, size = append(x.values, value), append(size, 0)
		}
		x.of[i] = number
		size[number]++
	}
	x.nodes = partition(nil, x.of, size)
	return x
}

// partition returns the nodes of each number, which of has as often as size says. Those that
// of speaks of are the given ones, or all if these are nil.
func partition(nodes, of, size []int32) [][]int32 {
	total := 0
	for _, n := range size {
		total += int(n)
	}
	places, parts := make([]int32, 0, total), make([][]int32, len(size))
	for number, n := range size {
		end := len(places) + int(n)
		parts[number] = places[len(places):len(places):end]
		places = places[:end]
	}
	for i, number := range of {
		switch {
		case number == absent:
		case nodes == nil:
			parts[number] = append(parts[number], int32(i))
		default:
			parts[number] = append(parts[number], nodes[i])
		}
	}
	return parts
}

// having returns the nodes that have the value.
func (x *valueIndex) having(value string) []int32 {
	if number, ok := x.number[value]; ok {
		return x.nodes[number]
	}
	return nil
}
