package dataflow

import "slices"

// The functions of this file identify operations by numbers. A flow is a forest: for each
// operation the number of its predecessor, or none. No function is recursive: a chain may
// be a million operations deep (law F9).

// preOrder returns the operations in pre-order, siblings by number. Operations in a cycle,
// and those after one, are left out.
func preOrder(predecessor []int32) []int32 {
	n := len(predecessor)
	after := make([][]int32, n+1) // for each operation those after it, the last first; then the roots
	for i, p := range slices.Backward(predecessor) {
		if p == none {
			p = int32(n)
		}
		after[p] = append(after[p], int32(i))
	}
	order, later := make([]int32, 0, n), after[n]
	for len(later) > 0 {
		last := len(later) - 1
		next := later[last]
		order, later = append(order, next), append(later[:last], after[next]...)
	}
	return order
}

// cycles returns every cycle. free are the operations that are neither in a cycle nor after
// one. A cycle starts with its lowest number, and the predecessor of each operation is the
// next one.
func cycles(predecessor, free []int32) [][]int32 {
	n := int32(len(predecessor))
	walk := make([]int32, n) // the start of the walk that first reached an operation
	for i := range walk {
		walk[i] = none
	}
	for _, i := range free {
		walk[i] = n
	}
	var found [][]int32
	for start := range n {
		i := start
		for walk[i] == none {
			walk[i] = start
			i = predecessor[i]
		}
		if walk[i] == start {
			found = append(found, cycleThrough(i, predecessor))
		}
	}
	return found
}

func cycleThrough(i int32, predecessor []int32) []int32 {
	lowest := i
	for next := predecessor[i]; next != i; next = predecessor[next] {
		lowest = min(lowest, next)
	}
	cycle := []int32{lowest}
	for next := predecessor[lowest]; next != lowest; next = predecessor[next] {
		cycle = append(cycle, next)
	}
	return cycle
}

// chainBounds returns, for operations in pre-order, the root of each one's chain and the
// index of its last descendant: i to last[i] is the subtree of i.
func chainBounds(predecessor []int32) (root, last []int32) {
	root, last = make([]int32, len(predecessor)), make([]int32, len(predecessor))
	for i, p := range predecessor {
		root[i], last[i] = int32(i), int32(i)
		if p != none {
			root[i] = root[p]
		}
	}
	for i, p := range slices.Backward(predecessor) {
		if p != none {
			last[p] = max(last[p], last[i])
		}
	}
	return root, last
}
