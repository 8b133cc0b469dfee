package conformance_test

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podresources "k8s.io/component-helpers/resource"
	corev1defaults "k8s.io/kubernetes/pkg/apis/core/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

const gpu corev1.ResourceName = "nvidia.com/gpu"

// anyResources draws names of resources that an API server lets a container request.
func (d *draw) anyResources() []corev1.ResourceName {
	names := []corev1.ResourceName{
		corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, "hugepages-2Mi", "hugepages-1Gi", gpu,
		"example.com/x", "kubernetes.io/x", "x.kubernetes.io/y", "deviceclass.resource.kubernetes.io/fast",
		corev1.ResourceName(d.anyName() + "/" + d.word(63, alphanumeric, "-_.")),
	}
	d.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return append(names[:1+d.IntN(5)], corev1.ResourceCPU)
}

// unaccepted draws the name of a resource that an API server lets no container request, at
// least not as drawn here. Of some the scheduler takes no notice.
func (d *draw) unaccepted() corev1.ResourceName {
	return oneOf(d, "attachable-volumes-x", corev1.ResourceStorage, corev1.ResourcePods, "requests.example.com/x", "x", "a/b/c", "example.com/",
		corev1.ResourceName(strings.Repeat("n.", 126)+"n/x"), "", gpu, "hugepages-2Mi", corev1.ResourceCPU, corev1.ResourceMemory)
}

// isOvercommitted reports whether the limit of a resource may be above the request.
func isOvercommitted(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/") && !strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
		strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// few draws a small number of a resource: often exactly what a node has free.
func (d *draw) few(name corev1.ResourceName) resource.Quantity {
	n := strconv.Itoa(d.IntN(5))
	if size, isHugePages := strings.CutPrefix(string(name), corev1.ResourceHugePagesPrefix); isHugePages {
		page := resource.MustParse(size)
		page.Mul(d.Int64N(5))
		return page
	}
	return resource.MustParse(n)
}

// beyond64Bits is the least amount of which Quantity holds a pointer. A container of a pod that has
// requests as a whole does not ask for it: an API server makes it the request of the whole pod, and
// PodRequests of component-helpers adds the overhead to it in the pod itself, with every call.
const beyond64Bits = "9223372036854775808"

// quantity draws a quantity of a resource, in every form that it can have.
func (d *draw) quantity(name corev1.ResourceName) resource.Quantity {
	forms := []string{"0", "0m", "1Gi", "1G", "1500Mi", "1e3", "3k", "9223372036854775807", beyond64Bits, "8Ei", "1E", "100E", "1P"}
	if isOvercommitted(name) {
		forms = append(forms, "500m", "1m", "1500m", "999m", "0.5", "100u", "1n", "0.1m", "1500u", "2999999999n", "0.001")
	}
	if !d.oneIn(4) {
		return d.few(name)
	}
	return resource.MustParse(oneOf(d, forms...))
}

// modest draws a quantity of which a few add up to less than 64 bits.
func (d *draw) modest(name corev1.ResourceName) resource.Quantity {
	huge := resource.MustParse("1P")
	for {
		if q := d.quantity(name); q.Cmp(huge) < 0 {
			return q
		}
	}
}

// requirements draws the resource requirements of a container: mostly such that an API
// server accepts them.
func (d *draw) requirements(quantity func(corev1.ResourceName) resource.Quantity) corev1.ResourceRequirements {
	requests, limits := corev1.ResourceList{}, corev1.ResourceList{}
	for _, name := range d.resources {
		if d.oneIn(2) {
			continue
		}
		less, more := quantity(name), quantity(name)
		if less.Cmp(more) > 0 {
			less, more = more, less
		}
		if !isOvercommitted(name) {
			less = more
		}
		if d.oneIn(2) || !isOvercommitted(name) {
			limits[name] = more
		}
		if limits[name] != more || !d.Hit("container: a limit that counts as the request", d.oneIn(4)) {
			requests[name] = less
		}
	}
	return corev1.ResourceRequirements{Requests: requests, Limits: limits}
}

// containers draws containers of a pod.
func (d *draw) containers(n int, name string, quantity func(corev1.ResourceName) resource.Quantity) []corev1.Container {
	return exactly(n, func() corev1.Container {
		n--
		return corev1.Container{Name: name + "-" + strconv.Itoa(n), Image: "example.com/load:1", Resources: d.requirements(quantity)}
	})
}

var resourceCorners = []string{
	"container: a limit that counts as the request", "pod: init containers", "pod: restartable init containers", "pod: overhead", "pod: requests as a whole",
	"pod: as no API server has it",
	"requests: nothing", "requests: zero", "requests: a fraction", "requests: beyond 64 bits", "requests: huge pages", "requests: an extended resource",
	"requests: several resources", "requests: a name that the scheduler ignores", "requests: attachable volumes", "requests: of the domain of Kubernetes",
	"node: no pods allocatable", "node: more used than allocatable", "node: exactly what is requested is free",
	"running: no pods", "running: several pods", "running: resized",
}

// withResources gives a pod containers, init containers, overhead, and requests of the
// whole pod, each at times.
func (d *draw) withResources(pod *corev1.Pod) {
	spec, quantity := &pod.Spec, d.quantity
	whole := d.Hit("pod: requests as a whole", d.oneIn(6))
	if whole {
		quantity = d.modest
	}
	spec.InitContainers = append(spec.InitContainers, d.containers(max(0, d.IntN(6)-3), "init", quantity)...)
	d.Hit("pod: init containers", len(spec.InitContainers) > 0)
	for i := range spec.InitContainers {
		if d.Hit("pod: restartable init containers", d.oneIn(2)) {
			always := corev1.ContainerRestartPolicyAlways
			spec.InitContainers[i].RestartPolicy = &always
		}
	}
	for i := range spec.Containers {
		spec.Containers[i].Resources = d.requirements(quantity)
	}
	if d.Hit("pod: overhead", d.oneIn(6)) {
		spec.Overhead = corev1.ResourceList{}
		for _, name := range d.resources {
			if isOvercommitted(name) && d.oneIn(2) {
				spec.Overhead[name] = d.quantity(name)
			}
		}
	}
	if whole {
		spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{}, Limits: corev1.ResourceList{}}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			for _, list := range []corev1.ResourceList{spec.Resources.Requests, spec.Resources.Limits} {
				if d.oneIn(2) {
					list[name] = resource.MustParse(oneOf(d, "3", "10", "4Gi", "1P"))
				}
			}
		}
	}
}

