package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Reconciler runs the operations of one kind: it waits for predecessors, creates the
// pods with the affinity that slipstream resolves, and records where they ran.
//
// All it knows is in the API server. A reconcile may be cut off anywhere and repeated.
type Reconciler struct {
	client.Client               // its reads come from a cache
	Live          client.Reader // its reads do not
	Events        events.EventRecorder
	Kind          dataflow.Kind

	// Lookahead narrows the affinity of an operation by what those that must follow it
	// ask for, so that it does not strand them.
	Lookahead bool
}

// Reconcile brings one operation as far as it can go now.
func (r *Reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	u := objectOf(r.Kind)
	if err := r.Get(ctx, request.NamespacedName, u); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	op, err := read(u)
	switch {
	case err != nil:
		r.warn(u, "Invalid", err)
		return reconcile.Result{}, nil // until somebody changes it
	case u.GetDeletionTimestamp() != nil, isOver(op.Observation.Phase):
		return reconcile.Result{}, nil
	}
	pods, err := r.pods(ctx, u, &op)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(pods) == podsOf(u, &op) {
		return reconcile.Result{}, r.observe(ctx, u, &op, pods)
	}
	return reconcile.Result{}, r.start(ctx, u, &op)
}

func isOver(p dataflow.Phase) bool { return p == dataflow.Complete || p == dataflow.Failed }

