package dataflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Of an operation, a hundred problems of a code are listed, and the rest is counted.
func TestManyProblemsOfAnOperation(t *testing.T) {
	for _, n := range []int{99, 100, 101, 5000} {
		op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}}
		for i := range n {
			op.Exposes = append(op.Exposes, fmt.Sprint("no key ", i))
			op.Tolerations = append(op.Tolerations, corev1.Toleration{Key: "a", Operator: "Near"})
		}
		op.Exposes = append(op.Exposes, strings.Repeat("a", 40))
		other := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "b"}, Exposes: []string{"no key"}}
		problems := dataflow.Check(op, other)

		invalid, omitted := 0, ""
		for _, p := range problems {
			switch {
			case p.Operation != op.Ref || p.Code != dataflow.CodeInvalid:
			case strings.Contains(p.Message, "not listed"):
				omitted = p.Message
			default:
				invalid++
			}
		}
		want := ""
		if n*2 > 100 {
			want = fmt.Sprintf("%d more problems with code Invalid of this operation are not listed", n*2-100)
		}
		if invalid != 100 || omitted != want {
			t.Errorf("%d problems are listed, and %q; want 100 and %q", invalid, omitted, want)
		}
		of := func(code dataflow.Code, ref dataflow.Ref) bool {
			return slices.ContainsFunc(problems, func(p dataflow.Problem) bool { return p.Code == code && p.Operation == ref })
		}
		if !of(dataflow.CodeUnrecordable, op.Ref) || !of(dataflow.CodeInvalid, other.Ref) {
			t.Error("problems of another code, or of another operation, are missing")
		}
	}
}
