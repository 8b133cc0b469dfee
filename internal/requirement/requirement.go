// Package requirement is the exact algebra of node selector requirements on one
// key.
//
// A [Requirement] is one parsed corev1.NodeSelectorRequirement, and answers as
// kube-scheduler does. A [Set] is what a conjunction of requirements on one key
// allows, over exactly the states that Kubernetes allows (law C2): a label is
// absent or a valid label value; the name of a node, the one key of matchFields,
// is never absent and always a valid node name.
package requirement

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// A Requirement is a valid node selector requirement: of matchExpressions, on the
// label with its key, or of matchFields, on the name of the node. It is immutable
// and shares no memory with what it was parsed from.
//
// The zero Requirement is what comes with an error. It matches nothing.
type Requirement struct {
	key      string
	operator corev1.NodeSelectorOperator
	values   []string // of In and NotIn: sorted, each once; never written to
	bound    int64    // of Gt and Lt; not negative, for a label value has no sign
	field    bool     // of matchFields
}

// Parse returns the requirement that e, an entry of matchExpressions, states
// about a label, or every fault of e by its path below path. It accepts what
// kube-scheduler accepts (law X1): the key is a label key; In and NotIn have one
// or more values, Exists and DoesNotExist none, Gt and Lt one that is an integer;
// all values are label values, so that an integer has no sign. Empty values and
// nil are the same.
func Parse(e corev1.NodeSelectorRequirement, path *field.Path) (Requirement, field.ErrorList) {
	r := Requirement{key: e.Key, operator: e.Operator}
	var errs field.ErrorList
	if !labelsyntax.IsKey(e.Key) {
		errs = append(errs, labelsyntax.KeyFault(path.Child("key"), e.Key))
	}
	switch e.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(e.Values) == 0 {
			errs = append(errs, field.Required(path.Child("values"), "operator "+string(e.Operator)+" needs at least one value"))
		}
		for i, value := range e.Values {
			if !labelsyntax.IsValue(value) {
				errs = append(errs, field.Invalid(path.Child("values").Index(i), value, strings.Join(validation.IsValidLabelValue(value), "; ")))
			}
		}
		r.values = slices.Clone(e.Values)
		slices.Sort(r.values)
		r.values = slices.Compact(r.values)
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(e.Values) > 0 {
			errs = append(errs, invalidValues(e, path, "must be empty for operator "+string(e.Operator)))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(e.Values) != 1 {
			errs = append(errs, invalidValues(e, path, "must be exactly one integer for operator "+string(e.Operator)))
			break
		}
		bound, ok := parseInt(e.Values[0])
		if !ok || !labelsyntax.IsValue(e.Values[0]) {
			errs = append(errs, field.Invalid(path.Child("values").Index(0), e.Values[0],
				"must be an integer from 0 to 9223372036854775807 for operator "+string(e.Operator)+
					", in at most 63 digits and without a sign, because it must be a label value too"))
		}
		r.bound = bound
	default:
		errs = append(errs, fielderror.Unsupported(path.Child("operator"), string(e.Operator),
			string(corev1.NodeSelectorOpIn), string(corev1.NodeSelectorOpNotIn),
			string(corev1.NodeSelectorOpExists), string(corev1.NodeSelectorOpDoesNotExist),
			string(corev1.NodeSelectorOpGt), string(corev1.NodeSelectorOpLt)))
	}
	if len(errs) > 0 {
		return Requirement{}, errs
	}
	return r, nil
}

// ParseField returns the requirement that e, an entry of matchFields, states
// about the name of the node, or every fault of e by its path below path. As in a
// real API server the key is metadata.name, the operator In or NotIn, and there is
// one value, a node name.
func ParseField(e corev1.NodeSelectorRequirement, path *field.Path) (Requirement, field.ErrorList) {
	var errs field.ErrorList
	if e.Key != metav1.ObjectNameField {
		errs = append(errs, fielderror.Unsupported(path.Child("key"), e.Key, metav1.ObjectNameField))
	}
	if e.Operator != corev1.NodeSelectorOpIn && e.Operator != corev1.NodeSelectorOpNotIn {
		errs = append(errs, fielderror.Unsupported(path.Child("operator"), string(e.Operator),
			string(corev1.NodeSelectorOpIn), string(corev1.NodeSelectorOpNotIn)))
	}
	if len(e.Values) != 1 {
		errs = append(errs, invalidValues(e, path, "must be exactly one node name"))
	} else if !isNodeName(e.Values[0]) {
		errs = append(errs, field.Invalid(path.Child("values").Index(0), e.Values[0],
			"must be a node name: "+strings.Join(validation.IsDNS1123Subdomain(e.Values[0]), "; ")))
	}
	if len(errs) > 0 {
		return Requirement{}, errs
	}
	return Requirement{key: e.Key, operator: e.Operator, values: slices.Clone(e.Values), field: true}, nil
}

