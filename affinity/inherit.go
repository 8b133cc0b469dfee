package affinity

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Result is what an operation inherits.
type Result struct {
	// Affinity is the affinity of the operation's pods: the own affinity and what is
	// inherited. It is nil if there is neither.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// Inherited holds the inherited labels.
	Inherited topology.LabelSet `json:"inherited"`

	// Missing holds the label keys of the strategy that the source does not expose, in the
	// order of the strategy. It is nil if there are none.
	Missing []string `json:"missing,omitempty"`
}

// Inherit returns the affinity of an operation that has the affinity own, and that inherits by
// strategy s from an operation that ran on a node with the exposed labels from.
//
// Own may be nil. The result shares no memory with it (law I1). If there is nothing to add, it
// equals own (laws N1, N2). Inheriting by the same strategy again changes nothing (law I3).
// Prefer adds no preference for a value that no label can have.
//
// The Result is zero if there is an error. An invalid strategy is an error that holds every fault
// as a *field.Error with a path that starts at affinityStrategy (law B1). Inherited labels that
// no node can have together with own, although some node matches own, are a [*ConflictError]
// (law C1).
func Inherit(own *corev1.Affinity, s Strategy, from topology.LabelSet) (Result, error) {
	if len(s.Validate(nil)) > 0 { // the path is built only for a fault
		return Result{}, fielderror.Join(s.Validate(field.NewPath("affinityStrategy")))
	}
	keys := s.Keys()
	result := Result{Affinity: own.DeepCopy(), Inherited: from.Only(keys...)}
	for _, key := range keys {
		if _, ok := from.Get(key); !ok {
			result.Missing = append(result.Missing, key)
		}
	}
	switch s.Policy {
	case Require:
		if err := FindConflict(nil, own, result.Inherited); err != nil {
			return Result{}, err
		}
		result.Affinity = require(result.Affinity, keys, result.Inherited)
	case Prefer:
		result.Affinity = prefer(result.Affinity, s.prefers(), result.Inherited)
	}
	return result, nil
}

// require adds to a, which it may write to, the inherited value of every key (law R1): to each
// term, because terms are ORed. An empty term, and a required part without terms, match no node.
// They stay as they are, because with an expression they would match some node.
func require(a *corev1.Affinity, keys []string, inherited topology.LabelSet) *corev1.Affinity {
	required := nodeselector.Required(a)
	if required == nil && inherited.Len() > 0 {
		a = nodeselector.WithNodeAffinity(a)
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: appendMissing(nil, keys, inherited)}},
		}
	}
	if required != nil {
		for i := range required.NodeSelectorTerms {
			if t := &required.NodeSelectorTerms[i]; !nodeselector.IsEmpty(*t) {
				t.MatchExpressions = appendMissing(t.MatchExpressions, keys, inherited)
			}
		}
	}
	return a
}

// prefer adds to a, which it may write to, a preference for the inherited value of every
// preferred label, unless a has the same preference already (laws P2, I3).
func prefer(a *corev1.Affinity, prefers []PreferredLabel, inherited topology.LabelSet) *corev1.Affinity {
	has := heldPreferences(a, inherited)
	added := make([]corev1.PreferredSchedulingTerm, 0, len(prefers))
	for _, p := range prefers {
		if value, ok := inherited.Get(p.Key); ok && !has[p] && labelsyntax.IsValue(value) {
			added = append(added, preference(p, value))
		}
	}
	if len(added) > 0 {
		a = nodeselector.WithNodeAffinity(a)
		preferred := &a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		*preferred = append(*preferred, added...)
	}
	return a
}
