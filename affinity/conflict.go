package affinity

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// ConflictError says that no node can satisfy both what an operation asks of its
// node itself and what it must inherit, although some could satisfy the former
// (law C1).
type ConflictError struct {
	// Source names the operation that is followed, and SpecPath is the path of
	// what holds the affinity and the node selector of the follower, such as
	// "spec". They are for the message, and empty if the caller knew neither.
	Source, SpecPath string

	// Foreseen is set if the two exclude each other by what they ask for themselves,
	// before either ran; nil if the conflict is with what was observed. Only one of
	// Foreseen and Refusals is there.
	Foreseen *Foreseen

	// Refusals says, for each way of meeting the operation's own demands, what
	// refuses an inherited label: one entry for each such term of the node
	// affinity, or a single one if the labels are refused whatever the term.
	Refusals []Refusal
}

// Foreseen is a conflict between what two operations ask for, which must run on one node, or
// on nodes with the same labels: as one of them follows the other, directly or through
// others, or both follow a third. If both are the same operation, what it asks for is
// impossible by itself.
type Foreseen struct {
	Follower    string // names the operation that cannot follow
	There, Here string // what the operation that it follows asks for, and what it asks for itself

	// Several says that it takes more than the two: There is what the operation that is
	// followed and others that must run where it does ask for together.
	Several bool
}

// Refusal is a demand of an operation that an inherited label does not meet.
type Refusal struct {
	Key, Value string // the inherited label

	// Term is the index among nodeSelectorTerms of the term that refuses it,
	// ByNodeSelector, or ByLabelSyntax.
	Term int

	// Expression is what refuses it. It is zero if Term is ByLabelSyntax.
	Expression corev1.NodeSelectorRequirement
}

// The values of Refusal.Term that are not the index of a term.
const (
	ByNodeSelector = -1 // the node selector refuses it; Expression is its entry, written with In
	ByLabelSyntax  = -2 // no node can have it: the value is not a label value
)

// Error says who cannot follow whom, and why, such as
//
//	cannot follow DataLoad default/loadA: it ran where topology.kubernetes.io/zone=east-a, but spec.affinity requires topology.kubernetes.io/zone In [west-c]
//
// or, if it is foreseen,
//
//	DataProcess default/convert cannot run where DataLoad default/download does: it requires zone In [a], and that one requires zone In [b]
//
// Without a reason it says only who cannot be followed.
func (e *ConflictError) Error() string {
	if e.Foreseen != nil {
		return e.Foreseen.error(e.Source)
	}
	following, at := e.Source, e.SpecPath
	if following == "" {
		following = "the source"
	}
	if len(e.Refusals) == 0 {
		return "cannot follow " + following
	}
	if at != "" {
		at += "."
	}
	var labels, demands []string
	for _, r := range e.Refusals {
		if l := r.Key + "=" + r.Value; !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
		demands = append(demands, r.demand(at, len(e.Refusals) > 1))
	}
	return fmt.Sprintf("cannot follow %s: it ran where %s, but %s", following, strings.Join(labels, " and "), strings.Join(demands, ", and "))
}

// error is the message, with the name of who is followed.
func (f *Foreseen) error(following string) string {
	if f.Follower == following {
		return fmt.Sprintf("%s cannot run anywhere: no node can meet %s", following, f.Here)
	}
	there := "that one requires "
	if f.Several {
		there = "those that must run there require together "
	}
	return fmt.Sprintf("%s cannot run where %s does: it requires %s, and %s%s", f.Follower, following, f.Here, there, f.There)
}

// demand says what r asks for, in the spec at a path. One of several says in which term.
func (r Refusal) demand(at string, several bool) string {
	expression, _ := requirement.Parse(r.Expression, nil)
	switch {
	case r.Term == ByLabelSyntax:
		return fmt.Sprintf("%q is not a label value", r.Value)
	case r.Term == ByNodeSelector:
		return at + "nodeSelector requires " + expression.String()
	case several:
		return fmt.Sprintf("term %d of %saffinity requires %s", r.Term, at, expression)
	default:
		return at + "affinity requires " + expression.String()
	}
}

// FindConflict returns why no node can satisfy the node selector, the required node
// affinity and the inherited labels together, although some can satisfy the first
// two. It is nil if some node can satisfy all three, and if none can satisfy even
// the first two, which is not the inherited labels' doing (law C1). Otherwise it is a
// [*ConflictError].
//
// [Inherit] looks for conflicts itself; it does not know the node selector.
func FindConflict(nodeSelector map[string]string, own *corev1.Affinity, inherited topology.LabelSet) error {
	everywhere, refused := refusedByAll(nodeSelector, inherited)
	terms := []corev1.NodeSelectorTerm{{}} // no required part: one way, which asks for nothing
	required := nodeselector.Required(own)
	if required != nil {
		terms = required.NodeSelectorTerms
	}
	if !refused && !anyRefuses(terms, inherited) {
		return nil // the common case, without parsing what has nothing to do with it
	}

	selector, faults := nodeselector.ParseSelector(nodeSelector)
	if len(faults) > 0 {
		return nil // matches no node
	}
	var refusals []Refusal
	for i := range terms {
		if required != nil && nodeselector.IsEmpty(terms[i]) {
			continue
		}
		parsed, faults := nodeselector.ParseTerm(terms[i], nil)
		if len(faults) > 0 || !parsed.And(selector).Satisfiable() {
			continue
		}
		if refused {
			return &ConflictError{Refusals: []Refusal{everywhere}}
		}
		r := refusal(&terms[i], inherited)
		if r == nil {
			return nil
		}
		r.Term = i
		refusals = append(refusals, *r)
	}
	if len(refusals) == 0 {
		return nil
	}
	return &ConflictError{Refusals: refusals}
}

// refusedByAll returns what refuses an inherited label whatever the term.
func refusedByAll(nodeSelector map[string]string, inherited topology.LabelSet) (Refusal, bool) {
	for key, value := range inherited.All() {
		if !labelsyntax.IsValue(value) {
			return Refusal{Key: key, Value: value, Term: ByLabelSyntax}, true
		}
		if selected, ok := nodeSelector[key]; ok && selected != value {
			return Refusal{Key: key, Value: value, Term: ByNodeSelector, Expression: equality(key, selected)}, true
		}
	}
	return Refusal{}, false
}

// anyRefuses reports whether any term refuses an inherited label.
func anyRefuses(terms []corev1.NodeSelectorTerm, inherited topology.LabelSet) bool {
	for i := range terms {
		if refusal(&terms[i], inherited) != nil {
			return true
		}
	}
	return false
}

// refusal returns what in term refuses an inherited label, or nil. A malformed
// expression refuses nothing; it makes its term one that matches no node anyway.
func refusal(term *corev1.NodeSelectorTerm, inherited topology.LabelSet) *Refusal {
	for i := range term.MatchExpressions {
		e := &term.MatchExpressions[i]
		value, ok := inherited.Get(e.Key)
		if !ok || isEquality(e, e.Key, value) {
			continue
		}
		if r, faults := requirement.Parse(*e, nil); len(faults) == 0 && !r.Matches(value, true) {
			return &Refusal{Key: e.Key, Value: value, Expression: *e.DeepCopy()}
		}
	}
	return nil
}
