package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printTable prints the report for people: a line for each operation, where the operations can
// run, and the problems.
func printTable(w io.Writer, r *report, colour, quiet bool) error {
	out := errorWriter{w: w}
	if !quiet {
		s := newShortener(r)
		s.printOperations(&out, r)
		s.printNodes(&out, r)
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		places := make([]string, len(p.Places))
		for i, at := range p.Places {
			places[i] = printable(at.String())
		}
		out.printf("%s %s  %s\n", coloured(p.Severity, colour), p.Code, shortened(strings.Join(places, ", ")))
		if subject := p.subject(); subject != "" {
			out.printf("    %s\n", printable(subject))
		}
		out.printf("    %s\n\n", printable(p.Message))
	}
	if !quiet {
		out.printf("%s\n", r.summary())
	}
	return out.err
}

// summary is one sentence about the report.
func (r *report) summary() string {
	text := fmt.Sprintf("%s in %s: %s, %s; %s skipped",
		count(len(r.Operations), "operation"), count(r.Flows, "flow"),
		count(r.count(dataflow.SeverityError), "error"), count(r.count(dataflow.SeverityWarning), "warning"), count(r.Skipped, "other object"))
	if len(r.Operations) == 0 && r.only != "" {
		text += fmt.Sprintf("\nno operation in namespace %s of the cluster; -A reads all namespaces", printable(r.only))
	}
	if r.Completable == nil {
		return text
	}
	stranding, failing, unknown := 0, 0, 0
	for i := range r.flows {
		switch fc := r.flows[i].forecast; {
		case fc == nil:
			unknown++
		case !fc.Completable():
			failing++
		case slices.ContainsFunc(fc.Problems(), func(p dataflow.Problem) bool { return p.Code == dataflow.CodeStranding }):
			stranding++
		}
	}
	text += fmt.Sprintf("\n%d of %s can be stranded, %d cannot complete", stranding, count(r.Flows, "flow"), failing)
	if unknown > 0 {
		text += fmt.Sprintf(", %d not known because of an error", unknown)
	}
	return text + " on " + count(r.nodes, "node")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// few is how many flows are shown in full; of more, only those with problems are.
const few = 20

// shown reports whether a flow is shown in full.
func (r *report) shown(f *flow) bool {
	return len(r.flows) <= few || slices.ContainsFunc(r.Operations[f.first:f.end], func(o operation) bool { return o.worst != "" })
}

func (s *shortener) printOperations(out *errorWriter, r *report) {
	rows := [][]string{{"FLOW", "OPERATION", "RUNS AFTER", "INHERITS", "STATE"}}
	hidden, unresolved := 0, false
	for i := range r.flows {
		f := &r.flows[i]
		if !r.shown(f) {
			hidden++
			continue
		}
		for at := f.first; at < f.end; at++ {
			o := &r.Operations[at]
			rows = append(rows, s.row(o))
			unresolved = unresolved || o.State == ""
		}
	}
	if len(rows) > 1 {
		out.printf("%s\n", aligned(rows))
	}
	if hidden > 0 {
		out.printf("%s without problems not shown\n\n", count(hidden, "flow"))
	}
	if unresolved {
		out.printf("unresolved: it, or an operation before it, has an error\n\n")
	}
	for i := range r.Operations {
		if o := &r.Operations[i]; len(o.NotLookedAt) > 0 {
			out.printf("%s: not looked at: %s\n\n", s.operation(o.Ref), printable(strings.Join(o.NotLookedAt, ", ")))
		}
	}
}

// aligned returns rows in columns. The last column is not padded, and a cell that is wider than
// all others by far does not widen its column.
func aligned(rows [][]string) string {
	const widest = 40
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], min(runewidth.StringWidth(cell), widest))
		}
	}
	var b strings.Builder
	for _, cells := range rows {
		for i, cell := range cells {
			b.WriteString(cell)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", max(widths[i]-runewidth.StringWidth(cell), 0)+2))
			}
		}
		b.WriteString("\n")
	}
	return trailing(b.String())
}

