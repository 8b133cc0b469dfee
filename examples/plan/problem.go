package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

type problem struct {
	Code      dataflow.Code     `json:"code"`
	Severity  dataflow.Severity `json:"severity"`
	Operation *dataflow.Ref     `json:"operation"` // null if it is about a document
	Field     string            `json:"field"`
	Message   string            `json:"message"`
	Places    []source.Position `json:"places"` // several if the operation is repeated

	flow int
}

// at returns the first place of a problem.
func (p *problem) at() source.Position {
	if len(p.Places) == 0 {
		return source.Position{}
	}
	return p.Places[0]
}

// subject names the operation and the field of a problem.
func (p *problem) subject() string {
	switch {
	case p.Operation == nil:
		return p.Field
	case p.Field == "":
		return p.Operation.String()
	}
	return p.Operation.String() + ": " + p.Field
}

// text is the message of a problem with its subject.
func (p *problem) text() string {
	if subject := p.subject(); subject != "" {
		return subject + ": " + p.Message
	}
	return p.Message
}

// places lists the places.
func (p *problem) places() string {
	places := make([]string, len(p.Places))
	for i, at := range p.Places {
		places[i] = printable(at.String())
	}
	return shortened(strings.Join(places, ", "))
}

// worstFirst returns the problems, errors first.
func (r *report) worstFirst() []*problem {
	problems := make([]*problem, len(r.Problems))
	for i := range problems {
		problems[i] = &r.Problems[i]
	}
	slices.SortStableFunc(problems, func(a, b *problem) int { return cmp.Compare(a.Severity, b.Severity) }) // Error comes before Warning
	return problems
}

// placesListed is how many places the report lists for a problem of a repeated operation.
const placesListed = 20

// place gives the problems their places, and sorts them: flow by flow, errors first.
func (r *reporter) place() {
	ignored := func(code dataflow.Code) bool { return slices.Contains(r.options.ignore, string(code)) }
	var fields []source.Field // of all problems, in order
	faulty := map[dataflow.Ref]bool{}
	add := func(p dataflow.Problem, entries []int, at *source.Position) {
		faulty[p.Operation] = faulty[p.Operation] || p.Severity == dataflow.SeverityError
		if ignored(p.Code) {
			return
		}
		reported := problem{Code: p.Code, Severity: p.Severity, Operation: &p.Operation, Field: p.Field, Message: p.Message, Places: []source.Position{}}
		if at != nil {
			reported.Places = append(reported.Places, *at)
		} else {
			entries = entries[:min(len(entries), placesListed)]
			reported.Places = make([]source.Position, len(entries))
			for _, i := range entries {
				fields = append(fields, source.Field{Object: r.in.operations[i].object, Path: p.Field})
			}
		}
		r.Problems = append(r.Problems, reported)
	}
	type once struct {
		key
		field, message string
	}
	seen := map[once]bool{}
	for _, p := range r.found {
		if o := (once{key{p.Operation, p.Code}, p.Field, p.Message}); !seen[o] {
			seen[o] = true
			entries := r.repeated[p.Operation]
			if i, ok := r.first[p.Operation]; ok && entries == nil {
				entries = []int{i}
			}
			add(p, entries, nil)
		}
	}
	for i := range r.in.operations {
		for _, f := range r.in.operations[i].faults {
			add(f.problem, []int{i}, f.at)
		}
	}
	if n := len(r.in.deleting); n > 0 && r.Completable != nil && !ignored(codeNodeDeleting) {
		r.Problems = append(r.Problems, problem{
			Code: codeNodeDeleting, Severity: dataflow.SeverityWarning, Field: deletionTimestamp, Message: r.in.describeDeleting(), Places: make([]source.Position, n),
		})
		fields = append(fields, r.in.deleting...)
	}
	for i := range r.flows {
		f := &r.flows[i]
		f.faulty = slices.ContainsFunc(r.Operations[f.first:f.end], func(o operation) bool { return faulty[o.Ref] })
		if f.faulty && r.Completable != nil {
			*r.Completable = false
		}
	}
	positions := source.Locate(fields...)
	for i := range r.Problems {
		for p := range r.Problems[i].Places {
			if r.Problems[i].Places[p] == (source.Position{}) {
				r.Problems[i].Places[p], positions = positions[0], positions[1:]
			}
		}
	}
	for severity, faults := range map[dataflow.Severity][]*source.Fault{dataflow.SeverityError: r.in.faults, dataflow.SeverityWarning: r.in.warnings} {
		for _, f := range faults {
			path, message := "", f.Err.Error()
			if field, text, ok := fieldOf(f.Err); ok {
				path, message = field, text
			}
			if !ignored(codeUnreadable) {
				r.Problems = append(r.Problems, problem{Code: codeUnreadable, Severity: severity, Field: path, Message: message, Places: []source.Position{f.Position}})
			}
		}
	}
	r.sort()
}

// sort sorts the problems, and marks the operations that have one.
func (r *reporter) sort() {
	flows, worst := map[dataflow.Ref]int{}, map[dataflow.Ref]dataflow.Severity{}
	for i := range r.Operations {
		flows[r.Operations[i].Ref] = r.Operations[i].Flow
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		if p.Operation != nil {
			p.flow = flows[*p.Operation]
			if worst[*p.Operation] != dataflow.SeverityError {
				worst[*p.Operation] = p.Severity
			}
		}
	}
	for i := range r.Operations {
		r.Operations[i].worst = worst[r.Operations[i].Ref]
	}
	slices.SortStableFunc(r.Problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.flow, b.flow), cmp.Compare(a.Severity, b.Severity), // Error comes before Warning
			slices.CompareFunc(a.Places, b.Places, source.Position.Compare), cmp.Compare(a.Code, b.Code))
	})
}

// fieldOf returns the path and the message of a *field.Error.
func fieldOf(err error) (path, message string, ok bool) {
	var f *field.Error
	if !errors.As(err, &f) {
		return "", "", false
	}
	return f.Field, f.ErrorBody(), true
}
