package topology

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
)

// A LabelSet is a set of labels, each key with one value. It is immutable, so it
// can be copied and shared freely, and its zero value is the empty set. A label
// whose value is the empty string is in the set; a label that is absent is not.
type LabelSet struct {
	labels []label // sorted by key, each key once; never written to
}

type label struct{ key, value string }

// NewLabelSet returns the set of the given labels; nil and empty give the empty
// set. The map is copied. The empty string is no label key, and is left out.
func NewLabelSet(labels map[string]string) LabelSet {
	sorted := make([]label, 0, len(labels))
	for key, value := range labels {
		if key != "" {
			sorted = append(sorted, label{key, value})
		}
	}
	return newSorted(sorted)
}

// Expose returns the labels of a node that an operation which ran there exposes:
// those with an exposed key ([ExposedKeys]) that the node has (law E1). A key that
// the node lacks is absent, not empty.
func Expose(nodeLabels map[string]string, custom ...string) LabelSet {
	exposed := make([]label, 0, 3+len(custom))
	for _, key := range ExposedKeys(custom...) {
		if value, ok := nodeLabels[key]; ok && key != "" {
			exposed = append(exposed, label{key, value})
		}
	}
	return newSorted(exposed)
}

// newSorted makes labels, in which each key stands once, a set. It takes over the
// slice.
func newSorted(labels []label) LabelSet {
	if len(labels) == 0 {
		return LabelSet{}
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.key, b.key) })
	return LabelSet{labels}
}

// few items are faster looked through than put in a set, or searched.
const few = 16

// Only returns the labels of s whose key is among keys; keys that s lacks and
// repeated keys change nothing.
func (s LabelSet) Only(keys ...string) LabelSet {
	var named sets.Set[string] // keys, if they are many
	if len(keys) > few {
		named = sets.New(keys...)
	}
	first, end := 0, 0 // of the labels found, which need no copy as long as they stand together
	var apart []label
	for i, l := range s.labels {
		switch {
		case named != nil && !named.Has(l.key), named == nil && !slices.Contains(keys, l.key):
		case apart != nil:
			apart = append(apart, l)
		case first == end:
			first, end = i, i+1
		case end == i:
			end++
		default:
			apart = append(make([]label, 0, len(keys)), s.labels[first:end]...)
			apart = append(apart, l)
		}
	}
	switch {
	case apart != nil:
		return LabelSet{apart}
	case first == end:
		return LabelSet{}
	}
	return LabelSet{s.labels[first:end:end]}
}

// Get returns the value of the label with the given key, and whether s has it.
func (s LabelSet) Get(key string) (value string, ok bool) {
	if len(s.labels) <= few {
		for i := range s.labels {
			if s.labels[i].key == key {
				return s.labels[i].value, true
			}
		}
		return "", false
	}
	i, ok := slices.BinarySearchFunc(s.labels, key, func(l label, key string) int { return cmp.Compare(l.key, key) })
	if !ok {
		return "", false
	}
	return s.labels[i].value, true
}

// Len returns the number of labels.
func (s LabelSet) Len() int { return len(s.labels) }

// All ranges over the labels, sorted by key.
func (s LabelSet) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, l := range s.labels {
			if !yield(l.key, l.value) {
				return
			}
		}
	}
}

// Equal reports whether s and o have the same labels with the same values.
func (s LabelSet) Equal(o LabelSet) bool { return slices.Equal(s.labels, o.labels) }

// String returns the labels sorted by key, as "a=1,b=2"; the form that kubectl's
// --selector takes.
func (s LabelSet) String() string {
	var b strings.Builder
	for i, l := range s.labels {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.key + "=" + l.value)
	}
	return b.String()
}
