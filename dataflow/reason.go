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
	a, followers := &fc.admission[i], fc.followers[i]
	switch {
	case a.gone:
		return fmt.Sprintf("it ran on %s, which is gone, and %s must follow it there", a.on, fc.ref(followers[0]))
	case a.admitted.Empty():
		return "no node admits it: " + fc.refusals(i, fc.labels.All())
	}
	unable := slices.IndexFunc(followers, func(t int32) bool { return !fc.leading(t).Meets(a.admitted) })
	if unable < 0 {
		return fmt.Sprintf("of the nodes that admit it, %s, none can be followed by all of %s", fc.some(a.admitted), fc.refs(followers))
	}
	t := followers[unable]
	if a.ran {
		return fmt.Sprintf("it ran on %s, where %s cannot follow it: %s", a.on, fc.ref(t), fc.refusals(t, fc.follows[t].agreement.Following(a.admitted)))
	}
	return fmt.Sprintf("it can run on %s, and %s, which must follow it by %s, only on %s",
		fc.some(a.admitted), fc.ref(t), strings.Join(fc.follows[t].keys, ", "), fc.some(fc.completing[t]))
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

// some names a few nodes.
func (fc *Forecast) some(nodes catalogue.Set) string {
	const few = 3
	names := fc.names(nodes)
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
