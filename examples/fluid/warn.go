package fluid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fluid-cloudnative/fluid/pkg/utils"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The reasons of the events that Warn writes, in addition to the codes of dataflow.Problem.
const (
	Conflict      = "Conflict"      // no node can meet what it asks for and what it must inherit
	MissingLabels = "MissingLabels" // labels that it asks for were not recorded where its source ran
	Blocked       = "Blocked"       // an operation that it runs after has failed
	InvalidStatus = "InvalidStatus" // status.nodeAffinity of its source is not as Fluid writes it
)

// Warn writes a warning, as an event on the operation, for everything in the way it follows
// others that cannot work or will not do what it says: each of dataflow.Check's problems with
// it, the code being the reason, and, once it may start, the labels that it misses and the
// requirements that no node can meet. It reads what the operation runs after, directly or
// through others, and what it inherits from with c. That one of them is not there yet is no
// problem.
//
// The error is that of c, or that the object is no operation. No event is written then.
func Warn(ctx context.Context, c client.Reader, recorder record.EventRecorder, object client.Object) error {
	op, err := Operation(object)
	if err != nil {
		return err
	}
	chain, err := chainOf(ctx, c, op)
	if err != nil {
		return err
	}
	warn := func(reason, format string, args ...any) {
		recorder.Eventf(object, corev1.EventTypeWarning, reason, format, args...)
	}
	for _, p := range dataflow.Check(chain.operations...) {
		concerns := p.Operation == op.Ref || p.Code == dataflow.CodeCycle // which all in it wait for
		if concerns && p.Code != dataflow.CodeUnknownPredecessor {
			warn(string(p.Code), "%s: %s", p.Field, p.Message)
		}
	}
	flow, err := dataflow.New(chain.operations...)
	if err != nil {
		return nil // said above, or to be said of the operation whose fault it is
	}
	if chain.unreadable != nil {
		warn(InvalidStatus, "nothing can be inherited: %v", chain.unreadable)
		return nil
	}
	decision, err := flow.Resolve(op.Ref, chain.seen)
	var conflict *affinity.ConflictError
	switch {
	case errors.As(err, &conflict):
		warn(Conflict, "%v", conflict)
	case err != nil:
		return err
	case decision.State == dataflow.Blocked:
		warn(Blocked, "%s failed, so that this never starts", decision.Cause)
	case len(decision.Missing) > 0:
		warn(MissingLabels, "not inherited, as they were not recorded: %s", strings.Join(decision.Missing, ", "))
	}
	return nil
}

// chain is an operation and what it runs after, as far as it is there.
type chain struct {
	operations []dataflow.Operation
	seen       map[dataflow.Ref]dataflow.Observation
	unreadable error // what in the status of the source is not as Fluid writes it
}

func chainOf(ctx context.Context, c client.Reader, op dataflow.Operation) (chain, error) {
	found := chain{operations: []dataflow.Operation{op}, seen: map[dataflow.Ref]dataflow.Observation{}}
	source, inherits := op.Source()
	for next, ok := op.Predecessor(); ok && next != op.Ref; {
		if _, circle := found.seen[next]; circle {
			break
		}
		object, err := found.observe(ctx, c, next, inherits && next == source)
		if err != nil {
			return found, err
		}
		if object == nil {
			break
		}
		predecessor, err := Operation(object)
		if err != nil {
			return found, err
		}
		found.operations = append(found.operations, predecessor)
		next, ok = predecessor.Predecessor()
	}
	if _, known := found.seen[source]; inherits && !known {
		_, err := found.observe(ctx, c, source, true)
		return found, err
	}
	return found, nil
}

// observe reads an operation and notes what is known of it. It is nil if it is not there.
func (found *chain) observe(ctx context.Context, c client.Reader, ref dataflow.Ref, isSource bool) (client.Object, error) {
	found.seen[ref] = dataflow.Observation{}
	object := objectOf(ref.Kind)
	if object == nil {
		return nil, nil // a reference to another kind, which no API server lets through
	}
	err := c.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	status, err := utils.GetOperationStatus(object)
	if err != nil {
		return nil, err
	}
	observation := dataflow.Observation{Phase: dataflow.Phase(status.Phase)}
	if isSource {
		observation.Labels, err = topology.FromNodeAffinity(status.NodeAffinity)
		if err != nil {
			found.unreadable = fmt.Errorf("status.nodeAffinity of %s: %w", ref, err)
		}
	}
	found.seen[ref] = observation
	return object, nil
}
