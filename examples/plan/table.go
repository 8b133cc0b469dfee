package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printTable prints the report for people: a line for each operation, where the operations can
// run, and the problems.
func printTable(w io.Writer, r *report, colour, quiet bool) {
	if !quiet {
		s := newShortener(r)
		s.printOperations(w, r)
		s.printNodes(w, r)
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		fmt.Fprintf(w, "%s %s  %s\n", coloured(p.Severity, colour), p.Code, p.places())
		if subject := p.subject(); subject != "" {
			paragraph(w, "    ", printable(subject))
		}
		paragraph(w, "    ", printable(p.Message))
		fmt.Fprintf(w, "\n")
	}
	if !quiet {
		for _, line := range slices.Concat(r.Notes, strings.Split(r.summary(), "\n")) {
			paragraph(w, "", line)
		}
	}
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
		switch f := &r.flows[i]; {
		case f.forecast == nil:
			unknown++
		case !f.completable():
			failing++
		case f.strands:
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

// few is how many flows are shown in full; of more, only those with problems are. It is also how
// many reasons a legend explains.
const few = 20

// shown reports whether a flow is shown in full.
func (r *report) shown(f *flow) bool {
	return len(r.flows) <= few || slices.ContainsFunc(r.Operations[f.first:f.end], func(o operation) bool { return o.worst != "" })
}

func (s *shortener) printOperations(w io.Writer, r *report) {
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
		fmt.Fprintf(w, "%s\n", s.table(shown))
		if s.prefix != "" {
			paragraph(w, "", fmt.Sprintf("…: the names start with %s", s.prefix))
			fmt.Fprintf(w, "\n")
		}
	}
	if hidden > 0 {
		fmt.Fprintf(w, "%s without problems not shown\n\n", count(hidden, "flow"))
	}
	if unresolved {
		fmt.Fprintf(w, "unresolved: it, or an operation before it, has an error or was not read\n\n")
	}
	for i := range r.Operations {
		if o := &r.Operations[i]; len(o.NotLookedAt) > 0 {
			paragraph(w, "", fmt.Sprintf("%s: not looked at: %s", s.operation(o.Ref), printable(strings.Join(o.NotLookedAt, ", "))))
			fmt.Fprintf(w, "\n")
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

// shortener leaves out the parts of names that the reader does not need: a namespace that all
// operations have, the kind of an operation whose name no other operation has, and the part
// before the slash of a label key if no other key is the same after it.
type shortener struct {
	namespace string
	kinds     map[[2]string]dataflow.Kind // by namespace and name; "" if there are several
	keys      map[string]map[string]bool
	prefix    string               // of all names
	numbers   map[dataflow.Ref]int // of rows, if these name operations
	explained string               // the legend of the last table of nodes,
	yes       string               // and the line of it that explains yes
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
	text := printable(string(o.Policy)) + " " + strings.Join(keys, ", ")
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
