package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// columns is how wide the table is: as wide as a terminal is at least.
const columns = 80

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
			out.paragraph("    ", printable(subject))
		}
		out.paragraph("    ", printable(p.Message))
		out.printf("\n")
	}
	if !quiet {
		for _, line := range strings.Split(r.summary(), "\n") {
			out.paragraph("", line)
		}
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
	text += fmt.Sprintf("\nOn %s, %d of %s can be stranded", count(r.nodes, "node"), stranding, count(r.Flows, "flow"))
	if failing > 0 {
		text += fmt.Sprintf(", %d cannot complete", failing)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d not known because of an error", unknown)
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// few is how many flows are shown in full; of more, only those with problems are. It is also how
// many reasons a legend explains.
const few = 20

// shown reports whether a flow is shown in full.
func (r *report) shown(f *flow) bool {
	return len(r.flows) <= few || slices.ContainsFunc(r.Operations[f.first:f.end], func(o operation) bool { return o.worst != "" })
}

func (s *shortener) printOperations(out *errorWriter, r *report) {
	var shown []*operation
	hidden, unresolved := 0, false
	for i := range r.flows {
		f := &r.flows[i]
		if !r.shown(f) {
			hidden++
			continue
		}
		for at := f.first; at < f.end; at++ {
			shown = append(shown, &r.Operations[at])
			unresolved = unresolved || r.Operations[at].State == ""
		}
	}
	if len(shown) > 0 {
		out.printf("%s\n", s.table(shown))
		if s.prefix != "" {
			out.paragraph("", fmt.Sprintf("…: the names start with %s", s.prefix))
			out.printf("\n")
		}
	}
	if hidden > 0 {
		out.printf("%s without problems not shown\n\n", count(hidden, "flow"))
	}
	if unresolved {
		out.printf("unresolved: it, or an operation before it, has an error or was not read\n\n")
	}
	for i := range r.Operations {
		if o := &r.Operations[i]; len(o.NotLookedAt) > 0 {
			out.paragraph("", fmt.Sprintf("%s: not looked at: %s", s.operation(o.Ref), printable(strings.Join(o.NotLookedAt, ", "))))
			out.printf("\n")
		}
	}
}

// table returns the table of operations. If it is too wide, what the names have in common is left
// out, and then other operations are named by the numbers of their rows.
func (s *shortener) table(shown []*operation) string {
	prefix, numbers := commonPrefix(shown), make(map[dataflow.Ref]int, len(shown))
	for i := len(shown) - 1; i >= 0; i-- {
		numbers[shown[i].Ref] = i + 1
	}
	rows := s.rows(shown)
	if width(rows) > columns && prefix != "" {
		s.prefix = prefix
		rows = s.rows(shown)
	}
	if width(rows) > columns && len(shown) > 1 {
		s.numbers = numbers
		rows = s.rows(shown)
	}
	return aligned(rows)
}

// commonPrefix returns what all names start with, up to a dash or a dot.
func commonPrefix(operations []*operation) string {
	const least = 6 // below that it does not save much
	prefix := operations[0].Name
	for _, o := range operations {
		n := 0
		for n < min(len(prefix), len(o.Name)) && prefix[n] == o.Name[n] {
			n++
		}
		prefix = prefix[:n]
	}
	prefix = prefix[:strings.LastIndexAny(prefix, "-.")+1]
	if len(operations) == 1 || len(prefix) < least || printable(prefix) != prefix {
		return ""
	}
	return prefix
}

// rows are the rows of the table of operations, with its head.
func (s *shortener) rows(operations []*operation) [][]string {
	rows := [][]string{{"FLOW", "#", "OPERATION", "KIND", "RUNS AFTER", "INHERITS", "STATE"}}
	marked := slices.ContainsFunc(operations, func(o *operation) bool { return o.worst != "" })
	for i, o := range operations {
		rows = append(rows, append([]string{strconv.Itoa(o.Flow), strconv.Itoa(i + 1)}, s.row(o)...))
	}
	if s.numbers != nil {
		rows[0][4] = "AFTER"
	}
	keep := []bool{operations[len(operations)-1].Flow > operations[0].Flow, s.numbers != nil, true, true, true, true, true}
	for i, cells := range rows {
		column := -1
		rows[i] = slices.DeleteFunc(cells, func(string) bool { column++; return !keep[column] })
		switch {
		case i > 0 && operations[i-1].worst != "":
			rows[i][0] = marks[operations[i-1].worst] + " " + rows[i][0]
		case marked:
			rows[i][0] = "  " + rows[i][0]
		}
	}
	return rows
}

// marks mark the rows of operations that have a problem.
var marks = map[dataflow.Severity]string{dataflow.SeverityError: "✗", dataflow.SeverityWarning: "!"}

// cells measures text in cells of a terminal, whatever the locale is.
var cells = &runewidth.Condition{}

// widths returns the widths of columns.
func widths(rows [][]string) []int {
	w := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			w[i] = max(w[i], cells.StringWidth(cell))
		}
	}
	return w
}

