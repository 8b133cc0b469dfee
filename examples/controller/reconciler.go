package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Reconciler runs operations: it waits for predecessors, creates the pods with the
// affinity that slipstream resolves, and records where they ran.
//
// All that it decides by is in the API server. A reconcile may be cut off anywhere and
// repeated, and several controllers may run at once: names of pods are fixed, and writes
// fail if what they rest on has changed.
type Reconciler struct {
	Cache  client.Reader // what the watches have seen so far
	API    client.Client // what is
	Events events.EventRecorder

	// Lookahead narrows the affinity of an operation by what those that must follow it
	// ask for, so that it does not strand them.
	Lookahead bool

	told sync.Map // what was last told of a dataflow.Ref, so that it is not told again
}

// Reconcile brings one operation as far as it can go now. Where it cannot go on, it
// returns without an error: what it waits for will wake it up (see wakes).
func (r *Reconciler) Reconcile(ctx context.Context, ref dataflow.Ref) (reconcile.Result, error) {
	u := objectOf(ref)
	if err := r.Cache.Get(ctx, client.ObjectKeyFromObject(u), u); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	} else if err != nil || u.GetDeletionTimestamp() != nil || over(phaseOf(u)) {
		r.told.Delete(ref)
		return reconcile.Result{}, nil // its pods are deleted with it
	}
	op, fault := read(u)
	if fault == nil && op.Recurring {
		if phaseOf(u) == "" { // not at every tick
			r.warn(u, nil, "Recurring", "this controller runs no schedules; it leaves the operation, and its status, to another")
		}
		return reconcile.Result{}, nil
	}
	pods, err := r.pods(ctx, u, &op)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case len(pods) == podsOf(u, &op) || slices.ContainsFunc(pods, failed):
		return reconcile.Result{}, r.observe(ctx, u, &op, pods) // whatever has become of the operation since
	case fault != nil:
		r.warn(u, nil, "Invalid", fault.Error())
		return reconcile.Result{}, nil
	}
	return r.start(ctx, u, &op)
}

func over(p dataflow.Phase) bool { return p == dataflow.Complete || p == dataflow.Failed }

func failed(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed }

