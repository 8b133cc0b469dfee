// Package nodeselector holds what a pod asks of its node as a logical formula: node
// selector AND (term OR term OR …), each term a conjunction of requirements.
package nodeselector

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Term is a conjunction of requirements. Without any it matches every node: the
// empty terms of a node affinity, which match none, are never parsed.
type Term []requirement.Requirement

// Required returns the required node affinity of a. It is nil if there is none,
// which asks for nothing.
func Required(a *corev1.Affinity) *corev1.NodeSelector {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

// IsEmpty reports whether a term has neither expressions nor fields. Such a term
// matches no node.
func IsEmpty(t corev1.NodeSelectorTerm) bool {
	return len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0
}

// ParseSelector returns a node selector as a term. Its faults have the path of the entry,
// which starts at nodeSelector: there is no more to one in a manifest.
func ParseSelector(nodeSelector map[string]string) (Term, field.ErrorList) {
	var selector Term
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(nodeSelector)) {
		e := corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeSelector[key]}}
		r, wrong := requirement.Parse(e, nil)
		for _, fault := range wrong {
			fault.Field = field.NewPath("nodeSelector").Key(key).String()
		}
		selector, faults = append(selector, r), append(faults, wrong...)
	}
	return selector, faults
}

// ParseTerms parses all terms but the empty ones, or returns every fault by its path,
// which starts with the given name or names.
func ParseTerms(terms []corev1.NodeSelectorTerm, name string, names ...string) ([]Term, field.ErrorList) {
	parsed := make([]Term, 0, len(terms))
	var faults field.ErrorList
	for i, t := range terms {
		if IsEmpty(t) {
			continue
		}
		p, wrong := parse(ParseTerm, t, func() *field.Path { return field.NewPath(name, names...).Index(i) })
		parsed, faults = append(parsed, p), append(faults, wrong...)
	}
	return parsed, faults
}

// ParseTerm parses one term, or returns every fault by its path below path.
func ParseTerm(t corev1.NodeSelectorTerm, path *field.Path) (Term, field.ErrorList) {
	parsed := make(Term, 0, len(t.MatchExpressions)+len(t.MatchFields))
	var faults field.ErrorList
	for i, e := range t.MatchExpressions {
		r, wrong := parse(requirement.Parse, e, func() *field.Path { return path.Child("matchExpressions").Index(i) })
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	for i, e := range t.MatchFields {
		r, wrong := parse(requirement.ParseField, e, func() *field.Path { return path.Child("matchFields").Index(i) })
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	return parsed, faults
}

// parse calls a function that parses something. It makes the path only for faults, which
// most have none of.
func parse[From, To any](by func(From, *field.Path) (To, field.ErrorList), from From, path func() *field.Path) (To, field.ErrorList) {
	to, faults := by(from, nil)
	if len(faults) > 0 {
		_, faults = by(from, path())
	}
	return to, faults
}

// Matches is kube-scheduler's verdict on a node. It does not allocate. A node
// without a name satisfies every requirement on the name.
func (t Term) Matches(nodeName string, labels map[string]string) bool {
	for i := range t {
		r := &t[i]
		value, present := nodeName, nodeName != ""
		if !r.IsField() {
			value, present = labels[r.Key()]
		}
		if !r.Matches(value, present) {
			return false
		}
	}
	return true
}

// And returns the conjunction of t and o. It may share the memory of t.
func (t Term) And(o Term) Term {
	if len(o) == 0 {
		return slices.Clip(t)
	}
	return slices.Concat(t, o)
}

// Set returns what t, whose requirements must all be on one label, allows of it.
func (t Term) Set() requirement.Set { return requirement.Of(t...) }

// String returns the requirements of t with "and" between them.
func (t Term) String() string {
	words := make([]string, len(t))
	for i, r := range t {
		words[i] = r.String()
	}
	return strings.Join(words, " and ")
}

// Satisfiable reports whether some node could match t.
func (t Term) Satisfiable() bool { return t.Impossible() == nil }

// Impossible returns the requirements of t that no node can meet together, or nil.
// They are all on one label, the first that is impossible, or on the node's name:
// labels do not depend on each other, nor on the name.
func (t Term) Impossible() Term {
	if len(t) == 1 && !t.Set().Empty() {
		return nil // the usual case
	}
	type subject struct {
		field bool
		key   string
	}
	bySubject := make(map[subject]Term, len(t))
	for _, r := range t {
		s := subject{r.IsField(), r.Key()}
		bySubject[s] = append(bySubject[s], r)
	}
	for _, r := range t {
		if same := bySubject[subject{r.IsField(), r.Key()}]; same.Set().Empty() {
			return same
		}
	}
	return nil
}
