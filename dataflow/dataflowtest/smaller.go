package dataflowtest

import (
	"maps"
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// smaller returns scenarios that are a little simpler: without an operation, without a node, with fewer choices, or without a field of an operation or a node.
func (of scenario) smaller() []scenario {
	var all []scenario
	for i := range of.operations {
		if len(of.operations) > 1 {
			smaller := of
			smaller.operations = withoutOperation(of.operations, i)
			all = append(all, smaller)
		}
	}
	for i, node := range of.cluster.Nodes {
		smaller := of
		smaller.cluster = View{Cluster: of.cluster}.clone().Cluster
		smaller.cluster.Nodes = slices.Delete(smaller.cluster.Nodes, i, i+1)
		delete(smaller.cluster.Used, node.Name)
		all = append(all, smaller)
	}
	if n := len(of.tape); n > 0 {
		smaller := of
		smaller.tape = of.tape[:n-1]
		all = append(all, smaller)
	}
	for i := range of.tape {
		if of.tape[i] > 0 {
			smaller := of
			smaller.tape = slices.Clone(of.tape)
			smaller.tape[i] = 0
			all = append(all, smaller)
		}
	}
	for i, op := range of.operations {
		for _, clear := range []func(op *dataflow.Operation) bool{
			func(op *dataflow.Operation) bool { had := op.Affinity != nil; op.Affinity = nil; return had },
			func(op *dataflow.Operation) bool { had := op.NodeSelector != nil; op.NodeSelector = nil; return had },
			func(op *dataflow.Operation) bool { had := op.Tolerations != nil; op.Tolerations = nil; return had },
			func(op *dataflow.Operation) bool { had := op.Requests != nil; op.Requests = nil; return had },
			func(op *dataflow.Operation) bool { had := op.Exposes != nil; op.Exposes = nil; return had },
			func(op *dataflow.Operation) bool { had := op.Distributed; op.Distributed = false; return had },
			func(op *dataflow.Operation) bool { had := op.Recurring; op.Recurring = false; return had },
			func(op *dataflow.Operation) bool {
				had := op.RunAfter != nil && op.RunAfter.DependOn != nil
				if had {
					op.RunAfter.DependOn = nil
				}
				return had
			},
			func(op *dataflow.Operation) bool {
				had := op.RunAfter != nil && op.RunAfter.Strategy.Policy != affinity.None
				if had {
					op.RunAfter.Strategy = affinity.Strategy{}
				}
				return had
			},
			func(op *dataflow.Operation) bool {
				had := op.RunAfter != nil && op.RunAfter.Strategy.Requires != nil
				if had {
					op.RunAfter.Strategy.Requires = rest(op.RunAfter.Strategy.Requires)
				}
				return had
			},
			func(op *dataflow.Operation) bool {
				had := op.RunAfter != nil && op.RunAfter.Strategy.Prefers != nil
				if had {
					op.RunAfter.Strategy.Prefers = rest(op.RunAfter.Strategy.Prefers)
				}
				return had
			},
		} {
			smaller := of
			smaller.operations = slices.Clone(of.operations)
			smaller.operations[i] = op.DeepCopy()
			if clear(&smaller.operations[i]) {
				all = append(all, smaller)
			}
		}
	}
	for i, node := range of.cluster.Nodes {
		change := func(change func(i int, c *Cluster)) {
			smaller := of
			smaller.cluster = View{Cluster: of.cluster}.clone().Cluster
			change(i, &smaller.cluster)
			all = append(all, smaller)
		}
		if node.Spec.Unschedulable || node.Spec.Taints != nil || node.Status.Allocatable != nil {
			change(func(i int, c *Cluster) {
				c.Nodes[i].Spec.Unschedulable, c.Nodes[i].Spec.Taints, c.Nodes[i].Status.Allocatable = false, nil, nil
				delete(c.Used, node.Name)
			})
		}
		for _, key := range slices.Sorted(maps.Keys(node.Labels)) {
			change(func(i int, c *Cluster) { delete(c.Nodes[i].Labels, key) })
		}
	}
	return all
}

// rest returns a list without its first element, and nil for the last one.
func rest[E any](list []E) []E {
	if len(list) <= 1 {
		return nil
	}
	return list[1:]
}

// withoutOperation returns the operations without the i-th. What runs after it runs after its
// predecessor, and what depends on it depends on what it runs after.
func withoutOperation(ops []dataflow.Operation, i int) []dataflow.Operation {
	removed := ops[i]
	var left []dataflow.Operation
	for _, op := range slices.Concat(ops[:i], ops[i+1:]) {
		op = op.DeepCopy()
		if op.RunAfter != nil && op.RunAfter.DependOn != nil && inNamespaceOf(op, *op.RunAfter.DependOn) == removed.Ref {
			op.RunAfter.DependOn = nil
		}
		if op.RunAfter != nil && inNamespaceOf(op, op.RunAfter.Ref) == removed.Ref {
			if removed.RunAfter == nil {
				op.RunAfter = nil
			} else {
				op.RunAfter.Ref = inNamespaceOf(removed, removed.RunAfter.Ref)
			}
		}
		left = append(left, op)
	}
	return left
}
