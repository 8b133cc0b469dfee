package conformance_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/fluidapp/dataflowaffinity"
	"github.com/fluid-cloudnative/fluid/pkg/ctrl/watch"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// The defects of Fluid that TestRecordAgreesWithFluid meets.
const (
	u4Order    = "U4: the labels come in another order than sorted"
	beyondName = "beyond: a recorded label without a key becomes an expression without one (E4)"
)

// job draws a Job, and the annotation of its pod that names labels.
func (d *draw) job() (job *batchv1.Job, names string) {
	job = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "job"}}
	job.Spec.Selector = &metav1.LabelSelector{}
	if d.oneIn(8) {
		job.Labels = map[string]string{"cronjob": oneOf(d, "", "load")}
	}
	if d.oneIn(4) {
		if job.Labels == nil {
			job.Labels = map[string]string{}
		}
		job.Labels["parallelism"] = oneOf(d, "1", "0", "-1", "2", "3", "", "many", "+1", " 1", "1.0", "99999999999999999999")
	}
	if d.oneIn(4) {
		job.Annotations = map[string]string{"else": "where", topology.LabelsAnnotation: d.names()}
	}
	if d.oneIn(8) {
		metav1.SetMetaDataAnnotation(&job.ObjectMeta, topology.InjectAnnotation, oneOf(d, "true", "false", ""))
	}
	if d.oneIn(8) {
		metav1.SetMetaDataAnnotation(&job.ObjectMeta, topology.RecordedPrefix+d.key(), d.value())
	}
	if d.oneIn(16) {
		metav1.SetMetaDataAnnotation(&job.ObjectMeta, topology.RecordedPrefix, d.value())
	}
	if !d.oneIn(8) {
		condition := oneOf(d, batchv1.JobComplete, batchv1.JobComplete, batchv1.JobComplete, batchv1.JobFailed, batchv1.JobSuspended)
		job.Status.Conditions = []batchv1.JobCondition{{Type: condition}}
	}
	return job, d.names()
}

// names draws what the annotation of an operation names, well-formed or not.
func (d *draw) names() string {
	names := make([]string, d.IntN(4))
	for i := range names {
		names[i] = oneOf(d, append(keys, "not a key", "", " tier ", "\texample.com/gpu", "a/b/c")...)
	}
	return strings.Join(names, ",")
}

var recordCorners = []string{
	"job: cronjob", "job: parallelism", "job: parallelism not a number", "job: in the queue", "job: not in the queue", "job: not complete",
	"job: nil", "job: without the switch", "job: nothing recorded", "node: without a label that is named", "node: a label with an empty value", "names: malformed",
	"names: blanks", "names: an empty one", "annotations: names", "annotations: no names", "recorded: several", "recorded: the same order",
}

func TestRecordAgreesWithFluid(t *testing.T) {
	compare(t, func(d *draw) error {
		job, names := d.job()
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: d.labels()}}
		queued := watch.JobShouldInQueue(job)
		if fluid.JobShouldInQueue(job) != queued {
			return disagreement("JobShouldInQueue", job.Labels)
		}
		_, isCron := job.Labels["cronjob"]
		parallelism, isParallel := job.Labels["parallelism"]
		d.Hit("job: cronjob", isCron)
		d.Hit("job: parallelism", isParallel)
		d.Hit("job: parallelism not a number", parallelism == "many")
		d.Hit("job: in the queue", queued)
		d.Hit("job: not in the queue", !queued)

		operation, pod := d.annotations(names)
		annotated := dataflow.InjectAffinityAnnotation(operation, pod)
		if got := fluid.InjectAffinityAnnotation(operation, pod); !reflect.DeepEqual(got, annotated) {
			return disagreement("InjectAffinityAnnotation", operation, pod, annotated, got)
		}

		theirs, err := recordByFluid(job.DeepCopy(), node, annotated)
		if err != nil {
			return disagreement("Fluid's controller: "+err.Error(), job, node)
		}
		ours := d.record(job.DeepCopy(), node, annotated)
		if !reflect.DeepEqual(theirs.Annotations, ours.Annotations) {
			return disagreement("what is recorded", job, node.Labels, annotated, theirs.Annotations, ours.Annotations)
		}
		if d.Hit("job: nil", d.oneIn(64)) {
			theirs = nil
		}
		return d.judgeRecorded(theirs)
	}, slices.Concat(recordCorners, []string{u4Order, beyondName})...)
}

// annotations draws those of an operation, which name labels at times, and of its pod.
func (d *draw) annotations(names string) (operation, pod map[string]string) {
	if d.oneIn(2) {
		operation = map[string]string{"else": "where"}
	}
	if d.Hit("annotations: names", !d.Hit("annotations: no names", d.oneIn(4))) {
		operation = map[string]string{topology.LabelsAnnotation: names}
	}
	if d.oneIn(2) {
		pod = map[string]string{"of": "the pod"}
	}
	return operation, pod
}

