package dataflow

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
)

// Strand is a node on which an operation would strand the flow.
type Strand struct {
	Node   string `json:"node"`   // its name
	Blocks Ref    `json:"blocks"` // the nearest follower that could no longer run
}

// Strands returns the nodes on which the operation can be placed, after its source ran on a
// feasible node, and after which the flow cannot complete, sorted by name (law L2). It is
// nil if there are none, as for every operation of a flow that is not completable.
//
// Each names the follower that it blocks: of the operations that must follow, directly or
// through others, the nearest first and otherwise in the flow's order, the first one that
// has no node together with those before it.
//
// The first call finds the strands of all operations and keeps them. It costs about as much
// as the forecast, and one step for each pair of an operation and a node that admits it and
// leaves no node for a follower.
func (fc *Forecast) Strands(ref Ref) []Strand {
	i := fc.find(ref)
	if i == none || !fc.Completable() {
		return nil
	}
	var strands []Strand
	for _, d := range fc.stranding(i) {
		for node := range d.nodes.All() {
			strands = append(strands, Strand{fc.nodes.list[node].Name, fc.ref(d.blocks)})
		}
	}
	slices.SortFunc(strands, func(a, b Strand) int { return cmp.Compare(a.Node, b.Node) })
	return strands
}

// stranding holds the nodes on which an operation blocks the same follower.
type stranding struct {
	blocks int32
	nodes  nodeindex.SparseSet
}

// stranding returns the strands of an operation of a completable flow, the nearest blocked
// follower first.
func (fc *Forecast) stranding(i int32) []stranding {
	fc.once.Do(func() { fc.strands = fc.findStrands() })
	return fc.strands[i]
}

// idle returns, for each operation of a completable flow, the nodes on which it and all operations of
// its subtree could run if no pod used resources. The caller's test is taken to admit the nodes that
// it was not asked about. What an operation inherits of one that has run is left out: it keeps the
// operation from no node that strands it.
func (fc *Forecast) idle() []nodeindex.Set {
	idle := Forecast{constraints: fc.constraints, order: fc.order, admission: slices.Clone(fc.admission)}
	for i := range idle.admission {
		a := &idle.admission[i]
		refused := a.passing().Difference(a.admitted)
		a.fitting = fc.nodes.idle.Fitting(a.demands)
		a.possible = a.passing().Difference(refused)
	}
	idle.bottomUp()
	return idle.completing
}

// blocking returns the nodes that are possible for an operation, but leave no node for a follower.
func (fc *Forecast) blocking(i int32) nodeindex.Set {
	return fc.admission[i].possible.Difference(fc.completing[i])
}

// findStrands finds the strands of every operation of a completable flow, from the leaves to the
// roots.
//
// The rank of an operation is its place in the order by depth and then in the flow. A node has the
// least rank such that the followers up to it have no nodes together after the operation ran there.
// That is the least over the direct followers. The rank for one of them is the greatest of all nodes
// where that can run then, because any will do, and at least its own.
func (fc *Forecast) findStrands() [][]stranding {
	n := len(fc.order)
	depth, rank, ranked := make([]int32, n), make([]int32, n), slices.Clone(fc.order)
	for _, i := range fc.order {
		if source := fc.constraints[i].source; source != none {
			depth[i] = depth[source] + 1
		}
	}
	slices.SortFunc(ranked, func(a, b int32) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	for r, i := range ranked {
		rank[i] = int32(r)
	}

	strands, blocked := make([][]stranding, n), make([][]int32, n) // blocked: by node, the rank of the follower
	for _, i := range slices.Backward(fc.order) {
		blocking := fc.blocking(i)
		nodes := map[int32][]int32{} // by rank
		for node := range fc.reachable(i).Intersection(blocking).All() {
			nodes[blocked[i][node]] = append(nodes[blocked[i][node]], int32(node))
		}
		for _, r := range slices.Sorted(maps.Keys(nodes)) {
			strands[i] = append(strands[i], stranding{ranked[r], nodeindex.NewSparseSet(nodes[r])})
		}
		if c := fc.constraints[i]; c.source != none {
			if leaders := fc.blocking(c.source).Difference(fc.sourceNodes(i)); !leaders.Empty() {
				if blocked[c.source] == nil {
					blocked[c.source] = slices.Repeat([]int32{math.MaxInt32}, len(fc.nodes.list))
				}
				c.agreement.Lower(blocked[c.source], leaders, blocked[i], blocking, rank[i])
			}
		}
		blocked[i] = nil
	}
	return strands
}
