package dataflow

import (
	"errors"

	"github.com/fluid-cloudnative/slipstream/affinity"
)

// LiveProblems returns what has gone wrong in a flow that has started, or certainly will, in
// the flow's order (law H3). It is nil if there is nothing.
//
// An Error is reported for an operation that can never become Ready, whatever happens from
// now on, as long as no spec changes and no operation is created: an operation that it
// waits for failed (CodeBlocked), does not exist any more (CodeGone) or can never start
// itself, or its source ran where it cannot follow (CodeContradiction). A Warning is
// reported for an operation that is, or will be, Ready without a label that it requires
// (CodeNotRecorded). Operations that have started have no problems.
//
// An operation without an observation has not started. One that is neither in the flow nor
// in seen does not exist. The cost is linear in the flow.
func (f *Flow) LiveProblems(seen map[Ref]Observation) []Problem {
	if f == nil {
		return nil
	}
	l := live{flow: f, seen: seen, exposed: f.exposures(), stuck: f.stuck(seen)}
	for i := range f.operations {
		if seen[f.operations[i].Ref].Phase.started() {
			continue
		}
		if reason, ok := l.stuck[int32(i)]; ok {
			l.reportStuck(int32(i), reason)
		} else {
			l.reportNotRecorded(int32(i))
		}
	}
	return l.problems
}

type live struct {
	flow     *Flow
	seen     map[Ref]Observation
	exposed  *exposures
	stuck    map[int32]stuckBy
	problems []Problem
}

// stuckBy is why an operation can never become Ready.
type stuckBy struct {
	code     Code
	ref      Ref   // the operation that failed, is gone, or is the source of the conflict
	conflict error // with the labels of the source, which is complete; nil otherwise
	through  int32 // the operation that this one waits for, if that is stuck itself, or none
}

// stuck returns the operations that can never become Ready. All others form the least set
// such that every prerequisite of each is complete, can still complete by itself, or is in
// the set.
func (f *Flow) stuck(seen map[Ref]Observation) map[int32]stuckBy {
	stuck, waiting := map[int32]stuckBy{}, f.waiting(seen)
	left := make([]int32, len(f.operations)) // the number of operations that each waits for
	for _, all := range waiting {
		for _, i := range all {
			left[i]++
		}
	}
	var free, blocked []int32
	for i := range f.operations {
		if seen[f.operations[i].Ref].Phase.started() {
			continue
		}
		reason, ok := f.stuckByItself(&f.operations[i], seen)
		if ok {
			stuck[int32(i)] = reason
			blocked = append(blocked, int32(i))
		} else if left[i] == 0 {
			free = append(free, int32(i))
		}
	}
	for ; len(blocked) > 0; blocked = blocked[1:] {
		for _, i := range waiting[blocked[0]] {
			if _, known := stuck[i]; !known {
				stuck[i] = stuckBy{code: stuck[blocked[0]].code, ref: stuck[blocked[0]].ref, through: blocked[0]}
				blocked = append(blocked, i)
			}
		}
	}
	for ; len(free) > 0; free = free[1:] {
		for _, i := range waiting[free[0]] {
			if left[i]--; left[i] == 0 {
				if _, known := stuck[i]; !known {
					free = append(free, i)
				}
			}
		}
	}
	for i := range f.operations {
		if _, known := stuck[int32(i)]; !known && left[i] > 0 { // a cycle of dependOn, or behind one
			stuck[int32(i)] = stuckBy{code: CodeBlocked, ref: f.operations[i].Ref, through: none}
		}
	}
	return stuck
}

// stuckByItself returns why an operation that has not started can never become Ready, as far
// as its own prerequisites tell.
func (f *Flow) stuckByItself(op *Operation, seen map[Ref]Observation) (stuckBy, bool) {
	for _, ref := range op.prerequisites() {
		o, known := seen[ref]
		switch {
		case o.Phase == Failed:
			return stuckBy{code: CodeBlocked, ref: ref, through: none}, true
		case !known && f.find(ref) == none:
			return stuckBy{code: CodeGone, ref: ref, through: none}, true
		}
	}
	if source, ok := op.Source(); ok && seen[source].Phase == Complete {
		if _, err := f.inherit(op, seen); err != nil {
			return stuckBy{code: CodeContradiction, ref: source, conflict: err, through: none}, true
		}
	}
	return stuckBy{}, false
}

func (l *live) report(i int32, code Code, severity Severity, field, format string, args ...any) {
	l.problems = append(l.problems, l.flow.operations[i].problem(code, severity, field, format, args...))
}

func (l *live) reportStuck(i int32, by stuckBy) {
	op := &l.flow.operations[i]
	at := by.ref
	if by.through != none {
		at = l.flow.operations[by.through].Ref
	}
	field := runAfterField + ".name"
	if predecessor, _ := op.Predecessor(); predecessor != at && op.RunAfter.DependOn != nil {
		field = strategyField + ".dependOn.name"
	}
	var conflict *affinity.ConflictError
	switch {
	case errors.As(by.conflict, &conflict):
		l.report(i, CodeContradiction, SeverityError, strategyField, "%s; it can never start, unless %s runs again elsewhere", conflict, by.ref)
	case by.through != none && by.code == CodeContradiction:
		l.report(i, CodeBlocked, SeverityError, field, "it waits for %s, which can never start", at)
	case by.through != none:
		l.report(i, by.code, SeverityError, field, "it waits for %s, which can never start because of %s", at, by.ref)
	case by.ref == op.Ref:
		l.report(i, CodeBlocked, SeverityError, field, "it waits for operations that wait for each other, so it can never start; name in each dependOn an operation that comes before it in its chain")
	case by.code == CodeGone:
		l.report(i, CodeGone, SeverityError, field, "it waits for %s, which does not exist and was not seen to complete; create that again, or change the reference", by.ref)
	default:
		l.report(i, CodeBlocked, SeverityError, field, "%s failed, so this operation can never start; run that again", by.ref)
	}
}

// reportNotRecorded reports the labels that an operation requires and will not inherit: a
// complete source did not record them, or the source does not expose them.
func (l *live) reportNotRecorded(i int32) {
	op := &l.flow.operations[i]
	ref, ok := op.Source()
	if !ok || op.RunAfter.Strategy.Policy != affinity.Require {
		return
	}
	source := l.flow.find(ref)
	complete := l.seen[ref].Phase == Complete
	if !complete && source == none {
		return // nothing is known of what it exposes
	}
	recorded := l.flow.recorded(ref, l.seen)
	var missing []string
	for _, key := range op.RunAfter.Strategy.Keys() {
		has := complete
		if complete {
			_, has = recorded.Get(key)
		} else {
			has = l.exposed.have(source, key)
		}
		if !has {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return
	}
	what, step := "did not record", "run that again with recording on"
	if !complete {
		what, step = "does not expose", "expose it there"
	}
	l.report(i, CodeNotRecorded, SeverityWarning, strategyField,
		"%s %s %s, so nothing is required by it; %s, or require another label", ref, what, listNames(missing, len(missing)), step)
}
