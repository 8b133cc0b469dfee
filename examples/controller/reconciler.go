package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Options are the settings of a Reconciler. The zero value is the strictest.
type Options struct {
	// Lookahead narrows the affinity of an operation by what its followers in the same
	// namespace require, so that it does not strand them.
	Lookahead bool

	// AnyNamespace allows operations to follow those of any other namespace. Without it,
	// the annotation followersAnnotation of the operation that is followed decides.
	AnyNamespace bool

	// Expose holds the label keys that operations may expose, in addition to the built-in
	// three. Values of other labels of nodes reach no tenant.
	Expose []string

	// MaxParallelism is the greatest number of pods of one operation. Zero means 1.
	MaxParallelism int
}

func (o *Options) maxPods() int { return max(1, o.MaxParallelism) }

// Reconciler runs flows: it creates the pods of operations with the affinity that slipstream
// resolves, and records where they ran.
//
// Everything that it decides from is in the API server, so a reconcile may end anywhere and be
// repeated. Several controllers may run at once: the names of pods are fixed, and each write
// fails if what it rests on has changed.
type Reconciler struct {
	Options

	Nodes  client.Reader // cached
	API    client.Client // not cached
	Events events.EventRecorder

	metrics metrics
	index   *index
	noted   sync.Map // the UID of each dataflow.Ref of a recurring operation that an event was written about
}

// callsPerPass bounds how many calls of the API server one reconcile of a flow makes. Then
// it is the turn of other flows.
const callsPerPass = 100

// When a flow is looked at again without an event.
const (
	retryNow      = time.Millisecond       // after other flows
	retryConflict = 100 * time.Millisecond // when the watches are expected to have caught up
)

// pass is one reconcile of a flow.
type pass struct {
	*Reconciler
	flow       *snapshot
	operations map[dataflow.Ref]*operation // of the flow
	seen       map[dataflow.Ref]dataflow.Observation
	fault      map[dataflow.Ref]problem // of operations that must not run
	calls      int                      // how many are left
	after      time.Duration            // when the flow is to be looked at again; 0 for not without an event

	foreseen map[dataflow.Ref]dataflow.LookaheadResult // made when first needed
}

// retry has the flow looked at again after a time, or earlier.
func (p *pass) retry(after time.Duration) {
	if p.after == 0 || after < p.after {
		p.after = after
	}
}

// Reconcile brings the operations of a flow as far as they can go now. What an operation waits
// for is an event of a watch, so nothing is polled.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	root := refOfRequest(req)
	flow := r.index.flow(root)
	if flow == nil {
		return reconcile.Result{}, nil
	}
	p := &pass{Reconciler: r, flow: flow, operations: map[dataflow.Ref]*operation{}, seen: map[dataflow.Ref]dataflow.Observation{}, fault: map[dataflow.Ref]problem{}, calls: callsPerPass}
	err := p.run(ctx, root)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: p.after}, nil
}

func (p *pass) run(ctx context.Context, root dataflow.Ref) error {
	if len(p.flow.operations) == 0 {
		return p.releaseLeftovers(ctx, root, "")
	}
	// What has succeeded or failed is recorded before anything is decided.
	states := map[dataflow.Ref]*progress{}
	for ref, op := range p.flow.named {
		p.seen[ref] = op.Observation
	}
	for _, op := range p.flow.operations {
		p.operations[op.Ref], states[op.Ref] = op, progressOf(op, p.flow.pods[op.Ref], p.maxPods())
		p.seen[op.Ref] = op.Observation
		if !op.finished() && !op.Recurring { // what the pods say is newer than the status
			p.seen[op.Ref] = dataflow.Observation{}
			if len(states[op.Ref].pods) > 0 {
				p.seen[op.Ref] = dataflow.Observation{Phase: dataflow.Executing}
			}
		}
	}
	err := p.each(ctx, func(op *operation) error { return p.record(ctx, op, states[op.Ref]) })

	resolutions := map[dataflow.Ref]dataflow.Resolution{}
	for resolution := range p.resolvable().ResolveAll(p.seen) {
		resolutions[resolution.Operation] = resolution
	}
	return errors.Join(err, p.each(ctx, func(op *operation) error {
		state := states[op.Ref]
		if state.recorded || op.finished() || op.deleting() {
			return nil
		}
		if fault, ok := p.fault[op.Ref]; ok {
			if len(state.pods) > len(state.lost) {
				fault = problem{} // not of the pods that it has
			}
			return p.report(ctx, op, state, fault)
		}
		return p.proceed(ctx, op, state, resolutions[op.Ref])
	}))
}

