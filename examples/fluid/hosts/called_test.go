package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/databackup"
	dataflowcontroller "github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/dataflow"
	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/dataload"
	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/datamigrate"
	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/dataprocess"
	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/fluidapp/dataflowaffinity"
	"github.com/fluid-cloudnative/fluid/pkg/ctrl/watch"
	fluiddataflow "github.com/fluid-cloudnative/fluid/pkg/dataflow"
	"github.com/fluid-cloudnative/fluid/pkg/dataoperation"
	"github.com/fluid-cloudnative/fluid/pkg/ddc/alluxio"
	"github.com/fluid-cloudnative/fluid/pkg/ddc/base"
	"github.com/fluid-cloudnative/fluid/pkg/ddc/juicefs"
	cruntime "github.com/fluid-cloudnative/fluid/pkg/runtime"
	"github.com/fluid-cloudnative/fluid/pkg/utils"
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// world is a cluster with a Dataset and its runtime, a DataLoad a that is complete and
// recorded its place, and Fluid v1.0.8's controllers.
type world struct {
	t      *testing.T
	client client.Client
	scheme *runtime.Scheme
}

func newWorld(t *testing.T) *world {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, appsv1.AddToScheme, datav1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "default", Name: name, UID: "uid"}
	}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		&datav1alpha1.Dataset{ObjectMeta: meta("dataset"), Spec: datav1alpha1.DatasetSpec{Mounts: []datav1alpha1.Mount{{MountPoint: "juicefs:///"}}}},
		&datav1alpha1.AlluxioRuntime{ObjectMeta: meta("dataset"), Spec: datav1alpha1.AlluxioRuntimeSpec{Replicas: 1}},
		&datav1alpha1.JuiceFSRuntime{ObjectMeta: meta("dataset")},
		&corev1.ConfigMap{ObjectMeta: meta("dataset-juicefs-values")},
		&corev1.Pod{
			ObjectMeta: meta("dataset-master-0"), Spec: corev1.PodSpec{NodeName: "n-2", Containers: []corev1.Container{{Name: "alluxio-master", Ports: []corev1.ContainerPort{{Name: "rpc", ContainerPort: 1}}}}},
			Status: corev1.PodStatus{HostIP: "10.0.0.1"},
		},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n-1", Labels: map[string]string{topology.Hostname: "n-1"}}},
		&datav1alpha1.DataLoad{ObjectMeta: meta("a"), Status: datav1alpha1.OperationStatus{
			Phase: common.PhaseComplete, NodeAffinity: topology.NewLabelSet(map[string]string{topology.Hostname: "n-1"}).NodeAffinity(),
		}},
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&datav1alpha1.DataLoad{}).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			// An API server checks the names of annotations.
			if faults := validation.ValidateAnnotations(object.GetAnnotations(), field.NewPath("metadata", "annotations")); len(faults) > 0 {
				return faults.ToAggregate()
			}
			return c.Update(ctx, object, options...)
		},
	}).Build()
	return &world{t, c, scheme}
}

