package goliteral_test

import (
	"flag"
	"fmt"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/internal/goliteral"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var update = flag.Bool("update", false, "write the golden files")

// values are written as the code of printed_test.go.
func values() []any {
	seconds := int32(60)
	return []any{
		(*corev1.Affinity)(nil),
		map[string]string(nil),
		[]string{},
		&corev1.Affinity{},
		&corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{}, {MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: "In", Values: []string{"", "b\"\n"}}, {Key: "b", Operator: "Exists"}}},
		}}}},
		topology.NewLabelSet(map[string]string{"b": "2", "a": "1"}),
		topology.LabelSet{},
		corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"a": "1", "b": ""}},
			Spec:       corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}},
			Status:     corev1.NodeStatus{Allocatable: corev1.ResourceList{"cpu": resource.MustParse("1500m")}},
		},
		[]*corev1.Node{{Spec: corev1.NodeSpec{PodCIDRs: []string{"a"}}}, nil},
		metav1.LabelSelector{MatchLabels: map[string]string{}},
		corev1.Toleration{TolerationSeconds: func() *int64 { v := int64(3); return &v }()},
		[]corev1.PreferredSchedulingTerm{{Weight: seconds}},
		[][]string{{"a"}, nil},
		[]map[string]string{{"a": "b"}, nil},
	}
}

// What is written compiles, because the golden file is a test file of this package, and has the value.
func TestTheCodeHasTheValue(t *testing.T) {
	code := "package goliteral_test\n\nimport (\n\tcorev1 \"k8s.io/api/core/v1\"\n\t\"k8s.io/apimachinery/pkg/api/resource\"\n" +
		"\tmetav1 \"k8s.io/apimachinery/pkg/apis/meta/v1\"\n\n\t\"github.com/fluid-cloudnative/slipstream/topology\"\n)\n\n" +
		"// printed returns the values as goliteral writes them. go test -update writes this file.\nfunc printed() []any {\n"
	var names []string
	for i, v := range values() {
		name := fmt.Sprint("v", i)
		code += goliteral.Assign(name, v) + "\n"
		names = append(names, name)
	}
	code = goliteral.Format(code, "return []any{"+strings.Join(names, ", ")+"}", "}")
	golden.Compare(t, *update, "printed_test.go", []byte(code))
	for i, v := range values() {
		if got := printed()[i]; !reflect.DeepEqual(got, v) {
			t.Errorf("value %d: got %#v, want %#v", i, got, v)
		}
	}
}

func TestFormatOfWhatIsNotGo(t *testing.T) {
	if got := goliteral.Format("a :=", ")"); got != "a :=\n)\n" {
		t.Errorf("got %q", got)
	}
}
