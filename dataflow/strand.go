package dataflow

import (
	"cmp"
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
// as the forecast, and one step for each pair of an operation and a node that strands it or
// its subtree.
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
	fc.once.Do(func() {
		fc.strands = make([][]stranding, len(fc.constraints))
		solver := newStrandSolver(fc)
		solver.collect()
		solver.resolve()
	})
	return fc.strands[i]
}

// strandSolver finds, for each node that strands an operation, the nearest follower that can
// then no longer run. Operations are ranked breadth-first; one ranking serves all, because
// each operation has at most one source. On a node that is not possible for an operation,
// the operation itself is blocked. On any other node the answer is the lowest rank among its
// direct followers, each of which picks the agreeing node with the highest rank.
type strandSolver struct {
	fc     *Forecast
	order  []int32 // every operation after its source, larger subtrees first visited last
	rank   []int32 // by operation
	ranked []int32 // operations by rank

	// For each operation, the nodes that strand it, and those for which the blocked
	// follower is needed: also those that are reachable only from a stranded source.
	stranding, undecided []nodeindex.Set
	empty                nodeindex.Set

	blocked [][]int32 // by operation and undecided node: the rank of the blocked follower
	free    [][]int32 // slices to reuse
}

func newStrandSolver(fc *Forecast) *strandSolver {
	n := len(fc.constraints)
	s := &strandSolver{fc: fc, rank: make([]int32, n), blocked: make([][]int32, n), empty: fc.nodes.index.None()}
	s.stranding, s.undecided = make([]nodeindex.Set, n), make([]nodeindex.Set, n)
	size := make([]int32, n)
	for _, i := range slices.Backward(s.walk(func(a, b int32) int { return 0 })) {
		size[i]++
		if source := fc.constraints[i].source; source != none {
			size[source] += size[i]
		}
	}
	// In reverse order the largest subtree is visited first, so that few slices are in
	// use at once.
	s.order = s.walk(func(a, b int32) int { return cmp.Compare(size[b], size[a]) })
	depth := make([]int32, n)
	for _, i := range s.order {
		if source := fc.constraints[i].source; source != none {
			depth[i] = depth[source] + 1
		}
	}
	s.ranked = slices.Clone(s.order)
	slices.SortFunc(s.ranked, func(a, b int32) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	for rank, i := range s.ranked {
		s.rank[i] = int32(rank)
	}
	return s
}

// walk returns a pre-order: every operation after its source. Siblings are in the reverse of
// the order that compare gives.
func (s *strandSolver) walk(compare func(a, b int32) int) []int32 {
	order, later := make([]int32, 0, len(s.rank)), []int32(nil)
	for i := range s.rank {
		if s.fc.constraints[i].source == none {
			later = append(later, int32(i))
		}
	}
	for len(later) > 0 {
		i := later[len(later)-1]
		order, later = append(order, i), append(later[:len(later)-1], s.fc.followers[i]...)
		slices.SortStableFunc(later[len(later)-len(s.fc.followers[i]):], compare)
	}
	return order
}

// collect finds the nodes for which the blocked follower is needed.
func (s *strandSolver) collect() {
	for _, i := range s.order {
		s.stranding[i], s.undecided[i] = s.empty, s.empty
		blocked := s.fc.admission[i].possible.Difference(s.fc.completing[i])
		if blocked.Empty() {
			continue
		}
		s.stranding[i] = s.fc.reachable(i).Intersection(blocked)
		s.undecided[i] = s.stranding[i]
		if from := s.strandingSourceNodes(i); !from.Empty() {
			s.undecided[i] = s.undecided[i].Union(s.fc.constraints[i].agreement.Followers(from).Intersection(blocked))
		}
	}
}

// strandingSourceNodes returns the undecided nodes of the source on which it blocks an
// operation or a follower of that.
func (s *strandSolver) strandingSourceNodes(i int32) nodeindex.Set {
	source := s.fc.constraints[i].source
	if source == none || s.undecided[source].Empty() {
		return s.empty
	}
	return s.undecided[source].Difference(s.fc.sourceNodes(i))
}

// resolve finds the blocked followers, from the leaves to the roots.
func (s *strandSolver) resolve() {
	for _, i := range slices.Backward(s.order) {
		s.fc.strands[i] = s.strands(i)
		if stranding := s.strandingSourceNodes(i); !stranding.Empty() {
			source := s.fc.constraints[i].source
			if s.blocked[source] == nil {
				s.blocked[source] = s.newRanks(s.undecided[source])
			}
			s.fc.constraints[i].agreement.Lower(s.blocked[source], stranding, s.blocked[i], s.undecided[i], s.rank[i])
		}
		if s.blocked[i] != nil {
			s.free, s.blocked[i] = append(s.free, s.blocked[i]), nil
		}
	}
}

// newRanks returns a rank for each node, the greatest there is for the given nodes.
func (s *strandSolver) newRanks(nodes nodeindex.Set) []int32 {
	var ranks []int32
	if last := len(s.free) - 1; last >= 0 {
		ranks, s.free = s.free[last], s.free[:last]
	} else {
		ranks = make([]int32, len(s.fc.nodes.list))
	}
	for node := range nodes.All() {
		ranks[node] = math.MaxInt32
	}
	return ranks
}

// strands returns the strands of an operation whose blocked followers are known.
func (s *strandSolver) strands(i int32) []stranding {
	if s.stranding[i].Empty() {
		return nil
	}
	nodes := map[int32][]int32{} // by rank
	last, at := int32(none), []int32(nil)
	for node := range s.stranding[i].All() {
		if rank := s.blocked[i][node]; rank != last {
			if last != none {
				nodes[last] = at
			}
			last, at = rank, nodes[rank]
		}
		at = append(at, int32(node))
	}
	nodes[last] = at
	strands := make([]stranding, 0, len(nodes))
	for rank, nodes := range nodes {
		strands = append(strands, stranding{s.ranked[rank], nodeindex.NewSparseSet(nodes)})
	}
	slices.SortFunc(strands, func(a, b stranding) int { return cmp.Compare(s.rank[a.blocks], s.rank[b.blocks]) })
	return strands
}
