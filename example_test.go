package slipstream_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The labels of the node where an operation ran become a requirement of the next.
func Example() {
	nodeOfA := map[string]string{"kubernetes.io/hostname": "gpu-a1", "topology.kubernetes.io/zone": "east-a"}
	var ownOfB *corev1.Affinity // what B asks for itself; it stays in force

	sameZone := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.Required{{Name: topology.Zone}}}
	result, err := affinity.Inherit(ownOfB, sameZone, topology.Expose(nodeOfA))
	if err != nil {
		panic(err)
	}
	term := result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	fmt.Println(term.MatchExpressions, result.Missing)
	// Output: [{topology.kubernetes.io/zone In [east-a]}] []
}

// A whole chain: who may start, and with which affinity.
func Example_chain() {
	a := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}
	b := dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "b"}
	flow, err := dataflow.New(
		dataflow.Operation{Ref: a},
		dataflow.Operation{Ref: b, RunAfter: &dataflow.RunAfter{Ref: a, Strategy: affinity.Strategy{Policy: affinity.Require}}},
	)
	if err != nil {
		panic(err)
	}
	seen := map[dataflow.Ref]dataflow.Observation{}
	for range 2 {
		decision, err := flow.Resolve(b, seen)
		fmt.Println(decision.State, decision.On, decision.Inherited, err)
		onNode1 := topology.NewLabelSet(map[string]string{topology.Hostname: "node-1"})
		seen[a] = dataflow.Observation{Phase: dataflow.Complete, Labels: onNode1}
	}
	// Output:
	// Waiting DataLoad default/a  <nil>
	// Ready   kubernetes.io/hostname=node-1 <nil>
}
