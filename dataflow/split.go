package dataflow

// Split divides operations into connected parts, by runAfter and dependOn. Each part makes a
// flow of its own, so faults in one do not hide the others. A reference to an operation that
// is not given connects nothing. Operations with the same reference are in one part.
//
// The parts come in the order of their first operations, and the operations of a part in the
// order in which they were given. The operations are not copied. It is nil without
// operations.
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
		if p, ok := index[op.RunAfter.Ref.in(op.Ref.Namespace)]; ok {
			sets.join(int32(i), p)
		}
		if op.RunAfter.DependOn == nil {
			continue
		}
		if d, ok := index[op.RunAfter.DependOn.in(op.Ref.Namespace)]; ok {
			sets.join(int32(i), d)
		}
	}

	var parts [][]Operation
	part := make([]int, len(operations)) // for the representative of each set, 1 + the index of its part
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

// disjointSets is a union-find forest, with path halving and union by size.
type disjointSets struct{ parent, size []int32 }

func newDisjointSets(n int) disjointSets {
	s := disjointSets{make([]int32, n), make([]int32, n)}
	for i := range s.parent {
		s.parent[i], s.size[i] = int32(i), 1
	}
	return s
}

// of returns the representative of the set of i.
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
