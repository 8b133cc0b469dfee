package main

import (
	"context"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Setup adds a controller of all kinds of operations to a manager.
func Setup(ctx context.Context, m manager.Manager, lookahead bool) error {
	api, err := client.New(m.GetConfig(), client.Options{HTTPClient: m.GetHTTPClient(), Scheme: m.GetScheme(), Mapper: m.GetRESTMapper()})
	if err != nil {
		return err
	}
	r := &Reconciler{Cache: m.GetCache(), API: api, Events: m.GetEventRecorder("slipstream"), Lookahead: lookahead}
	b := builder.TypedControllerManagedBy[dataflow.Ref](m).Named("dataflow").
		WithOptions(controller.TypedOptions[dataflow.Ref]{MaxConcurrentReconciles: 4}).
		WithLogConstructor(func(ref *dataflow.Ref) logr.Logger {
			if ref == nil {
				return m.GetLogger()
			}
			return m.GetLogger().WithValues("operation", ref.String())
		})
	for _, kind := range dataflow.Kinds() {
		if err := m.GetFieldIndexer().IndexField(ctx, objectOf(dataflow.Ref{Kind: kind}), after, waitsFor); err != nil {
			return err
		}
		b.Watches(objectOf(dataflow.Ref{Kind: kind}), onEvents(r.wakes))
	}
	b.Watches(&corev1.Pod{}, onEvents(func(_ context.Context, pod client.Object, _ bool) []dataflow.Ref {
		if ref, ok := ownerOf(pod); ok {
			return []dataflow.Ref{ref}
		}
		return nil
	}))
	return b.Complete(r)
}

// onEvents queues the operations that a change of an object concerns.
func onEvents(concerned func(ctx context.Context, o client.Object, gone bool) []dataflow.Ref) handler.TypedEventHandler[client.Object, dataflow.Ref] {
	type queue = workqueue.TypedRateLimitingInterface[dataflow.Ref]
	add := func(ctx context.Context, o client.Object, gone bool, q queue) {
		for _, ref := range concerned(ctx, o, gone) {
			q.Add(ref)
		}
	}
	return handler.TypedFuncs[client.Object, dataflow.Ref]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[client.Object], q queue) {
			add(ctx, e.Object, false, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[client.Object], q queue) {
			add(ctx, e.ObjectNew, false, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[client.Object], q queue) {
			add(ctx, e.Object, true, q)
		},
	}
}

// wakes returns the operations that a change of one concerns: itself; if it is complete,
// those that wait for it; and unless it is under way, also those that wait for them, as
// it may have failed, have come at last, or run after something else now.
func (r *Reconciler) wakes(ctx context.Context, o client.Object, gone bool) []dataflow.Ref {
	u := o.(*unstructured.Unstructured)
	woken := []dataflow.Ref{refOf(u)}
	known := map[dataflow.Ref]bool{woken[0]: true}
	phase := phaseOf(u)
	if !gone && (phase == dataflow.Pending || phase == dataflow.Executing) {
		return woken
	}
	for i := 0; i < len(woken) && (i == 0 || phase != dataflow.Complete); i++ {
		followers, err := r.followers(ctx, woken[i])
		if err != nil { // the cache has stopped
			log.FromContext(ctx).Error(err, "who waits is not known", "operation", woken[i].String())
			break
		}
		for i := range followers {
			if ref := refOf(&followers[i]); !known[ref] {
				known[ref] = true
				woken = append(woken, ref)
			}
		}
	}
	return woken
}

// followers returns the operations that wait for one.
func (r *Reconciler) followers(ctx context.Context, ref dataflow.Ref) ([]unstructured.Unstructured, error) {
	var found []unstructured.Unstructured
	for _, kind := range dataflow.Kinds() {
		list := listOf(kind)
		if err := r.Cache.List(ctx, list, client.MatchingFields{after: ref.String()}); err != nil {
			return nil, err
		}
		found = append(found, list.Items...)
	}
	return found, nil
}

// after is the name of the index of what operations wait for.
const after = "after"

// waitsFor is what the index holds for an operation.
func waitsFor(o client.Object) []string {
	op, _ := read(o.(*unstructured.Unstructured))
	var refs []string
	if predecessor, ok := op.Predecessor(); ok {
		refs = append(refs, predecessor.String())
	}
	if source, ok := op.Source(); ok && op.RunAfter.DependOn != nil {
		refs = append(refs, source.String())
	}
	return refs
}
