package fluid_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	dataflowcontroller "github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/dataflow"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Each defect of Fluid v1.0.8, shown by its own code, and what is there instead. A test that
// fails because Fluid no longer shows a defect says so.

func notShown(t *testing.T, defect string) {
	t.Helper()
	t.Errorf("Fluid no longer shows %s: take it out of README.md, of adopt and of the conformance tests", defect)
}

// matches is the verdict of kube-scheduler.
func matches(t *testing.T, a *corev1.Affinity, labels map[string]string) bool {
	t.Helper()
	m, err := affinity.Compile(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	return m.Match(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Labels: labels}})
}

func TestDefectU1RequirementLostWithAnOwnTerm(t *testing.T) {
	c := cluster(t, loaded("default", "before", recordedLabels))
	gpu := in("example.com/gpu", "a100")
	ref := after("before", requiring())
	elsewhere := map[string]string{"example.com/gpu": "a100", topology.Hostname: "node-2"}
	there := map[string]string{"example.com/gpu": "a100", topology.Hostname: "node-1"}

	theirs, err := dataflow.InjectAffinityByRunAfterOp(c, ref, "default", required(gpu))
	if err != nil || !matches(t, theirs, elsewhere) {
		notShown(t, "U1")
	}
	ours, err := fluid.InjectAffinityByRunAfterOp(c, ref, "default", required(gpu))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "affinity", required(gpu, in(topology.Hostname, "node-1")), ours)
	if matches(t, ours, elsewhere) || !matches(t, ours, there) {
		t.Error("it does not run where its predecessor ran")
	}
}

func TestDefectU2InputChangedAndPreferenceRepeated(t *testing.T) {
	c := cluster(t, loaded("default", "before", recordedLabels))
	ref := after("before", preferring(10, topology.Zone))
	reconcile := func(inject func(client.Client, *datav1alpha1.OperationRef, string, *corev1.Affinity) (*corev1.Affinity, error)) (spec, got *corev1.Affinity) {
		spec = &corev1.Affinity{}
		for range 3 { // as reconciles of one object in the cache
			var err error
			if got, err = inject(c, ref, "default", spec); err != nil {
				t.Fatal(err)
			}
		}
		return spec, got
	}
	spec, got := reconcile(dataflow.InjectAffinityByRunAfterOp)
	if spec.NodeAffinity == nil || len(got.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) != 3 {
		notShown(t, "U2")
	}
	spec, got = reconcile(fluid.InjectAffinityByRunAfterOp)
	same(t, "the affinity in the cache", &corev1.Affinity{}, spec)
	same(t, "affinity", preferred(10, in(topology.Zone, "east-a")), got)
	again, err := fluid.InjectAffinityByRunAfterOp(c, ref, "default", got)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "applied to its own result", got, again)
}

func TestDefectU3PreferPanicsWithoutARequiredPart(t *testing.T) {
	before := loaded("default", "before", nil)
	before.Status.NodeAffinity = &corev1.NodeAffinity{}
	c := cluster(t, before)
	ref := after("before", preferring(10, topology.Zone))
	if !panics(func() { _, _ = dataflow.InjectAffinityByRunAfterOp(c, ref, "default", nil) }) {
		notShown(t, "U3")
	}
	result, err := fluid.Inherit(c, ref, "default", nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "result", affinity.Result{Missing: []string{topology.Zone}}, result)
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

func TestDefectU4RecordedInRandomOrder(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{topology.InjectAnnotation: "true"}}}
	for i := range 8 {
		job.Annotations[fmt.Sprintf("%sexample.com/label-%d", topology.RecordedPrefix, i)] = "x"
	}
	orders := func(generate func(*batchv1.Job) (*corev1.NodeAffinity, error)) map[string]bool {
		seen := map[string]bool{}
		for range 200 {
			a, err := generate(job)
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			for _, e := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
				order = append(order, e.Key)
			}
			seen[strings.Join(order, " ")] = slices.IsSorted(order)
		}
		return seen
	}
	if len(orders(dataflow.GenerateNodeAffinity)) == 1 {
		notShown(t, "U4")
	}
	for order, sorted := range orders(fluid.GenerateNodeAffinity) {
		if !sorted {
			t.Errorf("not sorted: %s", order)
		}
	}
}

func TestDefectU5MissingLabelSkippedInSilence(t *testing.T) {
	before := loaded("default", "before", recordedLabels)
	c := cluster(t, before)
	ref := after("before", requiring("example.com/disk", topology.Zone))
	theirs, err := dataflow.InjectAffinityByRunAfterOp(c, ref, "default", nil)
	if err != nil || !matches(t, theirs, map[string]string{topology.Zone: "east-a", "example.com/disk": "another"}) {
		notShown(t, "U5")
	}
	result, err := fluid.Inherit(c, ref, "default", nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "missing", []string{"example.com/disk"}, result.Missing)
	same(t, "affinity", theirs, result.Affinity)
}

