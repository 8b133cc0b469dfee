// Package podspec holds what manifest.Decode and dataflow.Check accept of a pod spec, and what it
// requests, against Kubernetes' own code: the defaults and the validation of kube-apiserver, and
// the sum that kube-scheduler works with.
package podspec

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/core"
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

var cases = flag.Int("cases", 20_000, "how many pod specs are compared")

// Decode accepts the resources of a pod spec exactly if an API server does, and then requests what
// kube-scheduler counts.
func TestDecodeAgreesWithTheScheduler(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	accepted, rejected := 0, 0
	for i := range *cases {
		spec := podSpec(random)
		pod, faults := create(t, spec)
		op, err := decode(spec)
		if len(faults) > 0 {
			rejected++
			if err == nil {
				t.Fatalf("case %d: an API server rejects %s: %v", i, show(spec), faults.ToAggregate())
			}
			continue
		}
		accepted++
		if err != nil {
			t.Fatalf("case %d: an API server accepts %s: %v", i, show(spec), err)
		}
		want := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		if len(want) != len(op.Requests) {
			t.Fatalf("case %d: %s requests %s, want %s", i, show(spec), show(op.Requests), show(want))
		}
		for name, q := range want {
			if got, ok := op.Requests[name]; !ok || got.Cmp(q) != 0 {
				t.Fatalf("case %d: %s requests %s, want %s", i, show(spec), show(op.Requests), show(want))
			}
		}
	}
	t.Logf("%d pod specs accepted, %d rejected, 0 disagreements", accepted, rejected)
	if accepted < *cases/10 || rejected < *cases/10 {
		t.Error("too few of one kind")
	}
}

// decode decodes a DataProcess with a pod spec.
func decode(spec map[string]any) (*manifest.Operation, error) {
	return manifest.Decode(map[string]any{
		"apiVersion": "data.fluid.io/v1alpha1", "kind": string(dataflow.DataProcess), "metadata": map[string]any{"name": "a"},
		"spec": map[string]any{"processor": map[string]any{"job": map[string]any{"podSpec": spec}}},
	})
}

// create does what kube-apiserver does with a new pod, and returns its faults that have to do with
// resources and with where the pod runs.
func create(t *testing.T, spec map[string]any) (*corev1.Pod, field.ErrorList) {
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}}
	if err := utiljson.Unmarshal(text, &pod.Spec); err != nil {
		return nil, field.ErrorList{field.Invalid(field.NewPath("spec"), string(text), err.Error())}
	}
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			containers[i].Name = fmt.Sprint("c", len(containers), "-", i)
			containers[i].Image = "example.com/load:1"
		}
	}
	for i := range pod.Spec.InitContainers {
		pod.Spec.InitContainers[i].Name = "i" + pod.Spec.InitContainers[i].Name
	}
	corev1conversion.SetObjectDefaults_Pod(pod)
	var internal core.Pod
	if err := corev1conversion.Convert_v1_Pod_To_core_Pod(pod, &internal, nil); err != nil {
		t.Fatal(err)
	}
	podutil.DropDisabledPodFields(&internal, nil)
	podutil.DefaultPodLevelResources(&internal)
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&internal.Spec, nil, &internal.ObjectMeta, nil)
	options.ResourceIsPod = true
	var faults field.ErrorList
	for _, fault := range validation.ValidatePodCreate(&internal, options) {
		if strings.Contains(fault.Field, "resources") || strings.Contains(fault.Field, "overhead") || isPlacement(fault) {
			faults = append(faults, fault)
		}
	}
	if err := corev1conversion.Convert_core_Pod_To_v1_Pod(&internal, pod, nil); err != nil {
		t.Fatal(err)
	}
	return pod, faults
}

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// podSpec draws the parts of a pod spec that have to do with resources.
func podSpec(r *rand.Rand) map[string]any {
	spec := map[string]any{}
	for _, name := range []string{"containers", "initContainers"} {
		n := r.IntN(4)
		if name == "containers" {
			n++
		}
		var containers []any
		for range n {
			container := map[string]any{"resources": requirements(r, names)}
			if name == "initContainers" && r.IntN(2) == 0 {
				container["restartPolicy"] = "Always"
			}
			containers = append(containers, container)
		}
		spec[name] = containers
	}
	if r.IntN(4) == 0 {
		spec["overhead"] = quantities(r, names, 2)
	}
	if r.IntN(3) == 0 {
		resources := requirements(r, podNames)
		// Without a limit it is rejected, but for v1.37, which sets the limit in some cases.
		limits, _ := resources["limits"].(map[string]any)
		if requests, ok := resources["requests"].(map[string]any); ok && limits["hugepages-2Mi"] == nil {
			delete(requests, "hugepages-2Mi")
		}
		spec["resources"] = resources
	}
	return spec
}

// The names of resources, the usual ones several times.
var (
	names    = []string{"cpu", "cpu", "cpu", "memory", "memory", "memory", "ephemeral-storage", "nvidia.com/gpu", "hugepages-2Mi", "kubernetes.io/x", "gpu", "requests.a/b"}
	podNames = []string{"cpu", "cpu", "cpu", "memory", "memory", "hugepages-2Mi", "nvidia.com/gpu"}
)

func requirements(r *rand.Rand, names []string) map[string]any {
	limits := quantities(r, names, 3)
	requests := map[string]any{}
	switch r.IntN(3) {
	case 0:
		requests = quantities(r, names, 3)
	case 1:
		for name, q := range limits {
			if r.IntN(2) == 0 {
				requests[name] = q
			}
		}
	}
	all := map[string]any{}
	if len(requests) > 0 {
		all["requests"] = requests
	}
	if len(limits) > 0 && r.IntN(3) > 0 {
		all["limits"] = limits
	}
	return all
}

func quantities(r *rand.Rand, names []string, most int) map[string]any {
	all := map[string]any{}
	for range r.IntN(most) {
		name := oneOf(r, names...)
		if (name == "gpu" || name == "requests.a/b") && r.IntN(10) > 0 {
			continue
		}
		if name == "hugepages-2Mi" {
			all["cpu"] = "1"
		}
		all[name] = oneOf[any](r, "1", "2", "2", "4Mi", "1Gi", int64(3), "100n", "2.5", "1500m", "0", "1e3", "6E", "-1", "x", "8Mi", "8Mi")
		if r.IntN(4) > 0 {
			all[name] = oneOf[any](r, "4Mi", "8Mi", "8Mi")
		}
	}
	return all
}

func show(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
