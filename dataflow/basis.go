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

// basis returns the fields on which a problem of the operation rests, in addition to its own
// Field.
func (o *Operation) basis(code Code) []Basis {
	podSpec := o.podSpec()
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
	predecessor, _ := o.Predecessor()
	source, inherits := o.Source()
	switch code {
	case CodeUnknownPredecessor:
		on(o.Ref, reference...)
		basis = append(basis, Basis{Operation: predecessor})
	case CodeNotAnAncestor:
		on(o.Ref, dependOn)
		for _, field := range reference {
			basis = append(basis, Basis{Operation: o.Ref, Field: field, Ancestors: true})
		}
		basis = append(basis, Basis{Operation: source})
	case CodeNoPolicy, CodeIgnoredList:
		on(o.Ref, strategyField)
	case CodeDistributedTarget:
		on(o.Ref, policy, "spec.parallelism")
	case CodeNotExposed, CodeDistributedSource, CodeRecurringSource, CodeExpires:
		on(o.Ref, append(reference, dependOn, policy)...)
		on(source, exposure...)
	case CodeContradiction, CodeNodeNameConflict, CodeNeverMatches:
		on(o.Ref, constraints...)
		if inherits {
			on(o.Ref, append(reference, strategyField)...)
			podSpec := (&Operation{Ref: source}).podSpec() // a script has no constraints
			on(source, append(exposure, podSpec+".affinity", podSpec+".nodeSelector", podSpec+".nodeName")...)
		}
	case CodeNotRecorded:
		on(o.Ref, append(reference, strategyField)...)
		on(source, append(exposure, "status")...)
	case CodeRecordsNothing, CodeInheritsNothing, CodeInheritsAnyway, CodeNeverStarts, CodeCrashes, CodeStaysExecuting:
		on(o.Ref, "metadata.name", "spec.policy", "spec.parallelism", "spec.ttlSecondsAfterFinished", podSpec+".affinity")
		if inherits {
			on(o.Ref, append(reference, strategyField)...)
			on(source, append(exposure, "spec.ttlSecondsAfterFinished")...)
		}
	case CodeBlocked, CodeGone:
		for _, field := range append(reference, dependOn, policy) {
			basis = append(basis, Basis{Operation: o.Ref, Field: field, Ancestors: true})
		}
		if basis = append(basis, Basis{Operation: predecessor}); inherits {
			basis = append(basis, Basis{Operation: source})
		}
	}
	return basis
}
