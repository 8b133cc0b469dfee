package dataflow

// Basis is a field on which a problem rests. If the field could not be read, or was read
// only in part, the problem may be no more than a consequence of that.
type Basis struct {
	Operation Ref `json:"operation"`

	// Field is the path of the field in Fluid's API; the fields below it are included.
	// If it is empty, the problem rests on the absence of the operation.
	Field string `json:"field,omitempty"`

	// Ancestors is set if the problem also rests on the same field of every ancestor of
	// the operation.
	Ancestors bool `json:"ancestors,omitempty"`
}

// basis returns the fields on which a problem of an operation rests, in addition to its own
// Field.
func (f *Flow) basis(op *Operation, code Code) []Basis {
	podSpec := op.podSpec()
	constraints := []string{podSpec + ".affinity", podSpec + ".nodeSelector", podSpec + ".nodeName"}
	reference := []string{runAfterField + ".kind", runAfterField + ".name", runAfterField + ".namespace", "metadata.namespace"}
	exposure := []string{exposesField, "spec.podMetadata", "spec.processor.podMetadata", "spec.parallelism", "spec.policy"}
	dependOn, policy := strategyField+".dependOn", strategyField+".policy"

	var basis []Basis
	on := func(ref Ref, fields ...string) {
		for _, field := range fields {
			basis = append(basis, Basis{Operation: ref, Field: field})
		}
	}
	predecessor, _ := op.Predecessor()
	source, inherits := op.Source()
	switch code {
	case CodeUnknownPredecessor:
		on(op.Ref, reference...)
		basis = append(basis, Basis{Operation: predecessor})
	case CodeNotAnAncestor:
		on(op.Ref, dependOn)
		for _, field := range reference {
			basis = append(basis, Basis{Operation: op.Ref, Field: field, Ancestors: true})
		}
		basis = append(basis, Basis{Operation: source})
	case CodeNoPolicy, CodeIgnoredList:
		on(op.Ref, strategyField)
	case CodeDistributedTarget:
		on(op.Ref, policy, "spec.parallelism")
	case CodeNotExposed, CodeDistributedSource, CodeRecurringSource, CodeExpires:
		on(op.Ref, append(reference, dependOn, policy)...)
		on(source, exposure...)
	case CodeContradiction, CodeNodeNameConflict, CodeNeverMatches:
		on(op.Ref, constraints...)
		if inherits {
			on(op.Ref, append(reference, strategyField)...)
			at := Operation{Ref: source}
			if i := f.find(source); i != none {
				at = f.operations[i]
			}
			podSpec := at.podSpec()
			on(source, append(exposure, podSpec+".affinity", podSpec+".nodeSelector", podSpec+".nodeName")...)
		}
	case CodeNotRecorded:
		on(op.Ref, append(reference, strategyField)...)
		on(source, append(exposure, "status")...)
	case CodeRecordsNothing, CodeInheritsNothing, CodeInheritsAnyway, CodeNeverStarts, CodeCrashes, CodeStaysExecuting:
		on(op.Ref, "metadata.name", "spec.policy", "spec.parallelism", "spec.ttlSecondsAfterFinished", podSpec+".affinity")
		if inherits {
			on(op.Ref, append(reference, strategyField)...)
			on(source, append(exposure, "spec.ttlSecondsAfterFinished")...)
		}
	case CodeBlocked, CodeGone:
		for _, field := range append(reference, dependOn, policy) {
			basis = append(basis, Basis{Operation: op.Ref, Field: field, Ancestors: true})
		}
		if basis = append(basis, Basis{Operation: predecessor}); inherits {
			basis = append(basis, Basis{Operation: source})
		}
	}
	return basis
}
