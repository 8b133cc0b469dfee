package topology

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// The label keys that every operation exposes without naming them.
const (
	Hostname = corev1.LabelHostname       // kubernetes.io/hostname
	Zone     = corev1.LabelTopologyZone   // topology.kubernetes.io/zone
	Region   = corev1.LabelTopologyRegion // topology.kubernetes.io/region
)

// LabelsAnnotation is the annotation of an operation that names the label keys
// that it exposes beside the built-in three, separated by commas.
const LabelsAnnotation = "affinity.dataflow.fluid.io/labels"

// ExposedKeys returns the keys that an operation exposes, sorted, each once: the
// built-in three and the custom ones that it names.
func ExposedKeys(custom ...string) []string {
	keys := append([]string{Hostname, Region, Zone}, custom...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ParseKeys reads the value of [LabelsAnnotation]: label keys separated by
// commas. Blanks around a key and empty items are ignored, so the empty
// annotation names no key (nil). The keys come sorted, each once.
//
// Every malformed key is reported, as a *field.Error on the annotation; the keys
// are then nil (law E5).
func ParseKeys(annotation string) ([]string, error) {
	var keys []string
	var faults field.ErrorList
	for _, item := range strings.Split(annotation, ",") {
		key := strings.TrimSpace(item)
		switch {
		case key == "":
		case labelsyntax.IsKey(key):
			keys = append(keys, key)
		default:
			path := field.NewPath("metadata", "annotations").Key(LabelsAnnotation)
			faults = append(faults, labelsyntax.KeyFault(path, key))
		}
	}
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
