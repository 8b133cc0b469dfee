package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
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
func printHTML(w io.Writer, r *report) error {
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

type zone struct {
	Name, Names, Detail string
	Columns             int
}

type column struct {
	Name, Detail, Names string
	Refusal             string // what keeps every operation away
	First               bool   // of its zone
}

type cell struct {
	Class, Text, Why string
	First            bool // of its zone
	Node             bool // the node itself refuses: it is tainted or cordoned
}

// line is a vertical line in a row. Its ends are pixels or percentages of the height, which
// depends on the width of the window.
type line struct {
	X        int
	From, To string
	Class    string
}

type shape struct{ Path, Class string }

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
	p := &picture{Title: printable(cmp.Or(r.title, "dataflow"))}
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
	failing, faulty := 0, 0
	for i := range r.flows {
		switch f := &r.flows[i]; {
		case f.faulty:
			faulty++
		case !f.completable():
			failing++
		}
	}
	inFlows := 0 // errors
	for i := range r.Problems {
		if p := &r.Problems[i]; p.Severity == dataflow.SeverityError && p.flow > 0 {
			inFlows++
		}
	}
	stranded := map[int]bool{}
	for i := range r.Problems {
		if r.Problems[i].Code == dataflow.CodeStranding {
			stranded[r.Problems[i].flow] = true
		}
	}
	stranding := len(stranded)
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
	order := make([]*problem, len(r.Problems))
	for i := range order {
		order[i] = &r.Problems[i]
	}
	slices.SortStableFunc(order, func(a, b *problem) int { return cmp.Compare(a.Severity, b.Severity) }) // Error comes before Warning
	narrowed := map[dataflow.Ref]*corev1.Affinity{}
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Forecast != nil {
			narrowed[o.Ref] = o.Forecast.Affinity
		}
	}
	for i, from := range order[:min(len(order), drawnProblems)] {
		n := note{Number: i + 1, Class: strings.ToLower(string(from.Severity)), Code: string(from.Code), Field: printable(from.Field), Message: printable(from.Message)}
		places := make([]string, len(from.Places))
		for i, at := range from.Places {
			places[i] = printable(at.String())
		}
		n.Places = shortened(strings.Join(places, ", "))
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
	switch stranded := slices.ContainsFunc(operations, func(o operation) bool { return o.Forecast != nil && len(o.Forecast.Strands) > 0 }); {
	case f.forecast != nil && !f.forecast.Completable():
		d.Verdict = "cannot complete"
	case d.Class == "error":
		d.Verdict = "has errors"
	case stranded:
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

// newCell returns what a group of nodes is to an operation.
func newCell(f *flow, o *operation, g *group) cell {
	fc, node := f.forecast, g.Names[0]
	verdict := fc.Verdict(o.Ref, node)
	if o.node == node && g.Count == 1 {
		switch o.Phase {
		case dataflow.Executing:
			return cell{Class: "r", Text: "●\u00a0runs", Why: "the operation runs here"}
		case dataflow.Failed:
			return cell{Class: "x", Text: "✗\u00a0failed", Why: "the operation failed here"}
		}
		return cell{Class: "r", Text: "●\u00a0ran", Why: "the operation ran here"}
	}
	switch {
	case verdict == dataflow.VerdictFeasible && f.faulty:
		return cell{Class: "u", Text: "✓"}
	case verdict == dataflow.VerdictFeasible:
		return cell{Class: "y", Text: "✓"}
	}
	c := cell{Class: "n", Text: printable(shortName(fc.Label(o.Ref, node))), Why: printable(fc.Why(o.Ref, node))}
	switch verdict {
	case dataflow.VerdictStrands:
		c.Class, c.Text = "s", "⚠\u00a0"+c.Text
	case dataflow.VerdictTaint, dataflow.VerdictCordon:
		c.Node = true
	case dataflow.VerdictSelector, dataflow.VerdictAffinity:
		c.Class, c.Text = "e", ""
	case dataflow.VerdictStarted:
		c.Class, c.Text = "p", ""
	}
	return c
}

// folded is one or several groups of nodes that are drawn as one column: of different zones,
// with the same labels apart from the zone and the hostname, and the same cells.
type folded struct {
	zones  []string
	labels []string // what tells the group from others
	names  []string
	nodes  int
	cells  []cell
}

// weight orders the columns by how much they say.
func (c *folded) weight() int {
	weight := c.nodes
	for _, cell := range c.cells {
		switch cell.Class {
		case "s", "r", "x":
			weight += 1 << 30
		}
	}
	return weight
}

// matrix adds the columns: the groups of nodes under their zones. Zones with equal columns are
// folded into one.
func (d *drawing) matrix(f *flow, operations []operation) {
	groups := f.groups
	if most := max(comparedCells/len(operations), drawnGroups); len(groups) > most {
		for _, g := range groups[most:] {
			d.More, d.MoreOf = d.More+1, d.MoreOf+g.Count
		}
		groups = groups[:most]
	}
	telling := tellingKeys(groups)
	var columns []*folded // of one zone after the other
	for _, g := range groups {
		c := &folded{zones: []string{g.Zone}, names: g.Names, nodes: g.Count, labels: labelsOf(g, telling), cells: make([]cell, len(operations))}
		for at := range operations {
			c.cells[at] = newCell(f, &operations[at], g)
		}
		columns = append(columns, c)
	}
	columns = foldZones(columns)
	if most := min(drawnGroups, max(drawnCells/len(operations), 8)); len(columns) > most {
		byWeight := slices.Clone(columns)
		slices.SortStableFunc(byWeight, func(a, b *folded) int { return cmp.Compare(b.weight(), a.weight()) })
		drop := map[*folded]bool{}
		for _, c := range byWeight[most:] {
			d.More, d.MoreOf, drop[c] = d.More+1, d.MoreOf+c.nodes, true
		}
		columns = slices.DeleteFunc(columns, func(c *folded) bool { return drop[c] })
	}
	for i := 0; i < len(columns); {
		end, nodes := i, 0
		for ; end < len(columns) && slices.Equal(columns[end].zones, columns[i].zones); end++ {
			nodes += columns[end].nodes
		}
		z := zone{Name: printable(cmp.Or(shortName(columns[i].zones[0]), "no zone")), Columns: end - i, Detail: count(nodes, "node")}
		if n := len(columns[i].zones); n > 1 {
			z.Name, z.Names = fmt.Sprintf("%d zones", n), printable(some(columns[i].zones))
		}
		d.Zones = append(d.Zones, z)
		for at := i; at < end; at++ {
			c := columns[at]
			d.Columns = append(d.Columns, c.head(at == i))
			for row := range d.Rows {
				c.cells[row].First = at == i
				d.Rows[row].Cells = append(d.Rows[row].Cells, c.cells[row])
			}
		}
		i = end
	}
}

// head names a column: by the only node, or by what its nodes have in common.
func (c *folded) head(first bool) column {
	labels := printable(shortName(strings.Join(c.labels, " ")))
	h := column{Name: labels, Detail: count(c.nodes, "node"), Names: printable(some(c.names)), Refusal: shortName(c.refusal()), First: first}
	switch {
	case c.nodes == 1:
		h.Name, h.Detail = printable(shortName(c.names[0])), labels
	case labels == "":
		h.Name, h.Detail = fmt.Sprint(c.nodes), "nodes"
	}
	return h
}

// refusal returns the taint or cordon that keeps all operations away that match the labels, and
// shortens it in the cells to its first word. It is empty if some operation can run there.
func (c *folded) refusal() string {
	refusal := ""
	for _, cell := range c.cells {
		switch {
		case cell.Class == "n" && (cell.Node && refusal == "" || cell.Text == refusal):
			refusal = cell.Text
		case cell.Class != "e" && cell.Class != "p":
			return ""
		}
	}
	for at := range c.cells {
		if c.cells[at].Class == "n" {
			c.cells[at].Text, _, _ = strings.Cut(refusal, " ")
		}
	}
	return refusal
}

// shortName leaves out the middle of a long name.
func shortName(name string) string {
	const most, each = 40, 19
	if runes := []rune(name); len(runes) > most {
		return string(runes[:each]) + "…" + string(runes[len(runes)-each:])
	}
	return name
}

// foldZones makes one of zones whose columns have equal labels and cells.
func foldZones(columns []*folded) []*folded {
	type part struct{ columns []*folded }
	known, order := map[string]*part{}, []*part{}
	for i := 0; i < len(columns); {
		end := i
		for end < len(columns) && columns[end].zones[0] == columns[i].zones[0] {
			end++
		}
		zone := columns[i:end]
		slices.SortStableFunc(zone, func(a, b *folded) int { return slices.Compare(a.labels, b.labels) })
		var content strings.Builder
		for _, c := range zone {
			fmt.Fprintf(&content, "%q", c.labels)
			for _, cell := range c.cells {
				fmt.Fprintf(&content, "%s%q", cell.Class, cell.Text)
			}
		}
		if p := known[content.String()]; p != nil {
			for at, c := range p.columns {
				c.zones, c.nodes = append(c.zones, zone[at].zones[0]), c.nodes+zone[at].nodes
				c.names = append(slices.Clip(c.names), zone[at].names...)
			}
		} else {
			p = &part{zone}
			known[content.String()], order = p, append(order, p)
		}
		i = end
	}
	var all []*folded
	for _, p := range order {
		all = append(all, p.columns...)
	}
	return all
}

// tellingKeys returns the label keys by which groups of one zone differ.
func tellingKeys(groups []*group) map[string]bool {
	telling := map[string]bool{}
	type zoneKey struct{ zone, key string }
	values, groupsOf, having := map[zoneKey]string{}, map[string]int{}, map[zoneKey]int{}
	for _, g := range groups {
		groupsOf[g.Zone]++
		for key, value := range g.Labels.All() {
			at := zoneKey{g.Zone, key}
			if known, ok := values[at]; ok && known != value {
				telling[key] = true
			}
			values[at] = value
			having[at]++
		}
	}
	for at, n := range having {
		if n < groupsOf[at.zone] {
			telling[at.key] = true
		}
	}
	delete(telling, topology.Hostname)
	delete(telling, topology.Zone)
	return telling
}

// labelsOf returns the telling labels of a group: their values, or keys whose value says nothing.
func labelsOf(g *group, telling map[string]bool) []string {
	var labels []string
	for key, value := range g.Labels.All() {
		switch {
		case !telling[key]:
		case value == "" || value == "true":
			labels = append(labels, afterSlash(key))
		case len(value) < 3 || value == "false":
			labels = append(labels, afterSlash(key)+"="+value)
		default:
			labels = append(labels, value)
		}
	}
	return labels
}
