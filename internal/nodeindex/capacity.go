package nodeindex

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Capacity holds the free resources of nodes: allocatable less used. It is safe for use by
// many goroutines at once.
type Capacity struct {
	nodes []corev1.Node
	used  map[string]corev1.ResourceList // by node name
	free  Memo[[]int64]                  // by resource name, for each node
}

// NewCapacity returns the capacity of nodes, on which pods request the used resources in
// all. The resource pods is the number of these pods. Neither argument may change
// afterwards.
func NewCapacity(nodes []corev1.Node, used map[string]corev1.ResourceList) *Capacity {
	return &Capacity{nodes: nodes, used: used}
}

// Shortage is a resource of which a node has less free than a pod requests.
type Shortage struct {
	Resource        corev1.ResourceName
	Requested, Free resource.Quantity
}

// Fits reports whether one more pod with the given requests fits on the i-th node, by the
// rule of kube-scheduler's plugin NodeResourcesFit (law L9), and otherwise the first
// shortage: of pods, then in the order of names. If the pod is bound to the node, the
// kubelet decides: it ignores an extended resource that the node does not have at all. A
// node without allocatable resources fits every pod. names are the requested resources.
func (c *Capacity) Fits(i int, names []corev1.ResourceName, requests corev1.ResourceList, bound bool) (Shortage, bool) {
	allocatable := c.nodes[i].Status.Allocatable
	if len(allocatable) == 0 {
		return Shortage{}, true
	}
	if free := c.freeOf(corev1.ResourcePods)[i]; free < 1 {
		return Shortage{corev1.ResourcePods, quantity(corev1.ResourcePods, 1), quantity(corev1.ResourcePods, free)}, false
	}
	for _, name := range names {
		requested := amount(name, requests[name])
		if requested <= 0 || !counts(name) {
			continue
		}
		if _, has := allocatable[name]; bound && !has && IsExtended(name) {
			continue
		}
		if free := c.freeOf(name)[i]; requested > free {
			return Shortage{name, quantity(name, requested), quantity(name, free)}, false
		}
	}
	return Shortage{}, true
}

// freeOf returns how much of a resource each node has free.
func (c *Capacity) freeOf(name corev1.ResourceName) []int64 {
	return c.free.Get([]byte(name), func() []int64 {
		free := make([]int64, len(c.nodes))
		for i := range c.nodes {
			free[i] = amount(name, c.nodes[i].Status.Allocatable[name]) - amount(name, c.used[c.nodes[i].Name][name])
		}
		return free
	})
}

// amount returns a quantity in the unit in which kube-scheduler counts the resource: CPU in
// thousandths, everything else in whole units, rounded up.
func amount(name corev1.ResourceName, q resource.Quantity) int64 {
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

// quantity is the inverse of amount.
func quantity(name corev1.ResourceName, amount int64) resource.Quantity {
	switch name {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(amount, resource.DecimalSI)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return *resource.NewQuantity(amount, resource.BinarySI)
	}
	return *resource.NewQuantity(amount, resource.DecimalSI)
}

// counts reports whether kube-scheduler looks at a requested resource: CPU, memory,
// ephemeral storage, huge pages, attachable volumes, and names with a domain.
func counts(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return IsExtended(name) || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
		strings.HasPrefix(string(name), corev1.ResourceAttachableVolumesPrefix) ||
		strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// IsExtended reports whether a resource is an extended one: its name has a domain, which is
// not that of Kubernetes.
func IsExtended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix) &&
		!strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		len(validation.IsQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) == 0
}
