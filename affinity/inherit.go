package affinity

import (
	"slices"

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
		if conflict := FindConflict(nil, own, result.Inherited); conflict != nil {
			return Result{}, conflict
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
	if required := nodeselector.Required(result); required != nil {
		for i := range required.NodeSelectorTerms {
			if term := &required.NodeSelectorTerms[i]; !nodeselector.IsEmpty(*term) {
				addEqualities(term, keys, inherited)
			}
		}
		return result
	}
	if inherited.Len() == 0 {
		return result
	}
	made := &struct {
		required corev1.NodeSelector
		terms    [1]corev1.NodeSelectorTerm
	}{}
	addEqualities(&made.terms[0], keys, inherited)
	made.required.NodeSelectorTerms = made.terms[:]
	result, node := nodeAffinity(result)
	node.RequiredDuringSchedulingIgnoredDuringExecution = &made.required
	return result
}

// addEqualities adds to term an expression for every exposed key, unless the term
// has it to the letter (law I3).
func addEqualities(term *corev1.NodeSelectorTerm, keys []string, inherited topology.LabelSet) {
	var values []string // of all expressions, next to each other
	for i, key := range keys {
		value, ok := inherited.Get(key)
		if !ok || hasEquality(term, key, value) {
			continue
		}
		if values == nil {
			values = make([]string, 0, len(keys)-i)
			term.MatchExpressions = slices.Grow(term.MatchExpressions, len(keys)-i)
		}
		n := len(values)
		values = append(values, value)
		term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
			Key: key, Operator: corev1.NodeSelectorOpIn, Values: values[n : n+1 : n+1],
		})
	}
}

// preferring returns own and a preference for the exposed value of every key,
// unless own has it to the letter (laws P2, I3).
func preferring(own *corev1.Affinity, prefers []Preferred, inherited topology.LabelSet) *corev1.Affinity {
	result := own.DeepCopy()
	var expressions []corev1.NodeSelectorRequirement // of all preferences, next to each other
	var values []string                              // of all expressions, likewise
	for i, p := range prefers {
		value, ok := inherited.Get(p.Name)
		if !ok || prefersAlready(own, p, value) {
			continue
		}
		var node *corev1.NodeAffinity
		result, node = nodeAffinity(result)
		preferred := &node.PreferredDuringSchedulingIgnoredDuringExecution
		if values == nil {
			most := len(prefers) - i
			*preferred = slices.Grow(*preferred, most)
			expressions, values = make([]corev1.NodeSelectorRequirement, 0, most), make([]string, 0, most)
		}
		n := len(values)
		values = append(values, value)
		expressions = append(expressions, corev1.NodeSelectorRequirement{Key: p.Name, Operator: corev1.NodeSelectorOpIn, Values: values[n : n+1 : n+1]})
		*preferred = append(*preferred, corev1.PreferredSchedulingTerm{
			Weight: p.Weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: expressions[n : n+1 : n+1]},
		})
	}
	return result
}
