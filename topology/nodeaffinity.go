package topology

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// NodeAffinity returns s as Fluid stores it in status.nodeAffinity of a finished
// operation: one required term with one expression "key In [value]" for each
// label, sorted by key (law E3). It is nil if s is empty.
func (s LabelSet) NodeAffinity() *corev1.NodeAffinity {
	if s.Len() == 0 {
		return nil
	}
	expressions := make([]corev1.NodeSelectorRequirement, 0, s.Len())
	for key, value := range s.All() {
		expressions = append(expressions, corev1.NodeSelectorRequirement{
			Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value},
		})
	}
	return &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: expressions}},
		},
	}
}

// FromNodeAffinity returns the labels that status.nodeAffinity of a finished
// operation records. It is the inverse of [LabelSet.NodeAffinity] (law E2), and
// also reads what Fluid wrote in another order. Nil, no required part, no term
// and an empty term all give the empty set.
//
// Whatever no encoder writes is an error: preferences, a second term, fields,
// another operator than In, no or several values, a key twice. Each fault is a
// *field.Error whose path starts at the node affinity (law E4).
func FromNodeAffinity(a *corev1.NodeAffinity) (LabelSet, error) {
	if a == nil {
		return LabelSet{}, nil
	}
	var faults field.ErrorList
	if len(a.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
		path := field.NewPath("preferredDuringSchedulingIgnoredDuringExecution")
		faults = append(faults, field.Forbidden(path, "recorded labels are required, never preferred"))
	}
	var labels []label
	if required := a.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		path := field.NewPath("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		if n := len(required.NodeSelectorTerms); n > 1 {
			faults = append(faults, field.Invalid(path, n, "must be at most one term"))
		}
		for i, term := range required.NodeSelectorTerms {
			read, wrong := fromTerm(term, path.Index(i))
			labels, faults = append(labels, read...), append(faults, wrong...)
		}
	}
	if len(faults) > 0 {
		return LabelSet{}, fielderror.Join(faults)
	}
	return newSorted(labels), nil
}

// fromTerm returns the labels that a term at path records, and every fault in it.
func fromTerm(term corev1.NodeSelectorTerm, path *field.Path) ([]label, field.ErrorList) {
	var faults field.ErrorList
	if len(term.MatchFields) > 0 {
		faults = append(faults, field.Forbidden(path.Child("matchFields"), "only labels are recorded"))
	}
	labels := make([]label, 0, len(term.MatchExpressions))
	seen := make(map[string]bool, len(term.MatchExpressions))
	for i, e := range term.MatchExpressions {
		path := path.Child("matchExpressions").Index(i)
		if e.Key == "" {
			faults = append(faults, field.Required(path.Child("key"), "a label key"))
		}
		if seen[e.Key] {
			faults = append(faults, field.Duplicate(path.Child("key"), e.Key))
		}
		seen[e.Key] = true
		if e.Operator != corev1.NodeSelectorOpIn {
			faults = append(faults, field.NotSupported(path.Child("operator"), e.Operator, []string{string(corev1.NodeSelectorOpIn)}))
		}
		if len(e.Values) != 1 {
			faults = append(faults, field.Invalid(path.Child("values"), strings.Join(e.Values, ", "), "must be the one value of the label"))
			continue
		}
		labels = append(labels, label{e.Key, e.Values[0]})
	}
	return labels, faults
}
