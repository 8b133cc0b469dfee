package affinity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Matcher is a node selector and a node affinity, parsed once to be matched with
// many nodes. Its verdict and its score on those two are kube-scheduler's (law X1).
// Taints and cordons are not looked at; the Forecast of package dataflow does that. It is
// immutable and safe for use by many goroutines at once.
type Matcher struct {
	selector  nodeselector.Term
	required  []nodeselector.Term // ORed, if confined
	confined  bool                // there is a required part, if only an empty one
	preferred []preference
}

type preference struct {
	nodeselector.Term
	weight int64
}

// Compile parses what a pod asks of a node's name and labels. Taints and cordons are not
// looked at; the Forecast of package dataflow does that.
//
// Nil and empty node selectors match every node, and so does an affinity without a
// required node affinity, nil included. A required node affinity without terms matches
// no node, nor does an empty term. Preferences of weight 0 are ignored.
//
// Every malformed requirement is reported, as a *field.Error whose path starts at
// nodeSelector, or in the node affinity (at
// requiredDuringSchedulingIgnoredDuringExecution or its sibling). There is no Matcher
// then. The scheduler would pass over a malformed term, but never meets one: the API
// server lets none through.
func Compile(nodeSelector map[string]string, a *corev1.Affinity) (*Matcher, error) {
	m := &Matcher{}
	var faults, wrong field.ErrorList
	m.selector, faults = nodeselector.ParseSelector(nodeSelector)
	if a != nil && a.NodeAffinity != nil {
		m.preferred, wrong = parsePreferences(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		faults = append(faults, wrong...)
	}
	if required := nodeselector.Required(a); required != nil {
		m.confined = true
		m.required, wrong = nodeselector.ParseTerms(required.NodeSelectorTerms, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	return m, nil
}

// parsePreferences returns the preferences that can add to a score, and every fault in them.
func parsePreferences(terms []corev1.PreferredSchedulingTerm) ([]preference, field.ErrorList) {
	parsed := make([]preference, 0, len(terms))
	var faults field.ErrorList
	for i := range terms {
		if terms[i].Weight == 0 || nodeselector.IsEmpty(terms[i].Preference) {
			continue
		}
		path := field.NewPath("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference")
		t, wrong := nodeselector.ParseTerm(terms[i].Preference, path)
		parsed, faults = append(parsed, preference{t, int64(terms[i].Weight)}), append(faults, wrong...)
	}
	return parsed, faults
}

// Match reports whether a pod may run on the node, as far as its node selector and
// required node affinity go. It does not allocate. A node without a name is one of
// which only the labels are known: it satisfies matchFields.
func (m *Matcher) Match(nodeName string, labels map[string]string) bool {
	if !m.selector.Matches(nodeName, labels) {
		return false
	}
	if !m.confined {
		return true
	}
	for _, t := range m.required {
		if t.Matches(nodeName, labels) {
			return true
		}
	}
	return false
}

// Score returns the sum of the weights of the preferences that match the node. It
// does not allocate.
func (m *Matcher) Score(nodeName string, labels map[string]string) int64 {
	var score int64
	for _, p := range m.preferred {
		if p.Matches(nodeName, labels) {
			score += p.weight
		}
	}
	return score
}

// Satisfiable reports whether any node that Kubernetes allows, that is any name
// and any set of valid labels, could match. It is exact (law C2).
func (m *Matcher) Satisfiable() bool {
	if !m.confined {
		return true // a node selector names one valid value a key
	}
	return slices.ContainsFunc(m.required, func(t nodeselector.Term) bool { return t.And(m.selector).Satisfiable() })
}
