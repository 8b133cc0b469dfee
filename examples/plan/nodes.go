package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printNodes prints, for each flow, where its operations can run.
func (s *shortener) printNodes(w io.Writer, r *report) {
	for i := range r.flows {
		if f := &r.flows[i]; f.forecast != nil && r.nodes > 0 && r.shown(f) {
			s.printFlow(w, r, i)
		}
	}
}

// printFlow prints a column for each group of nodes, and a legend. If there are too many groups
// for a line, or too many reasons for a legend, it prints the numbers of nodes instead.
func (s *shortener) printFlow(w io.Writer, r *report, i int) {
	f := &r.flows[i]
	for _, words := range []bool{true, false} {
		reasons := newLegend(words)
		rows := [][]string{{fmt.Sprintf("NODES OF FLOW %d", i+1)}}
		for g := range f.groups[:min(len(f.groups), 26)] {
			rows[0] = append(rows[0], string(rune('A'+g)))
		}
		for at := f.first; at < f.end && len(rows[0]) == len(f.groups)+1; at++ {
			o := &r.Operations[at]
			row := []string{s.name(o.Ref)}
			for g := range f.groups {
				row = append(row, reasons.cell(f.forecast, o, f.groups[g]))
			}
			rows = append(rows, row)
		}
		reasons.finish(rows)
		if len(rows) == 1 || len(reasons.order) > few || width(rows) > columns {
			continue
		}
		fmt.Fprintf(w, "%s", aligned(rows))
		var explained strings.Builder
		for g, group := range f.groups {
			labels := ""
			if group.Labels.Len() > 0 && group.Count > 1 {
				labels = " (" + printable(group.Labels.String()) + ")"
			}
			paragraph(&explained, "", fmt.Sprintf("%c: %s%s", 'A'+g, printable(some(group.Names)), shortened(labels)))
		}
		for _, reason := range reasons.order {
			text := reason.text
			if reasons.words {
				text = strings.TrimPrefix(text, reason.word+" ")
			}
			if s.prefix != "" {
				text = strings.ReplaceAll(text, s.namespace+"/"+s.prefix, "…")
			}
			paragraph(&explained, "", reasons.names[reason]+": "+printable(text))
		}
		yes := ""
		if slices.ContainsFunc(rows[1:], func(row []string) bool { return slices.Contains(row[1:], "yes") }) {
			yes = fmt.Sprintf("yes: %s\n", f.meaningOfYes())
		}
		switch {
		case explained.String() != s.explained:
			fmt.Fprintf(w, "%s%s\n", &explained, yes)
		case yes != s.yes:
			fmt.Fprintf(w, "with the same nodes and reasons as above\n%s\n", yes)
		default:
			fmt.Fprintf(w, "with the same nodes and reasons as above\n\n")
		}
		s.explained, s.yes = explained.String(), yes
		return
	}
	fmt.Fprintf(w, "%s", aligned(s.numbersOfNodes(r, i)))
	fmt.Fprintf(w, "YES: how many nodes, in %s: %s\n\n", count(len(f.groups), "group"), f.meaningOfYes())
}

// meaningOfYes says what is true of a node that is feasible for an operation.
func (f *flow) meaningOfYes() string {
	if f.faulty {
		return "could be placed; the flow has errors"
	}
	return "the whole flow can complete"
}

// legend names the reasons why operations cannot run on nodes.
type legend struct {
	words bool // else they are named by numbers
	names map[reason]string
	count map[string]int // of reasons, by word
	order []reason
}

type reason struct{ word, text string }

func newLegend(words bool) *legend {
	return &legend{words: words, names: map[reason]string{}, count: map[string]int{}}
}

// verdictWord is a verdict in a word, for a cell.
func verdictWord(v dataflow.Verdict) string {
	switch v {
	case dataflow.VerdictFeasible:
		return "yes"
	case dataflow.VerdictNodeName:
		return "name"
	case dataflow.VerdictResources:
		return "room"
	}
	return string(v)
}

// cell is what a group of nodes is to an operation: yes, ran, or the name of the reason.
func (l *legend) cell(fc *dataflow.Forecast, o *operation, g *group) string {
	node := g.Names[0]
	verdict := fc.Verdict(o.Ref, node)
	switch {
	case o.node != "" && g.Count == 1 && node == o.node:
		return "ran"
	case verdict == dataflow.VerdictFeasible:
		return "yes"
	}
	why := reason{verdictWord(verdict), fc.Why(o.Ref, node)}
	if _, ok := l.names[why]; !ok {
		l.order = append(l.order, why)
		l.count[why.word]++
		switch n := l.count[why.word]; {
		case !l.words && verdict == dataflow.VerdictStrands:
			l.names[why] = fmt.Sprintf("!%d", len(l.order))
		case !l.words:
			l.names[why] = strconv.Itoa(len(l.order))
		default:
			l.names[why] = fmt.Sprintf("%s %d", why.word, n)
		}
	}
	return l.names[why]
}

// finish leaves out the numbers of words that stand for one reason only.
func (l *legend) finish(rows [][]string) {
	single := map[string]string{}
	for why, name := range l.names {
		if l.words && l.count[why.word] == 1 {
			single[name], l.names[why] = why.word, why.word
		}
	}
	for _, row := range rows[1:] {
		for i, cell := range row[1:] {
			row[i+1] = cmp.Or(single[cell], cell)
		}
	}
}

// numbersOfNodes returns the numbers of nodes for each operation of a flow, by verdict.
func (s *shortener) numbersOfNodes(r *report, i int) [][]string {
	f := &r.flows[i]
	rows := [][]string{{fmt.Sprintf("NODES OF FLOW %d", i+1), "YES", "STRANDS", "NO"}}
	for at := f.first; at < f.end; at++ {
		o := &r.Operations[at]
		counts := map[dataflow.Verdict]int{}
		for g := range f.groups {
			counts[f.forecast.Verdict(o.Ref, f.groups[g].Names[0])] += f.groups[g].Count
		}
		row := []string{s.name(o.Ref), strconv.Itoa(counts[dataflow.VerdictFeasible]), strconv.Itoa(counts[dataflow.VerdictStrands])}
		delete(counts, dataflow.VerdictFeasible)
		delete(counts, dataflow.VerdictStrands)
		var refused []string
		for _, verdict := range slices.SortedFunc(maps.Keys(counts), func(a, b dataflow.Verdict) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
		}) {
			refused = append(refused, fmt.Sprintf("%d %s", counts[verdict], verdictWord(verdict)))
		}
		rows = append(rows, append(row, cmp.Or(strings.Join(refused, ", "), "-")))
	}
	return rows
}
