package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printTable prints a report for people: a line an operation, flow by flow, then where
// the operations can run, and below what is wrong.
func printTable(w io.Writer, r *report, colour bool) error {
	out := errorWriter{w: w}
	s := newShortener(r)
	rows := make([]row, 0, len(r.Operations)+1)
	if len(r.Operations) > 0 {
		rows = append(rows, row{"FLOW", "OPERATION", "RUNS AFTER", "INHERITS", "STATE"})
	}
	for i := range r.Operations {
		rows = append(rows, s.row(&r.Operations[i]))
	}
	var widths [len(row{})]int
	for _, cells := range rows {
		for i, cell := range cells {
			if width := utf8.RuneCountInString(cell); width <= widest {
				widths[i] = max(widths[i], width)
			}
		}
	}
	var line []byte
	for _, cells := range rows {
		last := len(cells) - 1
		line = line[:0]
		for i, cell := range cells[:last] {
			line = append(line, cell...)
			for range widths[i] + 2 - min(utf8.RuneCountInString(cell), widths[i]) {
				line = append(line, ' ')
			}
		}
		line = append(append(line, cells[last]...), '\n')
		out.write(line)
	}
	if len(rows) > 0 {
		out.printf("\n")
	}
	if slices.ContainsFunc(rows, func(cells row) bool { return cells[len(row{})-1] == unresolved }) {
		out.printf("%s: what it would do is not known, as it is at fault, or one that it comes after\n\n", unresolved)
	}
	s.printNodes(&out, r)
	for i := range r.Problems {
		p := &r.Problems[i]
		places := make([]string, len(p.Places))
		for i, at := range p.Places {
			places[i] = fmt.Sprintf("%s:%d", at.File, at.Line)
		}
		out.printf("%s %s  %s\n", coloured(p.Severity, colour), p.Code, shortened(printable(strings.Join(places, ", "))))
		out.printf("    %s: %s\n", printable(p.Operation.String()), printable(p.Field))
		out.printf("    %s\n\n", shortened(printable(p.Message)))
	}
	out.printf("%s in %s: %s, %s; %s passed over\n",
		count(len(r.Operations), "operation"), count(r.Flows, "flow"),
		count(r.count(dataflow.SeverityError), "error"), count(r.count(dataflow.SeverityWarning), "warning"), count(r.Skipped, "other object"))
	return out.err
}

func (w *errorWriter) printf(format string, args ...any) { w.write(fmt.Appendf(nil, format, args...)) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

const unresolved = "unresolved"

// row is one line of the table.
type row [5]string

// widest is how many characters a cell may have to widen its column. A longer one moves
// only what is to its right.
const widest = 100

// shortener leaves out what goes without saying: a namespace that all operations have,
// the kind of an operation of a name that no other has, and what stands before the slash
// of a label key if no other key is the same behind it.
type shortener struct {
	namespace string                      // that all have, if it is not empty
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
			s.add(key)
		}
	}
	return s
}

func (s *shortener) add(key string) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	if s.keys[name] == nil {
		s.keys[name] = map[string]bool{}
	}
	s.keys[name][key] = true
}

func (s *shortener) key(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	if len(s.keys[name]) > 1 {
		name = key
	}
	return printable(name)
}

// operation names an operation.
func (s *shortener) operation(r dataflow.Ref) string {
	if r.Namespace == s.namespace {
		r.Namespace = ""
	}
	return printable(r.String())
}

// other names an operation in a cell of another.
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

func (s *shortener) row(o *operation) row {
	after := "-"
	if o.RunAfter != nil {
		after = s.other(o.RunAfter, o)
	}
	return row{strconv.Itoa(o.flow), s.operation(o.Ref), after, s.inherits(o), s.state(o)}
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
	case o.Phase != "" && o.Phase != dataflow.Pending:
		return printable(string(o.Phase))
	case o.State == "":
		return unresolved
	case o.On != nil && o.RunAfter != nil && *o.On == *o.RunAfter:
		return string(o.State)
	case o.On != nil:
		return string(o.State) + " on " + s.other(o.On, o)
	}
	text := string(o.State)
	for key, value := range o.labels.All() {
		text += ", " + s.key(key) + "=" + printable(value)
	}
	for _, key := range o.Missing {
		text += ", no " + s.key(key)
	}
	return text
}

// printable makes text harmless to a terminal: control characters are written out, and
// so is what is not text.
func printable(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = ' ' <= text[i] && text[i] <= '~'
	}
	if plain {
		return text // the usual case
	}
	harmless := utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if harmless {
		return text
	}
	quoted := fmt.Sprintf("%q", text)
	return quoted[1 : len(quoted)-1]
}

// shortened leaves out the middle of a text that is as long as only a long cycle, or
// thousands of copies, make it. The other outputs have it whole.
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
