package dataflow

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// pod is what the filters of kube-scheduler, or for a pod with a node name the admission of
// the kubelet, look at.
type pod struct {
	nodeName    string
	selector    nodeselector.Term
	terms       []nodeselector.Term // ORed; one empty term if there is no required node affinity
	tolerations *nodeindex.Tolerations
	demands     []nodeindex.Demand
}

// filtered holds the nodes that pass each filter for a pod (law L9).
type filtered struct {
	pod
	uncordoned, named, tolerated, selected, matching, fitting nodeindex.Set

	refused *refusedNodes
}

// filter applies the filters to a pod.
func (n *NodeIndex) filter(p pod, selectorIdentity, tolerationsIdentity []byte) filtered {
	all := n.index.All()
	f := filtered{pod: p, uncordoned: all, named: all, refused: new(refusedNodes)}
	f.selected = n.selected.Get(selectorIdentity, func() nodeindex.Set { return n.index.Matching([]nodeselector.Term{p.selector}) })
	f.matching = n.index.Matching(p.terms) // not kept: pods with the same terms mostly are the same in all else
	if p.nodeName != "" {
		f.named = n.index.Named(p.nodeName)
		f.tolerated = f.named.Filter(func(i int) bool {
			_, untolerated := p.tolerations.Untolerated(&n.list[i], corev1.TaintEffectNoExecute)
			return !untolerated
		})
	} else {
		f.tolerated = n.tolerated.Get(tolerationsIdentity, func() nodeindex.Set { return n.index.Tolerated(p.tolerations) })
		f.uncordoned = n.uncordoned.Get(tolerationsIdentity, func() nodeindex.Set { return n.index.Uncordoned(p.tolerations) })
	}
	f.fitting = n.capacity.Fitting(p.demands)
	return f
}

// admitted returns the nodes that pass every filter.
func (f *filtered) admitted() nodeindex.Set {
	admitted := f.uncordoned
	for _, pass := range []nodeindex.Set{f.named, f.tolerated, f.selected, f.matching, f.fitting} {
		admitted = admitted.Intersection(pass)
	}
	return admitted
}

// filter is one test that a node must pass before an operation can run on it.
type filter struct {
	verdict Verdict
	pass    nodeindex.Set
	summary func(node int) string // why a node does not pass, the same for all nodes like it
	reason  func(node int) string // the same with the values of this node; nil: as summary
	label   func(node int) string // the same in a few words, for a cell of a table
	field   string                // what to change: the field below the pod spec
	fix     string                // and how, or how to change the node
}

// why returns why a node does not pass.
func (f *filter) why(node int) string {
	if f.reason != nil {
		return f.reason(node)
	}
	return f.summary(node)
}

// filters returns what a node must pass to admit an operation by itself: the filters of the
// scheduler in its own order, and the caller's test.
func (fc *Forecast) filters(i int32) []filter {
	a := &fc.admission[i]
	tolerations := ""
	if fc.operation(i).hasPodSpec() {
		tolerations = ".tolerations"
	}
	return []filter{
		{VerdictCordon, a.uncordoned, constant("cordoned"), nil, constant("cordon"), "", "uncordon"},
		{VerdictNodeName, a.named, func(int) string { return fmt.Sprintf("not the node %q of nodeName", message.Excerpt(a.nodeName)) }, nil, constant("nodeName"), ".nodeName", "set its nodeName to"},
		{VerdictTaint, a.tolerated, fc.untolerated(a), nil, fc.taintKey(a), tolerations, "remove the taint of"},
		{VerdictSelector, a.selected, constant("not matched by its node selector"), fc.unselected(a), constant(""), ".nodeSelector", "change its node selector, or the labels of"},
		{VerdictAffinity, a.matching, constant("not matched by its affinity"), fc.unmatched(a), constant(""), ".affinity", "change its affinity, or the labels of"},
		{VerdictResources, a.fitting, fc.shortResources(a), fc.shortages(a), fc.shortAmount(a), "", "request less, or free resources of"},
		{VerdictCaller, a.admitted, constant("not admitted by the caller"), nil, constant("caller"), "", ""},
	}
}

// inheritedFilter returns the filter for the labels that an operation inherits from a source
// that has run. Every node passes if there are none.
func (fc *Forecast) inheritedFilter(i int32) filter {
	inherited := &fc.admission[i].inherited
	source := inherited.source.String()
	f := filter{verdict: VerdictSource, pass: inherited.nodes, field: strategyField, fix: "run " + source + " again, or label a node"}
	f.summary = func(int) string {
		return fmt.Sprintf("without %s, which it inherits from %s", message.Printable(inherited.labels.String()), source)
	}
	f.label = func(int) string { return "← " + fc.nameBeside(i, inherited.source) }
	if inherited.gone != "" {
		f.fix = "run " + source + " again"
		f.summary = constant(fmt.Sprintf("%s runs on %q, which is not among the nodes, and this operation must run where it does", source, message.Excerpt(inherited.gone)))
	}
	return f
}

