package nodeindex

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// Separating returns a label key and those of its values that the wanted nodes have and the
// other nodes do not have. ok is false if there is no such key. Of several keys it is the one
// with the fewest wanted values, and then with the fewest values in all. The hostname, which
// differs between any two nodes, comes last. wanted is a subset of nodes, and not empty.
//
// A node affinity may name the key and the values, as it may for the labels of nodes that an API
// server accepted.
func (x *Index) Separating(wanted, nodes Set) (key string, values []string, ok bool) {
	type separator struct {
		key    string
		values []string
		all    int // the number of values of the key
	}
	var separators []separator
	unwanted := nodes.Difference(wanted)
	for key := range x.nodes[wanted.First()].Labels { // no other key is on all wanted nodes
		index := x.label(key)
		if values, ok := index.separating(wanted, unwanted); ok && labelsyntax.IsKey(key) {
			separators = append(separators, separator{key, values, len(index.values)})
		}
	}
	if separators == nil {
		return "", nil, false
	}
	best := slices.MinFunc(separators, func(a, b separator) int {
		switch {
		case a.key == corev1.LabelHostname:
			return 1
		case b.key == corev1.LabelHostname:
			return -1
		}
		return cmp.Or(cmp.Compare(len(a.values), len(b.values)), cmp.Compare(a.all, b.all), strings.Compare(a.key, b.key))
	})
	slices.Sort(best.values)
	return best.key, best.values, true
}

// separating returns the values of the wanted nodes. ok is false if one of these has none, or one
// that is not a label value, and if an unwanted node has one of them.
func (x *valueIndex) separating(wanted, unwanted Set) (values []string, ok bool) {
	isWanted := make([]bool, len(x.values))
	for node := range wanted.All() {
		number := x.of[node]
		if number == none || !labelsyntax.IsValue(x.values[number]) {
			return nil, false
		}
		if !isWanted[number] {
			isWanted[number] = true
			values = append(values, x.values[number])
		}
	}
	for node := range unwanted.All() {
		if number := x.of[node]; number != none && isWanted[number] {
			return nil, false
		}
	}
	return values, true
}
