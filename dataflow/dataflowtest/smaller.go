package dataflowtest

import (
	"maps"
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// smaller returns scenarios that are a little simpler: without an operation that no other one names,
// without a node, with fewer choices, or without a field of an operation or a node.
func (of scenario) smaller() []scenario {
	var all []scenario
	for i, op := range of.operations {
		named := slices.ContainsFunc(of.operations, func(o dataflow.Operation) bool { return slices.Contains(waitsFor(o), op.Ref) })
		if !named && len(of.operations) > 1 {
			smaller := of
			smaller.operations = without(of.operations, i)
			all = append(all, smaller)
		}
	}
	for i := range of.cluster.Nodes {
		smaller := of
		smaller.cluster.Nodes = without(of.cluster.Nodes, i)
		all = append(all, smaller)
	}
	if n := len(of.tape); n > 0 {
		for _, length := range []int{n / 2, n - 1} {
			smaller := of
			smaller.tape = of.tape[:length]
			all = append(all, smaller)
		}
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
				had := op.RunAfter != nil && len(op.RunAfter.Strategy.Requires) > 0
				if had {
					op.RunAfter.Strategy.Requires = op.RunAfter.Strategy.Requires[1:]
				}
				return had
			},
			func(op *dataflow.Operation) bool {
				had := op.RunAfter != nil && len(op.RunAfter.Strategy.Prefers) > 0
				if had {
					op.RunAfter.Strategy.Prefers = op.RunAfter.Strategy.Prefers[1:]
				}
				return had
			},
		} {
			smaller := of
			smaller.operations = slices.Clone(of.operations)
			smaller.operations[i] = cloneOperation(op)
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

func without[E any](list []E, i int) []E { return slices.Concat(list[:i], list[i+1:]) }