func invalidValues(e corev1.NodeSelectorRequirement, path *field.Path, accepted string) *field.Error {
	if len(e.Values) == 0 {
		return field.Required(path.Child("values"), accepted)
	}
	return field.Invalid(path.Child("values"), strings.Join(e.Values, ", "), accepted)
}

// Absent returns the requirement that a label is absent.
func Absent(key string) Requirement {
	return Requirement{key: key, operator: corev1.NodeSelectorOpDoesNotExist}
}

// IsExists reports whether r asks for no more than that the label is there.
func (r *Requirement) IsExists() bool { return r.operator == corev1.NodeSelectorOpExists }

// Key returns the key: of a label, or metadata.name for a requirement on the name
// of the node. A label may have the key metadata.name too; [Requirement.IsField]
// tells them apart.
func (r *Requirement) Key() string { return r.key }

// IsField reports whether r is a requirement of matchFields, on the name of the
// node.
func (r *Requirement) IsField() bool { return r.field }

// Listed returns the values that r lists and whether it excludes them, or ok == false
// if it lists none: In and NotIn do. The values must not be written to.
func (r *Requirement) Listed() (values []string, excluded, ok bool) {
	return r.values, r.operator == corev1.NodeSelectorOpNotIn, r.values != nil
}

// Compare orders requirements by their subject, and those of one subject by what they ask
// for. It is zero if r and o are the same requirement, however it was written.
func (r *Requirement) Compare(o *Requirement) int {
	if order := r.CompareSubject(o); order != 0 {
		return order
	}
	if order := strings.Compare(string(r.operator), string(o.operator)); order != 0 {
		return order
	}
	if order := cmp.Compare(r.bound, o.bound); order != 0 {
		return order
	}
	return slices.Compare(r.values, o.values)
}

// CompareSubject orders requirements by what they are on: labels by their keys, and then
// the name of the node.
func (r *Requirement) CompareSubject(o *Requirement) int {
	switch {
	case r.field == o.field:
		return strings.Compare(r.key, o.key)
	case o.field:
		return -1
	}
	return 1
}

// Expression returns r as it stands in a node affinity, with its values as String
// has them.
func (r *Requirement) Expression() corev1.NodeSelectorRequirement {
	e := corev1.NodeSelectorRequirement{Key: r.key, Operator: r.operator, Values: slices.Clone(r.values)}
	if r.operator == corev1.NodeSelectorOpGt || r.operator == corev1.NodeSelectorOpLt {
		e.Values = []string{strconv.FormatInt(r.bound, 10)}
	}
	return e
}

// String returns r as a person would write it, such as `zone In [a, b]`,
// `zone Exists` or `cores Gt 8`: the values in sorted order, each once.
func (r Requirement) String() string {
	head := r.key + " " + string(r.operator)
	switch r.operator {
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		return head + " " + strconv.FormatInt(r.bound, 10)
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		list := strings.Join(r.values, ", ")
		if r.values[0] == "" { // it sorts first, and would not be seen
			list = `""` + list
		}
		return head + " [" + list + "]"
	}
	return head
}

// Matches is kube-scheduler's verdict on a node whose label, or whose name, has
// the given value; value has no meaning unless present. It does not allocate.
//
// The value may be any string. A label that is absent satisfies NotIn and
// DoesNotExist alone. Gt and Lt compare signed 64-bit integers, and match no value
// that is not one. A node without a name, which no cluster has, satisfies every
// requirement on the name: the scheduler skips matchFields for it.
func (r *Requirement) Matches(value string, present bool) bool {
	if !present {
		return r.field || r.operator == corev1.NodeSelectorOpNotIn || r.operator == corev1.NodeSelectorOpDoesNotExist
	}
	switch r.operator {
	case corev1.NodeSelectorOpIn:
		return contains(r.values, value)
	case corev1.NodeSelectorOpNotIn:
		return !contains(r.values, value)
	case corev1.NodeSelectorOpExists:
		return true
	case corev1.NodeSelectorOpGt:
		n, ok := parseInt(value)
		return ok && n > r.bound
	case corev1.NodeSelectorOpLt:
		n, ok := parseInt(value)
		return ok && n < r.bound
	}
	return false
}

// contains reports whether the sorted values hold value. Few are faster looked
// through than searched.
func contains(values []string, value string) bool {
	if len(values) > 8 {
		_, ok := slices.BinarySearch(values, value)
		return ok
	}
	for _, v := range values {
		// Labels of one kind often start alike: type-1, type-2.
		if n := len(v); n == len(value) && (n == 0 || v[n-1] == value[n-1] && v == value) {
			return true
		}
	}
	return false
}

// isNodeName reports whether s can be the name of a node.
func isNodeName(s string) bool { return labelsyntax.IsSubdomain(s) }
