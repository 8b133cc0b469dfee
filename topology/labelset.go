package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// LabelSet is a set of labels with different keys. It is immutable and safe for use by many
// goroutines at once. The zero value is the empty set. A label whose value is the empty string
// is in the set; a label that is absent is not.
type LabelSet struct {
	labels []label // sorted by key, each key once; never written to
}

type label struct{ key, value string }

// NewLabelSet returns the set of the given labels. Nil and an empty map give the empty set. The
// map is copied. A label with the empty key is left out: Kubernetes has no such label.
func NewLabelSet(labels map[string]string) LabelSet {
	sorted := make([]label, 0, len(labels))
	for key, value := range labels {
		if key != "" {
			sorted = append(sorted, label{key, value})
		}
	}
	return newSorted(sorted)
}

// Expose returns the labels that an operation exposes after it ran on a node with the given
// labels: the labels of the node with one of the exposed keys ([ExposedKeys]) (law E1). Nil
// labels, and keys that the node lacks, give no labels.
func Expose(nodeLabels map[string]string, custom ...string) LabelSet {
	return NewLabelSet(nodeLabels).Only(ExposedKeys(custom...)...)
}

// newSorted returns the set of labels with different keys. It keeps and sorts the slice.
func newSorted(labels []label) LabelSet {
	if len(labels) == 0 {
		return LabelSet{}
	}
	slices.SortFunc(labels, func(a, b label) int { return strings.Compare(a.key, b.key) })
	return LabelSet{labels}
}

// Only returns the labels of s with one of the given keys. Without keys it is the empty set.
// Keys that s lacks, and repeated keys, have no effect.
func (s LabelSet) Only(keys ...string) LabelSet {
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	only := make([]label, 0, len(sorted))
	for _, key := range slices.Compact(sorted) {
		if value, ok := s.Get(key); ok {
			only = append(only, label{key, value})
		}
	}
	return newSorted(only)
}

// Get returns the value of the label with the given key. ok is false if s has no such label.
func (s LabelSet) Get(key string) (value string, ok bool) {
	i, ok := slices.BinarySearchFunc(s.labels, key, func(l label, key string) int { return strings.Compare(l.key, key) })
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

// String returns the labels sorted by key, such as "a=1,b=2": the form of kubectl's
// --selector.
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

// MarshalJSON returns the labels as an object, {"key":"value"}, sorted by key. The empty set is
// {}. As everywhere in JSON, bytes that are not UTF-8 are replaced; no node has such labels.
func (s LabelSet) MarshalJSON() ([]byte, error) {
	return json.Marshal(maps.Collect(s.All())) // sorts the keys
}

// UnmarshalJSON reads the form of MarshalJSON. null and {} give the empty set. An empty key, a
// repeated one, a value that is not a string, and every other form are errors, and s is unchanged
// then (law E4).
func (s *LabelSet) UnmarshalJSON(data []byte) error {
	var values map[string]*string
	if err := json.Unmarshal(data, &values); err != nil {
		return fmt.Errorf("labels must be an object of strings: %w", err)
	}
	labels := make(map[string]string, len(values))
	tokens := json.NewDecoder(bytes.NewReader(data)) // values has one of several values of a key
	tokens.Token()
	for tokens.More() {
		token, _ := tokens.Token()
		key := token.(string)
		value, _ := tokens.Token()
		name := strconv.Quote(message.Excerpt(key))
		switch _, repeated := labels[key]; {
		case key == "":
			return errors.New("labels must have keys")
		case value == nil:
			return fmt.Errorf("label %s must be a string, not null", name)
		case repeated:
			return fmt.Errorf("label %s is repeated", name)
		}
		labels[key] = value.(string)
	}
	*s = NewLabelSet(labels)
	return nil
}
