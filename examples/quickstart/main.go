// Command quickstart runs the three dataflows of Fluid's guide to affinity between
// data operations, on a small cluster that is only a list of nodes, and prints
// where each operation ran and with which affinity.
package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/internal/yaml"
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
	cluster, err := read("demos/nodes.yaml")
	if err != nil {
		return err
	}
	for _, demo := range []struct{ title, file string }{
		{"Demo 1: loadB runs on the node where loadA ran", "demos/demo1-location.yaml"},
		{"Demo 2: loadB runs on a node with the same value of a custom label", "demos/demo2-custom-label.yaml"},
		{"Demo 3: step4 follows step2, which is not its predecessor", "demos/demo3-depend-on.yaml"},
	} {
		fmt.Fprintf(out, "%s\n%s\n\n", demo.title, strings.Repeat("=", len(demo.title)))
		manifests, err := read(demo.file)
		if err != nil {
			return err
		}
		var operations []dataflow.Operation
		for _, op := range manifests.Operations {
			operations = append(operations, op.Operation)
		}
		if err := play(out, operations, cluster.Nodes); err != nil {
			return err
		}
	}
	return nil
}

func read(file string) (*manifest.Manifests, error) {
	f, err := demos.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return manifest.Read(file, f)
}

// play runs the operations of a flow one after the other, as a cluster would.
func play(out io.Writer, operations []dataflow.Operation, nodes []corev1.Node) error {
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
		matching, err := admitting(nodes, op.NodeSelector, decision.Affinity)
		if err != nil {
			return err
		}
		if decision.State != dataflow.Ready || len(matching) == 0 {
			return fmt.Errorf("%s is %s, and %d nodes match", op.Ref, decision.State, len(matching))
		}
		// Any of them will do, and the scheduler would weigh them. Here the
		// operations take them in turn, so that the output is always the same.
		node := matching[len(seen)%len(matching)]
		exposed := topology.Expose(node.Labels, op.Exposes...)
		seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: exposed}
		if err := report(out, op, decision, matching, node, exposed); err != nil {
			return err
		}
	}
	return nil
}

// admitting returns the nodes on which a pod without tolerations may run.
func admitting(nodes []corev1.Node, nodeSelector map[string]string, a *corev1.Affinity) ([]corev1.Node, error) {
	matcher, err := affinity.Compile(nodeSelector, a)
	if err != nil {
		return nil, err
	}
	var admitting []corev1.Node
	for _, node := range nodes {
		if !node.Spec.Unschedulable && len(node.Spec.Taints) == 0 && matcher.Match(node.Name, node.Labels) {
			admitting = append(admitting, node)
		}
	}
	return admitting, nil
}

func report(out io.Writer, op dataflow.Operation, decision dataflow.Decision, matching []corev1.Node, node corev1.Node, exposed topology.LabelSet) error {
	fmt.Fprintln(out, op.Ref)
	if predecessor, ok := op.Predecessor(); ok {
		fmt.Fprintf(out, "  runs after  %s\n", predecessor)
	}
	if source, ok := op.Source(); ok {
		fmt.Fprintf(out, "  inherits    %s from %s\n", decision.Inherited, source)
	}
	if decision.Affinity != nil {
		text, err := yaml.Marshal(decision.Affinity)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  affinity\n    %s\n", strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    "))
	}
	names := make([]string, len(matching))
	for i := range matching {
		names[i] = matching[i].Name
	}
	fmt.Fprintf(out, "  may run on  %s\n  ran on      %s\n  exposes     %s\n\n", strings.Join(names, " "), node.Name, exposed)
	return nil
}
