// Package podresources holds what Kubernetes says of the resources that pods request: which
// names and quantities it accepts, and how kube-scheduler adds them up. k8s.io/api has no such
// functions, and k8s.io/component-helpers, which has, is not a dependency of this module.
package podresources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// Pod adds up what a pod requests. Its zero value is a pod without containers.
type Pod struct {
	running     corev1.ResourceList // by containers and restartable init containers
	restartable corev1.ResourceList // by the restartable init containers so far
	starting    corev1.ResourceList // at most, by an init container and the restartable ones before it
	limits      corev1.ResourceList // the largest limits of a container
}

// AddContainer adds what a container requests, and its limits.
func (p *Pod) AddContainer(requests, limits corev1.ResourceList) {
	for name, q := range requests {
		Add(&p.running, name, q)
	}
	for name, q := range limits {
		raise(&p.limits, name, q)
	}
}

// LargestLimits returns the largest limits of a container.
func (p *Pod) LargestLimits() corev1.ResourceList { return p.limits }

// AddInitContainer adds what the next init container requests. A restartable one keeps running.
func (p *Pod) AddInitContainer(requests corev1.ResourceList, restartable bool) {
	for name, q := range requests {
		atOnce := p.restartable[name].DeepCopy()
		atOnce.Add(q)
		if restartable {
			Add(&p.running, name, q)
			Add(&p.restartable, name, q)
		}
		raise(&p.starting, name, atOnce)
	}
}

// Requests returns what all containers request together, at most at the same time. It is nil if
// they request nothing.
func (p *Pod) Requests() corev1.ResourceList {
	all := p.running.DeepCopy()
	for name, q := range p.starting {
		raise(&all, name, q)
	}
	return all
}

// Add adds a quantity of a resource to a list, which may be nil.
func Add(to *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	sum := (*to)[name].DeepCopy()
	sum.Add(q)
	set(to, name, sum)
}

// raise sets a quantity that is missing or less than q to q.
func raise(to *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if least, ok := (*to)[name]; !ok || q.Cmp(least) > 0 {
		set(to, name, q.DeepCopy())
	}
}

func set(to *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
	if *to == nil {
		*to = corev1.ResourceList{}
	}
	(*to)[name] = q
}

// WholePod replaces what containers request by what the whole pod requests. A limit of the whole
// pod counts as a request if no container requests the resource, and for huge pages always.
func WholePod(containers, requests, limits corev1.ResourceList) corev1.ResourceList {
	all := containers.DeepCopy()
	for name, q := range limits {
		if _, ok := containers[name]; !ok || IsHugePages(name) {
			set(&all, name, q)
		}
	}
	for name, q := range requests {
		set(&all, name, q)
	}
	return all
}

// Parse parses a quantity, and rounds it up to thousandths, as an API server does. ok is false
// if text is not a quantity, is longer than 64 characters or has an exponent of more than two
// digits: calculating with such quantities can take for ever.
func Parse(text string) (q resource.Quantity, ok bool) {
	if i := strings.IndexAny(text, "eE"); len(text) > 64 || i >= 0 && len(strings.TrimLeft(text[i+1:], "+-0")) > 2 {
		return q, false
	}
	q, err := resource.ParseQuantity(text)
	q.RoundUp(resource.Milli)
	return q, err == nil
}

// CheckQuantity says what is wrong with a quantity of a resource. It is empty for one that an
// API server accepts.
func CheckQuantity(name corev1.ResourceName, q resource.Quantity) string {
	switch {
	case q.Sign() < 0:
		return "must not be negative"
	case nodeindex.IsExtended(name) && q.MilliValue()%1000 != 0:
		return "must be a whole number"
	case IsHugePages(name):
		size, ok := Parse(strings.TrimPrefix(string(name), corev1.ResourceHugePagesPrefix))
		if !ok || size.Value() <= 0 || q.Value()%size.Value() != 0 {
			return "must be a multiple of the page size"
		}
	}
	return ""
}

// OfContainer reports whether a container can request a resource of that name.
func OfContainer(name corev1.ResourceName) bool {
	isListed := name == corev1.ResourceEphemeralStorage || OfPod(name) || nodeindex.IsExtended(name)
	return isListed || labelsyntax.IsKey(string(name)) && strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// OfPod reports whether a whole pod can request a resource of that name.
func OfPod(name corev1.ResourceName) bool {
	return name == corev1.ResourceCPU || name == corev1.ResourceMemory || IsHugePages(name)
}

// HasFixedLimit reports whether a container that requests a resource needs a limit of the same
// quantity.
func HasFixedLimit(name corev1.ResourceName) bool {
	return nodeindex.IsExtended(name) || IsHugePages(name)
}

// IsHugePages reports whether a resource is huge pages of some size.
func IsHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) && labelsyntax.IsKey(string(name))
}