// recordByFluid lets Fluid's controller see a Job, and returns the Job that it leaves.
func recordByFluid(job *batchv1.Job, node *corev1.Node, annotated map[string]string) (*batchv1.Job, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: "pod", Annotations: annotated},
		Spec:       corev1.PodSpec{NodeName: node.Name},
		Status:     corev1.PodStatus{Phase: corev1.PodSucceeded},
	}
	c := newCluster(job, node, pod)
	reconciler := dataflowaffinity.NewDataOpJobReconciler(c, logr.Discard(), nil)
	key := client.ObjectKeyFromObject(job)
	if _, err := reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: key}); err != nil {
		return nil, err
	}
	var left batchv1.Job
	err := c.Get(context.Background(), key, &left)
	return &left, err
}

// record does as Fluid's controller does, with the drop-in's functions.
func (d *draw) record(job *batchv1.Job, node *corev1.Node, annotated map[string]string) *batchv1.Job {
	if !fluid.JobShouldInQueue(job) {
		return job
	}
	if job.Annotations == nil {
		job.Annotations = map[string]string{}
	}
	if _, ok := job.Annotations[topology.InjectAnnotation]; !ok {
		job.Annotations[topology.InjectAnnotation] = "true"
	}
	if d.Hit("job: not complete", len(job.Status.Conditions) == 0 || job.Status.Conditions[0].Type != batchv1.JobComplete) {
		return job
	}
	names := []string{corev1.LabelHostname, corev1.LabelTopologyRegion, corev1.LabelTopologyZone}
	custom := strings.Split(annotated[topology.LabelsAnnotation], ",")
	for _, name := range custom {
		value, ok := node.Labels[strings.TrimSpace(name)]
		d.Hit("names: malformed", name == "not a key")
		d.Hit("names: blanks", name == " tier ")
		d.Hit("names: an empty one", len(custom) > 1 && name == "")
		d.Hit("node: without a label that is named", name != "" && !ok)
		d.Hit("node: a label with an empty value", ok && value == "")
	}
	fluid.FillCustomizedNodeAffinity(job.Annotations, node.Labels, append(names, custom...))
	return job
}

// judgeRecorded holds what the two make of the annotations of a Job against each other.
func (d *draw) judgeRecorded(job *batchv1.Job) error {
	theirs, theirErr := dataflow.GenerateNodeAffinity(job)
	ours, err := fluid.GenerateNodeAffinity(job)
	if job == nil {
		if theirs != nil || ours != nil || theirErr != nil || err != nil {
			return disagreement("nil", theirs, ours, text(theirErr), text(err))
		}
		return nil
	}
	wrong := func(what string) error {
		return disagreement(what, job.Annotations, theirs, text(theirErr), ours, text(err))
	}
	on := job.Annotations[topology.InjectAnnotation] == "true"
	_, nameless := job.Annotations[topology.RecordedPrefix]
	switch {
	case d.Hit("job: without the switch", !on):
		if theirs != nil || ours != nil || theirErr != nil || err != nil {
			return wrong("without the switch")
		}
		return nil
	case d.Hit(beyondName, nameless):
		if theirErr != nil || !slices.ContainsFunc(expressionsOf(theirs), func(e corev1.NodeSelectorRequirement) bool { return e.Key == "" }) {
			return wrong(beyondName)
		}
		if err == nil {
			return wrong("a label without a key")
		}
		return nil
	case d.Hit("job: nothing recorded", theirErr != nil):
		if !errors.Is(err, topology.ErrNotRecorded) || ours != nil {
			return wrong("nothing recorded")
		}
		return nil
	}
	if err != nil || theirs == nil {
		return wrong("recorded")
	}
	sorted := theirs.DeepCopy()
	expressions := expressionsOf(sorted)
	slices.SortFunc(expressions, func(a, b corev1.NodeSelectorRequirement) int { return cmp.Compare(a.Key, b.Key) })
	sorted.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions = expressions
	if !reflect.DeepEqual(sorted, ours) {
		return wrong("not the same labels")
	}
	d.Hit("recorded: several", len(expressions) > 1)
	same := reflect.DeepEqual(theirs, ours)
	d.Hit("recorded: the same order", same)
	d.Hit(u4Order, !same)
	read, err := topology.FromNodeAffinity(theirs)
	if err != nil || !maps.Equal(maps.Collect(read.All()), labelsRecorded(job)) {
		return wrong("what is read is not what was recorded")
	}
	return nil
}

func labelsRecorded(job *batchv1.Job) map[string]string {
	labels := map[string]string{}
	for name, value := range job.Annotations {
		if key, ok := strings.CutPrefix(name, topology.RecordedPrefix); ok {
			labels[key] = value
		}
	}
	return labels
}
