package dataflow

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Reason says in a sentence why the flow fails at one of the operations of Impossible: that
// it or an operation outside the flow that it waits for failed, why no node admits it, or why it cannot be followed. It is empty for every
// other operation.
func (fc *Forecast) Reason(ref Ref) string { return message.Text(fc.reason(ref)) }

func (fc *Forecast) reason(ref Ref) string {
	i := fc.find(ref)
	if i == none || !fc.isImpossible(i) {
		return ""
	}
	a := &fc.admission[i]
	switch {
	case a.failed:
		return "it failed"
	case a.blockedBy != nil:
		return fmt.Sprintf("it waits for %s, which failed", a.blockedBy)
	case a.inherited.gone != "":
		return fc.inheritedFilter(i).refuse(0).reason
	case a.possible.Empty():
		return "no node admits it: " + fc.refusals(i)
	}
	unable := fc.unable(i)
	if follower := unable[0]; !fc.sourceNodes(follower).Intersects(a.possible) {
		node := fc.sourceNodes(follower).First()
		return fmt.Sprintf("it can run on %s, and %s, which must run where it does by %s, only on %s, where it cannot run: %s",
			fc.listNodes(a.possible.All()), fc.ref(follower), strings.Join(fc.constraints[follower].keys, ", "), fc.listNodes(fc.completing[follower].All()), fc.refusing(i, node).refuse(node).reason)
	}
	return fmt.Sprintf("of the nodes that admit it, %s, none leaves a node for each of %s", fc.listNodes(a.possible.All()), listNames(fc.refs(unable), len(unable)))
}

// Problems returns the problems of the flow on these nodes, in the flow's order: where it
// fails, or else which operations can strand it, and which inherited labels no node has. It
// is nil if there are none.
func (fc *Forecast) Problems() []Problem {
	if fc == nil {
		return nil
	}
	var problems []Problem
	report := func(i int32, code Code, severity Severity, field, format string, args ...any) {
		problems = append(problems, fc.operation(i).problem(code, severity, field, format, args...))
	}
	idle := sync.OnceValue(fc.idle)
	for i := range int32(len(fc.admission)) {
		a := &fc.admission[i]
		if fc.isImpossible(i) {
			field, step := fc.operation(i).podSpec(), "change the constraints of one of them, or the nodes"
			switch {
			case a.failed:
				field, step = "status.phase", "the flow cannot complete unless it is run again"
			case a.blockedBy != nil:
				field, step = runAfterField, "the flow cannot complete unless that is run again"
			case a.inherited.gone != "":
				field, step = strategyField, fc.inheritedFilter(i).fix
			case a.possible.Empty():
				field, step = fc.adviseFix(i)
			}
			report(i, CodeImpossible, SeverityError, field, "%s; %s", fc.reason(fc.ref(i)), step)
		}
		if keys := fc.unlabelled[i]; len(keys) > 0 {
			report(i, CodeNoSuchLabel, SeverityWarning, strategyField,
				"no node has the label %s, so nothing is required by it; fix the key, or label the nodes", listNames(keys, len(keys)))
		}
		if fc.Completable() && len(fc.stranding(i)) > 0 {
			field, step := fc.adviseNarrowing(i)
			if slices.ContainsFunc(fc.stranding(i), func(s stranding) bool { return s.nodes.Intersects(idle()[i]) }) {
				step += "; this holds only as long as the free resources do not change"
			}
			report(i, CodeStranding, SeverityWarning, field, "%s; %s", fc.describeStrands(i), step)
		}
	}
	return problems
}

// adviseNarrowing says how to keep an operation from the nodes on which it would strand the
// flow, and in which field: by the expression to add. A DataBackup and a script have no such
// field.
func (fc *Forecast) adviseNarrowing(i int32) (field, step string) {
	op := fc.operation(i)
	key, values, ok := fc.nodes.index.Separating(fc.feasible[i], fc.admission[i].admitted)
	const most = 8
	expression := fmt.Sprintf("it can run on %s only", fc.listNodes(fc.feasible[i].All()))
	switch {
	case op.Ref.Kind == DataBackup:
	case ok && len(values) <= most:
		expression = fmt.Sprintf("add to its required node affinity: {key: %s, operator: In, values: %s}", asKey(key), quoted(values))
	case ok:
		expression = fmt.Sprintf("add to its required node affinity: key %s, operator In, and the %d values in the forecast's affinity", key, len(values))
	}
	switch {
	case op.isScript():
		return op.podSpec(), "its processor is a script, which takes no affinity; make it a job; " + expression
	case !op.hasPodSpec():
		return op.podSpec(), expression + ", and its spec has no affinity: change its followers, or give its pod the affinity of the forecast"
	default:
		return op.podSpec() + ".affinity", expression
	}
}

