package dataflow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// validatePlacement returns what kube-apiserver's validation rejects in an operation's node name,
// tolerations, weights of preferences, and pod affinity. Node selectors and terms of node affinity
// are left to affinity.Compile. The paths start below the pod spec.
func validatePlacement(op *Operation) field.ErrorList {
	faults := validateNodeName(op)
	for i := range op.Tolerations {
		faults = append(faults, validateToleration(&op.Tolerations[i], field.NewPath("tolerations").Index(i))...)
	}
	if a := op.Affinity; a != nil {
		path := field.NewPath("affinity")
		if node := a.NodeAffinity; node != nil {
			for i, p := range node.PreferredDuringSchedulingIgnoredDuringExecution {
				faults = append(faults, validateWeight(p.Weight, path.Child("nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution").Index(i))...)
			}
		}
		if pod := a.PodAffinity; pod != nil {
			faults = append(faults, validatePodTerms(pod.RequiredDuringSchedulingIgnoredDuringExecution, pod.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAffinity"))...)
		}
		if pod := a.PodAntiAffinity; pod != nil {
			faults = append(faults, validatePodTerms(pod.RequiredDuringSchedulingIgnoredDuringExecution, pod.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAntiAffinity"))...)
		}
	}
	for _, fault := range faults {
		fielderror.Shorten(fault)
	}
	return faults
}

// validateNodeName returns the fault of an operation's node name.
func validateNodeName(op *Operation) field.ErrorList {
	if name := op.NodeName; name != "" && !labelsyntax.IsSubdomain(name) {
		return field.ErrorList{fielderror.Invalid(field.NewPath("nodeName"), name, strings.Join(validation.IsDNS1123Subdomain(name), "; "))}
	}
	return nil
}

// validateWeight returns the fault of the weight of a preference.
func validateWeight(weight int32, path *field.Path) field.ErrorList {
	if weight < 1 || weight > 100 {
		return field.ErrorList{field.Invalid(path.Child("weight"), weight, validation.InclusiveRangeError(1, 100))}
	}
	return nil
}

// validateToleration returns the faults of a toleration. The operators Lt and Gt are accepted, as
// by an API server with the feature gate TaintTolerationComparisonOperators.
func validateToleration(t *corev1.Toleration, path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if t.Key != "" && !labelsyntax.IsKey(t.Key) {
		faults = append(faults, labelsyntax.KeyFault(path.Child("key"), t.Key))
	}
	if t.Key == "" && t.Operator != corev1.TolerationOpExists {
		faults = append(faults, field.Invalid(path.Child("operator"), t.Operator, "must be Exists, to tolerate every taint, or the toleration needs a key"))
	}
	switch t.Operator {
	case "", corev1.TolerationOpEqual:
		if !labelsyntax.IsValue(t.Value) {
			faults = append(faults, field.Invalid(path.Child("value"), t.Value, strings.Join(validation.IsValidLabelValue(t.Value), "; ")))
		}
	case corev1.TolerationOpExists:
		if t.Value != "" {
			faults = append(faults, field.Invalid(path.Child("value"), t.Value, "must be empty for operator Exists"))
		}
	case "Lt", "Gt":
		if n, err := strconv.ParseInt(t.Value, 10, 64); err != nil || strconv.FormatInt(n, 10) != t.Value {
			faults = append(faults, field.Invalid(path.Child("value"), t.Value, "must be an integer of 64 bits for operator "+string(t.Operator)))
		}
	default:
		faults = append(faults, fielderror.Unsupported(path.Child("operator"), t.Operator, corev1.TolerationOpExists, corev1.TolerationOpEqual))
	}
	switch t.Effect {
	case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		faults = append(faults, fielderror.Unsupported(path.Child("effect"), t.Effect, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute))
	}
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		faults = append(faults, field.Invalid(path.Child("effect"), t.Effect, "must be NoExecute if tolerationSeconds is set"))
	}
	return faults
}

// validatePodTerms returns the faults of a pod affinity or anti-affinity.
func validatePodTerms(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i := range required {
		faults = append(faults, validatePodTerm(&required[i], path.Child("requiredDuringSchedulingIgnoredDuringExecution").Index(i))...)
	}
	for i := range preferred {
		path := path.Child("preferredDuringSchedulingIgnoredDuringExecution").Index(i)
		faults = append(faults, validateWeight(preferred[i].Weight, path)...)
		faults = append(faults, validatePodTerm(&preferred[i].PodAffinityTerm, path.Child("podAffinityTerm"))...)
	}
	return faults
}

func validatePodTerm(term *corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	var faults field.ErrorList
	if term.TopologyKey == "" {
		faults = append(faults, field.Required(path.Child("topologyKey"), "the key of a node label"))
	} else if !labelsyntax.IsKey(term.TopologyKey) {
		faults = append(faults, labelsyntax.KeyFault(path.Child("topologyKey"), term.TopologyKey))
	}
	selected := metav1validation.ValidateLabelSelector(term.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("labelSelector"))
	selected = append(selected, metav1validation.ValidateLabelSelector(term.NamespaceSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("namespaceSelector"))...)
	slices.SortStableFunc(selected, func(a, b *field.Error) int { // those of a map have values
		of, _ := a.BadValue.(string)
		other, _ := b.BadValue.(string)
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(of, other), strings.Compare(a.Detail, b.Detail))
	})
	faults = append(faults, selected...)
	for i, name := range term.Namespaces {
		if messages := validation.IsDNS1123Label(name); len(messages) > 0 {
			faults = append(faults, field.Invalid(path.Child("namespaces").Index(i), name, strings.Join(messages, "; ")))
		}
	}
	return faults
}
