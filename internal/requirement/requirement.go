// Package requirement is the exact algebra of node selector requirements on one key.
//
// A [Requirement] is a parsed corev1.NodeSelectorRequirement that matches as kube-scheduler
// does. A [Set] holds the states that a conjunction of requirements on one key allows, out of
// the states that Kubernetes allows (law C2): a label is absent or has a valid label value;
// the name of a node, which is the one key of matchFields, is never absent and always a valid
// node name.
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
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// A Requirement is a valid node selector requirement: an entry of matchExpressions, which is
// on the label with its key, or an entry of matchFields, which is on the name of the node. It
// is immutable and shares no memory with what it was parsed from.
//
// The zero Requirement matches nothing. It comes with the faults of a malformed one.
type Requirement struct {
	key      string
	operator corev1.NodeSelectorOperator
	values   []string // of In and NotIn: sorted, each once; of Gt and Lt: the value if it is not an integer
	bound    int64    // of Gt and Lt; not negative, because a label value has no sign
	field    bool     // of matchFields

	unreadable bool // of a preference: a value is not a label value, so no node matches
}

// Parse returns the requirement of e, an entry of matchExpressions, or the faults of e with
// paths below path. It accepts what the validation of kube-apiserver accepts (law X1): the
// key is a label key; In and NotIn have one or more values, Exists and DoesNotExist none, Gt
// and Lt one; all values are label values, so an integer has no sign. Nil values and empty
// ones are the same. Gt and Lt with a value that is not an integer match no node.
func Parse(e corev1.NodeSelectorRequirement, path *field.Path) (Requirement, field.ErrorList) {
	r, faults, ofValues := parse(e, path)
	if faults = append(faults, ofValues...); len(faults) > 0 {
		return Requirement{}, faults
	}
	return r, nil
}

// ParsePreferred is Parse for an entry of a preference. There kube-apiserver accepts any value.
// kube-scheduler cannot read one that is not a label value, so the requirement matches no node.
func ParsePreferred(e corev1.NodeSelectorRequirement, path *field.Path) (Requirement, field.ErrorList) {
	r, faults, ofValues := parse(e, path)
	if len(faults) > 0 {
		return Requirement{}, faults
	}
	r.unreadable = len(ofValues) > 0
	return r, nil
}

// parse returns the faults of values that are not label values apart from the others.
func parse(e corev1.NodeSelectorRequirement, path *field.Path) (r Requirement, faults, ofValues field.ErrorList) {
	r = Requirement{key: e.Key, operator: e.Operator}
	if !labelsyntax.IsKey(e.Key) {
		faults = append(faults, labelsyntax.KeyFault(path.Child("key"), e.Key))
	}
	switch e.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(e.Values) == 0 {
			faults = append(faults, field.Required(path.Child("values"), "operator "+string(e.Operator)+" needs at least one value"))
		}
		for i, value := range e.Values {
			if !labelsyntax.IsValue(value) {
				ofValues = append(ofValues, fielderror.Invalid(path.Child("values").Index(i), value, strings.Join(validation.IsValidLabelValue(value), "; ")))
			}
		}
		r.values = slices.Clone(e.Values)
		slices.Sort(r.values)
		r.values = slices.Compact(r.values)
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(e.Values) > 0 {
			faults = append(faults, invalidValues(e, path, "must be empty for operator "+string(e.Operator)))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(e.Values) != 1 {
			faults = append(faults, invalidValues(e, path, "must be exactly one integer for operator "+string(e.Operator)))
			break
		}
		if !labelsyntax.IsValue(e.Values[0]) {
			ofValues = append(ofValues, fielderror.Invalid(path.Child("values").Index(0), e.Values[0],
				"must be an integer from 0 to 9223372036854775807 for operator "+string(e.Operator)+
					", with at most 63 digits and without a sign, because it must also be a label value"))
		}
		var ok bool
		if r.bound, ok = parseInt(e.Values[0]); !ok {
			r.bound, r.values = 0, slices.Clone(e.Values)
		}
	default:
		faults = append(faults, fielderror.Unsupported(path.Child("operator"), e.Operator,
			corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn,
			corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist,
			corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt))
	}
	return r, faults, ofValues
}

// ParseField returns the requirement of e, an entry of matchFields, or the faults of e with
// paths below path. As in kube-apiserver the key is metadata.name, the operator In or NotIn,
// and there is one value, a node name.
func ParseField(e corev1.NodeSelectorRequirement, path *field.Path) (Requirement, field.ErrorList) {
	var faults field.ErrorList
	if e.Key != metav1.ObjectNameField {
		faults = append(faults, fielderror.Unsupported(path.Child("key"), e.Key, metav1.ObjectNameField))
	}
	if e.Operator != corev1.NodeSelectorOpIn && e.Operator != corev1.NodeSelectorOpNotIn {
		faults = append(faults, fielderror.Unsupported(path.Child("operator"), e.Operator, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn))
	}
	if len(e.Values) != 1 {
		faults = append(faults, invalidValues(e, path, "must be exactly one node name"))
	} else if !labelsyntax.IsSubdomain(e.Values[0]) {
		faults = append(faults, fielderror.Invalid(path.Child("values").Index(0), e.Values[0],
			"must be a node name: "+strings.Join(validation.IsDNS1123Subdomain(e.Values[0]), "; ")))
	}
	if len(faults) > 0 {
		return Requirement{}, faults
	}
	return Requirement{key: e.Key, operator: e.Operator, values: slices.Clone(e.Values), field: true}, nil
}

