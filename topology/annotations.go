package topology

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// Fluid defines both forms. InjectAnnotation has a slash where a recorded label has a dot, as in
// affinity.dataflow.fluid.io.topology.kubernetes.io/zone: an annotation name has at most one
// slash, which is that of the label key.
const (
	// InjectAnnotation on a Job, with the value "true", switches recording on. Any other
	// value switches it off.
	InjectAnnotation = "affinity.dataflow.fluid.io/inject"

	// RecordedPrefix and a label key are the name of the annotation of a Job that holds
	// the value of the label on the node where the Job ran.
	RecordedPrefix = "affinity.dataflow.fluid.io."
)

// ErrNotRecorded is the error for a Job for which recording is on and no label is recorded yet.
// The caller should try again later.
var ErrNotRecorded = errors.New("no label recorded yet, although " + InjectAnnotation + " is true")

// Annotations returns the annotations of a Job that record s, including [InjectAnnotation]. They
// are nil if s is empty, because InjectAnnotation alone means that no label is recorded yet.
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

// FromAnnotations returns the labels that the annotations of a Job record. It is the inverse of
// [LabelSet.Annotations] (law E2). Other annotations are ignored. For nil, and if recording is
// not on, the set is empty.
//
// The error is [ErrNotRecorded] if recording is on and no label is recorded. It is a
// *field.Error, with a path that starts at metadata, for a recorded label without a key.
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
			return LabelSet{}, fielderror.Join(field.ErrorList{fielderror.Invalid(path, value, "a label key must follow "+RecordedPrefix)})
		}
		recorded = append(recorded, label{key, value})
	}
	if len(recorded) == 0 {
		return LabelSet{}, ErrNotRecorded
	}
	return newSorted(recorded), nil
}
