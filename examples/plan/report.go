package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// report is the output of the program. Its JSON form is an interface: fields are added, and
// never changed.
type report struct {
	Version     int         `json:"version"`
	Host        string      `json:"host"`
	Operations  []operation `json:"operations"` // in pre-order, flow by flow
	Problems    []problem   `json:"problems"`
	Flows       int         `json:"flows"`                 // the number of connected flows
	Completable *bool       `json:"completable,omitempty"` // all flows, on the given nodes
	Groups      []*group    `json:"groups,omitempty"`      // of nodes that a flow does not tell apart
	Skipped     int         `json:"skipped"`               // the number of objects of other kinds
	Notes       []string    `json:"notes,omitempty"`       // what is no problem, and may surprise

	title string // the name of the first file, and how many more there are
	only  string // the namespace that was read of a cluster; empty: all
	flows []flow
	nodes int
}

// formatVersion is the version of the JSON form. A change that is no addition raises it.
const formatVersion = 2

// operation is one operation of the report.
type operation struct {
	ID string `json:"id"`
	dataflow.Ref
	Flow        int              `json:"flow"` // from 1
	RunAfter    *dataflow.Ref    `json:"runAfter"`
	Source      *dataflow.Ref    `json:"source"` // the operation that it inherits from
	Policy      affinity.Policy  `json:"policy"`
	Keys        []string         `json:"keys"`    // the labels that it inherits
	Exposes     []string         `json:"exposes"` // the labels that others can inherit
	Phase       dataflow.Phase   `json:"phase"`   // of its status, or Complete by --ran
	State       dataflow.State   `json:"state"`   // empty if it, or an operation that it waits for, has an error
	On          *dataflow.Ref    `json:"on"`      // the operation that it waits for, or that blocks it
	NotLookedAt []string         `json:"notLookedAt,omitempty"`
	Conflict    string           `json:"conflict"` // why it can never start: it cannot run where it must
	Affinity    *corev1.Affinity `json:"affinity,omitempty"`
	Missing     []string         `json:"missing,omitempty"`
	Lookahead   *corev1.Affinity `json:"lookahead"`          // its own affinity, narrowed by the specs of its followers
	Forecast    *forecast        `json:"forecast,omitempty"` // with nodes, unless an error hides what its flow requires

	inherited topology.LabelSet
	node      string // where it ran or runs, if that is known
	entry     *entry
	worst     dataflow.Severity // of its problems
}

// forecast is where an operation can run.
type forecast struct {
	Nodes    []string          `json:"nodes"`    // the feasible nodes, if they are at most 100
	Groups   []string          `json:"groups"`   // the groups of feasible nodes
	Strands  []dataflow.Strand `json:"strands"`  // at most 100
	Count    int               `json:"count"`    // of feasible nodes
	Affinity *corev1.Affinity  `json:"affinity"` // narrowed to them
	Reason   string            `json:"reason"`   // why the flow fails here
}

// group is a group of nodes of one or several flows.
type group struct {
	ID string `json:"id"`
	dataflow.Group
}

// flow is a connected part of the input.
type flow struct {
	forecast   *dataflow.Forecast // nil without nodes, and if an error hides what an operation requires
	faulty     bool               // it has a problem of severity Error, whether that is reported or ignored
	strands    bool               // an operation can strand it
	groups     []*group
	first, end int // its operations
}

// reporter makes a report of the input.
type reporter struct {
	report
	in       *input
	seen     map[dataflow.Ref]dataflow.Observation
	options  *options
	first    map[dataflow.Ref]int             // the first entry of each operation
	repeated map[dataflow.Ref][]int           // the entries of repeated operations
	faulty   map[dataflow.Ref]bool            // an error of the operation itself
	misread  map[dataflow.Ref][]string        // the fields with a fault, and those around unknown fields
	ancestry map[string]map[dataflow.Ref]bool // by field: whether it was misread of an operation or an ancestor
	open     map[dataflow.Ref]bool            // unresolved operations
	found    []dataflow.Problem               // of operations
	reported map[key]bool
	groups   map[string]*group // by content
}

func newReport(in *input, seen map[dataflow.Ref]dataflow.Observation, o *options) *report {
	r := reporter{
		in: in, seen: seen, options: o,
		first: map[dataflow.Ref]int{}, repeated: map[dataflow.Ref][]int{}, faulty: map[dataflow.Ref]bool{},
		misread: map[dataflow.Ref][]string{}, ancestry: map[string]map[dataflow.Ref]bool{}, open: map[dataflow.Ref]bool{},
		reported: map[key]bool{}, groups: map[string]*group{},
	}
	r.Version, r.Host, r.Skipped, r.only = formatVersion, o.host, in.skipped, in.only
	r.Notes = in.notes
	r.title = firstOf(o.files).File
	if n := len(o.files); n > 1 {
		r.title += fmt.Sprintf(" and %d more", n-1)
	}
	r.Operations, r.Problems, r.nodes = []operation{}, []problem{}, len(in.nodes)
	if in.forecasts {
		completable := in.index != nil && !in.lost
		r.Completable = &completable
	}
	operations := r.index()
	in.progress.stage("checking %s", count(len(operations), "operation"))
	r.check(operations)
	parts := dataflow.Split(operations...)
	in.progress.stage("looking ahead in %s", count(len(parts), "flow"))
	for n, part := range parts {
		in.progress.step("flow %d of %d, with %d operations", n+1, len(parts), len(part))
		r.flow(n+1, part)
	}
	r.Flows = len(r.flows)
	r.place()
	return &r.report
}

