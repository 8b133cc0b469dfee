package fluid

import (
	"errors"
	"fmt"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/utils"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// InjectAffinityByRunAfterOp returns the affinity of the pods of an operation in
// opNamespace: its own, which may be nil, and what it inherits by its runAfter. It is
// the Affinity of what [Inherit] returns, and nil with an error.
func InjectAffinityByRunAfterOp(c client.Client, runAfter *datav1alpha1.OperationRef, opNamespace string, currentAffinity *corev1.Affinity) (*corev1.Affinity, error) {
	result, err := Inherit(c, runAfter, opNamespace, currentAffinity)
	return result.Affinity, err
}

// Inherit returns what an operation in opNamespace, whose own affinity is own, inherits
// from the operation that it depends on, or else runs after. It reads the status of
// that operation with c. Without runAfter, and without a policy, the result is a copy
// of own and nothing is read. The result shares no memory with own, with runAfter nor
// with what c returned.
//
// It is an error if the operation to inherit from is not there, is of another kind than
// Fluid's four, is not complete, or has a status.nodeAffinity that Fluid does not write;
// if the strategy is invalid, which the *field.Errors in the error tell; and if no node
// can meet what own requires and what must be inherited, though some could meet the
// former: then it is an *affinity.ConflictError. The result is then zero.
func Inherit(c client.Client, runAfter *datav1alpha1.OperationRef, opNamespace string, own *corev1.Affinity) (affinity.Result, error) {
	if runAfter == nil || runAfter.AffinityStrategy.Policy == datav1alpha1.DefaultAffinityStrategy {
		return affinity.Result{Affinity: own.DeepCopy()}, nil
	}
	source := runAfter.AffinityStrategy.DependOn
	if source == nil {
		source = &runAfter.ObjectRef
	}
	ref := refOf(*source, opNamespace)
	status, err := utils.GetPrecedingOperationStatus(c, source, ref.Namespace)
	if err != nil {
		return affinity.Result{}, err
	}
	if status.Phase != common.PhaseComplete {
		return affinity.Result{}, fmt.Errorf("cannot follow %s: its phase is %q, not %q", ref, status.Phase, common.PhaseComplete)
	}
	exposed, err := topology.FromNodeAffinity(status.NodeAffinity)
	if err != nil {
		return affinity.Result{}, fmt.Errorf("cannot follow %s: its status.nodeAffinity: %w", ref, err)
	}
	result, err := affinity.Inherit(own, strategyOf(runAfter.AffinityStrategy), exposed)
	var conflict *affinity.ConflictError
	if errors.As(err, &conflict) {
		conflict.Source = ref.String()
	}
	return result, err
}
