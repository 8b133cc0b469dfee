// Package nodeselector holds the constraints of a pod on its node as a logical formula: node
// selector AND (term OR term OR …), where each term is a conjunction of requirements.
package nodeselector

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// Term is a conjunction of requirements. Without requirements it matches every node. The
// empty terms of a node affinity, which match no node, are never parsed.
type Term []requirement.Requirement

// Required returns the required node affinity of a, or nil if there is none.
func Required(a *corev1.Affinity) *corev1.NodeSelector {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

// IsEmpty reports whether a term has neither expressions nor fields. Such a term matches no
// node.
func IsEmpty(t corev1.NodeSelectorTerm) bool {
	return len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0
}

// ParseSelector returns a node selector as a term, sorted by key, or its faults. The path of
// a fault is that of the entry, such as nodeSelector[zone], for a fault of the key and for
// one of the value.
func ParseSelector(nodeSelector map[string]string) (Term, field.ErrorList) {
	selector := make(Term, 0, len(nodeSelector))
	var faults field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(nodeSelector)) {
		e := corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{nodeSelector[key]}}
		r, wrong := requirement.Parse(e, nil)
		for _, fault := range wrong {
			fault.Field = field.NewPath("nodeSelector").Key(message.Printable(key)).String()
		}
		selector, faults = append(selector, r), append(faults, wrong...)
	}
	return selector, faults
}

// ParseTerms returns the terms without the empty ones, or their faults with paths that start
// with the given names.
func ParseTerms(terms []corev1.NodeSelectorTerm, name string, names ...string) ([]Term, field.ErrorList) {
	path := field.NewPath(name, names...)
	parsed := make([]Term, 0, len(terms))
	var faults field.ErrorList
	for i, t := range terms {
		if IsEmpty(t) {
			continue
		}
		p, wrong := ParseTerm(t, path.Index(i))
		parsed, faults = append(parsed, p), append(faults, wrong...)
	}
	return parsed, faults
}

// ParseTerm returns a term, or its faults with paths below path.
func ParseTerm(t corev1.NodeSelectorTerm, path *field.Path) (Term, field.ErrorList) {
	return parseTerm(t, path, requirement.Parse)
}

// ParsePreference is ParseTerm for the term of a preference, in which kube-apiserver accepts any
// value.
func ParsePreference(t corev1.NodeSelectorTerm, path *field.Path) (Term, field.ErrorList) {
	return parseTerm(t, path, requirement.ParsePreferred)
}

func parseTerm(t corev1.NodeSelectorTerm, path *field.Path, parse func(corev1.NodeSelectorRequirement, *field.Path) (requirement.Requirement, field.ErrorList)) (Term, field.ErrorList) {
	parsed := make(Term, 0, len(t.MatchExpressions)+len(t.MatchFields))
	var faults field.ErrorList
	for i, e := range t.MatchExpressions {
		r, wrong := parse(e, path.Child("matchExpressions").Index(i))
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	for i, e := range t.MatchFields {
		r, wrong := requirement.ParseField(e, path.Child("matchFields").Index(i))
		parsed, faults = append(parsed, r), append(faults, wrong...)
	}
	return parsed, faults
}

// Label returns the term of the nodes that have one of the given values of a label.
func Label(key string, values ...string) Term {
	r, _ := requirement.Parse(corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}, nil)
	return Term{r}
}

// Name returns the term that only the node with the given name matches.
func Name(nodeName string) Term {
	return Term{requirement.Name(nodeName)}
}

// Matches is kube-scheduler's verdict on a node. It does not allocate, unless it compares
// with an integer of more than 64 bits. A node without a name matches every requirement on
// the name.
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

// And returns the conjunction of t and o. It may share memory with t.
func (t Term) And(o Term) Term {
	if len(o) == 0 {
		return slices.Clip(t)
	}
	return slices.Concat(t, o)
}

// about returns the requirements of t, which is sorted by subject and has one for each, on
// the subjects of o.
func (t Term) about(o Term) Term {
	var about Term
	for i := range o {
		at, ok := slices.BinarySearchFunc(t, &o[i], func(r requirement.Requirement, o *requirement.Requirement) int { return r.CompareSubject(o) })
		if ok {
			about = append(about, t[at])
		}
	}
	return about
}

// String returns the requirements of t for a message, with "and" between them: of many only
// the first.
func (t Term) String() string {
	const longest = 1000
	return message.List(len(t), func(i int) string { return t[i].String() }, " and ", longest)
}

// Satisfiable reports whether some node could match t.
func (t Term) Satisfiable() bool { return t.Impossible() == nil }

// SatisfiableWith reports whether some node could match t and a node selector. It looks only
// at the entries of the node selector on keys of t: every other entry can be met.
func (t Term) SatisfiableWith(selector Term) bool {
	return t.ImpossibleWith(selector) == nil
}

// ImpossibleWith is Impossible of t and a node selector.
func (t Term) ImpossibleWith(selector Term) Term { return t.And(selector.about(t)).Impossible() }

// Impossible returns the requirements of t on the first subject for which no node can meet
// them together, or nil. A subject is a label or the name of the node. Requirements on
// different subjects can always be met together.
func (t Term) Impossible() Term {
	type subject struct {
		field bool
		key   string
	}
	requirements, subjects := make(map[subject]Term, len(t)), make([]subject, 0, len(t))
	for i := range t {
		s := subject{t[i].IsField(), t[i].Key()}
		if requirements[s] == nil {
			subjects = append(subjects, s)
		}
		requirements[s] = append(requirements[s], t[i])
	}
	for _, s := range subjects {
		if requirement.Of(requirements[s]...).Empty() {
			return requirements[s]
		}
	}
	return nil
}
