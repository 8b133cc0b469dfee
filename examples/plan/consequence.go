package main

import (
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A problem is told only if it is one of its own: not if the operation did start, and not if
// it may be no more than what follows from another one that is told already.

// The fields on which problems rest, by their paths in a manifest.
const (
	runAfterField = "spec.runAfter"
	strategyField = runAfterField + ".affinityStrategy"
	exposesField  = "metadata.annotations[" + topology.LabelsAnnotation + "]"
)

// found reports a problem of the flow, unless it is beside the point.
func (r *reporter) found(p dataflow.Problem) {
	if !r.overtaken(p) && !r.follows(p) {
		r.problem(p)
	}
}

// overtaken reports whether a problem says that an operation can never start which is
// complete, runs or has failed, and so did. What it ran after may have been cleaned up since.
func (r *reporter) overtaken(p dataflow.Problem) bool {
	switch p.Code {
	case dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor, dataflow.CodeContradiction, dataflow.CodeImpossible:
		phase := r.seen[p.Operation].Phase
		return phase != "" && phase != dataflow.Pending
	}
	return false
}

// follows reports whether a problem may be no more than a consequence of a fault for which a
// field was not read, of the operation itself or of one that it rests on.
func (r *reporter) follows(p dataflow.Problem) bool {
	i := r.first[p.Operation]
	switch p.Code {
	case dataflow.CodeCycle, dataflow.CodeDuplicate, dataflow.CodeInvalid, dataflow.CodeInvalidName:
		return slices.ContainsFunc(r.misread[i].fields, func(field string) bool { return fielderror.Within(p.Field, field) })
	case dataflow.CodeUnknownPredecessor:
		return r.isMisread(i, namesPredecessor)
	case dataflow.CodeNotAnAncestor:
		return r.isMisread(i, about(strategyField+".dependOn")) || r.misledAbout(i)
	case dataflow.CodeNoPolicy, dataflow.CodeIgnoredList:
		return r.isMisread(i, about(strategyField))
	case dataflow.CodeDistributedTarget:
		return r.isMisread(i, about(strategyField+".policy", "spec.parallelism"))
	case dataflow.CodeNotExposed, dataflow.CodeDistributedSource, dataflow.CodeRecurringSource:
		return r.isMisread(i, about(p.Field, strategyField+".policy", strategyField+".dependOn")) || r.isMisread(i, namesPredecessor) ||
			r.ofSource(i, func(source int32) bool {
				return r.isMisread(source, about(exposesField, "spec.parallelism", "spec.policy"))
			})
	case dataflow.CodeContradiction:
		return r.isMisread(i, about(strategyField)) || r.isMisread(i, namesPredecessor) || r.isMisread(i, demandsNode) ||
			r.ofSource(i, func(source int32) bool {
				return r.isMisread(source, about(exposesField, "spec.parallelism", "spec.policy")) || r.isMisread(source, demandsNode)
			})
	}
	return false // what a forecast finds: there is none of a flow with a fault
}

// ofSource reports what holds of the source of an operation, if that is there.
func (r *reporter) ofSource(i int32, holds func(source int32) bool) bool {
	ref, ok := r.in.Operations[i].Source()
	source, there := r.first[ref]
	return ok && there && holds(source)
}

// isMisread reports whether a fault was found in one of the fields of an operation, when it was
// read, or may have been.
func (r *reporter) isMisread(i int32, one func(field string) bool) bool {
	return r.known[i].unlisted || slices.ContainsFunc(r.misread[i].fields, one) || slices.ContainsFunc(r.misread[i].around, one)
}

// parent returns the path to what a field is in.
func parent(field string) string { return field[:max(strings.LastIndexAny(field, ".["), 0)] }

// misledAbout reports whether it is not known what an operation comes after: because the name
// of its predecessor was misread, or that of one further up.
func (r *reporter) misledAbout(i int32) bool {
	var below []int32
	misled := false
	for at, there := i, true; there && !misled; {
		known := false
		if misled, known = r.misled[at]; known {
			break
		}
		r.misled[at] = false // until more is known; in a circle there is no more
		below = append(below, at)
		misled = r.isMisread(at, namesPredecessor)
		predecessor, _ := r.in.Operations[at].Predecessor()
		at, there = r.first[predecessor]
	}
	for _, at := range below {
		r.misled[at] = misled
	}
	return misled
}

// about returns whether a field is one of these, or in one, or around one.
func about(paths ...string) func(field string) bool {
	return func(field string) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return fielderror.Within(field, path) || fielderror.Within(path, field) })
	}
}

// namesPredecessor reports whether a field says what an operation runs after, so that this
// is not known if the field is faulty.
func namesPredecessor(field string) bool {
	return about(runAfterField, "metadata.namespace")(field) && !fielderror.Within(field, strategyField)
}

// demandsNode reports whether a field says what an operation asks of its node.
func demandsNode(field string) bool {
	const podSpec = "spec.processor.job.podSpec"
	return about("spec.affinity", "spec.nodeSelector", podSpec+".affinity", podSpec+".nodeSelector")(field)
}

// unresolved reports whether it is not known what another operation would do.
func (r *reporter) unresolved(of *dataflow.Ref) bool {
	if of == nil {
		return false
	}
	i, ok := r.first[*of]
	return ok && r.known[i].unresolved
}
