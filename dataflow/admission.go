package dataflow

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// admission is where an operation can run, as far as it alone is concerned.
type admission struct {
	selected, matching, tolerated, uncordoned nodeindex.Set // by each test of the scheduler's

	admitted nodeindex.Set // by all tests and the caller's; where it ran, if it did
	ran      bool
	on       string // the name of the node where it ran; empty if nobody knows
	gone     bool   // that node is not there, any more or since nobody knows which it is
}

// admissions returns the admission of every operation, and what is wrong with the
// operations and options.
func (f *Flow) admissions(nodes *NodeIndex, options ForecastOptions) ([]admission, []error) {
	admissions := make([]admission, len(f.operations))
	var faults []error
	var identity []byte
	for i := range f.operations {
		op := &f.operations[i]
		identity = appendTolerations(appendAffinity(appendSelector(identity[:0], op), op), op)
		t := nodes.tested.Get(identity, func() tested { return nodes.admit(op) })
		for _, fault := range t.faults {
			faults = append(faults, f.malformed(op, fault))
		}
		admissions[i] = t.admission
		if name, ran := options.Ran[op.Ref]; ran {
			admissions[i].ran, admissions[i].on, admissions[i].admitted = true, name, nodes.catalogue.Named(name)
			admissions[i].gone = admissions[i].admitted.Empty()
		} else if options.Admit != nil && len(t.faults) == 0 {
			admissions[i].admitted = admittedBy(options.Admit, op.clone(), t.admitted, nodes.list)
		}
	}
	return admissions, append(faults, f.unknownRefs(options.Ran)...)
}

// unknownRefs returns the operations of ForecastOptions.Ran that are not in the flow.
func (f *Flow) unknownRefs(ran map[Ref]string) []error {
	var faults []error
	for _, ref := range slices.SortedFunc(maps.Keys(ran), func(a, b Ref) int { return strings.Compare(a.String(), b.String()) }) {
		if f.find(ref) == none {
			faults = append(faults, f.unknown(ref))
		}
	}
	return faults
}

// tested is where operations can run that ask for the same, or why that is not known.
type tested struct {
	admission
	faults field.ErrorList
}

// admit returns where an operation can run before the caller is asked.
func (n *NodeIndex) admit(op *Operation) tested {
	selector, terms, faults := demands(op)
	if len(faults) > 0 {
		return tested{faults: faults}
	}
	tolerations := appendTolerations(nil, op)
	a := admission{
		selected: n.selected.Get(appendSelector(nil, op), func() nodeindex.Set {
			return n.catalogue.Matching([]nodeselector.Term{selector})
		}),
		matching:   n.catalogue.Matching(terms), // of which few operations have the same, unless all else is the same too
		tolerated:  n.tolerated.Get(tolerations, func() nodeindex.Set { return n.catalogue.Tolerated(op.Tolerations) }),
		uncordoned: n.uncordoned.Get(tolerations, func() nodeindex.Set { return n.catalogue.Uncordoned(op.Tolerations) }),
	}
	a.admitted = a.selected.Intersection(a.matching).Intersection(a.tolerated).Intersection(a.uncordoned)
	return tested{admission: a}
}

// demands returns the node selector of an operation as a term, and its required node
// affinity as terms of which a node must match one: one that asks for nothing if there
// is no required node affinity. The faults have paths that start below the pod spec.
func demands(op *Operation) (selector nodeselector.Term, terms []nodeselector.Term, faults field.ErrorList) {
	selector, faults = nodeselector.ParseSelector(op.NodeSelector)
	required := nodeselector.Required(op.Affinity)
	if required == nil {
		return selector, []nodeselector.Term{{}}, faults
	}
	terms, wrong := nodeselector.ParseTerms(required.NodeSelectorTerms,
		"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	return selector, terms, append(faults, wrong...)
}

// malformed returns the error for a fault that demands found.
func (f *Flow) malformed(op *Operation, fault *field.Error) error {
	at := *fault
	at.Field = op.Kind.podSpec() + "." + at.Field
	return &OperationError{op.Ref, int(f.given[op.Ref]), &at}
}

func admittedBy(admit func(Operation, *corev1.Node) bool, op Operation, nodes nodeindex.Set, all []corev1.Node) nodeindex.Set {
	return nodes.Filter(func(i int) bool { return admit(op, &all[i]) })
}

// What tells the demands of operations from each other is what the tests look at, each string
// with its length before it and each list with its own.

func appendSelector(b []byte, op *Operation) []byte {
	b = binary.AppendUvarint(b, uint64(len(op.NodeSelector)))
	for _, key := range slices.Sorted(maps.Keys(op.NodeSelector)) {
		b = appendText(b, key, op.NodeSelector[key])
	}
	return b
}

func appendAffinity(b []byte, op *Operation) []byte {
	required := nodeselector.Required(op.Affinity)
	if required == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(1+len(required.NodeSelectorTerms)))
	for _, t := range required.NodeSelectorTerms {
		for _, list := range [][]corev1.NodeSelectorRequirement{t.MatchExpressions, t.MatchFields} {
			b = binary.AppendUvarint(b, uint64(len(list)))
			for _, r := range list {
				b = appendText(b, r.Key, string(r.Operator))
				b = binary.AppendUvarint(b, uint64(len(r.Values)))
				b = appendText(b, r.Values...)
			}
		}
	}
	return b
}

func appendTolerations(b []byte, op *Operation) []byte {
	for _, t := range op.Tolerations {
		b = appendText(b, t.Key, string(t.Operator), t.Value, string(t.Effect))
	}
	return b
}

func appendText(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}
