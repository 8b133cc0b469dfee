package dataflowtest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Cluster is the nodes on which flows run.
type Cluster struct {
	Nodes []corev1.Node

	// Used holds, by the name of a node, what running pods request there. Nil means nothing.
	Used map[string]corev1.ResourceList
}

// keys are few, so that a node often has a label that an operation requires and exposes: those that
// every operation exposes, and two more. The hostname is the first.
func keys() []string {
	return append(topology.ExposedKeys(), "example.com/gpu", "example.com/disk")
}

func values() *rapid.Generator[string] { return rapid.SampledFrom([]string{"1", "2", ""}) }

func nodeNames() []string { return []string{"node-a", "node-b", "node-c", "node-d"} }

// ref returns the reference of the i-th operation of a drawn flow. There are two namespaces and all
// kinds.
func ref(i int) dataflow.Ref {
	return dataflow.Ref{Kind: dataflow.Kinds()[i%len(dataflow.Kinds())], Namespace: []string{"default", "other"}[i/2%2], Name: fmt.Sprint("op-", i)}
}

// Flows draws flows of one to five operations that can run to their end: chains, trees and several of
// them, with all kinds, two namespaces, references without a namespace, every policy, dependOn of any
// ancestor, distributed and recurring operations, exposed labels, and all of an operation's own
// constraints on its node.
func Flows() *rapid.Generator[[]dataflow.Operation] {
	return rapid.Custom(func(t *rapid.T) []dataflow.Operation {
		var ops []dataflow.Operation
		var parents []int
		for i := range rapid.IntRange(1, 5).Draw(t, "operations") {
			op := dataflow.Operation{Ref: ref(i)}
			parent := -1
			if i > 0 && !rarely(t, "a root") {
				parent = i - 1
				if rarely(t, "after another one") {
					parent = rapid.IntRange(0, i-1).Draw(t, "after")
				}
				op.RunAfter = &dataflow.RunAfter{Ref: reference(t, op.Ref, ref(parent)), Strategy: strategies().Draw(t, "strategy")}
				for ancestor := parents[parent]; ancestor >= 0; ancestor = parents[ancestor] {
					if rapid.Bool().Draw(t, "depends on an ancestor") {
						on := reference(t, op.Ref, ref(ancestor))
						op.RunAfter.DependOn = &on
					}
				}
			}
			parents = append(parents, parent)
			op.Exposes = rapid.SliceOfN(rapid.SampledFrom(keys()), 0, 2).Draw(t, "exposes")
			op.Distributed = rarely(t, "distributed") && rarely(t, "really")
			op.Recurring = rarely(t, "recurring") && rarely(t, "really")
			if rarely(t, "has a TTL") {
				ttl := int32(60)
				op.TTLSecondsAfterFinished = &ttl
			}
			ops = append(ops, constrained(t, op))
		}
		return ops
	})
}

// reference returns a reference from one operation to another, without the namespace if it can be.
func reference(t *rapid.T, from, to dataflow.Ref) dataflow.Ref {
	if to.Namespace == from.Namespace && rapid.Bool().Draw(t, "without namespace") {
		to.Namespace = ""
	}
	return to
}

func strategies() *rapid.Generator[affinity.Strategy] {
	return rapid.Custom(func(t *rapid.T) affinity.Strategy {
		s := affinity.Strategy{Policy: rapid.SampledFrom([]affinity.Policy{affinity.Require, affinity.Require, affinity.Prefer, affinity.None}).Draw(t, "policy")}
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(keys()), 0, 2).Draw(t, "requires") {
			s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
		}
		for _, key := range rapid.SliceOfN(rapid.SampledFrom(keys()), 0, 2).Draw(t, "prefers") {
			s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: key, Weight: rapid.SampledFrom([]int32{1, 7, 100}).Draw(t, "weight")})
		}
		return s
	})
}

// constrained gives half of the operations a constraint on their node.
func constrained(t *rapid.T, op dataflow.Operation) dataflow.Operation {
	switch rapid.IntRange(0, 13).Draw(t, "constraint") {
	case 6, 7:
		op.NodeSelector = map[string]string{rapid.SampledFrom(keys()[1:]).Draw(t, "key"): values().Draw(t, "value")}
	case 8, 9, 10:
		op.Affinity = requiring(rapid.SampledFrom(keys()[1:]).Draw(t, "key"), values().Draw(t, "value"))
	case 5:
		op.Affinity = preferring(rapid.SampledFrom([]int32{100, 1}).Draw(t, "weight"), topology.Zone, values().Draw(t, "value"))
	case 11:
		op.Affinity = affinitytest.Affinities().Draw(t, "affinity")
	case 12:
		op.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: rapid.SampledFrom([]corev1.TolerationOperator{corev1.TolerationOpExists, corev1.TolerationOpEqual, ""}).Draw(t, "operator")}}
	case 13:
		op.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(rapid.SampledFrom([]string{"1", "500m", "2"}).Draw(t, "cpu"))}
	}
	return op
}

func requiring(key, value string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{term(key, value)},
	}}}
}

func preferring(weight int32, key, value string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
		{Weight: weight, Preference: term(key, value)},
	}}}
}

func term(key, value string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}}
}

// Clusters draws clusters of one to four nodes, with labels that operations require and expose. Some
// nodes lack a hostname, are cordoned, tainted or nearly full.
func Clusters() *rapid.Generator[Cluster] {
	return rapid.Custom(func(t *rapid.T) Cluster {
		c := Cluster{Used: map[string]corev1.ResourceList{}}
		for _, name := range nodeNames()[:rapid.SampledFrom([]int{3, 4, 2, 1}).Draw(t, "nodes")] {
			node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
			for _, key := range keys()[1:] {
				if !rarely(t, "lacks "+key) {
					node.Labels[key] = values().Draw(t, key)
				}
			}
			if !rarely(t, "lacks a hostname") {
				node.Labels[topology.Hostname] = name
			}
			node.Spec.Unschedulable = rarely(t, "cordoned") && rarely(t, "really")
			if rarely(t, "tainted") {
				node.Spec.Taints = []corev1.Taint{{Key: "dedicated", Effect: rapid.SampledFrom([]corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute, corev1.TaintEffectPreferNoSchedule}).Draw(t, "effect")}}
			}
			if rarely(t, "allocatable") {
				node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourcePods: resource.MustParse("2")}
				c.Used[name] = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(rapid.SampledFrom([]string{"0", "1", "1500m"}).Draw(t, "used"))}
			}
			c.Nodes = append(c.Nodes, node)
		}
		return c
	})
}

// rarely is true once in five times.
func rarely(t *rapid.T, what string) bool { return rapid.IntRange(0, 4).Draw(t, what) == 4 }
