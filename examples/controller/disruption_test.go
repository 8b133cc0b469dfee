package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// pod returns the only pod with a name.
func (w *world) pod(name string) *corev1.Pod {
	w.t.Helper()
	var pod corev1.Pod
	w.must(w.api.Get(w.t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, &pod))
	return &pod
}

// set changes the status of a pod, as kubelet and scheduler do.
func (w *world) set(pod *corev1.Pod, phase corev1.PodPhase, conditions ...corev1.PodCondition) {
	w.t.Helper()
	pod.Status.Phase, pod.Status.Conditions = phase, conditions
	w.must(w.api.Status().Update(w.t.Context(), pod))
}

func (w *world) delete(o client.Object) {
	w.t.Helper()
	w.must(w.api.Delete(w.t.Context(), o))
}

// condition returns a condition of an operation.
func (w *world) condition(ref dataflow.Ref, kind string) metav1.Condition {
	s := statusOf(decode(w.operation(ref)))
	if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

var disrupted = corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"}

func unschedulable(message string) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message}
}

// What happens to the pod of an operation that follows another one, and what becomes of it.
func TestDisruptionIsNotFailure(t *testing.T) {
	for _, tt := range []struct {
		name    string
		happens func(w *world, pod *corev1.Pod)
		phase   dataflow.Phase // of the operation, without a kubelet that runs further pods
		again   bool           // another pod is there
	}{
		{"nothing", func(*world, *corev1.Pod) {}, dataflow.Executing, false},
		{"it fails", func(w *world, pod *corev1.Pod) { w.set(pod, corev1.PodFailed) }, dataflow.Failed, false},
		{"it is evicted by its kubelet", func(w *world, pod *corev1.Pod) { w.set(pod, corev1.PodFailed, disrupted) }, dataflow.Pending, true},
		{
			"it is drained or preempted", func(w *world, pod *corev1.Pod) {
				w.set(pod, corev1.PodFailed, disrupted)
				w.delete(pod)
			}, dataflow.Pending, true,
		},
		{"it is deleted", func(w *world, pod *corev1.Pod) { w.delete(pod) }, dataflow.Pending, true},
		{
			"it is to be disrupted, and runs", func(w *world, pod *corev1.Pod) { w.set(pod, corev1.PodRunning, disrupted) }, dataflow.Executing, false,
		},
		{
			"it succeeds while it is disrupted", func(w *world, pod *corev1.Pod) {
				w.set(pod, corev1.PodSucceeded, disrupted)
				w.delete(pod)
			}, dataflow.Complete, false,
		},
		{
			"it succeeds and is deleted while no controller runs", func(w *world, pod *corev1.Pod) {
				w.set(pod, corev1.PodSucceeded)
				w.delete(pod)
				w.restart()
			}, dataflow.Complete, false,
		},
		{
			"its node is gone after it succeeded, while no controller runs", func(w *world, pod *corev1.Pod) {
				w.set(pod, corev1.PodSucceeded)
				w.delete(pod)
				w.delete(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.NodeName}})
				w.restart()
			}, dataflow.Complete, false,
		},
	} {
		for _, cleanedUp := range []bool{false, true} {
			name := tt.name
			if cleanedUp {
				name += "; its predecessor has been cleaned up"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, objects(nodes())...)
				w.apply(object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")))
				w.settle()
				w.run(w.pod("a-dataload-0"), nodes(), corev1.PodSucceeded, rand.New(rand.NewPCG(1, 1)))
				w.settle()
				w.run(w.pod("b-dataload-0"), nodes(), corev1.PodRunning, rand.New(rand.NewPCG(1, 1)))
				w.settle()
				if cleanedUp {
					w.delete(objectOf(load("a")))
					w.settle()
				}
				old := w.pod("b-dataload-0")
				tt.happens(w, w.pod("b-dataload-0"))
				w.settle()
				if phase := phaseOf(w.operation(load("b"))); phase != tt.phase {
					t.Errorf("b is %q, not %q; events %q", phase, tt.phase, w.events)
				}
				again := false
				for _, pod := range w.podsThere() {
					if pod.Name == old.Name && pod.UID != old.UID {
						again = true
						if pod.Spec.Affinity.String() != old.Spec.Affinity.String() {
							t.Errorf("its affinity was %s, and is %s", old.Spec.Affinity, pod.Spec.Affinity)
						}
					}
				}
				if again != tt.again {
					t.Errorf("another pod: %t, not %t", again, tt.again)
				}
				if tt.again {
					w.complete(nodes())
					if phase := phaseOf(w.operation(load("b"))); phase != dataflow.Complete {
						t.Errorf("b is %q in the end; events %q", phase, w.events)
					}
				}
			})
		}
	}
}

