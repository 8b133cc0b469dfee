package dataflow

import (
	"errors"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/nodeindex"
)

// ForecastOptions says what a forecast takes into account beside the flow and the
// nodes. The zero value is that of a flow that has not started.
type ForecastOptions struct {
	// Ran holds the name of the node on which an operation ran, or is running. The
	// operation is held to it, whatever has become of the node since (law L7). An empty
	// name says that nobody knows where it ran: it needs no node, and what it exposed is
	// not known either, so that nobody has to follow it. That is what Resolve makes of an
	// operation that is complete without labels.
	Ran map[Ref]string

	// Admit is the caller's own test of whether an operation may run on a node, such
	// as whether there is room for it. Only nodes that the operation can run on
	// otherwise are tested, and no operation in Ran is. It must not write to its
	// arguments. Nil admits.
	Admit func(op Operation, node *corev1.Node) bool
}

// NodeIndex are the nodes of a cluster, indexed for the forecasts of many flows. They keep what
// one flow asks of them for the next that asks the same, so they grow with how much differs,
// not with the number of flows. They are safe for use by many goroutines at once. The nodes
// that they were made of must not change as long as they are in use; a forecast, once made,
// does not need them.
type NodeIndex struct {
	list      []corev1.Node
	catalogue *nodeindex.Index
	labels    *nodeindex.Labels

	tested                          nodeindex.Memo[tested] // by all that an operation asks for
	selected, tolerated, uncordoned nodeindex.Memo[nodeindex.Set]
}

// IndexNodes returns the nodes for [Flow.ForecastOn]. It keeps nodes and does not write to
// them. That there are none is no fault. The error holds every node without a name of its
// own, as a *field.Error with a path that starts at nodes.
func IndexNodes(nodes []corev1.Node) (*NodeIndex, error) {
	indexed, misnamed := indexNodes(nodes)
	if err := errors.Join(misnamed...); err != nil {
		return nil, err
	}
	return indexed, nil
}

func indexNodes(nodes []corev1.Node) (indexed *NodeIndex, misnamed []error) {
	c, faults := nodeindex.New(nodes)
	for _, fault := range faults {
		misnamed = append(misnamed, fault)
	}
	return &NodeIndex{list: nodes, catalogue: c, labels: c.Labels()}, misnamed
}

// Forecast says where operations can run such that the whole flow can complete. It
// never changes and is safe for use by many goroutines at once. For an operation that
// is not in the flow there is nothing to say: it has no nodes and no strands.
type Forecast struct {
	flow      *Flow
	labels    *nodeindex.Labels
	constraints   []constraint
	followers [][]int32
	admission []admission

	// By operation, the nodes on which it and all its followers after it can run, and
	// those of them where it can follow its source.
	completing, feasible []nodeindex.Set
	impossible           []int32
	nowhere              map[int32][]string // the labels that it must follow and that no node has

	once    sync.Once
	strands [][]stranding // by operation; found when first asked for
}

// constraint is what an operation must follow, and which nodes agree in that.
type constraint struct {
	colocation
	agreement *nodeindex.Agreement
}

// Forecast computes, for every operation, the nodes on which it can run such that all
// the others can run as well. It is exact (law L1).
//
// An operation can run on a node that matches its node selector and its required node
// affinity, whose taints it tolerates, which is not cordoned, and which options admit.
// With policy Require it must run, for every followed label that its source exposes
// and that its source's node has, where the label has the same value. A source that is
// not in the flow, or that has no one place, constrains nothing.
//
// The error holds every fault: a node without a name of its own as a *field.Error with
// a path that starts at nodes; a malformed node selector or required node affinity as
// an [*OperationError]; an operation in options.Ran that is not in the flow as an
// [*UnknownOperationError]; operations that are each other's sources as a
// [*CycleError]. That there are no nodes is no fault: none is feasible then.
//
// The cost is that of asking each distinct node selector, affinity and list of
// tolerations about all nodes once, and of a few operations on sets of nodes for each
// operation of the flow (law L8).
func (f *Flow) Forecast(nodes []corev1.Node, options ForecastOptions) (*Forecast, error) {
	indexed, misnamed := indexNodes(nodes)
	return f.forecast(indexed, options, misnamed)
}

// ForecastOn is [Flow.Forecast] on nodes that are indexed already, as for many flows on the
// same nodes. Nil nodes, and the zero value, are none. It reports the same faults, but for
// those that [IndexNodes] reports.
func (f *Flow) ForecastOn(nodes *NodeIndex, options ForecastOptions) (*Forecast, error) {
	if nodes == nil || nodes.catalogue == nil {
		nodes, _ = indexNodes(nil)
	}
	return f.forecast(nodes, options, nil)
}

