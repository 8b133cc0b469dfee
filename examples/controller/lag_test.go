package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A flow has run, and is applied again. The watch of one kind of object does not deliver, so the
// controller sees a mixture of the old flow and the new one. It must not run a step before
// the one that comes before it, nor where that ran the last time.
func TestWhileOneWatchIsBehind(t *testing.T) {
	process := dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "ns", Name: "b"}
	backup := dataflow.Ref{Kind: dataflow.DataBackup, Namespace: "ns", Name: "c"}
	flow := func(zone string) []string {
		return []string{
			object("DataLoad", "a", "nodeSelector: {topology.kubernetes.io/zone: "+zone+"}"),
			object("DataProcess", "b", "processor: {script: {image: busybox, source: 'true'}}", runsAfter("DataLoad", "a", "policy: Require")),
			object("DataBackup", "c", "runAfter: {kind: DataProcess, name: b, affinityStrategy: {policy: Require, dependOn: {kind: DataLoad, name: a}}}"),
		}
	}
	refs := []dataflow.Ref{load("a"), process, backup}
	watches := map[string]int{"pods": podWatch, "nodes": nodeWatch}
	for i, kind := range dataflow.Kinds() {
		watches[string(kind)] = nodeWatch + 1 + i
	}
	for name, behind := range watches {
		for _, lookahead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lookahead %t", name, lookahead), func(t *testing.T) {
				w := newWorld(t, objects(nodes())...)
				w.options.Lookahead = lookahead
				w.restart()
				w.apply(flow("zone-0")...)
				w.complete(nodes())
				for _, ref := range refs {
					if phase := phaseOf(w.operation(ref)); phase != dataflow.Complete {
						t.Fatalf("%s is %q, %q", ref, phase, w.events)
					}
				}
				// Everything goes at once, as without a controller that holds pods.
				for _, ref := range refs {
					w.delete(objectOf(ref))
				}
				for _, pod := range w.podsThere() {
					pod.Finalizers = nil
					w.must(w.api.Update(t.Context(), &pod))
					w.delete(&pod)
				}
				w.apply(flow("zone-1")...)

				ran := map[dataflow.Ref]string{}
				random := rand.New(rand.NewPCG(1, 1))
				step := func(deliver func()) {
					deliver()
					for range len(w.queue) {
						w.reconcile(0)
					}
					for _, pod := range w.podsThere() {
						owner, _ := ownerOf(&pod)
						for _, named := range decode(w.operation(owner)).names() {
							if phase := phaseOf(w.operation(named)); phase != dataflow.Complete {
								t.Fatalf("%s has a pod, and %s is %q", owner, named, phase)
							}
						}
						if pod.Status.Phase == "" && w.run(&pod, nodes(), corev1.PodSucceeded, random) {
							ran[owner] = pod.Spec.NodeName
						}
					}
				}
				for range 20 {
					step(func() {
						for i := range w.watches {
							for i != behind && w.deliver(i) {
							}
						}
					})
				}
				for range 20 {
					step(w.deliverAll)
				}
				for _, ref := range refs {
					if phase := phaseOf(w.operation(ref)); phase != dataflow.Complete {
						t.Errorf("%s is %q in the end, %q", ref, phase, w.events)
					}
					if ran[ref] != ran[load("a")] || ran[ref] != "node-2" && ran[ref] != "node-3" {
						t.Errorf("%s ran on %q, and a on %q", ref, ran[ref], ran[load("a")])
					}
				}
			})
		}
	}
}

// A node is relabelled before an operation runs there, and the watch of nodes does not deliver
// it. What is recorded is what the node has.
func TestAPlaceIsReadFromTheNode(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a", "nodeSelector: {kubernetes.io/hostname: node-0}"))
	w.settle()
	w.run(w.pod("a-dataload-0"), nodes(), corev1.PodSucceeded, rand.New(rand.NewPCG(1, 1)))
	var node corev1.Node
	w.must(w.api.Get(t.Context(), client.ObjectKey{Name: "node-0"}, &node))
	node.Labels[topology.Zone] = "zone-9"
	w.must(w.api.Update(t.Context(), &node))
	for range 5 {
		for i := range w.watches {
			for i != nodeWatch && w.deliver(i) {
			}
		}
		for range len(w.queue) {
			w.reconcile(0)
		}
	}
	op := decode(w.operation(load("a")))
	if zone, _ := op.Observation.Labels.Get(topology.Zone); zone != "zone-9" {
		t.Errorf("a is %q, and recorded %s", op.Observation.Phase, op.Observation.Labels)
	}
}

