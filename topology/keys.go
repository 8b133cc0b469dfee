package topology

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// The keys of the labels that every operation exposes.
const (
	Hostname = corev1.LabelHostname       // kubernetes.io/hostname
	Zone     = corev1.LabelTopologyZone   // topology.kubernetes.io/zone
	Region   = corev1.LabelTopologyRegion // topology.kubernetes.io/region
)

// LabelsAnnotation is the annotation of an operation that names the keys of further labels
// that it exposes, separated by commas.
const LabelsAnnotation = "affinity.dataflow.fluid.io/labels"

// ExposedKeys returns the label keys that an operation exposes: the built-in three and the
// given custom keys, sorted, each once.
func ExposedKeys(custom ...string) []string {
	keys := append([]string{Hostname, Region, Zone}, custom...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ParseKeys returns the label keys in a value of [LabelsAnnotation], sorted, each once. Blanks
// around a key and empty items are ignored. Without a key the result is nil.
//
// The error holds a *field.Error for every item that is not a label key, or that Fluid cannot
// record ([CheckRecordable]). The path is that of the annotation in the operation. The keys are
// nil then (law E5).
func ParseKeys(annotation string) ([]string, error) {
	path := field.NewPath("metadata", "annotations").Key(LabelsAnnotation)
	var keys []string
	var faults field.ErrorList
	for _, item := range strings.Split(annotation, ",") {
		key := strings.TrimSpace(item)
		if key == "" {
			continue
		}
		keys = append(keys, key)
		if !labelsyntax.IsKey(key) {
			faults = append(faults, labelsyntax.KeyFault(path, key))
		} else if fault := CheckRecordable(path, key); fault != nil {
			faults = append(faults, fault)
		}
	}
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// The lengths of label keys that Fluid can record. The prefix of an annotation name has at most
// 253 characters and its name at most 63. RecordedPrefix takes 27 of the prefix, or of the name
// if the key has no prefix.
const (
	maxRecordedPrefix = validation.DNS1123SubdomainMaxLength - len(RecordedPrefix)
	maxRecordedName   = validation.DNS1123LabelMaxLength - len(RecordedPrefix)
)

// CheckRecordable returns the fault of a label key that Fluid cannot record, or nil. Fluid
// records a label in an annotation whose name is [RecordedPrefix] and the key. An API server
// rejects that name if the key has more than 36 characters and no slash, or more than 226
// characters before the slash. path is the field that holds the key, and may be nil. Nothing
// else is checked: key must be a label key.
func CheckRecordable(path *field.Path, key string) *field.Error {
	limited, limit, part := key, maxRecordedName, "if it has no slash"
	if prefix, _, ok := strings.Cut(key, "/"); ok {
		limited, limit, part = prefix, maxRecordedPrefix, "before the slash"
	}
	if len(limited) <= limit {
		return nil
	}
	return fielderror.Invalid(path, key, fmt.Sprintf(
		"must have at most %d characters %s, so that Fluid can record the label in an annotation; it has %d", limit, part, len(limited)))
}
