package dataflow

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid returns a picture of operations in the language that GitHub draws inside a code
// block called mermaid, whether or not [New] accepts them. An arrow points from an
// operation to the one that it runs after, and a dotted arrow to the one that it inherits
// from, with the policy and the label keys. Operations with problems are marked with the
// codes; an operation that is not given, but is referred to or has a problem, is drawn
// dashed. Without operations and problems the picture is empty. Equal inputs give equal
// bytes.
func Mermaid(operations []Operation, problems []Problem) string {
	p := picture{codes: map[Ref][]Code{}, severity: map[Ref]Severity{}, ids: make(map[Ref]string, len(operations)), drawn: map[string]int{}}
	p.b.WriteString("flowchart BT\n")
	for _, problem := range problems {
		p.mark(problem)
	}
	for i := range operations {
		p.node(operations[i].Ref, "op", "")
	}
	for _, problem := range problems {
		p.node(problem.Operation, "not", "")
	}
	for i := range operations {
		op := &operations[i]
		if predecessor, ok := op.Predecessor(); ok {
			to := p.node(predecessor, "not", "not in the flow")
			fmt.Fprintf(&p.b, "  %s -- runAfter --> %s\n", p.ids[op.Ref], to)
		}
		if source, ok := op.Source(); ok {
			to := p.node(source, "not", "not in the flow")
			fmt.Fprintf(&p.b, "  %s -. \"%s<br/>%s\" .-> %s\n", p.ids[op.Ref], escape(string(op.RunAfter.Strategy.Policy)), escape(strings.Join(op.RunAfter.Strategy.Keys(), ", ")), to)
		}
	}
	p.b.WriteString("  classDef error stroke:#d1242f,stroke-width:3px\n")
	p.b.WriteString("  classDef warning stroke:#bf8700,stroke-width:3px\n")
	p.b.WriteString("  classDef stranger stroke-dasharray:4\n")
	return p.b.String()
}

// picture is one that is being drawn.
type picture struct {
	b        strings.Builder
	codes    map[Ref][]Code   // of each operation's problems, each once
	severity map[Ref]Severity // the worst of them
	ids      map[Ref]string   // of what has been drawn
	drawn    map[string]int   // how many of each kind, by the prefix of their ids
}

func (p *picture) mark(problem Problem) {
	if !slices.Contains(p.codes[problem.Operation], problem.Code) {
		p.codes[problem.Operation] = append(p.codes[problem.Operation], problem.Code)
	}
	if p.severity[problem.Operation] != SeverityError {
		p.severity[problem.Operation] = problem.Severity
	}
}

// node draws an operation, with a remark, unless it has been drawn. It returns its id.
func (p *picture) node(ref Ref, prefix, remark string) string {
	if id, ok := p.ids[ref]; ok {
		return id
	}
	id := fmt.Sprintf("%s%d", prefix, p.drawn[prefix])
	p.ids[ref] = id
	p.drawn[prefix]++
	name := string(ref.Kind) + " " + ref.Name
	switch {
	case ref == (Ref{}):
		name = "no operation"
	case ref.Namespace != "":
		name = string(ref.Kind) + " " + ref.Namespace + "/" + ref.Name
	}
	fmt.Fprintf(&p.b, "  %s[\"%s", id, escape(name))
	for _, code := range p.codes[ref] {
		fmt.Fprintf(&p.b, "<br/>%s", escape(string(code)))
	}
	if remark != "" {
		fmt.Fprintf(&p.b, "<br/>%s", remark)
	}
	p.b.WriteString("\"]")
	if s, ok := p.severity[ref]; ok {
		fmt.Fprintf(&p.b, ":::%s", strings.ToLower(string(s)))
	} else if remark != "" {
		p.b.WriteString(":::stranger")
	}
	p.b.WriteString("\n")
	return id
}

// escape makes text safe inside a quoted Mermaid label, whatever is in it: all but
// what names and label keys are made of becomes a character code.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(" -_./,", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
