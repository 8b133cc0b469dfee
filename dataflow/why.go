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
func (fc *Forecast) Verdict(ref Ref, node string) Verdict { return fc.judge(ref, node).verdict }

// Label returns the verdict in a few words, for a cell of a table: "taint nvidia.com/gpu",
// "nvidia.com/gpu 0 of 1", "blocks train", "← fetch". It is empty for a feasible node, and for
// one that does not match the operation's node selector or required node affinity. An operation
// of another namespace is named with it: "← team-b/fetch".
func (fc *Forecast) Label(ref Ref, node string) string {
	return message.Excerpt(message.Text(fc.judge(ref, node).label()))
}

// Why says why the operation cannot run on the node with the given name such that the whole
// flow can complete. It is empty exactly if the node is feasible (law L10). Otherwise it
// names the first filter of kube-scheduler that refuses the node, with its detail, or else
// the operation because of which the node is not feasible.
func (fc *Forecast) Why(ref Ref, node string) string {
	return message.Text(fc.judge(ref, node).reason())
}

// judgement is a verdict with its texts, which are made when they are asked for.
type judgement struct {
	verdict       Verdict
	reason, label func() string
}

func (fc *Forecast) judge(ref Ref, node string) judgement {
	i := fc.find(ref)
	if i == none {
		return judgement{VerdictUnknown, fc.unknown(ref).Error, lazily("unknown")}
	}
	n, ok := fc.nodes.index.Find(node)
	if !ok {
		return judgement{VerdictUnknown, lazily("%q is not among the nodes", message.Excerpt(node)), lazily("unknown")}
	}
	a := &fc.admission[i]
	switch {
	case a.failed:
		return judgement{VerdictStarted, lazily("it failed"), lazily("failed")}
	case a.settled && !a.possible.Has(n):
		return judgement{VerdictStarted, func() string {
			if a.possible.Empty() {
				return "it has already run, on a node that is not known, or not among the nodes"
			}
			return "it has already run, on " + fc.listNodes(a.possible.All())
		}, lazily("ran elsewhere")}
	case !a.settled && !a.possible.Has(n):
		f := fc.refusing(i, n)
		return judgement{f.verdict, func() string { return f.refuse(n).reason }, func() string { return f.refuse(n).label }}
	case !fc.Completable():
		return judgement{VerdictFlow, func() string {
			at := fc.refs(fc.impossible)
			return "the flow cannot complete: it fails at " + listNames(at, len(at))
		}, lazily("flow fails")}
	case fc.feasible[i].Has(n):
		return judgement{VerdictFeasible, lazily(""), lazily("")}
	case !fc.reachable(i).Has(n):
		c := fc.constraints[i]
		return judgement{VerdictSource, func() string {
			return fmt.Sprintf("it must run where %s does by %s, and that cannot run there", fc.ref(c.source), strings.Join(c.keys, ", "))
		}, lazily("← %s", fc.nameBeside(i, fc.ref(c.source)))}
	}
	strands := fc.stranding(i)
	blocks := fc.ref(strands[slices.IndexFunc(strands, func(s stranding) bool { return s.nodes.Has(n) })].blocks)
	return judgement{VerdictStrands, lazily("it would leave no node for %s", blocks), lazily("blocks %s", fc.nameBeside(i, blocks))}
}

// lazily returns a function that formats a text.
func lazily(format string, args ...any) func() string {
	return func() string { return fmt.Sprintf(format, args...) }
}

// nameBeside names another operation in a label of the i-th: by its name, with the namespace if that
// is another one.
func (fc *Forecast) nameBeside(i int32, other Ref) string {
	if other.Namespace == fc.ref(i).Namespace {
		return message.Printable(other.Name)
	}
	return message.Printable(other.Namespace) + "/" + message.Printable(other.Name)
}

// refusing returns the first filter that refuses a node that is not possible for an operation.
func (fc *Forecast) refusing(i int32, node int) *filter {
	filters := append(fc.filters(i), fc.inheritedFilter(i))
	return &filters[slices.IndexFunc(filters, func(f filter) bool { return !f.pass.Has(node) })]
}
