package affinity

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// ConflictError is the error that no node can meet both the own constraints of an operation and
// the labels that it inherits, although some node could meet the own constraints (law C1).
type ConflictError struct {
	// Source names the operation whose labels are inherited, and SpecPath is the path of the
	// object that holds the affinity and the node selector of the inheriting operation, such
	// as "spec". Both are for the message, and empty if the caller does not know them.
	Source, SpecPath string

	// Refusals holds one refusal for each term of the required node affinity that some node
	// could match, or a single one if a label is refused in every term.
	Refusals []Refusal
}

// Refusal is a constraint that an inherited label does not meet.
type Refusal struct {
	Key   string `json:"key"`   // the key of the inherited label
	Value string `json:"value"` // its value

	// By says what refuses the label.
	By RefusedBy `json:"by"`

	// Term is the index of the term in nodeSelectorTerms if By is ByTerm, else 0.
	Term int `json:"term"`

	// Expression is the requirement that refuses the label: an expression of the term, or
	// the entry of the node selector, written with operator In. It is zero if By is
	// ByLabelSyntax.
	Expression corev1.NodeSelectorRequirement `json:"expression"`
}

// RefusedBy says what refuses an inherited label.
type RefusedBy string

const (
	ByTerm         RefusedBy = "Term"         // a term of the required node affinity
	ByNodeSelector RefusedBy = "NodeSelector" // an entry of the node selector
	ByLabelSyntax  RefusedBy = "LabelSyntax"  // Kubernetes: the key or the value is malformed, so no node has the label
)

// Error names the source, its labels and the constraints that refuse them: of many refusals the
// first ones. The nil error and the zero value have no source and no refusals. An example is
//
//	cannot follow DataLoad default/load-a: it ran where topology.kubernetes.io/zone=east-a, but spec.affinity requires topology.kubernetes.io/zone In [west-c]
func (e *ConflictError) Error() string {
	source, path := "the source", ""
	if e == nil {
		e = &ConflictError{}
	}
	if e.Source != "" {
		source = message.Printable(e.Source)
	}
	if e.SpecPath != "" {
		path = message.Printable(e.SpecPath) + "."
	}
	if len(e.Refusals) == 0 {
		return "cannot follow " + source
	}
	const listed = 4
	var labels, constraints []string
	for i, r := range e.Refusals {
		if i == listed {
			constraints = append(constraints, fmt.Sprintf("%d more", len(e.Refusals)-listed))
			break
		}
		if label := message.Printable(r.Key + "=" + r.Value); !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
		constraints = append(constraints, r.constraint(path, len(e.Refusals) > 1))
	}
	text := fmt.Sprintf("cannot follow %s: it ran where %s, but %s", source, strings.Join(labels, " and "), strings.Join(constraints, ", and "))
	return message.Cut(text, message.Limit)
}

// constraint says what refuses the label, with a path that starts at the given one. One of
// several refusals names its term.
func (r Refusal) constraint(path string, several bool) string {
	switch {
	case r.By == ByLabelSyntax && !labelsyntax.IsKey(r.Key):
		return fmt.Sprintf("%q is not a label key", message.Excerpt(r.Key))
	case r.By == ByLabelSyntax:
		return fmt.Sprintf("%q is not a label value", message.Excerpt(r.Value))
	case r.By == ByNodeSelector:
		return path + "nodeSelector requires " + r.expression()
	case several:
		return fmt.Sprintf("term %d of %saffinity requires %s", r.Term, path, r.expression())
	}
	return path + "affinity requires " + r.expression()
}

func (r Refusal) expression() string {
	if parsed, faults := requirement.Parse(r.Expression, nil); len(faults) == 0 {
		return message.Excerpt(parsed.String())
	}
	return message.Printable(fmt.Sprint(r.Expression.Key, " ", r.Expression.Operator, " ", r.Expression.Values))
}

// FindConflict returns a [*ConflictError] if no node can meet the node selector, the required
// node affinity and the inherited labels together, although some node can meet the first two
// (law C1). Otherwise it returns nil. Nil and empty arguments constrain nothing. A label with a
// malformed key or value is on no node. A malformed node selector or term matches no node.
//
// [Inherit] finds the conflicts with the node affinity itself. It has no node selector.
func FindConflict(nodeSelector map[string]string, own *corev1.Affinity, inherited topology.LabelSet) error {
	terms := []corev1.NodeSelectorTerm{{}} // without a required part: one term, which every node matches
	required := nodeselector.Required(own)
	if required != nil {
		terms = required.NodeSelectorTerms
	}
	always, refused := refusalOfAll(nodeSelector, inherited), false
	refusals := make([]*Refusal, len(terms))
	for i := range terms {
		if refusals[i] = always; always == nil {
			refusals[i] = refusal(terms, i, inherited)
		}
		refused = refused || refusals[i] != nil
	}
	if !refused {
		return nil
	}
	selector, faults := nodeselector.ParseSelector(nodeSelector)
	if len(faults) > 0 {
		return nil
	}
	conflict := &ConflictError{}
	for i := range terms {
		if required != nil && nodeselector.IsEmpty(terms[i]) {
			continue
		}
		term, faults := nodeselector.ParseTerm(terms[i], nil)
		if len(faults) > 0 || !term.SatisfiableWith(selector) {
			continue
		}
		if refusals[i] == nil {
			return nil
		}
		conflict.Refusals = append(conflict.Refusals, *refusals[i])
		if always != nil {
			break
		}
	}
	if len(conflict.Refusals) == 0 {
		return nil
	}
	return conflict
}

// refusalOfAll returns the refusal of an inherited label in every term, or nil.
func refusalOfAll(nodeSelector map[string]string, inherited topology.LabelSet) *Refusal {
	for key, value := range inherited.All() {
		if !labelsyntax.IsKey(key) || !labelsyntax.IsValue(value) {
			return &Refusal{Key: key, Value: value, By: ByLabelSyntax}
		}
		if selected, ok := nodeSelector[key]; ok && selected != value {
			return &Refusal{Key: key, Value: value, By: ByNodeSelector, Expression: equality(key, selected)}
		}
	}
	return nil
}

// refusal returns the refusal of an inherited label in the i-th term, or nil. A malformed
// expression refuses no label: its term matches no node anyway.
func refusal(terms []corev1.NodeSelectorTerm, i int, inherited topology.LabelSet) *Refusal {
	for _, e := range terms[i].MatchExpressions {
		value, ok := inherited.Get(e.Key)
		if !ok {
			continue
		}
		if r, faults := requirement.Parse(e, nil); len(faults) == 0 && !r.Matches(value, true) {
			return &Refusal{Key: e.Key, Value: value, By: ByTerm, Term: i, Expression: *e.DeepCopy()}
		}
	}
	return nil
}
