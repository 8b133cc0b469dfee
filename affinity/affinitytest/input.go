package affinitytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Input is what a function is given that computes what an operation inherits.
type Input struct {
	Own      *corev1.Affinity  // the own affinity of the operation
	Strategy affinity.Strategy // how it inherits
	From     topology.LabelSet // the labels that its source exposes
}

// clone returns an input that shares no memory with in, and whose slices have no spare capacity.
func (in Input) clone() Input {
	in.Own = in.Own.DeepCopy()
	in.Strategy.Requires = clone(in.Strategy.Requires)
	in.Strategy.Prefers = clone(in.Strategy.Prefers)
	return in
}

func clone[E any](list []E) []E {
	if list == nil {
		return nil
	}
	return append(make([]E, 0, len(list)), list...)
}

// The rest are words of LAWS.md.

// keys returns K: the keys of the strategy or its default, in its order, each once.
func (in Input) keys() []string {
	var keys []string
	switch in.Strategy.Policy {
	case affinity.Require:
		for _, r := range in.requires() {
			keys = append(keys, r.Key)
		}
	case affinity.Prefer:
		for _, p := range in.prefers() {
			keys = append(keys, p.Key)
		}
	}
	var unique []string
	for _, key := range keys {
		if !slices.Contains(unique, key) {
			unique = append(unique, key)
		}
	}
	return unique
}

// requires returns the required labels or their default.
func (in Input) requires() []affinity.RequiredLabel {
	if len(in.Strategy.Requires) == 0 {
		return []affinity.RequiredLabel{{Key: topology.Hostname}}
	}
	return in.Strategy.Requires
}

// prefers returns the preferred labels or their default.
func (in Input) prefers() []affinity.PreferredLabel {
	if len(in.Strategy.Prefers) == 0 {
		return []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 100}}
	}
	return in.Strategy.Prefers
}

// inherited returns the exposed labels with a key of the strategy.
func (in Input) inherited() map[string]string {
	labels := map[string]string{}
	for _, key := range in.keys() {
		if value, exposed := in.From.Get(key); exposed {
			labels[key] = value
		}
	}
	return labels
}

// faults returns the paths of the faulty fields of the strategy (law B1).
func (in Input) faults() []string {
	var faults []string
	path := func(list string, i int, name string) string { return fmt.Sprintf("%s[%d].%s", list, i, name) }
	switch in.Strategy.Policy {
	case affinity.None:
	case affinity.Require:
		for i, r := range in.Strategy.Requires {
			if len(validation.IsQualifiedName(r.Key)) > 0 {
				faults = append(faults, path("requires", i, "name"))
			}
		}
	case affinity.Prefer:
		for i, p := range in.Strategy.Prefers {
			if len(validation.IsQualifiedName(p.Key)) > 0 {
				faults = append(faults, path("prefers", i, "name"))
			}
			if p.Weight < 1 || p.Weight > 100 {
				faults = append(faults, path("prefers", i, "weight"))
			}
		}
	default:
		faults = append(faults, "policy")
	}
	return faults
}

// missingPreferences returns the preferences of the strategy for exposed labels that own does not hold
// to the letter.
func (in Input) missingPreferences() []corev1.PreferredSchedulingTerm {
	var missing []corev1.PreferredSchedulingTerm
	for _, p := range in.prefers() {
		value, exposed := in.From.Get(p.Key)
		if !exposed {
			continue
		}
		wanted := preferenceFor(p, value)
		held := slices.ContainsFunc(preferredOf(in.Own), func(own corev1.PreferredSchedulingTerm) bool { return encode(own) == encode(wanted) })
		if !held {
			missing = append(missing, wanted)
		}
	}
	return missing
}

func preferenceFor(p affinity.PreferredLabel, value string) corev1.PreferredSchedulingTerm {
	return corev1.PreferredSchedulingTerm{Weight: p.Weight, Preference: corev1.NodeSelectorTerm{
		MatchExpressions: []corev1.NodeSelectorRequirement{equal(p.Key, value)},
	}}
}

