package dataflow

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// tested is the result of the filters of kube-scheduler, or for a pod with a node name of the
// admission of the kubelet (law L9), for all operations with the same constraints.
type tested struct {
	nodeName    string
	selector    nodeselector.Term
	terms       []nodeselector.Term // ORed; one empty term if there is no required node affinity
	tolerations nodeindex.Tolerations
	demands     []nodeindex.Demand

	// The nodes that pass each filter, and those that pass all of them.
	uncordoned, named, tolerated, selected, matching, fitting, admitted nodeindex.Set

	refused *refusedNodes

	faults field.ErrorList // of the constraints; then no node passes
}

// passing returns the nodes that pass every filter.
func (t *tested) passing() nodeindex.Set {
	passing := t.uncordoned
	for _, pass := range []nodeindex.Set{t.named, t.tolerated, t.selected, t.matching, t.fitting} {
		passing = passing.Intersection(pass)
	}
	return passing
}

// test applies the filters to an operation.
func (n *NodeIndex) test(op *Operation, tolerations []corev1.Toleration) tested {
	selector, terms, faults := constraints(op)
	if len(faults) > 0 {
		return tested{admitted: n.index.None(), faults: faults}
	}
	t := tested{
		nodeName: op.NodeName, selector: selector, terms: terms,
		tolerations: nodeindex.NewTolerations(tolerations), demands: nodeindex.Demands(op.Requests, op.NodeName != ""),
		refused: new(refusedNodes),
	}
	if t.nodeName != "" {
		t.uncordoned, t.named = n.index.All(), n.index.Named(t.nodeName)
		t.tolerated = t.named.Filter(func(i int) bool {
			_, untolerated := t.tolerations.Untolerated(&n.list[i], corev1.TaintEffectNoExecute)
			return !untolerated
		})
	} else {
		t.uncordoned, t.named = n.index.Uncordoned(t.tolerations), n.index.All()
		t.tolerated = n.tolerated.Get(identity(&Operation{}, tolerations), func() nodeindex.Set { return n.index.Tolerated(t.tolerations) })
	}
	t.selected, t.matching, t.fitting = n.index.Matching([]nodeselector.Term{selector}), n.index.Matching(terms), n.capacity.Fitting(t.demands)
	t.admitted = t.passing()
	return t
}

// filter is one test that a node must pass before an operation can run on it.
type filter struct {
	verdict Verdict
	pass    nodeindex.Set
	refuse  func(node int) refusal
	field   string // what to change: the field below the pod spec
	fix     string // and how, or how to change the node
}

// refusal says why a node does not pass a filter.
type refusal struct {
	summary string // the same for all nodes like it
	reason  string // the same with the values of this node
	label   string // the same in a few words, for a cell of a table
}

// constant returns the refusal of every node.
func constant(text, label string) func(node int) refusal {
	return func(int) refusal { return refusal{text, text, label} }
}

// filters returns what a node must pass to admit an operation by itself: the filters of the
// scheduler in its own order, and the caller's test.
func (fc *Forecast) filters(i int32) []filter {
	a := &fc.admission[i]
	tolerations := ""
	if fc.operation(i).hasPodSpec() {
		tolerations = ".tolerations"
	}
	by := func(refuse func(*admission, int) refusal) func(int) refusal {
		return func(node int) refusal { return refuse(a, node) }
	}
	return []filter{
		{VerdictCordon, a.uncordoned, constant("cordoned", "cordon"), "", "uncordon"},
		{VerdictNodeName, a.named, by(fc.unnamed), ".nodeName", "set its nodeName to"},
		{VerdictTaint, a.tolerated, by(fc.untolerated), tolerations, "remove the taint of"},
		{VerdictSelector, a.selected, by(fc.unselected), ".nodeSelector", "change its node selector, or the labels of"},
		{VerdictAffinity, a.matching, by(fc.unmatched), ".affinity", "change its affinity, or the labels of"},
		{VerdictResources, a.fitting, by(fc.short), "", "request less, or free resources of"},
		{VerdictCaller, a.admitted, constant("not admitted by the caller", "caller"), "", ""},
	}
}

// inheritedFilter returns the filter for the labels that an operation inherits from a source
// that has run. Every node passes if there are none.
func (fc *Forecast) inheritedFilter(i int32) filter {
	inherited := &fc.admission[i].inherited
	source := inherited.source.String()
	fix := "run " + source + " again, or label a node"
	if inherited.gone != "" {
		fix = "run " + source + " again"
	}
	return filter{VerdictSource, inherited.nodes, func(int) refusal {
		text := fmt.Sprintf("without %s, which it inherits from %s", message.Printable(inherited.labels.String()), source)
		if inherited.gone != "" {
			text = fmt.Sprintf("%s runs on %q, which is not among the nodes, and this operation must run where it does", source, message.Excerpt(inherited.gone))
		}
		return refusal{text, text, "← " + fc.nameBeside(i, inherited.source)}
	}, strategyField, fix}
}

