package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printTable prints a report for people: a line an operation, flow by flow, and
// below them what is wrong.
func printTable(w io.Writer, r *report, colour bool) error {
	heads := row{"FLOW", "OPERATION", "RUNS AFTER", "INHERITS", "STATE"}
	var widths [len(heads)]int
	each := func(do func(row)) {
		do(heads)
		for i := range r.Operations {
			do(rowOf(&r.Operations[i]))
		}
	}
	each(func(cells row) {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	})
	each(func(cells row) {
		last := len(cells) - 1
		for i, cell := range cells[:last] {
			fmt.Fprintf(w, "%-*s  ", widths[i], cell)
		}
		fmt.Fprintln(w, cells[last])
	})

	for i := range r.Problems {
		p := &r.Problems[i]
		places := make([]string, len(p.Places))
		for i, at := range p.Places {
			places[i] = fmt.Sprintf("%s:%d", at.File, at.Line)
		}
		fmt.Fprintf(w, "\n%s %s  %s\n    %s: %s\n    %s\n", coloured(p.Severity, colour), p.Code,
			printable(strings.Join(places, ", ")), printable(p.Operation.String()), printable(p.Field), shortened(printable(p.Message)))
	}
	_, err := fmt.Fprintf(w, "\n%s in %s: %s, %s; %s passed over\n",
		count(len(r.Operations), "operation"), count(r.Flows, "flow"),
		count(r.count(dataflow.Error), "error"), count(r.count(dataflow.Warning), "warning"), count(r.Skipped, "other object"))
	return err
}

// row is one line of the table.
type row [5]string

func rowOf(o *operation) row {
	return row{strconv.Itoa(o.flow), printable(o.String()), predecessor(o), inherits(o), state(o)}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func predecessor(o *operation) string {
	if o.RunAfter == nil {
		return "-"
	}
	return brief(o.RunAfter, o)
}

// brief leaves out of a reference what goes without saying beside o.
func brief(r *reference, o *operation) string {
	switch {
	case r.Namespace != o.Namespace:
		return printable(r.String())
	case r.Kind != o.Kind:
		return printable(string(r.Kind) + " " + r.Name)
	default:
		return printable(r.Name)
	}
}

func inherits(o *operation) string {
	if o.Source == nil {
		return "-"
	}
	text := string(o.Policy) + " " + printable(strings.Join(o.Keys, ", "))
	if *o.Source != *o.RunAfter {
		text += " of " + brief(o.Source, o)
	}
	return text
}

func state(o *operation) string {
	switch {
	case o.State == "":
		return "rejected"
	case o.On != nil:
		return string(o.State) + " on " + brief(o.On, o)
	case len(o.Missing) > 0:
		return string(o.State) + ", without " + printable(strings.Join(o.Missing, ", "))
	default:
		return string(o.State)
	}
}

// printable makes text harmless to a terminal: control characters are written out.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	quoted := fmt.Sprintf("%q", text)
	return quoted[1 : len(quoted)-1]
}

// shortened leaves out the middle of a message that is as long as only a long
// cycle makes it. The other outputs have it whole.
func shortened(message string) string {
	const most, each = 1000, 400
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:each], "") + " … " + strings.ToValidUTF8(message[len(message)-each:], "")
}

func coloured(severity dataflow.Severity, colour bool) string {
	switch {
	case !colour:
		return string(severity)
	case severity == dataflow.Error:
		return "\x1b[31m" + string(severity) + "\x1b[0m"
	default:
		return "\x1b[33m" + string(severity) + "\x1b[0m"
	}
}
