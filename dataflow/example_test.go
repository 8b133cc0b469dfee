package dataflow_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Operations may be given in any order. Every fault is reported.
func ExampleNew() {
	load := func(name, after string, strategy affinity.Strategy) dataflow.Operation {
		return dataflow.Operation{
			Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: name},
			RunAfter: &dataflow.RunAfter{
				Ref:      dataflow.Ref{Kind: dataflow.DataLoad, Name: after}, // of the same namespace
				Strategy: strategy,
			},
		}
	}
	none, sameNode := affinity.Strategy{}, affinity.Strategy{Policy: affinity.Require}
	tooMuch := affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: topology.Zone, Weight: 500}}}
	_, err := dataflow.New(load("a", "b", none), load("b", "a", sameNode), load("c", "b", tooMuch))
	fmt.Println(err)

	var of *dataflow.OperationError
	if errors.As(err, &of) {
		fmt.Println("fix", of.Err.Field, "of", of.Operation)
	}
	// Output:
	// DataLoad default/c: spec.runAfter.affinityStrategy.prefers[0].weight: Invalid value: 500: must be between 1 and 100, inclusive; cycle of runAfter: DataLoad default/a → DataLoad default/b → DataLoad default/a
	// fix spec.runAfter.affinityStrategy.prefers[0].weight of DataLoad default/c
}

// A flow that New accepts may still wait forever, or inherit less than its spec says.
func ExampleFlow_Problems() {
	flow, err := dataflow.New(dataflow.Operation{
		Ref: dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"},
		RunAfter: &dataflow.RunAfter{
			Ref:      dataflow.Ref{Kind: dataflow.DataLoad, Name: "download"},
			Strategy: affinity.Strategy{Policy: affinity.Prefer, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range flow.Problems() {
		fmt.Println(p)
	}
	// Output:
	// Error UnknownPredecessor: DataProcess default/convert: spec.runAfter.name: no DataLoad default/download exists, so this operation waits without limit; fix the reference or add the operation
	// Warning IgnoredList: DataProcess default/convert: spec.runAfter.affinityStrategy.requires: policy Prefer does not read requires; move its entries to prefers, or set policy to Require
}

// A controller asks whether an operation may start, and with which affinity.
func ExampleFlow_Resolve() {
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	convert := dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"}
	flow, err := dataflow.New(
		dataflow.Operation{Ref: download},
		dataflow.Operation{Ref: convert, RunAfter: &dataflow.RunAfter{
			Ref:      download,
			Strategy: affinity.Strategy{Policy: affinity.Require},
		}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	decision, _ := flow.Resolve(convert, nil)
	fmt.Println(decision.State, "on", decision.Cause)

	node := map[string]string{"kubernetes.io/hostname": "gpu-a1", "topology.kubernetes.io/zone": "east-a"}
	decision, _ = flow.Resolve(convert, map[dataflow.Ref]dataflow.Observation{
		download: {Phase: dataflow.Complete, Labels: topology.Expose(node)},
	})
	fmt.Println(decision.State, "with", decision.Inherited)
	// Output:
	// Waiting on DataLoad default/download
	// Ready with kubernetes.io/hostname=gpu-a1
}

// A webhook or a CI job reports everything that is wrong with operations.
func ExampleCheck() {
	disk := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "example.com/disk"}}}
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	for _, p := range dataflow.Check(
		dataflow.Operation{Ref: download, Exposes: []string{"example.com/disc"}},
		dataflow.Operation{
			Ref:      dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"},
			RunAfter: &dataflow.RunAfter{Ref: download, Strategy: disk},
		},
	) {
		fmt.Println(p.Severity, p.Code, "of", p.Operation)
		fmt.Println("at", p.Field)
		fmt.Println(p.Message)
	}
	// Output:
	// Error NotExposed of DataProcess default/convert
	// at spec.runAfter.affinityStrategy.requires[0].name
	// DataLoad default/download does not expose example.com/disk, so it is not inherited; typo of "example.com/disc"? If not, add it to the annotation affinity.dataflow.fluid.io/labels there
}

func ExampleSplit() {
	load := func(name string) dataflow.Operation {
		return dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: name}}
	}
	next := load("next")
	next.RunAfter = &dataflow.RunAfter{Ref: load("first").Ref}
	for i, part := range dataflow.Split(load("first"), load("unrelated"), next) {
		for _, op := range part {
			fmt.Println("flow", i+1, op.Ref)
		}
	}
	// Output:
	// flow 1 DataLoad default/first
	// flow 1 DataLoad default/next
	// flow 2 DataLoad default/unrelated
}

func ExampleMermaid() {
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	operations := []dataflow.Operation{
		{Ref: download},
		{
			Ref:      dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"},
			RunAfter: &dataflow.RunAfter{Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require}},
		},
	}
	seen := map[dataflow.Ref]dataflow.Observation{download: {Phase: dataflow.Complete, Node: "node-1"}}
	fmt.Print(dataflow.Mermaid(operations, dataflow.Check(operations...), seen))
	// Output:
	// flowchart LR
	//   subgraph flow1["flow 1"]
	//     direction LR
	//     op0["default/download\nDataLoad\nComplete on node-1"]
	//     op1["default/convert\nDataProcess"]
	//     op0 -- "Require\nkubernetes.io/hostname" --> op1
	//   end
	//   classDef complete fill:#2da44e55
	//   class op0 complete
}