// each calls a function for the operations of the flow that this controller runs, until the
// calls of this pass are used up. A large flow is entered at another operation each time, so
// that no operation is always left out.
func (p *pass) each(ctx context.Context, do func(*operation) error) error {
	var errs []error
	all, first := p.flow.operations, 0
	if len(all) > callsPerPass/4 {
		first = rand.IntN(len(all))
	}
	for i := range all {
		op := all[(first+i)%len(all)]
		if op.Recurring {
			if _, noted := p.noted.Swap(op.Ref, op.uid()); !noted {
				p.warn(op, nil, "Recurring", "this controller runs no schedules; it leaves the operation, and its status, to another one")
			}
			continue
		}
		if p.calls <= 0 || ctx.Err() != nil {
			p.retry(retryNow)
			break
		}
		if err := do(op); err != nil {
			p.calls--
			errs = append(errs, fmt.Errorf("%s: %w", op.Ref, err))
		}
	}
	return errors.Join(errs...)
}

// resolvable returns the flow without the operations that must not run by themselves, and
// notes why they must not.
func (p *pass) resolvable() *dataflow.Flow {
	var sound []dataflow.Operation
	for _, op := range p.flow.operations {
		fault := op.fault
		if limit := p.maxPods(); fault == nil && op.pods > limit {
			fault = fmt.Errorf("spec.parallelism: Invalid value: %d: must be at most %d, the limit of this controller", op.pods, limit)
		}
		switch refused, ok := p.flow.refused[op.Ref]; {
		case fault != nil:
			p.fault[op.Ref] = problem{reasonInvalid, fault.Error()}
		case ok:
			p.fault[op.Ref] = problem{reasonNotAllowed, fmt.Sprintf("%s does not exist, or its annotation %s does not allow namespace %s", refused, followersAnnotation, op.Ref.Namespace)}
		default:
			sound = append(sound, op.Operation.Operation)
		}
	}
	flow, err := dataflow.New(sound...)
	if err == nil {
		return flow
	}
	for _, err := range dataflow.Faults(err) {
		if cycle := new(dataflow.CycleError); errors.As(err, &cycle) {
			for _, ref := range cycle.Operations {
				p.fault[ref] = problem{reasonInvalid, err.Error()}
			}
		}
	}
	sound = slices.DeleteFunc(sound, func(op dataflow.Operation) bool { _, faulty := p.fault[op.Ref]; return faulty })
	flow, err = dataflow.New(sound...)
	if err != nil { // a fault of one operation that Check does not find
		for _, op := range sound {
			p.fault[op.Ref] = problem{reasonInvalid, err.Error()}
		}
	}
	return flow
}

// record records how an operation ended, if it did, and lets go of pods that are deleted and
// not needed any more.
func (p *pass) record(ctx context.Context, op *operation, state *progress) error {
	if state.leftovers {
		if err := p.releaseLeftovers(ctx, op.Ref, op.uid()); err != nil {
			return err
		}
	}
	if op.finished() || op.deleting() {
		return p.release(ctx, state.deleted...)
	}
	s := statusOf(op)
	switch {
	case state.failed != "":
		s.finish(dataflow.Failed, state.failed, op.object.GetCreationTimestamp().Time)
	case state.succeeded < state.want:
		return nil
	default:
		s.NodeAffinity = nil
		if state.want == 1 {
			place, err := p.place(ctx, op, state.pods[0].Spec.NodeName)
			if err != nil {
				return err
			}
			s.NodeAffinity = place
			if place == nil { // the node is gone, and with it what was stored there
				s.NodeAffinity = statusOf(op).NodeAffinity
				p.warn(op, state.pods[0], "UnknownPlace", fmt.Sprintf("the node %q does not exist any more, so followers inherit only what was recorded when the pod started", state.pods[0].Spec.NodeName))
			}
		}
		s.finish(dataflow.Complete, "completed"+on(state.pods[0]), op.object.GetCreationTimestamp().Time)
	}
	written, err := p.write(ctx, op, s)
	if err != nil || !written {
		state.recorded = true // not now; a new version of the operation is on its way
		return err
	}
	if s.Phase == dataflow.Failed {
		p.warn(op, nil, "Failed", state.failed)
	}
	labels, err := topology.FromNodeAffinity(s.NodeAffinity)
	p.seen[op.Ref] = dataflow.Observation{Phase: s.Phase, Labels: labels}
	state.recorded = true
	return errors.Join(err, p.release(ctx, state.deleted...))
}

// place reads where an operation runs from the node itself. It is nil if the node does not
// exist any more.
func (p *pass) place(ctx context.Context, op *operation, name string) (*corev1.NodeAffinity, error) {
	var node corev1.Node
	p.calls--
	if err := p.API.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return p.expose(op, node.Labels), nil
}

