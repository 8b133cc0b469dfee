package dataflow

import (
	"fmt"
	"slices"
	"strings"
)

// Mermaid returns a picture of the flow, in the language that GitHub draws inside a
// code block called mermaid. An arrow points from an operation to the one that it
// runs after, and a dotted one to the one that it inherits from, with the policy and
// the label keys. Operations with problems are marked with their codes; what is not
// in the flow is drawn dashed. The same flow gives the same bytes.
func (f *Flow) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart BT\n")
	codes, severity := f.marks()
	strangers := map[Ref]string{}
	id := func(ref Ref) string {
		if i := f.find(ref); i != none {
			return fmt.Sprintf("op%d", i)
		}
		if _, ok := strangers[ref]; !ok {
			strangers[ref] = fmt.Sprintf("not%d", len(strangers))
			fmt.Fprintf(&b, "  %s[\"%s<br/>not in the flow\"]:::stranger\n", strangers[ref], escape(ref.String()))
		}
		return strangers[ref]
	}
	for i := range f.operations {
		ref := f.operations[i].Ref
		fmt.Fprintf(&b, "  op%d[\"%s", i, escape(ref.String()))
		for _, code := range codes[ref] {
			fmt.Fprintf(&b, "<br/>%s", code)
		}
		b.WriteString("\"]")
		if s, ok := severity[ref]; ok {
			fmt.Fprintf(&b, ":::%s", strings.ToLower(string(s)))
		}
		b.WriteString("\n")
	}
	for i := range f.operations {
		op := &f.operations[i]
		if predecessor, ok := op.Predecessor(); ok {
			to := id(predecessor)
			fmt.Fprintf(&b, "  op%d -- runAfter --> %s\n", i, to)
		}
		if source, ok := op.Source(); ok {
			to := id(source)
			fmt.Fprintf(&b, "  op%d -. \"%s<br/>%s\" .-> %s\n", i, op.RunAfter.Strategy.Policy, escape(strings.Join(op.RunAfter.Strategy.Keys(), ", ")), to)
		}
	}
	b.WriteString("  classDef error stroke:#d1242f,stroke-width:3px\n")
	b.WriteString("  classDef warning stroke:#bf8700,stroke-width:3px\n")
	b.WriteString("  classDef stranger stroke-dasharray:4\n")
	return b.String()
}

// marks returns the codes of each operation's problems, each once, and the worst of
// their severities.
func (f *Flow) marks() (codes map[Ref][]Code, severity map[Ref]Severity) {
	codes, severity = map[Ref][]Code{}, map[Ref]Severity{}
	for _, p := range f.Problems() {
		if !slices.Contains(codes[p.Operation], p.Code) {
			codes[p.Operation] = append(codes[p.Operation], p.Code)
		}
		if severity[p.Operation] != Error {
			severity[p.Operation] = p.Severity
		}
	}
	return codes, severity
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
