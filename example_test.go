package slipstream_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The labels of the node where an operation ran become a requirement of the next one.
func Example() {
	nodeOfA := map[string]string{"kubernetes.io/hostname": "gpu-a1", "topology.kubernetes.io/zone": "east-a"}
	var ownOfB *corev1.Affinity // B's own affinity; it stays in force

	sameZone := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}}
	result, err := affinity.Inherit(ownOfB, sameZone, topology.Expose(nodeOfA))
	if err != nil {
		panic(err)
	}
	term := result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	fmt.Println(term.MatchExpressions, result.Missing)
	// Output: [{topology.kubernetes.io/zone In [east-a]}] []
}

// A controller's loop, without a cluster: every operation that is Ready gets a pod with its
// affinity, the scheduler places the pod, and the labels of the node are recorded.
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
	node := func(name, zone string, labels map[string]string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name, topology.Zone: zone}}}
		for key, value := range labels {
			n.Labels[key] = value
		}
		return n
	}
	nodes := []corev1.Node{node("cpu-a1", "east-a", nil), node("cpu-b1", "east-b", nil), node("gpu-b1", "east-b", map[string]string{"accelerator": "gpu"})}

	seen := map[dataflow.Ref]dataflow.Observation{}
	for range 3 {
		for resolution := range flow.ResolveAll(seen) {
			switch {
			case resolution.Err != nil:
				fmt.Println(resolution.Operation, "can never start:", resolution.Err) // in a cluster, an event
				continue
			case resolution.State != dataflow.Ready:
				continue
			}
			op, _ := flow.Operation(resolution.Operation)
			pod, err := affinity.Compile(op.NodeSelector, resolution.Affinity)
			if err != nil {
				panic(err)
			}
			for i := range nodes {
				if pod.Match(&nodes[i]) {
					fmt.Printf("%s inherits [%s], runs on %s\n", op.Ref, resolution.Inherited, nodes[i].Name)
					exposed := topology.Expose(nodes[i].Labels, op.Exposes...)
					seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: exposed, Node: nodes[i].Name}
					break
				}
			}
		}
	}
	// Output:
	// DataLoad default/download inherits [], runs on gpu-b1
	// DataProcess default/convert inherits [kubernetes.io/hostname=gpu-b1], runs on gpu-b1
	// DataLoad default/warm-up inherits [topology.kubernetes.io/zone=east-b], runs on cpu-b1
}

// inherit is the function under test, here slipstream's own.
func inherit(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
	result, err := affinity.Inherit(own, s, from)
	return result.Affinity, err
}

func TestInherit(t *testing.T) { affinitytest.TestInherit(t, inherit) }

// controller makes the decisions of the controller under test.
type controller struct{}

func (controller) Decide(ref dataflow.Ref, v dataflowtest.View) (dataflow.State, *corev1.Affinity, error) {
	flow, err := dataflow.New(v.Operations...)
	if err != nil {
		return "", nil, err
	}
	decision, err := flow.Resolve(ref, v.Seen)
	return decision.State, decision.Affinity, err
}

func TestController(t *testing.T) {
	start := func() dataflowtest.Controller { return controller{} }
	dataflowtest.TestController(t, start, dataflowtest.Skip(dataflowtest.L3)) // it does not look ahead
}
