package nodeindex_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
)

// resources reads pairs of a resource and a quantity.
func resources(pairs ...string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return list
}

func TestLawL9Fits(t *testing.T) {
	const gpu = "example.com/gpu"
	allocatable := resources("pods", "3", "cpu", "4", "memory", "8Gi", "ephemeral-storage", "10Gi", gpu, "2", "hugepages-2Mi", "4Mi")
	for _, c := range []struct {
		name              string
		allocatable, used corev1.ResourceList
		requests          corev1.ResourceList
		bound             bool
		want              string // each resource, requested and free; empty if the pod fits
	}{
		{"nothing requested", allocatable, nil, nil, false, ""},
		{"all that is there", allocatable, nil, resources("cpu", "4", "memory", "8Gi", gpu, "2", "hugepages-2Mi", "4Mi"), false, ""},
		{"no allocatable resources", nil, nil, resources("cpu", "100"), false, ""},
		{"CPU in thousandths", allocatable, resources("cpu", "3500m"), resources("cpu", "501m"), false, "cpu 501m 500m"},
		{"memory", allocatable, resources("memory", "7Gi"), resources("memory", "2Gi"), false, "memory 2Gi 1Gi"},
		{"an extended resource", allocatable, resources(gpu, "1"), resources(gpu, "2"), false, gpu + " 2 1"},
		{"an extended resource that the node lacks", allocatable, nil, resources("example.com/fpga", "1"), false, "example.com/fpga 1 0"},
		{"the same, on a bound pod", allocatable, nil, resources("example.com/fpga", "1"), true, ""},
		{"too little, on a bound pod", allocatable, nil, resources(gpu, "3"), true, gpu + " 3 2"},
		{"huge pages", allocatable, nil, resources("hugepages-2Mi", "6Mi"), false, "hugepages-2Mi 6291456 4194304"},
		{"attachable volumes", allocatable, nil, resources("attachable-volumes-csi", "1"), false, "attachable-volumes-csi 1 0"},
		{"a name of Kubernetes", allocatable, nil, resources("kubernetes.io/other", "1"), false, "kubernetes.io/other 1 0"},
		{"a resource that is not counted", allocatable, nil, resources("storage", "1Ti"), false, ""},
		{"a request of zero", allocatable, resources("cpu", "5"), resources("cpu", "0"), false, ""},
		{"pods", allocatable, resources("pods", "3"), nil, false, "pods 1 0"},
		{"pods come first", allocatable, resources("pods", "3"), resources("cpu", "5"), true, "pods 1 0, cpu 5 4"},
		{"then the order of names", allocatable, nil, resources("cpu", "5", "ephemeral-storage", "10Gi", "memory", "9Gi"), false, "cpu 5 4, memory 9Gi 8Gi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Allocatable: c.allocatable}}}
			capacity := nodeindex.NewCapacity(nodes, map[string]corev1.ResourceList{"n": c.used})
			demands := nodeindex.Demands(c.requests, c.bound)
			shortages := capacity.Shortages(0, demands)
			if fits := !capacity.Fitting(demands).Empty(); fits != (len(shortages) == 0) {
				t.Errorf("fits %t, and is short of %v", fits, shortages)
			}
			var short []string
			for _, s := range shortages {
				short = append(short, string(s.Resource)+" "+s.Requested.String()+" "+s.Free.String())
			}
			if got := strings.Join(short, ", "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
