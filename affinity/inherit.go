package affinity

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Result is what an operation inherits.
type Result struct {
	// Affinity is what the operation's pods get: its own affinity and the
	// inherited part. Nil if there is neither.
	Affinity *corev1.Affinity

	// Inherited holds the labels that were taken over.
	Inherited topology.LabelSet

	// Missing holds the label keys that were asked for and are not exposed, in
	// the strategy's order. Nil if none is.
	Missing []string
}

// Inherit returns the affinity of an operation that follows, by strategy s, an
// operation that ran on a node with the exposed labels from.
//
// The result shares no memory with own, which is never written to and may be nil
// (law I1). Where nothing is to be added, it equals own (laws N1, N2). Applying
// the same strategy to the result changes nothing (law I3).
//
// An invalid strategy is an error that holds every fault as a *field.Error with a
// path that starts at affinityStrategy (law B1). Requirements that no node can meet
// together with own, although some can meet own, are a [*ConflictError] (law C1).
// The Result is then zero.
func Inherit(own *corev1.Affinity, s Strategy, from topology.LabelSet) (Result, error) {
	if len(s.Validate(nil)) > 0 {
		return Result{}, fielderror.Join(s.Validate(field.NewPath("affinityStrategy")))
	}
	keys := s.appendKeys(make([]string, 0, 8)) // on the stack, unless there are many
	result := Result{Inherited: from.Only(keys...)}
	if result.Inherited.Len() < len(keys) {
		result.Missing = missing(keys, from)
	}
	switch s.Policy {
	case Require:
		if err := FindConflict(nil, own, result.Inherited); err != nil {
			return Result{}, err
		}
		result.Affinity = requiring(own, keys, result.Inherited)
	case Prefer:
		result.Affinity = preferring(own, s.prefers(), result.Inherited)
	default:
		result.Affinity = own.DeepCopy()
	}
	return result, nil
}

// missing returns the keys that are not exposed (law M1).
func missing(keys []string, from topology.LabelSet) []string {
	var missing []string
	for _, key := range keys {
		if _, ok := from.Get(key); !ok {
			missing = append(missing, key)
		}
	}
	return missing
}

// requiring returns own AND the exposed value of every key (law R1). Terms are
// ORed, so each of them gets it. An empty term matches no node, and neither does a
// required part without terms; to add to them would make them match some.
func requiring(own *corev1.Affinity, keys []string, inherited topology.LabelSet) *corev1.Affinity {
	result := own.DeepCopy()
	switch required := nodeselector.Required(result); {
	case required != nil:
		for i := range required.NodeSelectorTerms {
			if term := &required.NodeSelectorTerms[i]; !nodeselector.IsEmpty(*term) {
				addEqualities(term, keys, inherited)
			}
		}
	case inherited.Len() > 0:
		var only *corev1.NodeSelectorTerm
		result, only = withOneTerm(result)
		addEqualities(only, keys, inherited)
	}
	return result
}

// preferring returns own and a preference for the exposed value of every key,
// unless own has it to the letter (laws P2, I3).
func preferring(own *corev1.Affinity, prefers []PreferredLabel, inherited topology.LabelSet) *corev1.Affinity {
	result := own.DeepCopy()
	held := holdingPreferences(own, inherited)
	added := preferences{most: len(prefers)}
	for _, p := range prefers {
		if value, ok := inherited.Get(p.Key); ok && !held.has(p, value) {
			result = added.add(result, p, value)
		}
	}
	return result
}
