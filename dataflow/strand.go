package dataflow

import (
	"cmp"
	"slices"

	"github.com/fluid-cloudnative/slipstream/internal/catalogue"
)

// Strand is a node on which an operation would strand the flow.
type Strand struct {
	Node  string // its name
	Dooms Ref    // the nearest follower that could no longer run
}

// Strands returns the nodes on which the operation may be placed, after its source ran
// on a feasible node, and after which the flow can not complete, sorted by name (law L2).
// Nil if there are none, as for every operation of a flow that is not completable.
//
// Each names the operation that it dooms. Going through those that must follow the
// operation, directly or through others, the nearest first and otherwise in the flow's
// order, it is the first that has no node together with those before it.
func (fc *Forecast) Strands(ref Ref) []Strand {
	i := fc.flow.find(ref)
	if i == none || !fc.Completable() {
		return nil
	}
	stranding := fc.admission[i].admitted.And(fc.reachable(i)).Minus(fc.feasible[i])
	if stranding.Empty() {
		return nil
	}
	w := wake{fc: fc, line: []int32{i}, leader: []int{0}}
	w.find(stranding)
	slices.SortFunc(w.strands, func(a, b Strand) int { return cmp.Compare(a.Node, b.Node) })
	return w.strands
}

// wake is a line of an operation and all that must follow it, nearest first. It is
// drawn up only as far as it is needed.
type wake struct {
	fc      *Forecast
	line    []int32 // operations
	leader  []int   // the place in line of what each follows; of the first, its own
	level   int     // the place in line from which on nobody's followers are in it yet
	strands []Strand
}

// extend draws up the line until it has n operations, or all.
func (w *wake) extend(n int) {
	for len(w.line) < n && w.level < len(w.line) {
		type follower struct {
			op     int32
			leader int
		}
		var next []follower // all at the same distance
		for ; w.level < len(w.line); w.level++ {
			for _, op := range w.fc.followers[w.line[w.level]] {
				next = append(next, follower{op, w.level})
			}
		}
		slices.SortFunc(next, func(a, b follower) int { return cmp.Compare(a.op, b.op) })
		for _, f := range next {
			w.line, w.leader = append(w.line, f.op), append(w.leader, f.leader)
		}
	}
}

// fits returns the nodes of the first in line that leave a node to each of the first n.
func (w *wake) fits(n int) catalogue.Set {
	fits := make([]catalogue.Set, n)
	for at, op := range w.line[:n] {
		fits[at] = w.fc.admission[op].admitted
	}
	for at := n - 1; at > 0; at-- {
		leading := w.fc.follows[w.line[at]].agreement.Leading(fits[at])
		fits[w.leader[at]] = fits[w.leader[at]].And(leading)
	}
	return fits[0]
}

// find finds whom each node dooms. None of them dooms the first, each dooms somebody,
// and what is doomed within a part of the line is within a longer one.
func (w *wake) find(nodes catalogue.Set) {
	for fit, n := 1, 2; !nodes.Empty(); fit, n = n, 2*n {
		w.extend(n)
		n = min(n, len(w.line))
		fits := w.fits(n)
		w.between(fit, n, nodes.Minus(fits))
		nodes = nodes.And(fits)
	}
}

// between is find for nodes that leave a node to each of the first fit, but not to each
// of the first n.
func (w *wake) between(fit, n int, nodes catalogue.Set) {
	switch {
	case nodes.Empty():
	case n == fit+1:
		for node := range nodes.All() {
			w.strands = append(w.strands, Strand{w.fc.labels.Name(node), w.fc.flow.operations[w.line[fit]].Ref})
		}
	default:
		middle := (fit + n) / 2
		fits := w.fits(middle)
		w.between(middle, n, nodes.And(fits))
		w.between(fit, middle, nodes.Minus(fits))
	}
}
