package main

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

//go:embed picture.html
var pictureTemplate string

// printHTML prints the picture: operations × groups of nodes, in one file that loads nothing.
func printHTML(w *bufio.Writer, r *report) error {
	t, err := template.New("picture").Parse(pictureTemplate)
	if err != nil {
		return err
	}
	return t.Execute(w, newPicture(r))
}

// picture is the data of the template.
type picture struct {
	Title, Verdict, Class string
	Counts                []string
	Legend                []legendEntry
	Flows                 []drawing
	Hidden                int // flows that are not drawn
	Problems              []note
	MoreProblems          int // problems that are not shown
}

// drawing is one flow.
type drawing struct {
	Number       int
	Name         string // of its first operation
	Count        string // how many operations it has
	Class        string // ok, warning or error
	Verdict      string
	Problems     int
	Open         bool
	Forecast     bool // there are cells
	Faulty       bool // where it could be placed is not where it can complete
	Nodes        int
	Rows         []drawnRow
	MoreRows     int // operations that are not drawn
	Zones        []zone
	Columns      []column
	More, MoreOf int // groups of nodes that are not drawn, and their nodes
	Width        int // of the lanes
}

// drawnRow is one operation.
type drawnRow struct {
	Name, Kind, Text, Class string
	Badge, BadgeClass       string // its phase or state
	NotLookedAt             string
	Problems                []link
	Can, Strand             int // the numbers of nodes
	CanPart, StrandPart     int // in percent of all nodes
	Counted, Fails          bool
	Lines                   []line
	Paths                   []shape
	X                       int // of its dot
	Dot, Mark               string
	Cells                   []cell
}

// link leads to a problem.
type link struct {
	Number      int
	Class, Code string
}

// legendEntry is an entry of the legend.
type legendEntry struct{ Class, Text, Meaning string }

type note struct {
	Number                                       int
	Class, Code, Subject, Field, Message, Places string
	Paste                                        string
}

// The limits of a picture. What is beyond is counted, and other forms of the output have it.
const (
	drawnFlows    = 50
	drawnRows     = 1000   // of a flow
	drawnInAll    = 3000   // operations
	drawnGroups   = 60     // columns
	drawnCells    = 30000  // of a flow
	drawnProblems = 500    // in all
	comparedCells = 300000 // of a flow, before columns are folded
)

func newPicture(r *report) *picture {
	p := &picture{Title: printable(r.title)}
	links := map[dataflow.Ref][]link{}
	p.notes(r, links)

	order := make([]int, len(r.flows))
	for i := range order {
		order[i] = i
	}
	class := func(i int) string { return r.flowClass(&r.flows[i]) }
	if len(order) > drawnFlows { // those with errors first
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(urgency[class(a)], urgency[class(b)]) })
	}
	rows := 0
	s := newShortener(r)
	for n, i := range order {
		rows += min(r.flows[i].end-r.flows[i].first, drawnRows)
		if n == drawnFlows || n > 0 && rows > drawnInAll {
			p.Hidden = len(order) - n
			break
		}
		d := r.draw(s, i, links)
		d.Open = len(r.flows) == 1 || d.Class == "error" || n == 0 && d.Class == "warning"
		p.Flows = append(p.Flows, d)
	}
	if len(r.flows) > 1 && len(p.Flows) > 0 && !slices.ContainsFunc(p.Flows, func(d drawing) bool { return d.Open }) {
		p.Flows[0].Open = true
	}
	p.verdict(r)
	p.legend()
	return p
}

// urgency orders the classes.
var urgency = map[string]int{"error": 0, "warning": 1, "ok": 2}

