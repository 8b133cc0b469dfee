package dataflow

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/nodeindex"
)

// Reason says in a sentence why the flow fails at one of the operations of Impossible:
// why no node admits it, or why it cannot be followed. It is empty for every other
// operation.
func (fc *Forecast) Reason(ref Ref) string {
	i := fc.flow.find(ref)
	if i == none || !fc.isImpossible(i) {
		return ""
	}
	a := &fc.admission[i]
	if a.admitted.Empty() && !a.ran {
		return "no node admits it: " + fc.refusals(i)
	}
	unable := fc.unable(i)
	switch t := unable[0]; {
	case a.ran:
		return fmt.Sprintf("it ran on %s; %s", a.on, fc.cannotFollow(i, t, fc.ref(t).String()))
	case fc.sourceNodes(t).Intersects(a.admitted):
		return fmt.Sprintf("of the nodes that admit it, %s, none can be followed by all of %s", fc.listNodes(a.admitted), listNames(fc.refs(unable), len(unable)))
	default:
		return fmt.Sprintf("it can run on %s, and %s, which must follow it by %s, only on %s",
			fc.listNodes(a.admitted), fc.ref(t), strings.Join(fc.constraints[t].keys, ", "), fc.listNodes(fc.completing[t]))
	}
}

// Problems returns what a person should know of these nodes, in the flow's order: where
// the flow fails, or else which operations could strand it, and which labels that must be
// followed none of the nodes has. Where an operation ran, the problem is that of those who
// cannot follow it there. It is nil if there is none.
func (fc *Forecast) Problems() []Problem {
	var problems []Problem
	report := func(i int32, code Code, severity Severity, field, format string, args ...any) {
		problems = append(problems, Problem{code, severity, fc.ref(i), field, fmt.Sprintf(format, args...)})
	}
	for i := range int32(len(fc.flow.operations)) {
		a := &fc.admission[i]
		switch {
		case !fc.isImpossible(i):
		case a.ran:
			for _, t := range fc.unable(i) {
				field, step := fc.adviseFollower(i, t)
				report(t, CodeImpossible, SeverityError, field, "%s ran on %s; %s; %s", fc.ref(i), a.on, fc.cannotFollow(i, t, "this"), step)
			}
		case a.admitted.Empty():
			field, step := fc.adviseFix(i, fc.labels.All())
			report(i, CodeImpossible, SeverityError, field, "%s; %s", fc.Reason(fc.ref(i)), step)
		default:
			report(i, CodeImpossible, SeverityError, fc.kind(i).podSpec(), "%s; change what one of them asks for, or the nodes", fc.Reason(fc.ref(i)))
		}
		if missing := fc.nowhere[i]; len(missing) > 0 {
			report(i, CodeNoSuchLabel, SeverityWarning, strategyField,
				"none of the nodes has %s, so nothing is required by it; mend the name, or label the nodes", strings.Join(missing, ", "))
		}
		if fc.Completable() && len(fc.stranding(i)) > 0 {
			field, step := fc.adviseNarrowing(i)
			report(i, CodeStranding, SeverityWarning, field, "%s; %s", fc.describeStrands(i), step)
		}
	}
	return problems
}

// adviseNarrowing says how an operation can be kept from the nodes on which it would strand the flow,
// and in which field. The spec of a DataBackup has no such field.
func (fc *Forecast) adviseNarrowing(i int32) (field, step string) {
	kind, nodes := fc.kind(i), fc.listNodes(fc.feasible[i])
	switch {
	case !kind.hasPodSpec():
		return kind.podSpec(), fmt.Sprintf("it can run on %s only, and its spec cannot say so: change what follows it, or give its pod the affinity of the forecast", nodes)
	case kind == DataProcess:
		return kind.podSpec() + ".affinity", fmt.Sprintf("narrow the affinity of its job, so that it runs on %s; a script has none", nodes)
	default:
		return kind.podSpec() + ".affinity", fmt.Sprintf("narrow its affinity, so that it runs on %s", nodes)
	}
}