// Only an operation that is Ready can start, so a loop over ResolveAll starts none twice.
func ExampleFlow_ResolveAll() {
	flow, download, convert := training()
	seen := map[dataflow.Ref]dataflow.Observation{download: {Phase: dataflow.Executing, Node: "gpu-1"}}
	for range 2 {
		for r := range flow.ResolveAll(seen) {
			fmt.Println(r.Operation.Name, r.State)
		}
		seen[download] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{topology.Hostname: "gpu-1"})}
	}
	fmt.Println(seen[convert].Phase == "")
	// Output:
	// download Running
	// convert Waiting
	// download Finished
	// convert Ready
	// true
}

// training returns a flow that can strand: download may run on any node, convert needs a
// GPU and must run where download ran. On a cluster with GPU and CPU nodes the scheduler,
// which does not know of convert yet, may place download on a CPU node. In Tekton, where the
// pods of a pipeline share a workspace on one node, this is issues 3049, 6586 and 8015.
func training() (flow *dataflow.Flow, download, convert dataflow.Ref) {
	download = dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	convert = dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"}
	flow, err := dataflow.New(
		dataflow.Operation{Ref: download},
		dataflow.Operation{
			Ref:          convert,
			NodeSelector: map[string]string{"accelerator": "gpu"},
			RunAfter:     &dataflow.RunAfter{Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require}},
		},
	)
	if err != nil {
		panic(err)
	}
	return flow, download, convert
}

// exampleNodes returns one node without a GPU and two with one, and their index.
func exampleNodes() ([]corev1.Node, *dataflow.NodeIndex) {
	node := func(name, accelerator string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"kubernetes.io/hostname": name, "accelerator": accelerator,
		}}}
	}
	nodes := []corev1.Node{node("cpu-1", "none"), node("gpu-1", "gpu"), node("gpu-2", "gpu")}
	index, err := dataflow.IndexNodes(nodes, nil)
	if err != nil {
		panic(err)
	}
	return nodes, index
}

