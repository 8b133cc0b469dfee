package dataflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/catalogue"
)

// Reason says in a sentence why the flow fails at one of the operations of Impossible:
// why no node admits it, or why it cannot be followed. It is empty for every other
// operation.
func (fc *Forecast) Reason(ref Ref) string {
	i := fc.flow.find(ref)
	if i == none || !slices.Contains(fc.impossible, i) {
		return ""
	}
	a := &fc.admission[i]
	if a.admitted.Empty() && !a.ran {
		return "no node admits it: " + fc.refusals(i, fc.labels.All())
	}
	unable := fc.unable(i)
	switch t := unable[0]; {
	case a.ran:
		return fmt.Sprintf("it ran on %s; %s", a.on, fc.cannotFollow(i, t, fc.ref(t).String()))
	case fc.leading(t).Meets(a.admitted):
		return fmt.Sprintf("of the nodes that admit it, %s, none can be followed by all of %s", fc.some(a.admitted), fc.refs(unable))
	default:
		return fmt.Sprintf("it can run on %s, and %s, which must follow it by %s, only on %s",
			fc.some(a.admitted), fc.ref(t), strings.Join(fc.follows[t].keys, ", "), fc.some(fc.completing[t]))
	}
}

// Problems returns what a person should know of these nodes, in the flow's order: where
// the flow fails, or else which operations could strand it. Where an operation ran, the
// problem is that of those who cannot follow it there. It is nil if there is none.
func (fc *Forecast) Problems() []Problem {
	var problems []Problem
	report := func(i int32, code Code, severity Severity, format string, args ...any) {
		op := &fc.flow.operations[i]
		problems = append(problems, Problem{code, severity, op.Ref, op.Kind.podSpec() + ".affinity", fmt.Sprintf(format, args...)})
	}
	for i := range int32(len(fc.flow.operations)) {
		a := &fc.admission[i]
		switch {
		case !slices.Contains(fc.impossible, i):
		case a.ran:
			for _, t := range fc.unable(i) {
				report(t, Impossible, Error, "%s ran on %s; %s", fc.ref(i), a.on, fc.cannotFollow(i, t, "this"))
			}
		default:
			report(i, Impossible, Error, "%s; change what one of them asks for, or the nodes", fc.Reason(fc.ref(i)))
		}
		if strands := fc.Strands(fc.ref(i)); len(strands) > 0 {
			var nodes []string
			for _, s := range strands {
				nodes = append(nodes, s.Node)
			}
			report(i, Stranding, Warning, "on %s it would leave no node for %s; narrow its affinity, so that it runs on %s",
				some(nodes), strands[0].Dooms, fc.some(fc.feasible[i]))
		}
	}
	return problems
}

// unable returns the followers that cannot run after an operation on any of the nodes
// that admit it; or all, if each by itself can.
func (fc *Forecast) unable(i int32) []int32 {
	var unable []int32
	for _, t := range fc.followers[i] {
		if !fc.leading(t).Meets(fc.admission[i].admitted) {
			unable = append(unable, t)
		}
	}
	if unable == nil {
		return fc.followers[i]
	}
	return unable
}

// cannotFollow says why a follower cannot run where an operation ran.
func (fc *Forecast) cannotFollow(i, t int32, follower string) string {
	if fc.admission[i].gone {
		return fmt.Sprintf("that node is gone, and %s must follow it there", follower)
	}
	if a := &fc.admission[t]; a.ran {
		return fmt.Sprintf("%s ran on %s, which differs in %s", follower, a.on, strings.Join(fc.follows[t].keys, ", "))
	}
	return fmt.Sprintf("%s cannot follow it there: %s", follower, fc.refusals(t, fc.follows[t].agreement.Following(fc.admission[i].admitted)))
}

func (fc *Forecast) ref(i int32) Ref { return fc.flow.operations[i].Ref }

func (fc *Forecast) refs(operations []int32) string {
	var refs []string
	for _, i := range operations {
		refs = append(refs, fc.ref(i).String())
	}
	return strings.Join(refs, ", ")
}

// leading returns the nodes of its source from which a follower can be completed.
func (fc *Forecast) leading(t int32) catalogue.Set {
	return fc.follows[t].agreement.Leading(fc.completing[t])
}

// refusals counts the nodes by the first test that each of them fails, as the
// scheduler's own message does. The nodes that follow the source pass the last but one.
func (fc *Forecast) refusals(i int32, following catalogue.Set) string {
	left, a := fc.labels.All(), &fc.admission[i]
	all := left.Len()
	var counts []string
	count := func(pass catalogue.Set, one, many string) {
		switch refused := left.Minus(pass).Len(); refused {
		case 0:
		case 1:
			counts = append(counts, "1 "+one)
		default:
			counts = append(counts, fmt.Sprintf("%d %s", refused, many))
		}
		left = left.And(pass)
	}
	count(a.selected, "does not match its node selector", "do not match its node selector")
	count(a.matching, "does not match its affinity", "do not match its affinity")
	count(a.tolerated, "has a taint that it does not tolerate", "have a taint that it does not tolerate")
	count(a.uncordoned, "is cordoned", "are cordoned")
	count(a.admitted, "is not admitted by the caller", "are not admitted by the caller")
	keys := strings.Join(fc.follows[i].keys, ", ")
	count(following, "differs in "+keys, "differ in "+keys)
	count(fc.completing[i], "strands who follows it", "strand who follows it")
	switch {
	case all == 0:
		return "there are no nodes"
	case all == 1:
		return "of 1 node, " + counts[0]
	case len(counts) == 1:
		return fmt.Sprintf("of %d nodes, %s", all, counts[0])
	}
	last := len(counts) - 1
	return fmt.Sprintf("of %d nodes, %s and %s", all, strings.Join(counts[:last], ", "), counts[last])
}

func (fc *Forecast) some(nodes catalogue.Set) string { return some(fc.names(nodes)) }

// some lists a few names.
func some(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