// A pod that runs is given the time to end before it is replaced, and a pod of which nothing
// has to be recorded is let go.
func TestADeletedPodEndsFirst(t *testing.T) {
	grace, none := int64(30), int64(0)
	deleted := metav1.Now()
	for _, tt := range []struct {
		name string
		pod  corev1.Pod
		lost bool
	}{
		{"it runs", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, DeletionGracePeriodSeconds: &grace}, Spec: corev1.PodSpec{NodeName: "n"}}, false},
		{"its kubelet has ended it", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, DeletionGracePeriodSeconds: &none}, Spec: corev1.PodSpec{NodeName: "n"}}, true},
		{"it has no node", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, DeletionGracePeriodSeconds: &grace}}, true},
	} {
		if got := isLost(&tt.pod); got != tt.lost {
			t.Errorf("%s: lost is %t, not %t", tt.name, got, tt.lost)
		}
	}
}

// A pod that is disrupted again and again is replaced later each time, whatever the clock says.
func TestBackoff(t *testing.T) {
	var got []time.Duration
	for replaced := range 8 {
		got = append(got, backoff(replaced))
	}
	const s = time.Second
	if want := []time.Duration{0, 10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 300 * s, 300 * s}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if backoff(1000) != 300*s {
		t.Errorf("%v after a thousand", backoff(1000))
	}
	w := newWorld(t, objects(nodes())...)
	w.age = -time.Hour // what is created has a time in the future
	w.apply(object("DataLoad", "a"))
	w.settle()
	w.set(w.pod("a-dataload-0"), corev1.PodFailed, disrupted)
	w.settle()
	w.set(w.pod("a-dataload-0"), corev1.PodFailed, disrupted)
	w.deliverAll()
	result, err := w.r.Reconcile(t.Context(), requestFor(load("a")))
	w.must(err)
	if result.RequeueAfter <= 0 || result.RequeueAfter > 10*s {
		t.Errorf("it is looked at again after %v", result.RequeueAfter)
	}
}

// Pods of operations that do not exist any more are let go, and none before its end is
// recorded.
func TestPodsAreLetGo(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"), object("DataLoad", "b"))
	w.settle()
	w.delete(objectOf(load("a")))
	w.delete(w.pod("a-dataload-0")) // the garbage collector
	w.complete(nodes())
	for _, name := range []string{"a-dataload-0"} {
		if slices.ContainsFunc(w.podsThere(), func(p corev1.Pod) bool { return p.Name == name }) {
			t.Errorf("%s is still there", name)
		}
	}
	w.delete(w.pod("b-dataload-0"))
	w.settle()
	if pods := w.podsThere(); len(pods) > 0 {
		t.Errorf("%s is still there", pods[0].Name)
	}
	// While the watch of operations is behind, a pod that succeeded stays.
	w.apply(object("DataLoad", "c"))
	w.settle()
	u := w.operation(load("c"))
	w.run(w.pod("c-dataload-0"), nodes(), corev1.PodSucceeded, rand.New(rand.NewPCG(1, 1)))
	w.delete(w.pod("c-dataload-0"))
	w.r.onOperation(u, false)
	for w.deliver(podWatch) {
	}
	for len(w.queue) > 0 {
		w.reconcile(0)
	}
	if pod := w.pod("c-dataload-0"); !slices.Contains(pod.Finalizers, podFinalizer) {
		t.Error("it was let go although its operation exists")
	}
	w.r.onOperation(u, true)
	w.enqueue(requestFor(load("c")))
	w.settle()
	if phase := phaseOf(w.operation(load("c"))); phase != dataflow.Complete {
		t.Errorf("c is %q", phase)
	}
}