// operation returns the object of a variant, after a if it follows, with the constraints of a
// pod spec.
func (v variant) object(follows bool, spec corev1.PodSpec, script bool) client.Object {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "b", UID: "uid"}
	var runAfter *datav1alpha1.OperationRef
	if follows {
		runAfter = &datav1alpha1.OperationRef{
			ObjectRef:        datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "a"},
			AffinityStrategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy},
		}
	}
	target := datav1alpha1.TargetDataset{Name: "dataset", Namespace: "default"}
	switch v.kind {
	case dataflow.DataLoad:
		return &datav1alpha1.DataLoad{ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{
			Dataset: target, RunAfter: runAfter, Policy: datav1alpha1.Policy(v.policy), Schedule: "* * * * *",
			Affinity: spec.Affinity, NodeSelector: spec.NodeSelector, Tolerations: spec.Tolerations,
		}}
	case dataflow.DataMigrate:
		return &datav1alpha1.DataMigrate{ObjectMeta: meta, Spec: datav1alpha1.DataMigrateSpec{
			From:     datav1alpha1.DataToMigrate{ExternalStorage: &datav1alpha1.ExternalStorage{URI: "local:///from"}},
			To:       datav1alpha1.DataToMigrate{DataSet: &datav1alpha1.DatasetToMigrate{Name: "dataset", Namespace: "default"}},
			RunAfter: runAfter, Policy: datav1alpha1.Policy(v.policy), Schedule: "* * * * *", Parallelism: int32(1 + btoi(v.parallel)),
			Affinity: spec.Affinity, NodeSelector: spec.NodeSelector, Tolerations: spec.Tolerations,
		}}
	case dataflow.DataProcess:
		spec.Containers = []corev1.Container{{Name: "main", Image: "image"}}
		processor := datav1alpha1.Processor{Job: &datav1alpha1.JobProcessor{PodSpec: &spec}}
		if script {
			processor = datav1alpha1.Processor{Script: &datav1alpha1.ScriptProcessor{
				VersionSpec: datav1alpha1.VersionSpec{Image: "busybox", ImageTag: "1"}, Source: "true",
			}}
		}
		return &datav1alpha1.DataProcess{ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{
			Dataset: datav1alpha1.TargetDatasetWithMountPath{TargetDataset: target}, RunAfter: runAfter, Processor: processor,
		}}
	default:
		return &datav1alpha1.DataBackup{ObjectMeta: meta, Spec: datav1alpha1.DataBackupSpec{
			Dataset: "dataset", BackupPath: "pvc://store/a", RunAfter: runAfter,
		}}
	}
}

// build returns Fluid's controller for an operation.
func (w *world) build(object client.Object) dataoperation.OperationInterface {
	recorder, log := record.NewFakeRecorder(100), logr.Discard()
	var builder dataoperation.OperationInterfaceBuilder
	switch object.(type) {
	case *datav1alpha1.DataLoad:
		builder = dataload.NewDataLoadReconciler(w.client, log, w.scheme, recorder)
	case *datav1alpha1.DataMigrate:
		builder = datamigrate.NewDataMigrateReconciler(w.client, log, w.scheme, recorder)
	case *datav1alpha1.DataProcess:
		builder = dataprocess.NewDataProcessReconciler(w.client, log, w.scheme, recorder)
	default:
		builder = databackup.NewDataBackupReconciler(w.client, log, w.scheme, recorder)
	}
	operation, err := builder.Build(object)
	if err != nil {
		w.t.Fatal(err)
	}
	return operation
}

// context returns what Fluid passes to the engine that runs an operation of a kind.
func (w *world) context(kind dataflow.Kind) cruntime.ReconcileRequestContext {
	ctx := cruntime.ReconcileRequestContext{
		Context: context.Background(), Client: w.client, Log: logr.Discard(), Recorder: record.NewFakeRecorder(100),
		RuntimeType: common.AlluxioRuntime, EngineImpl: common.AlluxioEngineImpl,
	}
	ctx.Namespace, ctx.Name = "default", "dataset"
	var runtime client.Object = &datav1alpha1.AlluxioRuntime{}
	if kind == dataflow.DataMigrate {
		ctx.RuntimeType, ctx.EngineImpl, runtime = common.JuiceFSRuntime, common.JuiceFSEngineImpl, &datav1alpha1.JuiceFSRuntime{}
	}
	if err := w.client.Get(ctx.Context, ctx.NamespacedName, runtime); err != nil {
		w.t.Fatal(err)
	}
	ctx.Runtime = runtime
	return ctx
}

// install lets Fluid make the values of an operation's chart, and renders that.
func (w *world) install(v variant, object client.Object) (*workload, error) {
	ctx := w.context(v.kind)
	create := alluxio.Build
	if v.kind == dataflow.DataMigrate {
		create = juicefs.Build
	}
	engine, err := create("id", ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	operation := w.build(object)
	file, err := engine.(*base.TemplateEngine).Implement.GetDataOperationValueFile(ctx, operation)
	if err != nil {
		w.t.Fatal(err)
	}
	defer os.Remove(file)
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		w.t.Fatal(err)
	}
	chart := ctx.EngineImpl
	if v.kind == dataflow.DataProcess {
		chart = "common"
	}
	directory := map[dataflow.Kind]string{
		dataflow.DataLoad: "fluid-dataloader", dataflow.DataMigrate: "fluid-datamigrate",
		dataflow.DataProcess: "fluid-dataprocess", dataflow.DataBackup: "fluid-databackup",
	}[v.kind]
	return install(os.DirFS(moduleDir(w.t)), "charts/"+directory+"/"+chart, operation.GetReleaseNameSpacedName().Name, values)
}

