package affinity

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Matcher is a node selector and a node affinity, parsed once to be matched with
// many nodes. Its verdict and its score are kube-scheduler's (law X1). It is
// immutable and safe for use by many goroutines at once.
type Matcher struct {
	selector  []requirement.Requirement // ANDed
	required  []term                    // ORed, if confined
	confined  bool                      // there is a required part, if only an empty one
	preferred []preference
}

// term is a conjunction. Empty terms, which match no node, are left out of a Matcher.
type term []requirement.Requirement

type preference struct {
	term
	weight int64
}

// Compile parses what a pod asks of its node. Nil and empty node selectors match
// every node, and so does an affinity without a required node affinity, nil
// included. A required node affinity without terms matches no node, nor does an
// empty term. Preferences of weight 0 are ignored.
//
// Every malformed requirement is reported, as a *field.Error whose path starts at
// nodeSelector, or in the node affinity (at
// requiredDuringSchedulingIgnoredDuringExecution or its sibling). Where the
// scheduler would pass over a malformed term, as the API server lets none through,
// Compile gives no Matcher.
func Compile(nodeSelector map[string]string, a *corev1.Affinity) (*Matcher, error) {
	m := &Matcher{}
	var faults, wrong field.ErrorList
	m.selector, faults = parseSelector(nodeSelector)
	if a != nil && a.NodeAffinity != nil {
		m.preferred, wrong = parsePreferences(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
		faults = append(faults, wrong...)
	}
	if required := requiredPart(a); required != nil {
		m.confined = true
		m.required, wrong = parseTerms(required.NodeSelectorTerms)
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	return m, nil
}

func parseSelector(nodeSelector map[string]string) (term, field.ErrorList) {
	var selector term
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(nodeSelector)) {
		r, wrong := requirement.Parse(equality(key, nodeSelector[key]), field.NewPath("nodeSelector").Key(key))
		selector, faults = append(selector, r), append(faults, wrong...)
	}
	return selector, faults
}

func parseTerms(terms []corev1.NodeSelectorTerm) ([]term, field.ErrorList) {
	parsed := make([]term, 0, len(terms))
	var faults field.ErrorList
	for i := range terms {
		if isEmpty(terms[i]) {
			continue
		}
		t, wrong := parseTerm(&terms[i], field.NewPath("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms").Index(i))
		parsed, faults = append(parsed, t), append(faults, wrong...)
	}
	return parsed, faults
}

func parsePreferences(terms []corev1.PreferredSchedulingTerm) ([]preference, field.ErrorList) {
	parsed := make([]preference, 0, len(terms))
	var faults field.ErrorList
	for i := range terms {
		if terms[i].Weight == 0 || isEmpty(terms[i].Preference) {
			continue
		}
		path := field.NewPath("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference")
		t, wrong := parseTerm(&terms[i].Preference, path)
		parsed, faults = append(parsed, preference{t, int64(terms[i].Weight)}), append(faults, wrong...)
	}
	return parsed, faults
}

func parseTerm(t *corev1.NodeSelectorTerm, path *field.Path) (term, field.ErrorList) {
	parsed := make(term, 0, len(t.MatchExpressions)+len(t.MatchFields))
	var faults field.ErrorList
	for i, e := range t.MatchExpressions {
		r, wrong := requirement.Parse(e, path.Child("matchExpressions").Index(i))
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	for i, e := range t.MatchFields {
		r, wrong := requirement.ParseField(e, path.Child("matchFields").Index(i))
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	return parsed, faults
}

// Match reports whether a pod may run on the node, as far as its node selector and
// required node affinity go. It does not allocate. A node without a name is one of
// which only the labels are known: it satisfies matchFields.
func (m *Matcher) Match(nodeName string, labels map[string]string) bool {
	if !term(m.selector).matches(nodeName, labels) {
		return false
	}
	if !m.confined {
		return true
	}
	for _, t := range m.required {
		if t.matches(nodeName, labels) {
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
		if p.matches(nodeName, labels) {
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
	return slices.ContainsFunc(m.required, func(t term) bool { return t.and(m.selector).satisfiable() })
}

func (t term) matches(nodeName string, labels map[string]string) bool {
	for i := range t {
		value, present := nodeName, nodeName != ""
		if !t[i].IsField() {
			value, present = labels[t[i].Key()]
		}
		if !t[i].Matches(value, present) {
			return false
		}
	}
	return true
}

// and returns the conjunction of t and o.
func (t term) and(o term) term { return slices.Concat(t, o) }

// satisfiable decides each key by itself: labels do not depend on each other, nor
// on the node's name.
func (t term) satisfiable() bool {
	type subject struct {
		field bool
		key   string
	}
	bySubject := make(map[subject]term)
	for _, r := range t {
		s := subject{r.IsField(), r.Key()}
		bySubject[s] = append(bySubject[s], r)
	}
	for _, requirements := range bySubject {
		if requirement.Of(requirements...).Empty() {
			return false
		}
	}
	return true
}