func (fc *Forecast) unnamed(a *admission, _ int) refusal {
	text := fmt.Sprintf("not the node %q of nodeName", message.Excerpt(a.nodeName))
	return refusal{text, text, "nodeName"}
}

// untoleratedTaint returns the first taint of a node that keeps an operation away.
func (fc *Forecast) untoleratedTaint(a *admission, node int) corev1.Taint {
	effects := []corev1.TaintEffect{corev1.TaintEffectNoExecute}
	if a.nodeName == "" {
		effects = append(effects, corev1.TaintEffectNoSchedule)
	}
	taint, _ := a.tolerations.Untolerated(&fc.nodes.list[node], effects...)
	return taint
}

func (fc *Forecast) untolerated(a *admission, node int) refusal {
	taint := fc.untoleratedTaint(a, node)
	value := ""
	if taint.Value != "" {
		value = "=" + taint.Value
	}
	text := fmt.Sprintf("taint %s not tolerated", message.Printable(fmt.Sprintf("%s%s:%s", taint.Key, value, taint.Effect)))
	return refusal{text, text, "taint " + message.Printable(taint.Key)}
}

func (fc *Forecast) unselected(a *admission, node int) refusal {
	return refusal{"not matched by its node selector", "nodeSelector requires " + fc.mismatch(a.selector, node), ""}
}

func (fc *Forecast) unmatched(a *admission, node int) refusal {
	reason := "its affinity has only empty terms, which match no node"
	if len(a.terms) > 0 {
		reason = "affinity requires " + fc.mismatch(a.terms[0], node)
	}
	if len(a.terms) > 1 {
		reason += fmt.Sprintf(" (term 0 of %d; the others do not match either)", len(a.terms))
	}
	return refusal{"not matched by its affinity", reason, ""}
}

// short says of which resources a node has too little: in the reason every one, as
// kube-scheduler does, and in the label the first.
func (fc *Forecast) short(a *admission, node int) refusal {
	short := fc.nodes.capacity.Shortages(node, a.demands)
	var amounts []string
	for _, s := range short[:min(len(short), listedNames+1)] {
		amounts = append(amounts, s.Requested.String()+" "+message.Printable(string(s.Resource)))
	}
	reason := message.List(len(short), func(i int) string {
		s := &short[i]
		return fmt.Sprintf("%s: %s requested, %s free", message.Printable(string(s.Resource)), s.Requested.String(), s.Free.String())
	}, "; ", message.Limit)
	first := &short[0]
	label := fmt.Sprintf("%s %s of %s", message.Printable(string(first.Resource)), first.Free.String(), first.Requested.String())
	return refusal{fmt.Sprintf("with less than %s free", listNames(amounts, len(short))), reason, label}
}

// mismatch returns the first requirement of a term that a node does not match, and the
// node's value.
func (fc *Forecast) mismatch(t nodeselector.Term, node int) string {
	n := &fc.nodes.list[node]
	at := slices.IndexFunc(t, func(r requirement.Requirement) bool { return !nodeselector.Term{r}.Matches(n.Name, n.Labels) })
	r := &t[at]
	value, has := n.Labels[r.Key()]
	switch {
	case r.IsField():
		return r.String() + ", the node is " + message.Printable(n.Name)
	case !has:
		return r.String() + ", the node has no such label"
	default:
		return fmt.Sprintf("%s, the node has %q", r, message.Excerpt(value))
	}
}

// refusals says why no node admits an operation: it counts nodes by the first filter that
// each of them fails, as the scheduler's own message does.
func (fc *Forecast) refusals(i int32) string {
	all := fc.nodes.index.All()
	if all.Empty() {
		return "there are no nodes"
	}
	var texts []string
	count, nodes := map[string]int{}, all
	for _, f := range append([]filter{fc.inheritedFilter(i)}, fc.filters(i)...) {
		for node := range nodes.Difference(f.pass).All() {
			text := f.refuse(node).summary
			if count[text]++; count[text] == 1 {
				texts = append(texts, text)
			}
		}
		nodes = nodes.Intersection(f.pass)
	}
	slices.SortStableFunc(texts, func(a, b string) int { return count[b] - count[a] })
	const listed = 5
	var parts []string
	for _, text := range texts[:min(len(texts), listed)] {
		parts = append(parts, fmt.Sprintf("%d %s", count[text], text))
	}
	if more := len(texts) - listed; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more reasons", more))
	}
	return fmt.Sprintf("of %s: %s", nodeCount(all.Len()), strings.Join(parts, "; "))
}

func nodeCount(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
