package manifest

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/podresources"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
)

// podRequests returns what a pod requests, as kube-scheduler counts it.
func podRequests(podSpec strict.Value) corev1.ResourceList {
	var pod podresources.Pod
	podSpec.Get("containers").Each(func(_ int, container strict.Value) {
		container.Object(containerShape)
		pod.AddContainer(requests(container.Get("resources")))
	})
	podSpec.Get("initContainers").Each(func(_ int, container strict.Value) {
		container.Object(containerShape)
		requests, _ := requests(container.Get("resources"))
		pod.AddInitContainer(requests, container.Get("restartPolicy").Text() == string(corev1.ContainerRestartPolicyAlways))
	})
	all, largest := pod.Requests(), pod.LargestLimits()
	whole := podSpec.Get("resources")
	requests, limits := requirements(whole, podresources.OfPod, all)
	for i, list := range []corev1.ResourceList{requests, limits} {
		at := whole.Get([]string{"requests", "limits"}[i])
		for _, name := range slices.Sorted(maps.Keys(list)) {
			q, sum, limit := list[name], all[name], largest[name]
			if q.Cmp(sum) < 0 {
				at.Entry(string(name)).Invalid(q.String(), "must not be less than what the containers request, "+sum.String())
			} else if i == 1 && q.Cmp(limit) < 0 {
				at.Entry(string(name)).Invalid(q.String(), "must not be less than the limit of a container, "+limit.String())
			}
		}
	}
	all = podresources.WholePod(all, requests, limits)
	for name, q := range quantities(podSpec.Get("overhead"), podresources.OfContainer) {
		podresources.Add(&all, name, q)
	}
	return all
}

// requests returns what a container with the given resource requirements requests, and its
// limits. A limit counts as a request if that is missing.
func requests(resources strict.Value) (requests, limits corev1.ResourceList) {
	requests, limits = requirements(resources, podresources.OfContainer, nil)
	for name, q := range limits {
		if _, ok := requests[name]; !ok {
			podresources.Add(&requests, name, q)
		}
	}
	return requests, limits
}

// requirements returns the requests and limits of resource requirements, and rejects what an API
// server rejects: those of a container, or those of a whole pod with containers that request
// something.
func requirements(v strict.Value, accepted func(corev1.ResourceName) bool, containers corev1.ResourceList) (requests, limits corev1.ResourceList) {
	before := v.Count()
	v.Object(resourcesShape)
	list := v.Get("requests")
	requests, limits = quantities(list, accepted), quantities(v.Get("limits"), accepted)
	if v.Count() > before {
		return requests, limits
	}
	var hugePages, other bool
	for i, list := range []corev1.ResourceList{containers, requests, limits} {
		for name := range list {
			hugePages = hugePages || i > 0 && podresources.IsHugePages(name)
			other = other || name == corev1.ResourceCPU || name == corev1.ResourceMemory
		}
	}
	if hugePages && !other {
		v.Reject(dataflow.CodeInvalid, field.Forbidden(nil, "huge pages need cpu or memory in addition"))
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		q, request := requests[name], list.Entry(string(name))
		limit, ok := limits[name]
		switch isFixed := podresources.HasFixedLimit(name); {
		case !ok && isFixed:
			request.Invalid(q.String(), "needs a limit of the same quantity, as every resource other than cpu, memory and ephemeral-storage")
		case ok && isFixed && q.Cmp(limit) != 0:
			request.Invalid(q.String(), "must be equal to the limit, "+limit.String())
		case ok && q.Cmp(limit) > 0:
			request.Invalid(q.String(), "must not be greater than the limit, "+limit.String())
		}
	}
	return requests, limits
}

// quantities returns a map of resources to quantities. It is nil if there are none.
func quantities(v strict.Value, accepted func(corev1.ResourceName) bool) corev1.ResourceList {
	var all corev1.ResourceList
	keys, _ := v.Keys()
	for _, key := range keys {
		name, entry := corev1.ResourceName(key), v.Entry(key)
		if !accepted(name) {
			entry.Invalid(key, "not a resource that can be requested here; must be cpu, memory or hugepages-<size>, or for a container ephemeral-storage or a name with a domain, such as nvidia.com/gpu")
		} else if q, ok := quantity(entry, name); ok {
			podresources.Add(&all, name, q)
		}
	}
	return all
}

// quantity returns a quantity of a resource.
func quantity(v strict.Value, name corev1.ResourceName) (q resource.Quantity, ok bool) {
	const accepted = `a quantity, such as 2, "0.5", "500m" or "16Gi"`
	s, ok := v.Raw.(string)
	if n, isWhole := strict.Whole(v.Raw); isWhole {
		s, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		v.WrongType(accepted)
		return q, false
	}
	if q, ok = podresources.Parse(s); !ok {
		v.Invalid(s, "must be "+accepted)
		return q, false
	}
	wrong := podresources.CheckQuantity(name, q)
	if wrong != "" {
		v.Invalid(s, wrong)
	}
	return q, wrong == ""
}