// index notes the entries of the operations, and their fields with faults.
func (r *reporter) index() []dataflow.Operation {
	operations := make([]dataflow.Operation, len(r.in.operations))
	for i := range r.in.operations {
		e := &r.in.operations[i]
		operations[i] = e.Operation.Operation
		if first, ok := r.first[e.Ref]; !ok {
			r.first[e.Ref] = i
		} else {
			if r.repeated[e.Ref] == nil {
				r.repeated[e.Ref] = []int{first}
			}
			r.repeated[e.Ref] = append(r.repeated[e.Ref], i)
		}
		for _, f := range e.faults {
			r.faulty[e.Ref] = true
			r.misread[e.Ref] = append(r.misread[e.Ref], f.problem.Field)
			if f.problem.Code == dataflow.CodeUnknownField { // any field beside it may have been meant
				r.misread[e.Ref] = append(r.misread[e.Ref], f.problem.Field[:max(strings.LastIndexAny(f.problem.Field, ".["), 0)])
			}
		}
	}
	return operations
}

// flow reports on the operations of one flow.
func (r *reporter) flow(number int, part []dataflow.Operation) {
	f := r.accepted(part)
	first, hasError := len(r.Operations), false
	for resolution := range f.ResolveAll(r.seen) {
		entries := r.repeated[resolution.Operation]
		if entries == nil {
			entries = []int{r.first[resolution.Operation]}
		}
		for _, i := range entries {
			o := r.describe(i, number)
			if r.unresolved(&o) {
				r.open[o.Ref], hasError = true, true
			} else {
				r.resolved(&o, resolution)
			}
			r.Operations = append(r.Operations, o)
		}
	}
	r.lookahead(f, first)
	fc := r.forecast(f, hasError)
	flow := flow{forecast: fc, first: first, end: len(r.Operations)}
	if fc != nil {
		flow.groups = r.groupsOf(fc)
		for i := first; i < flow.end; i++ {
			f := newForecast(fc, r.Operations[i].Ref, flow.groups)
			r.Operations[i].Forecast, flow.strands = f, flow.strands || len(f.Strands) > 0
		}
	}
	r.flows = append(r.flows, flow)
}

// unresolved reports whether it is not known what an operation would do: it has an error, or
// an operation that it waits for is unresolved, or may be in an unreadable document.
func (r *reporter) unresolved(o *operation) bool {
	if r.faulty[o.Ref] {
		return true
	}
	for _, ref := range []*dataflow.Ref{o.RunAfter, o.Source} {
		if ref == nil {
			continue
		}
		if _, known := r.first[*ref]; r.open[*ref] || !known && r.in.mayExist(*ref) {
			return true
		}
	}
	return false
}

// describe reports what an operation says of itself.
func (r *reporter) describe(i, flow int) operation {
	e := &r.in.operations[i]
	o := operation{
		ID: fmt.Sprintf("op%d", len(r.Operations)), Ref: e.Ref, Flow: flow, Keys: []string{}, Exposes: append([]string{}, e.ExposedKeys()...),
		Phase: r.seen[e.Ref].Phase, NotLookedAt: e.NotLookedAt, entry: e, node: r.seen[e.Ref].Node,
	}
	if ref, ok := e.Predecessor(); ok {
		o.RunAfter = &ref
	}
	if ref, ok := e.Source(); ok {
		o.Source = &ref
	}
	if e.RunAfter != nil {
		o.Policy = e.RunAfter.Strategy.Policy
		o.Keys = append(o.Keys, e.RunAfter.Strategy.Keys()...)
	}
	return o
}

func (r *reporter) resolved(o *operation, resolution dataflow.Resolution) {
	var conflict *affinity.ConflictError
	if errors.As(resolution.Err, &conflict) { // reported as a live problem
		o.State, o.On, o.Conflict = dataflow.Blocked, o.Source, conflict.Error()
		return
	}
	o.State = resolution.State
	if resolution.Cause != (dataflow.Ref{}) {
		o.On = &resolution.Cause
	}
	if o.State == dataflow.Ready {
		o.Affinity, o.Missing, o.inherited = resolution.Affinity, append([]string{}, resolution.Missing...), resolution.Inherited
	}
}

