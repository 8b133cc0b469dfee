package affinity

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Policy says how strictly an operation follows another.
type Policy string

const (
	None    Policy = ""        // change nothing
	Require Policy = "Require" // run only where the followed labels have the same values
	Prefer  Policy = "Prefer"  // rather run where they have
)

// Strategy says what an operation takes over from the place where another ran.
// Its JSON is that of Fluid's AffinityStrategy, less dependOn. The zero value
// changes nothing.
//
// Only the list that the policy reads has any effect (law D2).
type Strategy struct {
	// Policy is None, Require or Prefer.
	Policy Policy `json:"policy,omitempty"`

	// Requires names the labels that Require follows. Nil and empty mean the
	// hostname (law D1).
	Requires []RequiredLabel `json:"requires,omitempty"`

	// Prefers names the labels that Prefer follows. Nil and empty mean the
	// hostname with weight 100 (law D1).
	Prefers []PreferredLabel `json:"prefers,omitempty"`
}

// RequiredLabel is a label that Require follows.
type RequiredLabel struct {
	Key string `json:"name"` // label key
}

// PreferredLabel is a label that Prefer follows.
type PreferredLabel struct {
	Key   string `json:"name"`   // label key
	Weight int32  `json:"weight"` // from 1 to 100, added to a node's score
}

// The bounds of a preference's weight, which are the API server's.
const (
	minWeight = 1
	maxWeight = 100
)

// prefers is the list that Prefer reads, defaults applied.
func (s Strategy) prefers() []PreferredLabel {
	if len(s.Prefers) == 0 {
		return []PreferredLabel{{Key: topology.Hostname, Weight: maxWeight}}
	}
	return s.Prefers
}

// Keys returns the label keys that s follows, defaults applied: in the order of
// the list that the policy reads, each once. None, and an unknown policy, follow
// no key: nil.
func (s Strategy) Keys() []string { return s.appendKeys(nil) }

// appendKeys appends to keys, which is empty, what Keys returns.
func (s Strategy) appendKeys(keys []string) []string {
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
		return keys
	}
	if len(keys) == 0 {
		return append(keys, topology.Hostname)
	}
	return unique(keys)
}

// few items are faster looked through than put in a set.
const few = 16

// unique drops repeats from keys, in place.
func unique(keys []string) []string {
	if len(keys) > few {
		seen := sets.New[string]()
		return slices.DeleteFunc(keys, func(key string) bool {
			repeated := seen.Has(key)
			seen.Insert(key)
			return repeated
		})
	}
	kept := keys[:0]
	for _, key := range keys {
		if !slices.Contains(kept, key) {
			kept = append(kept, key)
		}
	}
	return kept
}

// Validate returns every fault of s, each with its path below path, which may be
// nil: an unknown policy, and in the list that the policy reads an empty or
// malformed label key, and a weight outside 1 to 100 (law B1). The list is nil for a
// valid strategy.
func (s Strategy) Validate(path *field.Path) field.ErrorList {
	switch s.Policy {
	case None:
		return nil
	case Require:
		return s.validateRequires(path)
	case Prefer:
		return s.validatePrefers(path)
	default:
		return field.ErrorList{unknownPolicy(s.Policy, path.Child("policy"))}
	}
}

func unknownPolicy(p Policy, path *field.Path) *field.Error {
	fault := field.NotSupported(path, p, []Policy{Require, Prefer})
	fault.Detail += ", or nothing to follow no label" + typo.Hint(p, Require, Prefer)
	return fault
}

func (s Strategy) validateRequires(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, r := range s.Requires {
		if !labelsyntax.IsKey(r.Key) {
			faults = append(faults, malformedKey(r.Key, path.Child("requires").Index(i).Child("name")))
		}
	}
	return faults
}

func (s Strategy) validatePrefers(path *field.Path) field.ErrorList {
	var faults field.ErrorList
	for i, p := range s.Prefers {
		if !labelsyntax.IsKey(p.Key) {
			faults = append(faults, malformedKey(p.Key, path.Child("prefers").Index(i).Child("name")))
		}
		if p.Weight < minWeight || p.Weight > maxWeight {
			path := path.Child("prefers").Index(i).Child("weight")
			faults = append(faults, field.Invalid(path, p.Weight, validation.InclusiveRangeError(minWeight, maxWeight)))
		}
	}
	return faults
}

func malformedKey(key string, path *field.Path) *field.Error {
	if key == "" {
		return field.Required(path, "the key of a node label, such as "+topology.Hostname)
	}
	return labelsyntax.KeyFault(path, key)
}
