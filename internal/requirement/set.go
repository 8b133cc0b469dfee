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

// A Set is a set of states of one label, or of names of a node: the states that a conjunction
// of requirements on one key allows (law C2). It is immutable. The zero Set is empty.
//
// For every requirement r and every state that Kubernetes allows, Of(r).Has and r.Matches
// agree. No set has any other string.
type Set struct {
	absent bool

	// values are the values in the set. If the set is a complement, they are the values
	// that it excludes from its domain. Sorted, each once; never written to.
	values     []string
	complement bool
	domain     domain
}

// A domain is the set of values from which a complement excludes some: the values that meet
// all its conditions.
type domain struct {
	labelValue bool
	nodeName   bool
	integer    bool  // only spellings of integers from min to max, 0 <= min <= max
	min, max   int64 // 0 and the greatest there is, unless integer
}

// Of returns the states that all requirements, which must be on one key, allow together:
// without requirements, every state of a label. Their order does not matter. With n values
// in all it takes n log² n time.
func Of(requirements ...Requirement) Set {
	switch n := len(requirements); n {
	case 0:
		return allLabels()
	case 1:
		return of(requirements[0])
	default: // by halves, so that no value is copied more than log n times
		return Of(requirements[:n/2]...).Intersect(Of(requirements[n/2:]...))
	}
}

// allLabels returns the set of all states of a label: absent, and every label value.
func allLabels() Set {
	return Set{absent: true, complement: true, domain: domain{labelValue: true, max: math.MaxInt64}}
}

// allNames returns the set of all names of a node, which is never absent.
func allNames() Set {
	return Set{complement: true, domain: domain{nodeName: true, max: math.MaxInt64}}
}

func of(r Requirement) Set {
	all := allLabels()
	if r.field {
		all = allNames()
	}
	if r.Never() {
		return Set{}
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

// integers returns the set of label values that spell an integer from low to high, with or
// without leading zeros. low is not negative.
func integers(low, high int64) Set {
	if low > high {
		return Set{}
	}
	return Set{complement: true, domain: domain{labelValue: true, integer: true, min: low, max: high}}
}

// Intersect returns the intersection of s and t. With n values in both it takes n log n
// time.
func (s Set) Intersect(t Set) Set {
	absent := s.absent && t.absent
	if !s.complement {
		return Set{absent: absent, values: only(s.values, t)}
	}
	if !t.complement {
		return Set{absent: absent, values: only(t.values, s)}
	}
	both := s.domain.intersect(t.domain)
	if both.min > both.max {
		return Set{absent: absent}
	}
	excluded := slices.Concat(s.values, t.values)
	slices.Sort(excluded)
	return Set{absent: absent, complement: true, domain: both, values: slices.Compact(excluded)}
}

// intersect returns the intersection of d and e. It is empty if min is greater than max.
func (d domain) intersect(e domain) domain {
	return domain{d.labelValue || e.labelValue, d.nodeName || e.nodeName, d.integer || e.integer, max(d.min, e.min), min(d.max, e.max)}
}

func (d domain) has(value string) bool {
	if d.labelValue && !labelsyntax.IsValue(value) || d.nodeName && !labelsyntax.IsSubdomain(value) {
		return false
	}
	if !d.integer {
		return true
	}
	n, ok := parseInt(value)
	return ok && d.min <= n && n <= d.max
}

// only returns the values that are in s.
func only(values []string, s Set) []string {
	return slices.DeleteFunc(slices.Clone(values), func(value string) bool { return !s.Has(value, true) })
}

// Has reports whether s has a state: the value, or absent if present is false. No set has a
// string that is not a label value, or not a node name.
func (s Set) Has(value string, present bool) bool {
	if !present {
		return s.absent
	}
	if !s.complement {
		return contains(s.values, value)
	}
	return s.domain.has(value) && !contains(s.values, value)
}

// Empty reports whether s has no state: whether the requirements that it was made of can
// never be met together. It is exact.
func (s Set) Empty() bool {
	switch {
	case s.absent:
		return false
	case !s.complement:
		return len(s.values) == 0
	case s.domain.integer:
		return !s.hasInteger()
	}
	return false // memory has no room to exclude all label values, or all node names
}

// hasInteger reports whether s, whose domain is integers, has a value. An integer has as many
// spellings as there are leading zeros that leave it a label value. At most one more value is
// tried than there are exclusions, and one for each number of zeros.
func (s Set) hasInteger() bool {
	for zeros := range validation.LabelValueMaxLength {
		for n := s.domain.min; ; n++ {
			value := strings.Repeat("0", zeros) + strconv.FormatInt(n, 10)
			if len(value) > validation.LabelValueMaxLength {
				break // and so are all greater ones
			}
			if s.Has(value, true) {
				return true
			}
			if n == s.domain.max {
				break
			}
		}
	}
	return false
}