// missingExpressions returns the inherited expressions that a term does not hold to the letter, in the
// order of the strategy.
func (in Input) missingExpressions(term corev1.NodeSelectorTerm) []corev1.NodeSelectorRequirement {
	var missing []corev1.NodeSelectorRequirement
	for _, key := range in.keys() {
		value, exposed := in.From.Get(key)
		held := slices.ContainsFunc(term.MatchExpressions, func(own corev1.NodeSelectorRequirement) bool { return encode(own) == encode(equal(key, value)) })
		if exposed && !held {
			missing = append(missing, equal(key, value))
		}
	}
	return missing
}

// nothingToAdd reports whether every inherited constraint is there already.
func (in Input) nothingToAdd() bool {
	required := requiredOf(in.Own)
	switch {
	case in.Strategy.Policy == affinity.Prefer:
		return len(in.missingPreferences()) == 0
	case required == nil:
		return len(in.inherited()) == 0
	}
	return !slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return !isEmpty(t) && len(in.missingExpressions(t)) > 0
	})
}

// places returns places that can make a difference: those that the own terms match, with the exposed
// labels and without, and each of them with one label or the name changed.
func (in Input) places() []place {
	exposed := maps.Collect(in.From.All())
	maps.DeleteFunc(exposed, func(key, value string) bool { return !isLabel(key, value) }) // no node has these
	bases := []place{{name: "node"}, {name: "node", labels: exposed}}
	var expressions []corev1.NodeSelectorRequirement
	names := map[string]bool{"node": true}
	collect := func(term corev1.NodeSelectorTerm) {
		expressions = append(expressions, term.MatchExpressions...)
		for _, e := range term.MatchFields {
			for _, name := range e.Values {
				names[name] = true
			}
		}
	}
	for key, value := range exposed {
		expressions = append(expressions, equal(key, value))
	}
	if required := requiredOf(in.Own); required != nil {
		for _, term := range required.NodeSelectorTerms {
			collect(term)
			if found, ok := findPlace(term, nil); ok {
				with := place{found.name, maps.Clone(found.labels)}
				maps.Copy(with.labels, exposed)
				bases = append(bases, found, with)
			}
		}
	}
	for _, p := range preferredOf(in.Own) {
		collect(p.Preference)
	}
	states := map[string][]state{}
	for key, expressions := range byKey(expressions) {
		states[key] = statesOf(expressions)
	}
	keys := slices.Sorted(maps.Keys(states))
	var places []place
	for _, base := range bases {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			places = append(places, place{name, base.labels})
		}
		for _, key := range keys {
			for _, s := range states[key] {
				labels := make(map[string]string, len(base.labels)+1)
				maps.Copy(labels, base.labels)
				delete(labels, key)
				if s.present {
					labels[key] = s.value
				}
				places = append(places, place{base.name, labels})
			}
		}
	}
	return places
}

// inputs draws inputs with valid strategies, often with some of the inherited constraints there already,
// as after an earlier call, and inputs with any strategy.
func inputs() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		in := Input{
			Own:      Affinities().Draw(t, "own"),
			Strategy: rapid.OneOf(ValidStrategies(), ValidStrategies(), Strategies()).Draw(t, "strategy"),
			From:     LabelSets().Draw(t, "from"),
		}
		if in.Own == nil || in.Own.NodeAffinity == nil || !rapid.Bool().Draw(t, "has some of it already") {
			return in
		}
		preferred := &in.Own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		if in.Strategy.Policy == affinity.Prefer {
			for _, p := range in.missingPreferences() {
				if rapid.Bool().Draw(t, "has preference") {
					*preferred = append(*preferred, p)
				}
			}
		} else if required := requiredOf(in.Own); required != nil {
			for i, term := range required.NodeSelectorTerms {
				for _, e := range in.missingExpressions(term) {
					if rapid.Bool().Draw(t, "has expression") {
						required.NodeSelectorTerms[i].MatchExpressions = append(required.NodeSelectorTerms[i].MatchExpressions, e)
					}
				}
			}
		}
		return in
	})
}

// encode returns the JSON form: what an API server is given.
func encode(v any) string {
	encoded, _ := json.Marshal(v) // the types of this package have no values that cannot be encoded
	return string(encoded)
}
