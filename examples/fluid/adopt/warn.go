package main

// tell is the step with events for what is not inherited.
var tell = step{
	title: "Tell which affinity a data operation does not inherit",
	message: `A label that the preceding operation did not record was skipped without a
word, so that policy Require required nothing; and an inherited label that
the node selector of the operation excludes left its pod pending.

When an operation starts, dataset-controller now records the warnings
DataOperationAffinityLost and DataOperationAffinityConflict. The operation
starts as before.`,
	edit: func(dir string) error {
		operations := openGo(dir, "pkg/controllers/v1alpha1/dataflow/operations.go")
		operations.before("reconcileOperationDataFlow", "the update of the status", calling("retry.RetryOnConflict"),
			`if ptr.Deref(opStatus.WaitingFor.OperationComplete, false) {
		warnLostAffinity(ctx, object, runAfter)
	}`)
		operations.addFunctions(warnSource)
		operations.addImport("", "fmt")
		operations.addImport("", "github.com/fluid-cloudnative/fluid/pkg/dataflow")
		operations.addImport("", library+"/affinity")
		operations.addImport("", library+"/dataflow/manifest")
		operations.addImport("", "k8s.io/apimachinery/pkg/runtime")
		operations.addImport("", "sigs.k8s.io/controller-runtime/pkg/client/apiutil")
		constants := openGo(dir, "pkg/common/constants.go")
		constants.afterConstant("DataOperationWaiting", `DataOperationAffinityLost = "DataOperationAffinityLost"

	DataOperationAffinityConflict = "DataOperationAffinityConflict"`)
		return save(operations, constants)
	},
}

const warnSource = `package dataflow

// warnLostAffinity records an event on an operation that is about to start if it does not inherit
// all that its strategy names, or if no node can meet what it inherits. It still starts.
func warnLostAffinity(ctx reconcileRequestContext, object client.Object, runAfter *datav1alpha1.OperationRef) {
	op, err := decode(ctx.Client, object)
	if op == nil {
		ctx.Log.Error(err, "failed to look for lost affinity")
		return
	}
	source, _ := op.Source()
	result, err := inherited(ctx.Client, op, runAfter)
	if conflict := (*affinity.ConflictError)(nil); errors.As(err, &conflict) {
		conflict.Source = source.String()
		warn(ctx, object, common.DataOperationAffinityConflict, conflict.Error())
	}
	if len(result.Missing) > 0 {
		warn(ctx, object, common.DataOperationAffinityLost, fmt.Sprintf("%s did not record %q, so nothing is inherited of it", source, result.Missing))
	}
}

// inherited returns what op inherits. The error is what keeps it from running on any node.
func inherited(c client.Client, op *manifest.Operation, runAfter *datav1alpha1.OperationRef) (result affinity.Result, err error) {
	source, ok := op.Source()
	if !ok {
		return result, nil
	}
	status, err := utils.GetPrecedingOperationStatus(c, &datav1alpha1.ObjectRef{Kind: string(source.Kind), Name: source.Name}, source.Namespace)
	if err != nil || status.Phase != common.PhaseComplete {
		return result, nil // another event tells it when the operation starts
	}
	result, err = dataflow.Inherit(op.Affinity, runAfter.AffinityStrategy, status.NodeAffinity)
	if err == nil && op.RunAfter.Strategy.Policy == affinity.Require {
		err = affinity.FindConflict(op.NodeSelector, op.Affinity, result.Inherited)
	}
	return result, err
}

// decode returns what slipstream reads of an operation.
func decode(c client.Client, object client.Object) (*manifest.Operation, error) {
	gvk, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return nil, err
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = gvk.ToAPIVersionAndKind()
	return manifest.Decode(fields)
}

// warn records a warning of limited length.
func warn(ctx reconcileRequestContext, object client.Object, reason, message string) {
	ctx.Recorder.Eventf(object, corev1.EventTypeWarning, reason, "%.1000s", message)
}
`
