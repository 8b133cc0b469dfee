package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/yaml"
)

// printers are the forms in which a report can be printed.
func printers(colour bool) map[string]func(io.Writer, *report) error {
	return map[string]func(io.Writer, *report) error{
		"table":   func(w io.Writer, r *report) error { return printTable(w, r, colour) },
		"json":    printJSON,
		"yaml":    printYAML,
		"mermaid": printMermaid,
	}
}

// entries are a list of the report. It is encoded one entry at a time: a million
// operations as a whole would take more memory than reading them.
type entries struct {
	name string
	n    int
	at   func(i int) any
}

func (r *report) operations() entries {
	return entries{"operations", len(r.Operations), func(i int) any { return &r.Operations[i] }}
}

func (r *report) problems() entries {
	return entries{"problems", len(r.Problems), func(i int) any { return &r.Problems[i] }}
}

// printJSON prints what json.Encoder would print of the report, indented by two blanks.
func printJSON(w io.Writer, r *report) error {
	rest := *r
	rest.Operations, rest.Problems = nil, nil
	text, err := encodeJSON(rest, "")
	if err != nil {
		return err
	}
	out := errorWriter{w: w}
	for _, list := range []entries{r.operations(), r.problems()} {
		before, after, _ := bytes.Cut(text, []byte(`"`+list.name+`": null`))
		out.write(before, []byte(`"`+list.name+`": [`))
		for i := range list.n {
			entry, err := encodeJSON(list.at(i), "    ")
			if err != nil {
				return err
			}
			if i > 0 {
				out.write([]byte(","))
			}
			out.write([]byte("\n    "), bytes.TrimSuffix(entry, []byte("\n")))
		}
		if list.n > 0 {
			out.write([]byte("\n  "))
		}
		out.write([]byte("]"))
		text = after
	}
	out.write(text)
	return out.err
}

func encodeJSON(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent(prefix, "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// printYAML prints what the encoder of YAML would print of the report.
func printYAML(w io.Writer, r *report) error {
	rest := *r
	rest.Operations, rest.Problems = nil, nil
	text, err := yaml.Marshal(rest)
	if err != nil {
		return err
	}
	out := errorWriter{w: w}
	for _, list := range []entries{r.operations(), r.problems()} {
		before, after, _ := bytes.Cut(text, []byte(list.name+": null"))
		out.write(before, []byte(list.name+":"))
		for i := range list.n {
			entry, err := yaml.Marshal([]any{list.at(i)})
			if err != nil {
				return err
			}
			out.write([]byte("\n"), bytes.TrimSuffix(entry, []byte("\n")))
		}
		if list.n == 0 {
			out.write([]byte(" []"))
		}
		text = after
	}
	out.write(text)
	return out.err
}

// printMermaid prints one picture of all flows.
func printMermaid(w io.Writer, r *report) error {
	problems := make([]dataflow.Problem, len(r.Problems))
	for i, p := range r.Problems {
		problems[i] = dataflow.Problem{Code: p.Code, Severity: p.Severity, Operation: p.Operation}
	}
	operations := make([]dataflow.Operation, len(r.Operations))
	for i := range r.Operations {
		read := r.Operations[i].read
		operations[i] = read.Operation
		if read.Faulty && read.RunAfter != nil { // what it would inherit is not known
			operations[i].RunAfter = &dataflow.RunAfter{Ref: read.RunAfter.Ref}
		}
	}
	_, err := io.WriteString(w, dataflow.Mermaid(operations, problems))
	return err
}

// errorWriter writes until an error, which it keeps.
type errorWriter struct {
	w   io.Writer
	err error
}

func (w *errorWriter) write(pieces ...[]byte) {
	for _, piece := range pieces {
		if w.err == nil {
			_, w.err = w.w.Write(piece)
		}
	}
}
