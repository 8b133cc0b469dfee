// Command quickstart runs the three dataflows of Fluid's guide to affinity between data
// operations on a small cluster, which is only a list of nodes. For each it prints where the
// operation with a strategy may run without and with it, and the affinity that its pod gets.
package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

//go:embed demos/*.yaml
var demos embed.FS

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	cluster, err := read[corev1.NodeList]("demos/nodes.yaml")
	if err != nil {
		return err
	}
	nodes := cluster[0].Items
	index, err := dataflow.IndexNodes(nodes, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The cluster")
	for _, node := range nodes {
		fmt.Fprintf(out, "  %s  zone %s  instance type %s", node.Name, node.Labels[topology.Zone], node.Labels["node.kubernetes.io/instance-type"])
		for _, taint := range node.Spec.Taints {
			fmt.Fprintf(out, "  taint %s", taint.ToString())
		}
		if node.Spec.Unschedulable {
			fmt.Fprint(out, "  cordoned")
		}
		fmt.Fprintln(out)
	}
	for _, demo := range []struct{ title, file string }{
		{"Demo 1: load-b runs on the node where load-a ran", "demos/demo1-location.yaml"},
		{"Demo 2: load-b runs on a node with the same value of a custom label", "demos/demo2-custom-label.yaml"},
		{"Demo 3: step4 inherits from step2, which is not its predecessor", "demos/demo3-depend-on.yaml"},
	} {
		fmt.Fprintf(out, "\n%s\n", demo.title)
		objects, err := read[map[string]any](demo.file)
		if err != nil {
			return err
		}
		var operations []dataflow.Operation
		for _, object := range objects {
			op, err := manifest.Decode(object)
			if other := (*manifest.KindError)(nil); errors.As(err, &other) && other.Fault == nil {
				continue // not an operation, such as a Dataset
			} else if err != nil {
				return err
			}
			op.Ref.Namespace = "default" // what kubectl fills in
			operations = append(operations, op.Operation)
		}
		if err := play(out, operations, nodes, index); err != nil {
			return err
		}
	}
	return nil
}

// read reads the objects of a file of YAML documents.
func read[T any](file string) (objects []T, err error) {
	f, err := demos.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for decoder := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var object T
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

// play runs the operations of a flow one after the other, each on the first node where it may
// run, and explains the last one.
func play(out io.Writer, operations []dataflow.Operation, nodes []corev1.Node, index *dataflow.NodeIndex) error {
	flow, err := dataflow.New(operations...)
	if err != nil {
		return err
	}
	seen := map[dataflow.Ref]dataflow.Observation{}
	for op := range flow.Operations() {
		decision, err := flow.Resolve(op.Ref, seen)
		if err != nil {
			return err
		}
		forecast, err := flow.Forecast(index, dataflow.ForecastOptions{Seen: seen})
		if err != nil {
			return err
		}
		feasible := forecast.Nodes(op.Ref)
		if decision.State != dataflow.Ready || len(feasible) == 0 {
			return fmt.Errorf("%s is %s, and can run on %d nodes", op.Ref, decision.State, len(feasible))
		}
		if source, ok := op.Source(); ok {
			alone, err := nodesOf(dataflow.Operation{Ref: op.Ref, NodeSelector: op.NodeSelector, Affinity: op.Affinity, Tolerations: op.Tolerations}, index)
			if err != nil {
				return err
			}
			text, err := json.Marshal(decision.Affinity)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "  %s may run, without its strategy, on %s\n", op.Ref.Name, strings.Join(alone, " "))
			fmt.Fprintf(out, "  %s may run, with %s of %s from %s, on %s\n", op.Ref.Name, op.RunAfter.Strategy.Policy, decision.Inherited, source.Name, strings.Join(feasible, " "))
			fmt.Fprintf(out, "  the affinity of its pod: %s\n", text)
		}
		for _, node := range nodes {
			if node.Name == feasible[0] {
				seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(node.Labels, op.Exposes...), Node: node.Name}
			}
		}
		fmt.Fprintf(out, "  %s ran on %s\n", op.Ref.Name, feasible[0])
	}
	return nil
}

// nodesOf returns where an operation may run by itself.
func nodesOf(op dataflow.Operation, index *dataflow.NodeIndex) ([]string, error) {
	flow, err := dataflow.New(op)
	if err != nil {
		return nil, err
	}
	forecast, err := flow.Forecast(index, dataflow.ForecastOptions{})
	if err != nil {
		return nil, err
	}
	return forecast.Nodes(op.Ref), nil
}
