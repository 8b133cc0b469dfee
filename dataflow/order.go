package dataflow

// The functions of this file see operations as numbers, and a flow as the number
// of each one's predecessor, or none. None of them recurses: a chain may be a
// million operations deep (law F9).

// preOrder returns all operations that are neither in a cycle nor after
// one: depth first from the ones without a predecessor, and otherwise by number.
func preOrder(predecessor []int32) []int32 {
	// Lists of siblings, linked; index n is the list of those without predecessor.
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
	var later []int32 // siblings to come back to
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

// cycles returns every cycle, given the operations that are neither in one nor
// after one. Each starts with its lowest number, and each of its operations has
// the next as its predecessor.
func cycles(predecessor, free []int32) [][]int32 {
	n := int32(len(predecessor))
	walk := make([]int32, n) // from which start an operation was first reached
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

// chainBounds returns, for operations in the order of predecessorsFirst, the first of each
// one's chain, and the last of its descendants, or itself if it has none. Everything
// between an operation and its last descendant runs after it.
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