// A forecast says where each operation can run such that the flow can complete, and which
// nodes would strand it.
func ExampleFlow_Forecast() {
	flow, download, convert := training()
	_, nodes := exampleNodes()
	forecast, err := flow.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("completable:", forecast.Completable())
	fmt.Println("download can run on", forecast.Nodes(download))
	for _, s := range forecast.Strands(download) {
		fmt.Println("on", s.Node, "it blocks", s.Blocks)
	}

	// If it has already run on the CPU node:
	forecast, err = flow.Forecast(nodes, dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{
		download: {Phase: dataflow.Complete, Node: "cpu-1", Labels: topology.NewLabelSet(map[string]string{topology.Hostname: "cpu-1"})},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("completable:", forecast.Completable())
	fmt.Println(forecast.Reason(convert))
	// Output:
	// completable: true
	// download can run on [gpu-1 gpu-2]
	// on cpu-1 it blocks DataProcess default/convert
	// completable: false
	// no node admits it: of 3 nodes: 2 without kubernetes.io/hostname=cpu-1, which it inherits from DataLoad default/download; 1 not matched by its node selector
}

// Many flows on the same nodes share one index of them.
func ExampleIndexNodes() {
	_, nodes := exampleNodes()
	for _, accelerator := range []string{"gpu", "none", "tpu"} {
		serve := dataflow.Operation{
			Ref:          dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "serve-" + accelerator},
			NodeSelector: map[string]string{"accelerator": accelerator},
		}
		flow, err := dataflow.New(serve)
		if err != nil {
			fmt.Println(err)
			continue
		}
		forecast, err := flow.Forecast(nodes, dataflow.ForecastOptions{})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(serve.Ref.Name, forecast.Completable(), forecast.Nodes(serve.Ref))
	}
	// Output:
	// serve-gpu true [gpu-1 gpu-2]
	// serve-none true [cpu-1]
	// serve-tpu false []
}

func ExampleForecast_Affinity() {
	flow, download, _ := training()
	_, nodes := exampleNodes()
	forecast, err := flow.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	narrowed, err := forecast.Affinity(download)
	if err != nil {
		fmt.Println(err) // the flow cannot complete on these nodes
		return
	}
	fmt.Println(narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions)
	// Output:
	// [{accelerator In [gpu]}]
}

// A flow that is resolved from the forecast's affinities is never stranded, wherever the
// scheduler places each operation (law L3).
func ExampleForecast_Flow() {
	flow, _, _ := training()
	nodes, index := exampleNodes()
	forecast, err := flow.Forecast(index, dataflow.ForecastOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	flow = forecast.Flow()
	seen := map[dataflow.Ref]dataflow.Observation{}
	for op := range flow.Operations() {
		decision, err := flow.Resolve(op.Ref, seen)
		if err != nil {
			fmt.Println(err)
			return
		}
		pod, err := affinity.Compile(op.NodeSelector, decision.Affinity)
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := range nodes { // the scheduler may take any node that matches
			if pod.Match(&nodes[i]) {
				fmt.Println(op.Ref, "runs on", nodes[i].Name)
				seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(nodes[i].Labels, op.Exposes...)}
				break
			}
		}
	}
	// Output:
	// DataLoad default/download runs on gpu-1
	// DataProcess default/convert runs on gpu-1
}

// Without the nodes, the specs alone show that download needs a GPU node as well.
func ExampleFlow_Lookahead() {
	flow, download, _ := training()
	narrowed, err := flow.Lookahead(download)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions)
	// Output:
	// [{accelerator In [gpu]}]
}

// A contradiction names the two operations and what they require.
func ExampleContradictionError() {
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	flow, err := dataflow.New(
		dataflow.Operation{Ref: download, NodeSelector: map[string]string{"accelerator": "none"}},
		dataflow.Operation{
			Ref:          dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"},
			NodeSelector: map[string]string{"accelerator": "gpu"},
			RunAfter:     &dataflow.RunAfter{Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require}},
		},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = flow.Lookahead(download)
	var contradiction *dataflow.ContradictionError
	if errors.As(err, &contradiction) {
		fmt.Println(contradiction.Source, "requires", contradiction.SourceRequires)
		fmt.Println(contradiction.Follower, "requires", contradiction.FollowerRequires)
	}
	// Output:
	// DataLoad default/download requires accelerator In [none]
	// DataProcess default/convert requires accelerator In [gpu]
}

// Faults lists the faults of an error, one by one.
func ExampleFaults() {
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	_, err := dataflow.New(
		dataflow.Operation{Ref: download},
		dataflow.Operation{Ref: download, RunAfter: &dataflow.RunAfter{Ref: download, Strategy: affinity.Strategy{Policy: "require"}}},
	)
	for i, fault := range dataflow.Faults(err) {
		fmt.Println(i, fault)
	}
	// Output:
	// 0 DataLoad default/download: metadata.name: Duplicate value: "DataLoad default/download"
	// 1 DataLoad default/download: spec.runAfter.affinityStrategy.policy: Unsupported value: "require": supported values: "Require", "Prefer", ""; typo of "Require"?
}
