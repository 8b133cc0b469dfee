package dataflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Mermaid returns a picture of operations in the language that GitHub draws inside a code
// block called mermaid, whether or not [New] accepts them.
//
// Each flow is a subgraph. An arrow leads from an operation to each one that runs after it.
// Its label is the policy and the label keys that are inherited; if they are inherited from
// another operation than the predecessor, a dotted arrow from there has the label. Operations
// are marked with the codes of their problems, and with the phase and the node that were seen;
// nil problems and seen mark nothing. An operation that is not given, but is referred to or
// has a problem, is drawn dashed. Without operations and problems the picture is empty. Equal
// inputs give equal bytes.
//
// Names are drawn as they are, and characters without a shape as escape sequences. By default
// Mermaid draws at most 500 arrows, and nothing from more than 50,000 characters.
func Mermaid(operations []Operation, problems []Problem, seen map[Ref]Observation) string {
	p := picture{
		codes: map[Ref][]Code{}, severity: map[Ref]Severity{}, seen: seen,
		ids: make(map[Ref]string, len(operations)), strangers: map[Ref]bool{}, classes: map[string][]string{},
	}
	p.b.WriteString("flowchart LR\n")
	for _, problem := range problems {
		p.mark(problem)
	}
	for i, part := range Split(operations...) {
		p.flow(i+1, part)
	}
	for _, problem := range problems {
		if !p.strangers[problem.Operation] {
			p.node("  ", problem.Operation, stranger)
		}
	}
	for _, class := range []struct{ name, style string }{
		{"error", "stroke:#d1242f,stroke-width:3px"},
		{"warning", "stroke:#bf8700,stroke-width:3px"},
		{"stranger", "stroke-dasharray:4"},
		{"complete", "fill:#2da44e55"},
		{"executing", "fill:#0969da55"},
		{"failed", "fill:#d1242f55"},
	} {
		if ids := p.classes[class.name]; len(ids) > 0 {
			fmt.Fprintf(&p.b, "  classDef %s %s\n  class %s %s\n", class.name, class.style, strings.Join(ids, ","), class.name)
		}
	}
	return p.b.String()
}

// newLine separates the lines of a label. Beside <br/>, Mermaid reads a label as HTML, and then
// finds formulas and icons in the characters of character codes.
const newLine = `\n`

// stranger is the remark on an operation that is not given.
const stranger = "not in the flow"

// picture is one that is being drawn.
type picture struct {
	b        strings.Builder
	codes    map[Ref][]Code   // of each operation's problems, each once
	severity map[Ref]Severity // the worst of them
	seen     map[Ref]Observation
	drawn    int // how many operations have been drawn

	ids       map[Ref]string      // of the operations that have been drawn, and the strangers of the present flow
	strangers map[Ref]bool        // of all flows
	classes   map[string][]string // the ids of each class
}

func (p *picture) mark(problem Problem) {
	if !slices.Contains(p.codes[problem.Operation], problem.Code) {
		p.codes[problem.Operation] = append(p.codes[problem.Operation], problem.Code)
	}
	if p.severity[problem.Operation] != SeverityError {
		p.severity[problem.Operation] = problem.Severity
	}
}

// flow draws a connected part of the operations. It draws the strangers to which it refers
// again if another part refers to them, so that no arrow connects two subgraphs.
func (p *picture) flow(number int, part []Operation) {
	fmt.Fprintf(&p.b, "  subgraph flow%d[\"flow %d\"]\n    direction LR\n", number, number)
	for i := range part {
		p.node("    ", part[i].Ref, "")
	}
	var strangers []Ref
	node := func(ref Ref) string {
		id, ok := p.ids[ref]
		if !ok {
			strangers = append(strangers, ref)
			id = p.node("    ", ref, stranger)
		}
		return id
	}
	arrows := map[string]bool{}
	for i := range part {
		op := &part[i]
		predecessor, ok := op.Predecessor()
		if !ok {
			continue
		}
		to := p.ids[op.Ref]
		arrow := fmt.Sprintf("    %s --> %s\n", node(predecessor), to)
		if source, ok := op.Source(); ok {
			label := arrowLabel(op)
			if source == predecessor {
				arrow = fmt.Sprintf("    %s -- %s --> %s\n", node(predecessor), label, to)
			} else {
				arrow += fmt.Sprintf("    %s -. %s .-> %s\n", node(source), label, to)
			}
		}
		if !arrows[arrow] { // a repeated operation
			arrows[arrow] = true
			p.b.WriteString(arrow)
		}
	}
	for _, ref := range strangers {
		delete(p.ids, ref)
		p.strangers[ref] = true
	}
	p.b.WriteString("  end\n")
}

// arrowLabel says what an operation inherits.
func arrowLabel(op *Operation) string {
	lines := []string{escape(string(op.RunAfter.Strategy.Policy))}
	for _, key := range op.RunAfter.Strategy.Keys() {
		lines = append(lines, escape(key))
	}
	return `"` + strings.Join(lines, newLine) + `"`
}

// node draws an operation, with a remark, unless it has been drawn. It returns its id.
func (p *picture) node(indent string, ref Ref, remark string) string {
	if id, ok := p.ids[ref]; ok {
		return id
	}
	id := fmt.Sprintf("op%d", p.drawn)
	p.ids[ref] = id
	p.drawn++
	lines := []string{escape(ref.Name)}
	if ref.Namespace != "" {
		lines[0] = escape(ref.Namespace + "/" + ref.Name)
	}
	lines = append(lines, escape(string(ref.Kind)))
	if ref == (Ref{}) {
		lines = []string{"no operation"}
	}
	if seen := p.seen[ref]; seen.Phase != "" {
		at := escape(string(seen.Phase))
		if seen.Node != "" {
			at += " on " + escape(seen.Node)
		}
		lines = append(lines, at)
	}
	for _, code := range p.codes[ref] {
		lines = append(lines, escape(string(code)))
	}
	if remark != "" && ref != (Ref{}) {
		lines = append(lines, remark)
	}
	fmt.Fprintf(&p.b, "%s%s[\"%s\"]\n", indent, id, strings.Join(lines, newLine))
	p.classify(id, ref, remark != "")
	return id
}

// classify notes the classes of an operation.
func (p *picture) classify(id string, ref Ref, stranger bool) {
	add := func(class string) { p.classes[class] = append(p.classes[class], id) }
	if severity, ok := p.severity[ref]; ok {
		add(strings.ToLower(string(severity)))
	}
	if stranger {
		add("stranger")
	}
	switch phase := p.seen[ref].Phase; phase {
	case Complete, Executing, Failed:
		add(strings.ToLower(string(phase)))
	}
}

// escape makes text safe inside a quoted Mermaid label, whatever is in it. Letters and digits
// of ASCII and the marks of names and label keys stay as they are; all else becomes a
// character code, which Mermaid draws as the character. What has no shape, or is part of
// Mermaid's own escape sequences, becomes an escape sequence of Go.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_./", r):
			b.WriteRune(r)
		case !unicode.IsPrint(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString("#92;" + quoted[2:len(quoted)-1])
		case r == 'ﬂ', r == '¶':
			fmt.Fprintf(&b, "#92;u%04x", r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
