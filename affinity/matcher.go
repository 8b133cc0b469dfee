package affinity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Matcher is a node selector and a node affinity, parsed once to be matched with many nodes. Its
// verdict and its score are those of kube-scheduler (law X1). It does not test taints, cordons and
// resources; the Forecast of package dataflow does. A Matcher is immutable and safe for use by many
// goroutines at once. A nil Matcher, and the zero value, match every node.
type Matcher struct {
	selector   nodeselector.Term
	required   []nodeselector.Term // ORed, if restricted
	restricted bool                // there is a required part, possibly without terms
	preferred  []weightedTerm
}

type weightedTerm struct {
	nodeselector.Term
	weight int64
}

// Compile returns the Matcher of a node selector and a node affinity. It accepts what the
// validation of kube-apiserver accepts, also requirements that no node can match: Gt and Lt with a
// value that is a label value but not an integer, and in a preference every operator with a value
// that is not a label value.
//
// A nil or empty node selector matches every node, and so does a nil affinity and one without a
// required node affinity. A required node affinity without terms matches no node, and neither
// does an empty term. Preferences of weight 0 add nothing to a score.
//
// The error holds every fault as a *field.Error. Its path starts at nodeSelector, or at
// requiredDuringSchedulingIgnoredDuringExecution or
// preferredDuringSchedulingIgnoredDuringExecution in the node affinity. The Matcher is nil then.
func Compile(nodeSelector map[string]string, a *corev1.Affinity) (*Matcher, error) {
	m := &Matcher{}
	var faults, wrong field.ErrorList
	m.selector, faults = nodeselector.ParseSelector(nodeSelector)
	if a != nil && a.NodeAffinity != nil {
		m.preferred, wrong = parsePreferences(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		faults = append(faults, wrong...)
	}
	if required := nodeselector.Required(a); required != nil {
		m.restricted = true
		m.required, wrong = nodeselector.ParseTerms(required.NodeSelectorTerms, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	return m, nil
}

// parsePreferences returns the preferences that can add to a score, and their faults.
func parsePreferences(terms []corev1.PreferredSchedulingTerm) ([]weightedTerm, field.ErrorList) {
	parsed := make([]weightedTerm, 0, len(terms))
	var faults field.ErrorList
	for i := range terms {
		path := field.NewPath("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference")
		t, wrong := nodeselector.ParsePreference(terms[i].Preference, path)
		faults = append(faults, wrong...)
		if terms[i].Weight != 0 && !nodeselector.IsEmpty(terms[i].Preference) {
			parsed = append(parsed, weightedTerm{t, int64(terms[i].Weight)})
		}
	}
	return parsed, faults
}

// Match reports whether the node matches the node selector and the required node affinity. A nil
// node has no name and no labels. A node without a name matches every requirement of
// matchFields, as in kube-scheduler. A nil Matcher matches every node.
func (m *Matcher) Match(node *corev1.Node) bool {
	if m == nil {
		return true
	}
	name, labels := nameAndLabels(node)
	if !m.selector.Matches(name, labels) {
		return false
	}
	if !m.restricted {
		return true
	}
	for _, t := range m.required {
		if t.Matches(name, labels) {
			return true
		}
	}
	return false
}

// Score returns the sum of the weights of the preferences that match the node. A nil node has no
// name and no labels. The score by a nil Matcher is 0.
func (m *Matcher) Score(node *corev1.Node) int64 {
	if m == nil {
		return 0
	}
	name, labels := nameAndLabels(node)
	var score int64
	for _, p := range m.preferred {
		if p.Matches(name, labels) {
			score += p.weight
		}
	}
	return score
}

func nameAndLabels(node *corev1.Node) (string, map[string]string) {
	if node == nil {
		return "", nil
	}
	return node.Name, node.Labels
}

// Satisfiable reports whether some node that Kubernetes allows, with any name and any labels,
// could match. It is exact (law C2). A nil Matcher is satisfiable.
func (m *Matcher) Satisfiable() bool {
	if m == nil || !m.restricted {
		return true // each entry of a node selector is on another key
	}
	return slices.ContainsFunc(m.required, func(t nodeselector.Term) bool { return t.SatisfiableWith(m.selector) })
}