// verdict is the sentence at the top, and the numbers below it.
func (p *picture) verdict(r *report) {
	failing, faulty, stranding := 0, 0, 0
	for i := range r.flows {
		switch f := &r.flows[i]; {
		case f.faulty:
			faulty++
		case !f.completable():
			failing++
		case f.strands:
			stranding++
		}
	}
	inFlows := 0 // errors
	for i := range r.Problems {
		if p := &r.Problems[i]; p.Severity == dataflow.SeverityError && p.flow > 0 {
			inFlows++
		}
	}
	errors, warnings := r.count(dataflow.SeverityError), r.count(dataflow.SeverityWarning)
	p.Class = "ok"
	switch {
	case failing+faulty > 0 && len(r.flows) == 1 && !r.flows[0].forecast.Completable():
		p.Class, p.Verdict = "error", "Cannot complete"
	case inFlows > 0 && len(r.flows) > 1:
		p.Class, p.Verdict = "error", fmt.Sprintf("%s in %d of %s", count(inFlows, "error"), faulty, count(len(r.flows), "flow"))
		if errors > inFlows {
			p.Verdict += fmt.Sprintf(", %d elsewhere", errors-inFlows)
		}
	case errors == 0 && failing+faulty > 0: // --ignore
		p.Class, p.Verdict = "error", "Has errors that are ignored"
	case errors > 0:
		p.Class, p.Verdict = "error", count(errors, "error")
	case stranding > 0 && len(r.flows) == 1:
		p.Class, p.Verdict = "warning", "Can complete, but a wrong placement would strand it"
	case stranding > 0:
		p.Class, p.Verdict = "warning", fmt.Sprintf("All can complete, but a wrong placement would strand %d of %s", stranding, count(len(r.flows), "flow"))
	case warnings > 0:
		p.Class, p.Verdict = "warning", count(warnings, "warning")
	case r.Completable != nil && *r.Completable:
		p.Verdict = "Completes wherever the scheduler places it"
	default:
		p.Verdict = "No mistakes found"
	}
	p.Counts = []string{count(len(r.Operations), "operation"), count(len(r.flows), "flow")}
	if r.Completable != nil {
		p.Counts = append(p.Counts, count(r.nodes, "node"))
	}
	p.Counts = append(p.Counts, count(errors, "error"), count(warnings, "warning"), "host "+r.Host)
	if r.Skipped > 0 {
		p.Counts = append(p.Counts, count(r.Skipped, "other object")+" skipped")
	}
	p.Counts = append(p.Counts, r.Notes...)
}

// legend explains the cells and lines that occur.
func (p *picture) legend() {
	occurs := map[string]bool{}
	for i := range p.Flows {
		for _, row := range p.Flows[i].Rows {
			for _, c := range row.Cells {
				occurs[c.Class] = true
			}
			for _, l := range row.Lines {
				occurs[l.Class] = true
			}
			for _, s := range row.Paths {
				occurs[s.Class] = true
			}
		}
	}
	for _, k := range []legendEntry{
		{"y", "✓", "can run here, and the whole flow can complete"},
		{"u", "✓", "could be placed here; the flow has errors"},
		{"s", "⚠", "could run here, but would leave no node for the operation that is named"},
		{"n", "why", "the scheduler, or the place of another operation, keeps it away"},
		{"e", "", "labels do not match"},
		{"r", "●", "ran or runs here"},
		{"x", "✗", "failed here"},
		{"p", "", "ran or failed elsewhere"},
		{"lane", "", "runs after the one above"},
		{"require", "", "must run where it did"},
		{"prefer", "", "should run where it did"},
	} {
		if occurs[k.Class] {
			p.Legend = append(p.Legend, k)
		}
	}
}

// notes describes the problems, the worst first, and notes for each operation which it has.
func (p *picture) notes(r *report, links map[dataflow.Ref][]link) {
	order := r.worstFirst()
	narrowed := map[dataflow.Ref]*corev1.Affinity{}
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Forecast != nil {
			narrowed[o.Ref] = o.Forecast.Affinity
		}
	}
	for i, from := range order[:min(len(order), drawnProblems)] {
		n := note{Number: i + 1, Class: strings.ToLower(string(from.Severity)), Code: string(from.Code), Field: printable(from.Field), Message: printable(from.Message)}
		n.Places = from.places()
		if from.Operation != nil {
			n.Subject = printable(from.Operation.String())
			links[*from.Operation] = append(links[*from.Operation], link{n.Number, n.Class, n.Code})
			if a := narrowed[*from.Operation]; a != nil && from.Code == dataflow.CodeStranding {
				if text, err := encodeYAML(map[string]any{"affinity": a}); err == nil && len(text) < 4096 {
					n.Paste = string(text)
				}
			}
		}
		p.Problems = append(p.Problems, n)
	}
	p.MoreProblems = len(order) - len(p.Problems)
}

func (r *report) flowClass(f *flow) string {
	class := "ok"
	if f.strands {
		class = "warning"
	}
	for i := f.first; i < f.end; i++ {
		switch r.Operations[i].worst {
		case dataflow.SeverityError:
			return "error"
		case dataflow.SeverityWarning:
			class = "warning"
		}
	}
	if !f.completable() {
		return "error"
	}
	return class
}

