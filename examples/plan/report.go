package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// report is what plan says. Its JSON form is an interface: fields are added, and
// never changed.
type report struct {
	Operations  []operation `json:"operations"` // in the order in which they run, flow by flow
	Problems    []problem   `json:"problems"`
	Flows       int         `json:"flows"`                 // how many flows there are that have nothing to do with each other
	Completable *bool       `json:"completable,omitempty"` // all of them, on the nodes that were given
	Skipped     int         `json:"skipped"`               // how many objects of other kinds were passed over

	flows     []flow
	nodeNames []string
}

type operation struct {
	dataflow.Ref
	RunAfter *dataflow.Ref   `json:"runAfter"`
	Source   *dataflow.Ref   `json:"source"` // what it inherits from
	Policy   affinity.Policy `json:"policy"`
	Keys     []string        `json:"keys"`    // the labels that it follows
	Exposes  []string        `json:"exposes"` // the labels that others can follow
	Phase    dataflow.Phase  `json:"phase"`   // as its status says, or Complete by --ran
	State    dataflow.State  `json:"state"`   // empty if it, or what it follows, is at fault
	On       *dataflow.Ref   `json:"on"`      // what it waits for, or is blocked by
	*inherited
	Conflict  string           `json:"conflict"`           // why it can never follow its source
	Lookahead *corev1.Affinity `json:"lookahead"`          // its own affinity and what the specs of its followers force on it
	Forecast  *forecast        `json:"forecast,omitempty"` // with nodes, and if its flow is not at fault

	flow int
	read *manifest.Operation
}

// inherited is there once an operation is ready.
type inherited struct {
	Affinity *corev1.Affinity `json:"affinity"`
	Missing  []string         `json:"missing"`

	labels topology.LabelSet
}

type problem struct {
	Code      dataflow.Code     `json:"code"`
	Severity  dataflow.Severity `json:"severity"`
	Operation dataflow.Ref      `json:"operation"`
	Field     string            `json:"field"`
	Message   string            `json:"message"`
	Places    []place           `json:"places"` // several if the operation stands in several

	flow int
}

type place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// flow is a part of the input that has nothing to do with the rest.
type flow struct {
	forecast   *dataflow.Forecast // nil without nodes, and if there is something wrong with the flow
	ran        map[dataflow.Ref]string
	operations []operation // those of the report that are in it
}

func referIf(ref dataflow.Ref, ok bool) *dataflow.Ref {
	if !ok {
		return nil
	}
	return &ref
}

// reporter makes a report of what was read.
type reporter struct {
	report
	in            *input
	seen          map[dataflow.Ref]dataflow.Observation
	first         map[dataflow.Ref]int32   // where in the input an operation stands first
	again         map[dataflow.Ref][]int32 // where operations stand that stand there several times
	known         []known                  // of those that stand there first
	misread       map[int32]misread        // of those in which a fault was found
	told          map[dataflow.Problem]bool
	misled        map[int32]bool  // whether what an operation comes after was misread
	contradicting map[string]bool // the operations that are reported as contradictions
	nodes         *nodes          // nil if none were asked for
}

// known is what is known of an operation beside what it says. There may be a million.
type known struct {
	flow       int32
	faulty     bool // there is a fault in it
	unlisted   bool // which of its fields were misread is not known of all
	unresolved bool // it is not known what it would do
}

// misread are the fields of an operation in which a fault was found when it was read.
type misread struct {
	fields []string
	around []string // where those are that do not exist
}

func newReport(in *input, seen map[dataflow.Ref]dataflow.Observation, withNodes bool) *report {
	r := reporter{
		in: in, seen: seen,
		first: make(map[dataflow.Ref]int32, len(in.Operations)), again: map[dataflow.Ref][]int32{}, known: make([]known, len(in.Operations)),
		told: map[dataflow.Problem]bool{}, misread: map[int32]misread{}, misled: map[int32]bool{}, contradicting: map[string]bool{},
	}
	r.Operations, r.Problems, r.Skipped = make([]operation, 0, len(in.Operations)), []problem{}, in.Skipped
	if withNodes {
		r.nodes = newNodes(in.Nodes)
		r.Completable = new(bool)
		*r.Completable = true
		for i := range in.Nodes {
			r.nodeNames = append(r.nodeNames, in.Nodes[i].Name)
		}
	}
	r.index()
	r.check()
	r.misreadFields()
	slices.SortStableFunc(r.Problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.flow, b.flow), cmp.Compare(a.Severity, b.Severity), // Error comes before Warning
			comparePlaces(a.Places, b.Places), cmp.Compare(a.Code, b.Code))
	})
	return &r.report
}

