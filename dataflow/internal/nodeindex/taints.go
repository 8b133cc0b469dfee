package nodeindex

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// isCordon reports whether a taint is the one that Kubernetes adds to a cordoned node.
func isCordon(t corev1.Taint) bool {
	return t.Key == corev1.TaintNodeUnschedulable && t.Effect == corev1.TaintEffectNoSchedule && t.Value == ""
}

// Tolerated returns the nodes whose taints with effect NoSchedule and NoExecute the tolerations
// tolerate. These are the effects by which kube-scheduler filters.
func (x *Index) Tolerated(tolerations Tolerations) Set {
	return x.all.Filter(func(i int) bool {
		_, untolerated := tolerations.Untolerated(&x.nodes[i], corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute)
		return !untolerated
	})
}

// Uncordoned returns the nodes that are not cordoned, or all nodes if the tolerations tolerate
// the taint that kube-scheduler takes spec.unschedulable for.
func (x *Index) Uncordoned(tolerations Tolerations) Set {
	if tolerations.Tolerate(corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}) {
		return x.all
	}
	return x.all.Difference(x.cordoned)
}

// Tolerations holds tolerations by their keys, so that a taint is compared with few of many. Their
// rule is that of kube-scheduler. The method of k8s.io/api for it has another signature in each of
// the releases with which this compiles. Operators Lt and Gt count, whatever the feature gate: if
// the gate is off, the API server rejects such a pod.
type Tolerations map[string][]corev1.Toleration

// The operators that k8s.io/api defines only after v0.32.
const (
	tolerationOpLt corev1.TolerationOperator = "Lt"
	tolerationOpGt corev1.TolerationOperator = "Gt"
)

// NewTolerations returns a list of tolerations by their keys.
func NewTolerations(list []corev1.Toleration) Tolerations {
	byKey := Tolerations{}
	for _, t := range list {
		byKey[t.Key] = append(byKey[t.Key], t)
	}
	return byKey
}

// Tolerate reports whether a toleration tolerates the taint. The empty key is every key.
func (t Tolerations) Tolerate(taint corev1.Taint) bool {
	by := func(t corev1.Toleration) bool { return tolerates(&t, &taint) }
	return slices.ContainsFunc(t[taint.Key], by) || slices.ContainsFunc(t[""], by)
}

// tolerates reports whether a toleration with the key of a taint, or without a key, tolerates it.
func tolerates(t *corev1.Toleration, taint *corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect {
		return false
	}
	bound, isBound := integer(t.Value)
	value, isInteger := integer(taint.Value)
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		return t.Value == taint.Value
	case corev1.TolerationOpExists:
		return true
	case tolerationOpLt:
		return isBound && isInteger && value < bound
	case tolerationOpGt:
		return isBound && isInteger && value > bound
	}
	return false
}

// Untolerated returns the first taint of a node, with one of the effects, that is not tolerated.
// The cordon is not a taint here. ok is false if there is none.
func (t Tolerations) Untolerated(node *corev1.Node, effects ...corev1.TaintEffect) (taint corev1.Taint, ok bool) {
	for _, taint := range node.Spec.Taints {
		if !isCordon(taint) && slices.Contains(effects, taint.Effect) && !t.Tolerate(taint) {
			return taint, true
		}
	}
	return corev1.Taint{}, false
}

// integer parses a decimal integer without a plus sign or leading zeros.
func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s
}
