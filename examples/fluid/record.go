package fluid

import (
	"maps"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// InjectAffinityAnnotation returns the annotations of an operation's pod: podAnnotation,
// and, if the operation names labels that it exposes, the annotation that names them.
// Neither map is written to. Without such an annotation podAnnotation itself is returned.
func InjectAffinityAnnotation(opAnnotation map[string]string, podAnnotation map[string]string) map[string]string {
	value, named := opAnnotation[topology.LabelsAnnotation]
	if !named {
		return podAnnotation
	}
	annotations := make(map[string]string, len(podAnnotation)+1)
	maps.Copy(annotations, podAnnotation)
	annotations[topology.LabelsAnnotation] = value
	return annotations
}

// The labels by which Fluid's charts mark the Jobs of operations that have no one place.
const (
	cronJobLabel     = "cronjob"     // of an operation that runs by a schedule
	parallelismLabel = "parallelism" // in how many pods an operation runs
)

// JobShouldInQueue reports whether it is to be recorded where a Job ran: not if it is one
// of many that run by a schedule, nor if it runs in several pods or in a number of them
// that cannot be read. There is nothing to record for nil.
func JobShouldInQueue(job *batchv1.Job) bool {
	if job == nil {
		return false
	}
	_, recurring := job.Labels[cronJobLabel]
	parallelism, stated := job.Labels[parallelismLabel]
	return !recurring && (!stated || isOnePod(parallelism))
}

func isOnePod(parallelism string) bool {
	pods, err := strconv.Atoi(parallelism)
	return err == nil && pods <= 1
}

// FillCustomizedNodeAffinity adds to annotationsToInject, those of a Job, which labels its
// node has of those with the given names. Blanks around a name are ignored, and so are
// empty names and labels that the node does not have.
func FillCustomizedNodeAffinity(annotationsToInject map[string]string, nodeLabels map[string]string, exposedLabelNames []string) {
	names := make([]string, len(exposedLabelNames))
	for i, name := range exposedLabelNames {
		names[i] = strings.TrimSpace(name)
	}
	for key, value := range topology.NewLabelSet(nodeLabels).Only(names...).All() {
		annotationsToInject[topology.RecordedPrefix+key] = value
	}
}

// GenerateNodeAffinity returns status.nodeAffinity of the operation whose Job has
// completed: the labels that its annotations record, sorted by key. It is nil if nothing is
// to be recorded: for nil, and without the switch affinity.dataflow.fluid.io/inject. If the
// switch is on and no label there yet, the error is topology.ErrNotRecorded: ask again
// later.
func GenerateNodeAffinity(job *batchv1.Job) (*corev1.NodeAffinity, error) {
	if job == nil {
		return nil, nil
	}
	recorded, err := topology.FromAnnotations(job.Annotations)
	return recorded.NodeAffinity(), err
}

// namesIn returns the names of the labels that an operation with such annotations exposes,
// in addition to the built-in three. A malformed one is among them, and does no harm: no node has
// a label of that name.
func namesIn(annotations map[string]string) []string {
	var names []string
	for _, name := range strings.Split(annotations[topology.LabelsAnnotation], ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}
