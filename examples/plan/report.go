package main

import (
	"cmp"
	"errors"
	"fmt"
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

type reference struct {
	Kind      dataflow.Kind `json:"kind"`
	Namespace string        `json:"namespace"`
	Name      string        `json:"name"`
}

type operation struct {
	reference
	RunAfter *reference      `json:"runAfter"`
	Source   *reference      `json:"source"` // what it inherits from
	Policy   affinity.Policy `json:"policy"`
	Keys     []string        `json:"keys"`    // the labels that it follows
	Exposes  []string        `json:"exposes"` // the labels that others can follow
	Phase    dataflow.Phase  `json:"phase"`   // as its status says, or Complete by --ran
	State    dataflow.State  `json:"state"`   // empty if it, or what it follows, is at fault
	On       *reference      `json:"on"`      // what it waits for, or is blocked by
	*inherited
	Conflict  string           `json:"conflict"`           // why it can never follow its source
	Lookahead *corev1.Affinity `json:"lookahead"`          // its own affinity and what the specs of its followers force on it
	Forecast  *forecast        `json:"forecast,omitempty"` // with nodes, and if its flow is not at fault

	flow int
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
	Operation reference         `json:"operation"`
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
	*dataflow.Flow                    // nil if it is rejected
	forecast       *dataflow.Forecast // nil without nodes, and if there is something wrong with the flow
	ran            map[dataflow.Ref]string
	operations     []operation // those of the report that are in it
}

// title says which of the flows it is, the i-th from 0.
func (f *flow) title(i int) string {
	if f.Flow == nil {
		return fmt.Sprintf("flow %d is rejected: see its problems", i+1)
	}
	return fmt.Sprintf("flow %d", i+1)
}

func refer(ref dataflow.Ref) reference { return reference{ref.Kind, ref.Namespace, ref.Name} }

func referIf(ref dataflow.Ref, ok bool) *reference {
	if !ok {
		return nil
	}
	r := refer(ref)
	return &r
}

func (r reference) String() string { return dataflow.Ref(r).String() }

// reporter makes a report of what was read.
type reporter struct {
	report
	in      *input
	exposes []string // what every operation exposes
	seen    map[dataflow.Ref]dataflow.Observation
	known   map[dataflow.Ref]known
	again   map[dataflow.Ref][]int32 // where operations stand that stand there several times
	told    map[dataflow.Problem]bool
	nodes   *nodes // nil if none were asked for
}

// known is where in the input an operation stands first, in which flow it is, and
// whether a fault was found when it was read.
type known struct {
	first, flow int32
	faulty      bool
}

func newReport(in *input, seen map[dataflow.Ref]dataflow.Observation, withNodes bool) *report {
	r := reporter{
		in: in, exposes: topology.ExposedKeys(), seen: seen, known: make(map[dataflow.Ref]known, len(in.Operations)),
		again: map[dataflow.Ref][]int32{}, told: map[dataflow.Problem]bool{},
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
	operations := make([]dataflow.Operation, len(in.Operations))
	for i := range in.Operations {
		op := &in.Operations[i]
		operations[i] = op.Operation
		if _, ok := r.known[op.Ref]; ok {
			r.again[op.Ref] = append(r.again[op.Ref], int32(i))
		} else {
			r.known[op.Ref] = known{first: int32(i), faulty: in.obscure[op.Place.File]}
		}
	}
	for _, fault := range in.faults {
		if k, ok := r.known[fault.Operation]; ok {
			k.faulty = true
			r.known[fault.Operation] = k
		}
	}
	for _, part := range dataflow.Split(operations...) {
		r.Flows++
		for i := range part {
			k := r.known[part[i].Ref]
			k.flow = int32(r.Flows)
			r.known[part[i].Ref] = k
		}
		r.flow(part)
	}
	for _, fault := range in.faults {
		code := dataflow.Invalid
		if fault.Unknown() {
			code = dataflow.UnknownField
		}
		r.problem(dataflow.Problem{Code: code, Severity: dataflow.Error, Operation: fault.Operation, Field: fault.Fault.Field, Message: fault.Fault.ErrorBody()}, fault.Place)
	}
	slices.SortStableFunc(r.Problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.flow, b.flow), cmp.Compare(a.Severity, b.Severity), // Error comes before Warning
			comparePlaces(a.Places, b.Places), cmp.Compare(a.Code, b.Code))
	})
	return &r.report
}