// calledRow finds out what Fluid v1.0.8 does with a variant by letting it do that.
func calledRow(t *testing.T, v variant, script bool) (r row) {
	w := newWorld(t)
	object := v.object(true, corev1.PodSpec{}, script)
	alone, err := w.install(v, v.object(false, corev1.PodSpec{}, script))
	runs := err == nil && alone != nil
	if err != nil && !errors.Is(err, errRejected) {
		t.Fatal(err)
	}
	if !runs {
		r.fails = dataflow.CodeNeverStarts
	}

	// What it inherits.
	following, err := w.install(v, object)
	if runs && errors.Is(err, errRejected) {
		r.inherits = true // since it was accepted without
	} else if runs && err == nil && following.pod.Affinity != nil && following.pod.Affinity.NodeAffinity != nil {
		required := following.pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		r.inherits = required != nil && strings.Contains(fmt.Sprint(required), "n-1")
	}

	// The constraints that an API server rejects. A script has none.
	for _, constraint := range constraints {
		spec := corev1.PodSpec{}
		switch constraint {
		case "affinity":
			spec.Affinity = anyAffinity()
		case "nodeSelector":
			spec.NodeSelector = map[string]string{"disk": "ssd"}
		case "tolerations":
			spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
		}
		if _, err := w.install(v, v.object(false, spec, script)); runs && errors.Is(err, errRejected) {
			r.rejected = append(r.rejected, constraint)
		}
	}

	// What it records, and whether the controller survives it.
	if runs && alone.job != nil {
		if err := w.complete(alone.job, "n-1"); err != nil {
			t.Fatal(err)
		}
	}
	if v.policy == "Cron" && (v.kind == dataflow.DataLoad || v.kind == dataflow.DataMigrate) {
		// Its status handler asks an API server for its version. What fluidapp did says enough.
		r.records = runs && len(alone.job.Annotations) > 0
	} else {
		place, panics, err := w.status(v.kind, object)
		if err != nil && runs {
			t.Fatal(err)
		}
		if panics {
			r.fails = dataflow.CodeCrashes
		}
		r.records = runs && place != nil
	}
	r.tryNames(func(name string) bool {
		named := v.object(false, corev1.PodSpec{}, script)
		named.SetName(name)
		_, err := w.install(v, named)
		return !rejectsName(v, err)
	})
	ttl, err := w.build(v.withTTL(object)).GetTTL()
	if err != nil {
		t.Fatal(err)
	}
	r.expires = ttl != nil && r.fails == ""
	return r
}

// Fluid's charts write names without quotes, and the owner's among them.
func TestLawH1NamesThatYAMLDoesNotReadAsStrings(t *testing.T) {
	w := newWorld(t)
	check := func(t interface{ Errorf(string, ...any) }, name string) {
		for _, v := range variants() {
			if v.parallel && v.policy == "Cron" || v.kind == dataflow.DataProcess && v.policy != "Once" { // rejected whatever its name, or the same as Once
				continue
			}
			object := v.object(false, corev1.PodSpec{}, false)
			object.SetName(name)
			_, err := w.install(v, object)
			flow, newErr := dataflow.New(v.operation(name))
			if newErr != nil || err != nil && !errors.Is(err, errRejected) && !rejectsName(v, err) {
				w.t.Fatal(err, newErr)
			}
			reported := slices.ContainsFunc(flow.HostProblems(dataflow.Fluid1_0), func(p dataflow.Problem) bool { return p.Field == "metadata.name" })
			if reported != (err != nil) {
				t.Errorf("%s %q: reported: %t; rejected: %v", v, name, reported, err)
			}
		}
	}
	for _, name := range []string{
		"a", "2024", "007", "08", "1e3", "1e-3", "1.e5", "1e", "e3", "0x1f", "0x1g", "0b1", "0b2", "0o7", "0o9", "1.5", "1.", "1.2.3", "9f", "1-2", "2024-01-01",
		"true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity", "18446744073709551615", "18446744073709551616", "0x1p-2",
	} {
		check(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`[0-9]([0-9a-fox.e-]{0,4}[0-9a-f])?`).Draw(t, "name"))
	})
}

