package requirement

import (
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// A Set is a set of the states of one label, or of the name of a node: those that
// a conjunction of requirements on one key allows (law C2). It is immutable; the
// zero Set is empty.
//
// For every requirement r and every state that Kubernetes allows, Of(r).Has and
// r.Matches agree. All other strings are in no set.
type Set struct {
	absent bool

	// values are all the values in the set or, if it is a complement, all that it
	// lacks although they are in its domain. Sorted, each once; never written to.
	values     []string
	complement bool
	domain     domain
}

// A domain holds the values that a complement is taken of: those that meet all
// its conditions.
type domain struct {
	labelValue bool
	nodeName   bool
	integer    bool // only spellings of integers from min to max, 0 <= min <= max
	min, max   int64
}

// All returns the set of all states of a label: absent, and every label value.
func All() Set {
	return Set{absent: true, complement: true, domain: domain{labelValue: true}}
}

// AllNames returns the set of all names of a node; a name is never absent.
func AllNames() Set {
	return Set{complement: true, domain: domain{nodeName: true}}
}

// Of returns the set that all the requirements together allow, which should be on
// the same key. Without any that is [All]. The order does not matter. With n values
// in all it takes n log² n time at most.
func Of(requirements ...Requirement) Set {
	switch n := len(requirements); n {
	case 0:
		return All()
	case 1:
		return of(requirements[0])
	default: // by halves: one by one, many exclusions would be copied many times
		return Of(requirements[:n/2]...).Intersect(Of(requirements[n/2:]...))
	}
}

func of(r Requirement) Set {
	all := All()
	if r.field {
		all = AllNames()
	}
	switch r.operator {
	case corev1.NodeSelectorOpIn:
		return Set{values: r.values}
	case corev1.NodeSelectorOpNotIn:
		all.values = r.values
		return all
	case corev1.NodeSelectorOpExists:
		all.absent = false
		return all
	case corev1.NodeSelectorOpDoesNotExist:
		return Set{absent: true}
	case corev1.NodeSelectorOpGt:
		if r.bound == math.MaxInt64 {
			return Set{}
		}
		return integers(r.bound+1, math.MaxInt64)
	case corev1.NodeSelectorOpLt:
		return integers(0, r.bound-1)
	}
	return Set{}
}

// integers returns the set of the label values that spell an integer from low,
// which is not negative, to high, with or without leading zeros.
func integers(low, high int64) Set {
	if low > high {
		return Set{}
	}
	return Set{complement: true, domain: domain{labelValue: true, integer: true, min: low, max: high}}
}

// Intersect returns the set of what is in both s and t. With n values in both it
// takes n log n time at most.
func (s Set) Intersect(t Set) Set {
	absent := s.absent && t.absent
	if !s.complement {
		return Set{absent: absent, values: only(s.values, t)}
	}
	if !t.complement {
		return Set{absent: absent, values: only(t.values, s)}
	}
	both, ok := s.domain.intersect(t.domain)
	if !ok {
		return Set{absent: absent}
	}
	return Set{absent: absent, complement: true, domain: both, values: union(s.values, t.values)}
}

// intersect returns the domain of what is in both d and e, unless their bounds
// leave nothing.
func (d domain) intersect(e domain) (both domain, ok bool) {
	both = domain{labelValue: d.labelValue || e.labelValue, nodeName: d.nodeName || e.nodeName}
	switch {
	case d.integer && e.integer:
		both.integer, both.min, both.max = true, max(d.min, e.min), min(d.max, e.max)
	case d.integer:
		both.integer, both.min, both.max = true, d.min, d.max
	case e.integer:
		both.integer, both.min, both.max = true, e.min, e.max
	}
	return both, both.min <= both.max
}

func (d domain) has(value string) bool {
	if d.labelValue && !labelsyntax.IsValue(value) || d.nodeName && !isNodeName(value) {
		return false
	}
	if !d.integer {
		return true
	}
	n, ok := parseInt(value)
	return ok && d.min <= n && n <= d.max
}

// only returns the values that are in s: the same slice if all are.
func only(values []string, s Set) []string {
	for i, value := range values {
		if s.Has(value, true) {
			continue
		}
		kept := slices.Clone(values[:i])
		for _, value := range values[i+1:] {
			if s.Has(value, true) {
				kept = append(kept, value)
			}
		}
		return kept
	}
	return values
}

// union returns the sorted values that are in a or in b, each once: a or b itself
// if the other is empty.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	merged := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch order := strings.Compare(a[0], b[0]); {
		case order < 0:
			merged, a = append(merged, a[0]), a[1:]
		case order > 0:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged, a, b = append(merged, a[0]), a[1:], b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// Has reports whether s has the state: the value if present, or else absent, when
// value has no meaning. A string that is no label value, or no node name, is in no
// set.
func (s Set) Has(value string, present bool) bool {
	if !present {
		return s.absent
	}
	if !s.complement {
		return contains(s.values, value)
	}
	return s.domain.has(value) && !contains(s.values, value)
}

// Empty reports whether s has no state at all: whether the requirements that made
// it can never be satisfied. It is exact.
func (s Set) Empty() bool {
	_, _, ok := s.Witness()
	return !ok
}

// Witness returns a state in s, or ok == false if s is empty. It is the same for
// the same requirements in any order. It prefers what is short and plain: absent if
// that is in s, then the first of the values that In lists, then the least integer
// with the fewest leading zeros, then a word.
//
// A complement is tried value by value, until one is not excluded: after one try
// more than there are exclusions. Words do not run out before that, for there are
// more of them than a slice has room for.
func (s Set) Witness() (value string, present, ok bool) {
	switch {
	case s.absent:
		return "", false, true
	case !s.complement && len(s.values) > 0:
		return s.values[0], true, true
	case !s.complement:
		return "", false, false
	case s.domain.integer:
		value, ok = s.integer()
		return value, ok, ok
	}
	for i := 0; ; i++ {
		if value = word(i); s.Has(value, true) {
			return value, true, true
		}
	}
}

// integer returns a member of s, which has bounds. An integer has as many
// spellings as there are leading zeros that leave it a label value.
func (s Set) integer() (value string, ok bool) {
	for zeros := range validation.LabelValueMaxLength {
		for n := s.domain.min; ; n++ {
			value = strings.Repeat("0", zeros) + strconv.FormatInt(n, 10)
			if len(value) > validation.LabelValueMaxLength {
				break // and so are all greater ones
			}
			if s.Has(value, true) {
				return value, true
			}
			if n == s.domain.max {
				break
			}
		}
	}
	return "", false
}

// word returns the i-th of all words of lower-case letters: a, …, z, aa, ab, …
// Each is both a label value and a node name.
func word(i int) string {
	letter := string(rune('a' + i%26))
	if i < 26 {
		return letter
	}
	return word(i/26-1) + letter
}
