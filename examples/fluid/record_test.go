package fluid_test

import (
	"errors"
	"testing"

	"github.com/fluid-cloudnative/fluid/pkg/ctrl/watch"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestInjectAffinityAnnotation(t *testing.T) {
	named := map[string]string{topology.LabelsAnnotation: "tier", "else": "where"}
	pod := map[string]string{"of": "the pod"}
	got := fluid.InjectAffinityAnnotation(named, pod)
	same(t, "of the pod", map[string]string{"of": "the pod", topology.LabelsAnnotation: "tier"}, got)
	same(t, "the pod's map", map[string]string{"of": "the pod"}, pod)
	same(t, "Fluid's", dataflow.InjectAffinityAnnotation(named, pod), got)
	same(t, "with no annotation of the pod", map[string]string{topology.LabelsAnnotation: "tier"}, fluid.InjectAffinityAnnotation(named, nil))
	same(t, "the operation's is what counts", map[string]string{topology.LabelsAnnotation: ""},
		fluid.InjectAffinityAnnotation(map[string]string{topology.LabelsAnnotation: ""}, map[string]string{topology.LabelsAnnotation: "old"}))
	same(t, "without names", pod, fluid.InjectAffinityAnnotation(map[string]string{"else": "where"}, pod))
	if fluid.InjectAffinityAnnotation(nil, nil) != nil {
		t.Error("without any annotation there is one")
	}
}

func TestJobShouldInQueue(t *testing.T) {
	tests := map[string]struct {
		labels map[string]string
		want   bool
	}{
		"of an operation":           {nil, true},
		"by a schedule":             {map[string]string{"cronjob": "load-job"}, false},
		"by a schedule, nameless":   {map[string]string{"cronjob": ""}, false},
		"one pod":                   {map[string]string{"parallelism": "1"}, true},
		"one pod, by a schedule":    {map[string]string{"parallelism": "1", "cronjob": "x"}, false},
		"three pods":                {map[string]string{"parallelism": "3"}, false},
		"two pods":                  {map[string]string{"parallelism": "2"}, false},
		"not a number":              {map[string]string{"parallelism": "many"}, false},
		"an empty number":           {map[string]string{"parallelism": ""}, false},
		"more pods than an int has": {map[string]string{"parallelism": "99999999999999999999"}, false},
		"no pod":                    {map[string]string{"parallelism": "0"}, true},
	}
	for name, test := range tests {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Labels: test.labels}}
		if got, theirs := fluid.JobShouldInQueue(job), watch.JobShouldInQueue(job); got != test.want || theirs != test.want {
			t.Errorf("%s: %v, and Fluid says %v", name, got, theirs)
		}
	}
	if fluid.JobShouldInQueue(nil) {
		t.Error("no Job is in the queue")
	}
}

func TestFillCustomizedNodeAffinity(t *testing.T) {
	labels := map[string]string{topology.Hostname: "node-1", topology.Zone: "east-a", "k8s.gpu": "true", "empty": "", "other": "x"}
	annotations := map[string]string{"else": "where", topology.RecordedPrefix + "k8s.gpu": "old"}
	fluid.FillCustomizedNodeAffinity(annotations, labels, []string{topology.Hostname, topology.Region, topology.Zone, " k8s.gpu", "", "\tempty ", "k8s.gpu"})
	same(t, "annotations", map[string]string{
		"else":                                      "where",
		"affinity.dataflow.fluid.io.k8s.gpu":        "true",
		"affinity.dataflow.fluid.io.empty":          "",
		topology.RecordedPrefix + topology.Hostname: "node-1",
		topology.RecordedPrefix + topology.Zone:     "east-a",
	}, annotations)

	fluid.FillCustomizedNodeAffinity(annotations, nil, []string{"k8s.gpu"})
	fluid.FillCustomizedNodeAffinity(annotations, labels, nil)
	same(t, "number of annotations", 5, len(annotations))
	fluid.FillCustomizedNodeAffinity(nil, labels, []string{"absent"}) // nothing to write
}

func TestGenerateNodeAffinity(t *testing.T) {
	on := topology.InjectAnnotation
	tests := map[string]struct {
		annotations map[string]string
		want        *corev1.NodeAffinity
		err         error
	}{
		"built-in labels": {
			map[string]string{on: "true", topology.RecordedPrefix + topology.Zone: "z1", topology.RecordedPrefix + topology.Hostname: "n1", topology.RecordedPrefix + topology.Region: "r1"},
			required(in(topology.Hostname, "n1"), in(topology.Region, "r1"), in(topology.Zone, "z1")).NodeAffinity, nil,
		},
		"a label of one's own": {
			map[string]string{on: "true", topology.RecordedPrefix + "k8s.rack": "rack01", topology.LabelsAnnotation: "k8s.rack", "else": "where"},
			required(in("k8s.rack", "rack01")).NodeAffinity, nil,
		},
		"no switch":      {map[string]string{topology.RecordedPrefix + topology.Zone: "z1"}, nil, nil},
		"switched off":   {map[string]string{on: "false", topology.RecordedPrefix + topology.Zone: "z1"}, nil, nil},
		"no annotations": {nil, nil, nil},
		"not yet":        {map[string]string{on: "true", topology.LabelsAnnotation: "k8s.rack"}, nil, topology.ErrNotRecorded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}}
			got, err := fluid.GenerateNodeAffinity(job)
			if !errors.Is(err, test.err) {
				t.Errorf("err = %v", err)
			}
			same(t, "affinity", test.want, got)
			if _, theirErr := dataflow.GenerateNodeAffinity(job); (theirErr != nil) != (test.err != nil) {
				t.Errorf("Fluid's err = %v", theirErr)
			}
		})
	}
	if got, err := fluid.GenerateNodeAffinity(nil); got != nil || err != nil {
		t.Errorf("of nil: %v, %v", got, err)
	}
	nameless := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{on: "true", topology.RecordedPrefix: "x"}}}
	if got, err := fluid.GenerateNodeAffinity(nameless); got != nil || !isFieldError("metadata.annotations["+topology.RecordedPrefix+"]")(err) {
		t.Errorf("of a label without a key: %v, %v", got, err)
	}
}
