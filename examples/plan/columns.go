package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The columns of a picture: groups of nodes, under their zones.

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
