package affinitytest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The generators share a few label keys and values, so that a node often has a label that an affinity
// requires. Simple inputs come first, because rapid shrinks to them.

// Keys returns the label keys that the generators use.
func Keys() []string { return []string{topology.Hostname, topology.Zone, "example.com/gpu", "tier"} }

// Values returns the label values that the generators use: words, the empty value, two spellings of a
// number, and a number beyond 64 bits.
func Values() []string { return []string{"a", "b", "", "3", "03", "9223372036854775808"} }

// Names returns the names of nodes that the generators use.
func Names() []string { return []string{"node-a", "node-b"} }

func key() *rapid.Generator[string]   { return rapid.SampledFrom(Keys()) }
func value() *rapid.Generator[string] { return rapid.SampledFrom(Values()) }

func labels() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(key(), value(), 0, len(Keys()))
}

// LabelSets draws the labels that an operation exposes: also none, and labels with the empty value.
func LabelSets() *rapid.Generator[topology.LabelSet] {
	return rapid.Map(labels(), topology.NewLabelSet)
}

// Nodes draws nodes with a name and labels. A node often has the given labels, all of them or some.
func Nodes(like ...topology.LabelSet) *rapid.Generator[*corev1.Node] {
	return rapid.Custom(func(t *rapid.T) *corev1.Node {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   rapid.SampledFrom(Names()).Draw(t, "name"),
			Labels: labels().Draw(t, "labels"),
		}}
		for _, set := range like {
			all := rapid.Bool().Draw(t, "like in all")
			for key, value := range set.All() {
				if all || rapid.Bool().Draw(t, "like") {
					node.Labels[key] = value
				}
			}
		}
		return node
	})
}

// Strategies draws any strategy, valid or not: with unknown policies, empty and malformed keys, weights
// out of bounds, repeated keys, and lists that the policy does not read.
func Strategies() *rapid.Generator[affinity.Strategy] {
	return rapid.Custom(func(t *rapid.T) affinity.Strategy {
		policies := []affinity.Policy{affinity.Require, affinity.Prefer, affinity.None, "require", "Required"}
		return strategy(t, rapid.SampledFrom(policies).Draw(t, "policy"), requires(anyKey()), prefers(anyKey(), anyWeight()))
	})
}

// ValidStrategies draws valid strategies with one of the policies, or with any policy if none is given.
// The list that the policy reads may be empty or repeat a key. The other list may be malformed.
func ValidStrategies(policies ...affinity.Policy) *rapid.Generator[affinity.Strategy] {
	if len(policies) == 0 {
		policies = []affinity.Policy{affinity.Require, affinity.Prefer, affinity.None}
	}
	return rapid.Custom(func(t *rapid.T) affinity.Strategy {
		policy := rapid.SampledFrom(policies).Draw(t, "policy")
		required, preferred := requires(anyKey()), prefers(anyKey(), anyWeight())
		switch policy {
		case affinity.Require:
			required = requires(key())
		case affinity.Prefer:
			preferred = prefers(key(), weight())
		}
		return strategy(t, policy, required, preferred)
	})
}

func strategy(t *rapid.T, policy affinity.Policy, requires *rapid.Generator[[]affinity.RequiredLabel], prefers *rapid.Generator[[]affinity.PreferredLabel]) affinity.Strategy {
	return affinity.Strategy{Policy: policy, Requires: requires.Draw(t, "requires"), Prefers: prefers.Draw(t, "prefers")}
}

// requires draws a list that may be empty or repeat a key.
func requires(key *rapid.Generator[string]) *rapid.Generator[[]affinity.RequiredLabel] {
	return several(3, rapid.Custom(func(t *rapid.T) affinity.RequiredLabel {
		return affinity.RequiredLabel{Key: key.Draw(t, "name")}
	}))
}

// prefers draws a list that may be empty or repeat a key, with the same or another weight.
func prefers(key *rapid.Generator[string], weight *rapid.Generator[int32]) *rapid.Generator[[]affinity.PreferredLabel] {
	return several(3, rapid.Custom(func(t *rapid.T) affinity.PreferredLabel {
		return affinity.PreferredLabel{Key: key.Draw(t, "name"), Weight: weight.Draw(t, "weight")}
	}))
}

// anyKey also draws malformed keys.
func anyKey() *rapid.Generator[string] {
	return rapid.OneOf(key(), key(), rapid.SampledFrom([]string{"", "not a key", "a/b/c"}))
}

// weight has few values, so that equal preferences are drawn, and the default is among them.
func weight() *rapid.Generator[int32] { return rapid.SampledFrom([]int32{100, 1, 7}) }

// anyWeight also draws weights out of bounds.
func anyWeight() *rapid.Generator[int32] {
	return rapid.OneOf(weight(), rapid.SampledFrom([]int32{0, 101, -1}))
}