// A number that a tenant chooses is no bound of a loop.
func TestParallelismIsBounded(t *testing.T) {
	m := dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "ns", Name: "m"}
	t.Run("beyond the limit nothing is created", func(t *testing.T) {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataMigrate", "m", "parallelism: 2147483647"))
		w.settle()
		if want := "Invalid DataMigrate ns/m: spec.parallelism: Invalid value: 2147483647: must be at most 100, the limit of this controller"; !slices.Equal(w.events, []string{want}) || len(w.podsThere()) > 0 {
			t.Errorf("%d pods, events %q", len(w.podsThere()), w.events)
		}
	})
	t.Run("below it pods are created in steps, and other flows have their turn", func(t *testing.T) {
		const pods = 90
		w := newWorld(t, objects(nodes())...)
		w.options.MaxParallelism = 3 * pods
		w.restart()
		w.apply(object("DataMigrate", "m", fmt.Sprint("parallelism: ", 3*pods)), object("DataLoad", "a"))
		w.deliverAll()
		w.queue = []reconcile.Request{requestFor(m), requestFor(load("a"))}
		for passes := 0; len(w.podsThere()) < 3*pods+1; passes++ {
			before := w.calls
			w.reconcile(0)
			if calls := w.calls - before; calls > callsPerPass {
				t.Fatalf("%d calls in one pass", calls)
			}
			if passes == 1 && !slices.ContainsFunc(w.podsThere(), func(p corev1.Pod) bool { return p.Name == "a-dataload-0" }) {
				t.Error("a has not started after the first pass of m")
			}
			for w.deliver(podWatch) {
			}
			if passes > 100 {
				t.Fatalf("%d pods", len(w.podsThere()))
			}
		}
	})
	t.Run("a pass ends with its context", func(t *testing.T) {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataMigrate", "m", "parallelism: 50"))
		w.deliverAll()
		ctx, cancel := context.WithCancel(t.Context())
		w.fails = func() fault {
			if len(w.podsThere()) == 7 {
				cancel()
			}
			return never
		}
		_, _ = w.r.Reconcile(ctx, requestFor(m))
		if n := len(w.podsThere()); n > 8 {
			t.Errorf("%d pods after the context ended with 7", n)
		}
	})
}

// chain applies operations that run after each other. The first waits for one that does not
// exist.
func (w *world) chain(length int) {
	w.t.Helper()
	w.apply(object("DataLoad", "op-0", runsAfter("DataLoad", "nosuch", "")))
	for i := 1; i < length; i++ {
		w.apply(object("DataLoad", fmt.Sprint("op-", i), runsAfter("DataLoad", fmt.Sprint("op-", i-1), "policy: Require")))
		if i%50 == 0 {
			w.deliverAll() // a fake watch has a small buffer
		}
	}
	w.settle()
}

// One change is one pass of the flow at most, however many operations wait.
func TestOneChangeIsOnePass(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.chain(100)
	for _, tt := range []struct {
		name   string
		change func(u *unstructured.Unstructured)
		passes int
	}{
		{"a label", func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"x": "y"}) }, 0},
		{"an annotation", func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{"x": "y"}) }, 0},
		{"what it exposes", func(u *unstructured.Unstructured) {
			u.SetAnnotations(map[string]string{topology.LabelsAnnotation: "gpu"})
		}, 1},
		{"what it runs after", setRunAfter("other", ""), 1},
	} {
		w.change(load("op-0"), tt.change)
		w.deliverAll()
		if len(w.queue) != tt.passes {
			t.Errorf("%s: queued %v", tt.name, w.queue)
		}
		w.settle()
	}
}

// Where many operations wait for the last one of a long chain, the way to its root is gone once.
func TestTheWayToTheRootIsGoneOnce(t *testing.T) {
	const chain, followers = 500, 500
	x := newIndex(false)
	add := func(name, after, exposes string) {
		u := objectOf(load(name))
		u.Object["spec"] = map[string]any{"runAfter": map[string]any{"kind": "DataLoad", "name": after}}
		u.SetAnnotations(map[string]string{topology.LabelsAnnotation: exposes})
		x.setOperation(load(name), decode(u))
	}
	for i := range chain {
		add(fmt.Sprint("op-", i), fmt.Sprint("op-", i-1), "")
	}
	last := fmt.Sprint("op-", chain-1)
	for i := range followers {
		add(fmt.Sprint("follower-", i), last, "")
	}
	changes := 0
	allocations := testing.AllocsPerRun(5, func() {
		changes++
		add(last, fmt.Sprint("op-", chain-2), fmt.Sprint("key-", changes))
	})
	if most := float64(10 * (chain + followers)); allocations > most {
		t.Errorf("%v allocations for a change before %d followers, at most %v expected", allocations, followers, most)
	}
}

// The cost of one change of the first operation of a waiting chain.
func BenchmarkChangeOfAWaitingChain(b *testing.B) {
	for _, length := range []int{250, 500, 1000, 2000} {
		for name, annotation := range map[string]string{"label": "x", "exposed": topology.LabelsAnnotation} {
			b.Run(fmt.Sprint(name, " ", length), func(b *testing.B) {
				x := newIndex(false)
				r := &Reconciler{index: x, API: nil}
				op := func(i int, u *unstructured.Unstructured) *unstructured.Unstructured {
					after := fmt.Sprint("op-", i-1)
					u.Object["spec"] = map[string]any{"runAfter": map[string]any{"kind": "DataLoad", "name": after, "affinityStrategy": map[string]any{"policy": "Require"}}}
					return u
				}
				for i := range length {
					ref := load(fmt.Sprint("op-", i))
					u := op(i, objectOf(ref))
					if i == 0 {
						u.Object["status"] = map[string]any{"phase": "Pending", "conditions": []any{map[string]any{
							"type": conditionStalled, "status": "True", "reason": reasonWaiting, "message": "for DataLoad ns/op--1: it does not exist",
						}}}
					}
					r.onOperation(u, true)
				}
				n := 0
				for b.Loop() {
					u := op(0, objectOf(load("op-0")))
					u.Object["status"] = x.operations[load("op-0")].object.Object["status"]
					u.SetAnnotations(map[string]string{annotation: fmt.Sprint("k", n%2)})
					n++
					for _, request := range r.onOperation(u, true) {
						if _, err := r.Reconcile(b.Context(), request); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