func TestDefectU6EmptyListOfOwnTerms(t *testing.T) {
	c := cluster(t, loaded("default", "before", recordedLabels))
	ref := after("before", requiring())
	own := func(terms []corev1.NodeSelectorTerm) *corev1.Affinity {
		return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
	// Both match no node, and an API server rejects both. Fluid tells them apart: it replaces
	// the one, whose pod then runs, and loses the inherited requirement with the other.
	for _, terms := range [][]corev1.NodeSelectorTerm{nil, {}} {
		theirs, err := dataflow.InjectAffinityByRunAfterOp(c, ref, "default", own(terms))
		if lost := err == nil && len(theirs.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 0; lost != (terms != nil) {
			notShown(t, "U6")
		}
		result, err := fluid.Inherit(c, ref, "default", own(terms))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "affinity", own(terms), result.Affinity)
		same(t, "inherited", "kubernetes.io/hostname=node-1", result.Inherited.String())
	}
}

func TestDefectU7DependOnNoAncestor(t *testing.T) {
	dependOn := func(name string) *datav1alpha1.OperationRef {
		ref := after("before", requiring())
		on := load(name)
		ref.AffinityStrategy.DependOn = &on
		return ref
	}
	before, stranger := loaded("default", "before", recordedLabels), loaded("default", "stranger", map[string]string{topology.Hostname: "node-9"})
	later := follower("later", after("b", requiring()))
	for _, of := range []string{"stranger", "later", "b", "nobody"} {
		t.Run(of, func(t *testing.T) {
			b := follower("b", dependOn(of))
			b.Status.WaitingFor.OperationComplete = ptr.To(true)
			c := cluster(t, before, stranger, later, b)
			if said := startByFluid(t, c, b); len(said) > 0 {
				notShown(t, "U7: "+said[0])
			}
			theirs, theirErr := dataflow.InjectAffinityByRunAfterOp(c, b.Spec.RunAfter, "default", nil)
			ours, err := fluid.InjectAffinityByRunAfterOp(c, b.Spec.RunAfter, "default", nil)
			if follows := of == "stranger"; follows != (theirErr == nil) {
				notShown(t, "U7")
			}
			same(t, "fails as Fluid does", theirErr != nil, err != nil)
			if err == nil {
				same(t, "follows as Fluid does", theirs, ours)
			}
		})
	}
}

// startByFluid lets Fluid's controller of the dataflow see an operation whose predecessor is
// complete, so that it starts, and returns the events that it wrote.
func startByFluid(t *testing.T, c client.Client, op *datav1alpha1.DataLoad) []string {
	t.Helper()
	recorder := record.NewFakeRecorder(10)
	reconciler := dataflowcontroller.NewDataFlowReconciler(c, logr.Discard(), recorder, 0)
	key := client.ObjectKeyFromObject(op)
	if _, err := reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	var now datav1alpha1.DataLoad
	if err := c.Get(context.Background(), key, &now); err != nil {
		t.Fatal(err)
	}
	if waits := now.Status.WaitingFor.OperationComplete; waits == nil || *waits {
		t.Fatal("it does not start")
	}
	return written(recorder)
}

func TestDefectU8InvalidStrategyAccepted(t *testing.T) {
	nowhere := loaded("default", "nowhere", nil)
	c := cluster(t, loaded("default", "before", recordedLabels), nowhere)
	tests := map[string]struct {
		runAfter *datav1alpha1.OperationRef
		fault    string
	}{
		"weight 0":        {after("before", preferring(0, topology.Zone)), "affinityStrategy.prefers[0].weight"},
		"weight 101":      {after("before", preferring(101, topology.Zone)), "affinityStrategy.prefers[0].weight"},
		"unknown policy":  {after("nowhere", datav1alpha1.AffinityStrategy{Policy: "require"}), "affinityStrategy.policy"},
		"malformed label": {after("before", requiring("a/b/c")), "affinityStrategy.requires[0].name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := dataflow.InjectAffinityByRunAfterOp(c, test.runAfter, "default", nil); err != nil {
				notShown(t, "U8: "+err.Error())
			}
			if _, err := fluid.InjectAffinityByRunAfterOp(c, test.runAfter, "default", nil); !isFieldError(test.fault)(err) {
				t.Errorf("err = %v", err)
			}
		})
	}
	t.Run("a list that is not read", func(t *testing.T) {
		s := requiring()
		s.Prefers = preferring(101, topology.Zone).Prefers
		theirs, err := dataflow.InjectAffinityByRunAfterOp(c, after("before", s), "default", nil)
		if err != nil {
			notShown(t, "U8: "+err.Error())
		}
		ours, err := fluid.InjectAffinityByRunAfterOp(c, after("before", s), "default", nil)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "affinity", theirs, ours)
	})
}

func TestDefectU9StatusSharesMemoryWithThePod(t *testing.T) {
	// The fake client copies, and so does a cache unless it is configured not to: a client that
	// hands out what it holds shows who keeps it.
	before := loaded("default", "before", recordedLabels)
	c := uncopied{Client: cluster(t), held: before}
	write := func(inject func(client.Client, *datav1alpha1.OperationRef, string, *corev1.Affinity) (*corev1.Affinity, error)) (changed bool) {
		a, err := inject(c, after("before", requiring()), "default", nil)
		if err != nil {
			t.Fatal(err)
		}
		status := before.DeepCopy().Status
		values := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values
		was := values[0]
		defer func() { values[0] = was }()
		values[0] = "scribbled"
		return fmt.Sprint(status) != fmt.Sprint(before.Status)
	}
	if !write(dataflow.InjectAffinityByRunAfterOp) {
		notShown(t, "U9")
	}
	if write(fluid.InjectAffinityByRunAfterOp) {
		t.Error("the status of the predecessor shares memory with the pod's affinity")
	}
}

// uncopied is a client that has one DataLoad, and hands out what it holds.
type uncopied struct {
	client.Client
	held *datav1alpha1.DataLoad
}

func (u uncopied) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	*into.(*datav1alpha1.DataLoad) = *u.held
	return nil
}

// follower returns a DataLoad that has not started.
func follower(name string, runAfter *datav1alpha1.OperationRef) *datav1alpha1.DataLoad {
	return &datav1alpha1.DataLoad{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: datav1alpha1.DataLoadSpec{RunAfter: runAfter},
	}
}

// written returns the events that were written, in their order.
func written(recorder *record.FakeRecorder) (events []string) {
	for {
		select {
		case event := <-recorder.Events:
			events = append(events, event)
		default:
			return events
		}
	}
}