func comparePlaces(a, b []place) int {
	return slices.CompareFunc(a, b, func(a, b place) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// flow reports what is known of the operations of one flow.
func (r *reporter) flow(part []dataflow.Operation) {
	next := len(r.Operations)
	f, err := dataflow.New(part...)
	if err != nil {
		for _, op := range part {
			r.Operations = append(r.Operations, r.describe(op))
		}
		for _, p := range dataflow.Check(part...) {
			r.found(p)
		}
		r.incompletable()
		r.flows = append(r.flows, flow{operations: r.Operations[next:]})
		return
	}
	for _, p := range f.Problems() {
		r.found(p)
	}
	for op := range f.Operations() {
		r.Operations = append(r.Operations, r.describe(op))
	}
	operations := r.Operations[next:]
	faulty := r.resolve(f, operations)
	r.lookahead(f, operations)
	fc, ran := r.forecast(f, operations, faulty)
	r.flows = append(r.flows, flow{f, fc, ran, operations})
}

// resolve reports who may start, but not of operations at fault nor of those that come
// after one. It returns whether there are any.
func (r *reporter) resolve(f *dataflow.Flow, operations []operation) (faulty bool) {
	unresolved := map[dataflow.Ref]bool{}
	i := 0
	for resolution := range f.ResolveAll(r.seen) {
		o := &operations[i]
		i++
		if r.known[resolution.Ref].faulty || o.RunAfter != nil && unresolved[dataflow.Ref(*o.RunAfter)] || o.Source != nil && unresolved[dataflow.Ref(*o.Source)] {
			unresolved[resolution.Ref] = true
			continue
		}
		r.resolved(o, resolution)
	}
	return len(unresolved) > 0
}

// describe reports what an operation says itself.
func (r *reporter) describe(op dataflow.Operation) operation {
	o := operation{reference: refer(op.Ref), Keys: []string{}, Exposes: []string{}, Phase: r.seen[op.Ref].Phase, flow: r.Flows}
	o.RunAfter = referIf(op.Predecessor())
	o.Source = o.or(op.Source())
	if op.RunAfter != nil {
		o.Policy = op.RunAfter.Strategy.Policy
		o.Keys = append(o.Keys, op.RunAfter.Strategy.Keys()...)
	}
	switch {
	case op.Distributed, op.Recurring:
	case len(op.Exposes) == 0:
		o.Exposes = r.exposes
	default:
		o.Exposes = topology.ExposedKeys(op.Exposes...)
	}
	return o
}

// or is referIf that takes the predecessor's reference, if it is the same.
func (o *operation) or(ref dataflow.Ref, ok bool) *reference {
	if ok && o.RunAfter != nil && refer(ref) == *o.RunAfter {
		return o.RunAfter
	}
	return referIf(ref, ok)
}

func (r *reporter) resolved(o *operation, resolution dataflow.Resolution) {
	var conflict *affinity.ConflictError
	switch {
	case errors.As(resolution.Err, &conflict):
		o.State, o.On, o.Conflict = dataflow.Blocked, o.Source, conflict.Error()
		r.found(dataflow.Problem{
			Code: dataflow.Contradiction, Severity: dataflow.Error, Operation: resolution.Ref, Field: "spec.runAfter.affinityStrategy",
			Message: conflict.Error() + "; it can never start, unless its source runs again elsewhere",
		})
	case resolution.State == dataflow.Ready:
		o.State, o.inherited = dataflow.Ready, &inherited{resolution.Affinity, append([]string{}, resolution.Missing...), resolution.Inherited}
	default:
		o.State, o.On = resolution.State, o.or(resolution.On, true)
	}
}

// found reports a problem of the flow, unless it is beside the point.
func (r *reporter) found(p dataflow.Problem) {
	switch p.Code {
	case dataflow.UnknownPredecessor, dataflow.NotAnAncestor, dataflow.Contradiction, dataflow.Impossible:
		// It says that the operation can never start. What is complete did; what it
		// ran after may have been cleaned up since.
		if r.seen[p.Operation].Phase == dataflow.Complete {
			return
		}
	case dataflow.Cycle, dataflow.Duplicate, dataflow.Invalid, dataflow.InvalidName:
		r.problem(p)
		return
	}
	// A fault, such as a misspelt dependOn, leaves a field unread, of the operation or of
	// its source. What seems wrong then may be no more than that.
	k := r.known[p.Operation]
	op := &r.in.Operations[k.first]
	if source, ok := op.Source(); k.faulty || ok && r.known[source].faulty {
		return
	}
	r.problem(p)
}

// problem reports a problem once, at the given place, or else wherever its operation
// stands.
func (r *reporter) problem(p dataflow.Problem, at ...manifest.Place) {
	k, known := r.known[p.Operation]
	if at == nil && known {
		if again := r.again[p.Operation]; again != nil {
			if r.told[p] {
				return
			}
			r.told[p] = true
		}
		for _, i := range append([]int32{k.first}, r.again[p.Operation]...) {
			at = append(at, r.in.Operations[i].PlaceOf(p.Field))
		}
	}
	places := []place{}
	for _, a := range at {
		places = append(places, place{a.File, a.Line})
	}
	r.Problems = append(r.Problems, problem{p.Code, p.Severity, refer(p.Operation), p.Field, p.Message, places, int(k.flow)})
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
