package fluid

import (
	"fmt"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Operation returns the part of a DataLoad, DataMigrate, DataProcess or DataBackup that a
// dataflow depends on. Resource requests are left out. Any other object is an error. The
// result shares memory with the object.
//
// The keys that the operation exposes are those of its annotation, or of its podMetadata if
// it has none, as Fluid decides it. Malformed keys are among them, so that dataflow.Check can
// report them.
func Operation(object client.Object) (dataflow.Operation, error) {
	op := dataflow.Operation{Ref: dataflow.Ref{Namespace: object.GetNamespace(), Name: object.GetName()}}
	var runAfter *datav1alpha1.OperationRef
	var policy datav1alpha1.Policy
	var podMetadata datav1alpha1.PodMetadata
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		op.Ref.Kind, runAfter, policy, podMetadata = dataflow.DataLoad, o.Spec.RunAfter, o.Spec.Policy, o.Spec.PodMetadata
		op.Affinity, op.NodeSelector, op.Tolerations = o.Spec.Affinity, o.Spec.NodeSelector, o.Spec.Tolerations
		op.TTLSecondsAfterFinished = o.Spec.TTLSecondsAfterFinished
	case *datav1alpha1.DataMigrate:
		op.Ref.Kind, runAfter, policy, podMetadata = dataflow.DataMigrate, o.Spec.RunAfter, o.Spec.Policy, o.Spec.PodMetadata
		op.Affinity, op.NodeSelector, op.Tolerations = o.Spec.Affinity, o.Spec.NodeSelector, o.Spec.Tolerations
		op.TTLSecondsAfterFinished = o.Spec.TTLSecondsAfterFinished
		op.Distributed = o.Spec.Parallelism > 1
	case *datav1alpha1.DataProcess:
		op.Ref.Kind, runAfter, podMetadata = dataflow.DataProcess, o.Spec.RunAfter, o.Spec.Processor.PodMetadata
		op.TTLSecondsAfterFinished = o.Spec.TTLSecondsAfterFinished
		op.Script = o.Spec.Processor.Job == nil && o.Spec.Processor.Script != nil
		if job := o.Spec.Processor.Job; job != nil && job.PodSpec == nil {
			op.NoPodSpec = true
		} else if job != nil {
			op.Affinity, op.NodeSelector, op.Tolerations = job.PodSpec.Affinity, job.PodSpec.NodeSelector, job.PodSpec.Tolerations
			op.NodeName = job.PodSpec.NodeName
		}
	case *datav1alpha1.DataBackup:
		op.Ref.Kind, runAfter = dataflow.DataBackup, o.Spec.RunAfter
		op.TTLSecondsAfterFinished = o.Spec.TTLSecondsAfterFinished
	default:
		return dataflow.Operation{}, fmt.Errorf("%T is not an operation; want one of %v", object, dataflow.Kinds())
	}
	op.Recurring, op.OnEvent = policy == datav1alpha1.Cron, policy == datav1alpha1.OnEvent
	op.Exposes = namesIn(InjectAffinityAnnotation(object.GetAnnotations(), podMetadata.Annotations))
	op.RunAfter = runAfterOf(runAfter)
	return op, nil
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
		strategy.Requires = append(strategy.Requires, affinity.RequiredLabel{Key: r.Name})
	}
	for _, p := range s.Prefers {
		strategy.Prefers = append(strategy.Prefers, affinity.PreferredLabel{Key: p.Name, Weight: p.Weight})
	}
	return strategy
}
