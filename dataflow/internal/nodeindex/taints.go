package nodeindex

import (
	"encoding/binary"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// A profile is a combination of taints, in one order, and the nodes that have it.
type profile struct {
	taints []corev1.Taint
	nodes  []int32
}

// newProfiles groups the nodes by the taints that keep pods away. There may be as many
// combinations as nodes, because taints hold times and names of tenants.
func (x *Index) newProfiles() []profile {
	var profiles []profile
	numbers, numberOf := make([]int32, len(x.nodes)), map[string]int32{}
	for i := range x.nodes {
		var taints []corev1.Taint
		var identity []byte
		for _, t := range x.nodes[i].Spec.Taints {
			if t.Effect != corev1.TaintEffectNoSchedule && t.Effect != corev1.TaintEffectNoExecute || isCordon(t) {
				continue
			}
			taints = append(taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
			for _, s := range []string{t.Key, t.Value, string(t.Effect)} {
				identity = binary.AppendUvarint(identity, uint64(len(s)))
				identity = append(identity, s...)
			}
		}
		number, ok := numberOf[string(identity)]
		if !ok {
			number = int32(len(profiles))
			numberOf[string(identity)] = number
			profiles = append(profiles, profile{taints: taints})
		}
		numbers[i] = number
	}
	for number, nodes := range partition(x.list, numbers) {
		profiles[number].nodes = nodes
	}
	return profiles
}

// isCordon reports whether a taint is the one that Kubernetes adds to a cordoned node.
func isCordon(t corev1.Taint) bool {
	return t.Key == corev1.TaintNodeUnschedulable && t.Effect == corev1.TaintEffectNoSchedule && t.Value == ""
}

// Tolerated returns the nodes whose taints with effect NoSchedule and NoExecute the tolerations
// tolerate. These are the effects by which kube-scheduler filters.
func (x *Index) Tolerated(tolerations *Tolerations) Set {
	tolerated := slices.Clone(x.all)
	for _, p := range x.profiles {
		if !tolerations.tolerateAll(p.taints) {
			for _, i := range p.nodes {
				tolerated.remove(i)
			}
		}
	}
	return tolerated
}

// Uncordoned returns the nodes that are not cordoned, or all nodes if the tolerations tolerate
// the taint that kube-scheduler takes spec.unschedulable for.
func (x *Index) Uncordoned(tolerations *Tolerations) Set {
	if tolerations.Tolerate(corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}) {
		return x.all
	}
	return x.all.Difference(x.cordoned)
}

// Tolerations is a list of tolerations, indexed so that a taint takes a few lookups. Its rule is
// that of kube-scheduler. The method of k8s.io/api for it has another signature in each of the
// releases with which this compiles. Operators Lt and Gt count, whatever the feature gate: if
// the gate is off, the API server rejects such a pod.
type Tolerations struct {
	exist   map[tolerated]bool
	equal   map[toleratedValue]bool
	less    map[tolerated]int64 // the greatest bound of Lt
	greater map[tolerated]int64 // the least bound of Gt
}

// tolerated holds the key and the effect of a toleration. An empty one means every key or effect.
type tolerated struct {
	key    string
	effect corev1.TaintEffect
}

type toleratedValue struct {
	tolerated
	value string
}

// The operators that k8s.io/api defines only after v0.32.
const (
	tolerationOpLt corev1.TolerationOperator = "Lt"
	tolerationOpGt corev1.TolerationOperator = "Gt"
)

// NewTolerations returns the index of tolerations.
func NewTolerations(tolerations []corev1.Toleration) *Tolerations {
	index := &Tolerations{map[tolerated]bool{}, map[toleratedValue]bool{}, map[tolerated]int64{}, map[tolerated]int64{}}
	for i := range tolerations {
		t := &tolerations[i]
		at := tolerated{t.Key, t.Effect}
		bound, isInteger := integer(t.Value)
		switch t.Operator {
		case "", corev1.TolerationOpEqual:
			index.equal[toleratedValue{at, t.Value}] = true
		case corev1.TolerationOpExists:
			index.exist[at] = true
		case tolerationOpLt:
			if known, ok := index.less[at]; isInteger && (!ok || bound > known) {
				index.less[at] = bound
			}
		case tolerationOpGt:
			if known, ok := index.greater[at]; isInteger && (!ok || bound < known) {
				index.greater[at] = bound
			}
		}
	}
	return index
}

// Tolerate reports whether a toleration tolerates the taint.
func (t *Tolerations) Tolerate(taint corev1.Taint) bool {
	value, isInteger := integer(taint.Value)
	for _, key := range []string{taint.Key, ""} {
		for _, effect := range []corev1.TaintEffect{taint.Effect, ""} {
			at := tolerated{key, effect}
			less, hasLess := t.less[at]
			greater, hasGreater := t.greater[at]
			if t.exist[at] || t.equal[toleratedValue{at, taint.Value}] ||
				isInteger && (hasLess && value < less || hasGreater && value > greater) {
				return true
			}
		}
	}
	return false
}

func (t *Tolerations) tolerateAll(taints []corev1.Taint) bool {
	return !slices.ContainsFunc(taints, func(taint corev1.Taint) bool { return !t.Tolerate(taint) })
}

// Untolerated returns the first taint of a node, with one of the effects, that is not tolerated.
// The cordon is not a taint here. ok is false if there is none.
func (t *Tolerations) Untolerated(node *corev1.Node, effects ...corev1.TaintEffect) (taint corev1.Taint, ok bool) {
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
