package nodeindex

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// Capacity holds the free resources of nodes: allocatable less used. It is safe for use by
// many goroutines at once.
type Capacity struct {
	nodes   []corev1.Node
	used    []corev1.ResourceList // for each node
	meeting Memo[Set]             // by demand

	mu   sync.Mutex
	free map[corev1.ResourceName][]int64 // how much of a resource each node has free
}

// NewCapacity returns the capacity of nodes. used holds, by the name of a node, what the pods
// there request in all; the resource pods is their number. Neither argument may change
// afterwards.
func NewCapacity(nodes []corev1.Node, used map[string]corev1.ResourceList) *Capacity {
	c := &Capacity{nodes: nodes, used: make([]corev1.ResourceList, len(nodes)), free: map[corev1.ResourceName][]int64{}}
	for i := range nodes {
		c.used[i] = used[nodes[i].Name]
	}
	return c
}

// Demand is an amount of a resource that a node must have free for a pod.
type Demand struct {
	resource corev1.ResourceName
	amount   int64 // in the unit in which kube-scheduler counts the resource
	waived   bool  // on nodes that do not have the resource at all
}

// Demands returns the demands of a pod, by the rule of kube-scheduler's plugin
// NodeResourcesFit (law L9): of one more pod, then of what it requests, in the order of
// names. If the pod is bound to its node, the kubelet decides: it waives an extended
// resource that the node does not have at all.
func Demands(requests corev1.ResourceList, bound bool) []Demand {
	demands := []Demand{{resource: corev1.ResourcePods, amount: 1}}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		if requested := amount(name, requests[name]); requested > 0 && counts(name) {
			demands = append(demands, Demand{name, requested, bound && IsExtended(name)})
		}
	}
	return demands
}

// Fitting returns the nodes that meet all demands. A node without allocatable resources
// meets every one.
func (c *Capacity) Fitting(demands []Demand) Set {
	free := c.freeFor(demands)
	fitting := c.meets(demands[0], free[0])
	for i, d := range demands[1:] {
		fitting = fitting.Intersection(c.meets(d, free[i+1]))
	}
	return fitting
}

// Shortage is a resource of which a node has less free than a pod requests.
type Shortage struct {
	Resource        corev1.ResourceName
	Requested, Free resource.Quantity
}

// Shortages returns the demands that the i-th node does not meet, in their order. It is nil if it
// meets all.
func (c *Capacity) Shortages(i int, demands []Demand) []Shortage {
	var short []Shortage
	for at, free := range c.freeFor(demands) {
		if d := demands[at]; !c.meets(d, free).Has(i) {
			short = append(short, Shortage{d.resource, quantity(d.resource, d.amount), quantity(d.resource, free[i])})
		}
	}
	return short
}

// meets returns the nodes that meet a demand, given how much each node has free.
func (c *Capacity) meets(d Demand, free []int64) Set {
	identity := append(strconv.AppendInt(nil, d.amount, 10), ' ')
	identity = append(strconv.AppendBool(identity, d.waived), d.resource...)
	return c.meeting.Get(identity, func() Set {
		meets := newSet(len(c.nodes))
		for i, free := range free {
			meet := free >= d.amount
			if !meet && d.waived {
				_, has := c.nodes[i].Status.Allocatable[d.resource]
				meet = !has
			}
			if meet {
				meets.add(int32(i))
			}
		}
		return meets
	})
}

// freeFor returns, for each demand, how much of its resource each node has free: all that there can
// be, if the node has no allocatable resources. A node is visited once for all resources: its maps are
// seldom in the processor's cache.
func (c *Capacity) freeFor(demands []Demand) [][]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, missing := make([][]int64, len(demands)), []int(nil)
	for at, d := range demands {
		if all[at] = c.free[d.resource]; all[at] == nil {
			all[at], missing = make([]int64, len(c.nodes)), append(missing, at)
			c.free[d.resource] = all[at]
		}
	}
	if missing == nil {
		return all
	}
	for i := range c.nodes {
		allocatable, used := c.nodes[i].Status.Allocatable, c.used[i]
		for _, at := range missing {
			name := demands[at].resource
			if all[at][i] = math.MaxInt64; len(allocatable) > 0 {
				all[at][i] = amount(name, allocatable[name]) - amount(name, used[name])
			}
		}
	}
	return all
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

// IsExtended reports whether a resource is an extended one, such as nvidia.com/gpu: its name has a
// domain, which is not that of Kubernetes. Quotas name it with a prefix.
func IsExtended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix) &&
		!strings.HasPrefix(string(name), corev1.DefaultResourceRequestsPrefix) &&
		labelsyntax.IsKey(corev1.DefaultResourceRequestsPrefix+string(name))
}