// Affinities draws the own affinity of an operation, with requirements that an API server accepts: also
// nil; empty at every level; with several ORed terms, and with terms that are empty, that are
// impossible, that name a key twice, that match fields; with every operator; with Gt and Lt of values
// that are not 64-bit integers, which match no node; and with pod affinity and anti-affinity. Slices are
// nil or empty, and have spare capacity at times.
func Affinities() *rapid.Generator[*corev1.Affinity] {
	return rapid.Custom(func(t *rapid.T) *corev1.Affinity {
		if rarely(t, "nil affinity") {
			return nil
		}
		a := &corev1.Affinity{}
		if !rarely(t, "no node affinity") {
			a.NodeAffinity = nodeAffinity().Draw(t, "node affinity")
		}
		if rarely(t, "pod affinity") {
			a.PodAffinity = &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  several(2, podAffinityTerm()).Draw(t, "required"),
				PreferredDuringSchedulingIgnoredDuringExecution: several(2, weightedPodAffinityTerm()).Draw(t, "preferred"),
			}
		}
		if rarely(t, "pod anti-affinity") {
			a.PodAntiAffinity = &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  several(2, podAffinityTerm()).Draw(t, "required"),
				PreferredDuringSchedulingIgnoredDuringExecution: several(2, weightedPodAffinityTerm()).Draw(t, "preferred"),
			}
		}
		return a
	})
}

func nodeAffinity() *rapid.Generator[*corev1.NodeAffinity] {
	return rapid.Custom(func(t *rapid.T) *corev1.NodeAffinity {
		a := &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: several(3, preference()).Draw(t, "preferred")}
		if !rarely(t, "nothing required") {
			a.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: several(3, term()).Draw(t, "terms")}
		}
		return a
	})
}

func term() *rapid.Generator[corev1.NodeSelectorTerm] {
	return rapid.Custom(func(t *rapid.T) corev1.NodeSelectorTerm {
		term := corev1.NodeSelectorTerm{MatchExpressions: several(3, expression()).Draw(t, "expressions")}
		if rarely(t, "fields") {
			term.MatchFields = several(2, nameField()).Draw(t, "fields")
		}
		return term
	})
}

// preference draws preferences, half of them in the form of inherited ones.
func preference() *rapid.Generator[corev1.PreferredSchedulingTerm] {
	return rapid.Custom(func(t *rapid.T) corev1.PreferredSchedulingTerm {
		p := corev1.PreferredSchedulingTerm{Weight: weight().Draw(t, "weight")}
		if rapid.Bool().Draw(t, "any term") {
			p.Preference = term().Draw(t, "term")
		} else {
			p.Preference.MatchExpressions = []corev1.NodeSelectorRequirement{equality().Draw(t, "expression")}
		}
		return p
	})
}

func expression() *rapid.Generator[corev1.NodeSelectorRequirement] {
	return rapid.OneOf(equality(), anyExpression())
}

// equality draws expressions in the form of inherited ones.
func equality() *rapid.Generator[corev1.NodeSelectorRequirement] {
	return rapid.Custom(func(t *rapid.T) corev1.NodeSelectorRequirement {
		return equal(key().Draw(t, "key"), value().Draw(t, "value"))
	})
}

func anyExpression() *rapid.Generator[corev1.NodeSelectorRequirement] {
	return rapid.Custom(func(t *rapid.T) corev1.NodeSelectorRequirement {
		e := corev1.NodeSelectorRequirement{
			Key: key().Draw(t, "key"),
			Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{
				corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
				corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt,
			}).Draw(t, "operator"),
		}
		switch e.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			e.Values = rapid.SliceOfN(value(), 1, 3).Draw(t, "values")
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			bounds := []string{"2", "4", "3", "003", "0", "9223372036854775807", "9223372036854775808", "many", ""}
			e.Values = []string{rapid.SampledFrom(bounds).Draw(t, "bound")}
		default:
			e.Values = several(0, value()).Draw(t, "values")
		}
		return e
	})
}

func nameField() *rapid.Generator[corev1.NodeSelectorRequirement] {
	return rapid.Custom(func(t *rapid.T) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{
			Key:      metav1.ObjectNameField,
			Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn}).Draw(t, "operator"),
			Values:   []string{rapid.SampledFrom(Names()).Draw(t, "name")},
		}
	})
}

func podAffinityTerm() *rapid.Generator[corev1.PodAffinityTerm] {
	return rapid.Custom(func(t *rapid.T) corev1.PodAffinityTerm {
		return corev1.PodAffinityTerm{
			TopologyKey: key().Draw(t, "topology key"),
			Namespaces:  several(2, rapid.SampledFrom([]string{"default", "other"})).Draw(t, "namespaces"),
			LabelSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"app": value().Draw(t, "app")},
				MatchExpressions: []metav1.LabelSelectorRequirement{{
					Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{value().Draw(t, "app")},
				}},
			},
		}
	})
}

func weightedPodAffinityTerm() *rapid.Generator[corev1.WeightedPodAffinityTerm] {
	return rapid.Custom(func(t *rapid.T) corev1.WeightedPodAffinityTerm {
		return corev1.WeightedPodAffinityTerm{Weight: weight().Draw(t, "weight"), PodAffinityTerm: podAffinityTerm().Draw(t, "term")}
	})
}

// several draws up to n elements. Without elements the slice is nil or empty. It has spare capacity
// at times, to which an append would write.
func several[E any](n int, elem *rapid.Generator[E]) *rapid.Generator[[]E] {
	return rapid.Custom(func(t *rapid.T) []E {
		elements := rapid.SliceOfN(elem, 0, n).Draw(t, "elements")
		switch {
		case len(elements) == 0 && rapid.Bool().Draw(t, "nil"):
			return nil
		case rapid.Bool().Draw(t, "spare capacity"):
			return slices.Grow(elements, 2)
		}
		return slices.Clip(elements)
	})
}

// rarely is true once in four times.
func rarely(t *rapid.T, what string) bool {
	return rapid.IntRange(0, 3).Draw(t, what) == 3
}