// withTTL sets the TTL of an object.
func (v variant) withTTL(object client.Object) client.Object {
	ttl := new(int32)
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		o.Spec.TTLSecondsAfterFinished = ttl
	case *datav1alpha1.DataMigrate:
		o.Spec.TTLSecondsAfterFinished = ttl
	case *datav1alpha1.DataProcess:
		o.Spec.TTLSecondsAfterFinished = ttl
	case *datav1alpha1.DataBackup:
		o.Spec.TTLSecondsAfterFinished = ttl
	}
	return object
}

// complete lets a Job complete on a node, and fluidapp see it. It returns what fluidapp says.
func (w *world) complete(job *batchv1.Job, node string) error {
	job.Namespace = "default"
	if job.Name == "" {
		job.Name = "b-of-a-schedule"
	}
	job.Annotations = nil
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"job": job.Name}}
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: job.Name, Labels: map[string]string{"job": job.Name}, Annotations: job.Spec.Template.Annotations},
		Spec:       corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded},
	}
	ctx := context.Background()
	for _, object := range []client.Object{job, pod} {
		if err := w.client.Create(ctx, object); err != nil {
			w.t.Fatal(err)
		}
	}
	if watch.JobShouldInQueue(job) {
		fluidapp := dataflowaffinity.NewDataOpJobReconciler(w.client, logr.Discard(), record.NewFakeRecorder(100))
		if _, err := fluidapp.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(job)}); err != nil {
			return err
		}
	}
	return w.client.Get(ctx, client.ObjectKeyFromObject(job), job)
}

// status lets Fluid look at an operation that it runs. It returns what it records, whether it
// panics, and what it says.
func (w *world) status(kind dataflow.Kind, object client.Object) (place *corev1.NodeAffinity, panics bool, err error) {
	defer func() { panics = panics || recover() != nil }()
	operation := w.build(object)
	status, err := operation.GetStatusHandler().GetOperationStatus(w.context(kind), &datav1alpha1.OperationStatus{Phase: common.PhaseExecuting})
	if err != nil {
		return nil, false, err
	}
	if status == nil {
		return nil, false, operation.UpdateOperationApiStatus(status) // as its caller does
	}
	return status.NodeAffinity, false, nil
}

// load returns a DataLoad b, and its Job.
func (w *world) load(annotations map[string]string) (*datav1alpha1.DataLoad, *batchv1.Job) {
	v := variant{dataflow.DataLoad, false, "Once"}
	load := v.object(false, corev1.PodSpec{}, false).(*datav1alpha1.DataLoad)
	load.Annotations = annotations
	made, err := w.install(v, load)
	if err != nil {
		w.t.Fatal(err)
	}
	return load, made.job
}

