package dataflowtest

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// RefusedBy returns the name of the first filter plugin of kube-scheduler that refuses a pod of an
// operation on a node, or "" if all of them admit it (law L9): NodeUnschedulable, NodeName,
// TaintToleration, NodeAffinity, NodeResourcesFit. Only the operation's own constraints count. used is
// what running pods request on the node; nil means nothing. A node that states no allocatable resources
// is not tested for them.
//
// For a pod with a node name the kubelet of that node decides, which ignores cordons, taints of effect
// NoSchedule, and requested extended resources that the node does not have.
func RefusedBy(op dataflow.Operation, node *corev1.Node, used corev1.ResourceList) string {
	bound := op.NodeName != ""
	cordon := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	cordoned := node.Spec.Unschedulable || slices.Contains(node.Spec.Taints, cordon)
	untolerated := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		counts := t.Effect == corev1.TaintEffectNoExecute || t.Effect == corev1.TaintEffectNoSchedule && !bound
		return t != cordon && counts && !tolerates(op.Tolerations, t)
	})
	switch {
	case !bound && cordoned && !tolerates(op.Tolerations, cordon):
		return "NodeUnschedulable"
	case bound && op.NodeName != node.Name:
		return "NodeName"
	case untolerated:
		return "TaintToleration"
	case !has(node, op.NodeSelector), !affinitytest.Match(op.Affinity, node):
		return "NodeAffinity"
	case !fits(op, node, used):
		return "NodeResourcesFit"
	}
	return ""
}

// has reports whether a node has all of some labels.
func has(node *corev1.Node, labels map[string]string) bool {
	for key, value := range labels {
		if got, ok := node.Labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

func tolerates(tolerations []corev1.Toleration, taint corev1.Taint) bool {
	return slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			return false
		}
		switch t.Operator {
		case corev1.TolerationOpExists:
			return true
		case corev1.TolerationOpEqual, "":
			return t.Value == taint.Value
		}
		value, ok := integer(taint.Value)
		bound, boundOK := integer(t.Value)
		return ok && boundOK && (t.Operator == "Gt" && value > bound || t.Operator == "Lt" && value < bound)
	})
}

// integer returns a number that is written without leading zeros or a plus sign.
func integer(text string) (int64, bool) {
	number, err := strconv.ParseInt(text, 10, 64)
	return number, err == nil && strconv.FormatInt(number, 10) == text
}

// fits reports whether a node has enough free resources for one more pod. Amounts are counted as
// kube-scheduler does: CPU in thousandths, others in whole units, rounded up.
func fits(op dataflow.Operation, node *corev1.Node, used corev1.ResourceList) bool {
	allocatable := node.Status.Allocatable
	if len(allocatable) == 0 {
		return true
	}
	requests := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}
	for name, quantity := range op.Requests {
		_, offered := allocatable[name]
		if counts(name) && (offered || op.NodeName == "" || !isExtended(name)) {
			requests[name] = quantity
		}
	}
	amount := func(list corev1.ResourceList, name corev1.ResourceName) int64 {
		quantity := list[name]
		if name == corev1.ResourceCPU {
			return quantity.MilliValue()
		}
		return quantity.Value()
	}
	for name := range requests {
		if requested := amount(requests, name); requested > 0 && requested > amount(allocatable, name)-amount(used, name) {
			return false
		}
	}
	return true
}

// counts reports whether kube-scheduler counts a resource that a pod requests.
func counts(name corev1.ResourceName) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return true
	}
	return isExtended(name) || strings.Contains(string(name), "kubernetes.io/") ||
		strings.HasPrefix(string(name), "hugepages-") || strings.HasPrefix(string(name), "attachable-volumes-")
}

// isExtended reports whether a resource is an extended one: with a domain that is not Kubernetes' own,
// and a name of which a quota can be made.
func isExtended(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), "kubernetes.io/") && !strings.HasPrefix(string(name), "requests.") &&
		len(validation.IsQualifiedName("requests."+string(name))) == 0
}
