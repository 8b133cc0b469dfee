package dataflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// What kube-apiserver rejects in an operation's constraints on its node is Invalid, at the field
// that is rejected.
func TestWhatAnAPIServerRejectsIsInvalid(t *testing.T) {
	seconds := int64(1)
	long := strings.Repeat("x", 5000)
	preferred := func(weights ...int32) *corev1.Affinity {
		a := &corev1.NodeAffinity{}
		for _, weight := range weights {
			a.PreferredDuringSchedulingIgnoredDuringExecution = append(a.PreferredDuringSchedulingIgnoredDuringExecution, corev1.PreferredSchedulingTerm{
				Weight: weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpExists}}},
			})
		}
		return &corev1.Affinity{NodeAffinity: a}
	}
	selector := func(key string, operator metav1.LabelSelectorOperator) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator}}}
	}
	tolerating := func(tolerations ...corev1.Toleration) dataflow.Operation {
		return dataflow.Operation{Tolerations: tolerations}
	}
	const preferences = "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
	for name, test := range map[string]struct {
		op     dataflow.Operation
		fields []string
	}{
		"nothing":         {dataflow.Operation{}, nil},
		"a node name":     {dataflow.Operation{NodeName: "node-1.example.com"}, nil},
		"no node name":    {dataflow.Operation{NodeName: "Node_1"}, []string{"spec.nodeName"}},
		"weights":         {dataflow.Operation{Affinity: preferred(1, 100)}, nil},
		"no weights":      {dataflow.Operation{Affinity: preferred(101, 0, 7, -1)}, []string{preferences + "[0].weight", preferences + "[1].weight", preferences + "[3].weight"}},
		"tolerates all":   {tolerating(corev1.Toleration{Operator: corev1.TolerationOpExists}), nil},
		"tolerates one":   {tolerating(corev1.Toleration{Key: "a", Value: "b", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds}), nil},
		"equal":           {tolerating(corev1.Toleration{Key: "a", Operator: corev1.TolerationOpEqual, Effect: corev1.TaintEffectPreferNoSchedule}), nil},
		"less":            {tolerating(corev1.Toleration{Key: "a", Operator: "Lt", Value: "-3", Effect: corev1.TaintEffectNoSchedule}), nil},
		"no operator":     {tolerating(corev1.Toleration{Key: "a", Operator: "Nope"}), []string{"spec.tolerations[0].operator"}},
		"no key":          {tolerating(corev1.Toleration{Key: "a"}, corev1.Toleration{Value: "b"}), []string{"spec.tolerations[1].operator"}},
		"malformed key":   {tolerating(corev1.Toleration{Key: "a b"}), []string{"spec.tolerations[0].key"}},
		"malformed value": {tolerating(corev1.Toleration{Key: "a", Value: "-" + long}), []string{"spec.tolerations[0].value"}},
		"exists, a value": {tolerating(corev1.Toleration{Key: "a", Operator: corev1.TolerationOpExists, Value: "b"}), []string{"spec.tolerations[0].value"}},
		"greater, a word": {tolerating(corev1.Toleration{Key: "a", Operator: "Gt", Value: "+1"}, corev1.Toleration{Key: "a", Operator: "Gt", Value: "x"}), []string{"spec.tolerations[0].value", "spec.tolerations[1].value"}},
		"no effect":       {tolerating(corev1.Toleration{Key: "a", Effect: "NoScheduling"}), []string{"spec.tolerations[0].effect"}},
		"seconds":         {tolerating(corev1.Toleration{Key: "a", TolerationSeconds: &seconds}), []string{"spec.tolerations[0].effect"}},
		"pod affinity": {dataflow.Operation{Affinity: &corev1.Affinity{
			PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution:  []corev1.PodAffinityTerm{{}, {TopologyKey: "zone", LabelSelector: selector("app", metav1.LabelSelectorOpExists)}},
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone", Namespaces: []string{"ns", "N S"}}}},
			},
			PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "a b", LabelSelector: selector("", "Near"), NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"-": ""}}}},
			},
		}}, []string{
			"spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.namespaces[1]",
			"spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
			"spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
			"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].key",
			"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator",
			"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector.matchLabels",
			"spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			test.op.Ref = dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}
			var fields []string
			for _, p := range dataflow.Check(test.op) {
				if p.Code != dataflow.CodeInvalid || p.Severity != dataflow.SeverityError || p.Operation != test.op.Ref || len(p.Message) > 1000 {
					t.Error(p)
				}
				fields = append(fields, p.Field)
			}
			slices.Sort(fields)
			if fields = slices.Compact(fields); !slices.Equal(fields, test.fields) {
				t.Errorf("invalid fields %q, want %q", fields, test.fields)
			}
		})
	}
}

// The faults of a map come in the same order each time.
func TestFaultsOfSelectorsAreInOrder(t *testing.T) {
	labels := map[string]string{}
	for i := range 20 {
		labels[fmt.Sprintf("key %d", i)] = "a"
	}
	op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}, Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}},
	}}}
	first := dataflow.Check(op)
	for range 10 {
		if again := dataflow.Check(op); len(again) != 20 || !slices.EqualFunc(first, again, func(p, q dataflow.Problem) bool { return p.Message == q.Message }) {
			t.Fatalf("%v\nand then %v", first, again)
		}
	}
}

// Of a DataProcess the fields are those of the pod spec of its job.
func TestWhatIsInvalidIsInThePodSpec(t *testing.T) {
	problems := dataflow.Check(dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataProcess, Name: "a"}, NodeName: "A"})
	if len(problems) != 1 || problems[0].Field != "spec.processor.job.podSpec.nodeName" {
		t.Error(problems)
	}
}

// A key that is too long to be recorded is reported, and so is a malformed one.
func TestWhatCannotBeRecordedIsReported(t *testing.T) {
	op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}, Exposes: []string{strings.Repeat("k", 36), strings.Repeat("k", 37), "a b"}}
	var codes []dataflow.Code
	for _, p := range dataflow.Check(op) {
		codes = append(codes, p.Code)
	}
	if !slices.Equal(codes, []dataflow.Code{dataflow.CodeUnrecordable, dataflow.CodeInvalid}) {
		t.Error(codes)
	}
}

// kube-apiserver accepts any value in a preference.
func TestPreferencesThatTheSchedulerCannotReadAreReported(t *testing.T) {
	preferring := func(operator corev1.NodeSelectorOperator, value string) *corev1.Affinity {
		return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
			{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "k", Operator: operator, Values: []string{value}}}}},
		}}}
	}
	for _, c := range []struct {
		a         *corev1.Affinity
		neverRead bool
	}{
		{preferring("In", "a"), false},
		{preferring("In", "not a value"), true},
		{preferring("Gt", "1"), false},
		{preferring("Gt", "many"), true},
		{preferring("Gt", "-1"), true},
	} {
		problems := dataflow.Check(dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "load"}, Affinity: c.a})
		if c.neverRead != (len(problems) > 0) || len(problems) > 1 || len(problems) == 1 && problems[0].Code != dataflow.CodeNeverMatches {
			t.Errorf("%v: %v", c.a, problems)
		}
	}
}
