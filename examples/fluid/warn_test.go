package fluid_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

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

// sameEvents fails the test if Warn does not write events that begin with these, and no other.
// What the problems of package dataflow say after their field is held there.
func sameEvents(t *testing.T, c client.Client, op client.Object, want ...string) {
	t.Helper()
	recorder := record.NewFakeRecorder(100)
	if err := fluid.Warn(context.Background(), c, recorder, op); err != nil {
		t.Fatal(err)
	}
	got := written(recorder)
	if !slices.EqualFunc(want, got, func(want, got string) bool { return strings.HasPrefix(got, want) }) {
		same(t, "events", want, got)
	}
}

func TestWarn(t *testing.T) {
	complete := func(op client.Object, labels map[string]string) client.Object {
		status := loaded("", "", labels).Status
		switch op := op.(type) {
		case *datav1alpha1.DataLoad:
			op.Status = status
		case *datav1alpha1.DataMigrate:
			op.Status = status
		}
		return op
	}
	failed := loaded("default", "failed", nil)
	failed.Status.Phase = common.PhaseFailed
	strange := loaded("default", "strange", nil)
	strange.Status.NodeAffinity = &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{preference(1, in("tier", "a"))}}
	parallel := &datav1alpha1.DataMigrate{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "parallel"}, Spec: datav1alpha1.DataMigrateSpec{Parallelism: 4}}
	scheduled := follower("scheduled", nil)
	scheduled.Spec.Policy = datav1alpha1.Cron
	exposing := loaded("default", "exposing", recordedLabels)
	exposing.Annotations = map[string]string{topology.LabelsAnnotation: "example.com/rack, example.com/disk"}
	c := cluster(t,
		loaded("default", "before", recordedLabels), failed, strange, exposing,
		complete(parallel, nil), complete(scheduled, nil),
		follower("pending", after("before", requiring())),
		follower("blockedbyfailed", after("failed", requiring())),
		complete(follower("afterfailed", after("failed", requiring())), recordedLabels),
		follower("round", after("circle", requiring())), follower("circle", after("round", requiring())),
		complete(follower("invalid", after("before", preferring(0, topology.Zone))), recordedLabels),
	)
	migrating := func(name string) *datav1alpha1.OperationRef {
		ref := after(name, requiring())
		ref.Kind = "DataMigrate"
		return ref
	}
	west := follower("b", after("before", requiring(topology.Zone)))
	west.Spec.NodeSelector = map[string]string{topology.Zone: "west-c"}
	several := &datav1alpha1.DataMigrate{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "b"}, Spec: datav1alpha1.DataMigrateSpec{
		Parallelism: 2, RunAfter: after("before", requiring()),
	}}
	naming := follower("b", nil)
	naming.Annotations = map[string]string{topology.LabelsAnnotation: "tier, a/b/c"}

	tests := map[string]struct {
		op   client.Object
		want []string
	}{
		"nothing to run after":  {follower("b", nil), nil},
		"nothing wrong":         {follower("b", after("before", requiring())), nil},
		"not complete":          {follower("b", after("pending", requiring())), nil},
		"not there":             {follower("b", after("nobody", requiring())), nil},
		"a label not recorded":  {follower("b", after("exposing", requiring("example.com/disk"))), []string{"Warning MissingLabels not inherited, as they were not recorded: example.com/disk"}},
		"a failed one":          {follower("b", after("failed", requiring())), []string{"Warning Blocked DataLoad default/failed failed, so that this never starts"}},
		"one further up failed": {follower("b", after("blockedbyfailed", requiring())), []string{"Warning Blocked DataLoad default/failed failed, so that this never starts"}},
		"one that ran although it is after a failed one": {follower("b", after("afterfailed", requiring())), nil},
		"a status not Fluid's": {follower("b", after("strange", requiring())), []string{
			"Warning InvalidStatus nothing can be inherited: status.nodeAffinity of DataLoad default/strange: preferredDuringSchedulingIgnoredDuringExecution: Forbidden: recorded labels are required, never preferred"}},
		"a status not Fluid's that is not asked": {follower("b", after("strange", datav1alpha1.AffinityStrategy{})), nil},
		"a node selector that excludes": {west, []string{
			"Warning Conflict cannot follow DataLoad default/before: it ran where topology.kubernetes.io/zone=east-a, but spec.nodeSelector requires topology.kubernetes.io/zone In [west-c]"}},
		"several pods to follow": {follower("b", migrating("parallel")), []string{
			"Warning DistributedSource spec.runAfter.affinityStrategy:",
			"Warning MissingLabels not inherited, as they were not recorded: kubernetes.io/hostname"}},
		"one by a schedule to follow": {follower("b", after("scheduled", requiring())), []string{
			"Warning RecurringSource spec.runAfter.affinityStrategy:",
			"Warning MissingLabels not inherited, as they were not recorded: kubernetes.io/hostname"}},
		"several pods that follow": {several, []string{
			"Warning DistributedTarget spec.runAfter.affinityStrategy.policy:"}},
		"a malformed label to expose": {naming, []string{
			`Warning Invalid metadata.annotations[affinity.dataflow.fluid.io/labels]:`}},
		"in a circle": {follower("round", after("circle", requiring())), []string{
			"Warning Cycle spec.runAfter:"}},
		"after itself": {follower("b", after("b", requiring())), []string{
			"Warning Cycle spec.runAfter:"}},
		"a fault of another": {follower("b", after("invalid", requiring())), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { sameEvents(t, c, test.op, test.want...) })
	}
}

func TestWarnWritesNothingWithAnError(t *testing.T) {
	recorder := record.NewFakeRecorder(10)
	c := cluster(t, loaded("default", "before", recordedLabels))
	if err := fluid.Warn(context.Background(), c, recorder, &corev1.Pod{}); err == nil || err.Error() != "*v1.Pod is not an operation; want one of [DataLoad DataMigrate DataProcess DataBackup]" {
		t.Errorf("err = %v", err)
	}
	down := errors.New("the API server is down")
	unreachable := interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
	})
	for _, dependOn := range []bool{false, true} {
		b := follower("b", after("before", preferring(0, topology.Zone)))
		if dependOn {
			on := load("earlier")
			b.Spec.RunAfter.AffinityStrategy.DependOn = &on
		}
		if err := fluid.Warn(context.Background(), unreachable, recorder, b); !errors.Is(err, down) {
			t.Errorf("err = %v", err)
		}
	}
	same(t, "events", []string(nil), written(recorder))
}
