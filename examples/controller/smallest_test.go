package main

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The smallest controller: it plays scheduler and kubelet itself, and has everything in memory.
func Example() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	nodes := []corev1.Node{
		{ObjectMeta: metav1.ObjectMeta{Name: "cpu-1", Labels: map[string]string{topology.Hostname: "cpu-1"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "gpu-1", Labels: map[string]string{topology.Hostname: "gpu-1", "gpu": "true"}}},
	}
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	convert := dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"}
	flow, err := dataflow.New(
		dataflow.Operation{Ref: download},
		dataflow.Operation{Ref: convert, NodeSelector: map[string]string{"gpu": "true"}, RunAfter: &dataflow.RunAfter{
			Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require},
		}},
	)
	check(err)
	index, err := dataflow.IndexNodes(nodes, nil)
	check(err)
	forecast, err := flow.Forecast(index, dataflow.ForecastOptions{})
	check(err)
	fmt.Println("download on cpu-1:", forecast.Why(download, "cpu-1"))
	flow = forecast.Flow() // its operations run only where the whole flow can complete
	seen := map[dataflow.Ref]dataflow.Observation{}
	for ended := 0; ended < 2; {
		for r := range flow.ResolveAll(seen) {
			if check(r.Err); r.State != dataflow.Ready {
				continue
			}
			op, _ := flow.Operation(r.Operation)
			m, err := affinity.Compile(op.NodeSelector, r.Affinity)
			check(err)
			node := nodes[slices.IndexFunc(nodes, func(n corev1.Node) bool { return m.Match(&n) })]
			fmt.Printf("%s ran on %s, inherits %q\n", op.Ref, node.Name, r.Inherited)
			seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(node.Labels, op.Exposes...), Node: node.Name}
			ended++
		}
	}
	// Output:
	// download on cpu-1: it would leave no node for DataProcess default/convert
	// DataLoad default/download ran on gpu-1, inherits ""
	// DataProcess default/convert ran on gpu-1, inherits "kubernetes.io/hostname=gpu-1"
}