// adviseFix says what to do about an operation that none of the nodes admits, and in which field.
func (fc *Forecast) adviseFix(i int32, nodes nodeindex.Set) (field, step string) {
	kind, at := fc.kind(i), "one of them"
	if nodes.Len() == 1 {
		at = "that node"
	}
	culprit, ok := fc.culprit(i, nodes)
	switch {
	case nodes.Empty():
		return kind.podSpec(), "add some"
	case ok:
		return kind.podSpec() + culprit.field, culprit.fix + " " + at
	case !kind.hasPodSpec():
		return kind.podSpec(), "change the nodes"
	default:
		return kind.podSpec(), "change what it asks for, or the nodes"
	}
}

// culprit returns the one of the scheduler's tests without which one of the nodes would do;
// ok is false if there is none, or any of several, or if the caller admits none.
func (fc *Forecast) culprit(i int32, nodes nodeindex.Set) (culprit test, ok bool) {
	tests := fc.tests(i)[:4]
	for t := range tests {
		others := nodes
		for u := range tests {
			if u != t {
				others = others.Intersection(tests[u].pass)
			}
		}
		switch {
		case others.Empty():
		case ok:
			return test{}, false
		default:
			culprit, ok = tests[t], true
		}
	}
	return culprit, ok
}

// adviseFollower says what to do about a follower that cannot run where an operation ran, and
// in which of its fields.
func (fc *Forecast) adviseFollower(i, t int32) (field, step string) {
	again := fmt.Sprintf("run %s again", fc.ref(i))
	switch leaders := fc.admission[i].admitted; {
	case leaders.Empty():
		return strategyField, again
	case fc.admission[t].ran:
		return strategyField, "run one of them again, where the other ran"
	default:
		culprit, _ := fc.culprit(t, fc.constraints[t].agreement.Followers(leaders))
		return fc.kind(t).podSpec() + culprit.field, "change that, or " + again + " elsewhere"
	}
}

// describeStrands says which nodes leave no node for whom after an operation: for a few, those of
// the most nodes, and for the others together.
func (fc *Forecast) describeStrands(i int32) string {
	strands := slices.Clone(fc.stranding(i))
	slices.SortStableFunc(strands, func(a, b stranding) int { return cmp.Compare(b.nodes.Len(), a.nodes.Len()) })
	listed := len(strands)
	if listed > listedNames+1 {
		listed = listedNames
	}
	parts := make([]string, 0, listed+1)
	for at, s := range strands[:listed] {
		what := "none for"
		if at == 0 {
			what = "it would leave no node for"
		}
		parts = append(parts, fmt.Sprintf("on %s %s %s", fc.listSomeNodes(s.nodes.Len(), s.nodes.All()), what, fc.ref(s.blocks)))
	}
	if others := 0; listed < len(strands) {
		for _, s := range strands[listed:] {
			others += s.nodes.Len()
		}
		parts = append(parts, fmt.Sprintf("on %d more none for others", others))
	}
	return strings.Join(parts, "; ")
}

func (fc *Forecast) isImpossible(i int32) bool {
	_, ok := slices.BinarySearch(fc.impossible, i)
	return ok
}