// forecast adds to the faults what else is wrong.
func (f *Flow) forecast(nodes *NodeIndex, options ForecastOptions, faults []error) (*Forecast, error) {
	followings, order, circular := f.colocations()
	for _, cycle := range circular {
		faults = append(faults, cycle)
	}
	admissions, wrong := f.admissions(nodes, options)
	if err := errors.Join(append(faults, wrong...)...); err != nil {
		return nil, err
	}

	fc := &Forecast{flow: f, labels: nodes.labels, admission: admissions, nowhere: map[int32][]string{}}
	fc.constrain(followings, nodes.catalogue)
	fc.bottomUp(order)
	if fc.impossible = fc.failing(); fc.Completable() {
		fc.topDown(order)
	}
	return fc, nil
}

// constrain keeps of what operations must constrain that which can still make a difference.
// Where an operation ran on a node that is gone, nothing is known of what it exposed:
// who has yet to constrain it cannot, and whoever ran has. Where nobody knows which node
// that was, nothing was recorded, and so nothing is there to constrain.
func (fc *Forecast) constrain(followings []colocation, c *nodeindex.Index) {
	fc.constraints, fc.followers = make([]constraint, len(followings)), make([][]int32, len(followings))
	for i, following := range followings {
		source := following.source
		if source == none || fc.admission[i].gone || fc.admission[source].gone && (fc.admission[i].ran || fc.admission[source].on == "") {
			fc.constraints[i].source = none
			continue
		}
		fc.constraints[i] = constraint{following, c.Agreement(following.keys)}
		for _, key := range following.keys {
			if fc.labels.Len() > 0 && !fc.admission[i].ran && !c.HasLabel(key) {
				fc.nowhere[int32(i)] = append(fc.nowhere[int32(i)], key)
			}
		}
		fc.followers[source] = append(fc.followers[source], int32(i))
	}
}

// bottomUp goes from the last followers to the first sources: an operation can run on
// a node, and all that follow it after it, if each follower can run, with its own, on
// some node that agrees.
func (fc *Forecast) bottomUp(order []int32) {
	fc.completing = make([]nodeindex.Set, len(order))
	for i := range fc.completing {
		fc.completing[i] = fc.admission[i].admitted
	}
	for _, i := range slices.Backward(order) {
		if follows := fc.constraints[i]; follows.source != none {
			leading := follows.agreement.Leaders(fc.completing[i])
			fc.completing[follows.source] = fc.completing[follows.source].Intersection(leading)
		}
	}
}

// topDown goes the other way: of the nodes of lookAhead, those remain on which an
// operation can follow its source, wherever that can be.
func (fc *Forecast) topDown(order []int32) {
	fc.feasible = make([]nodeindex.Set, len(order))
	for _, i := range order {
		fc.feasible[i] = fc.completing[i].Intersection(fc.reachable(i))
	}
}

// reachable returns the nodes on which an operation may find itself after its source
// ran on a feasible node, as far as following goes.
func (fc *Forecast) reachable(i int32) nodeindex.Set {
	follows := fc.constraints[i]
	if follows.source == none {
		return fc.admission[i].admitted
	}
	return follows.agreement.Followers(fc.feasible[follows.source])
}

// failing returns the operations of which no node can be completed although every
// follower, by itself, has one.
func (fc *Forecast) failing() []int32 {
	var failing []int32
	for i := range fc.completing {
		fails := fc.fails(int32(i)) && !slices.ContainsFunc(fc.followers[i], fc.fails)
		if fails {
			failing = append(failing, int32(i))
		}
	}
	return failing
}

// fails reports whether there is no node for an operation and those after it. One that
// ran on a node that is gone needs none, if nobody has to follow it any more.
func (fc *Forecast) fails(i int32) bool {
	return fc.completing[i].Empty() && !(fc.admission[i].gone && len(fc.followers[i]) == 0)
}

// Completable reports whether there is a node for every operation such that the whole
// flow can complete.
func (fc *Forecast) Completable() bool { return len(fc.impossible) == 0 }

// Impossible returns the operations at which the flow fails, in the flow's order; nil if it
// is completable. It fails at an operation if no node admits it, or if there is no node from
// which all that must follow it can. Where one of these fails itself, only that one is
// returned: it is what has to be mended first.
func (fc *Forecast) Impossible() []Ref {
	var refs []Ref
	for _, i := range fc.impossible {
		refs = append(refs, fc.flow.operations[i].Ref)
	}
	return refs
}

// Nodes returns the names of the nodes that are feasible for the operation, sorted: each
// of them, and no other, is where some way of completing the whole flow puts it. Nil if
// there is none, as for every operation of a flow that is not completable.
func (fc *Forecast) Nodes(ref Ref) []string {
	i := fc.flow.find(ref)
	if i == none || !fc.Completable() {
		return nil
	}
	return fc.names(fc.feasible[i])
}

func (fc *Forecast) names(nodes nodeindex.Set) []string {
	var names []string
	for node := range nodes.All() {
		names = append(names, fc.labels.Name(node))
	}
	slices.Sort(names)
	return names
}

// Matching returns the names of the nodes that match the operation's own node selector
// and required node affinity, sorted, whether or not they admit it otherwise.
func (fc *Forecast) Matching(ref Ref) []string {
	i := fc.flow.find(ref)
	if i == none {
		return nil
	}
	return fc.names(fc.admission[i].selected.Intersection(fc.admission[i].matching))
}
