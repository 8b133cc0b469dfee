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
	parent := make([]int32, len(operations)) // a forest with a tree for each part
	for i := range operations {
		first, ok := index[operations[i].Ref]
		if !ok {
			first = int32(i)
			index[operations[i].Ref] = first
		}
		parent[i] = first
	}
	root := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]] // halves the path
			i = parent[i]
		}
		return i
	}
	for i := range operations {
		op := &operations[i]
		if op.RunAfter == nil {
			continue
		}
		for _, ref := range []*Ref{&op.RunAfter.Ref, op.RunAfter.DependOn} {
			if ref == nil {
				continue
			}
			if j, ok := index[ref.in(op.Ref.Namespace)]; ok {
				parent[root(int32(i))] = root(j)
			}
		}
	}

	var parts [][]Operation
	part := map[int32]int{} // by root
	for i := range operations {
		at, ok := part[root(int32(i))]
		if !ok {
			at = len(parts)
			part[root(int32(i))], parts = at, append(parts, nil)
		}
		parts[at] = append(parts[at], operations[i])
	}
	return parts
}
