package topology

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// NodeAffinity returns s in the form of status.nodeAffinity of a complete operation: one
// required term with one expression "key In [value]" for each label, sorted by key (law E3). It
// is nil if s is empty.
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

// FromNodeAffinity returns the labels that status.nodeAffinity of a complete operation records.
// It is the inverse of [LabelSet.NodeAffinity] (law E2). The expressions may be in any order.
// Nil, no required part, no term and an empty term give the empty set.
//
// Everything else that NodeAffinity does not return is an error: preferences, a second term,
// fields, an operator other than In, no value or several, an empty key and a repeated one. The
// error holds every fault as a *field.Error with a path that starts at the node affinity (law
// E4).
func FromNodeAffinity(a *corev1.NodeAffinity) (LabelSet, error) {
	if a == nil {
		return LabelSet{}, nil
	}
	var labels []label
	var faults field.ErrorList
	if len(a.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
		path := field.NewPath("preferredDuringSchedulingIgnoredDuringExecution")
		faults = append(faults, field.Forbidden(path, "recorded labels are required, never preferred"))
	}
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

// fromTerm returns the labels that a term records, and its faults.
func fromTerm(term corev1.NodeSelectorTerm, path *field.Path) ([]label, field.ErrorList) {
	var labels []label
	var faults field.ErrorList
	if len(term.MatchFields) > 0 {
		faults = append(faults, field.Forbidden(path.Child("matchFields"), "only labels are recorded"))
	}
	seen := make(map[string]bool, len(term.MatchExpressions))
	for i, e := range term.MatchExpressions {
		path := path.Child("matchExpressions").Index(i)
		switch {
		case e.Key == "":
			faults = append(faults, field.Required(path.Child("key"), "a label key"))
		case seen[e.Key]:
			faults = append(faults, field.Duplicate(path.Child("key"), message.Excerpt(e.Key)))
		}
		seen[e.Key] = true
		if e.Operator != corev1.NodeSelectorOpIn {
			faults = append(faults, fielderror.Unsupported(path.Child("operator"), e.Operator, corev1.NodeSelectorOpIn))
		}
		if len(e.Values) != 1 {
			faults = append(faults, fielderror.Invalid(path.Child("values"), strings.Join(e.Values, ", "), "must be the one value of the label"))
			continue
		}
		labels = append(labels, label{e.Key, e.Values[0]})
	}
	return labels, faults
}
