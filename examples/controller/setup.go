package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// installed returns the kinds of operations whose CRDs are installed. The others are left out
// until the controller is started again.
func installed(c *rest.Config) ([]dataflow.Kind, error) {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(c, client)
	if err != nil {
		return nil, err
	}
	var kinds []dataflow.Kind
	for _, kind := range dataflow.Kinds() {
		gvk := kindOf(kind)
		if _, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version); err == nil {
			kinds = append(kinds, kind)
		} else if !meta.IsNoMatchError(err) {
			return nil, err
		}
	}
	if len(kinds) == 0 {
		return nil, fmt.Errorf("no kind of operation of %s is installed", kindOf("").GroupVersion())
	}
	return kinds, nil
}

// Setup adds a controller of kinds of operations to a manager.
func Setup(m manager.Manager, kinds []dataflow.Kind, options Options, workers int) error {
	api, err := client.New(m.GetConfig(), client.Options{HTTPClient: m.GetHTTPClient(), Scheme: m.GetScheme(), Mapper: m.GetRESTMapper()})
	if err != nil {
		return err
	}
	recorder, err := recorderFor(m)
	if err != nil {
		return err
	}
	counters, err := newMetrics(crmetrics.Registry)
	if err != nil {
		return err
	}
	r := &Reconciler{Options: options, Nodes: m.GetCache(), API: api, Events: recorder, metrics: counters, index: newIndex(options.AnyNamespace)}
	b := builder.ControllerManagedBy(m).Named("dataflow").WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	m.GetLogger().Info("kinds that are installed", "kinds", kinds)
	for _, kind := range kinds {
		b.Watches(objectOf(dataflow.Ref{Kind: kind}), handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
			u := objectOf(dataflow.Ref{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()})
			return r.onOperation(u, m.GetCache().Get(ctx, client.ObjectKeyFromObject(o), u) == nil)
		}))
	}
	b.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var pod corev1.Pod
		return r.onPod(o, &pod, m.GetCache().Get(ctx, client.ObjectKeyFromObject(o), &pod) == nil)
	}))
	return b.Complete(r)
}

// onOperation is called for each event of an operation, with its newest version. It returns
// the flows that have to be looked at.
func (r *Reconciler) onOperation(u *unstructured.Unstructured, exists bool) []reconcile.Request {
	var op *operation
	if exists {
		op = decode(u)
	} else {
		r.noted.Delete(refOf(u))
	}
	var requests []reconcile.Request
	for _, root := range r.index.setOperation(refOf(u), op) {
		requests = append(requests, requestFor(root))
	}
	return requests
}

// onPod is called for each event of a pod, with its newest version.
func (r *Reconciler) onPod(event client.Object, newest *corev1.Pod, exists bool) []reconcile.Request {
	owner, ok := ownerOf(event)
	if !ok {
		return nil
	}
	if !exists {
		newest = nil
	}
	if root, changed := r.index.setPod(owner, event.GetName(), newest); changed {
		return []reconcile.Request{requestFor(root)}
	}
	return nil
}

// recorderFor returns a recorder of events that lasts as long as the manager runs.
func recorderFor(m manager.Manager) (events.EventRecorder, error) {
	clientset, err := kubernetes.NewForConfigAndClient(m.GetConfig(), m.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: clientset.EventsV1()})
	return broadcaster.NewRecorder(m.GetScheme(), "slipstream"), m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		broadcaster.StartRecordingToSink(ctx.Done())
		<-ctx.Done()
		broadcaster.Shutdown()
		return nil
	}))
}
