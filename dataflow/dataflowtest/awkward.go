package dataflowtest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// awkwardScenarios returns scenarios of flows that controllers are known to get wrong. They are the same
// each time.
func awkwardScenarios() []scenario {
	var all []scenario
	for i, ops := range awkwardFlows() {
		for seed := range uint64(12) {
			all = append(all, scenario{operations: ops, cluster: threeNodes(), calm: seed%3 == 0, tape: tape(uint64(i)<<8 + seed)})
		}
	}
	return all
}

// threeNodes returns nodes that differ in every label.
func threeNodes() Cluster {
	var c Cluster
	for i, name := range nodeNames()[:3] {
		labels := map[string]string{topology.Hostname: name}
		for _, key := range keys()[1:] {
			labels[key] = fmt.Sprint(i)
		}
		c.Nodes = append(c.Nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	return c
}

// awkwardFlows returns chains: each operation runs after the one before it.
func awkwardFlows() [][]dataflow.Operation {
	const disk = "example.com/disk"
	require := func(keys ...string) affinity.Strategy {
		s := affinity.Strategy{Policy: affinity.Require}
		for _, key := range keys {
			s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
		}
		return s
	}
	prefer := affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: topology.Zone, Weight: 7}}}
	chain := func(strategies []affinity.Strategy, change func(ops []dataflow.Operation)) []dataflow.Operation {
		var ops []dataflow.Operation
		for i, s := range strategies {
			op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: string(rune('a' + i))}}
			if i > 0 {
				op.RunAfter = &dataflow.RunAfter{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: ops[i-1].Ref.Name}, Strategy: s}
			}
			ops = append(ops, op)
		}
		change(ops)
		return ops
	}
	none := affinity.Strategy{}
	return [][]dataflow.Operation{
		// c requires a label that a exposes and b does not.
		chain([]affinity.Strategy{none, none, require(disk)}, func(ops []dataflow.Operation) { ops[0].Exposes = []string{disk} }),
		// c follows a, not b.
		chain([]affinity.Strategy{none, none, require()}, func(ops []dataflow.Operation) { ops[2].RunAfter.DependOn = &ops[0].Ref }),
		// The own constraints and the source ask for different nodes.
		chain([]affinity.Strategy{none, require(topology.Zone)}, func(ops []dataflow.Operation) { ops[1].NodeSelector = map[string]string{topology.Zone: "1"} }),
		chain([]affinity.Strategy{none, require(topology.Zone)}, func(ops []dataflow.Operation) { ops[1].Affinity = requiring(topology.Zone, "1") }),
		// Only c cannot run everywhere.
		chain([]affinity.Strategy{none, require(), require()}, func(ops []dataflow.Operation) { ops[2].NodeSelector = map[string]string{disk: "2"} }),
		// What is preferred is preferred already.
		chain([]affinity.Strategy{none, prefer}, func(ops []dataflow.Operation) { ops[1].Affinity = preferring(7, topology.Zone, "1") }),
		// An operation that inherits nothing, and sources that expose nothing.
		chain([]affinity.Strategy{none, require()}, func(ops []dataflow.Operation) { ops[1].Distributed = true }),
		chain([]affinity.Strategy{none, require(), require()}, func(ops []dataflow.Operation) { ops[0].Recurring, ops[1].Distributed = true, true }),
		chain([]affinity.Strategy{none, require(), require()}, func(ops []dataflow.Operation) { ops[1].Recurring = true }),
	}
}
