package podresources_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/podresources"
)

// demand is what one container requests of one resource.
type demand struct {
	name        string
	quantity    int64
	restartable bool
}

func demands() *rapid.Generator[[]demand] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) demand {
		return demand{rapid.SampledFrom([]string{"cpu", "memory"}).Draw(t, "name"), rapid.Int64Range(0, 9).Draw(t, "quantity"), rapid.Bool().Draw(t, "restartable")}
	}), 0, 5)
}

// What a pod requests is the most that runs at the same time: while an init container runs, and once
// all containers run.
func TestRequestsAreTheMostAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		containers, initContainers := demands().Draw(t, "containers"), demands().Draw(t, "init containers")
		list := func(d demand) corev1.ResourceList {
			return corev1.ResourceList{corev1.ResourceName(d.name): *resource.NewQuantity(d.quantity, resource.DecimalSI)}
		}
		var pod podresources.Pod
		for _, d := range containers {
			pod.AddContainer(list(d), list(d))
		}
		for _, d := range initContainers {
			pod.AddInitContainer(list(d), d.restartable)
		}
		got, largest := pod.Requests(), pod.LargestLimits()
		for _, name := range []string{"cpu", "memory"} {
			most, sidecars, running, limit := int64(0), int64(0), int64(0), int64(0)
			for _, d := range initContainers {
				if d.name != name {
					continue
				}
				most = max(most, sidecars+d.quantity)
				if d.restartable {
					sidecars += d.quantity
				}
			}
			for _, d := range containers {
				if d.name == name {
					running += d.quantity
					limit = max(limit, d.quantity)
				}
			}
			most = max(most, sidecars+running)
			if q := got[corev1.ResourceName(name)]; q.Value() != most {
				t.Fatalf("%s: %s, want %d", name, q.String(), most)
			}
			if q := largest[corev1.ResourceName(name)]; q.Value() != limit {
				t.Fatalf("limit of %s: %s, want %d", name, q.String(), limit)
			}
		}
	})
}

// Adding up leaves what is added as it is, also beyond 64 bits.
func TestNothingIsShared(t *testing.T) {
	large, _ := podresources.Parse("1e30")
	list := corev1.ResourceList{"cpu": large}
	var pod podresources.Pod
	pod.AddContainer(list, list)
	pod.AddContainer(list, list)
	pod.AddInitContainer(list, true)
	pod.AddInitContainer(list, false)
	whole := podresources.WholePod(pod.Requests(), list, list)
	podresources.Add(&whole, "cpu", large)
	if q := list["cpu"]; q.Cmp(resource.MustParse("1e30")) != 0 {
		t.Error(q.String())
	}
	if q := pod.Requests()["cpu"]; q.Cmp(resource.MustParse("3e30")) != 0 {
		t.Error(q.String())
	}
	if q := whole["cpu"]; q.Cmp(resource.MustParse("2e30")) != 0 {
		t.Error(q.String())
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "500m": "500m", "1n": "1m", "-1n": "-1m", "1Gi": "1Gi", "1e3": "1k", "1E": "1E", "1e-07": "1m", "1e+99": "1e99", ".5": "500m",
		"": "", "x": "", "1 Gi": "", "1e100": "", "1e999999999": "", "1e-999999999": "", "1e0000099": "1e99", strings.Repeat("0", 64): "0", strings.Repeat("0", 65): "",
	} {
		q, ok := podresources.Parse(text)
		if ok != (want != "") || ok && q.Cmp(resource.MustParse(want)) != 0 {
			t.Errorf("Parse(%q) = %s, %v, want %q", text, q.String(), ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[corev1.ResourceName][4]bool{ // of a container, of a pod, with a fixed limit, huge pages
		"cpu": {true, true, false, false}, "memory": {true, true, false, false}, "ephemeral-storage": {true, false, false, false},
		"hugepages-2Mi": {true, true, true, true}, "nvidia.com/gpu": {true, false, true, false}, "kubernetes.io/x": {true, false, false, false},
		"gpu": {}, "storage": {}, "hugepages-": {}, "requests.nvidia.com/gpu": {}, "a b/c": {}, "kubernetes.io/a b": {}, "": {}, "/": {},
	} {
		if got := [4]bool{podresources.OfContainer(name), podresources.OfPod(name), podresources.HasFixedLimit(name), podresources.IsHugePages(name)}; got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
