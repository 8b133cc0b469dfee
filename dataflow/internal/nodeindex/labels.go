package nodeindex

import (
	"cmp"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// Labels holds the names and the labels of the nodes of an index. It is safe for use by
// several goroutines at once.
type Labels struct {
	nodes []corev1.Node
	all   Set

	index   sync.Once
	first   []int32 // for each node, the index of its first label in id; and the length of id
	id      []int32 // for each label of each node, its number: the same for the same label
	label   []label // by number
	keyOf   []int32 // by number, the number of the key
	keys    []string
	variety []int32 // for each key, the number of its values
}

type label struct{ key, value string }

// Labels returns the names and labels of all nodes.
func (x *Index) Labels() *Labels { return &Labels{nodes: x.nodes, all: x.all} }

// All returns the set of all nodes.
func (l *Labels) All() Set { return l.all }

// Len returns the number of nodes.
func (l *Labels) Len() int { return len(l.nodes) }

// Name returns the name of node i.
func (l *Labels) Name(i int) string { return l.nodes[i].Name }

// Node returns the labels of node i, which must not be written to.
func (l *Labels) Node(i int) map[string]string { return l.nodes[i].Labels }

// Separating returns a label key and those of its values that the wanted nodes have and the
// other nodes do not have. ok is false if there is no such key. Of several keys it is the one
// with the fewest wanted values, and then with the fewest values in all. The hostname, which
// differs between any two nodes, comes last. wanted is a subset of nodes.
func (l *Labels) Separating(wanted, nodes Set) (key string, values []string, ok bool) {
	l.index.Do(l.count)
	unwanted, seen := make([]bool, len(l.label)), make([]bool, len(l.label))
	for i := range nodes.Difference(wanted).All() {
		for _, id := range l.id[l.first[i]:l.first[i+1]] {
			unwanted[id] = true
		}
	}
	covered, valuesOf := make([]int32, len(l.keys)), make([][]string, len(l.keys))
	for i := range wanted.All() {
		for _, id := range l.id[l.first[i]:l.first[i+1]] {
			if unwanted[id] {
				continue
			}
			k := l.keyOf[id]
			covered[k]++
			if !seen[id] {
				seen[id] = true
				valuesOf[k] = append(valuesOf[k], l.label[id].value)
			}
		}
	}
	best, all := int32(-1), int32(wanted.Len())
	for k := range int32(len(l.keys)) {
		if covered[k] == all && l.usable(l.keys[k], valuesOf[k]) && (best < 0 || l.plainer(k, best, valuesOf)) {
			best = k
		}
	}
	if best < 0 {
		return "", nil, false
	}
	slices.Sort(valuesOf[best])
	return l.keys[best], valuesOf[best], true
}

// usable reports whether a node affinity may name the key and the values, as it may for the
// labels of nodes that an API server accepted.
func (l *Labels) usable(key string, values []string) bool {
	return labelsyntax.IsKey(key) && !slices.ContainsFunc(values, func(v string) bool { return !labelsyntax.IsValue(v) })
}

// plainer reports whether key a is preferred to key b.
func (l *Labels) plainer(a, b int32, values [][]string) bool {
	hostname := func(k int32) int {
		if l.keys[k] == corev1.LabelHostname {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(hostname(a), hostname(b)),
		cmp.Compare(len(values[a]), len(values[b])),
		cmp.Compare(l.variety[a], l.variety[b]),
		cmp.Compare(l.keys[a], l.keys[b]),
	) < 0
}

// count numbers all labels and all keys.
func (l *Labels) count() {
	ids, keys := map[label]int32{}, map[string]int32{}
	l.first = []int32{0}
	for i := range l.nodes {
		for key, value := range l.nodes[i].Labels {
			id, ok := ids[label{key, value}]
			if !ok {
				id = int32(len(l.label))
				ids[label{key, value}] = id
				k, ok := keys[key]
				if !ok {
					k = int32(len(l.keys))
					keys[key] = k
					l.keys, l.variety = append(l.keys, key), append(l.variety, 0)
				}
				l.variety[k]++
				l.label, l.keyOf = append(l.label, label{key, value}), append(l.keyOf, k)
			}
			l.id = append(l.id, id)
		}
		l.first = append(l.first, int32(len(l.id)))
	}
}
