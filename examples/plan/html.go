package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

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
	Title, Verdict, Class, Counts string
	Flows                         []drawing
	Hidden                        int // flows without problems that are not drawn
	Problems                      []note
}

// drawing is one flow.
type drawing struct {
	Number, Count int // its number, and how many operations it has
	Verdict       string
	Class         string // ok, warning or error
	Open          bool
	Rows          []drawnRow
	Zones         []zone
	Columns       []column
	More          int     // groups of nodes that are not drawn
	Lanes         []shape // of runAfter
	Arcs          []shape // of inheritance
	Dots          []dot
	Width, Height int // of the lanes
}

type drawnRow struct {
	Name, Kind, Text, State, Class string
	Cells                          []cell
}

type zone struct {
	Name    string
	Columns int
}

type column struct{ Name, Detail, Names string }

type cell struct{ Class, Text, Why string }

type shape struct{ Path, Class string }

type dot struct {
	X, Y  int
	Class string
}

type note struct {
	Class, Title, Place, Message, Paste string
}

// The sizes of the picture, in pixels.
const (
	rowHeight = 44
	laneWidth = 22
	headRoom  = 8
)

const (
	drawnFlows  = 50
	drawnGroups = 60
)

func newPicture(r *report) *picture {
	p := &picture{Title: "dataflow", Class: "ok", Verdict: "No mistakes"}
	if r.title != "" {
		p.Title = r.title
	}
	p.Counts = r.summary()
	for i := range r.flows {
		d := r.draw(i)
		switch {
		case d.Class == "error":
			p.Class, p.Verdict = "error", "Has errors"
		case d.Class == "warning" && p.Class == "ok":
			p.Class, p.Verdict = "warning", "Can complete, but a wrong placement would strand it"
		}
		if len(r.flows) > drawnFlows && d.Class == "ok" || len(p.Flows) == drawnFlows {
			p.Hidden++
			continue
		}
		d.Open = len(r.flows) == 1 || d.Class == "error"
		p.Flows = append(p.Flows, d)
	}
	if p.Class == "ok" && r.Completable != nil {
		p.Verdict = "Completes wherever the scheduler places it"
	}
	for i := range r.Problems {
		p.Problems = append(p.Problems, r.note(&r.Problems[i]))
	}
	if p.Class != "error" && r.count(dataflow.SeverityError) > 0 {
		p.Class, p.Verdict = "error", "Has errors"
	}
	slices.SortStableFunc(p.Problems, func(a, b note) int { return strings.Compare(a.Class, b.Class) }) // error comes before warning
	return p
}

// draw returns the picture of a flow.
func (r *report) draw(i int) drawing {
	f := &r.flows[i]
	operations := r.Operations[f.first:f.end]
	d := drawing{Number: i + 1, Count: len(operations), Class: "ok", Verdict: "no mistakes"}
	s := newShortener(r)
	groups := f.groups
	if len(groups) > drawnGroups {
		d.More, groups = len(groups)-drawnGroups, groups[:drawnGroups]
	}
	for at := range operations {
		o := &operations[at]
		row := drawnRow{Name: o.Name, Kind: string(o.Kind), Text: s.words(o), State: string(o.Phase), Class: strings.ToLower(string(o.worst))}
		for g := range groups {
			row.Cells = append(row.Cells, newCell(f.forecast, o, &groups[g]))
		}
		d.Rows = append(d.Rows, row)
		switch {
		case o.worst == dataflow.SeverityError:
			d.Class, d.Verdict = "error", "has errors"
		case o.worst == dataflow.SeverityWarning && d.Class == "ok":
			d.Class, d.Verdict = "warning", "has warnings"
		}
	}
	d.columns(groups)
	d.lanes(operations)
	return d
}

// words says what an operation inherits and requires.
func (s *shortener) words(o *operation) string {
	var parts []string
	switch {
	case o.Source == nil && o.RunAfter == nil:
		parts = append(parts, "runs after nothing")
	case o.Source == nil:
		parts = append(parts, "runs anywhere")
	default:
		var same []string
		for _, key := range o.Keys {
			switch key {
			case topology.Hostname:
				same = append(same, "node")
			default:
				same = append(same, s.key(key))
			}
		}
		text := "same " + strings.Join(same, ", ") + " as " + s.other(o.Source, o)
		if o.Policy == affinity.Prefer {
			text = "if possible " + text
		}
		parts = append(parts, text)
	}
	for _, key := range sets.List(sets.KeySet(o.entry.NodeSelector)) {
		parts = append(parts, "needs "+afterSlash(key)+"="+o.entry.NodeSelector[key])
	}
	if needs := required(o.entry.Affinity); needs != "" {
		parts = append(parts, "needs "+needs)
	}
	return strings.Join(parts, " · ")
}

// required says what a required node affinity requires, in a few words.
func required(a *corev1.Affinity) string {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || len(terms[0].MatchExpressions) != 1 {
		return "its node affinity"
	}
	e := terms[0].MatchExpressions[0]
	if e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 {
		return afterSlash(e.Key) + "=" + e.Values[0]
	}
	return afterSlash(e.Key) + " " + string(e.Operator) + " " + strings.Join(e.Values, ",")
}

// newCell returns what a group of nodes is to an operation.
func newCell(fc *dataflow.Forecast, o *operation, g *group) cell {
	node := g.Names[0]
	c := cell{Text: fc.Label(o.Ref, node), Why: fc.Why(o.Ref, node)}
	switch verdict := fc.Verdict(o.Ref, node); {
	case o.node == node && g.Count == 1:
		c.Class, c.Text, c.Why = "ran", "● ran", "the operation ran here"
	case verdict == dataflow.VerdictFeasible:
		c.Class, c.Text, c.Why = "yes", "✓", "the whole flow can complete"
	case verdict == dataflow.VerdictStrands:
		c.Class, c.Text = "strands", "⚠ "+c.Text
	case verdict == dataflow.VerdictSelector, verdict == dataflow.VerdictAffinity:
		c.Class = "empty"
	default:
		c.Class = "no"
	}
	return c
}

