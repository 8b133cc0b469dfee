package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// printers are the forms of the output. The writer keeps its error.
func printers(o options, colour bool) map[string]func(*bufio.Writer, *report) error {
	return map[string]func(*bufio.Writer, *report) error{
		"table":    func(w *bufio.Writer, r *report) error { printTable(w, r, colour, o.quiet); return nil },
		"json":     printJSON,
		"yaml":     printYAML,
		"mermaid":  printMermaid,
		"html":     printHTML,
		"lines":    func(w *bufio.Writer, r *report) error { printLines(w, r); return nil },
		"github":   func(w *bufio.Writer, r *report) error { printGitHub(w, r); return nil },
		"markdown": func(w *bufio.Writer, r *report) error { printMarkdown(w, r, o.quiet); return nil },
		"junit":    func(w *bufio.Writer, r *report) error { return printJUnit(w, r, o.failOn == "warning") },
		"sarif":    printSARIF,
	}
}

// syntax is a form of a report as data. The two lists of a report that may be long are encoded entry by
// entry: as a whole, a million operations would take more memory than reading them.
type syntax struct {
	encode, entry    func(v any) ([]byte, error)
	null, empty      string // a list that is nil, and one without entries; %s is its name
	open, next, done string // before the first entry, before another one, and after the last
}

func printJSON(w *bufio.Writer, r *report) error {
	return syntax{
		encode: func(v any) ([]byte, error) { return encodeJSON(v, "") },
		entry:  func(v any) ([]byte, error) { return encodeJSON(v, "    ") },
		null:   `"%s": null`, empty: `"%s": []`, open: "\"%s\": [\n    ", next: ",\n    ", done: "\n  ]",
	}.print(w, r)
}

// printYAML prints the fields in the order of JSON.
func printYAML(w *bufio.Writer, r *report) error {
	return syntax{
		encode: encodeYAML,
		entry:  func(v any) ([]byte, error) { return encodeYAML([]any{v}) },
		null:   "%s: null", empty: "%s: []", open: "%s:\n", next: "\n",
	}.print(w, r)
}

func (s syntax) print(w *bufio.Writer, r *report) error {
	rest := *r
	rest.Operations, rest.Problems = nil, nil
	text, err := s.encode(rest)
	if err != nil {
		return err
	}
	for _, list := range []struct {
		name string
		n    int
		at   func(i int) any
	}{
		{"operations", len(r.Operations), func(i int) any { return &r.Operations[i] }},
		{"problems", len(r.Problems), func(i int) any { return &r.Problems[i] }},
	} {
		before, after, _ := bytes.Cut(text, fmt.Appendf(nil, s.null, list.name))
		text = after
		w.Write(before)
		if list.n == 0 {
			fmt.Fprintf(w, s.empty, list.name)
			continue
		}
		fmt.Fprintf(w, s.open, list.name)
		for i := range list.n {
			entry, err := s.entry(list.at(i))
			if err != nil {
				return err
			}
			if i > 0 {
				w.WriteString(s.next)
			}
			w.Write(bytes.TrimSuffix(entry, []byte("\n")))
		}
		w.WriteString(s.done)
	}
	w.Write(text)
	return nil
}

func encodeJSON(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent(prefix, "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return escaped(b.Bytes()), err
}

// escaped replaces what could act on a terminal, or is no text, by its escape sequence in JSON
// and in double-quoted YAML. In encoded text it occurs in strings only.
func escaped(text []byte) []byte {
	clean := true
	for i := 0; i < len(text) && clean; i++ {
		clean = text[i] < 0x7f
	}
	if clean {
		return text
	}
	var out []byte
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		if c < 0x7f || !isControl(c) {
			out = append(out, text[:size]...)
		} else {
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		text = text[size:]
	}
	return out
}

// isControl reports whether a character has an effect instead of a shape: control
// characters, marks that change the direction of text, separators, and noncharacters.
func isControl(c rune) bool {
	switch {
	case c < 0x20, 0x7f <= c && c <= 0x9f, c == 0x61c, 0x200b <= c && c <= 0x200f, 0x2028 <= c && c <= 0x202e, 0x2060 <= c && c <= 0x206f,
		c == 0xfeff, 0xfff0 <= c && c <= 0xffff:
		return true
	}
	return false
}

// encodeYAML encodes the JSON form of v, which is YAML already, in block style.
func encodeYAML(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(escaped(text), &node); err != nil {
		return nil, err
	}
	inBlocks(&node)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err = e.Encode(&node)
	return escaped(b.Bytes()), err
}

// oldScalar matches what YAML 1.1 takes for a boolean, a number in base 60, or the value of a
// mapping, and YAML 1.2 for a string.
var oldScalar = regexp.MustCompile(`^(?:[yY]|[nN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|=|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$`)

// inBlocks gives a node block style, and scalars their plain style where it is harmless.
func inBlocks(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		if oldScalar.MatchString(n.Value) {
			n.Style = yaml.DoubleQuotedStyle
		}
		for _, c := range n.Value {
			if isControl(c) {
				n.Style = yaml.DoubleQuotedStyle
			}
		}
	}
	for _, child := range n.Content {
		inBlocks(child)
	}
}