func invalidValues(e corev1.NodeSelectorRequirement, path *field.Path, accepted string) *field.Error {
	if len(e.Values) == 0 {
		return field.Required(path.Child("values"), accepted)
	}
	return fielderror.Invalid(path.Child("values"), strings.Join(e.Values, ", "), accepted)
}

// parseInt returns what strconv.ParseInt returns, but does not allocate an error for a label
// with letters.
func parseInt(s string) (n int64, ok bool) {
	if strings.Trim(s, "+-0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// Name returns the requirement that the node has a name, which need not be one that an API server
// accepts.
func Name(name string) Requirement {
	return Requirement{key: metav1.ObjectNameField, operator: corev1.NodeSelectorOpIn, values: []string{name}, field: true}
}

// Absent returns the requirement that a label is absent.
func Absent(key string) Requirement {
	return Requirement{key: key, operator: corev1.NodeSelectorOpDoesNotExist}
}

// IsExists reports whether r requires only that the label is present.
func (r *Requirement) IsExists() bool { return r.operator == corev1.NodeSelectorOpExists }

// Key returns the key: the key of a label, or metadata.name for a requirement on the name of
// the node. A label may have the key metadata.name too; [Requirement.IsField] is false then.
func (r *Requirement) Key() string { return r.key }

// IsField reports whether r is on the name of the node, not on a label.
func (r *Requirement) IsField() bool { return r.field }

// Listed returns the values that r lists, and whether it excludes them: those of In and
// NotIn. ok is false for the other operators. The values must not be written to.
func (r *Requirement) Listed() (values []string, excluded, ok bool) {
	excluded = r.operator == corev1.NodeSelectorOpNotIn
	if !excluded && r.operator != corev1.NodeSelectorOpIn {
		return nil, false, false
	}
	return r.values, excluded, true
}

// Compare orders requirements by their subjects, and those on one subject by operator and
// values. It is zero for the same requirement, however its values were written.
func (r *Requirement) Compare(o *Requirement) int {
	if r == o {
		return 0
	}
	if order := r.CompareSubject(o); order != 0 {
		return order
	}
	return cmp.Or(strings.Compare(string(r.operator), string(o.operator)), cmp.Compare(r.bound, o.bound), slices.Compare(r.values, o.values))
}

// CompareSubject orders requirements by their subjects: labels by their keys, and then the
// name of the node.
func (r *Requirement) CompareSubject(o *Requirement) int {
	switch {
	case r.field == o.field:
		return strings.Compare(r.key, o.key)
	case o.field:
		return -1
	}
	return 1
}

// Never reports whether no node matches r because of its value: of Gt and Lt one that is not an
// integer, of a preference one that kube-scheduler cannot read.
func (r *Requirement) Never() bool {
	return r.unreadable || len(r.values) > 0 && (r.operator == corev1.NodeSelectorOpGt || r.operator == corev1.NodeSelectorOpLt)
}

// Expression returns r as an entry of a node affinity.
func (r *Requirement) Expression() corev1.NodeSelectorRequirement {
	e := corev1.NodeSelectorRequirement{Key: r.key, Operator: r.operator, Values: slices.Clone(r.values)}
	if (r.operator == corev1.NodeSelectorOpGt || r.operator == corev1.NodeSelectorOpLt) && e.Values == nil {
		e.Values = []string{strconv.FormatInt(r.bound, 10)}
	}
	return e
}

// String returns r for a message, such as `zone In [a, b]`, `zone Exists` or `cores Gt 8`:
// the values sorted, each once, and of many only the first.
func (r Requirement) String() string {
	const longest = 256
	values := r.Expression().Values
	list := message.List(len(values), func(i int) string { return cmp.Or(values[i], `""`) }, ", ", longest)
	switch r.operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		list = "[" + list + "]"
	}
	return strings.TrimSpace(r.key + " " + string(r.operator) + " " + list)
}

// Matches is kube-scheduler's verdict on a node whose label, or whose name, has the given
// value. The value is ignored if present is false. It does not allocate, unless it compares
// with an integer of more than 64 bits.
//
// The value may be any string. Only NotIn and DoesNotExist match an absent label. Gt and Lt
// compare signed 64-bit integers, and match no other value. A node without a name, which no
// cluster has, matches every requirement on the name: kube-scheduler skips matchFields then.
func (r *Requirement) Matches(value string, present bool) bool {
	if r.unreadable {
		return false
	}
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
		return ok && n > r.bound && !r.Never()
	case corev1.NodeSelectorOpLt:
		n, ok := parseInt(value)
		return ok && n < r.bound && !r.Never()
	}
	return false
}

// contains reports whether sorted values hold value.
func contains(values []string, value string) bool {
	_, ok := slices.BinarySearch(values, value)
	return ok
}
