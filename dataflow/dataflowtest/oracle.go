package dataflowtest

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The definitions of the laws. Nothing here calls a function of package dataflow.

// View is what a controller knows of its cluster at some moment.
type View struct {
	Operations []dataflow.Operation
	Seen       map[dataflow.Ref]dataflow.Observation
	Cluster    Cluster
}

// States returns the state of every operation (law F4). Blocked is the least fixpoint.
func States(ops []dataflow.Operation, seen map[dataflow.Ref]dataflow.Observation) map[dataflow.Ref]dataflow.State {
	states := map[dataflow.Ref]dataflow.State{}
	for _, op := range ops {
		incomplete := slices.ContainsFunc(waitsFor(op), func(ref dataflow.Ref) bool { return seen[ref].Phase != "Complete" })
		switch phase := seen[op.Ref].Phase; {
		case phase == "Executing":
			states[op.Ref] = "Running"
		case phase == "Complete" || phase == "Failed":
			states[op.Ref] = "Finished"
		case incomplete:
			states[op.Ref] = "Waiting"
		default:
			states[op.Ref] = "Ready"
		}
	}
	for grown := true; grown; {
		grown = false
		for _, op := range ops {
			blocked := slices.ContainsFunc(waitsFor(op), func(ref dataflow.Ref) bool {
				return seen[ref].Phase == "Failed" || states[ref] == "Blocked"
			})
			if blocked && states[op.Ref] == "Waiting" {
				states[op.Ref], grown = "Blocked", true
			}
		}
	}
	return states
}

func inNamespaceOf(op dataflow.Operation, ref dataflow.Ref) dataflow.Ref {
	if ref.Namespace == "" {
		ref.Namespace = op.Ref.Namespace
	}
	return ref
}

// sourceOf is law F3.
func sourceOf(op dataflow.Operation) (dataflow.Ref, bool) {
	if op.RunAfter == nil || op.RunAfter.Strategy.Policy == affinity.None || op.Distributed {
		return dataflow.Ref{}, false
	}
	if op.RunAfter.DependOn != nil {
		return inNamespaceOf(op, *op.RunAfter.DependOn), true
	}
	return inNamespaceOf(op, op.RunAfter.Ref), true
}

// waitsFor returns the predecessor and the source of an operation.
func waitsFor(op dataflow.Operation) []dataflow.Ref {
	if op.RunAfter == nil {
		return nil
	}
	refs := []dataflow.Ref{inNamespaceOf(op, op.RunAfter.Ref)}
	if source, ok := sourceOf(op); ok {
		refs = append(refs, source)
	}
	return refs
}

// requiredKeys returns the keys that an operation requires (law D1).
func requiredKeys(op dataflow.Operation) []string {
	if op.RunAfter == nil || op.RunAfter.Strategy.Policy != affinity.Require || op.Distributed {
		return nil
	}
	var keys []string
	for _, r := range op.RunAfter.Strategy.Requires {
		keys = append(keys, r.Key)
	}
	if len(keys) == 0 {
		return []string{topology.Hostname}
	}
	return keys
}

// preferences returns the labels that an operation prefers (law D1).
func preferences(op dataflow.Operation) []affinity.PreferredLabel {
	if op.RunAfter == nil || op.RunAfter.Strategy.Policy != affinity.Prefer || op.Distributed {
		return nil
	}
	if len(op.RunAfter.Strategy.Prefers) == 0 {
		return []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 100}}
	}
	return op.RunAfter.Strategy.Prefers
}

// exposed returns the labels of a node that an operation exposes (laws E1, F5).
func exposed(op dataflow.Operation, labels map[string]string) map[string]string {
	exposed := map[string]string{}
	if op.Distributed || op.Recurring {
		return exposed
	}
	for _, key := range topology.ExposedKeys(op.Exposes...) {
		if value, ok := labels[key]; ok {
			exposed[key] = value
		}
	}
	return exposed
}

// operation returns an operation of the view.
func (v View) operation(ref dataflow.Ref) (dataflow.Operation, bool) {
	i := slices.IndexFunc(v.Operations, func(op dataflow.Operation) bool { return op.Ref == ref })
	if i < 0 {
		return dataflow.Operation{}, false
	}
	return v.Operations[i], true
}