// unfiltered gives a pod what an API server would reject or round.
func (d *draw) unfiltered(pod *corev1.Pod) {
	amounts := []string{"0", "1", "2", "0.5", "1500u", "100n", "1500m", "-1"}
	if pod.Spec.Resources == nil {
		amounts = append(amounts, beyond64Bits)
	}
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			requests := corev1.ResourceList{}
			for name, q := range containers[i].Resources.Requests {
				requests[name] = q
			}
			for range d.IntN(3) {
				name := d.unaccepted()
				requests[name] = resource.MustParse(oneOf(d, amounts...))
			}
			containers[i].Resources.Requests = requests
		}
	}
}

// inspectRequests counts the corners of what a pod requests in all.
func (d *draw) inspectRequests(requests corev1.ResourceList) {
	d.Hit("requests: nothing", len(requests) == 0)
	d.Hit("requests: several resources", len(requests) > 1)
	for name, q := range requests {
		whole := q.DeepCopy()
		whole.RoundUp(scaleOf(name))
		d.Hit("requests: zero", q.IsZero())
		d.Hit("requests: a fraction", whole.Cmp(q) != 0)
		d.Hit("requests: beyond 64 bits", q.Cmp(resource.MustParse("9223372036854775807")) > 0)
		d.Hit("requests: huge pages", strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix))
		d.Hit("requests: attachable volumes", strings.HasPrefix(string(name), corev1.ResourceAttachableVolumesPrefix))
		d.Hit("requests: of the domain of Kubernetes", strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix))
		d.Hit("requests: a name that the scheduler ignores", name == corev1.ResourceStorage || name == corev1.ResourcePods || name == "a/b/c")
		d.Hit("requests: an extended resource", name == gpu)
	}
}

// cluster draws up to n nodes, each with a name of its own, and the pods that run on them.
func (d *draw) cluster(n int) (nodes []corev1.Node, running [][]*corev1.Pod) {
	for i := range 1 + d.IntN(n) {
		node := d.node(topology.LabelSet{})
		if node.Name = "node-" + strconv.Itoa(i); i < len(d.names) && !slices.ContainsFunc(nodes, func(n corev1.Node) bool { return n.Name == d.names[i] }) {
			node.Name = d.names[i]
		}
		d.taint(node)
		d.allocate(node)
		nodes = append(nodes, *node)
		pods := exactly(max(0, d.IntN(6)-2), func() *corev1.Pod { return d.runningPod(node.Name) })
		d.Hit("running: no pods", len(pods) == 0)
		d.Hit("running: several pods", len(pods) > 1)
		running = append(running, pods)
	}
	return nodes, running
}

