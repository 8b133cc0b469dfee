package affinity

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// How the API's structs are read and written. What is added together is made at once, for
// memory is what inheriting costs.

// equality is the expression that a label has a value.
func equality(key, value string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
}

// isEquality reports whether e is equality(key, value) to the letter.
func isEquality(e *corev1.NodeSelectorRequirement, key, value string) bool {
	return e.Key == key && e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 && e.Values[0] == value
}

// heldExpressions are the expressions that a term has of its own.
type heldExpressions struct {
	own  []corev1.NodeSelectorRequirement
	keys sets.Set[string] // of those for an inherited label, if own are many
}

// holdingExpressions returns own, made ready to be asked for every inherited label.
func holdingExpressions(own []corev1.NodeSelectorRequirement, inherited topology.LabelSet) heldExpressions {
	h := heldExpressions{own: own}
	if len(own) <= few {
		return h
	}
	h.keys = sets.New[string]()
	for i := range own {
		e := &own[i]
		if value, ok := inherited.Get(e.Key); ok && isEquality(e, e.Key, value) {
			h.keys.Insert(e.Key)
		}
	}
	return h
}

// has reports whether the expression for an inherited label is held to the letter.
func (h heldExpressions) has(key, value string) bool {
	if h.keys != nil {
		return h.keys.Has(key)
	}
	for i := range h.own {
		if isEquality(&h.own[i], key, value) {
			return true
		}
	}
	return false
}

// addEqualities adds to term an expression for every exposed key, unless the term
// has it to the letter (law I3). As no key is twice among keys, what is added need not
// be looked through.
func addEqualities(term *corev1.NodeSelectorTerm, keys []string, inherited topology.LabelSet) {
	held := holdingExpressions(term.MatchExpressions, inherited)
	var values []string // of all expressions
	for i, key := range keys {
		value, ok := inherited.Get(key)
		if !ok || held.has(key, value) {
			continue
		}
		if values == nil {
			values = make([]string, 0, len(keys)-i)
			term.MatchExpressions = slices.Grow(term.MatchExpressions, len(keys)-i)
		}
		values = append(values, value)
		term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
			Key: key, Operator: corev1.NodeSelectorOpIn, Values: last(values),
		})
	}
}

// last returns the last item as a slice that cannot grow into what comes after it.
func last[T any](items []T) []T {
	n := len(items)
	return items[n-1 : n : n]
}

// withOneTerm gives a, which has no required part, one with an empty term. It returns a,
// made if it is nil, and the term.
func withOneTerm(a *corev1.Affinity) (*corev1.Affinity, *corev1.NodeSelectorTerm) {
	made := &struct {
		required corev1.NodeSelector
		terms    [1]corev1.NodeSelectorTerm
	}{}
	made.required.NodeSelectorTerms = made.terms[:]
	a, node := nodeAffinity(a)
	node.RequiredDuringSchedulingIgnoredDuringExecution = &made.required
	return a, &made.terms[0]
}

// nodeAffinity returns the node affinity of a, for writing, and a itself. Either
// is made if it is not there.
func nodeAffinity(a *corev1.Affinity) (*corev1.Affinity, *corev1.NodeAffinity) {
	if a == nil {
		made := &struct {
			affinity corev1.Affinity
			node     corev1.NodeAffinity
		}{}
		made.affinity.NodeAffinity = &made.node
		return &made.affinity, &made.node
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	return a, a.NodeAffinity
}

// preferences adds preferences to an affinity.
type preferences struct {
	most        int // no more are added; the first makes memory for all
	expressions []corev1.NodeSelectorRequirement
	values      []string
}

// add adds to a, which it makes if it is nil, a preference of p's weight for p's label with
// the given value.
func (added *preferences) add(a *corev1.Affinity, p PreferredLabel, value string) *corev1.Affinity {
	a, node := nodeAffinity(a)
	preferred := &node.PreferredDuringSchedulingIgnoredDuringExecution
	if added.values == nil {
		*preferred = slices.Grow(*preferred, added.most)
		added.expressions, added.values = make([]corev1.NodeSelectorRequirement, 0, added.most), make([]string, 0, added.most)
	}
	added.values = append(added.values, value)
	added.expressions = append(added.expressions, corev1.NodeSelectorRequirement{
		Key: p.Key, Operator: corev1.NodeSelectorOpIn, Values: last(added.values),
	})
	*preferred = append(*preferred, corev1.PreferredSchedulingTerm{
		Weight: p.Weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: last(added.expressions)},
	})
	return a
}

// isPreference reports whether t is a preference of p's weight for p's label with the
// given value, and for nothing else.
func isPreference(t *corev1.PreferredSchedulingTerm, p PreferredLabel, value string) bool {
	e := t.Preference.MatchExpressions
	return t.Weight == p.Weight && len(t.Preference.MatchFields) == 0 && len(e) == 1 && isEquality(&e[0], p.Key, value)
}

// heldPreferences are the preferences that an affinity has of its own.
type heldPreferences struct {
	own []corev1.PreferredSchedulingTerm
	set sets.Set[PreferredLabel] // those for an inherited label, if own are many
}

// holdingPreferences returns those of a, made ready to be asked for every inherited label.
func holdingPreferences(a *corev1.Affinity, inherited topology.LabelSet) heldPreferences {
	if a == nil || a.NodeAffinity == nil {
		return heldPreferences{}
	}
	h := heldPreferences{own: a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution}
	if len(h.own) <= few {
		return h
	}
	h.set = sets.New[PreferredLabel]()
	for i := range h.own {
		for _, e := range h.own[i].Preference.MatchExpressions {
			p := PreferredLabel{Key: e.Key, Weight: h.own[i].Weight}
			if value, ok := inherited.Get(p.Key); ok && isPreference(&h.own[i], p, value) {
				h.set.Insert(p)
			}
		}
	}
	return h
}

// has reports whether p, for the inherited value of its label, is held to the letter.
func (h heldPreferences) has(p PreferredLabel, value string) bool {
	if h.set != nil {
		return h.set.Has(p)
	}
	for i := range h.own {
		if isPreference(&h.own[i], p, value) {
			return true
		}
	}
	return false
}
