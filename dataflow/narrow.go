package dataflow

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// Affinity returns the affinity of the operation, narrowed to its feasible nodes: of the
// nodes of the forecast it matches exactly those that are feasible and that the
// operation's own affinity matches (law L4). Whoever runs each operation with it, and with
// what it inherits ([Operation] in place of its own affinity, and then [Flow.Resolve]),
// strands none (law L3).
//
// It says so in the shortest way there is: by the own affinity itself, if nothing needs
// narrowing; or else by the values of one label that separate the nodes; or else by their
// hostnames; or else by their names. It shares no memory with anything else.
//
// The first call that narrows makes an index of all labels of all nodes. Each costs a step
// for every label of every node that the own affinity matches, and nothing where there is
// nothing to narrow.
//
// The error is an [*UnknownOperationError] if the flow has no such operation, and a
// [*StrandedError] if there is no node for it.
func (fc *Forecast) Affinity(ref Ref) (*corev1.Affinity, error) {
	i := fc.flow.find(ref)
	if i == none {
		return nil, fc.flow.unknown(ref)
	}
	if !fc.Completable() {
		return nil, &StrandedError{ref, fc.Impossible()}
	}
	own, matching := fc.flow.operations[i].Affinity, fc.admission[i].matching
	wanted := fc.feasible[i].Intersection(matching)
	switch {
	case wanted.Empty():
		return nil, &StrandedError{Operation: ref}
	case wanted.Equal(matching):
		return own.DeepCopy(), nil
	}
	if key, values, ok := fc.labels.Separating(wanted, matching); ok {
		separating := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values},
		}}
		return nodeselector.Narrow(own, []corev1.NodeSelectorTerm{separating}, always), nil
	}
	return fc.narrowedByName(own, wanted), nil
}

func always(_, _ *corev1.NodeSelectorTerm) bool { return true }

// narrowedByName returns own with a term for each of the wanted nodes. One requirement on
// the name has one name only.
func (fc *Forecast) narrowedByName(own *corev1.Affinity, wanted nodeindex.Set) *corev1.Affinity {
	labels := map[string]map[string]string{}
	for i := range wanted.All() {
		labels[fc.labels.Name(i)] = fc.labels.Node(i)
	}
	var terms []corev1.NodeSelectorTerm
	for _, name := range fc.names(wanted) {
		terms = append(terms, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{name}},
		}})
	}
	return nodeselector.Narrow(own, terms, func(term, named *corev1.NodeSelectorTerm) bool {
		name := named.MatchFields[0].Values[0]
		parsed, _ := nodeselector.ParseTerm(*term, nil)
		return parsed.Matches(name, labels[name])
	})
}