// start creates the pods of an operation that may start, or says why it cannot.
func (r *Reconciler) start(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation) error {
	flow, seen, err := r.flow(ctx, op)
	var decision dataflow.Decision
	if err == nil {
		decision, err = flow.Resolve(op.Ref, seen)
	}
	var conflict *affinity.ConflictError
	var fault *dataflow.OperationError
	var cycle *dataflow.CycleError
	switch {
	case errors.As(err, &conflict):
		r.warn(u, "Conflict", err)
		return nil
	case errors.As(err, &fault), errors.As(err, &cycle):
		r.warn(u, "Invalid", err)
		return nil
	case err != nil:
		return err
	case decision.State == dataflow.Blocked:
		r.warn(u, "Blocked", fmt.Errorf("%s failed", decision.On))
		return nil
	case decision.State == dataflow.Waiting:
		return nil // whoever completes wakes it up
	}
	if len(decision.Missing) > 0 {
		r.warn(u, "MissingLabels", fmt.Errorf("not inherited, as the source does not expose them: %s", strings.Join(decision.Missing, ", ")))
	}
	for i := range podsOf(u, op) {
		pod := podOf(u, op, decision.Affinity, i)
		err := r.Create(ctx, pod)
		if apierrors.IsAlreadyExists(err) {
			err = r.isOurs(ctx, u, pod)
		}
		if apierrors.IsInvalid(err) {
			r.warn(u, "Invalid", err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return r.record(ctx, u, dataflow.Executing, nil)
}

// isOurs tells whether a pod that is there already is the operation's, which the cache has
// not seen yet, or of another that had its name.
func (r *Reconciler) isOurs(ctx context.Context, u *unstructured.Unstructured, pod *corev1.Pod) error {
	var there corev1.Pod
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(pod), &there); err != nil {
		return err
	}
	if !metav1.IsControlledBy(&there, u) {
		return fmt.Errorf("the pod %s belongs to another object", pod.Name)
	}
	return nil
}

// flow returns the operation in its flow, with what is known of its ancestors.
func (r *Reconciler) flow(ctx context.Context, op *manifest.Operation) (*dataflow.Flow, map[dataflow.Ref]dataflow.Observation, error) {
	seen := map[dataflow.Ref]dataflow.Observation{}
	operations := []dataflow.Operation{op.Operation}
	for next, ok := op.Predecessor(); ok; {
		if _, circle := seen[next]; circle || next == op.Ref {
			break // New says so
		}
		u := objectOf(next.Kind)
		if err := r.Get(ctx, client.ObjectKey{Namespace: next.Namespace, Name: next.Name}, u); client.IgnoreNotFound(err) != nil {
			return nil, nil, err
		}
		predecessor, err := read(u)
		seen[next] = predecessor.Observation
		if err != nil {
			break // it is not there, or not yet, or invalid, which is for its own event to say
		}
		operations = append(operations, predecessor.Operation)
		next, ok = predecessor.Predecessor()
	}
	if r.Lookahead {
		if err := r.lookAhead(ctx, operations); err != nil {
			return nil, nil, err
		}
	}
	flow, err := dataflow.New(operations...)
	return flow, seen, err
}

// lookAhead narrows the affinity of the first operation by what all that come after it
// force on it.
func (r *Reconciler) lookAhead(ctx context.Context, operations []dataflow.Operation) error {
	later := []dataflow.Operation{operations[0]}
	known := map[dataflow.Ref]bool{operations[0].Ref: true}
	for from := 0; from < len(later); from++ {
		followers, err := followers(ctx, r, later[from].Ref)
		if err != nil {
			return err
		}
		for i := range followers {
			follower, err := read(&followers[i])
			if err == nil && !known[follower.Ref] {
				known[follower.Ref] = true
				later = append(later, follower.Operation)
			}
		}
	}
	later[0].RunAfter = nil // what comes before is not looked at
	flow, err := dataflow.New(later...)
	if err != nil {
		return nil // something is wrong with what comes later, which is for its own event to say
	}
	operations[0].Affinity, err = flow.Lookahead(operations[0].Ref)
	return err
}

// pods returns the pods of an operation that the cache has.
func (r *Reconciler) pods(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	for i := range podsOf(u, op) {
		var pod corev1.Pod
		err := r.Get(ctx, client.ObjectKey{Namespace: op.Namespace, Name: podName(op.Ref, i)}, &pod)
		switch {
		case client.IgnoreNotFound(err) != nil:
			return nil, err
		case metav1.IsControlledBy(&pod, u):
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// observe records how the pods of an operation ended, and where they ran.
func (r *Reconciler) observe(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation, pods []corev1.Pod) error {
	for i := range pods {
		switch pods[i].Status.Phase {
		case corev1.PodFailed:
			return r.record(ctx, u, dataflow.Failed, nil)
		case corev1.PodSucceeded:
		default:
			return nil // it runs, or waits for a node
		}
	}
	if op.Distributed || op.Recurring {
		return r.record(ctx, u, dataflow.Complete, nil)
	}
	var node corev1.Node
	if err := r.Live.Get(ctx, client.ObjectKey{Name: pods[0].Spec.NodeName}, &node); err != nil {
		return fmt.Errorf("where %s ran is not known: %w", op.Ref, err)
	}
	return r.record(ctx, u, dataflow.Complete, topology.Expose(node.Labels, op.Exposes...).NodeAffinity())
}

// record writes the status, unless the operation is not any more what was read: then
// there is an error, and another reconcile.
func (r *Reconciler) record(ctx context.Context, u *unstructured.Unstructured, phase dataflow.Phase, ran *corev1.NodeAffinity) error {
	status := map[string]any{"phase": string(phase), "conditions": []any{}, "duration": ""}
	if ran != nil {
		nodeAffinity, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ran)
		if err != nil {
			return err
		}
		status["nodeAffinity"] = nodeAffinity
	}
	recorded := u.DeepCopy()
	recorded.Object["status"] = status
	return r.Status().Patch(ctx, recorded, client.MergeFromWithOptions(u, client.MergeFromWithOptimisticLock{}))
}

// warn writes an event. What is the same as before is counted, not written again.
func (r *Reconciler) warn(u *unstructured.Unstructured, reason string, err error) {
	const most = 1000 // characters in a note
	note := err.Error()
	r.Events.Eventf(u, nil, corev1.EventTypeWarning, reason, "Schedule", "%s", note[:min(most, len(note))])
}

// after is the name of the index of what operations wait for.
const after = "after"

// followers returns the operations that wait for ref.
func followers(ctx context.Context, c client.Reader, ref dataflow.Ref) ([]unstructured.Unstructured, error) {
	var found []unstructured.Unstructured
	for _, kind := range dataflow.Kinds() {
		list := listOf(kind)
		if err := c.List(ctx, list, client.MatchingFields{after: ref.String()}); err != nil {
			return nil, err
		}
		found = append(found, list.Items...)
	}
	return found, nil
}

// waitsFor is what the index holds for an operation.
func waitsFor(o client.Object) []string {
	op, err := read(o.(*unstructured.Unstructured))
	if err != nil {
		return nil
	}
	var refs []string
	if predecessor, ok := op.Predecessor(); ok {
		refs = append(refs, predecessor.String())
	}
	if source, ok := op.Source(); ok && op.RunAfter.DependOn != nil {
		refs = append(refs, source.String())
	}
	return refs
}

// Setup adds reconcilers of all kinds to a manager.
func Setup(ctx context.Context, m manager.Manager, lookahead bool) error {
	cached, err := client.New(m.GetConfig(), client.Options{
		HTTPClient: m.GetHTTPClient(), Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(),
		Cache: &client.CacheOptions{Reader: m.GetCache(), Unstructured: true},
	})
	if err != nil {
		return err
	}
	for _, kind := range dataflow.Kinds() {
		if err := m.GetFieldIndexer().IndexField(ctx, objectOf(kind), after, waitsFor); err != nil {
			return err
		}
	}
	for _, kind := range dataflow.Kinds() {
		r := &Reconciler{
			Client: cached, Live: m.GetAPIReader(), Events: m.GetEventRecorder("slipstream"), Kind: kind, Lookahead: lookahead,
		}
		b := builder.ControllerManagedBy(m).Named(string(kind)).For(objectOf(kind)).Owns(&corev1.Pod{})
		for _, other := range dataflow.Kinds() {
			b.Watches(objectOf(other), handler.EnqueueRequestsFromMapFunc(r.wakeFollowers))
		}
		if err := b.Complete(r); err != nil {
			return err
		}
	}
	return nil
}

// wakeFollowers returns the operations of the reconciler's kind that an operation that is
// over has kept waiting; if it failed, also those that wait for them.
func (r *Reconciler) wakeFollowers(ctx context.Context, o client.Object) []reconcile.Request {
	op, err := read(o.(*unstructured.Unstructured))
	if err != nil || !isOver(op.Observation.Phase) {
		return nil
	}
	var requests []reconcile.Request
	woken := map[dataflow.Ref]bool{op.Ref: true}
	for line := []dataflow.Ref{op.Ref}; len(line) > 0; line = line[1:] {
		later, err := followers(ctx, r, line[0])
		if err != nil {
			log.FromContext(ctx).Error(err, "who follows is not known", "operation", line[0].String())
			return requests
		}
		for i := range later {
			ref := dataflow.Ref{Kind: dataflow.Kind(later[i].GetKind()), Namespace: later[i].GetNamespace(), Name: later[i].GetName()}
			if woken[ref] {
				continue
			}
			woken[ref] = true
			if ref.Kind == r.Kind {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}})
			}
			if op.Observation.Phase == dataflow.Failed {
				line = append(line, ref)
			}
		}
	}
	return requests
}
