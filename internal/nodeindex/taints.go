package nodeindex

import (
	"encoding/binary"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// profile is a combination of taints, and the nodes that have it.
type profile struct {
	taints []corev1.Taint
	nodes  []int32
}

// profilesOf groups the nodes with taints that keep pods away. There may be as many
// combinations as nodes: taints hold times, and names of tenants.
func profilesOf(nodes []corev1.Node) []profile {
	var profiles []profile
	var size []int32
	of, number := make([]int32, len(nodes)), map[string]int32{}
	var repelling []corev1.Taint
	var identity []byte
	for i := range nodes {
		of[i] = absent
		repelling, identity = repelling[:0], identity[:0]
		for _, t := range nodes[i].Spec.Taints {
			if t.Effect != corev1.TaintEffectNoSchedule && t.Effect != corev1.TaintEffectNoExecute {
				continue
			}
			repelling = append(repelling, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
			for _, s := range []string{t.Key, t.Value, string(t.Effect)} {
				identity = binary.AppendUvarint(identity, uint64(len(s)))
				identity = append(identity, s...)
			}
		}
		if len(repelling) == 0 {
			continue
		}
		p, ok := number[string(identity)]
		if !ok {
			p = int32(len(profiles))
			number[string(identity)] = p
			profiles, size = append(profiles, profile{taints: slices.Clone(repelling)}), append(size, 0)
		}
		of[i] = p
		size[p]++
	}
	for p, nodes := range partition(nil, of, size) {
		profiles[p].nodes = nodes
	}
	return profiles
}

// Tolerated returns the nodes whose taints the tolerations tolerate, as kube-scheduler
// sees them: those with effect NoSchedule and NoExecute.
func (c *Index) Tolerated(tolerations []corev1.Toleration) Set {
	tolerated := slices.Clone(c.all)
	for _, p := range c.profiles {
		if !toleratesAll(tolerations, p.taints) {
			for _, i := range p.nodes {
				tolerated.remove(i)
			}
		}
	}
	return tolerated
}

// Uncordoned returns the nodes that are schedulable. For kube-scheduler
// spec.unschedulable is as good as a taint, which a pod may tolerate.
func (c *Index) Uncordoned(tolerations []corev1.Toleration) Set {
	cordon := []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
	if toleratesAll(tolerations, cordon) {
		return c.all
	}
	return c.all.Difference(c.cordoned)
}

func toleratesAll(tolerations []corev1.Toleration, taints []corev1.Taint) bool {
	return !slices.ContainsFunc(taints, func(taint corev1.Taint) bool {
		return !slices.ContainsFunc(tolerations, func(t corev1.Toleration) bool { return tolerates(t, taint) })
	})
}

// The operators that newer releases than v0.32 of k8s.io/api name.
const (
	tolerationOpLt corev1.TolerationOperator = "Lt"
	tolerationOpGt corev1.TolerationOperator = "Gt"
)

// tolerates is what the scheduler makes of a toleration. The method of k8s.io/api
// that says so has another signature in each of the releases that this compiles
// with. Lt and Gt count: where their feature gate is off, no such pod gets past the
// API server.
func tolerates(t corev1.Toleration, taint corev1.Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
		return false
	}
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		return t.Value == taint.Value
	case corev1.TolerationOpExists:
		return true
	case tolerationOpLt, tolerationOpGt:
		bound, ok := integer(t.Value)
		value, isInteger := integer(taint.Value)
		return ok && isInteger && (t.Operator == tolerationOpLt && value < bound || t.Operator == tolerationOpGt && value > bound)
	}
	return false
}

// integer reads a decimal integer, without a plus sign and leading zeros.
func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == s
}
