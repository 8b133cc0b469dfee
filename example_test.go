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

	sameZone := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}}
	result, err := affinity.Inherit(ownOfB, sameZone, topology.Expose(nodeOfA))
	if err != nil {
		panic(err)
	}
	term := result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	fmt.Println(term.MatchExpressions, result.Missing)
	// Output: [{topology.kubernetes.io/zone In [east-a]}] []
}

// A controller's loop, without a cluster: whatever is ready gets a pod with its affinity,
// the scheduler puts it on a node, and what the node's labels say is recorded.
func Example_chain() {
	ref := func(kind dataflow.Kind, name string) dataflow.Ref {
		return dataflow.Ref{Kind: kind, Namespace: "default", Name: name}
	}
	download, convert, warmUp := ref(dataflow.DataLoad, "download"), ref(dataflow.DataProcess, "convert"), ref(dataflow.DataLoad, "warm-up")
	flow, err := dataflow.New(
		dataflow.Operation{Ref: download, NodeSelector: map[string]string{"accelerator": "gpu"}},
		dataflow.Operation{Ref: convert, RunAfter: &dataflow.RunAfter{
			Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require},
		}},
		dataflow.Operation{Ref: warmUp, RunAfter: &dataflow.RunAfter{
			Ref:      convert,
			Strategy: affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}},
			DependOn: &download,
		}},
	)
	if err != nil {
		panic(err)
	}
	nodes := []map[string]string{
		{topology.Hostname: "cpu-a1", topology.Zone: "east-a"},
		{topology.Hostname: "cpu-b1", topology.Zone: "east-b"},
		{topology.Hostname: "gpu-b1", topology.Zone: "east-b", "accelerator": "gpu"},
	}

	seen := map[dataflow.Ref]dataflow.Observation{}
	for range 3 {
		for op := range flow.Operations() {
			decision, err := flow.Resolve(op.Ref, seen)
			switch {
			case err != nil:
				fmt.Println(op.Ref, "can never start:", err) // in a cluster, an event
				continue
			case decision.State != dataflow.Ready || seen[op.Ref].Phase == dataflow.Complete:
				continue
			}
			pod, err := affinity.Compile(op.NodeSelector, decision.Affinity)
			if err != nil {
				panic(err)
			}
			for _, labels := range nodes {
				if name := labels[topology.Hostname]; pod.Match(name, labels) {
					fmt.Printf("%s follows [%s], runs on %s\n", op.Ref, decision.Inherited, name)
					seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(labels, op.Exposes...)}
					break
				}
			}
		}
	}
	// Output:
	// DataLoad default/download follows [], runs on gpu-b1
	// DataProcess default/convert follows [kubernetes.io/hostname=gpu-b1], runs on gpu-b1
	// DataLoad default/warm-up follows [topology.kubernetes.io/zone=east-b], runs on cpu-b1
}
