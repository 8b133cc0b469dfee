package dataflow

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/catalogue"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// admission is where an operation can run, as far as it alone is concerned.
type admission struct {
	selected, matching, tolerated, uncordoned catalogue.Set // by each test of the scheduler's

	admitted catalogue.Set // by all tests and the caller's; where it ran, if it did
	ran      bool
	on       string // the name of the node where it ran
	gone     bool   // that node is not there any more
}

// admissions returns the admission of every operation, and what is wrong with the
// operations and options. What is the same of several operations is computed once.
func (f *Flow) admissions(c *catalogue.Catalogue, nodes []corev1.Node, options ForecastOptions) ([]admission, []error) {
	type tested struct {
		admission
		faults field.ErrorList
	}
	admissions, known := make([]admission, len(f.operations)), map[string]tested{}
	var faults []error
	var identity []byte
	for i := range f.operations {
		op := &f.operations[i]
		identity = appendDemands(identity[:0], op)
		t, ok := known[string(identity)]
		if !ok {
			t.admission, t.faults = admit(op, c)
			known[string(identity)] = t
		}
		for _, fault := range t.faults {
			faults = append(faults, f.malformed(op, fault))
		}
		admissions[i] = t.admission
		if name, ran := options.Ran[op.Ref]; ran {
			admissions[i].ran, admissions[i].on, admissions[i].admitted = true, name, c.Only(name)
			admissions[i].gone = admissions[i].admitted.Empty()
		} else if options.Admit != nil && len(t.faults) == 0 {
			admissions[i].admitted = admittedBy(options.Admit, op.clone(), t.admitted, nodes)
		}
	}
	return admissions, append(faults, f.misplaced(options.Ran)...)
}

// misplaced returns what is wrong with ForecastOptions.Ran.
func (f *Flow) misplaced(ran map[Ref]string) []error {
	var faults []error
	for _, ref := range slices.SortedFunc(maps.Keys(ran), func(a, b Ref) int { return strings.Compare(a.String(), b.String()) }) {
		switch {
		case f.find(ref) == none:
			faults = append(faults, f.unknown(ref))
		case ran[ref] == "":
			faults = append(faults, field.Required(field.NewPath("ran").Key(ref.String()), "the name of a node"))
		}
	}
	return faults
}

// admit returns where an operation can run before the caller is asked.
func admit(op *Operation, c *catalogue.Catalogue) (admission, field.ErrorList) {
	selector, terms, faults := demands(op)
	if len(faults) > 0 {
		return admission{}, faults
	}
	a := admission{
		selected:   c.Matching([]nodeselector.Term{selector}),
		matching:   c.Matching(terms),
		tolerated:  c.Tolerated(op.Tolerations),
		uncordoned: c.Uncordoned(op.Tolerations),
	}
	a.admitted = a.selected.And(a.matching).And(a.tolerated).And(a.uncordoned)
	return a, nil
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

func admittedBy(admit func(Operation, *corev1.Node) bool, op Operation, nodes catalogue.Set, all []corev1.Node) catalogue.Set {
	return nodes.Where(func(i int) bool { return admit(op, &all[i]) })
}

// appendDemands appends what tells the demands of an operation from others': what admit
// looks at, each string with its length before it and each list with its own.
func appendDemands(b []byte, op *Operation) []byte {
	number := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	text := func(s string) { number(len(s)); b = append(b, s...) }
	number(len(op.NodeSelector))
	for _, key := range slices.Sorted(maps.Keys(op.NodeSelector)) {
		text(key)
		text(op.NodeSelector[key])
	}
	requirements := func(list []corev1.NodeSelectorRequirement) {
		number(len(list))
		for _, r := range list {
			text(r.Key)
			text(string(r.Operator))
			number(len(r.Values))
			for _, value := range r.Values {
				text(value)
			}
		}
	}
	if required := nodeselector.Required(op.Affinity); required != nil {
		number(1 + len(required.NodeSelectorTerms))
		for _, t := range required.NodeSelectorTerms {
			requirements(t.MatchExpressions)
			requirements(t.MatchFields)
		}
	} else {
		number(0)
	}
	for _, t := range op.Tolerations {
		for _, s := range []string{t.Key, string(t.Operator), t.Value, string(t.Effect)} {
			text(s)
		}
	}
	return b
}
