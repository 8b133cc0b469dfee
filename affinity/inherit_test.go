package affinity_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Functions with which the tables below are written.

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func term(expressions ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: expressions}
}

// requiring returns an affinity that requires one of the terms.
func requiring(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

func preferring(preferences ...corev1.PreferredSchedulingTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferences}}
}

func weighted(weight int32, expressions ...corev1.NodeSelectorRequirement) corev1.PreferredSchedulingTerm {
	return corev1.PreferredSchedulingTerm{Weight: weight, Preference: term(expressions...)}
}

// awayFrom returns an anti-affinity to the pods of an app.
func awayFrom(app string) *corev1.PodAntiAffinity {
	return &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey:   "kubernetes.io/hostname",
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
	}}}
}

func require(keys ...string) affinity.Strategy {
	s := affinity.Strategy{Policy: affinity.Require}
	for _, key := range keys {
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
	}
	return s
}

func prefer(prefers ...affinity.PreferredLabel) affinity.Strategy {
	return affinity.Strategy{Policy: affinity.Prefer, Prefers: prefers}
}

func faults(err error) []*field.Error {
	if err == nil {
		return nil
	}
	var all utilerrors.Aggregate
	if !errors.As(err, &all) {
		return nil
	}
	var faults []*field.Error
	for _, err := range all.Errors() {
		var fault *field.Error
		if errors.As(err, &fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}

// U1 to U9 are defects of Fluid, by their numbers in examples/fluid/README.md.
func TestInherit(t *testing.T) {
	const hostname, zone, gpu = "kubernetes.io/hostname", "topology.kubernetes.io/zone", "example.com/gpu"
	here := topology.NewLabelSet(map[string]string{hostname: "n1", zone: "east-a", gpu: "a100"})

	both := requiring(term(in(gpu, "a100")))
	both.PodAntiAffinity = awayFrom("web")
	bothWithHostname := requiring(term(in(gpu, "a100"), in(hostname, "n1")))
	bothWithHostname.PodAntiAffinity = awayFrom("web")

	byName := corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "n1")}}
	byNameWithHostname := *byName.DeepCopy()
	byNameWithHostname.MatchExpressions = []corev1.NodeSelectorRequirement{in(hostname, "n1")}

	onlyPods := &corev1.Affinity{PodAntiAffinity: awayFrom("web")}
	onlyPodsWithHostname := requiring(term(in(hostname, "n1")))
	onlyPodsWithHostname.PodAntiAffinity = awayFrom("web")

	for _, test := range []struct {
		name     string
		own      *corev1.Affinity
		strategy affinity.Strategy
		from     topology.LabelSet
		want     *corev1.Affinity
		missing  []string
	}{
		{name: "no policy, no affinity", from: here},
		{name: "no policy, an affinity of its own", own: both, from: here, want: both},
		{name: "require without an affinity of its own", strategy: require(), from: here, want: requiring(term(in(hostname, "n1")))},
		{name: "require in the strategy's order, each key once", strategy: require(zone, hostname, zone), from: here,
			want: requiring(term(in(zone, "east-a"), in(hostname, "n1")))},
		{name: "require with anti-affinity to pods only", own: onlyPods, strategy: require(), from: here, want: onlyPodsWithHostname},
		{name: "U1: one required term of its own", own: both, strategy: require(), from: here, want: bothWithHostname},
		{name: "U1: several required terms of its own",
			own: requiring(term(in(gpu, "a100")), term(in(gpu, "h100"), in(zone, "east-b"))), strategy: require(), from: here,
			want: requiring(term(in(gpu, "a100"), in(hostname, "n1")), term(in(gpu, "h100"), in(zone, "east-b"), in(hostname, "n1")))},
		{name: "U1: a term with fields only", own: requiring(byName), strategy: require(), from: here, want: requiring(byNameWithHostname)},
		{name: "N2: a term with fields only, and nothing to add", own: requiring(byName), strategy: require("tier"), from: here,
			want: requiring(byName), missing: []string{"tier"}},
		{name: "U2: preferring again", own: preferring(weighted(100, in(hostname, "n1"))), strategy: prefer(), from: here,
			want: preferring(weighted(100, in(hostname, "n1")))},
		{name: "U2: requiring again", own: requiring(term(in(hostname, "n1"))), strategy: require(), from: here,
			want: requiring(term(in(hostname, "n1")))},
		{name: "U3: prefer, and nothing is exposed", own: both, strategy: prefer(), want: both, missing: []string{hostname}},
		{name: "U5: a label that is not exposed is reported", strategy: require("tier", hostname, "disk", "tier"), from: here,
			want: requiring(term(in(hostname, "n1"))), missing: []string{"tier", "disk"}},
		{name: "U5: no label is exposed", own: both, strategy: require("tier"), from: here, want: both, missing: []string{"tier"}},
		{name: "U6: an empty list of terms stays empty", own: requiring([]corev1.NodeSelectorTerm{}...), strategy: require(), from: here,
			want: requiring([]corev1.NodeSelectorTerm{}...)},
		{name: "U6: an empty term stays empty", own: requiring(term(), term(in(gpu, "a100"))), strategy: require(), from: here,
			want: requiring(term(), term(in(gpu, "a100"), in(hostname, "n1")))},
		{name: "the empty value is a value", strategy: require("tier"), from: topology.NewLabelSet(map[string]string{"tier": ""}),
			want: requiring(term(in("tier", "")))},
		{name: "prefer a value that no label can have", own: both, from: topology.NewLabelSet(map[string]string{hostname: "not valid"}),
			strategy: prefer(), want: both},
		{name: "prefer such a value and a valid one", from: topology.NewLabelSet(map[string]string{hostname: "-", zone: "east-a"}),
			strategy: prefer(affinity.PreferredLabel{Key: hostname, Weight: 1}, affinity.PreferredLabel{Key: zone, Weight: 2}),
			want:     preferring(weighted(2, in(zone, "east-a")))},
		{name: "require such a value, and no node matches anyway", own: requiring(term()), from: topology.NewLabelSet(map[string]string{hostname: "not valid"}),
			strategy: require(), want: requiring(term())},
		{name: "prefer without an affinity of its own", strategy: prefer(), from: here, want: preferring(weighted(100, in(hostname, "n1")))},
		{name: "prefer with preferences of its own", own: preferring(weighted(1, in(gpu, "a100"))),
			strategy: prefer(affinity.PreferredLabel{Key: zone, Weight: 50}, affinity.PreferredLabel{Key: hostname, Weight: 20}), from: here,
			want: preferring(weighted(1, in(gpu, "a100")), weighted(50, in(zone, "east-a")), weighted(20, in(hostname, "n1")))},
		{name: "similar preferences of its own",
			own:      preferring(weighted(99, in(hostname, "n1")), weighted(100, in(hostname, "n1"), in(gpu, "a100"))),
			strategy: prefer(), from: here,
			want: preferring(weighted(99, in(hostname, "n1")), weighted(100, in(hostname, "n1"), in(gpu, "a100")), weighted(100, in(hostname, "n1")))},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := affinity.Inherit(test.own, test.strategy, test.from)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, "affinity", test.want, got.Affinity)
			mustEqual(t, "missing", test.missing, got.Missing)
		})
	}
}

