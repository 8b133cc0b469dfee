// Package nodeindex answers questions about all nodes of a cluster at once. A set of nodes is
// a bitmap. Each label key is indexed once, for all operations that ask for it.
package nodeindex

import (
	"iter"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// An Index is an index of nodes. It identifies a node by its position in the list that the
// index was made from. It is safe for use by many goroutines at once, and so are its sets and
// agreements.
type Index struct {
	nodes    []corev1.Node
	all      Set
	names    *valueIndex
	cordoned Set

	byName     func() []int32
	keys       func() map[string]bool // the keys of all labels
	labels     Memo[*valueIndex]      // by key
	unlabelled *valueIndex            // of a key that no node has
	agreements Memo[*Agreement]       // by keys
}

// New returns the index of nodes, which must not change afterwards. A node without a name, and
// one with the name of a node before it, is a fault, with a path that starts at nodes.
func New(nodes []corev1.Node) (*Index, field.ErrorList) {
	x := &Index{nodes: nodes, all: newSet(len(nodes)), cordoned: newSet(len(nodes))}
	for i := range nodes {
		x.all.add(int32(i))
		if nodes[i].Spec.Unschedulable || slices.ContainsFunc(nodes[i].Spec.Taints, isCordon) {
			x.cordoned.add(int32(i))
		}
	}
	x.names = x.newValueIndex(func(n *corev1.Node) (string, bool) { return n.Name, true })
	x.unlabelled = x.newValueIndex(func(*corev1.Node) (string, bool) { return "", false })
	x.keys, x.byName = sync.OnceValue(x.labelKeys), sync.OnceValue(x.sort)
	return x, x.nameFaults()
}

func (x *Index) labelKeys() map[string]bool {
	keys := map[string]bool{}
	for i := range x.nodes {
		for key := range x.nodes[i].Labels {
			keys[key] = true
		}
	}
	return keys
}

func (x *Index) sort() []int32 {
	order := make([]int32, len(x.nodes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(x.nodes[a].Name, x.nodes[b].Name) })
	return order
}

func (x *Index) nameFaults() field.ErrorList {
	var faults field.ErrorList
	path := func(i int) *field.Path { return field.NewPath("nodes").Index(i).Child("metadata", "name") }
	for i, number := range x.names.of {
		switch name := x.names.values[number]; {
		case name == "":
			faults = append(faults, field.Required(path(i), "every node needs a name"))
		case x.names.first[number] != int32(i):
			faults = append(faults, field.Duplicate(path(i), message.Excerpt(name)))
		}
	}
	return faults
}

// All returns the set of all nodes.
func (x *Index) All() Set { return x.all }

// ByName returns the nodes in the order of their names. The list must not be written to.
func (x *Index) ByName() []int32 { return x.byName() }

// Values returns a number for the value of a label of each node: equal values have the same number,
// which is at least 0 and below the number of nodes. A node without the label has -1. The list must
// not be written to.
func (x *Index) Values(key string) []int32 { return x.label(key).of }

// None returns the empty set.
func (x *Index) None() Set { return newSet(len(x.nodes)) }

// Find returns the position of the node with the given name. ok is false if there is none.
func (x *Index) Find(name string) (i int, ok bool) {
	for i := range x.names.with(name) {
		return int(i), true
	}
	return 0, false
}

// Named returns the set of the node with the given name. It is empty if there is none.
func (x *Index) Named(name string) Set {
	named := x.None()
	if i, ok := x.Find(name); ok {
		named.add(int32(i))
	}
	return named
}

// Labelled returns the nodes that have all of the given labels.
func (x *Index) Labelled(labels iter.Seq2[string, string]) Set {
	labelled := x.all
	for key, value := range labels {
		having := x.None()
		having.addAll(x.label(key).with(value))
		labelled = labelled.Intersection(having)
	}
	return labelled
}

// Matching returns the nodes that match one of the terms.
func (x *Index) Matching(terms []nodeselector.Term) Set {
	matching := x.None()
	for _, t := range terms {
		nodes := x.all
		for i := range t {
			nodes = nodes.Intersection(x.meeting(&t[i]))
		}
		matching.include(nodes)
	}
	return matching
}

// meeting returns the nodes that meet a requirement.
func (x *Index) meeting(r *requirement.Requirement) Set {
	index := x.names
	if !r.IsField() {
		index = x.label(r.Key())
	}
	meeting := x.None()
	if values, excluded, ok := r.Listed(); ok {
		for _, value := range values {
			meeting.addAll(index.with(value))
		}
		if excluded {
			return x.all.Difference(meeting)
		}
		return meeting
	}
	if !r.IsField() && r.Matches("", false) {
		meeting.addAll(index.nodes(index.lacking))
	}
	for number, value := range index.values {
		if r.Matches(value, true) {
			meeting.addAll(index.nodes(index.first[number]))
		}
	}
	return meeting
}

// HasLabel reports whether some node has a label with the key.
func (x *Index) HasLabel(key string) bool {
	if len(x.nodes) == 0 {
		return false
	}
	_, ok := x.nodes[0].Labels[key] // most keys are on all nodes
	return ok || x.keys()[key]
}

// label returns the index of the values of a label. Keys that no node has cost nothing.
func (x *Index) label(key string) *valueIndex {
	if !x.HasLabel(key) {
		return x.unlabelled
	}
	return x.labels.Get([]byte(key), func() *valueIndex {
		return x.newValueIndex(func(n *corev1.Node) (string, bool) { value, ok := n.Labels[key]; return value, ok })
	})
}

// valueIndex maps the values of one label, or the names of nodes, to nodes.
type valueIndex struct {
	values  []string         // each once
	number  map[string]int32 // for each value, its index in values
	of      []int32          // for each node, the index of its value, or none
	first   []int32          // for each value, the first node that has it
	lacking int32            // the first node without a value, or none
	next    []int32          // for each node, the next one with the same value or also without, or none
}

// none is the index of no value and of no node.
const none int32 = -1

func (x *Index) newValueIndex(valueOf func(*corev1.Node) (value string, ok bool)) *valueIndex {
	n := len(x.nodes)
	index := &valueIndex{number: map[string]int32{}, of: make([]int32, n), next: make([]int32, n), lacking: none}
	for i := n - 1; i >= 0; i-- {
		value, ok := valueOf(&x.nodes[i])
		if !ok {
			index.of[i], index.next[i], index.lacking = none, index.lacking, int32(i)
			continue
		}
		number, ok := index.number[value]
		if !ok {
			number = int32(len(index.values))
			index.number[value] = number
			index.values, index.first = append(index.values, value), append(index.first, none)
		}
		index.of[i], index.next[i], index.first[number] = number, index.first[number], int32(i)
	}
	return index
}

// identifies reports whether a value tells a node from all others, which all have another one.
func (x *valueIndex) identifies(node int32) bool {
	return x.lacking == none && x.first[x.of[node]] == node && x.next[node] == none
}

// has reports whether a node has a value.
func (x *valueIndex) has(node int32) bool { return x.of[node] != none }

// split returns the nodes without a value, and by value those with one.
func (x *valueIndex) split(nodes []int32) (lacking []int32, having map[int32][]int32) {
	having = map[int32][]int32{}
	for _, node := range nodes {
		if value := x.of[node]; value != none {
			having[value] = append(having[value], node)
		} else {
			lacking = append(lacking, node)
		}
	}
	return lacking, having
}

// with ranges over the nodes that have the value.
func (x *valueIndex) with(value string) iter.Seq[int32] {
	number, ok := x.number[value]
	if !ok {
		return x.nodes(none)
	}
	return x.nodes(x.first[number])
}

// nodes ranges over the first node with a value, or without one, and the next ones.
func (x *valueIndex) nodes(first int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for node := first; node != none && yield(node); node = x.next[node] {
		}
	}
}
