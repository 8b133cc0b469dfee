package dataflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Verdict says what a node is to an operation.
type Verdict string

// The verdicts of a forecast. Those of filters are in the order of the filters.
const (
	VerdictFeasible  Verdict = "feasible"  // the operation can run there, and the whole flow can complete
	VerdictStrands   Verdict = "strands"   // it could run there, and would leave no node for a follower
	VerdictCordon    Verdict = "cordon"    // the node is cordoned
	VerdictNodeName  Verdict = "nodeName"  // the pod is bound to another node
	VerdictTaint     Verdict = "taint"     // the node has a taint that is not tolerated
	VerdictSelector  Verdict = "selector"  // the node does not match the node selector
	VerdictAffinity  Verdict = "affinity"  // the node does not match the required node affinity
	VerdictResources Verdict = "resources" // the requests do not fit on the node
	VerdictCaller    Verdict = "caller"    // the caller's own test refuses the node
	VerdictSource    Verdict = "source"    // the operation must run where its source does, which is not there
	VerdictStarted   Verdict = "started"   // the operation has run already, or failed
	VerdictFlow      Verdict = "flow"      // the operation could run there, and the flow cannot complete at all
	VerdictUnknown   Verdict = "unknown"   // there is no such node, or no such operation
)

// Verdict returns what the node with the given name is to the operation.
func (fc *Forecast) Verdict(ref Ref, node string) Verdict {
	verdict, _, _ := fc.verdict(ref, node)
	return verdict
}

// Label returns the verdict in a few words, for a cell of a table: "taint nvidia.com/gpu",
// "nvidia.com/gpu 0 of 1", "blocks train", "← fetch". It is empty for a feasible node, and for
// one that does not match the operation's node selector or required node affinity.
func (fc *Forecast) Label(ref Ref, node string) string {
	_, _, label := fc.verdict(ref, node)
	return label
}

// Why says why the operation cannot run on the node with the given name such that the whole
// flow can complete. It is empty exactly if the node is feasible (law L10). Otherwise it
// names the first filter of kube-scheduler that refuses the node, with its detail, or else
// the operation because of which the node is not feasible.
func (fc *Forecast) Why(ref Ref, node string) string {
	_, reason, _ := fc.verdict(ref, node)
	return reason
}

func (fc *Forecast) verdict(ref Ref, node string) (verdict Verdict, reason, label string) {
	verdict, reason, label = fc.judge(ref, node)
	return verdict, message.Text(reason), message.Excerpt(message.Text(label))
}

func (fc *Forecast) judge(ref Ref, node string) (verdict Verdict, reason, label string) {
	i := fc.find(ref)
	if i == none {
		return VerdictUnknown, fc.unknown(ref).Error(), "unknown"
	}
	n, ok := fc.nodes.index.Find(node)
	if !ok {
		return VerdictUnknown, fmt.Sprintf("%q is not among the nodes", message.Excerpt(node)), "unknown"
	}
	a := &fc.admission[i]
	switch {
	case a.failed:
		return VerdictStarted, "it failed", "failed"
	case a.settled && !a.possible.Has(n):
		where := "on a node that is not known, or not among the nodes"
		if !a.possible.Empty() {
			where = "on " + fc.listNodes(a.possible.All())
		}
		return VerdictStarted, "it has already run, " + where, "ran elsewhere"
	}
	if !a.settled && !a.possible.Has(n) {
		f := fc.refusing(i, n)
		refusal := f.refuse(n)
		return f.verdict, refusal.reason, refusal.label
	}
	switch c := fc.constraints[i]; {
	case !fc.Completable():
		at := fc.refs(fc.impossible)
		return VerdictFlow, "the flow cannot complete: it fails at " + listNames(at, len(at)), "flow fails"
	case !fc.reachable(i).Has(n):
		return VerdictSource, fmt.Sprintf("it must run where %s does by %s, and that cannot run there", fc.ref(c.source), strings.Join(c.keys, ", ")), "← " + message.Printable(fc.ref(c.source).Name)
	}
	for _, s := range fc.stranding(i) {
		if s.nodes.Has(n) {
			return VerdictStrands, fmt.Sprintf("it would leave no node for %s", fc.ref(s.blocks)), "blocks " + message.Printable(fc.ref(s.blocks).Name)
		}
	}
	return VerdictFeasible, "", ""
}

// refusing returns the first filter that refuses a node that is not possible for an operation.
func (fc *Forecast) refusing(i int32, node int) *filter {
	filters := append(fc.filters(i), fc.inheritedFilter(i))
	return &filters[slices.IndexFunc(filters, func(f filter) bool { return !f.pass.Has(node) })]
}