// columns folds zones with equal columns into one, and names the columns.
func (d *drawing) columns(groups []group) {
	type folded struct {
		names []string
		at    []int
		nodes int
	}
	zones, order := map[string]*folded{}, []string{}
	for first := 0; first < len(groups); {
		end := first
		content, nodes := "", 0
		for ; end < len(groups) && groups[end].Zone == groups[first].Zone; end++ {
			content += fmt.Sprintf("%d %v\n", groups[end].Count, labelsOf(&groups[end]))
			for _, row := range d.Rows {
				content += row.Cells[end].Class + "\t" + row.Cells[end].Text + "\n"
			}
			nodes += groups[end].Count
		}
		if zones[content] == nil {
			z := &folded{nodes: nodes}
			for at := first; at < end; at++ {
				z.at = append(z.at, at)
			}
			zones[content], order = z, append(order, content)
		}
		zones[content].names = append(zones[content].names, groups[first].Zone)
		first = end
	}
	cells := make([][]cell, len(d.Rows))
	for _, content := range order {
		z := zones[content]
		name := some(z.names)
		if name == "" {
			name = "no zone"
		}
		each := ""
		if len(z.names) > 1 {
			each = " each"
		}
		d.Zones = append(d.Zones, zone{fmt.Sprintf("%s · %s%s", name, count(z.nodes, "node"), each), len(z.at)})
		for _, at := range z.at {
			g := &groups[at]
			d.Columns = append(d.Columns, column{cmp.Or(labelsOf(g), g.Names[0]), fmt.Sprintf("× %d", g.Count), some(g.Names)})
			for row := range d.Rows {
				cells[row] = append(cells[row], d.Rows[row].Cells[at])
			}
		}
	}
	for row := range d.Rows {
		d.Rows[row].Cells = cells[row]
	}
}

// labelsOf returns the telling labels of a group, without the hostname and the zone.
func labelsOf(g *group) string {
	var values []string
	for key, value := range g.Labels.All() {
		if key != topology.Hostname && key != topology.Zone {
			values = append(values, value)
		}
	}
	return strings.Join(values, " ")
}

// lanes draws runAfter as lanes, and inheritance as arcs beside them. The last follower of an
// operation stays in its lane; every other one takes a lane further right.
func (d *drawing) lanes(operations []operation) {
	index, last := map[dataflow.Ref]int{}, map[int]int{}
	predecessor := make([]int, len(operations))
	for i := range operations {
		predecessor[i] = -1
		if o := &operations[i]; o.RunAfter != nil {
			if p, ok := index[*o.RunAfter]; ok {
				predecessor[i], last[p] = p, i
			}
		}
		index[operations[i].Ref] = i
	}
	lane, arcs := make([]int, len(operations)), 0
	for i, p := range predecessor {
		if p >= 0 && last[p] == i {
			lane[i] = lane[p]
		} else if p >= 0 {
			lane[i] = lane[p] + 1
		}
		arcs = max(arcs, lane[i])
	}
	reach := func(from, to int) int { return min(16+6*(to-from), 70) }
	left := 12
	for i := range operations {
		if s := operations[i].Source; s != nil {
			if from, ok := index[*s]; ok && from < i {
				left = max(left, reach(from, i)+12)
			}
		}
	}
	d.Width, d.Height = left+(arcs+1)*laneWidth, headRoom+rowHeight*len(operations)
	x := func(i int) int { return left + lane[i]*laneWidth + 8 }
	y := func(i int) int { return headRoom + rowHeight*i + rowHeight/2 - 4 }
	for i := range operations {
		o := &operations[i]
		d.Dots = append(d.Dots, dot{x(i), y(i), strings.ToLower(string(o.worst)) + " " + strings.ToLower(string(o.Phase))})
		if p := predecessor[i]; p >= 0 {
			line := fmt.Sprintf("M%d %dV%d", x(p), y(p), y(i))
			if x(p) != x(i) {
				line = fmt.Sprintf("M%d %dC%d %d %d %d %d %dV%d", x(p), y(p), x(p), y(p)+20, x(i), y(p)+12, x(i), y(p)+rowHeight-8, y(i))
			}
			d.Lanes = append(d.Lanes, shape{line, ""})
		}
		if o.Source == nil {
			continue
		}
		if from, ok := index[*o.Source]; ok && from < i {
			class := strings.ToLower(string(o.Policy))
			d.Arcs = append(d.Arcs, shape{fmt.Sprintf("M%d %dC%d %d %d %d %d %d", left-4, y(from)+4, left-4-reach(from, i), y(from)+4, left-4-reach(from, i), y(i)-4, left-4, y(i)-4), class})
		}
	}
}

// note returns a problem for people, with the affinity to paste.
func (r *report) note(p *problem) note {
	n := note{Class: strings.ToLower(string(p.Severity)), Title: string(p.Code), Place: p.at().String(), Message: p.Message}
	if subject := p.subject(); subject != "" {
		n.Title += " — " + subject
	}
	if p.Code != dataflow.CodeStranding || p.Operation == nil {
		return n
	}
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Ref == *p.Operation && o.Forecast != nil {
			if text, err := encodeYAML(map[string]any{"affinity": o.Forecast.Affinity}); err == nil && len(text) < 4096 {
				n.Paste = string(text)
			}
		}
	}
	return n
}