// index notes where operations stand, and which of their fields were misread.
func (r *reporter) index() {
	for i := range r.in.Operations {
		op := &r.in.Operations[i]
		if _, ok := r.first[op.Ref]; ok {
			r.again[op.Ref] = append(r.again[op.Ref], int32(i))
		} else {
			r.first[op.Ref] = int32(i)
		}
		first := &r.known[r.first[op.Ref]]
		first.faulty = first.faulty || op.Faulty
		first.unlisted = first.unlisted || op.Faulty && len(r.in.notes) > 0
	}
	for _, fault := range r.in.faults {
		if i, ok := r.first[fault.Operation]; ok {
			m := r.misread[i]
			m.fields = append(m.fields, fault.Fault.Field)
			if fault.Unknown() { // it may have been meant to be any of the fields beside it
				m.around = append(m.around, parent(fault.Fault.Field))
			}
			r.misread[i] = m
		}
	}
}

// check reports on the operations, flow by flow. What is wrong is looked for in all of them at
// once: what a reference was meant to be may be in another flow.
func (r *reporter) check() {
	operations := make([]dataflow.Operation, len(r.in.Operations))
	for i := range r.in.Operations {
		operations[i] = r.in.Operations[i].Operation
	}
	problems := dataflow.Check(operations...)
	parts := dataflow.Split(operations...)
	r.Flows = len(parts)
	for n, part := range parts {
		for i := range part {
			r.known[r.first[part[i].Ref]].flow = int32(n + 1)
		}
	}
	for _, p := range problems {
		r.found(p)
	}
	for n, part := range parts {
		parts[n] = nil // a million operations need the room
		r.flow(part)
	}
}

// misreadFields reports the faults that were found when the operations were read.
func (r *reporter) misreadFields() {
	for _, fault := range r.in.faults {
		code := dataflow.CodeInvalid
		if fault.Unknown() {
			code = dataflow.CodeUnknownField
		}
		r.problem(dataflow.Problem{Code: code, Severity: dataflow.SeverityError, Operation: fault.Operation, Field: fault.Fault.Field, Message: fault.Fault.ErrorBody()}, fault.Place)
	}
}

