package main

// crash is the step that fixes what ends or blocks a controller.
var crash = step{
	title: "Fix crashes and hangs that a data operation can cause",
	message: `dataset-controller crashed in a loop on every DataBackup, on an operation that
waits while one of another kind has its name, on an operation whose runAfter
is removed while it waits, and on policy OnEvent. A label key that is too
long for an annotation kept an operation executing without limit.

An operation with policy OnEvent, which no chart runs, now fails with the
event DataOperationNotValid. A label that cannot be recorded is skipped.`,
	edit: func(dir string) error {
		backup := openGo(dir, controllers+"/databackup/implement.go")
		backup.replaceBody("dataBackupOperation.GetStatusHandler", "return &OnceHandler{dataBackup: r.dataBackup}")

		operations := openGo(dir, controllers+"/dataflow/operations.go")
		operations.atStart("reconcileOperationDataFlow", `if runAfter == nil { // it has the name of an operation of another kind that waits, or its runAfter was removed
		if ptr.Deref(opStatus.WaitingFor.OperationComplete, false) {
			err = retry.RetryOnConflict(retry.DefaultBackoff, updateStatusFn)
		}
		return err != nil, err
	}`)

		affinity := openGo(dir, controllers+"/fluidapp/dataflowaffinity/dataflowaffinity_controller.go")
		affinity.after("fillCustomizedNodeAffinity", "the removal of blanks", calling("strings.TrimSpace"), `if topology.CheckRecordable(nil, name) != nil {
			continue // an API server rejects the annotation, and with it those of all other labels
		}`)
		affinity.addImport("", library+"/topology")

		files := []*goFile{backup, operations, affinity}
		for _, kind := range []struct{ folder, operation, field string }{
			{"dataload", "dataLoadOperation", "dataLoad"},
			{"datamigrate", "dataMigrateOperation", "dataMigrate"},
		} {
			implement := openGo(dir, controllers+"/"+kind.folder+"/implement.go")
			implement.atStart(kind.operation+".Validate", `if r.`+kind.field+`.Spec.Policy == datav1alpha1.OnEvent {
		return utils.PolicyNotSupported(datav1alpha1.OnEvent)
	}`)
			handler := openGo(dir, controllers+"/"+kind.folder+"/status_handler.go")
			if handler.isStub("OnEventStatusHandler.GetOperationStatus") {
				handler.replaceBody("OnEventStatusHandler.GetOperationStatus", "return opStatus.DeepCopy(), nil")
			}
			files = append(files, implement, handler)
		}
		utils := openGo(dir, "pkg/utils/dataoperation.go")
		utils.addFunctions(policySource)
		utils.addImport("corev1", "k8s.io/api/core/v1")
		utils.addImport("metav1", "k8s.io/apimachinery/pkg/apis/meta/v1")
		return save(append(files, utils)...)
	},
}

const controllers = "pkg/controllers/v1alpha1"

const policySource = `package utils

// PolicyNotSupported returns the condition and the error of an operation whose policy no chart runs.
func PolicyNotSupported(policy datav1alpha1.Policy) ([]datav1alpha1.Condition, error) {
	err, now := fmt.Errorf("policy %s is not supported", policy), metav1.Now()
	return []datav1alpha1.Condition{{
		Type: common.Failed, Status: corev1.ConditionTrue, Reason: common.DataOperationNotValid, Message: err.Error(),
		LastProbeTime: now, LastTransitionTime: now,
	}}, err
}
`
