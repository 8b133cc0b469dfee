package affinitytest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// awkwardInputs returns inputs that implementations are known to get wrong, the simple ones first. They
// are the same each time, and CheckInherit tries them before any drawn ones.
func awkwardInputs() []Input {
	var all []Input
	for i, s := range append(awkwardStrategies(), invalidStrategies()...) {
		for j, own := range awkwardAffinities() {
			froms := awkwardLabelSets()
			for _, from := range []topology.LabelSet{froms[0], froms[1+(i+j)%(len(froms)-1)]} {
				all = append(all, Input{own, s, from}.clone())
			}
		}
	}
	return all
}

func requiring(keys ...string) affinity.Strategy {
	s := affinity.Strategy{Policy: affinity.Require}
	for _, key := range keys {
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
	}
	return s
}

func preferring(labels ...affinity.PreferredLabel) affinity.Strategy {
	return affinity.Strategy{Policy: affinity.Prefer, Prefers: labels}
}

func awkwardStrategies() []affinity.Strategy {
	return []affinity.Strategy{
		{},
		requiring(),
		{Policy: affinity.Require, Requires: []affinity.RequiredLabel{}},
		requiring(topology.Zone, topology.Hostname),
		requiring(topology.Hostname, topology.Zone, topology.Hostname),
		requiring("tier", "example.com/gpu", topology.Zone),
		{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}, Prefers: []affinity.PreferredLabel{{Key: "no key", Weight: 0}}},
		preferring(),
		preferring(affinity.PreferredLabel{Key: topology.Zone, Weight: 1}, affinity.PreferredLabel{Key: topology.Hostname, Weight: 100}),
		preferring(affinity.PreferredLabel{Key: topology.Zone, Weight: 7}, affinity.PreferredLabel{Key: topology.Zone, Weight: 7}, affinity.PreferredLabel{Key: "tier", Weight: 2}),
		preferring(affinity.PreferredLabel{Key: topology.Zone, Weight: 7}, affinity.PreferredLabel{Key: topology.Zone, Weight: 1}),
		{Policy: affinity.Prefer, Requires: []affinity.RequiredLabel{{Key: ""}}},
		{Requires: []affinity.RequiredLabel{{Key: topology.Zone}}, Prefers: []affinity.PreferredLabel{{Key: topology.Zone, Weight: 101}}},
	}
}

func invalidStrategies() []affinity.Strategy {
	return []affinity.Strategy{
		{Policy: "require"},
		{Policy: "Required", Requires: []affinity.RequiredLabel{{Key: topology.Zone}}},
		requiring(""),
		requiring(topology.Zone, "a/b/c", "no key"),
		preferring(affinity.PreferredLabel{Key: topology.Zone, Weight: 0}),
		preferring(affinity.PreferredLabel{Key: topology.Zone, Weight: 101}, affinity.PreferredLabel{Key: "", Weight: -1}),
	}
}

func awkwardLabelSets() []topology.LabelSet {
	return []topology.LabelSet{
		topology.NewLabelSet(map[string]string{topology.Hostname: "a", topology.Zone: "b", "example.com/gpu": "a", "tier": ""}),
		{},
		topology.NewLabelSet(map[string]string{topology.Zone: ""}),
		topology.NewLabelSet(map[string]string{topology.Hostname: "b", "tier": "3"}),
		topology.NewLabelSet(map[string]string{topology.Hostname: "not a value", topology.Zone: "a"}),
	}
}

// awkwardAffinities returns own affinities, other objects at each call.
func awkwardAffinities() []*corev1.Affinity {
	const notIn, exists, absent, gt, lt = corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt
	is := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	term := func(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: expressions}
	}
	required := func(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
		return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
	}
	preferred := func(terms ...corev1.PreferredSchedulingTerm) *corev1.Affinity {
		return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: terms}}
	}
	named := func(op corev1.NodeSelectorOperator, name string, expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: expressions, MatchFields: []corev1.NodeSelectorRequirement{is(metav1.ObjectNameField, op, name)}}
	}
	zone := affinity.PreferredLabel{Key: topology.Zone, Weight: 7}
	both := required(term(equal("tier", "a")))
	both.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{preferenceFor(zone, "a"), preferenceFor(affinity.PreferredLabel{Key: "tier", Weight: 1}, "3")}
	both.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: topology.Zone}}}
	away := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: topology.Hostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}},
	}}}}
	similar := preferred(preferenceFor(affinity.PreferredLabel{Key: topology.Zone, Weight: 1}, "b"),
		corev1.PreferredSchedulingTerm{Weight: 7, Preference: term(equal(topology.Zone, "b"), equal("tier", "a"))},
		corev1.PreferredSchedulingTerm{Weight: 7, Preference: named(corev1.NodeSelectorOpIn, "node-a", equal(topology.Zone, "b"))})
	return []*corev1.Affinity{
		nil,
		{},
		{NodeAffinity: &corev1.NodeAffinity{}},
		required(),
		required([]corev1.NodeSelectorTerm{}...),
		required(term()),
		required(term(equal("tier", ""))),
		required(term(equal(topology.Hostname, "a"))),
		required(term(equal(topology.Hostname, "b"))),
		required(term(equal("tier", "a")), term(equal(topology.Zone, "b"))),
		required(term(equal(topology.Zone, "a")), term(is(topology.Hostname, notIn, "a", "b"))),
		required(term(), term(equal("tier", ""), is(topology.Zone, exists))),
		required(term(is(topology.Zone, absent)), term(is(topology.Hostname, absent))),
		required(term(is(topology.Zone, notIn, "a", ""))),
		required(term(equal("tier", "a"), equal("tier", "b"))),
		required(term(is("tier", gt, "2"), is("tier", lt, "4"), is("tier", notIn, "3"))),
		required(term(is("tier", gt, "3"), is("tier", lt, "4")), term(equal(topology.Zone, "b"))),
		required(term(is("tier", exists), equal(topology.Zone, "c"))),
		required(term(equal(topology.Zone, "c")), term(is("tier", exists), is(topology.Hostname, notIn, "a", "b"))),
		required(term(is("tier", gt, "many")), term(is("tier", lt, "9223372036854775808"))),
		required(named(corev1.NodeSelectorOpIn, "node-a")),
		required(named(notIn, "node-a", is("tier", exists))),
		preferred(preferenceFor(affinity.PreferredLabel{Key: topology.Hostname, Weight: 100}, "a")),
		preferred(preferenceFor(zone, "b"), preferenceFor(zone, "b"), corev1.PreferredSchedulingTerm{Weight: 1}),
		similar,
		away,
		both,
	}
}
