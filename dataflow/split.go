package dataflow

// Split divides operations into those that have to do with each other, through
// runAfter or dependOn, directly or not: each part is what [New] should get at once,
// so that what is wrong in one does not hide the others. References to operations
// that are not given join nothing, but operations that are given twice stay together.
//
// The parts come in the order of their first operations, and the operations of each
// in the order in which they were given. The operations are not copied.
func Split(operations ...Operation) [][]Operation {
	index := make(map[Ref]int32, len(operations))
	sets := newDisjointSets(len(operations))
	for i := range operations {
		first, ok := index[operations[i].Ref]
		if !ok {
			index[operations[i].Ref] = int32(i)
			continue
		}
		sets.join(int32(i), first)
	}
	for i := range operations {
		op := &operations[i]
		if op.RunAfter == nil {
			continue
		}
		if p, ok := index[op.RunAfter.from(op.Namespace)]; ok {
			sets.join(int32(i), p)
		}
		if op.RunAfter.DependOn == nil {
			continue
		}
		if d, ok := index[op.RunAfter.DependOn.from(op.Namespace)]; ok {
			sets.join(int32(i), d)
		}
	}

	var parts [][]Operation
	part := make([]int, len(operations)) // of each set, by what stands for it: 1 + the index of its part
	for i := range operations {
		set := sets.of(int32(i))
		if part[set] == 0 {
			parts = append(parts, make([]Operation, 0, sets.size[set]))
			part[set] = len(parts)
		}
		parts[part[set]-1] = append(parts[part[set]-1], operations[i])
	}
	return parts
}

// disjointSets is a forest in which every tree is a set. Paths are halved as they
// are walked, and the smaller tree joins the larger.
type disjointSets struct{ parent, size []int32 }

func newDisjointSets(n int) disjointSets {
	s := disjointSets{make([]int32, n), make([]int32, n)}
	for i := range s.parent {
		s.parent[i], s.size[i] = int32(i), 1
	}
	return s
}

// of returns the element that stands for the set of i.
func (s disjointSets) of(i int32) int32 {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

func (s disjointSets) join(i, j int32) {
	i, j = s.of(i), s.of(j)
	if i == j {
		return
	}
	if s.size[i] < s.size[j] {
		i, j = j, i
	}
	s.parent[j] = i
	s.size[i] += s.size[j]
}
