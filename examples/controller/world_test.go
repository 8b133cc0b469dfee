package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// world is an API server, the watches of a controller that lag behind it, and the queue
// of what these woke. Each step is the test's: nothing in it runs by itself.
type world struct {
	t      *testing.T
	api    client.WithWatch    // without faults
	queue  []reconcile.Request // what is to be reconciled, each once
	events []string            // warnings: Reason Kind namespace/name: note
	normal []string            // normal events
	writes int                 // of the controller
	calls  int                 // of the controller, writes included
	fails  func() (when fault) // whether the controller's next call fails

	refuses error // what creating a pod fails with; nil for nothing
	r       *Reconciler

	options Options
	watches []watch.Interface
	behind  [][]watch.Event // what each watch has yet to deliver
	cache   *watched
	created int
	age     time.Duration // of what is created
}

// fault says whether a call fails, and if so, whether it has had its effect nevertheless.
type fault int

const (
	never fault = iota
	before
	afterwards
)

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, fails: func() fault { return never }, age: time.Hour, options: Options{Expose: []string{"gpu"}, MaxParallelism: 100}}
	builder := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).WithStatusSubresource(&corev1.Pod{})
	for _, kind := range dataflow.Kinds() {
		builder.WithStatusSubresource(objectOf(dataflow.Ref{Kind: kind}))
	}
	w.api = builder.Build()
	w.restart()
	return w
}

// restart replaces the controller with a new one, with empty caches and everything that
// exists in its queue.
func (w *world) restart() {
	for _, old := range w.watches {
		old.Stop()
	}
	w.watches, w.behind, w.queue = nil, nil, nil
	w.cache = &watched{objects: map[string]client.Object{}}
	metrics, err := newMetrics(prometheus.NewRegistry())
	w.must(err)
	w.r = &Reconciler{Options: w.options, Nodes: w.cache, API: w.faulty(), Events: w, metrics: metrics, index: newIndex(w.options.AnyNamespace)}
	lists := []client.ObjectList{&corev1.PodList{}, &corev1.NodeList{}}
	for _, kind := range dataflow.Kinds() {
		lists = append(lists, listOf(kind))
	}
	for _, list := range lists {
		watching, err := w.api.Watch(w.t.Context(), list)
		w.must(err)
		w.must(w.api.List(w.t.Context(), list))
		var events []watch.Event
		w.must(meta.EachListItem(list, func(o runtime.Object) error {
			events = append(events, watch.Event{Type: watch.Added, Object: o})
			return nil
		}))
		w.watches, w.behind = append(w.watches, watching), append(w.behind, events)
	}
}

// The watches, in the order of a world.
const (
	podWatch  = 0
	nodeWatch = 1
)

// listOf returns an empty list of objects of a kind of operation.
func listOf(kind dataflow.Kind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kindOf(kind))
	return list
}

func phaseOf(u *unstructured.Unstructured) dataflow.Phase { return decode(u).Observation.Phase }

func finished(p dataflow.Phase) bool { return p == dataflow.Complete || p == dataflow.Failed }

// faulty is the API server as the controller sees it: every call may fail.
func (w *world) faulty() client.Client {
	call := func(write bool, do func() error) error {
		switch w.fails() {
		case before:
			return errors.New("the network is down")
		case afterwards:
			_ = do()
			return errors.New("the answer got lost")
		}
		w.calls++
		if write {
			w.writes++
		}
		return do()
	}
	return interceptor.NewClient(w.api, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return call(false, func() error { return c.Get(ctx, key, o, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return call(true, func() error {
				if w.refuses != nil {
					return w.refuses
				}
				return w.create(o)
			})
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return call(true, func() error {
				preconditions := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions
				if err := w.check(o, metav1.ObjectMeta{UID: *preconditions.UID}); err != nil {
					return err
				}
				return c.Delete(ctx, o, opts...)
			})
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return call(true, func() error {
				if err := w.checkPatch(o, p); err != nil {
					return err
				}
				return c.Patch(ctx, o, p, opts...)
			})
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return call(true, func() error {
				if err := w.checkPatch(o, p); err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			})
		},
	})
}

// checkPatch refuses a patch of another object or version than there is, as an API server does.
// The fake one does not always.
func (w *world) checkPatch(o client.Object, p client.Patch) error {
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	var patch metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &patch); err != nil {
		return err
	}
	return w.check(o, patch.ObjectMeta)
}

// check compares the UID and the version of an object, where they are given, with what there
// is.
func (w *world) check(o client.Object, given metav1.ObjectMeta) error {
	now := o.DeepCopyObject().(client.Object)
	if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
		return err
	}
	if given.ResourceVersion != "" && given.ResourceVersion != now.GetResourceVersion() || given.UID != "" && given.UID != now.GetUID() {
		return apierrors.NewConflict(schema.GroupResource{Resource: kindName(o)}, now.GetName(), errors.New("it has changed"))
	}
	return nil
}

// create creates an object with a UID of its own, which the fake API server does not give.
func (w *world) create(o client.Object) error {
	w.created++
	o.SetUID(types.UID(fmt.Sprint("uid-", w.created)))
	o.SetCreationTimestamp(metav1.NewTime(time.Now().Add(-w.age)))
	return w.api.Create(w.t.Context(), o)
}