// allocate gives a node allocatable resources: one at least, as law L9 does not look at
// nodes without any.
func (d *draw) allocate(node *corev1.Node) {
	allocatable := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(d.IntN(6)), resource.DecimalSI)}
	if !d.oneIn(4) {
		allocatable[corev1.ResourcePods] = resource.MustParse("110")
	}
	plenty := !d.oneIn(3)
	for _, name := range d.resources {
		switch d.IntN(8) {
		case 0:
		case 1:
			allocatable[name] = d.quantity(name)
		default:
			q := d.few(name)
			q.Mul(3)
			if plenty {
				q = resource.MustParse("100Ti")
			}
			allocatable[name] = q
		}
	}
	if d.oneIn(4) {
		allocatable[d.unaccepted()] = *resource.NewQuantity(d.Int64N(3), resource.DecimalSI)
	}
	if len(allocatable) > 1 && d.oneIn(32) {
		delete(allocatable, corev1.ResourcePods)
	}
	pods := allocatable[corev1.ResourcePods]
	d.Hit("node: no pods allocatable", pods.IsZero())
	node.Status.Allocatable = allocatable
}

// runningPod draws a pod that runs on a node, at times one that was resized there. What
// pods on one node request in all does not exceed 64 bits: no node would run them.
func (d *draw) runningPod(node string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "running", Namespace: "default"}, Spec: corev1.PodSpec{NodeName: node}}
	pod.Spec.Containers = d.containers(1+d.IntN(2), "main", d.modest)
	pod.Spec.InitContainers = d.containers(max(0, d.IntN(4)-2), "init", d.modest)
	for i := range pod.Spec.InitContainers {
		if d.oneIn(2) {
			always := corev1.ContainerRestartPolicyAlways
			pod.Spec.InitContainers[i].RestartPolicy = &always
		}
	}
	if d.oneIn(8) {
		pod.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: d.modest(corev1.ResourceCPU)}
	}
	if d.oneIn(8) {
		pod.Spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: d.modest(corev1.ResourceMemory)}}
	}
	if d.oneIn(2) {
		corev1defaults.SetObjectDefaults_Pod(pod)
	}
	if d.Hit("running: resized", d.oneIn(4)) {
		d.resize(pod)
	}
	return pod
}

// resize gives a pod the status of one whose resources are changed in place.
func (d *draw) resize(pod *corev1.Pod) {
	requirements := func() *corev1.ResourceRequirements {
		r := d.requirements(d.modest)
		return &r
	}
	status := func(containers []corev1.Container) []corev1.ContainerStatus {
		var statuses []corev1.ContainerStatus
		for i := range containers {
			statuses = append(statuses, corev1.ContainerStatus{Name: containers[i].Name, AllocatedResources: requirements().Requests, Resources: requirements()})
		}
		return statuses
	}
	pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses = status(pod.Spec.Containers), status(pod.Spec.InitContainers)
	if d.oneIn(2) {
		pod.Status.AllocatedResources, pod.Status.Resources = requirements().Requests, requirements()
	}
	if d.oneIn(2) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: oneOf(d, corev1.PodReasonInfeasible, corev1.PodReasonDeferred)}}
	}
}

// scaleOf returns the unit in which kube-scheduler counts a resource.
func scaleOf(name corev1.ResourceName) resource.Scale {
	if name == corev1.ResourceCPU {
		return resource.Milli
	}
	return 0
}

// used returns what running pods use, as [dataflow.IndexNodes] takes it: by the name of the
// node, the sum of what the pods request, for each pod rounded up to the unit in which the
// scheduler counts.
func used(nodes []corev1.Node, running [][]*corev1.Pod) map[string]corev1.ResourceList {
	used := map[string]corev1.ResourceList{}
	for i := range nodes {
		sums := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(int64(len(running[i])), resource.DecimalSI)}
		for _, pod := range running[i] {
			requests := podresources.PodRequests(pod, podresources.PodResourcesOptions{UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true})
			for name, q := range requests {
				if name == corev1.ResourcePods {
					continue
				}
				q.RoundUp(scaleOf(name))
				sum := sums[name]
				sum.Add(q)
				sums[name] = sum
			}
		}
		used[nodes[i].Name] = sums
	}
	return used
}

// inspectFree counts the corners of what the nodes have free for a pod.
func (d *draw) inspectFree(nodes []corev1.Node, used map[string]corev1.ResourceList, requests corev1.ResourceList) {
	for i := range nodes {
		for name, allocatable := range nodes[i].Status.Allocatable {
			free, requested := allocatable.DeepCopy(), requests[name]
			free.Sub(used[nodes[i].Name][name])
			d.Hit("node: more used than allocatable", free.Sign() < 0)
			d.Hit("node: exactly what is requested is free", !requested.IsZero() && free.Cmp(requested) == 0)
		}
	}
}