// constant returns a text that is the same for every node.
func constant(text string) func(node int) string { return func(int) string { return text } }

// untoleratedTaint returns the first taint of a node that keeps an operation away.
func (fc *Forecast) untoleratedTaint(a *admission, node int) (corev1.Taint, bool) {
	effects := []corev1.TaintEffect{corev1.TaintEffectNoExecute}
	if a.nodeName == "" {
		effects = append(effects, corev1.TaintEffectNoSchedule)
	}
	return a.tolerations.Untolerated(&fc.nodes.list[node], effects...)
}

func (fc *Forecast) untolerated(a *admission) func(int) string {
	return func(node int) string {
		taint, _ := fc.untoleratedTaint(a, node)
		value := ""
		if taint.Value != "" {
			value = "=" + taint.Value
		}
		return fmt.Sprintf("taint %s not tolerated", message.Printable(fmt.Sprintf("%s%s:%s", taint.Key, value, taint.Effect)))
	}
}

func (fc *Forecast) taintKey(a *admission) func(int) string {
	return func(node int) string {
		taint, _ := fc.untoleratedTaint(a, node)
		return "taint " + message.Printable(taint.Key)
	}
}

func (fc *Forecast) unselected(a *admission) func(int) string {
	return func(node int) string { return "nodeSelector requires " + fc.mismatch(a.selector, node) }
}

func (fc *Forecast) unmatched(a *admission) func(int) string {
	return func(node int) string {
		if len(a.terms) == 0 {
			return "its affinity has only empty terms, which match no node"
		}
		text := "affinity requires " + fc.mismatch(a.terms[0], node)
		if len(a.terms) > 1 {
			text += fmt.Sprintf(" (term 0 of %d; the others do not match either)", len(a.terms))
		}
		return text
	}
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

// shortResources returns what a node has too little of.
func (fc *Forecast) shortResources(a *admission) func(int) string {
	return func(node int) string {
		short := fc.nodes.capacity.Shortages(node, a.demands)
		var amounts []string
		for _, s := range short[:min(len(short), listedNames+1)] {
			amounts = append(amounts, s.Requested.String()+" "+message.Printable(string(s.Resource)))
		}
		return fmt.Sprintf("with less than %s free", listNames(amounts, len(short)))
	}
}

// shortAmount returns the first resource of which a node has too little.
func (fc *Forecast) shortAmount(a *admission) func(int) string {
	return func(node int) string {
		s := fc.nodes.capacity.Shortages(node, a.demands)[0]
		return fmt.Sprintf("%s %s of %s", message.Printable(string(s.Resource)), s.Free.String(), s.Requested.String())
	}
}

// shortages returns every resource of which a node has too little, as kube-scheduler does.
func (fc *Forecast) shortages(a *admission) func(int) string {
	return func(node int) string {
		short := fc.nodes.capacity.Shortages(node, a.demands)
		return message.List(len(short), func(i int) string {
			s := &short[i]
			return fmt.Sprintf("%s: %s requested, %s free", message.Printable(string(s.Resource)), s.Requested.String(), s.Free.String())
		}, "; ", message.Limit)
	}
}

// refusals says why no node admits an operation: it counts nodes by the first filter that
// each of them fails, as the scheduler's own message does.
func (fc *Forecast) refusals(i int32) string {
	all := fc.nodes.index.All()
	if all.Empty() {
		return "there are no nodes"
	}
	type refusal struct {
		text  string
		count int
	}
	var refusals []*refusal
	nodes := all
	for _, f := range append([]filter{fc.inheritedFilter(i)}, fc.filters(i)...) {
		byText := map[string]*refusal{}
		for node := range nodes.Difference(f.pass).All() {
			text := f.summary(node)
			if byText[text] == nil {
				byText[text] = &refusal{text: text}
				refusals = append(refusals, byText[text])
			}
			byText[text].count++
		}
		nodes = nodes.Intersection(f.pass)
	}
	slices.SortStableFunc(refusals, func(a, b *refusal) int { return b.count - a.count })
	const listed = 5
	var parts []string
	for _, r := range refusals[:min(len(refusals), listed)] {
		parts = append(parts, fmt.Sprintf("%d %s", r.count, r.text))
	}
	if more := len(refusals) - listed; more > 0 {
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
