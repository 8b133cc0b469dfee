package main

import "go/ast"

// backup is the step that makes DataBackup take part in a dataflow.
var backup = step{
	title: "Let DataBackup take part in a dataflow with affinity",
	message: `The values of a DataBackup's chart had the inherited affinity under keys that
no API server knows, and nodeName, which bypasses the scheduler. A DataBackup
never recorded where it ran.

The affinity has its proper keys. If a DataBackup inherits something, the
scheduler places its pod on the node of the master by affinity, whatever its
NoSchedule taints; otherwise nodeName does it as before. With the feature gate DataflowAffinity, fluidapp
records the labels of the node on the pod, as it does on the Jobs of the
other operations. It needs no right that it does not have for them.`,
	edit: func(dir string) error {
		value := openGo(dir, "pkg/databackup/value.go")
		value.retag("DataBackup", "Affinity", `yaml:"-"`)
		value.addField("DataBackup", `Annotations map[string]string `+"`yaml:\"annotations,omitempty\"`"+`
	// Placement is Affinity with the keys of the Kubernetes API
	Placement map[string]interface{} `+"`yaml:\"affinity,omitempty\"`")
		value.addFunctions(backupValueSource)
		value.addImport("", "k8s.io/apimachinery/pkg/api/equality")
		value.addImport("metav1", "k8s.io/apimachinery/pkg/apis/meta/v1")
		value.addImport("", "k8s.io/apimachinery/pkg/runtime")

		engine := openGo(dir, "pkg/ddc/alluxio/backup_data.go")
		const generate, inject = "AlluxioEngine.generateDataBackupValueFile", "dataflow.InjectAffinityByRunAfterOp"
		engine.replaceArgument(generate, inject, 3, "nil", "cdatabackup.OnNode(nodeName)")
		engine.before(generate, "the values", declaring("dataBackupValue"), `if err = dataBackup.PlaceByAffinity(); err != nil {
		return "", err
	}
	dataBackup.Annotations = dataflow.InjectAffinityAnnotation(databackup.Annotations, nil)`)

		handler := openGo(dir, controllers+"/databackup/status_handler.go")
		handler.atStartOfBranch("OnceHandler.GetOperationStatus", "kubeclient.IsSucceededPod", `if result.NodeAffinity, err = dataflow.GenerateNodeAffinity(&batchv1.Job{ObjectMeta: backupPod.ObjectMeta}); err != nil {
			return nil, err
		}`)
		handler.addImport("", "github.com/fluid-cloudnative/fluid/pkg/dataflow")
		handler.addImport("batchv1", "k8s.io/api/batch/v1")

		recorder := openGo(dir, controllers+"/fluidapp/dataflowaffinity/dataflowaffinity_controller.go")
		recorder.atStart("DataOpJobReconciler.SetupWithManager", `if err := setupDataBackupPods(mgr, options); err != nil {
		return err
	}`)
		recorder.addFunctions(backupPodSource)
		recorder.addImport("", "maps")
		recorder.addImport("", "github.com/fluid-cloudnative/fluid/pkg/databackup")
		recorder.addImport("corev1", "k8s.io/api/core/v1")
		recorder.addImport("", "sigs.k8s.io/controller-runtime/pkg/predicate")
		if err := save(value, engine, handler, recorder); err != nil {
			return err
		}
		const chart = "charts/fluid-databackup/alluxio/"
		if err := beforeKey(dir, chart+"templates/databackup.yaml", "spec:", `  {{- with .Values.dataBackup.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
`); err != nil {
			return err
		}
		if err := beforeKey(dir, chart+"templates/databackup.yaml", "  affinity:", "  tolerations: [{operator: Exists, effect: NoSchedule}] # as with nodeName\n"); err != nil {
			return err
		}
		if err := replaceWord(dir, chart+"Chart.yaml", "version: 0.1.0", "version: 0.1.1"); err != nil {
			return err
		}
		if err := appendText(dir, chart+"CHANGELOG.md", "\n### 0.1.1\n\n- Support annotations of the pod\n"); err != nil {
			return err
		}
		if err := appendText(dir, "docs/en/samples/dataflow_affinity.md", "- A DataBackup of an AlluxioRuntime inherits and records affinity as well. It always runs on the node of the master, so it stays pending if it must run on another one.\n"); err != nil {
			return err
		}
		return appendText(dir, "docs/zh/samples/dataflow_affinity.md", "- AlluxioRuntime 的 DataBackup 同样会继承并记录亲和性。它始终在 master 所在的节点上运行，因此如果要求它在其他节点上运行，它会一直处于 Pending 状态。\n")
	},
}

// declaring says that a statement declares a variable.
func declaring(name string) func(ast.Stmt) bool {
	return func(s ast.Stmt) bool {
		a, ok := s.(*ast.AssignStmt)
		return ok && a.Tok.String() == ":=" && dotted(a.Lhs[0]) == name
	}
}

const backupValueSource = `package databackup

// OnNode returns the affinity of a pod that runs on the node with the given name.
func OnNode(name string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{name}}},
		}}},
	}}
}

// PlaceByAffinity lets the scheduler place the pod if its affinity says more than NodeName does:
// the kubelet rejects a pod with a node name whose affinity the node does not match.
func (d *DataBackup) PlaceByAffinity() (err error) {
	if !equality.Semantic.DeepEqual(d.Affinity, OnNode(d.NodeName)) {
		d.NodeName = ""
		d.Placement, err = runtime.DefaultUnstructuredConverter.ToUnstructured(d.Affinity)
	}
	return err
}
`

const backupPodSource = `package dataflowaffinity

// setupDataBackupPods adds the controller of the pods of DataBackups, which have no Job, to a manager.
func setupDataBackupPods(mgr ctrl.Manager, options controller.Options) error {
	isDataBackup := predicate.NewPredicateFuncs(func(pod client.Object) bool {
		return pod.GetLabels()["app.kubernetes.io/name"] == databackup.DatabackupChart
	})
	return ctrl.NewControllerManagedBy(mgr).Named("DataBackupPod").WithOptions(options).
		For(&corev1.Pod{}).WithEventFilter(isDataBackup).
		Complete(reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
			return utils.RequeueIfError(recordDataBackupPod(ctx, mgr.GetClient(), request.NamespacedName))
		}))
}

// recordDataBackupPod records on the pod of a DataBackup the labels of the node that it ran on.
func recordDataBackupPod(ctx context.Context, c client.Client, key types.NamespacedName) error {
	pod, err := kubeclient.GetPodByName(c, key.Name, key.Namespace)
	if err != nil || pod == nil {
		return err
	}
	annotations := utils.UnionMapsWithOverride(map[string]string{common.AnnotationDataFlowAffinityInject: "true"}, pod.Annotations)
	if kubeclient.IsSucceededPod(pod) && annotations[common.AnnotationDataFlowAffinityInject] == "true" {
		node, err := kubeclient.GetNode(c, pod.Spec.NodeName)
		if utils.IgnoreNotFound(err) != nil {
			return err
		}
		if err != nil { // a DataBackup must not wait for the labels of a node that is gone
			annotations[common.AnnotationDataFlowAffinityInject] = "false"
		} else {
			names := strings.Split(annotations[common.AnnotationDataFlowAffinityLabelsName], ",")
			fillCustomizedNodeAffinity(annotations, node.Labels, append(names, common.K8sNodeNameLabelKey, common.K8sRegionLabelKey, common.K8sZoneLabelKey))
		}
	}
	if maps.Equal(pod.Annotations, annotations) {
		return nil
	}
	pod.Annotations = annotations
	return c.Update(ctx, pod)
}
`