// lookahead reports what followers require of the operations, and where specs contradict
// each other over several steps. Flow.Problems compares an operation with its source only.
func (r *reporter) lookahead(f *dataflow.Flow, first int) {
	at := map[dataflow.Ref]*operation{}
	for i := len(r.Operations) - 1; i >= first; i-- {
		at[r.Operations[i].Ref] = &r.Operations[i]
	}
	misread := slices.ContainsFunc(r.Operations[first:], func(o operation) bool { return r.misread[o.Ref] != nil })
	for result := range f.LookaheadAll() {
		if o := at[result.Operation]; o != nil {
			o.Lookahead = result.Affinity
		}
		var c *dataflow.ContradictionError
		if !errors.As(result.Err, &c) || r.contradicts(c.Follower) || r.contradicts(c.Source) {
			continue
		}
		var restsOn []dataflow.Basis
		for _, ref := range []dataflow.Ref{c.Source, c.Follower} {
			for _, field := range []string{"spec.nodeSelector", "spec.affinity", "spec.processor"} {
				restsOn = append(restsOn, dataflow.Basis{Operation: ref, Field: field})
			}
		}
		if c.Jointly && misread {
			continue // perhaps of an operation between them
		}
		r.report1(dataflow.Problem{
			Code: dataflow.CodeContradiction, Severity: dataflow.SeverityError, Operation: c.Follower, Field: strategy,
			Message: c.Error() + "; change one of them, or inherit another label", RestsOn: restsOn,
		})
	}
}

func (r *reporter) contradicts(ref dataflow.Ref) bool {
	return r.reported[key{ref, dataflow.CodeContradiction}] || r.reported[key{ref, dataflow.CodeNodeNameConflict}]
}

// forecast reports where the operations of a flow can run. It is nil if an error hides what
// they require.
func (r *reporter) forecast(f *dataflow.Flow, hasError bool) *dataflow.Forecast {
	if r.Completable == nil {
		return nil
	}
	if hasError || r.in.index == nil || r.in.lost {
		*r.Completable = false
		return nil
	}
	fc, err := f.Forecast(r.in.index, dataflow.ForecastOptions{Seen: r.seen, ExtendedResourceToleration: r.options.extendedResourceTolerate})
	if err != nil { // a malformed constraint or a cycle of sources, reported as a problem already
		*r.Completable = false
		return nil
	}
	if !fc.Completable() {
		*r.Completable = false
	}
	for _, p := range fc.Problems() {
		// Nodes do not help against a contradiction, and a failure is reported where it blocks.
		if p.Code != dataflow.CodeImpossible || !r.contradicts(p.Operation) && r.seen[p.Operation].Phase != dataflow.Failed {
			r.report1(p)
		}
	}
	return fc
}

// groupsOf returns the groups of nodes of a flow. Equal groups of several flows are the same.
func (r *reporter) groupsOf(fc *dataflow.Forecast) []*group {
	var groups []*group
	var content []byte
	for _, g := range fc.Groups() {
		content = append(content[:0], g.Labels.String()...)
		for _, name := range g.Names {
			content = append(append(content, 0), name...)
		}
		known := r.groups[string(content)]
		if known == nil {
			known = &group{fmt.Sprintf("g%d", len(r.Groups)), g}
			r.groups[string(content)] = known
			r.Groups = append(r.Groups, known)
		}
		groups = append(groups, known)
	}
	return groups
}

// listed is how many names of nodes the report lists for an operation.
const listed = 100

// newForecast reports where an operation can run.
func newForecast(fc *dataflow.Forecast, ref dataflow.Ref, groups []*group) *forecast {
	f := &forecast{Nodes: []string{}, Groups: []string{}, Strands: []dataflow.Strand{}, Reason: fc.Reason(ref)}
	strands := false
	var feasible []*group
	for _, g := range groups {
		switch fc.Verdict(ref, g.Names[0]) {
		case dataflow.VerdictFeasible:
			f.Groups, f.Count, feasible = append(f.Groups, g.ID), f.Count+g.Count, append(feasible, g)
		case dataflow.VerdictStrands:
			strands = true
		}
	}
	if f.Count <= listed {
		for _, g := range feasible {
			f.Nodes = append(f.Nodes, g.Names...)
		}
		slices.Sort(f.Nodes)
	}
	if strands {
		all := fc.Strands(ref)
		f.Strands = append(f.Strands, all[:min(len(all), listed)]...)
	}
	f.Affinity, _ = fc.Affinity(ref)
	return f
}

// completable reports whether all operations of the flow can complete, as far as is known.
func (f *flow) completable() bool { return !f.faulty && f.forecast.Completable() }

// count returns the number of problems of a severity.
func (r *report) count(severity dataflow.Severity) int {
	n := 0
	for _, p := range r.Problems {
		if p.Severity == severity {
			n++
		}
	}
	return n
}

// fails reports whether a problem is at or above a severity: error, warning or never.
func (r *report) fails(on string) bool {
	return on != "never" && r.count(dataflow.SeverityError) > 0 || on == "warning" && len(r.Problems) > 0
}
