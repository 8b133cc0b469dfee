package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
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

type problem struct {
	Code      dataflow.Code     `json:"code"`
	Severity  dataflow.Severity `json:"severity"`
	Operation *dataflow.Ref     `json:"operation"` // null if it is about a document
	Field     string            `json:"field"`
	Message   string            `json:"message"`
	Places    []place           `json:"places"` // several if the operation is repeated

	flow int
}

type place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// flow is a connected part of the input.
type flow struct {
	forecast   *dataflow.Forecast // nil without nodes, and if an error hides what an operation requires
	faulty     bool               // it has a problem of severity Error, whether that is reported or ignored
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

// key identifies the problems of one operation with one code.
type key struct {
	operation dataflow.Ref
	code      dataflow.Code
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

// check reports what is wrong with the specs, with what happened, and on the host. It looks
// at all operations at once: a reference may have been meant for another flow.
func (r *reporter) check(operations []dataflow.Operation) {
	all := r.accepted(operations)
	onHost := all.HostProblems(dataflow.Host(r.options.host))
	inherits := map[dataflow.Ref]bool{}
	for _, p := range onHost {
		inherits[p.Operation] = inherits[p.Operation] || p.Code == dataflow.CodeInheritsAnyway || p.Code == dataflow.CodeNodeNameConflict
	}
	for _, p := range dataflow.Check(operations...) {
		if p.Code == dataflow.CodeRecurringSource && inherits[p.Operation] {
			continue // the host runs the source once
		}
		r.report1(p)
	}
	if len(r.seen) > 0 {
		for _, p := range all.LiveProblems(r.seen) {
			static := map[dataflow.Code][]dataflow.Code{
				dataflow.CodeGone:          {dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor},
				dataflow.CodeBlocked:       {dataflow.CodeNotAnAncestor},
				dataflow.CodeNotRecorded:   {dataflow.CodeNotExposed, dataflow.CodeDistributedSource, dataflow.CodeRecurringSource},
				dataflow.CodeContradiction: {dataflow.CodeContradiction},
			}[p.Code]
			if !slices.ContainsFunc(static, func(code dataflow.Code) bool { return r.reported[key{p.Operation, code}] }) {
				r.report1(p)
			}
		}
	}
	for _, p := range onHost {
		r.report1(p)
	}
}

// report1 reports a problem, unless it may be only a consequence of another one, or says that
// an operation can never start that has started.
func (r *reporter) report1(p dataflow.Problem) {
	switch p.Code {
	case dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor, dataflow.CodeContradiction, dataflow.CodeImpossible, dataflow.CodeNodeNameConflict:
		if phase := r.seen[p.Operation].Phase; phase != "" && phase != dataflow.Pending {
			return
		}
	}
	if r.isConsequence(p) {
		return
	}
	r.found = append(r.found, p)
	r.reported[key{p.Operation, p.Code}] = true
}

// isConsequence reports whether a problem rests on something that was misread, or on the
// absence of an operation that may be in an unreadable document.
func (r *reporter) isConsequence(p dataflow.Problem) bool {
	for _, b := range append(p.RestsOn, dataflow.Basis{Operation: p.Operation, Field: p.Field}) {
		_, known := r.first[b.Operation]
		switch {
		case b.Field == "" && !known:
			if r.in.mayExist(b.Operation) {
				return true
			}
		case b.Ancestors:
			if r.ancestryMisread(b.Operation, b.Field) {
				return true
			}
		case b.Field != "" && r.isMisread(b.Operation, b.Field):
			return true
		}
	}
	return false
}

func (r *reporter) isMisread(ref dataflow.Ref, path string) bool {
	return slices.ContainsFunc(r.misread[ref], func(misread string) bool { return within(misread, path) || within(path, misread) })
}

// within reports whether a field is at a path or below it.
func within(field, path string) bool {
	rest, ok := strings.CutPrefix(field, path)
	return ok && (rest == "" || path == "" || rest[0] == '.' || rest[0] == '[')
}

// ancestryMisread reports whether the field was misread of the operation or of an ancestor.
func (r *reporter) ancestryMisread(ref dataflow.Ref, path string) bool {
	known := r.ancestry[path]
	if known == nil {
		known = map[dataflow.Ref]bool{}
		r.ancestry[path] = known
	}
	var chain []dataflow.Ref
	misread := false
	for at, ok := ref, true; ok; {
		if result, visited := known[at]; visited {
			misread = result
			break
		}
		known[at] = false // until the end of the chain is known; a cycle has no end
		chain = append(chain, at)
		if misread = r.isMisread(at, path); misread {
			break
		}
		i, there := r.first[at]
		if !there {
			misread = r.in.mayExist(at)
			break
		}
		at, ok = r.in.operations[i].Predecessor()
	}
	for _, at := range chain {
		known[at] = misread
	}
	return misread
}

const runAfter = "spec.runAfter"

// accepted returns the flow of operations without their errors: repeated ones are left out,
// cycles are cut, and operations with an error inherit nothing.
func (r *reporter) accepted(operations []dataflow.Operation) *dataflow.Flow {
	f, err := dataflow.New(operations...)
	cut := map[dataflow.Ref]bool{}
	for _, err := range dataflow.Faults(err) {
		var of *dataflow.OperationError
		var cycle *dataflow.CycleError
		switch {
		case errors.As(err, &of):
			r.faulty[of.Operation] = true
		case errors.As(err, &cycle):
			cut[cycle.Operations[0]] = true
			for _, ref := range cycle.Operations {
				r.faulty[ref] = true
			}
		}
	}
	if err == nil && !slices.ContainsFunc(operations, func(op dataflow.Operation) bool { return r.faulty[op.Ref] }) {
		return f
	}
	kept, taken := make([]dataflow.Operation, 0, len(operations)), map[dataflow.Ref]bool{}
	for _, op := range operations {
		switch {
		case taken[op.Ref] || !slices.Contains(dataflow.Kinds(), op.Ref.Kind):
			continue
		case op.RunAfter == nil || !r.faulty[op.Ref]:
		case cut[op.Ref]:
			op.RunAfter = nil
		default:
			op.RunAfter = &dataflow.RunAfter{Ref: op.RunAfter.Ref}
		}
		taken[op.Ref] = true
		kept = append(kept, op)
	}
	f, _ = dataflow.New(kept...)
	return f
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
			r.Operations[i].Forecast = describe(fc, r.Operations[i].Ref, flow.groups)
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
	for result := range f.LookaheadAll() {
		if o := at[result.Operation]; o != nil {
			o.Lookahead = result.Affinity
		}
		var c *dataflow.ContradictionError
		if !errors.As(result.Err, &c) || r.contradicts(c.Follower) || r.contradicts(c.Source) {
			continue
		}
		r.report1(dataflow.Problem{
			Code: dataflow.CodeContradiction, Severity: dataflow.SeverityError, Operation: c.Follower, Field: runAfter + ".affinityStrategy",
			Message: c.Error() + "; change one of them, or inherit another label",
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

// placesListed is how many places the report lists for a problem of a repeated operation.
const placesListed = 20

// listed is how many names of nodes the report lists for an operation.
const listed = 100

// describe reports where an operation can run.
func describe(fc *dataflow.Forecast, ref dataflow.Ref, groups []*group) *forecast {
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

// place gives the problems their places, and sorts them: flow by flow, errors first.
func (r *reporter) place() {
	ignored := func(code dataflow.Code) bool { return slices.Contains(r.options.ignore, string(code)) }
	var fields []source.Field // of all problems, in order
	faulty := map[dataflow.Ref]bool{}
	add := func(p dataflow.Problem, entries []int, at *source.Position) {
		faulty[p.Operation] = faulty[p.Operation] || p.Severity == dataflow.SeverityError
		if ignored(p.Code) {
			return
		}
		reported := problem{Code: p.Code, Severity: p.Severity, Operation: &p.Operation, Field: p.Field, Message: p.Message, Places: []place{}}
		if at != nil {
			reported.Places = append(reported.Places, placeOf(*at))
		} else {
			entries = entries[:min(len(entries), placesListed)]
			reported.Places = make([]place, len(entries))
			for _, i := range entries {
				fields = append(fields, source.Field{Object: r.in.operations[i].object, Path: p.Field})
			}
		}
		r.Problems = append(r.Problems, reported)
	}
	type once struct {
		key
		field, message string
	}
	seen := map[once]bool{}
	for _, p := range r.found {
		if o := (once{key{p.Operation, p.Code}, p.Field, p.Message}); !seen[o] {
			seen[o] = true
			entries := r.repeated[p.Operation]
			if i, ok := r.first[p.Operation]; ok && entries == nil {
				entries = []int{i}
			}
			add(p, entries, nil)
		}
	}
	for i := range r.in.operations {
		for _, f := range r.in.operations[i].faults {
			add(f.problem, []int{i}, f.at)
		}
	}
	if n := len(r.in.deleting); n > 0 && r.Completable != nil && !ignored(codeNodeDeleting) {
		r.Problems = append(r.Problems, problem{
			Code: codeNodeDeleting, Severity: dataflow.SeverityWarning, Field: deletionTimestamp, Message: r.in.describeDeleting(), Places: make([]place, n),
		})
		fields = append(fields, r.in.deleting...)
	}
	for i := range r.flows {
		f := &r.flows[i]
		f.faulty = slices.ContainsFunc(r.Operations[f.first:f.end], func(o operation) bool { return faulty[o.Ref] })
		if f.faulty && r.Completable != nil {
			*r.Completable = false
		}
	}
	positions := source.Locate(fields...)
	for i := range r.Problems {
		for p := range r.Problems[i].Places {
			if r.Problems[i].Places[p] == (place{}) {
				r.Problems[i].Places[p], positions = placeOf(positions[0]), positions[1:]
			}
		}
	}
	for severity, faults := range map[dataflow.Severity][]*source.Fault{dataflow.SeverityError: r.in.faults, dataflow.SeverityWarning: r.in.warnings} {
		for _, f := range faults {
			path, message := "", f.Err.Error()
			if field, text, ok := fieldOf(f.Err); ok {
				path, message = field, text
			}
			if !ignored(codeUnreadable) {
				r.Problems = append(r.Problems, problem{Code: codeUnreadable, Severity: severity, Field: path, Message: message, Places: []place{placeOf(f.Position)}})
			}
		}
	}
	r.sort()
}

// sort sorts the problems, and marks the operations that have one.
func (r *reporter) sort() {
	flows, worst := map[dataflow.Ref]int{}, map[dataflow.Ref]dataflow.Severity{}
	for i := range r.Operations {
		flows[r.Operations[i].Ref] = r.Operations[i].Flow
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		if p.Operation != nil {
			p.flow = flows[*p.Operation]
			if worst[*p.Operation] != dataflow.SeverityError {
				worst[*p.Operation] = p.Severity
			}
		}
	}
	for i := range r.Operations {
		r.Operations[i].worst = worst[r.Operations[i].Ref]
	}
	slices.SortStableFunc(r.Problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.flow, b.flow), cmp.Compare(a.Severity, b.Severity), // Error comes before Warning
			slices.CompareFunc(a.Places, b.Places, place.compare), cmp.Compare(a.Code, b.Code))
	})
}

func placeOf(p source.Position) place { return place{p.File, p.Line, p.Column} }

// fieldOf returns the path and the message of a *field.Error.
func fieldOf(err error) (path, message string, ok bool) {
	var f *field.Error
	if !errors.As(err, &f) {
		return "", "", false
	}
	return f.Field, f.ErrorBody(), true
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
