package affinitytest

import (
	"fmt"
	"maps"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// smaller returns inputs that are a little simpler than in, those that leave out most first: without a
// part of it, or with a simpler label, operator or value. The result is empty for the simplest input.
func (in Input) smaller() []Input {
	var all []Input
	size := in.size()
	change := func(change func(in *Input)) {
		simpler := in.clone()
		change(&simpler)
		if simpler.size() < size {
			all = append(all, simpler)
		}
	}
	change(func(in *Input) { in.Own = nil })
	change(func(in *Input) { in.From = topology.LabelSet{} })
	if in.Own != nil {
		change(func(in *Input) { in.Own.PodAffinity = nil })
		change(func(in *Input) { in.Own.PodAntiAffinity = nil })
		change(func(in *Input) { in.Own.NodeAffinity = nil })
		if in.Own.NodeAffinity != nil {
			change(func(in *Input) { in.Own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil })
			change(func(in *Input) { in.Own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = nil })
		}
	}
	change(func(in *Input) { in.Strategy.Requires = nil })
	change(func(in *Input) { in.Strategy.Prefers = nil })
	without(in.Strategy.Requires, func(list []affinity.RequiredLabel) {
		change(func(in *Input) { in.Strategy.Requires = list })
	})
	without(in.Strategy.Prefers, func(list []affinity.PreferredLabel) {
		change(func(in *Input) { in.Strategy.Prefers = list })
	})
	for key := range in.From.All() {
		change(func(in *Input) { in.From = withoutKey(in.From, key) })
	}
	without(preferredOf(in.Own), func(list []corev1.PreferredSchedulingTerm) {
		change(func(in *Input) { in.Own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = list })
	})
	for i, p := range preferredOf(in.Own) {
		smallerTerms(p.Preference, func(term corev1.NodeSelectorTerm) {
			change(func(in *Input) {
				in.Own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference = term
			})
		})
	}
	if required := requiredOf(in.Own); required != nil {
		without(required.NodeSelectorTerms, func(list []corev1.NodeSelectorTerm) {
			change(func(in *Input) { requiredOf(in.Own).NodeSelectorTerms = list })
		})
		for i, term := range required.NodeSelectorTerms {
			smallerTerms(term, func(term corev1.NodeSelectorTerm) {
				change(func(in *Input) { requiredOf(in.Own).NodeSelectorTerms[i] = term })
			})
		}
	}
	return all
}

// size is the length of the input, where nil has none.
func (in Input) size() int { return len(strings.ReplaceAll(encode(in), "null", "")) }

// shape returns the same text for inputs that have as many of everything.
func (in Input) shape() string {
	shape := fmt.Sprint(in.Strategy.Policy, len(in.Strategy.Requires), len(in.Strategy.Prefers), in.From.Len())
	walk(reflect.ValueOf(in.Own), func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			shape += fmt.Sprint(" ", v.IsNil())
		case reflect.Slice:
			shape += fmt.Sprint(" ", v.Len())
		}
	})
	return shape
}

// smallerTerms yields terms that are a little simpler.
func smallerTerms(term corev1.NodeSelectorTerm, yield func(corev1.NodeSelectorTerm)) {
	without(term.MatchExpressions, func(list []corev1.NodeSelectorRequirement) {
		yield(corev1.NodeSelectorTerm{MatchExpressions: list, MatchFields: term.MatchFields})
	})
	without(term.MatchFields, func(list []corev1.NodeSelectorRequirement) {
		yield(corev1.NodeSelectorTerm{MatchExpressions: term.MatchExpressions, MatchFields: list})
	})
	for i, e := range term.MatchExpressions {
		smallerRequirements(e, func(e corev1.NodeSelectorRequirement) {
			list := clone(term.MatchExpressions)
			list[i] = e
			yield(corev1.NodeSelectorTerm{MatchExpressions: list, MatchFields: term.MatchFields})
		})
	}
}

// smallerRequirements yields requirements with fewer values, or with operator In.
func smallerRequirements(e corev1.NodeSelectorRequirement, yield func(corev1.NodeSelectorRequirement)) {
	if len(e.Values) > 1 {
		without(e.Values, func(list []string) {
			yield(corev1.NodeSelectorRequirement{Key: e.Key, Operator: e.Operator, Values: list})
		})
	}
	if len(e.Values) > 0 {
		yield(corev1.NodeSelectorRequirement{Key: e.Key, Operator: corev1.NodeSelectorOpIn, Values: e.Values})
	}
}

// without yields a list without one of its elements, for each of them. The list that is left is not
// nil: an empty one can be what matters.
func without[E any](list []E, yield func([]E)) {
	for i := range list {
		yield(append(clone(list[:i]), list[i+1:]...))
	}
}

func withoutKey(s topology.LabelSet, key string) topology.LabelSet {
	labels := maps.Collect(s.All())
	delete(labels, key)
	return topology.NewLabelSet(labels)
}

func withLabel(s topology.LabelSet, key, value string) topology.LabelSet {
	labels := maps.Collect(s.All())
	labels[key] = value
	return topology.NewLabelSet(labels)
}
