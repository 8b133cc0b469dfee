package dataflow

// The functions of this file identify operations by numbers. A flow is a forest: for each
// operation the number of its predecessor, or none. No function is recursive: a chain may
// be a million operations deep (law F9).

// preOrder returns the operations in pre-order, siblings by number. Operations in a cycle,
// and those after one, are left out.
func preOrder(predecessor []int32) []int32 {
	// Linked lists of siblings. List n is that of the roots.
	n := len(predecessor)
	firstAfter, nextSibling := make([]int32, n+1), make([]int32, n)
	for i := range firstAfter {
		firstAfter[i] = none
	}
	for i := n - 1; i >= 0; i-- {
		p := predecessor[i]
		if p == none {
			p = int32(n)
		}
		nextSibling[i], firstAfter[p] = firstAfter[p], int32(i)
	}

	order := make([]int32, 0, n)
	var later []int32 // siblings to visit later
	for next := firstAfter[n]; ; {
		for next != none {
			order = append(order, next)
			if sibling := nextSibling[next]; sibling != none {
				later = append(later, sibling)
			}
			next = firstAfter[next]
		}
		if len(later) == 0 {
			return order
		}
		next, later = later[len(later)-1], later[:len(later)-1]
	}
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
	for i := len(predecessor) - 1; i >= 0; i-- {
		if p := predecessor[i]; p != none {
			last[p] = max(last[p], last[i])
		}
	}
	return root, last
}
