package dataflow

import (
	"iter"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
)

// ForecastOptions holds what a forecast takes into account in addition to the flow and
// the nodes. The zero value is right for a flow that has not started.
type ForecastOptions struct {
	// Seen holds what is known of operations that have started, as for [Flow.Resolve].
	// An operation that is Complete needs no node any more, and one that is Executing
	// on a known node stays there. What the former recorded, and the present labels of
	// the node of the latter, are what their followers must match (law L7). An
	// operation that is Executing on an unknown node may not be scheduled yet: it is
	// placed like one that has not started. A flow with a Failed operation, or with
	// one that waits for a Failed one outside it, cannot complete.
	Seen map[Ref]Observation

	// Admit is the caller's own test of whether an operation may run on a node. It is
	// called only for nodes that admit the operation by its own constraints, and not for
	// operations that need no node any more. It must not write to its arguments. Nil
	// admits every node.
	Admit func(op Operation, node *corev1.Node) bool

	// ExtendedResourceToleration says that the admission plugin of this name is enabled:
	// a pod that requests an extended resource tolerates every taint with the name of
	// the resource as its key and the effect NoSchedule.
	ExtendedResourceToleration bool
}

// Forecast says where operations can run such that the whole flow can complete. It is
// immutable and safe for use by many goroutines at once. For an operation that is not in
// the flow there are no nodes and no strands. A nil Forecast, and the zero value, are the
// forecast of an empty flow.
type Forecast struct {
	flow        *Flow
	nodes       *NodeIndex
	order       []int32 // each operation after its source
	constraints []constraint
	followers   [][]int32 // for each operation, those with a constraint on it
	admission   []admission

	// For each operation, the nodes on which it and all operations of its subtree can
	// run, and those of them where it can run after its source.
	completing, feasible []nodeindex.Set
	impossible           []int32
	unlabelled           map[int32][]string // the keys of constraints that no node has as a label

	once    sync.Once
	strands [][]stranding // for each operation; found when first asked for
}

// constraint is a colocation of operations that both still need a node, and the relation
// of nodes that meet it.
type constraint struct {
	colocation
	agreement *nodeindex.Agreement
}

// Forecast computes, for every operation, the nodes on which it can run such that all
// other operations can run as well. It is exact (law L1).
//
// An operation can run on a node that kube-scheduler's filters NodeUnschedulable, NodeName,
// TaintToleration, NodeAffinity and NodeResourcesFit let through, and that options admit
// (law L9). If the operation has a node name, the kubelet's admission on that node decides
// instead. With policy Require its node must have, for every key that the operation inherits and
// that its source's node has as a label, the same value. A source that exposes nothing
// constrains nothing, and neither does a source outside the flow that has not run.
//
// The error holds every fault: a malformed node selector or required node affinity as an
// [*OperationError], and operations that are each other's sources as a [*CycleError].
// Without nodes, no node is feasible.
//
// Each distinct combination of an operation's own constraints is evaluated once
// over the nodes; then a few operations on sets of nodes follow for each operation of the
// flow (law L8). Where a strategy has many keys that each node has or lacks at random,
// such an operation takes a step for each 64 pairs of nodes; otherwise its cost is linear.
func (f *Flow) Forecast(nodes *NodeIndex, options ForecastOptions) (*Forecast, error) {
	if f == nil {
		f = &Flow{}
	}
	if nodes == nil || nodes.index == nil {
		nodes, _ = IndexNodes(nil, nil)
	}
	var faults []error
	colocations, order, circular := f.colocations()
	for _, cycle := range circular {
		faults = append(faults, cycle)
	}
	admissions, malformed := f.admissions(nodes, options)
	if err := join(append(faults, malformed...)); err != nil {
		return nil, err
	}

	fc := &Forecast{flow: f, nodes: nodes, order: order, admission: admissions, unlabelled: map[int32][]string{}}
	fc.constrain(colocations, nodes.index)
	fc.bottomUp()
	fc.impossible = fc.failing()
	if fc.Completable() {
		fc.topDown()
	}
	return fc, nil
}

