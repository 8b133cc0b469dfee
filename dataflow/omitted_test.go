package dataflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Of an operation, a hundred problems of a code are listed, and the rest is counted.
func TestManyProblemsOfAnOperation(t *testing.T) {
	for _, n := range []int{100, 101, 102, 5000} {
		op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}}
		for i := range n - 50 {
			op.Exposes = append(op.Exposes, fmt.Sprint("no key ", i))
		}
		op.Tolerations = slices.Repeat([]corev1.Toleration{{Key: "a", Operator: "Near"}}, 50)
		op.Exposes = append(op.Exposes, strings.Repeat("a", 40))
		rejected := dataflow.Operation{Ref: ref("c"), RunAfter: &dataflow.RunAfter{Ref: op.Ref, Strategy: affinity.Strategy{Policy: affinity.Require, Requires: make([]affinity.RequiredLabel, n)}}}
		other := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "b"}, Exposes: []string{"no key"}}
		problems := dataflow.Check(op, rejected, other)

		listed := map[dataflow.Ref]map[dataflow.Code]int{op.Ref: {}, rejected.Ref: {}, other.Ref: {}}
		var omitted []string
		for _, p := range problems {
			if strings.Contains(p.Message, "not listed") {
				omitted = append(omitted, p.Operation.Name+": "+p.Message)
			} else {
				listed[p.Operation][p.Code]++
			}
		}
		var want []string
		if n > 100 {
			want = append(want, fmt.Sprintf("c: %d more problems with code Invalid of this operation are not listed", n-100))
			want = append(want, fmt.Sprintf("a: %d more problems with code Invalid of this operation are not listed", n-100))
		}
		if listed[op.Ref][dataflow.CodeInvalid] != 100 || listed[rejected.Ref][dataflow.CodeInvalid] != 100 || !slices.Equal(omitted, want) {
			t.Errorf("%v are listed, and %q; want 100 and %q", listed, omitted, want)
		}
		if listed[op.Ref][dataflow.CodeUnrecordable] != 1 || listed[other.Ref][dataflow.CodeInvalid] != 1 {
			t.Errorf("problems of another code, or of another operation, are missing: %v", listed)
		}
	}
}
