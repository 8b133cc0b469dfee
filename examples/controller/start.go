package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// provide creates the pods of an operation that are not there, and those that were lost. It
// returns what keeps pods from being created or from running.
func (p *pass) provide(ctx context.Context, op *operation, state *progress) (problem, error) {
	missing := state.missing(op.Ref)
	if len(missing) == 0 && len(state.lost) == 0 {
		return p.unschedulable(ctx, op, state)
	}
	if len(state.pods) == 0 && p.Lookahead {
		// A clock can be wrong: it never waits longer than that.
		if wait := min(settle, settle-time.Since(op.object.GetCreationTimestamp().Time)); wait > 0 {
			p.retry(wait)
			return problem{}, nil
		}
	}
	// The watches may be behind. If the operation is not what they have delivered, they
	// will deliver a change that queues the flow again.
	live, err := p.read(ctx, op.Ref)
	if err != nil || !sameToFlow(live, op) {
		return problem{}, err
	}
	var decision dataflow.Decision
	var strands error
	if len(state.pods) > 0 { // it has been decided
		decision.Affinity = state.pods[0].Spec.Affinity
	} else if decision, strands, err = p.decide(ctx, op); err != nil || decision.State != dataflow.Ready {
		return problem{}, err
	}
	for _, pod := range state.lost {
		if err := p.replace(ctx, op, state, pod); err != nil {
			return failedCreate(err)
		}
	}
	isNew := len(state.pods) == 0
	for _, i := range missing {
		if ctx.Err() != nil || p.calls <= 0 {
			p.retry(retryNow)
			break
		}
		created, err := p.create(ctx, op, newPod(op, i, state.want, 0, decision.Affinity))
		if err != nil {
			return failedCreate(err)
		}
		isNew = isNew && created
	}
	if !isNew {
		return problem{}, nil
	}
	p.metrics.started.WithLabelValues(string(op.Ref.Kind)).Inc()
	log.FromContext(ctx).Info("operation started", "operation", op.Ref.String(), "inherited", decision.Inherited.String(), "missing", decision.Missing)
	source, _ := op.Source()
	if decision.Inherited.Len() > 0 {
		p.normal(op, "Started", fmt.Sprintf("inherits %s from %s", decision.Inherited, source))
	} else {
		p.normal(op, "Started", "inherits nothing")
	}
	if strands != nil {
		p.warn(op, nil, "Strands", "its followers cannot run where it does: "+strands.Error())
	}
	if len(decision.Missing) > 0 {
		p.warn(op, nil, "MissingLabels", fmt.Sprintf("not inherited, because %s did not record them: %s", source, strings.Join(decision.Missing, ", ")))
	}
	return problem{}, nil
}

// failedCreate returns what to report, and whether to try again, after a pod could not be
// created.
func failedCreate(err error) (problem, error) {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return problem{}, nil // the operation goes with it
	case apierrors.IsInvalid(err), errors.As(err, new(*leftoverError)):
		return problem{reasonFailedCreate, err.Error()}, nil // until a watch delivers a change
	}
	return problem{reasonFailedCreate, err.Error()}, err
}

// decide decides from what the API server holds now: the operation, whose flow the watches have
// delivered, its predecessor and its source. What the watches have delivered of these two may
// be of operations that do not exist any more.
func (p *pass) decide(ctx context.Context, op *operation) (decision dataflow.Decision, strands, err error) {
	seen := map[dataflow.Ref]dataflow.Observation{}
	var operations []dataflow.Operation
	for _, ref := range op.names() {
		other, err := p.read(ctx, ref)
		if err != nil {
			return decision, nil, err
		}
		if other == nil || other.fault != nil || !p.AnyNamespace && ref.Namespace != op.Ref.Namespace && !other.allows(op.Ref.Namespace) {
			continue // it waits; the watches will say for what
		}
		seen[ref] = other.Observation
		other.RunAfter = nil
		operations = append(operations, other.Operation.Operation)
	}
	resolve := func(a *corev1.Affinity) (dataflow.Decision, error) {
		this := op.Operation.Operation
		this.Affinity = a
		flow, err := dataflow.New(append(slices.Clone(operations), this)...)
		if err != nil {
			return dataflow.Decision{}, err
		}
		return flow.Resolve(op.Ref, seen)
	}
	decision, err = resolve(op.Affinity)
	if err != nil || !p.Lookahead || decision.State != dataflow.Ready {
		return decision, nil, p.ignoreConflict(err)
	}
	narrowed, err := p.lookahead(op)
	if err == nil {
		var foreseen dataflow.Decision
		if foreseen, err = resolve(narrowed); err == nil {
			return foreseen, nil, nil
		}
	}
	var contradiction *dataflow.ContradictionError
	var conflict *affinity.ConflictError
	if errors.As(err, &contradiction) || errors.As(err, &conflict) {
		return decision, err, nil // nobody can block an operation by following it
	}
	return decision, nil, err
}

// ignoreConflict returns nil for a conflict: what the watches have delivered, or will deliver,
// says so too.
func (p *pass) ignoreConflict(err error) error {
	if conflict := new(affinity.ConflictError); errors.As(err, &conflict) {
		return nil
	}
	return err
}

// settle is how long a new operation waits for its followers, with Lookahead: those that come
// after it has started are too late.
const settle = 2 * time.Second

// lookahead returns the affinity of an operation, narrowed by what its followers in the same
// namespace require. Followers of other namespaces have no say.
func (p *pass) lookahead(op *operation) (*corev1.Affinity, error) {
	if p.foreseen == nil {
		p.foreseen = map[dataflow.Ref]dataflow.LookaheadResult{}
		var operations []dataflow.Operation
		for _, op := range p.flow.operations {
			if _, faulty := p.fault[op.Ref]; faulty || op.finished() {
				continue
			}
			this := op.Operation.Operation
			if source, ok := this.Source(); ok && source.Namespace != this.Ref.Namespace {
				this.RunAfter = nil
			}
			operations = append(operations, this)
		}
		flow, err := dataflow.New(operations...)
		if err != nil {
			return nil, err
		}
		for result := range flow.LookaheadAll() {
			p.foreseen[result.Operation] = result
		}
	}
	result := p.foreseen[op.Ref]
	if cycle := new(dataflow.CycleError); errors.As(result.Err, &cycle) {
		return op.Affinity, nil // of followers, which will not run either
	}
	return result.Affinity, result.Err
}