// recorded returns the labels that an operation's source exposes to it. They are known only if the
// source is complete.
func (v View) recorded(op dataflow.Operation) map[string]string {
	source, ok := sourceOf(op)
	if !ok || v.Seen[source].Phase != "Complete" {
		return nil
	}
	if of, ok := v.operation(source); ok && (of.Distributed || of.Recurring) {
		return nil
	}
	return maps.Collect(v.Seen[source].Labels.All())
}

// required returns the labels that an operation must find on its node.
func (v View) required(op dataflow.Operation) map[string]string {
	required, recorded := map[string]string{}, v.recorded(op)
	for _, key := range requiredKeys(op) {
		if value, ok := recorded[key]; ok {
			required[key] = value
		}
	}
	return required
}

// score is law P2 for an operation that is Ready.
func (v View) score(op dataflow.Operation, node *corev1.Node) int64 {
	score, recorded := affinitytest.Score(op.Affinity, node), v.recorded(op)
	for _, p := range preferences(op) {
		value, ok := recorded[p.Key]
		if got, has := node.Labels[p.Key]; ok && has && got == value && !prefersAlready(op.Affinity, p, value) {
			score += int64(p.Weight)
		}
	}
	return score
}

func prefersAlready(own *corev1.Affinity, p affinity.PreferredLabel, value string) bool {
	if own == nil || own.NodeAffinity == nil {
		return false
	}
	return slices.ContainsFunc(own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution, func(t corev1.PreferredSchedulingTerm) bool {
		expressions := t.Preference.MatchExpressions
		return t.Weight == p.Weight && len(t.Preference.MatchFields) == 0 && len(expressions) == 1 &&
			expressions[0].Key == p.Key && expressions[0].Operator == corev1.NodeSelectorOpIn && slices.Equal(expressions[0].Values, []string{value})
	})
}

// conflicts reports whether no node can have what an operation must find, although some node has what
// the operation itself asks for (laws C1, F5).
func (v View) conflicts(op dataflow.Operation) bool {
	required := v.required(op)
	if affinitytest.FindMatch(op.Affinity, op.NodeSelector) == nil {
		return false
	}
	for key, value := range op.NodeSelector {
		if other, ok := required[key]; ok && other != value {
			return true
		}
		required[key] = value
	}
	return affinitytest.FindMatch(op.Affinity, required) == nil
}

// settled reports whether an operation needs no node any more (law L7).
func (v View) settled(ref dataflow.Ref) bool {
	o := v.Seen[ref]
	return o.Phase == "Complete" || o.Phase == "Executing" && o.Node != ""
}

// follows returns the labels that an operation must find because of a source that is settled.
func (v View) follows(op dataflow.Operation) map[string]string {
	source, ok := sourceOf(op)
	o := v.Seen[source]
	if of, known := v.operation(source); ok && known && o.Phase == "Executing" {
		required := map[string]string{}
		for _, node := range v.Cluster.Nodes {
			if node.Name == o.Node {
				labels := exposed(of, node.Labels)
				for _, key := range requiredKeys(op) {
					if value, ok := labels[key]; ok {
						required[key] = value
					}
				}
			}
		}
		return required
	}
	return v.required(op)
}

// feasible reports whether an operation can run on a node such that all that follow it can run as well.
func (v View) feasible(op dataflow.Operation, node *corev1.Node) bool {
	if v.Seen[op.Ref].Phase == "Failed" || RefusedBy(op, node, v.Cluster.Used[node.Name]) != "" || !has(node, v.follows(op)) {
		return false
	}
	labels := exposed(op, node.Labels)
	for _, follower := range v.Operations {
		if source, ok := sourceOf(follower); !ok || source != op.Ref || v.settled(follower.Ref) {
			continue
		}
		agreed := map[string]string{}
		for _, key := range requiredKeys(follower) {
			if value, ok := labels[key]; ok {
				agreed[key] = value
			}
		}
		if len(agreed) > 0 && !v.someNode(func(n *corev1.Node) bool { return has(n, agreed) && v.feasible(follower, n) }) {
			return false
		}
	}
	return true
}

func (v View) someNode(such func(node *corev1.Node) bool) bool {
	for i := range v.Cluster.Nodes {
		if such(&v.Cluster.Nodes[i]) {
			return true
		}
	}
	return false
}

// completable reports whether some placement of all operations exists (law L1).
func (v View) completable() bool {
	return !slices.ContainsFunc(v.Operations, func(op dataflow.Operation) bool {
		return !v.settled(op.Ref) && !v.someNode(func(n *corev1.Node) bool { return v.feasible(op, n) })
	})
}
