package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/internal/yaml"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// report is what plan says. Its JSON form is an interface: fields are added, and
// never changed.
type report struct {
	Operations []operation `json:"operations"` // in the order in which they run, flow by flow
	Problems   []problem   `json:"problems"`
	Flows      int         `json:"flows"`   // how many flows there are that have nothing to do with each other
	Skipped    int         `json:"skipped"` // how many objects of other kinds were passed over

	pictures []func() string // draw the flows, in Mermaid
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
	State    dataflow.State  `json:"state"`   // empty if its flow is rejected
	On       *reference      `json:"on"`      // what it waits for, or is blocked by
	*inherited
	Conflict string `json:"conflict"` // why it can never follow its source

	flow int
}

// inherited is there once an operation is ready.
type inherited struct {
	Affinity *corev1.Affinity `json:"affinity"`
	Missing  []string         `json:"missing"`
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
	in    *input
	seen  map[dataflow.Ref]dataflow.Observation
	known map[dataflow.Ref]known
	again map[dataflow.Ref][]int32 // where operations stand that stand there several times
}

// known is where in the input an operation stands first, and in which flow it is.
type known struct{ first, flow int32 }

func newReport(in *input, seen map[dataflow.Ref]dataflow.Observation) *report {
	r := reporter{in: in, seen: seen, known: make(map[dataflow.Ref]known, len(in.Operations)), again: map[dataflow.Ref][]int32{}}
	r.Operations, r.Problems, r.Skipped = make([]operation, 0, len(in.Operations)), []problem{}, in.Skipped
	operations := make([]dataflow.Operation, len(in.Operations))
	for i := range in.Operations {
		ref := in.Operations[i].Ref
		operations[i] = in.Operations[i].Operation
		if _, ok := r.known[ref]; ok {
			r.again[ref] = append(r.again[ref], int32(i))
		} else {
			r.known[ref] = known{first: int32(i)}
		}
	}
	for _, part := range dataflow.Split(operations...) {
		r.Flows++
		for i := range part {
			r.known[part[i].Ref] = known{r.known[part[i].Ref].first, int32(r.Flows)}
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
		return cmp.Or(cmp.Compare(a.flow, b.flow), cmp.Compare(a.Severity, b.Severity)) // Error comes before Warning
	})
	return &r.report
}

// flow reports what is known of the operations of one flow.
func (r *reporter) flow(part []dataflow.Operation) {
	f, err := dataflow.New(part...)
	if err != nil {
		r.pictures = append(r.pictures, func() string { return "%% the flow of " + part[0].Ref.String() + " is rejected: see its problems\n" })
		for _, op := range part {
			r.Operations = append(r.Operations, r.describe(op))
		}
		for _, p := range dataflow.Check(part...) {
			r.problem(p)
		}
		return
	}
	r.pictures = append(r.pictures, f.Mermaid)
	for _, p := range f.Problems() {
		r.problem(p)
	}
	next := len(r.Operations)
	for op := range f.Operations() {
		r.Operations = append(r.Operations, r.describe(op))
	}
	for resolution := range f.ResolveAll(r.seen) {
		r.resolved(&r.Operations[next], resolution)
		next++
	}
}

// describe reports what an operation says itself.
func (r *reporter) describe(op dataflow.Operation) operation {
	o := operation{reference: refer(op.Ref), Keys: []string{}, Exposes: []string{}, flow: r.Flows}
	o.RunAfter = referIf(op.Predecessor())
	o.Source = referIf(op.Source())
	if op.RunAfter != nil {
		o.Policy = op.RunAfter.Strategy.Policy
		o.Keys = append(o.Keys, op.RunAfter.Strategy.Keys()...)
	}
	if !op.Distributed && !op.Recurring {
		o.Exposes = topology.ExposedKeys(op.Exposes...)
	}
	return o
}

func (r *reporter) resolved(o *operation, resolution dataflow.Resolution) {
	var conflict *affinity.ConflictError
	switch {
	case errors.As(resolution.Err, &conflict):
		o.State, o.On, o.Conflict = dataflow.Blocked, o.Source, conflict.Error()
		r.problem(dataflow.Problem{
			Code: dataflow.Contradiction, Severity: dataflow.Error, Operation: resolution.Ref, Field: "spec.runAfter.affinityStrategy",
			Message: conflict.Error() + "; it can never start, unless its source runs again elsewhere",
		})
	case resolution.State == dataflow.Ready:
		o.State, o.inherited = dataflow.Ready, &inherited{resolution.Affinity, append([]string{}, resolution.Missing...)}
	default:
		o.State, o.On = resolution.State, referIf(resolution.On, true)
	}
}

// problem reports a problem, at the given place, or else wherever its operation
// stands.
func (r *reporter) problem(p dataflow.Problem, at ...manifest.Place) {
	if at == nil {
		if k, ok := r.known[p.Operation]; ok {
			for _, i := range append([]int32{k.first}, r.again[p.Operation]...) {
				at = append(at, r.in.Operations[i].PlaceOf(p.Field))
			}
		}
	}
	places := []place{}
	for _, a := range at {
		places = append(places, place{a.File, a.Line})
	}
	r.Problems = append(r.Problems, problem{p.Code, p.Severity, refer(p.Operation), p.Field, p.Message, places, int(r.known[p.Operation].flow)})
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

// printers are the forms in which a report can be printed.
func printers(colour bool) map[string]func(io.Writer, *report) error {
	return map[string]func(io.Writer, *report) error{
		"table":   func(w io.Writer, r *report) error { return printTable(w, r, colour) },
		"json":    printJSON,
		"yaml":    printYAML,
		"mermaid": printMermaid,
	}
}

func printJSON(w io.Writer, r *report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

func printYAML(w io.Writer, r *report) error {
	text, err := yaml.Marshal(r)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func printMermaid(w io.Writer, r *report) error {
	for i, draw := range r.pictures {
		picture := draw()
		if i > 0 {
			picture = "\n" + picture
		}
		if _, err := io.WriteString(w, picture); err != nil {
			return err
		}
	}
	return nil
}