// A pod for which there is no node is reported on its operation, with what became of the node
// where its source ran.
func TestUnschedulableIsReported(t *testing.T) {
	const message = "no node is available: did not match, were cordoned."
	for _, tt := range []struct {
		name    string
		happens func(w *world, node *corev1.Node) // to the node where a ran
		why     string
	}{
		{"nothing that is known", func(*world, *corev1.Node) {}, ""},
		{
			"the node is gone", func(w *world, node *corev1.Node) { w.delete(node) },
			"No node has kubernetes.io/hostname=node-3 any more, where DataLoad ns/a ran.",
		},
		{
			"the node is cordoned", func(w *world, node *corev1.Node) {
				node.Spec.Unschedulable = true
				w.must(w.api.Update(w.t.Context(), node))
			},
			"node-3, with kubernetes.io/hostname=node-3 where DataLoad ns/a ran: cordoned.",
		},
		{
			"the node is tainted", func(w *world, node *corev1.Node) {
				node.Spec.Taints = []corev1.Taint{{Key: "broken", Effect: corev1.TaintEffectNoSchedule}}
				w.must(w.api.Update(w.t.Context(), node))
			},
			"node-3, with kubernetes.io/hostname=node-3 where DataLoad ns/a ran: ",
		},
		{
			"the node has another hostname", func(w *world, node *corev1.Node) {
				node.Labels[topology.Hostname] = "other"
				w.must(w.api.Update(w.t.Context(), node))
			},
			"No node has kubernetes.io/hostname=node-3 any more, where DataLoad ns/a ran.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.apply(object("DataLoad", "a", "nodeSelector: {kubernetes.io/hostname: node-3}"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")))
			w.settle()
			w.run(w.pod("a-dataload-0"), nodes(), corev1.PodSucceeded, rand.New(rand.NewPCG(1, 1)))
			w.settle()
			var node corev1.Node
			w.must(w.api.Get(t.Context(), client.ObjectKey{Name: "node-3"}, &node))
			tt.happens(w, &node)
			w.set(w.pod("b-dataload-0"), corev1.PodPending, unschedulable("0/6 nodes are available: 1 were cordoned, 5 did not match. preemption: 0/6 nodes are available."))
			w.settle()
			stalled := w.condition(load("b"), conditionStalled)
			if want := "pod b-dataload-0: " + message; !strings.HasPrefix(stalled.Message, want) || !strings.HasPrefix(strings.TrimPrefix(stalled.Message[len(want):], " "), tt.why) {
				t.Errorf("%s: %s", stalled.Reason, stalled.Message)
			}
			if stalled.Status != metav1.ConditionTrue || stalled.Reason != reasonUnschedulable || phaseOf(w.operation(load("b"))) != dataflow.Pending {
				t.Errorf("b is %q, and stalled %s, %s", phaseOf(w.operation(load("b"))), stalled.Status, stalled.Reason)
			}
			if len(w.events) != 1 || !strings.HasPrefix(w.events[0], "Unschedulable DataLoad ns/b: ") {
				t.Errorf("events %q", w.events)
			}
			// As many nodes come, it is not reported again.
			w.set(w.pod("b-dataload-0"), corev1.PodPending, unschedulable("0/99 nodes are available: 2 were cordoned, 97 did not match."))
			if w.deliverAll(); len(w.queue) > 0 {
				t.Errorf("queued %v", w.queue)
			}
			// It finds a node after all.
			w.set(w.pod("b-dataload-0"), "")
			w.complete(nodes())
			if stalled := w.condition(load("b"), conditionStalled); stalled.Status != metav1.ConditionFalse {
				t.Errorf("stalled is %s", stalled.Status)
			}
			if complete := w.condition(load("b"), conditionComplete); complete.Status != metav1.ConditionTrue || phaseOf(w.operation(load("b"))) != dataflow.Complete {
				t.Errorf("b is %q, and complete %s", phaseOf(w.operation(load("b"))), complete.Status)
			}
		})
	}
}

// The number of pods is decided when the first is created.
func TestParallelismChangedWhileItRuns(t *testing.T) {
	m := dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "ns", Name: "m"}
	for _, parallelism := range []int64{1, 2, 5} {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataMigrate", "m", "parallelism: 3"))
		w.settle()
		w.change(m, func(u *unstructured.Unstructured) {
			w.must(unstructured.SetNestedField(u.Object, parallelism, "spec", "parallelism"))
		})
		w.complete(nodes())
		if pods := w.podsThere(); len(pods) != 3 || phaseOf(w.operation(m)) != dataflow.Complete {
			t.Errorf("with %d, it is %q, and has %d pods", parallelism, phaseOf(w.operation(m)), len(pods))
		}
	}
}

// So is their affinity: pods that are created later get that of the first ones.
func TestAffinityChangedWhileItStarts(t *testing.T) {
	m := dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "ns", Name: "m"}
	inTheWay := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m-datamigrate-2"}}
	w := newWorld(t, append(objects(nodes()), inTheWay)...)
	w.apply(object("DataMigrate", "m", "parallelism: 3"))
	for range 3 {
		w.deliverAll()
		w.reconcile(0)
	}
	w.change(m, func(u *unstructured.Unstructured) {
		terms := []any{map[string]any{"matchExpressions": []any{map[string]any{"key": "gpu", "operator": "Exists"}}}}
		w.must(unstructured.SetNestedSlice(u.Object, terms, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"))
	})
	w.must(w.api.Delete(t.Context(), inTheWay))
	w.settle()
	pods := w.podsThere()
	if len(pods) != 3 {
		t.Fatalf("%d pods", len(pods))
	}
	for _, pod := range pods {
		if pod.Spec.Affinity != nil {
			t.Errorf("%s has the affinity %v", pod.Name, pod.Spec.Affinity)
		}
	}
}