// pods returns the pods of an operation that the watch has seen.
func (r *Reconciler) pods(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	for i := range podsOf(u, op) {
		var pod corev1.Pod
		err := r.Cache.Get(ctx, client.ObjectKey{Namespace: u.GetNamespace(), Name: podName(refOf(u), i)}, &pod)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil && metav1.IsControlledBy(&pod, u) {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// settle is how long an operation waits for others to come that must follow it, with
// Lookahead: of those that are made after it has started, it cannot know.
const settle = 2 * time.Second

// start creates the pods of an operation if it may run, or tells why it may not.
func (r *Reconciler) start(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation) (reconcile.Result, error) {
	chain, err := r.ancestry(ctx, op)
	if err != nil {
		return reconcile.Result{}, err
	}
	decision, err := r.decide(u, op, chain)
	if err != nil || decision.State != dataflow.Ready {
		return reconcile.Result{}, err
	}
	var strands *affinity.ConflictError
	if r.Lookahead {
		if wait := settle - time.Since(u.GetCreationTimestamp().Time); wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		decision, strands, err = r.foresee(ctx, op, chain, decision)
		if err != nil {
			return reconcile.Result{}, err
		}
	}
	// The operation may be over and its pods cleaned up: then the watch is behind, and what
	// it has yet to see will be another reconcile.
	now := objectOf(op.Ref)
	if err := r.API.Get(ctx, client.ObjectKeyFromObject(now), now); err != nil || now.GetResourceVersion() != u.GetResourceVersion() {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	for i := range podsOf(u, op) {
		pod := pod(u, op, decision.Affinity, i)
		err := r.API.Create(ctx, pod)
		if apierrors.IsAlreadyExists(err) {
			err = r.isOurs(ctx, u, pod)
		}
		if err != nil {
			r.warn(u, nil, "FailedCreate", err.Error())
			if apierrors.IsInvalid(err) {
				err = nil // until the operation is changed
			}
			return reconcile.Result{}, err
		}
	}
	if strands != nil {
		r.warn(u, nil, "Strands", "those that must follow it cannot: "+strands.Error())
	}
	if len(decision.Missing) > 0 {
		source, _ := op.Source()
		r.warn(u, objectOf(source), "MissingLabels", fmt.Sprintf("not followed, as %s does not expose them: %s", source, strings.Join(decision.Missing, ", ")))
	}
	return reconcile.Result{}, nil
}

// isOurs returns nil if a pod that is there already is the operation's, and the watch will
// see it yet.
func (r *Reconciler) isOurs(ctx context.Context, u *unstructured.Unstructured, pod *corev1.Pod) error {
	var there corev1.Pod
	if err := r.API.Get(ctx, client.ObjectKeyFromObject(pod), &there); err != nil {
		return err
	}
	if !metav1.IsControlledBy(&there, u) {
		return fmt.Errorf("there is a pod %s of something else", pod.Name) // perhaps of a deleted operation of this name
	}
	if there.Labels[podLabel] == "" {
		return fmt.Errorf("the pod %s has lost the label %s, without which it is not watched", pod.Name, podLabel)
	}
	return nil
}

// decide returns whether an operation may run and with which affinity. If not, and nothing
// that is under way will change that, it tells so.
func (r *Reconciler) decide(u *unstructured.Unstructured, op *manifest.Operation, chain *chain) (dataflow.Decision, error) {
	decision, err := chain.resolve(op.Ref)
	var conflict *affinity.ConflictError
	var cycle *dataflow.CycleError
	switch {
	case errors.As(err, &conflict):
		source, _ := op.Source()
		r.warn(u, objectOf(source), "Conflict", err.Error())
		return dataflow.Decision{State: dataflow.Blocked}, nil
	case errors.As(err, &cycle):
		r.warn(u, nil, "Invalid", err.Error())
		return dataflow.Decision{State: dataflow.Blocked}, nil
	case err != nil:
		return dataflow.Decision{}, err
	case decision.State == dataflow.Blocked:
		r.warn(u, objectOf(decision.On), "Blocked", fmt.Sprintf("%s failed", decision.On))
	case decision.State == dataflow.Waiting && chain.unknown[decision.On] != nil:
		r.warn(u, objectOf(decision.On), "Waiting", fmt.Sprintf("for %s: %v", decision.On, chain.unknown[decision.On]))
	}
	return decision, nil
}

// foresee returns the decision with an affinity that does not strand those that must follow
// the operation; or as it was, and why they must be stranded, if they ask for what excludes
// each other: nobody can block an operation by following it with contradictory demands.
func (r *Reconciler) foresee(ctx context.Context, op *manifest.Operation, chain *chain, decision dataflow.Decision) (dataflow.Decision, *affinity.ConflictError, error) {
	narrowed, err := r.lookAhead(ctx, op.Operation)
	var foreseen dataflow.Decision
	if err == nil {
		chain.operations[0].Affinity = narrowed
		foreseen, err = chain.resolve(op.Ref)
	}
	var conflict *affinity.ConflictError
	if errors.As(err, &conflict) {
		return decision, conflict, nil
	}
	return foreseen, nil, err
}

// chain is an operation, which comes first, and what is known of those it waits for.
type chain struct {
	operations []dataflow.Operation
	seen       map[dataflow.Ref]dataflow.Observation
	unknown    map[dataflow.Ref]error // why nothing is known of one
}

func (c *chain) resolve(ref dataflow.Ref) (dataflow.Decision, error) {
	flow, err := dataflow.New(c.operations...)
	if err != nil {
		return dataflow.Decision{}, err
	}
	return flow.Resolve(ref, c.seen)
}

// ancestry returns what an operation waits for: what it follows, and what it runs after as
// far as the nearest that is complete. What came before that has run too, and may have
// been cleaned up since.
func (r *Reconciler) ancestry(ctx context.Context, op *manifest.Operation) (*chain, error) {
	c := &chain{[]dataflow.Operation{op.Operation}, map[dataflow.Ref]dataflow.Observation{}, map[dataflow.Ref]error{}}
	add := func(ref dataflow.Ref) (next dataflow.Ref, more bool, err error) {
		if _, again := c.seen[ref]; again || ref == op.Ref {
			return ref, false, nil
		}
		u := objectOf(ref)
		if err := r.Cache.Get(ctx, client.ObjectKeyFromObject(u), u); apierrors.IsNotFound(err) {
			c.unknown[ref] = errors.New("it does not exist")
			return ref, false, nil
		} else if err != nil {
			return ref, false, err
		}
		ancestor, fault := read(u)
		if fault != nil {
			c.unknown[ref] = fault
			return ref, false, nil
		}
		c.seen[ref] = ancestor.Observation
		if ancestor.Observation.Phase == dataflow.Complete {
			ancestor.RunAfter = nil
		}
		c.operations = append(c.operations, ancestor.Operation)
		next, more = ancestor.Predecessor()
		return next, more, nil
	}
	var err error
	for next, more := op.Predecessor(); more && err == nil; {
		next, more, err = add(next)
	}
	if source, ok := op.Source(); ok && err == nil {
		_, before := c.seen[source]
		_, _, err = add(source)
		if !before && c.unknown[source] == nil && c.seen[source].Phase != dataflow.Complete {
			// It may never complete, as it may wait for this one.
			c.unknown[source] = errors.New("dependOn names it, but it does not come before this one")
		}
	}
	return c, err
}

// lookAhead returns the affinity of an operation, narrowed by what those of its namespace that
// come after it, and are not over, force on it. Those of other namespaces are other people's:
// they could ask for a label that no node has.
func (r *Reconciler) lookAhead(ctx context.Context, op dataflow.Operation) (*corev1.Affinity, error) {
	op.RunAfter = nil
	flow, known := []dataflow.Operation{op}, map[dataflow.Ref]bool{op.Ref: true}
	for i := 0; i < len(flow); i++ {
		followers, err := r.followers(ctx, flow[i].Ref)
		if err != nil {
			return nil, err
		}
		for i := range followers {
			follower, fault := read(&followers[i]) // with a fault it will not run, as its own event says
			if fault != nil || known[follower.Ref] || follower.Namespace != op.Namespace || over(follower.Observation.Phase) {
				continue
			}
			known[follower.Ref] = true
			flow = append(flow, follower.Operation)
		}
	}
	narrowed := op.Affinity
	f, err := dataflow.New(flow...)
	if err == nil {
		narrowed, err = f.Lookahead(op.Ref)
	}
	if cycle := new(dataflow.CycleError); errors.As(err, &cycle) {
		return op.Affinity, nil // of those that come after it, which will not run either
	}
	return narrowed, err
}

// observe records how the pods of an operation ended, and where they ran.
func (r *Reconciler) observe(ctx context.Context, u *unstructured.Unstructured, op *manifest.Operation, pods []corev1.Pod) error {
	succeeded := 0
	for i := range pods {
		switch pods[i].Status.Phase {
		case corev1.PodFailed:
			return r.record(ctx, u, dataflow.Failed, nil)
		case corev1.PodSucceeded:
			succeeded++
		}
	}
	if succeeded < len(pods) {
		return r.record(ctx, u, dataflow.Executing, nil)
	}
	if op.Distributed {
		return r.record(ctx, u, dataflow.Complete, nil)
	}
	var node corev1.Node
	if err := r.API.Get(ctx, client.ObjectKey{Name: pods[0].Spec.NodeName}, &node); err != nil {
		// Without its labels others would follow nothing, although they must: try again.
		r.warn(u, &pods[0], "UnknownPlace", err.Error())
		return err
	}
	return r.record(ctx, u, dataflow.Complete, topology.Expose(node.Labels, op.Exposes...).NodeAffinity())
}

// record writes the status, unless the operation is not any more what was read: then the
// watch is behind, and what it has yet to see will be another reconcile.
func (r *Reconciler) record(ctx context.Context, u *unstructured.Unstructured, phase dataflow.Phase, ran *corev1.NodeAffinity) error {
	if phaseOf(u) == phase {
		return nil
	}
	before := u.DeepCopy()
	status, _, _ := unstructured.NestedMap(u.Object, "status")
	if status == nil {
		status = map[string]any{"conditions": []any{}, "duration": "Unfinished"} // Fluid's CRDs require them
	}
	status["phase"] = string(phase)
	if over(phase) {
		status["duration"] = time.Since(u.GetCreationTimestamp().Time).Round(time.Second).String()
	}
	if ran != nil {
		nodeAffinity, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ran)
		if err != nil {
			return err
		}
		status["nodeAffinity"] = nodeAffinity
	}
	u.Object["status"] = status
	err := r.API.Status().Patch(ctx, u, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// warn writes an event, unless it was the last that was written about the object.
func (r *Reconciler) warn(u *unstructured.Unstructured, related runtime.Object, reason, note string) {
	const most = 1000 // bytes; the API server takes 1024
	if len(note) > most {
		note = strings.ToValidUTF8(note[:most], "") + " …"
	}
	now := string(u.GetUID()) + reason + note // another object of the name has its own events
	if last, _ := r.told.Swap(refOf(u), now); last != now {
		r.Events.Eventf(u, related, corev1.EventTypeWarning, reason, "Schedule", "%s", note)
	}
}