func TestLawI3NothingIsAddedTwice(t *testing.T) {
	for _, n := range []int{1, 2, 3, 15, 16, 17, 18, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			labels := map[string]string{}
			var keys []string
			var prefers []affinity.PreferredLabel
			var own, added []corev1.NodeSelectorRequirement
			var ownPreferred, addedPreferred []corev1.PreferredSchedulingTerm
			for i := range n {
				key := fmt.Sprintf("key-%d", 7*i%n)
				labels[key] = "a"
				keys = append(keys, key, key)
				prefers = append(prefers, affinity.PreferredLabel{Key: key, Weight: 2}, affinity.PreferredLabel{Key: key, Weight: 2})
				switch i % 7 {
				case 0, 1: // the same
					own = append(own, in(key, "a"))
					ownPreferred = append(ownPreferred, weighted(2, in(key, "a")))
					continue
				case 2: // others
					own = append(own, in(key, "a", "b"))
					ownPreferred = append(ownPreferred, weighted(2, in(key, "b")))
				case 3:
					own = append(own, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"b"}})
					ownPreferred = append(ownPreferred, weighted(1, in(key, "a")))
				case 4:
					own = append(own, in("own-"+key, "a"))
					ownPreferred = append(ownPreferred, weighted(2, in(key, "a"), in(key, "a")))
				case 5:
					ownPreferred = append(ownPreferred, weighted(2, in(key, "a")))
					ownPreferred[len(ownPreferred)-1].Preference.MatchFields = []corev1.NodeSelectorRequirement{in("metadata.name", "n1")}
				}
				added = append(added, in(key, "a"))
				addedPreferred = append(addedPreferred, weighted(2, in(key, "a")), weighted(2, in(key, "a"))) // law P2
			}
			from := topology.NewLabelSet(labels)
			for _, test := range []struct {
				name      string
				strategy  affinity.Strategy
				own, want *corev1.Affinity
			}{
				{"required", require(keys...), requiring(term(own...)), requiring(term(slices.Concat(own, added)...))},
				{"preferred", prefer(prefers...), preferring(ownPreferred...), preferring(slices.Concat(ownPreferred, addedPreferred)...)},
			} {
				once, err := affinity.Inherit(test.own, test.strategy, from)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, test.name, test.want, once.Affinity)
				twice, err := affinity.Inherit(once.Affinity, test.strategy, from)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, test.name+" twice", once, twice)
			}
		})
	}
}