// asKey returns a label key, quoted if YAML does not read it as a string otherwise.
func asKey(key string) string {
	if isYAMLString(strings.ReplaceAll(strings.ToLower(key), "_", "")) {
		return key
	}
	return strconv.Quote(key)
}

// quoted returns values as a list in flow style, for YAML and JSON alike.
func quoted(values []string) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = strconv.Quote(value)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// adviseFix says what to change so that some node admits an operation, and in which field.
func (fc *Forecast) adviseFix(i int32) (field, step string) {
	op, nodes := fc.operation(i), fc.nodes.index.All()
	only, node, ok := fc.onlyRefusal(i)
	if ok && only.verdict == VerdictTaint && op.hasPodSpec() {
		taint := fc.untoleratedTaint(&fc.admission[i], node)
		only.fix = fmt.Sprintf("add the toleration {key: %s, operator: Exists, effect: %s}, or remove the taint of", asKey(message.Printable(taint.Key)), message.Printable(string(taint.Effect)))
	}
	switch {
	case nodes.Empty():
		return op.podSpec(), "add nodes"
	case ok && only.field == strategyField:
		return strategyField, only.fix
	case ok && nodes.Len() == 1:
		return op.podSpec() + only.field, only.fix + " that node"
	case ok:
		return op.podSpec() + only.field, only.fix + " one of them"
	case !op.hasPodSpec():
		return op.podSpec(), "change the nodes"
	default:
		return op.podSpec(), "change its constraints, or the nodes"
	}
}

// onlyRefusal returns the filter without which some node would admit the operation, and such
// a node. ok is false if there is none, if there are several, or if the caller admits no
// node.
func (fc *Forecast) onlyRefusal(i int32) (only filter, node int, ok bool) {
	filters := fc.filters(i)
	filters[len(filters)-1] = fc.inheritedFilter(i) // in place of the caller's test, which cannot be fixed here
	for f := range filters {
		others := fc.nodes.index.All()
		for g := range filters {
			if g != f {
				others = others.Intersection(filters[g].pass)
			}
		}
		switch {
		case others.Empty():
		case ok:
			return filter{}, 0, false
		default:
			only, node, ok = filters[f], others.First(), true
		}
	}
	return only, node, ok
}

// describeStrands says which followers have no node left after an operation ran on which
// nodes: the followers with the most such nodes first, and all beyond a few together.
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
		parts = append(parts, fmt.Sprintf("on %s %s %s", fc.listNodes(s.nodes.All()), what, fc.ref(s.blocks)))
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

// unable returns the followers for which no node remains after an operation on any of its
// nodes; or all followers, if each by itself has one.
func (fc *Forecast) unable(i int32) []int32 {
	var unable []int32
	for _, follower := range fc.followers[i] {
		if !fc.sourceNodes(follower).Intersects(fc.admission[i].possible) {
			unable = append(unable, follower)
		}
	}
	if unable == nil {
		return fc.followers[i]
	}
	return unable
}

func (fc *Forecast) ref(i int32) Ref { return fc.flow.operations[i].Ref }

func (fc *Forecast) operation(i int32) *Operation { return &fc.flow.operations[i] }

func (fc *Forecast) refs(operations []int32) []string {
	var refs []string
	for _, i := range operations {
		refs = append(refs, fc.ref(i).String())
	}
	return refs
}

// listNodes lists the first few names of nodes.
func (fc *Forecast) listNodes(nodes iter.Seq[int]) string {
	names := fc.names(nodes)
	n := len(names)
	names = names[:min(n, listedNames+1)]
	for i := range names {
		names[i] = message.Printable(names[i])
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
