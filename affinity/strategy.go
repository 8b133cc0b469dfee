package affinity

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Policy says how an operation inherits the labels of another one.
type Policy string

const (
	None    Policy = ""        // inherit nothing
	Require Policy = "Require" // run only on nodes where the labels have the same values
	Prefer  Policy = "Prefer"  // prefer nodes where the labels have the same values
)

// Strategy says which labels an operation inherits from another one. Its JSON form is that of
// Fluid's AffinityStrategy, without dependOn. The zero value inherits nothing.
//
// Only the list that the policy reads has an effect (law D2).
type Strategy struct {
	// Policy is None, Require or Prefer.
	Policy Policy `json:"policy,omitempty"`

	// Requires holds the labels for policy Require. Nil and empty mean the hostname (law
	// D1).
	Requires []RequiredLabel `json:"requires,omitempty"`

	// Prefers holds the labels for policy Prefer. Nil and empty mean the hostname with
	// weight 100 (law D1).
	Prefers []PreferredLabel `json:"prefers,omitempty"`
}

// RequiredLabel is a label for policy Require.
type RequiredLabel struct {
	Key string `json:"name"` // the label key
}

// PreferredLabel is a label for policy Prefer.
type PreferredLabel struct {
	Key    string `json:"name"`   // the label key
	Weight int32  `json:"weight"` // from 1 to 100, added to the score of a node
}

// The bounds of a weight, as in kube-apiserver.
const (
	minWeight = 1
	maxWeight = 100
)

// prefers returns the list for policy Prefer, or its default.
func (s Strategy) prefers() []PreferredLabel {
	if len(s.Prefers) == 0 {
		return []PreferredLabel{{Key: topology.Hostname, Weight: maxWeight}}
	}
	return s.Prefers
}

// Keys returns the label keys of s, or its default: in the order of the list that the policy
// reads, each once. It is nil for None and for an unknown policy.
func (s Strategy) Keys() []string {
	keys := make([]string, 0, len(s.Requires)+len(s.Prefers))
	switch s.Policy {
	case Require:
		for _, r := range s.Requires {
			keys = append(keys, r.Key)
		}
	case Prefer:
		for _, p := range s.Prefers {
			keys = append(keys, p.Key)
		}
	default:
		return nil
	}
	if len(keys) == 0 {
		return []string{topology.Hostname}
	}
	seen := make(map[string]bool, len(keys))
	return slices.DeleteFunc(keys, func(key string) bool {
		repeated := seen[key]
		seen[key] = true
		return repeated
	})
}

// Validate returns every fault of s: an unknown policy and, in the list that the policy reads,
// an empty or malformed label key and a weight outside 1 to 100 (law B1). The list is nil for a
// valid strategy. The paths of the faults are below path, which may be nil.
func (s Strategy) Validate(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	switch s.Policy {
	case None:
	case Require:
		for i, r := range s.Requires {
			if !labelsyntax.IsKey(r.Key) {
				faults = append(faults, keyFault(path.Child("requires").Index(i).Child("name"), r.Key))
			}
		}
	case Prefer:
		for i, p := range s.Prefers {
			if !labelsyntax.IsKey(p.Key) {
				faults = append(faults, keyFault(path.Child("prefers").Index(i).Child("name"), p.Key))
			}
			if p.Weight < minWeight || p.Weight > maxWeight {
				path := path.Child("prefers").Index(i).Child("weight")
				faults = append(faults, field.Invalid(path, p.Weight, validation.InclusiveRangeError(minWeight, maxWeight)))
			}
		}
	default:
		faults = append(faults, fielderror.Unsupported(path.Child("policy"), s.Policy, Require, Prefer, None))
	}
	return faults
}

// keyFault returns the fault of a string that is not a label key.
func keyFault(path *field.Path, key string) *field.Error {
	if key == "" {
		return field.Required(path, "the key of a node label, such as "+topology.Hostname)
	}
	return labelsyntax.KeyFault(path, key)
}