// U9: Fluid shares slices between the status of the predecessor and the affinity of the pod.
func TestInheritSharesNothingWithTheStatus(t *testing.T) {
	status := topology.NewLabelSet(map[string]string{topology.Hostname: "n1"}).NodeAffinity()
	from, err := topology.FromNodeAffinity(status)
	if err != nil {
		t.Fatal(err)
	}
	result, err := affinity.Inherit(nil, require(), from)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "affinity", requiring(term(in(topology.Hostname, "n1"))), result.Affinity)
	result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "changed"
	mustEqual(t, "status", from.NodeAffinity(), status)
	mustEqual(t, "labels", "kubernetes.io/hostname=n1", from.String())
}

// Appending to one inherited expression or term does not write to another.
func TestLawI1PartsOfAResultShareNoMemory(t *testing.T) {
	from := topology.NewLabelSet(map[string]string{"a": "1", "b": "2", "c": "3"})
	result, err := affinity.Inherit(requiring(term(in("x", "y")), term(in("z"))), require("a", "b", "c"), from)
	if err != nil {
		t.Fatal(err)
	}
	terms := result.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	want := result.Affinity.DeepCopy()
	for i := range terms {
		for _, e := range terms[i].MatchExpressions {
			_ = append(e.Values, "changed")
		}
		_ = append(terms[i].MatchExpressions, in("changed"))
	}
	_ = append(terms, term(in("changed")))
	mustEqual(t, "result", want, result.Affinity)
}

func TestLawB1EveryFaultHasItsPath(t *testing.T) {
	const malformed = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
		"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
	for _, test := range []struct {
		name     string
		strategy affinity.Strategy
		want     []string
	}{
		{"a policy in lower case", affinity.Strategy{Policy: "require"}, []string{
			`affinityStrategy.policy: Unsupported value: "require": supported values: "Require", "Prefer", ""; typo of "Require"?`,
		}},
		{"a policy that is misspelt", affinity.Strategy{Policy: "Required"}, []string{
			`affinityStrategy.policy: Unsupported value: "Required": supported values: "Require", "Prefer", ""; typo of "Require"?`,
		}},
		{"another word", affinity.Strategy{Policy: "Foo"}, []string{
			`affinityStrategy.policy: Unsupported value: "Foo": supported values: "Require", "Prefer", ""`,
		}},
		{"an empty required key", require(""), []string{
			`affinityStrategy.requires[0].name: Required value: the key of a node label, such as kubernetes.io/hostname`,
		}},
		{"two malformed required keys", require("a b", "tier", "/x"), []string{
			`affinityStrategy.requires[0].name: Invalid value: "a b": not a label key: ` + malformed,
			`affinityStrategy.requires[2].name: Invalid value: "/x": not a label key: prefix part must be non-empty`,
		}},
		{"an empty preferred key and invalid weights",
			prefer(affinity.PreferredLabel{Key: "", Weight: 0}, affinity.PreferredLabel{Key: "tier", Weight: 101}, affinity.PreferredLabel{Key: "a b", Weight: -1},
				affinity.PreferredLabel{Key: "tier", Weight: 1}, affinity.PreferredLabel{Key: "tier", Weight: 100}),
			[]string{
				`affinityStrategy.prefers[0].name: Required value: the key of a node label, such as kubernetes.io/hostname`,
				`affinityStrategy.prefers[0].weight: Invalid value: 0: must be between 1 and 100, inclusive`,
				`affinityStrategy.prefers[1].weight: Invalid value: 101: must be between 1 and 100, inclusive`,
				`affinityStrategy.prefers[2].name: Invalid value: "a b": not a label key: ` + malformed,
				`affinityStrategy.prefers[2].weight: Invalid value: -1: must be between 1 and 100, inclusive`,
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			own := requiring(term(in("tier", "gold")))
			result, err := affinity.Inherit(own, test.strategy, topology.NewLabelSet(map[string]string{"tier": "gold"}))
			mustEqual(t, "result", affinity.Result{}, result)

			var first *field.Error
			if !errors.As(err, &first) || first.Error() != test.want[0] {
				t.Errorf("errors.As(*field.Error) = %v, want %s", first, test.want[0])
			}
			var messages []string
			for _, fault := range faults(err) { // errors.As to utilerrors.Aggregate
				messages = append(messages, fault.Error())
			}
			mustEqual(t, "faults", test.want, messages)
		})
	}
}
