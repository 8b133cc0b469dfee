package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// What Mermaid renders by default, and on GitHub.
const (
	mermaidArrows     = 500
	mermaidCharacters = 50000
)

// printMermaid prints one picture of all flows. It is an error if Mermaid does not render it.
func printMermaid(w *bufio.Writer, r *report) error {
	picture := r.mermaid()
	arrows := strings.Count(picture, " --> ") + strings.Count(picture, " .-> ") // names have no blanks there
	if arrows > mermaidArrows || len(picture) > mermaidCharacters {
		return fmt.Errorf("the picture has %s and %s; Mermaid renders at most %d arrows and %d characters: use -o html or -o table, or fewer files",
			count(arrows, "arrow"), count(len(picture), "character"), mermaidArrows, mermaidCharacters)
	}
	w.WriteString(picture)
	return nil
}

func (r *report) mermaid() string {
	problems := make([]dataflow.Problem, 0, len(r.Problems))
	for _, p := range r.Problems {
		if p.Operation != nil {
			problems = append(problems, dataflow.Problem{Code: p.Code, Severity: p.Severity, Operation: *p.Operation})
		}
	}
	operations, seen := make([]dataflow.Operation, len(r.Operations)), map[dataflow.Ref]dataflow.Observation{}
	for i := range r.Operations {
		o := &r.Operations[i]
		operations[i] = o.entry.Operation.Operation
		if o.entry.Faulty && o.entry.RunAfter != nil { // what it would inherit is not known
			operations[i].RunAfter = &dataflow.RunAfter{Ref: o.entry.RunAfter.Ref}
		}
		if o.Phase != "" {
			seen[o.Ref] = dataflow.Observation{Phase: o.Phase, Node: o.node}
		}
	}
	return dataflow.Mermaid(operations, problems, seen)
}