// constrain keeps the constraints between operations that both still need a node.
func (fc *Forecast) constrain(colocations []colocation, index *nodeindex.Index) {
	fc.constraints, fc.followers = make([]constraint, len(colocations)), make([][]int32, len(colocations))
	for i, c := range colocations {
		if c.source == none || fc.admission[i].settled || fc.admission[c.source].settled {
			fc.constraints[i].source = none
			continue
		}
		fc.constraints[i] = constraint{c, index.Agreement(c.keys)}
		fc.followers[c.source] = append(fc.followers[c.source], int32(i))
		for _, key := range c.keys {
			if len(fc.nodes.list) > 0 && !index.HasLabel(key) {
				fc.unlabelled[int32(i)] = append(fc.unlabelled[int32(i)], key)
			}
		}
	}
}

// bottomUp computes, from the leaves to the roots, the nodes from which each operation and
// its whole subtree can be placed: each follower on some node that agrees.
func (fc *Forecast) bottomUp() {
	fc.completing = make([]nodeindex.Set, len(fc.order))
	for i := range fc.completing {
		if fc.completing[i] = fc.admission[i].possible; fc.admission[i].blockedBy != nil {
			fc.completing[i] = fc.nodes.index.None()
		}
	}
	for _, i := range slices.Backward(fc.order) {
		if source := fc.constraints[i].source; source != none {
			fc.completing[source] = fc.completing[source].Intersection(fc.sourceNodes(i))
		}
	}
}

// topDown keeps, from the roots to the leaves, the nodes that agree with a feasible node of
// the source.
func (fc *Forecast) topDown() {
	fc.feasible = make([]nodeindex.Set, len(fc.order))
	for _, i := range fc.order {
		fc.feasible[i] = fc.completing[i].Intersection(fc.reachable(i))
	}
}

// sourceNodes returns the nodes of its source after which a follower can complete.
func (fc *Forecast) sourceNodes(follower int32) nodeindex.Set {
	return fc.constraints[follower].agreement.Leaders(fc.completing[follower])
}

// reachable returns the nodes that agree with a feasible node of the source, or without a
// source all that are possible.
func (fc *Forecast) reachable(i int32) nodeindex.Set {
	c := fc.constraints[i]
	if c.source == none {
		return fc.admission[i].possible
	}
	return c.agreement.Followers(fc.feasible[c.source])
}

// failing returns the operations that have no completing node although every follower has
// one.
func (fc *Forecast) failing() []int32 {
	var failing []int32
	for i := range fc.completing {
		if fc.fails(int32(i)) && !slices.ContainsFunc(fc.followers[i], fc.fails) {
			failing = append(failing, int32(i))
		}
	}
	return failing
}

// fails reports whether an operation needs a node and has no completing one.
func (fc *Forecast) fails(i int32) bool {
	return fc.completing[i].Empty() && !fc.admission[i].settled
}

// find returns the index of an operation, or none.
func (fc *Forecast) find(ref Ref) int32 {
	if fc == nil {
		return none
	}
	return fc.flow.find(ref)
}

// unknown returns the error for an operation that is not in the flow.
func (fc *Forecast) unknown(ref Ref) error {
	if fc == nil {
		return &UnknownOperationError{Operation: ref}
	}
	return fc.flow.unknown(ref)
}

// Completable reports whether some placement of the whole flow exists.
func (fc *Forecast) Completable() bool { return fc == nil || len(fc.impossible) == 0 }

// Impossible returns the operations at which the flow fails, in the flow's order. It is nil
// if the flow is completable. The flow fails at an operation if the operation failed or waits
// for one outside the flow that failed, if no node admits it, or if no node that admits it
// leaves a node for each of its followers. Of an operation and those that inherit from it, only
// the last that fails is returned: it has to be fixed first.
func (fc *Forecast) Impossible() []Ref {
	if fc == nil {
		return nil
	}
	var refs []Ref
	for _, i := range fc.impossible {
		refs = append(refs, fc.flow.operations[i].Ref)
	}
	return refs
}

// Nodes returns the names of the nodes that are feasible for the operation, sorted: those
// where some placement of the whole flow puts it, and no others. It is nil if there are
// none, as for every operation of a flow that is not completable. For an operation that is
// complete, or running on a known node, it is the node where it ran, if that is known and
// exists.
func (fc *Forecast) Nodes(ref Ref) []string {
	i := fc.find(ref)
	if i == none || !fc.Completable() {
		return nil
	}
	return fc.names(fc.feasible[i].All())
}

func (fc *Forecast) names(nodes iter.Seq[int]) []string {
	var names []string
	for node := range nodes {
		names = append(names, fc.nodes.list[node].Name)
	}
	slices.Sort(names)
	return names
}