// trailing removes blanks at the ends of lines.
func trailing(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// shortener leaves out the parts of names that the reader does not need: a namespace that all
// operations have, the kind of an operation whose name no other operation has, and the part
// before the slash of a label key if no other key is the same after it.
type shortener struct {
	namespace string
	kinds     map[[2]string]dataflow.Kind // by namespace and name; "" if there are several
	keys      map[string]map[string]bool
}

func newShortener(r *report) *shortener {
	s := &shortener{kinds: make(map[[2]string]dataflow.Kind, len(r.Operations)), keys: map[string]map[string]bool{}}
	for i := range r.Operations {
		o := &r.Operations[i]
		if i == 0 {
			s.namespace = o.Namespace
		}
		if s.namespace != o.Namespace {
			s.namespace = ""
		}
		name := [2]string{o.Namespace, o.Name}
		if kind, ok := s.kinds[name]; ok && kind != o.Kind {
			s.kinds[name] = ""
		} else {
			s.kinds[name] = o.Kind
		}
		for _, key := range o.Keys {
			name := afterSlash(key)
			if s.keys[name] == nil {
				s.keys[name] = map[string]bool{}
			}
			s.keys[name][key] = true
		}
	}
	return s
}

func afterSlash(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

func (s *shortener) key(key string) string {
	if name := afterSlash(key); len(s.keys[name]) <= 1 {
		return printable(name)
	}
	return printable(key)
}

// operation names an operation.
func (s *shortener) operation(r dataflow.Ref) string {
	if r.Namespace == s.namespace {
		r.Namespace = ""
	}
	return printable(r.String())
}

// other names an operation in a cell of another one.
func (s *shortener) other(r *dataflow.Ref, o *operation) string {
	short := *r
	if s.kinds[[2]string{r.Namespace, r.Name}] == r.Kind {
		short.Kind = ""
	}
	if r.Namespace == o.Namespace {
		short.Namespace = ""
	}
	return printable(strings.TrimSpace(short.String()))
}

// row is the line of an operation. One that has a problem is marked.
func (s *shortener) row(o *operation) []string {
	after, mark := "-", map[dataflow.Severity]string{dataflow.SeverityError: " ✗", dataflow.SeverityWarning: " !"}[o.worst]
	if o.RunAfter != nil {
		after = s.other(o.RunAfter, o)
	}
	return []string{strconv.Itoa(o.Flow), s.operation(o.Ref) + mark, after, s.inherits(o), s.state(o)}
}

func (s *shortener) inherits(o *operation) string {
	if o.Source == nil {
		return "-"
	}
	keys := make([]string, len(o.Keys))
	for i, key := range o.Keys {
		keys[i] = s.key(key)
	}
	text := string(o.Policy) + " " + strings.Join(keys, ", ")
	if *o.Source != *o.RunAfter {
		text += " of " + s.other(o.Source, o)
	}
	return text
}

func (s *shortener) state(o *operation) string {
	switch {
	case o.State == "":
		return "unresolved"
	case o.State == dataflow.Running || o.State == dataflow.Finished:
		return string(o.State) + " (" + printable(string(o.Phase)) + ")"
	case o.On != nil && o.RunAfter != nil && *o.On == *o.RunAfter:
		return string(o.State)
	case o.On != nil:
		return string(o.State) + " on " + s.other(o.On, o)
	}
	text := string(o.State)
	for key, value := range o.inherited.All() {
		text += ", " + s.key(key) + "=" + printable(value)
	}
	for _, key := range o.Missing {
		text += ", no " + s.key(key)
	}
	return text
}

// printNodes prints, for each flow, where its operations can run.
func (s *shortener) printNodes(out *errorWriter, r *report) {
	for i := range r.flows {
		if f := &r.flows[i]; f.forecast != nil && r.nodes > 0 && r.shown(f) {
			s.printFlow(out, r, i)
		}
	}
}

// printFlow prints a column for each group of nodes, and a legend. If there are too many groups
// for a line, it prints the numbers of nodes instead.
func (s *shortener) printFlow(out *errorWriter, r *report, i int) {
	f := &r.flows[i]
	const most = 12
	if len(f.groups) > most {
		out.printf("%s%s\n\n", aligned(s.numbers(r, i)), "the numbers of nodes: yes, the whole flow can complete; strands, it would stop for good")
		return
	}
	reasons := &legend{numbers: map[string]int{}}
	rows := [][]string{{fmt.Sprintf("NODES OF FLOW %d", i+1)}}
	for g := range f.groups {
		rows[0] = append(rows[0], string(rune('A'+g)))
	}
	for at := f.first; at < f.end; at++ {
		o := &r.Operations[at]
		cells := []string{s.operation(o.Ref)}
		for g := range f.groups {
			cells = append(cells, reasons.cell(f.forecast, o, &f.groups[g]))
		}
		rows = append(rows, cells)
	}
	out.printf("%s", aligned(rows))
	for g, group := range f.groups {
		labels := ""
		if group.Labels.Len() > 0 && group.Count > 1 {
			labels = " (" + printable(group.Labels.String()) + ")"
		}
		out.printf("%c: %s%s\n", 'A'+g, printable(some(group.Names)), shortened(labels))
	}
	for n, reason := range reasons.texts {
		out.printf("%d: %s\n", n+1, printable(reason))
	}
	out.printf("yes: the whole flow can complete\n\n")
}

// legend numbers the reasons why operations cannot run on nodes.
type legend struct {
	numbers map[string]int
	texts   []string
}

// cell is what a group of nodes is to an operation: yes, ran, or no with the number of the
// reason.
func (l *legend) cell(fc *dataflow.Forecast, o *operation, g *group) string {
	node := g.Names[0]
	verdict := fc.Verdict(o.Ref, node)
	switch {
	case o.node != "" && g.Count == 1 && node == o.node:
		return "ran"
	case verdict == dataflow.VerdictFeasible:
		return "yes"
	}
	reason := fc.Why(o.Ref, node)
	if verdict == dataflow.VerdictStrands {
		reason = "strands: " + reason
	}
	n, ok := l.numbers[reason]
	if !ok {
		l.texts = append(l.texts, reason)
		n = len(l.texts)
		l.numbers[reason] = n
	}
	word := "no"
	if verdict == dataflow.VerdictStrands {
		word = "strands"
	}
	return fmt.Sprintf("%s %d", word, n)
}

// numbers returns the numbers of nodes for each operation of a flow, by verdict.
func (s *shortener) numbers(r *report, i int) [][]string {
	f := &r.flows[i]
	rows := [][]string{{fmt.Sprintf("NODES OF FLOW %d", i+1), "yes", "strands", "no"}}
	for at := f.first; at < f.end; at++ {
		o := &r.Operations[at]
		feasible, strands := len(f.forecast.Nodes(o.Ref)), len(f.forecast.Strands(o.Ref))
		rows = append(rows, []string{s.operation(o.Ref), strconv.Itoa(feasible), strconv.Itoa(strands), strconv.Itoa(r.nodes - feasible - strands)})
	}
	return rows
}

// some lists a few names, and the number of the others.
func some(names []string) string {
	const few = 5
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// printable makes text harmless for a terminal, a log and a markup language of lines: control
// characters, marks of direction and invalid text are written as escape sequences.
func printable(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = ' ' <= text[i] && text[i] <= '~'
	}
	if plain || utf8.ValidString(text) && strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) || isControl(c) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// shortened leaves out the middle of a long text.
func shortened(text string) string {
	const most, each = 1000, 400
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:each], "") + " … " + strings.ToValidUTF8(text[len(text)-each:], "")
}

func coloured(severity dataflow.Severity, colour bool) string {
	switch {
	case !colour:
		return string(severity)
	case severity == dataflow.SeverityError:
		return "\x1b[31m" + string(severity) + "\x1b[0m"
	default:
		return "\x1b[33m" + string(severity) + "\x1b[0m"
	}
}
