package dataflowtest_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
)

var update = flag.Bool("update", false, "write the golden files")

// The failures of a controller that inherits nothing, does not look ahead, and panics when an operation
// is blocked.
func TestFailuresReadWell(t *testing.T) {
	var all strings.Builder
	for _, f := range dataflowtest.CheckController(always(resolve)) {
		fmt.Fprintln(&all, f)
	}
	for _, f := range dataflowtest.CheckController(deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
		switch state {
		case dataflow.Blocked:
			panic("not\nexpected")
		case dataflow.Ready:
			a = op.Affinity
		}
		return state, a, err
	})) {
		fmt.Fprintln(&all, f)
	}
	golden.Compare(t, *update, "testdata/failures.golden", []byte(all.String()))
}

// What is drawn is a flow, and reaches what a law can depend on.
func TestGeneratorsReachTheAwkward(t *testing.T) {
	reached := map[string]bool{}
	reach := func(what string, is bool) { reached[what] = reached[what] || is }
	property := func(t *rapid.T) {
		ops := dataflowtest.Flows().Draw(t, "flow")
		if _, err := dataflow.New(ops...); err != nil {
			t.Fatal(err)
		}
		for _, op := range ops {
			reach("distributed", op.Distributed)
			reach("recurring", op.Recurring)
			reach("an affinity", op.Affinity != nil)
			reach("a node selector", op.NodeSelector != nil)
			if op.RunAfter != nil {
				reach("dependOn", op.RunAfter.DependOn != nil)
				reach("no namespace", op.RunAfter.Ref.Namespace == "")
				reach(string(op.RunAfter.Strategy.Policy), true)
			}
		}
		for _, n := range dataflowtest.Clusters().Draw(t, "cluster").Nodes {
			reach("cordoned", n.Spec.Unschedulable)
			reach("tainted", n.Spec.Taints != nil)
			reach("full", n.Status.Allocatable != nil)
		}
	}
	for range 50 {
		rapid.Check(t, property)
	}
	for _, what := range []string{"distributed", "recurring", "an affinity", "a node selector", "dependOn", "no namespace", "Require", "Prefer", "", "cordoned", "tainted", "full"} {
		if !reached[what] {
			t.Errorf("not drawn: %q", what)
		}
	}
}

// The scheduler's own code is the standard of internal/conformance; these are its decisions.
func TestRefusedBy(t *testing.T) {
	node := func(change func(n *corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "1"}}}
		change(n)
		return n
	}
	plain := node(func(*corev1.Node) {})
	tainted := node(func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}}
	})
	evicting := node(func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}
	})
	numbered := node(func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Value: "3", Effect: corev1.TaintEffectNoSchedule}}
	})
	cordoned := node(func(n *corev1.Node) { n.Spec.Unschedulable = true })
	full := node(func(n *corev1.Node) {
		n.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("2"), "pods": resource.MustParse("1")}
	})
	cpu := func(amount string) corev1.ResourceList {
		return corev1.ResourceList{"cpu": resource.MustParse(amount)}
	}
	for _, c := range []struct {
		name string
		op   dataflow.Operation
		node *corev1.Node
		used corev1.ResourceList
		want string
	}{
		{"nothing asked", dataflow.Operation{}, plain, nil, ""},
		{"the name", dataflow.Operation{NodeName: "m"}, plain, nil, "NodeName"},
		{"cordoned", dataflow.Operation{}, cordoned, nil, "NodeUnschedulable"},
		{"cordoned, bound", dataflow.Operation{NodeName: "n"}, cordoned, nil, ""},
		{"cordoned, tolerated", dataflow.Operation{Tolerations: []corev1.Toleration{{Operator: "Exists"}}}, cordoned, nil, ""},
		{"tainted", dataflow.Operation{}, tainted, nil, "TaintToleration"},
		{"tainted, bound", dataflow.Operation{NodeName: "n"}, tainted, nil, ""},
		{"tainted, evicting, bound", dataflow.Operation{NodeName: "n"}, evicting, nil, "TaintToleration"},
		{"tainted, tolerated", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Value: "v"}}}, tainted, nil, ""},
		{"tainted, another value", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Value: "w"}}}, tainted, nil, "TaintToleration"},
		{"tainted, another effect", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Operator: "Exists", Effect: "NoExecute"}}}, tainted, nil, "TaintToleration"},
		{"a number that is tolerated", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Operator: "Gt", Value: "2"}}}, numbered, nil, ""},
		{"a number that is not", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Operator: "Lt", Value: "3"}}}, numbered, nil, "TaintToleration"},
		{"no number", dataflow.Operation{Tolerations: []corev1.Toleration{{Key: "k", Operator: "Gt", Value: "02"}}}, numbered, nil, "TaintToleration"},
		{"the selector", dataflow.Operation{NodeSelector: map[string]string{"a": "2"}}, plain, nil, "NodeAffinity"},
		{"fits", dataflow.Operation{Requests: cpu("1500m")}, full, cpu("500m"), ""},
		{"does not fit", dataflow.Operation{Requests: cpu("1501m")}, full, cpu("500m"), "NodeResourcesFit"},
		{"no room for a pod", dataflow.Operation{}, full, corev1.ResourceList{"pods": resource.MustParse("1")}, "NodeResourcesFit"},
		{"no such resource", dataflow.Operation{Requests: corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}}, full, nil, "NodeResourcesFit"},
		{"no such resource, bound", dataflow.Operation{NodeName: "n", Requests: corev1.ResourceList{"example.com/gpu": resource.MustParse("1")}}, full, nil, ""},
		{"huge pages", dataflow.Operation{Requests: corev1.ResourceList{"hugepages-2Mi": resource.MustParse("2Mi")}}, full, nil, "NodeResourcesFit"},
		{"storage does not count", dataflow.Operation{Requests: corev1.ResourceList{"storage": resource.MustParse("1")}}, full, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := dataflowtest.RefusedBy(c.op, c.node, c.used); got != c.want {
				t.Errorf("RefusedBy = %q, want %q", got, c.want)
			}
		})
	}
}
