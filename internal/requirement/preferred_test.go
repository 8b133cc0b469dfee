package requirement_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/requirement"
)

// In a preference kube-apiserver accepts any value, and kube-scheduler cannot read one that is
// not a label value.
func TestAPreferenceMayHaveAnyValue(t *testing.T) {
	for _, operator := range []corev1.NodeSelectorOperator{"In", "NotIn", "Gt", "Lt"} {
		e := corev1.NodeSelectorRequirement{Key: "k", Operator: operator, Values: []string{"-1"}}
		if _, faults := requirement.Parse(e, nil); len(faults) != 1 {
			t.Errorf("%s: required: %v", operator, faults)
		}
		r, faults := requirement.ParsePreferred(e, nil)
		if len(faults) > 0 || !r.Never() {
			t.Errorf("%s: preferred: %v, never %t", operator, faults, r.Never())
		}
		for _, value := range []string{"", "-1", "0", "1"} {
			if r.Matches(value, true) || r.Matches(value, false) {
				t.Errorf("%s matches %q", operator, value)
			}
		}
	}
	for _, e := range []corev1.NodeSelectorRequirement{
		{Key: "not a key", Operator: "In", Values: []string{"-1"}},
		{Key: "k", Operator: "Near", Values: []string{"a"}},
		{Key: "k", Operator: "Gt", Values: []string{"1", "-1"}},
	} {
		if _, faults := requirement.ParsePreferred(e, nil); len(faults) != 1 {
			t.Errorf("%+v: %v", e, faults)
		}
	}
}
