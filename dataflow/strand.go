package dataflow

import (
	"cmp"
	"math"
	"slices"

	"github.com/fluid-cloudnative/slipstream/internal/nodeindex"
)

// Strand is a node on which an operation would strand the flow.
type Strand struct {
	Node  string // its name
	Blocks Ref    // the nearest follower that could no longer run
}

// Strands returns the nodes on which the operation may be placed, after its source ran
// on a feasible node, and after which the flow can not complete, sorted by name (law L2).
// Nil if there are none, as for every operation of a flow that is not completable.
//
// Each names the operation that it dooms. Going through those that must follow the
// operation, directly or through others, the nearest first and otherwise in the flow's
// order, it is the first that has no node together with those before it.
//
// The first call finds the strands of all operations and keeps them. It costs about as much
// as the forecast did, and one step for every node that strands an operation, and for every
// node on which one that follows it could still run then, and would be stuck in its turn.
// Later calls cost what they return.
func (fc *Forecast) Strands(ref Ref) []Strand {
	i := fc.flow.find(ref)
	if i == none || !fc.Completable() {
		return nil
	}
	var strands []Strand
	for _, d := range fc.stranding(i) {
		for node := range d.nodes.All() {
			strands = append(strands, Strand{fc.labels.Name(node), fc.ref(d.blocks)})
		}
	}
	slices.SortFunc(strands, func(a, b Strand) int { return cmp.Compare(a.Node, b.Node) })
	return strands
}

// stranding are nodes on which an operation would doom the same follower.
type stranding struct {
	blocks int32
	nodes nodeindex.SparseSet
}

// stranding returns the strands of an operation of a completable flow, the nearest of
// those that are doomed first.
func (fc *Forecast) stranding(i int32) []stranding {
	fc.once.Do(func() {
		fc.strands = make([][]stranding, len(fc.constraints))
		w := newStrandSolver(fc)
		w.collect()
		w.resolve()
	})
	return fc.strands[i]
}

// strandSolver finds whom nodes doom. Those that must follow an operation, and itself, have one
// line, nearest first. A place in it is a rank; it is the same in the line of every
// operation, since each follows one other at most.
//
// On a node that does not admit it an operation is doomed itself. On any other it is the
// first of those whom its followers doom, each by itself: and a follower, which may run
// on whatever agrees, dooms the last that it can.
type strandSolver struct {
	fc     *Forecast
	order  []int32 // every operation after the one that it follows, the one with most in its wake last
	rank   []int32 // by operation
	ranked []int32 // operations by rank

	// By operation, the nodes that strand it, and those of which it matters whom they
	// doom: besides, where it may find itself after another was stranded.
	stranding, undecided []nodeindex.Set
	empty           nodeindex.Set

	blocked [][]int32 // by operation and node, where it matters: the rank of whom it dooms
	free  [][]int32
}

func newStrandSolver(fc *Forecast) *strandSolver {
	n := len(fc.constraints)
	w := &strandSolver{fc: fc, rank: make([]int32, n), blocked: make([][]int32, n), empty: fc.labels.All().Difference(fc.labels.All())}
	w.stranding, w.undecided = make([]nodeindex.Set, n), make([]nodeindex.Set, n)
	size := make([]int32, n)
	for _, i := range slices.Backward(w.walk(func(a, b int32) int { return 0 })) {
		size[i]++
		if source := fc.constraints[i].source; source != none {
			size[source] += size[i]
		}
	}
	// The other way round, whoever has most in its wake comes first: what must be kept
	// of it is then little, even of a long line.
	w.order = w.walk(func(a, b int32) int { return cmp.Compare(size[b], size[a]) })
	depth := make([]int32, n)
	for _, i := range w.order {
		if source := fc.constraints[i].source; source != none {
			depth[i] = depth[source] + 1
		}
	}
	w.ranked = slices.Clone(w.order)
	slices.SortFunc(w.ranked, func(a, b int32) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	for rank, i := range w.ranked {
		w.rank[i] = int32(rank)
	}
	return w
}

// walk returns an order in which everyone comes after the one that it follows, and all
// that follow the same, with their own followers, the other way round than compare says.
func (w *strandSolver) walk(compare func(a, b int32) int) []int32 {
	order, later := make([]int32, 0, len(w.rank)), []int32(nil)
	for i := range w.rank {
		if w.fc.constraints[i].source == none {
			later = append(later, int32(i))
		}
	}
	for len(later) > 0 {
		i := later[len(later)-1]
		order, later = append(order, i), append(later[:len(later)-1], w.fc.followers[i]...)
		slices.SortStableFunc(later[len(later)-len(w.fc.followers[i]):], compare)
	}
	return order
}

// collect finds the nodes of which it matters whom they doom.
func (w *strandSolver) collect() {
	for _, i := range w.order {
		w.stranding[i], w.undecided[i] = w.empty, w.empty
		admitted := w.fc.admission[i].admitted
		blocked := admitted.Difference(w.fc.completing[i])
		if blocked.Empty() {
			continue
		}
		w.stranding[i] = w.fc.reachable(i).Intersection(blocked)
		w.undecided[i] = w.stranding[i]
		if from := w.strandingSourceNodes(i); !from.Empty() {
			w.undecided[i] = w.undecided[i].Union(w.fc.constraints[i].agreement.Followers(from).Intersection(blocked))
		}
	}
}

// strandingSourceNodes returns the nodes of the source on which it dooms an operation, or any of those
// that follow that one, and of which it matters whom.
func (w *strandSolver) strandingSourceNodes(i int32) nodeindex.Set {
	source := w.fc.constraints[i].source
	if source == none || w.undecided[source].Empty() {
		return w.empty
	}
	return w.undecided[source].Difference(w.fc.sourceNodes(i))
}

// resolve finds whom they doom.
func (w *strandSolver) resolve() {
	for _, i := range slices.Backward(w.order) {
		w.fc.strands[i] = w.strands(i)
		if leaders := w.strandingSourceNodes(i); !leaders.Empty() {
			source := w.fc.constraints[i].source
			if w.blocked[source] == nil {
				w.blocked[source] = w.newRanks(w.undecided[source])
			}
			w.fc.constraints[i].agreement.Lower(w.blocked[source], leaders, w.blocked[i], w.undecided[i], w.rank[i])
		}
		if w.blocked[i] != nil {
			w.free, w.blocked[i] = append(w.free, w.blocked[i]), nil
		}
	}
}

func (w *strandSolver) newRanks(nodes nodeindex.Set) []int32 {
	var doomed []int32
	if last := len(w.free) - 1; last >= 0 {
		doomed, w.free = w.free[last], w.free[:last]
	} else {
		doomed = make([]int32, w.fc.labels.Len())
	}
	for node := range nodes.All() {
		doomed[node] = math.MaxInt32
	}
	return doomed
}

// strands returns the strands of an operation of which it is known whom its nodes doom.
func (w *strandSolver) strands(i int32) []stranding {
	if w.stranding[i].Empty() {
		return nil
	}
	nodes := map[int32][]int32{} // by rank
	last, at := int32(none), []int32(nil)
	for node := range w.stranding[i].All() {
		if rank := w.blocked[i][node]; rank != last {
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
		strands = append(strands, stranding{w.ranked[rank], nodeindex.NewSparseSet(nodes)})
	}
	slices.SortFunc(strands, func(a, b stranding) int { return cmp.Compare(w.rank[a.blocks], w.rank[b.blocks]) })
	return strands
}