func comparePlaces(a, b []place) int {
	return slices.CompareFunc(a, b, func(a, b place) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// flow reports what is known of the operations of one flow. Of those at fault, and of
// those that come after one, it is not known what they would do.
func (r *reporter) flow(part []dataflow.Operation) {
	next := len(r.Operations)
	f := r.accepted(part)
	flow := flow{}
	faulty := false
	at := make([]int32, 0, len(part)) // where the operations of f stand in the report
	for resolution := range f.ResolveAll(r.seen) {
		i := r.first[resolution.Ref]
		at = append(at, int32(len(r.Operations)))
		r.Operations = append(r.Operations, r.describe(i))
		o := &r.Operations[len(r.Operations)-1]
		if r.known[i].faulty || r.unresolved(o.RunAfter) || r.unresolved(o.Source) {
			r.known[i].unresolved, faulty = true, true
			for _, i := range r.again[resolution.Ref] {
				r.Operations = append(r.Operations, r.describe(i))
			}
			continue
		}
		r.resolved(o, resolution)
	}
	r.lookahead(f, at)
	flow.operations = r.Operations[next:]
	flow.forecast, flow.ran = r.forecast(f, flow.operations, faulty)
	r.flows = append(r.flows, flow)
}

// accepted returns the flow of operations without what New rejects of them, and without what
// cannot be relied on: who is at fault inherits nothing in it, copies are left out, and cycles
// are cut open. It may write to part.
func (r *reporter) accepted(part []dataflow.Operation) *dataflow.Flow {
	f, err := dataflow.New(part...)
	cut := map[dataflow.Ref]bool{}
	for _, err := range parts(err) {
		var of *dataflow.OperationError
		var cycle *dataflow.CycleError
		switch {
		case errors.As(err, &of):
			r.known[r.first[of.Operation]].faulty = true
		case errors.As(err, &cycle):
			cut[cycle.Operations[0]] = true
			for _, ref := range cycle.Operations {
				r.known[r.first[ref]].faulty = true
			}
		}
	}
	if !slices.ContainsFunc(part, func(op dataflow.Operation) bool { return r.known[r.first[op.Ref]].faulty }) {
		return f
	}
	copied := map[dataflow.Ref]bool{} // of those that stand several times
	kept := part[:0]
	for _, op := range part {
		if r.again[op.Ref] != nil {
			if copied[op.Ref] {
				continue
			}
			copied[op.Ref] = true
		}
		switch {
		case op.RunAfter == nil || !r.known[r.first[op.Ref]].faulty:
		case cut[op.Ref]:
			op.RunAfter = nil
		default:
			op.RunAfter = &dataflow.RunAfter{Ref: op.RunAfter.Ref}
		}
		kept = append(kept, op)
	}
	f, _ = dataflow.New(kept...)
	return f
}

// describe reports what the i-th operation of the input says itself.
func (r *reporter) describe(i int32) operation {
	op := &r.in.Operations[i]
	o := operation{Ref: op.Ref, Keys: []string{}, Exposes: []string{}, Phase: r.seen[op.Ref].Phase, flow: int(r.known[r.first[op.Ref]].flow), read: op}
	o.RunAfter = referIf(op.Predecessor())
	o.Source = o.or(op.Source())
	if op.RunAfter != nil {
		o.Policy = op.RunAfter.Strategy.Policy
		o.Keys = append(o.Keys, op.RunAfter.Strategy.Keys()...)
	}
	if exposed := op.ExposedKeys(); exposed != nil {
		o.Exposes = exposed
	}
	return o
}

// or is referIf that takes the predecessor's reference, if it is the same.
func (o *operation) or(ref dataflow.Ref, ok bool) *dataflow.Ref {
	if ok && o.RunAfter != nil && ref == *o.RunAfter {
		return o.RunAfter
	}
	return referIf(ref, ok)
}

func (r *reporter) resolved(o *operation, resolution dataflow.Resolution) {
	var conflict *affinity.ConflictError
	switch {
	case errors.As(resolution.Err, &conflict):
		o.State, o.On, o.Conflict = dataflow.Blocked, o.Source, conflict.Error()
		if !r.contradicting[resolution.Ref.String()] { // else it was foreseen
			r.found(dataflow.Problem{
				Code: dataflow.CodeContradiction, Severity: dataflow.SeverityError, Operation: resolution.Ref, Field: strategyField,
				Message: conflict.Error() + "; it can never start, unless its source runs again elsewhere",
			})
		}
	case resolution.State == dataflow.Ready:
		o.State, o.inherited = dataflow.Ready, &inherited{resolution.Affinity, append([]string{}, resolution.Missing...), resolution.Inherited}
	default:
		o.State, o.On = resolution.State, o.or(resolution.Cause, true)
	}
}

// problem reports a problem once, at the given place, or else wherever its operation
// stands.
func (r *reporter) problem(p dataflow.Problem, at ...manifest.Place) {
	flow := 0
	if first, known := r.first[p.Operation]; known {
		flow = int(r.known[first].flow)
		if at == nil {
			again := r.again[p.Operation]
			if again != nil {
				if r.told[p] {
					return
				}
				r.told[p] = true
			}
			for _, i := range append([]int32{first}, again...) {
				at = append(at, r.in.Operations[i].PlaceOf(p.Field))
			}
		}
	}
	if p.Code == dataflow.CodeContradiction {
		r.contradicting[p.Operation.String()] = true
	}
	places := []place{}
	for _, a := range at {
		places = append(places, place{a.File, a.Line})
	}
	r.Problems = append(r.Problems, problem{p.Code, p.Severity, p.Operation, p.Field, p.Message, places, flow})
}

func (r *report) count(severity dataflow.Severity) int {
	n := 0
	for _, p := range r.Problems {
		if p.Severity == severity {
			n++
		}
	}
	return n
}
