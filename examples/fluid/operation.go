package fluid

import (
	"fmt"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Operation returns what matters for the dataflow of a DataLoad, DataMigrate, DataProcess
// or DataBackup. Another object is an error. What is returned shares memory with the
// object.
//
// The keys that the operation exposes are those that its annotation names, malformed ones
// included, so that dataflow.Check can report them.
func Operation(object client.Object) (dataflow.Operation, error) {
	op := dataflow.Operation{Ref: dataflow.Ref{Namespace: object.GetNamespace(), Name: object.GetName()}}
	var runAfter *datav1alpha1.OperationRef
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		op.Kind, runAfter = dataflow.DataLoad, o.Spec.RunAfter
		op.Affinity, op.NodeSelector, op.Tolerations = o.Spec.Affinity, o.Spec.NodeSelector, o.Spec.Tolerations
		op.Recurring = o.Spec.Policy == datav1alpha1.Cron
	case *datav1alpha1.DataMigrate:
		op.Kind, runAfter = dataflow.DataMigrate, o.Spec.RunAfter
		op.Affinity, op.NodeSelector, op.Tolerations = o.Spec.Affinity, o.Spec.NodeSelector, o.Spec.Tolerations
		op.Recurring = o.Spec.Policy == datav1alpha1.Cron
		op.Distributed = o.Spec.Parallelism > 1
	case *datav1alpha1.DataProcess:
		op.Kind, runAfter = dataflow.DataProcess, o.Spec.RunAfter
		if job := o.Spec.Processor.Job; job != nil && job.PodSpec != nil {
			op.Affinity, op.NodeSelector, op.Tolerations = job.PodSpec.Affinity, job.PodSpec.NodeSelector, job.PodSpec.Tolerations
		}
	case *datav1alpha1.DataBackup:
		op.Kind, runAfter = dataflow.DataBackup, o.Spec.RunAfter
	default:
		return dataflow.Operation{}, fmt.Errorf("%T is no operation; want one of %v", object, dataflow.Kinds())
	}
	op.Exposes = namesIn(object.GetAnnotations())
	op.RunAfter = runAfterOf(runAfter)
	return op, nil
}

// objectOf returns an empty object of a kind of operation, and nil for another kind.
func objectOf(kind dataflow.Kind) client.Object {
	switch kind {
	case dataflow.DataLoad:
		return &datav1alpha1.DataLoad{}
	case dataflow.DataMigrate:
		return &datav1alpha1.DataMigrate{}
	case dataflow.DataProcess:
		return &datav1alpha1.DataProcess{}
	case dataflow.DataBackup:
		return &datav1alpha1.DataBackup{}
	default:
		return nil
	}
}

func runAfterOf(r *datav1alpha1.OperationRef) *dataflow.RunAfter {
	if r == nil {
		return nil
	}
	after := &dataflow.RunAfter{Ref: refOf(r.ObjectRef, ""), Strategy: strategyOf(r.AffinityStrategy)}
	if on := r.AffinityStrategy.DependOn; on != nil {
		source := refOf(*on, "")
		after.DependOn = &source
	}
	return after
}

// refOf returns what r, in an operation of the given namespace, refers to.
func refOf(r datav1alpha1.ObjectRef, namespace string) dataflow.Ref {
	if r.Namespace != "" {
		namespace = r.Namespace
	}
	return dataflow.Ref{Kind: dataflow.Kind(r.Kind), Namespace: namespace, Name: r.Name}
}

func strategyOf(s datav1alpha1.AffinityStrategy) affinity.Strategy {
	strategy := affinity.Strategy{Policy: affinity.Policy(s.Policy)}
	for _, r := range s.Requires {
		strategy.Requires = append(strategy.Requires, affinity.Required(r))
	}
	for _, p := range s.Prefers {
		strategy.Prefers = append(strategy.Prefers, affinity.Preferred(p))
	}
	return strategy
}