// draw returns the picture of a flow.
func (r *report) draw(s *shortener, i int, links map[dataflow.Ref][]link) drawing {
	f := &r.flows[i]
	operations := r.Operations[f.first:f.end]
	d := drawing{Number: i + 1, Name: s.name(operations[0].Ref), Count: count(len(operations), "operation"), Class: r.flowClass(f), Nodes: r.nodes}
	d.Faulty = f.faulty
	d.Forecast = f.forecast != nil && len(f.groups) > 0
	for at := range operations {
		d.Problems += len(links[operations[at].Ref])
	}
	switch {
	case f.forecast != nil && !f.forecast.Completable():
		d.Verdict = "cannot complete"
	case d.Class == "error":
		d.Verdict = "has errors"
	case f.strands:
		d.Verdict = "can be stranded"
	case d.Class == "warning":
		d.Verdict = "has warnings"
	case d.Forecast:
		d.Verdict = "completes"
	default:
		d.Verdict = "no mistakes"
	}
	if len(operations) > drawnRows {
		d.MoreRows, operations = len(operations)-drawnRows, operations[:drawnRows]
	}
	d.Rows = make([]drawnRow, len(operations))
	for at := range operations {
		o := &operations[at]
		row := &d.Rows[at]
		*row = drawnRow{Name: s.name(o.Ref), Kind: printable(string(o.Kind)), Text: s.words(o), Class: strings.ToLower(string(o.worst)), Problems: links[o.Ref]}
		row.NotLookedAt = printable(shortened(strings.Join(o.NotLookedAt, ", ")))
		row.Badge, row.BadgeClass = badge(o)
		if o.Forecast != nil {
			row.Counted = o.State != dataflow.Running && o.State != dataflow.Finished
			row.Can, row.Strand = o.Forecast.Count, len(f.forecast.Strands(o.Ref))
			row.Fails = o.Forecast.Reason != ""
			row.CanPart, row.StrandPart = percent(row.Can, r.nodes), percent(row.Strand, r.nodes)
		}
	}
	if d.Forecast {
		d.matrix(f, operations)
	}
	d.lines(operations)
	return d
}

// percent returns a part of all, and at least one percent of what is not zero.
func percent(part, all int) int {
	if part == 0 || all == 0 {
		return 0
	}
	return max(part*100/all, 1)
}

// badge is the phase of an operation, or else its state.
func badge(o *operation) (text, class string) {
	switch {
	case o.Phase == dataflow.Failed:
		return string(o.Phase), "blocked"
	case o.Phase != "":
		return printable(string(o.Phase)), strings.ToLower(string(o.State))
	case o.State == "":
		return "unresolved", "blocked"
	case o.State == dataflow.Waiting:
		return "", ""
	default:
		return string(o.State), strings.ToLower(string(o.State))
	}
}

// words says what an operation inherits and requires.
func (s *shortener) words(o *operation) string {
	var parts []string
	switch {
	case o.RunAfter == nil:
		parts = append(parts, "starts the flow")
	case o.Source == nil:
		parts = append(parts, "runs anywhere after "+s.other(o.RunAfter, o))
	default:
		var same []string
		for _, key := range o.Keys {
			if key == topology.Hostname {
				same = append(same, "node")
			} else {
				same = append(same, s.key(key))
			}
		}
		text := "same " + strings.Join(same, ", ") + " as " + s.other(o.Source, o)
		if o.Policy == affinity.Prefer {
			text = "if possible " + text
		}
		parts = append(parts, text)
	}
	if name := o.entry.NodeName; name != "" {
		parts = append(parts, "bound to "+printable(name))
	}
	for _, key := range slices.Sorted(maps.Keys(o.entry.NodeSelector)) {
		parts = append(parts, "needs "+printable(afterSlash(key)+"="+o.entry.NodeSelector[key]))
	}
	if needs := required(o.entry.Affinity); needs != "" {
		parts = append(parts, "needs "+printable(needs))
	}
	return shortened(strings.Join(parts, " · "))
}

// required says what a required node affinity requires, in a few words.
func required(a *corev1.Affinity) string {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || len(terms[0].MatchExpressions) != 1 || len(terms[0].MatchFields) > 0 {
		return "its node affinity"
	}
	e := terms[0].MatchExpressions[0]
	if e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 {
		return afterSlash(e.Key) + "=" + e.Values[0]
	}
	return strings.TrimSpace(afterSlash(e.Key) + " " + string(e.Operator) + " " + some(e.Values))
}
