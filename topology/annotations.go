package topology

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// Both forms are Fluid's. They begin alike and go on with another character: the switch,
// affinity.dataflow.fluid.io/inject, with a slash; a recorded label with a dot, as in
// affinity.dataflow.fluid.io.topology.kubernetes.io/zone. An annotation can have one slash
// only, and that is the label key's.
const (
	// InjectAnnotation on a Job switches recording on, with the value "true".
	InjectAnnotation = "affinity.dataflow.fluid.io/inject"

	// RecordedPrefix and a label key make the annotation of a Job that records
	// the value which that label has on the node where the Job ran.
	RecordedPrefix = "affinity.dataflow.fluid.io."
)

// ErrNotRecorded says that a Job is to record where it ran and has not done so
// yet: ask again later.
var ErrNotRecorded = errors.New("no label recorded yet, although " + InjectAnnotation + " is true")

// Annotations returns the Job annotations that record s, the switch included.
// They are nil if s is empty: a Job with the switch alone is one that has not
// recorded yet.
func (s LabelSet) Annotations() map[string]string {
	if s.Len() == 0 {
		return nil
	}
	annotations := make(map[string]string, s.Len()+1)
	annotations[InjectAnnotation] = "true"
	for key, value := range s.All() {
		annotations[RecordedPrefix+key] = value
	}
	return annotations
}

// FromAnnotations returns the labels that a Job's annotations record. It is the
// inverse of [LabelSet.Annotations] (law E2) and passes over annotations that
// have to do with something else. Without the switch, as with nil, nothing is
// recorded: the set is empty. With the switch but no label, the error is
// [ErrNotRecorded]. A recorded label without a key is a *field.Error.
func FromAnnotations(annotations map[string]string) (LabelSet, error) {
	if annotations[InjectAnnotation] != "true" {
		return LabelSet{}, nil
	}
	recorded := make([]label, 0, len(annotations))
	for name, value := range annotations {
		key, ok := strings.CutPrefix(name, RecordedPrefix)
		if !ok {
			continue
		}
		if key == "" {
			path := field.NewPath("metadata", "annotations").Key(name)
			return LabelSet{}, fielderror.Join(field.ErrorList{field.Invalid(path, value, "a label key must follow "+RecordedPrefix)})
		}
		recorded = append(recorded, label{key, value})
	}
	if len(recorded) == 0 {
		return LabelSet{}, ErrNotRecorded
	}
	return newSorted(recorded), nil
}
