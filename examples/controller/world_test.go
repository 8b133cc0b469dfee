package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// world is an API server, the watches of a controller that lag behind it, and the queue
// of what these woke. Each step is the test's: nothing in it runs by itself.
type world struct {
	t      *testing.T
	api    client.WithWatch    // without faults
	queue  []dataflow.Ref      // what is to be reconciled, each once
	events []string            // Reason Kind namespace/name: note
	writes int                 // of the controller
	fails  func() (when fault) // whether the controller's next call fails
	r      *Reconciler

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
	w := &world{t: t, fails: func() fault { return never }, age: time.Hour}
	builder := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).WithStatusSubresource(&corev1.Pod{})
	for _, kind := range dataflow.Kinds() {
		builder.WithStatusSubresource(objectOf(dataflow.Ref{Kind: kind}))
	}
	w.api = builder.Build()
	w.restart(false)
	return w
}

// restart puts a new controller in place of the old one, with empty caches and all there
// is in its queue.
func (w *world) restart(lookahead bool) {
	for _, old := range w.watches {
		old.Stop()
	}
	w.watches, w.behind, w.queue = nil, nil, nil
	w.cache = &watched{map[string]client.Object{}}
	w.r = &Reconciler{Cache: w.cache, API: w.faulty(), Events: w, Lookahead: lookahead}
	lists := []client.ObjectList{&corev1.PodList{}}
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
			return call(true, func() error { return w.create(o) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return call(true, func() error {
				if err := w.checkVersion(o, p); err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			})
		},
	})
}

// checkVersion refuses a patch of another version than there is, as an API server does. The
// fake one does not for the status of unstructured objects.
func (w *world) checkVersion(o client.Object, p client.Patch) error {
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	var patch metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &patch); err != nil {
		return err
	}
	now := objectOf(refOf(o.(*unstructured.Unstructured)))
	if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(now), now); err != nil {
		return err
	}
	if patch.ResourceVersion != "" && patch.ResourceVersion != now.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{Resource: now.GetKind()}, now.GetName(), errors.New("it has changed"))
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
func (w *world) Eventf(regarding, _ runtime.Object, _, reason, _, note string, args ...any) {
	w.events = append(w.events, fmt.Sprintf("%s %s: %s", reason, refOf(regarding.(*unstructured.Unstructured)), fmt.Sprintf(note, args...)))
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
	w.cache.set(o, gone)
	var concerned []dataflow.Ref
	if _, isPod := o.(*corev1.Pod); !isPod {
		concerned = w.r.wakes(w.t.Context(), o, gone)
	} else if ref, ok := ownerOf(o); ok {
		concerned = []dataflow.Ref{ref}
	}
	for _, ref := range concerned {
		if !slices.Contains(w.queue, ref) {
			w.queue = append(w.queue, ref)
		}
	}
	return true
}

// reconcile takes one operation out of the queue, and puts it back if there is an error.
func (w *world) reconcile(i int) dataflow.Ref {
	ref := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	if _, err := w.r.Reconcile(w.t.Context(), ref); err != nil && !slices.Contains(w.queue, ref) {
		w.queue = append(w.queue, ref)
	}
	return ref
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
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n corev1.Node) bool { return !m.Match(n.Name, n.Labels) })
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

// watched is what the watches have delivered so far.
type watched struct{ objects map[string]client.Object }

func keyOf(kind string, key client.ObjectKey) string { return kind + " " + key.String() }

func kindName(o runtime.Object) string {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.GetKind()
	}
	return fmt.Sprintf("%T", o)
}

func (c *watched) set(o client.Object, gone bool) {
	key := keyOf(kindName(o), client.ObjectKeyFromObject(o))
	if c.objects[key] = o; gone {
		delete(c.objects, key)
	}
}

func (c *watched) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	found, ok := c.objects[keyOf(kindName(o), key)]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: kindName(o)}, key.Name)
	}
	switch o := o.(type) {
	case *unstructured.Unstructured:
		found.(*unstructured.Unstructured).DeepCopyInto(o)
	case *corev1.Pod:
		found.(*corev1.Pod).DeepCopyInto(o)
	default:
		return fmt.Errorf("the controller does not watch %T", o)
	}
	return nil
}

func (c *watched) List(_ context.Context, l client.ObjectList, opts ...client.ListOption) error {
	list := l.(*unstructured.UnstructuredList)
	options := (&client.ListOptions{}).ApplyOptions(opts)
	wanted, ok := options.FieldSelector.RequiresExactMatch(after)
	if !ok {
		return errors.New("not by the index")
	}
	var keys []string
	for key, o := range c.objects {
		if u, ok := o.(*unstructured.Unstructured); ok && u.GetKind() == strings.TrimSuffix(list.GetKind(), "List") && slices.Contains(waitsFor(u), wanted) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		list.Items = append(list.Items, *c.objects[key].DeepCopyObject().(*unstructured.Unstructured))
	}
	return nil
}