// calledGeneral finds out what Fluid v1.0.8 does with every variant by letting it do that. What it
// cannot be asked is what its source says.
func calledGeneral(t *testing.T, read general) (c general) {
	c = general{lookSeconds: read.lookSeconds, rightsByLiteral: read.rightsByLiteral}
	ctx := context.Background()

	own := anyAffinity()
	inherited := []corev1.NodeSelectorRequirement{{Key: topology.Hostname, Operator: corev1.NodeSelectorOpIn, Values: []string{"n-1"}}}
	c.losesRequired = !strings.Contains(fmt.Sprint(utils.InjectNodeSelectorRequirements(inherited, own).NodeAffinity), "n-1")

	// The longest key that is recorded, and the next longer one, with which it hangs.
	longest, recorded := 63-len(topology.RecordedPrefix), map[int]bool{}
	for _, n := range []int{longest, longest + 1} {
		key := strings.Repeat("a", n)
		w := newWorld(t)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n-3", Labels: map[string]string{key: "x"}}}
		if err := w.client.Create(ctx, node); err != nil {
			t.Fatal(err)
		}
		load, job := w.load(map[string]string{topology.LabelsAnnotation: key})
		said := w.complete(job, "n-3")
		place, _, err := w.status(dataflow.DataLoad, load)
		recorded[n] = said == nil && err == nil && place != nil
		if !recorded[n] && said == nil {
			t.Errorf("%d characters: fluidapp says nothing", n)
		}
	}
	if recorded[longest] && !recorded[longest+1] {
		c.recordedPrefix = topology.RecordedPrefix
	}

	// A DataLoad b that waits for a, and a DataProcess b that does not.
	w := newWorld(t)
	waiting := variant{dataflow.DataLoad, false, "Once"}.object(true, corev1.PodSpec{}, false).(*datav1alpha1.DataLoad)
	waiting.Status.WaitingFor.OperationComplete = ptr.To(true)
	reconciled := func() (panics bool) {
		defer func() { panics = recover() != nil }()
		r := dataflowcontroller.NewDataFlowReconciler(w.client, logr.Discard(), record.NewFakeRecorder(100), 0)
		if _, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(waiting)}); err != nil {
			t.Fatal(err)
		}
		return false
	}
	if err := w.client.Create(ctx, waiting); err != nil || reconciled() {
		t.Errorf("without another b: %v", err)
	}
	if err := w.client.Create(ctx, variant{dataflow.DataProcess, false, "Once"}.object(false, corev1.PodSpec{}, false)); err != nil {
		t.Fatal(err)
	}
	c.panicsOnRoots = reconciled()

	// A TTL of 0.
	w = newWorld(t)
	brief, _ := w.load(nil)
	brief.Spec.TTLSecondsAfterFinished = new(int32)
	brief.Status = datav1alpha1.OperationStatus{Phase: common.PhaseComplete, Conditions: []datav1alpha1.Condition{{Type: common.Complete}}}
	if err := w.client.Create(ctx, brief); err != nil {
		t.Fatal(err)
	}
	engineContext := w.context(dataflow.DataLoad)
	engine, err := alluxio.Build("id", engineContext)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Operate(engineContext, &brief.Status, w.build(brief)); err != nil {
		t.Fatal(err)
	}
	c.deletesAtOnce = apierrors.IsNotFound(w.client.Get(ctx, client.ObjectKeyFromObject(brief), brief))

	// A job processor without a podSpec.
	w = newWorld(t)
	process := variant{dataflow.DataProcess, false, "Once"}.object(false, corev1.PodSpec{}, false).(*datav1alpha1.DataProcess)
	process.Spec.Processor.Job.PodSpec = nil
	func() {
		defer func() { c.needsPodSpec = recover() != nil }()
		_, err := w.build(process).Validate(w.context(dataflow.DataProcess))
		t.Error(err)
	}()

	c.recordsByGate = !fluiddataflow.Enabled(fluiddataflow.DataflowAffinity)
	return c
}

// Defects that specs do not tell, or that a kind of its own has, and so are no row.
func TestDefectsOfFluid1_0OutsideTheTable(t *testing.T) {
	t.Run("U16: the node is gone", func(t *testing.T) {
		w := newWorld(t)
		load, job := w.load(nil)
		said := w.complete(job, "n-9")
		if _, _, err := w.status(dataflow.DataLoad, load); said == nil || err == nil {
			t.Errorf("it completes: %v, %v", said, err)
		}
	})
	t.Run("U22: a nodeName and an inherited affinity", func(t *testing.T) {
		v := variant{dataflow.DataProcess, false, "Once"}
		made, err := newWorld(t).install(v, v.object(true, corev1.PodSpec{NodeName: "n-2"}, false))
		if err != nil || made.pod.NodeName != "n-2" || made.pod.Affinity == nil {
			t.Errorf("the kubelet has nothing to refuse: %+v %v", made, err)
		}
	})
}