// gap is between columns.
const gap = 2

// width returns the width of a table.
func width(rows [][]string) int {
	total := -gap
	for _, w := range widths(rows) {
		total += w + gap
	}
	return total
}

// aligned returns rows in columns. If they are too wide, the widest columns are made narrower, and
// their cells have several lines.
func aligned(rows [][]string) string {
	w, excess := widths(rows), width(rows)-columns
	words, least := make([]int, len(w)), make([]int, len(w))
	for i := range w {
		for _, row := range rows {
			for _, word := range strings.Split(row[i], " ") {
				words[i] = max(words[i], cells.StringWidth(word))
			}
		}
		least[i] = min(words[i], 8)
	}
	for _, floor := range [][]int{words, least} { // words are broken only if there is no other way
		for ; excess > 0; excess-- {
			widest := -1
			for i := range w {
				if w[i] > floor[i] && (widest < 0 || w[i] > w[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			w[widest]--
		}
	}
	var b strings.Builder
	for _, row := range rows {
		lines, most := make([][]string, len(row)), 1
		for i, cell := range row {
			lines[i] = wrapped(cell, w[i], true)
			most = max(most, len(lines[i]))
		}
		for l := range most {
			line, blanks := "", 0
			for i := range row {
				text := ""
				if l < len(lines[i]) {
					text = lines[i][l]
				}
				if text != "" {
					line += strings.Repeat(" ", blanks) + text
					blanks = 0
				}
				blanks += w[i] - cells.StringWidth(text) + gap
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// requirement is one that can be pasted. It is not broken if it fits in a line.
var requirement = regexp.MustCompile(`\{key: [^{}]*\}`)

// wrapped returns the lines of a text that is broken between words, and if need be within them.
func wrapped(text string, width int, within bool) []string {
	if cells.StringWidth(text) <= width {
		return []string{text}
	}
	const noBreak = "\u2007" // which is not in printable text
	text = requirement.ReplaceAllStringFunc(text, func(r string) string {
		if cells.StringWidth(r) > width {
			return r
		}
		return strings.ReplaceAll(r, " ", noBreak)
	})
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		word = strings.ReplaceAll(word, noBreak, " ")
		if line != "" && cells.StringWidth(line)+1+cells.StringWidth(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for within && cells.StringWidth(word) > width {
			head := cells.Truncate(word, width, "")
			if head == "" {
				break
			}
			if i := strings.LastIndexAny(head, "-./_"); i > 0 {
				head = head[:i+1]
			}
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	return append(lines, line)
}

// paragraph prints text in lines that begin with an indent, by default all but the first.
func (w *errorWriter) paragraph(indent, text string) {
	const rest = "   "
	for i, line := range wrapped(text, columns-max(len(indent), len(rest)), false) {
		if i == 1 && indent == "" {
			indent = rest
		}
		w.printf("%s%s\n", indent, line)
	}
}

// shortener leaves out the parts of names that the reader does not need: a namespace that all
// operations have, the kind of an operation whose name no other operation has, and the part
// before the slash of a label key if no other key is the same after it.
type shortener struct {
	namespace string
	kinds     map[[2]string]dataflow.Kind // by namespace and name; "" if there are several
	keys      map[string]map[string]bool
	prefix    string               // of all names
	numbers   map[dataflow.Ref]int // of rows, if these name operations
	explained string               // the legend of the last table of nodes
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

// name names an operation in a table that has its kind.
func (s *shortener) name(r dataflow.Ref) string {
	if s.prefix != "" {
		r.Name = "…" + strings.TrimPrefix(r.Name, s.prefix)
	}
	if r.Namespace == s.namespace {
		return printable(r.Name)
	}
	return printable(r.Namespace + "/" + r.Name)
}

// other names an operation in a cell of another one.
func (s *shortener) other(r *dataflow.Ref, o *operation) string {
	short := *r
	if number, ok := s.numbers[*r]; ok {
		return strconv.Itoa(number)
	}
	if rest, ok := strings.CutPrefix(short.Name, s.prefix); ok && s.prefix != "" {
		short.Name = "…" + rest
	}
	if s.kinds[[2]string{r.Namespace, r.Name}] == r.Kind {
		short.Kind = ""
	}
	if r.Namespace == o.Namespace {
		short.Namespace = ""
	}
	return printable(strings.TrimSpace(short.String()))
}

// row is the line of an operation.
func (s *shortener) row(o *operation) []string {
	after := "-"
	if o.RunAfter != nil {
		after = s.other(o.RunAfter, o)
	}
	kind := printable(string(o.Kind))
	if s.numbers != nil {
		kind = strings.TrimPrefix(kind, "Data")
	}
	return []string{s.name(o.Ref), kind, after, s.inherits(o), s.state(o)}
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

// state is the state of an operation with its phase, or the phase alone once it has started.
func (s *shortener) state(o *operation) string {
	text := cmp.Or(string(o.State), "unresolved")
	switch phase := printable(string(o.Phase)); {
	case o.State == dataflow.Running || o.State == dataflow.Finished:
		text = phase // which says more
	case phase != "":
		text += " (" + phase + ")"
	}
	if o.On != nil && (o.RunAfter == nil || *o.On != *o.RunAfter) {
		text += " on " + s.other(o.On, o)
	}
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
// for a line, or too many reasons for a legend, it prints the numbers of nodes instead.
func (s *shortener) printFlow(out *errorWriter, r *report, i int) {
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
				row = append(row, reasons.cell(f.forecast, o, &f.groups[g]))
			}
			rows = append(rows, row)
		}
		reasons.finish(rows)
		if len(rows) == 1 || len(reasons.order) > few || width(rows) > columns {
			continue
		}
		out.printf("%s", aligned(rows))
		var explained strings.Builder
		legend := errorWriter{w: &explained}
		for g, group := range f.groups {
			labels := ""
			if group.Labels.Len() > 0 && group.Count > 1 {
				labels = " (" + printable(group.Labels.String()) + ")"
			}
			legend.paragraph("", fmt.Sprintf("%c: %s%s", 'A'+g, printable(some(group.Names)), shortened(labels)))
		}
		for _, reason := range reasons.order {
			text := reason.text
			if reasons.words {
				text = strings.TrimPrefix(text, reason.word+" ")
			}
			if s.prefix != "" {
				text = strings.ReplaceAll(text, s.namespace+"/"+s.prefix, "…")
			}
			legend.paragraph("", reasons.names[reason]+": "+printable(text))
		}
		if slices.ContainsFunc(rows[1:], func(row []string) bool { return slices.Contains(row[1:], "yes") }) {
			legend.printf("yes: the whole flow can complete\n")
		}
		if explained.String() == s.explained {
			out.printf("with the same nodes and reasons as above\n\n")
			return
		}
		s.explained = explained.String()
		out.printf("%s\n", s.explained)
		return
	}
	out.printf("%s", aligned(s.numbersOfNodes(r, i)))
	out.printf("YES: how many nodes, in %s; the whole flow can complete there\n\n", count(len(f.groups), "group"))
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

// verdictWords are the verdicts in a word for a cell.
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
