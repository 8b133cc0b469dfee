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

// Operations may come in any order. Every fault is reported, not just the first.
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
		fmt.Println("mend", of.Err.Field, "of", of.Operation)
	}
	// Output:
	// DataLoad default/c: spec.runAfter.affinityStrategy.prefers[0].weight: Invalid value: 500: must be between 1 and 100, inclusive
	// cycle of runAfter: DataLoad default/a → DataLoad default/b → DataLoad default/a
	// mend spec.runAfter.affinityStrategy.prefers[0].weight of DataLoad default/c
}

// What New accepts may still wait for ever, or do less than it says.
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
	// Error UnknownPredecessor: DataProcess default/convert: spec.runAfter.name: no DataLoad default/download, so this waits for ever; mend the reference or add the operation
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

// A webhook, or a CI job, wants to know all that is wrong with some operations.
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

func ExampleFlow_Mermaid() {
	download := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "download"}
	flow, _ := dataflow.New(
		dataflow.Operation{Ref: download},
		dataflow.Operation{
			Ref:      dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "convert"},
			RunAfter: &dataflow.RunAfter{Ref: download, Strategy: affinity.Strategy{Policy: affinity.Require}},
		},
	)
	fmt.Print(flow.Mermaid())
	// Output:
	// flowchart BT
	//   op0["DataLoad default/download"]
	//   op1["DataProcess default/convert"]
	//   op1 -- runAfter --> op0
	//   op1 -. "Require<br/>kubernetes.io/hostname" .-> op0
	//   classDef error stroke:#d1242f,stroke-width:3px
	//   classDef warning stroke:#bf8700,stroke-width:3px
	//   classDef stranger stroke-dasharray:4
}

// training is a flow that strands: download may run anywhere and convert needs a GPU,
// but convert must run where download ran. On a cluster with GPU and CPU nodes the
// scheduler, which does not know of convert yet, may well place download on one of the
// latter. In Tekton, where the pods of a pipeline share a workspace on one node, this is
// issues 3049, 6586 and 8015.
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

// cluster is one node without a GPU and two with one.
func cluster() []corev1.Node {
	node := func(name, accelerator string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"kubernetes.io/hostname": name, "accelerator": accelerator,
		}}}
	}
	return []corev1.Node{node("cpu-1", "none"), node("gpu-1", "gpu"), node("gpu-2", "gpu")}
}

// With the nodes at hand, a forecast says where each operation can run such that the
// flow can complete, and what would strand it.
func ExampleFlow_Forecast() {
	flow, download, _ := training()
	nodes := cluster()
	forecast, err := flow.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("completable:", forecast.Completable())
	fmt.Println("download can run on", forecast.Nodes(download))
	for _, s := range forecast.Strands(download) {
		fmt.Println("on", s.Node, "it dooms", s.Blocks)
	}
	narrowed, _ := forecast.Affinity(download)
	fmt.Println("so it gets", narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions)

	// Had it run on the CPU node already:
	forecast, _ = flow.Forecast(nodes, dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{download: "cpu-1"}})
	for _, ref := range forecast.Impossible() {
		fmt.Println(ref, "fails:", forecast.Reason(ref))
	}
	// Output:
	// completable: true
	// download can run on [gpu-1 gpu-2]
	// on cpu-1 it dooms DataProcess default/convert
	// so it gets [{accelerator In [gpu]}]
	// DataLoad default/download fails: it ran on cpu-1; DataProcess default/convert cannot follow it there: cpu-1 does not match its node selector
}

// Whoever runs the operations of a flow with the affinities of its forecast strands none of
// them, wherever the scheduler puts each (law L3).
func ExampleForecast_Affinity() {
	flow, _, _ := training()
	nodes := cluster()
	forecast, err := flow.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var narrowed []dataflow.Operation
	for op := range flow.Operations() {
		if op.Affinity, err = forecast.Affinity(op.Ref); err != nil {
			fmt.Println(err) // the flow cannot complete on these nodes
			return
		}
		narrowed = append(narrowed, op)
	}
	if flow, err = dataflow.New(narrowed...); err != nil {
		fmt.Println(err)
		return
	}
	seen := map[dataflow.Ref]dataflow.Observation{}
	for op := range flow.Operations() {
		decision, err := flow.Resolve(op.Ref, seen)
		if err != nil {
			fmt.Println(err)
			return
		}
		pod, _ := affinity.Compile(op.NodeSelector, decision.Affinity)
		for _, n := range nodes { // the scheduler may take any that matches
			if pod.Match(n.Name, n.Labels) {
				fmt.Println(op.Ref, "runs on", n.Name)
				seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(n.Labels, op.Exposes...)}
				break
			}
		}
	}
	// Output:
	// DataLoad default/download runs on gpu-1
	// DataProcess default/convert runs on gpu-1
}

// Many flows on the same nodes share one index of them.
func ExampleFlow_ForecastOn() {
	node := func(name, accelerator string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"accelerator": accelerator}}}
	}
	nodes, err := dataflow.IndexNodes([]corev1.Node{node("cpu-1", "none"), node("gpu-1", "gpu")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, accelerator := range []string{"gpu", "none", "tpu"} {
		serve := dataflow.Operation{
			Ref:          dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "serve-" + accelerator},
			NodeSelector: map[string]string{"accelerator": accelerator},
		}
		flow, _ := dataflow.New(serve)
		forecast, err := flow.ForecastOn(nodes, dataflow.ForecastOptions{})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(serve.Name, forecast.Completable(), forecast.Nodes(serve.Ref))
	}
	// Output:
	// serve-gpu true [gpu-1]
	// serve-none true [cpu-1]
	// serve-tpu false []
}

// Without the nodes, the specs alone tell that download needs a GPU node as well.
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
