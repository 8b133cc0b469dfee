package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// verdict says what a node is to an operation.
type verdict byte

const (
	mismatch verdict = iota // it does not match the operation's own node selector and affinity
	match                   // it does, but the operation cannot run there, as its source cannot or it ran elsewhere
	feasible                // it can be where the operation runs, and the whole flow completes
	strands                 // the operation could run there, and its flow would stop
	ran                     // it ran there
)

func (v verdict) String() string { return [...]string{"-", "no", "yes", "strands", "ran"}[v] }

const meanings = `yes: the whole flow can complete; strands: it would stop for good; ran: the operation ran there
no: the operation matches, but a taint or a cordon keeps it away, what it follows cannot run there,
    it ran already, elsewhere or nobody knows where, or the flow cannot complete at all
-: the operation does not match
`

// group is a set of nodes that are the same to every operation of a flow.
type group struct {
	names    []string
	verdicts []verdict // by operation
}

// groups returns the nodes in groups, in the order of the nodes.
func (r *report) groups(f *flow, names []string) []group {
	byName := make(map[string][]verdict, len(names))
	for i := range f.operations {
		ref := f.operations[i].Ref
		set := func(v verdict, names ...string) {
			for _, name := range names {
				if byName[name] == nil {
					byName[name] = make([]verdict, len(f.operations))
				}
				byName[name][i] = v
			}
		}
		set(match, f.forecast.Matching(ref)...)
		set(feasible, f.forecast.Nodes(ref)...)
		for _, s := range f.forecast.Strands(ref) {
			set(strands, s.Node)
		}
		if name, ok := f.ran[ref]; ok {
			set(ran, name)
		}
	}
	var groups []group
	index := map[string]int{}
	for _, name := range names {
		verdicts := byName[name]
		if verdicts == nil {
			verdicts = make([]verdict, len(f.operations))
		}
		same := fmt.Sprint(verdicts)
		g, ok := index[same]
		if !ok {
			g = len(groups)
			index[same] = g
			groups = append(groups, group{verdicts: verdicts})
		}
		groups[g].names = append(groups[g].names, name)
	}
	return groups
}

// printNodes prints, for each flow, where its operations can run. Of many flows, only those
// are shown that a node could strand, or that cannot complete.
func (s *shortener) printNodes(out *errorWriter, r *report) {
	const few = 20
	shown, unknown := false, []string(nil)
	for i := range r.flows {
		f := &r.flows[i]
		switch {
		case f.forecast == nil && r.Completable != nil:
			unknown = append(unknown, fmt.Sprint(i+1))
		case f.forecast != nil && (len(r.flows) <= few || len(f.forecast.Problems()) > 0):
			groups := r.groups(f, r.nodeNames)
			head, legend := columns(groups, len(r.nodeNames))
			table := [][]string{append([]string{"NODES OF FLOW " + fmt.Sprint(i+1)}, head...)}
			for op := range f.operations {
				table = append(table, append([]string{s.operation(f.operations[op].Ref)}, cells(groups, op)...))
			}
			out.printf("%s%s\n", aligned(table), legend)
			shown = true
		}
	}
	if shown {
		out.printf("%s\n", meanings)
	}
	if len(unknown) > 0 {
		out.printf("Not foreseen, as an operation in it is at fault, or failed: flow %s\n\n", some(unknown))
	}
}

// most is how many groups of nodes a table has room for. Of more, it counts the nodes.
const most = 12

var counted = [...]verdict{feasible, strands, match, ran, mismatch}

// cells returns what the groups are to an operation.
func cells(groups []group, op int) []string {
	var cells []string
	if len(groups) <= most {
		for _, g := range groups {
			cells = append(cells, g.verdicts[op].String())
		}
		return cells
	}
	nodes := map[verdict]int{}
	for _, g := range groups {
		nodes[g.verdicts[op]] += len(g.names)
	}
	for _, v := range counted {
		cells = append(cells, fmt.Sprint(nodes[v]))
	}
	return cells
}

// columns returns the heads of the columns: of each group the name of its node, or letters
// and a legend if these are too many for a line, or what is counted.
func columns(groups []group, nodes int) (heads []string, legend string) {
	const width = 80
	if len(groups) > most {
		for _, v := range counted {
			heads = append(heads, v.String())
		}
		return heads, ""
	}
	if len(groups) == nodes {
		for _, g := range groups {
			heads = append(heads, printable(g.names[0]))
		}
		if utf8.RuneCountInString(strings.Join(heads, "  ")) <= width {
			return heads, ""
		}
		heads = nil
	}
	for i, g := range groups {
		letter := string(rune('A' + i))
		heads = append(heads, letter)
		legend += fmt.Sprintf("%s: %s\n", letter, printable(some(slices.Sorted(slices.Values(g.names)))))
	}
	return heads, legend
}

// some lists a few names, and says how many more there are.
func some(names []string) string {
	const few = 8
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

func aligned(table [][]string) string {
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, cells := range table {
		line := ""
		for i, cell := range cells {
			line += fmt.Sprintf("%-*s  ", widths[i], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