// expose returns what an operation records of the labels of its node.
func (p *pass) expose(op *operation, labels map[string]string) *corev1.NodeAffinity {
	allowed := slices.DeleteFunc(slices.Clone(op.Exposes), func(key string) bool { return !slices.Contains(p.Expose, key) })
	return topology.Expose(labels, allowed...).NodeAffinity()
}

// proceed does what is next for an operation that has not ended, and reports what keeps it from
// that.
func (p *pass) proceed(ctx context.Context, op *operation, state *progress, resolution dataflow.Resolution) error {
	var found problem
	var conflict *affinity.ConflictError
	switch {
	case errors.As(resolution.Err, &conflict):
		found = problem{reasonConflict, conflict.Error()}
	case resolution.Err != nil:
		return resolution.Err
	case resolution.State == dataflow.Waiting:
		return p.wait(ctx, op, state, resolution.Cause)
	case resolution.State == dataflow.Blocked:
		found = problem{reasonBlocked, p.name(op, resolution.Cause) + " failed"}
	default: // Ready or Running
		var err error
		if found, err = p.provide(ctx, op, state); err != nil && found == (problem{}) {
			return err
		} else if err != nil {
			return errors.Join(err, p.report(ctx, op, state, found))
		}
	}
	return p.report(ctx, op, state, found)
}

// name returns the name of another operation for a message to the owners of one. What they do
// not name themselves, and is not theirs, stays unnamed.
func (p *pass) name(op *operation, other dataflow.Ref) string {
	if other.Namespace != op.Ref.Namespace && !slices.Contains(op.names(), other) {
		return "an operation of another namespace"
	}
	return other.String()
}

// wait reports what an operation waits for, unless that will come by itself.
func (p *pass) wait(ctx context.Context, op *operation, state *progress, cause dataflow.Ref) error {
	var found problem
	switch _, exists := p.seen[cause]; {
	case !exists:
		found = problem{reasonWaiting, fmt.Sprintf("for %s: it does not exist", cause)}
		s := statusOf(op)
		if s.stalled() == found {
			return nil
		}
		if other, err := p.read(ctx, cause); err != nil || other != nil {
			return err // a watch will deliver it
		}
	case p.fault[cause] != (problem{}):
		found = problem{reasonWaiting, fmt.Sprintf("for %s, which cannot run", cause)}
	case !p.isAncestor(cause, op): // it may never complete, because it may wait for this one
		found = problem{reasonWaiting, fmt.Sprintf("for %s: dependOn names it, but it is not an ancestor of this operation", cause)}
	}
	return p.report(ctx, op, state, found)
}

// isAncestor reports whether one operation comes before another.
func (p *pass) isAncestor(ancestor dataflow.Ref, op *operation) bool {
	for {
		predecessor, ok := op.Predecessor()
		if ok && predecessor == ancestor {
			return true
		}
		if op = p.operations[predecessor]; !ok || op == nil || p.fault[predecessor] != (problem{}) { // perhaps in a cycle
			return false
		}
	}
}

// report writes the phase of an operation that has not ended, and whether it is stalled.
func (p *pass) report(ctx context.Context, op *operation, state *progress, found problem) error {
	s := statusOf(op)
	switch {
	case state.running:
		if s.Phase != dataflow.Executing && state.want == 1 { // in case the node is gone when the pod has succeeded
			var node corev1.Node
			if err := p.Nodes.Get(ctx, client.ObjectKey{Name: state.pods[0].Spec.NodeName}, &node); err == nil {
				s.NodeAffinity = p.expose(op, node.Labels)
			}
		}
		s.Phase = dataflow.Executing
	case s.Phase == dataflow.Executing: // its pod was lost
		s.Phase, s.NodeAffinity = dataflow.Pending, nil
	case found != (problem{}):
		s.Phase = dataflow.Pending
	}
	s.setStalled(found)
	_, err := p.write(ctx, op, s)
	return err
}

// read reads an operation from the API server. It is nil if it does not exist.
func (p *pass) read(ctx context.Context, ref dataflow.Ref) (*operation, error) {
	p.calls--
	u := objectOf(ref)
	if err := p.API.Get(ctx, client.ObjectKeyFromObject(u), u); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return decode(u), nil
}

func (p *pass) warn(op *operation, related runtime.Object, reason, note string) {
	p.Events.Eventf(op.object, related, corev1.EventTypeWarning, reason, "Schedule", "%s", note)
}

func (p *pass) normal(op *operation, reason, note string) {
	p.Events.Eventf(op.object, nil, corev1.EventTypeNormal, reason, "Schedule", "%s", note)
}
