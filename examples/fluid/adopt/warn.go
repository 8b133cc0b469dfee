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
		recordWarnings(ctx, object, runAfter)
	}`)
		operations.addFunctions(warnSource)
		operations.addImport("", "fmt")
		operations.addImport("", "github.com/fluid-cloudnative/fluid/pkg/dataflow")
		operations.addImport("", library+"/affinity")
		operations.addImport("", library+"/dataflow/manifest")
		operations.addImport("", "k8s.io/apimachinery/pkg/runtime")
		constants := openGo(dir, "pkg/common/constants.go")
		constants.afterConstant("DataOperationWaiting", `DataOperationAffinityLost = "DataOperationAffinityLost"

	DataOperationAffinityConflict = "DataOperationAffinityConflict"`)
		return save(operations, constants)
	},
}

const warnSource = `package dataflow

// recordWarnings records events on an operation that is about to start if it does not inherit all
// that its strategy names, or if no node can meet what it inherits. It still starts.
func recordWarnings(ctx reconcileRequestContext, object client.Object, runAfter *datav1alpha1.OperationRef) {
	warn := func(reason, message string) {
		ctx.Recorder.Eventf(object, corev1.EventTypeWarning, reason, "%.1000s", message)
	}
	op, faults := decode(object)
	if op == nil {
		ctx.Log.Error(faults, "failed to look for lost affinity")
		return
	}
	var result affinity.Result
	source, _ := op.Source()
	status, err := utils.GetPrecedingOperationStatus(ctx.Client, &datav1alpha1.ObjectRef{Kind: string(source.Kind), Name: source.Name}, source.Namespace)
	if err == nil && status.Phase == common.PhaseComplete { // otherwise another event tells it when the operation starts
		result, err = dataflow.Inherit(op.Affinity, runAfter.AffinityStrategy, status.NodeAffinity)
	}
	if err == nil && op.RunAfter.Strategy.Policy == affinity.Require {
		err = affinity.FindConflict(op.NodeSelector, op.Affinity, result.Inherited)
	}
	if conflict := (*affinity.ConflictError)(nil); errors.As(err, &conflict) {
		conflict.Source = source.String()
		warn(common.DataOperationAffinityConflict, conflict.Error())
	}
	if len(result.Missing) > 0 {
		warn(common.DataOperationAffinityLost, fmt.Sprintf("%s did not record %q, so nothing is inherited of it", source, result.Missing))
	}
}

// decode returns what slipstream reads of an operation.
func decode(object client.Object) (*manifest.Operation, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	fields["apiVersion"], fields["kind"] = datav1alpha1.GroupVersion.String(), reflect.TypeOf(object).Elem().Name()
	return manifest.Decode(fields)
}
`
