package topology_test

import (
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// An operation exposes the built-in three labels of its node and the labels that its annotation
// names, if the node has them.
func ExampleExpose() {
	node := map[string]string{
		"kubernetes.io/hostname":           "gpu-a1",
		"kubernetes.io/arch":               "amd64",
		"node.kubernetes.io/instance-type": "GPU",
	}
	fmt.Println(topology.Expose(node))
	fmt.Println(topology.Expose(node, "node.kubernetes.io/instance-type", "example.com/rack"))
	// Output:
	// kubernetes.io/hostname=gpu-a1
	// kubernetes.io/hostname=gpu-a1,node.kubernetes.io/instance-type=GPU
}

func ExampleParseKeys() {
	fmt.Println(topology.ParseKeys("gpu, example.com/disk, gpu,"))
	_, err := topology.ParseKeys("gpu; disk")
	fmt.Println(err != nil)
	// Output:
	// [example.com/disk gpu] <nil>
	// true
}

// A complete operation stores its labels in its status, from where another operation reads them.
func ExampleLabelSet_NodeAffinity() {
	stored := topology.NewLabelSet(map[string]string{"zone": "a", "disk": "ssd"}).NodeAffinity()
	for _, e := range stored.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
		fmt.Println(e.Key, e.Operator, e.Values)
	}
	fmt.Println(topology.FromNodeAffinity(stored))
	// Output:
	// disk In [ssd]
	// zone In [a]
	// disk=ssd,zone=a <nil>
}

// The annotations of a Job record where it ran. Until they do, the caller tries again later.
func ExampleFromAnnotations() {
	job := map[string]string{topology.InjectAnnotation: "true"}
	_, err := topology.FromAnnotations(job)
	fmt.Println(errors.Is(err, topology.ErrNotRecorded))

	job = topology.NewLabelSet(map[string]string{topology.Zone: "a"}).Annotations()
	fmt.Println(job)
	fmt.Println(topology.FromAnnotations(job))
	// Output:
	// true
	// map[affinity.dataflow.fluid.io.topology.kubernetes.io/zone:a affinity.dataflow.fluid.io/inject:true]
	// topology.kubernetes.io/zone=a <nil>
}

// Fluid writes the expressions in any order.
func ExampleFromNodeAffinity() {
	status := `{"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [
		{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["east-a"]},
		{"key": "kubernetes.io/hostname", "operator": "In", "values": ["gpu-a1"]}
	]}]}}`
	var recorded corev1.NodeAffinity
	if err := json.Unmarshal([]byte(status), &recorded); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(topology.FromNodeAffinity(&recorded))
	// Output:
	// kubernetes.io/hostname=gpu-a1,topology.kubernetes.io/zone=east-a <nil>
}

func ExampleLabelSet_Annotations() {
	ranOn := topology.NewLabelSet(map[string]string{topology.Zone: "east-a"})
	fmt.Println(ranOn.Annotations())
	// Output:
	// map[affinity.dataflow.fluid.io.topology.kubernetes.io/zone:east-a affinity.dataflow.fluid.io/inject:true]
}