// Eventf makes the world a recorder of events.
func (w *world) Eventf(regarding, _ runtime.Object, kind, reason, _, note string, args ...any) {
	events := &w.events
	if kind == corev1.EventTypeNormal {
		events = &w.normal
	}
	*events = append(*events, fmt.Sprintf("%s %s: %s", reason, refOf(regarding.(*unstructured.Unstructured)), fmt.Sprintf(note, args...)))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// apply creates what a manifest holds.
func (w *world) apply(manifests ...string) {
	w.t.Helper()
	for _, text := range manifests {
		u := &unstructured.Unstructured{}
		object, err := yaml.YAMLToJSON([]byte(text))
		w.must(err)
		w.must(u.UnmarshalJSON(object))
		w.must(w.create(u))
	}
}

// change changes an operation as a person would.
func (w *world) change(ref dataflow.Ref, change func(*unstructured.Unstructured)) {
	w.t.Helper()
	u := w.operation(ref)
	change(u)
	w.must(w.api.Update(w.t.Context(), u))
}

func (w *world) operation(ref dataflow.Ref) *unstructured.Unstructured {
	w.t.Helper()
	u := objectOf(ref)
	w.must(w.api.Get(w.t.Context(), client.ObjectKeyFromObject(u), u))
	return u
}

func (w *world) podsThere() []corev1.Pod {
	var pods corev1.PodList
	w.must(w.api.List(w.t.Context(), &pods))
	return pods.Items
}

// deliver delivers one event of a watch, if there is any, and queues what it concerns.
func (w *world) deliver(i int) bool {
	for drained := false; !drained; {
		select {
		case e := <-w.watches[i].ResultChan():
			w.behind[i] = append(w.behind[i], e)
		default:
			drained = true
		}
	}
	if len(w.behind[i]) == 0 {
		return false
	}
	e := w.behind[i][0]
	w.behind[i] = w.behind[i][1:]
	o := e.Object.DeepCopyObject().(client.Object)
	gone := e.Type == watch.Deleted
	switch o := o.(type) {
	case *unstructured.Unstructured:
		w.enqueue(w.r.onOperation(o, !gone)...)
	case *corev1.Pod:
		w.enqueue(w.r.onPod(o, o, !gone)...)
	case *corev1.Node:
		w.cache.set(o, gone)
	}
	return true
}

// deliverAll delivers all events of all watches.
func (w *world) deliverAll() {
	for i := range w.watches {
		for w.deliver(i) {
		}
	}
}

func (w *world) enqueue(requests ...reconcile.Request) {
	for _, request := range requests {
		if !slices.Contains(w.queue, request) {
			w.queue = append(w.queue, request)
		}
	}
}

// reconcile takes one flow out of the queue. It puts it back if there is an error, and if it is
// to be looked at again soon.
func (w *world) reconcile(i int) {
	request := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	result, err := w.r.Reconcile(log.IntoContext(w.t.Context(), logr.Discard()), request)
	if err != nil || result.RequeueAfter > 0 && result.RequeueAfter <= retryConflict {
		w.enqueue(request)
	}
}

// settle lets watches and controller run until there is nothing more to do.
func (w *world) settle() {
	w.t.Helper()
	for step := 0; ; step++ {
		if step > 100_000 {
			w.t.Fatalf("it does not come to rest: %v", w.queue)
		}
		delivered := false
		for i := range w.watches {
			delivered = w.deliver(i) || delivered
		}
		if len(w.queue) > 0 {
			w.reconcile(0)
		} else if !delivered {
			return
		}
	}
}

// run plays scheduler and kubelet for one pod: it runs on one of the nodes that it admits,
// and ends in the phase. Without such a node it returns false.
func (w *world) run(pod *corev1.Pod, nodes []corev1.Node, phase corev1.PodPhase, random *rand.Rand) bool {
	w.t.Helper()
	m, err := affinity.Compile(pod.Spec.NodeSelector, pod.Spec.Affinity)
	w.must(err)
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n corev1.Node) bool { return !m.Match(&n) })
	if len(nodes) == 0 {
		return false
	}
	pod.Spec.NodeName = nodes[random.IntN(len(nodes))].Name
	w.must(w.api.Update(w.t.Context(), pod))
	pod.Status.Phase = phase
	w.must(w.api.Status().Update(w.t.Context(), pod))
	return true
}

// complete settles, and lets every pod succeed that can, again and again.
func (w *world) complete(nodes []corev1.Node) {
	w.t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	for ran := true; ran; {
		w.settle()
		ran = false
		for _, pod := range w.podsThere() {
			if pod.Status.Phase == "" {
				ran = w.run(&pod, nodes, corev1.PodSucceeded, random) || ran
			}
		}
	}
}

// watched is what the watch of nodes has delivered so far.
type watched struct{ objects map[string]client.Object }

func (c *watched) set(o client.Object, gone bool) {
	if c.objects[o.GetName()] = o; gone {
		delete(c.objects, o.GetName())
	}
}

func (c *watched) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	found, ok := c.objects[key.Name]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, key.Name)
	}
	found.(*corev1.Node).DeepCopyInto(o.(*corev1.Node))
	return nil
}

func (c *watched) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	for _, o := range c.objects {
		if options.LabelSelector == nil || options.LabelSelector.Matches(labels.Set(o.GetLabels())) {
			nodes := list.(*corev1.NodeList)
			nodes.Items = append(nodes.Items, *o.(*corev1.Node).DeepCopy())
		}
	}
	return nil
}

func kindName(o runtime.Object) string {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.GetKind()
	}
	return fmt.Sprintf("%T", o)
}