// unable returns the followers that cannot run after an operation on any of the nodes
// that admit it; or all, if each by itself can.
func (fc *Forecast) unable(i int32) []int32 {
	var unable []int32
	for _, t := range fc.followers[i] {
		if !fc.sourceNodes(t).Intersects(fc.admission[i].admitted) {
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
		return fmt.Sprintf("%s ran on %s, which differs in %s", follower, a.on, strings.Join(fc.constraints[t].keys, ", "))
	}
	return fmt.Sprintf("%s cannot follow it there: %s", follower, fc.refusedAfter(t, fc.admission[i].admitted))
}

// refusedAfter says why a follower can be completed on none of the nodes on which it
// follows its source on one of the leaders. Where that is one node, which admits it, the
// reason lies with one that must follow it in turn.
func (fc *Forecast) refusedAfter(t int32, leaders nodeindex.Set) string {
	text := ""
	for {
		a, f := &fc.admission[t], &fc.constraints[t]
		left := f.agreement.Followers(leaders)
		tests := fc.tests(t)
		switch {
		case a.ran:
			return fmt.Sprintf("%sit ran on %s, which differs in %s", text, a.on, strings.Join(f.keys, ", "))
		case left.Len() > 1:
			n, counts := tally(left, append(tests, test{pass: fc.completing[t], one: "strands who follows it", many: "strand who follows it"}))
			return fmt.Sprintf("%sof %d nodes that agree in %s, %s", text, n, strings.Join(f.keys, ", "), counts)
		case !left.SubsetOf(a.admitted):
			failed := slices.IndexFunc(tests, func(t test) bool { return !left.SubsetOf(t.pass) })
			return fmt.Sprintf("%s%s %s", text, fc.listNodes(left), tests[failed].one)
		}
		at := slices.IndexFunc(fc.followers[t], func(u int32) bool { return !left.SubsetOf(fc.sourceNodes(u)) })
		t, leaders = fc.followers[t][at], left
		text += fmt.Sprintf("on %s it would leave no node for %s: ", fc.listNodes(left), fc.ref(t))
	}
}

func (fc *Forecast) ref(i int32) Ref { return fc.flow.operations[i].Ref }

func (fc *Forecast) kind(i int32) Kind { return fc.flow.operations[i].Kind }

func (fc *Forecast) refs(operations []int32) []string {
	var refs []string
	for _, i := range operations {
		refs = append(refs, fc.ref(i).String())
	}
	return refs
}

// sourceNodes returns the nodes of its source from which a follower can be completed.
func (fc *Forecast) sourceNodes(t int32) nodeindex.Set {
	return fc.constraints[t].agreement.Leaders(fc.completing[t])
}

// test is one of what a node must pass.
type test struct {
	pass        nodeindex.Set
	one, many   string // what is said of one node that does not, and of several
	field, fix string // below the pod spec, and of a node, where and how it can be mended
}

// tests returns what a node must pass to admit an operation that has not run.
func (fc *Forecast) tests(i int32) []test {
	a := &fc.admission[i]
	taints := "remove the taints of"
	if fc.kind(i).hasPodSpec() {
		taints = "tolerate or remove the taints of"
	}
	return []test{
		{a.selected, "does not match its node selector", "do not match its node selector", ".nodeSelector", "change its node selector, or the labels of"},
		{a.matching, "does not match its affinity", "do not match its affinity", ".affinity", "change its affinity, or the labels of"},
		{a.tolerated, "has a taint that it does not tolerate", "have a taint that it does not tolerate", "", taints},
		{a.uncordoned, "is cordoned", "are cordoned", "", "uncordon"},
		{pass: a.admitted, one: "is not admitted by the caller", many: "are not admitted by the caller"},
	}
}

// refusals says why no node admits an operation.
func (fc *Forecast) refusals(i int32) string {
	switch all, counts := tally(fc.labels.All(), fc.tests(i)); all {
	case 0:
		return "there are no nodes"
	case 1:
		return "of 1 node, " + counts
	default:
		return fmt.Sprintf("of %d nodes, %s", all, counts)
	}
}

// tally counts nodes by the first test that each of them fails, as the scheduler's own
// message does.
func tally(nodes nodeindex.Set, tests []test) (all int, counts string) {
	all = nodes.Len()
	var parts []string
	for _, t := range tests {
		switch refused := nodes.Difference(t.pass).Len(); refused {
		case 0:
		case 1:
			parts = append(parts, "1 "+t.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", refused, t.many))
		}
		nodes = nodes.Intersection(t.pass)
	}
	if last := len(parts) - 1; last > 0 {
		return all, strings.Join(parts[:last], ", ") + " and " + parts[last]
	}
	return all, strings.Join(parts, "")
}

func (fc *Forecast) listNodes(nodes nodeindex.Set) string { return fc.listSomeNodes(nodes.Len(), nodes.All()) }

// listSomeNodes lists the first few names of n nodes.
func (fc *Forecast) listSomeNodes(n int, nodes iter.Seq[int]) string {
	var names []string // sorted, and no more than can be listed
	for node := range nodes {
		name := fc.labels.Name(node)
		if len(names) == listedNames+1 && name > names[listedNames] {
			continue
		}
		at, _ := slices.BinarySearch(names, name)
		names = slices.Insert(names, at, name)
		names = names[:min(len(names), listedNames+1)]
	}
	return listNames(names, n)
}

// listedNames is how many of a kind a sentence lists, if there are more than one more.
const listedNames = 3

// listNames lists a few of n names, given the first ones.
func listNames(names []string, n int) string {
	if n <= listedNames+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:listedNames], ", "), n-listedNames)
}
