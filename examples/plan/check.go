package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Which problems are reported: a mistake hides no other, and is not reported again as another one.

// key identifies the problems of one operation with one code.
type key struct {
	operation dataflow.Ref
	code      dataflow.Code
}

// check reports what is wrong with the specs, with what happened, and on the host. It looks
// at all operations at once: a reference may have been meant for another flow.
func (r *reporter) check(operations []dataflow.Operation) {
	all := r.accepted(operations)
	onHost := all.HostProblems(dataflow.Host(r.options.host))
	inherits := map[dataflow.Ref]bool{}
	for _, p := range onHost {
		inherits[p.Operation] = inherits[p.Operation] || p.Code == dataflow.CodeInheritsAnyway || p.Code == dataflow.CodeNodeNameConflict
	}
	for _, p := range dataflow.Check(operations...) {
		if p.Code == dataflow.CodeRecurringSource && inherits[p.Operation] {
			continue // the host runs the source once
		}
		r.report1(p)
		if p.Code == dataflow.CodeInvalid {
			r.faulty[p.Operation] = true
		}
	}
	if len(r.seen) > 0 {
		for _, p := range all.LiveProblems(r.seen) {
			static := map[dataflow.Code][]dataflow.Code{
				dataflow.CodeGone:          {dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor},
				dataflow.CodeBlocked:       {dataflow.CodeNotAnAncestor},
				dataflow.CodeNotRecorded:   {dataflow.CodeNotExposed, dataflow.CodeDistributedSource, dataflow.CodeRecurringSource},
				dataflow.CodeContradiction: {dataflow.CodeContradiction},
			}[p.Code]
			if !slices.ContainsFunc(static, func(code dataflow.Code) bool { return r.reported[key{p.Operation, code}] }) {
				r.report1(p)
			}
		}
	}
	for _, p := range onHost {
		r.report1(p)
	}
}

// report1 reports a problem, unless it may be only a consequence of another one, or says that
// an operation can never start that has started, or never complete that has completed.
func (r *reporter) report1(p dataflow.Problem) {
	phase := r.seen[p.Operation].Phase
	switch p.Code {
	case dataflow.CodeUnknownPredecessor, dataflow.CodeGone, dataflow.CodeBlocked:
		if r.isReleased(p.Operation) && within(p.Field, runAfter) && !within(p.Field, strategy) {
			return
		}
	}
	switch p.Code {
	case dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor, dataflow.CodeContradiction, dataflow.CodeImpossible, dataflow.CodeNodeNameConflict:
		if phase != "" && phase != dataflow.Pending {
			return
		}
	case dataflow.CodeNeverStarts, dataflow.CodeStaysExecuting, dataflow.CodeCrashes: // in Fluid also one that is Executing may have no pod
		if phase == dataflow.Complete || phase == dataflow.Failed {
			return
		}
	}
	if r.isConsequence(p) {
		return
	}
	r.found = append(r.found, p)
	r.reported[key{p.Operation, p.Code}] = true
}

// isReleased reports whether an operation no longer waits for its predecessor: Fluid has seen that
// this was complete, and reads it again only for what is inherited from it.
func (r *reporter) isReleased(ref dataflow.Ref) bool {
	i, ok := r.first[ref]
	if !ok {
		return false
	}
	e := &r.in.operations[i]
	return e.Released && e.RunAfter != nil && (e.RunAfter.Strategy.Policy == affinity.None || e.RunAfter.DependOn != nil)
}

// isConsequence reports whether a problem rests on something that was misread, or on the
// absence of an operation that may be in an unreadable document.
func (r *reporter) isConsequence(p dataflow.Problem) bool {
	for _, b := range append(p.RestsOn, dataflow.Basis{Operation: p.Operation, Field: p.Field}) {
		_, known := r.first[b.Operation]
		switch {
		case b.Field == "" && !known:
			if r.in.mayExist(b.Operation) {
				return true
			}
		case b.Ancestors:
			if r.ancestryMisread(b.Operation, b.Field) {
				return true
			}
		case b.Field != "" && r.isMisread(b.Operation, b.Field):
			return true
		}
	}
	return false
}

func (r *reporter) isMisread(ref dataflow.Ref, path string) bool {
	return slices.ContainsFunc(r.misread[ref], func(misread string) bool { return within(misread, path) || within(path, misread) })
}

// within reports whether a field is at a path or below it.
func within(field, path string) bool {
	rest, ok := strings.CutPrefix(field, path)
	return ok && (rest == "" || path == "" || rest[0] == '.' || rest[0] == '[')
}

// ancestryMisread reports whether the field was misread of the operation or of an ancestor.
func (r *reporter) ancestryMisread(ref dataflow.Ref, path string) bool {
	known := r.ancestry[path]
	if known == nil {
		known = map[dataflow.Ref]bool{}
		r.ancestry[path] = known
	}
	var chain []dataflow.Ref
	misread := false
	for at, ok := ref, true; ok; {
		if result, visited := known[at]; visited {
			misread = result
			break
		}
		known[at] = false // until the end of the chain is known; a cycle has no end
		chain = append(chain, at)
		if misread = r.isMisread(at, path); misread {
			break
		}
		i, there := r.first[at]
		if !there {
			misread = r.in.mayExist(at)
			break
		}
		at, ok = r.in.operations[i].Predecessor()
	}
	for _, at := range chain {
		known[at] = misread
	}
	return misread
}

const (
	runAfter = "spec.runAfter"
	strategy = runAfter + ".affinityStrategy"
)

// accepted returns the flow of operations without their errors: repeated ones are left out,
// cycles are cut, and operations with an error inherit nothing.
func (r *reporter) accepted(operations []dataflow.Operation) *dataflow.Flow {
	f, err := dataflow.New(operations...)
	cut := map[dataflow.Ref]bool{}
	for _, err := range dataflow.Faults(err) {
		var of *dataflow.OperationError
		var cycle *dataflow.CycleError
		switch {
		case errors.As(err, &of):
			r.faulty[of.Operation] = true
		case errors.As(err, &cycle):
			cut[cycle.Operations[0]] = true
			for _, ref := range cycle.Operations {
				r.faulty[ref] = true
			}
		}
	}
	if err == nil && !slices.ContainsFunc(operations, func(op dataflow.Operation) bool { return r.faulty[op.Ref] }) {
		return f
	}
	kept, taken := make([]dataflow.Operation, 0, len(operations)), map[dataflow.Ref]bool{}
	for _, op := range operations {
		switch {
		case taken[op.Ref] || !slices.Contains(dataflow.Kinds(), op.Ref.Kind):
			continue
		case op.RunAfter == nil || !r.faulty[op.Ref]:
		case cut[op.Ref]:
			op.RunAfter = nil
		default:
			op.RunAfter = &dataflow.RunAfter{Ref: op.RunAfter.Ref}
		}
		taken[op.Ref] = true
		kept = append(kept, op)
	}
	f, _ = dataflow.New(kept...)
	return f
}
