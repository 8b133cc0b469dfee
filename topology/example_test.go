package topology_test

import (
	"errors"
	"fmt"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// Of all labels of a node, an operation exposes the built-in three and those that
// its annotation names, as far as the node has them.
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

// What a finished operation stores in its status, another reads.
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

// A Job records where it ran in its annotations; until it has, ask again later.
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
