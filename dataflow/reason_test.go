package dataflow_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Up to four names are listed, and of more the first three by name, in whatever order the
// nodes come; and so are those that are doomed.
func TestReasonsListAFew(t *testing.T) {
	for n, want := range map[int]struct{ nodes, doomed string }{
		3: {"n0, n1, n2", "n0 it would leave no node for f-0; n1 none for f-1; n2 none for f-2"},
		4: {"n0, n1, n2, n3", "n0 it would leave no node for f-0; n1 none for f-1; n2 none for f-2; n3 none for f-3"},
		5: {"n0, n1, n2 and 2 more", "n0 it would leave no node for f-0; n1 none for f-1; n2 none for f-2; 2 more none for others"},
		9: {"n0, n1, n2 and 6 more", "n0 it would leave no node for f-0; n1 none for f-1; n2 none for f-2; 6 more none for others"},
	} {
		ops := []dataflow.Operation{load("a")}
		var nodes []corev1.Node
		for i := range n {
			name := fmt.Sprint("n", i)
			nodes = append(nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name}}})
			f := requireSame(load(fmt.Sprint("f-", i), "a"))
			f.Affinity = requiring(topology.Hostname, name)
			f.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
			ops = append(ops, f)
		}
		slices.SortFunc(nodes, func(a, b corev1.Node) int { return cmp.Compare(mixed(a.Name), mixed(b.Name)) })
		strands := func(nodes []corev1.Node) string {
			fc, err := mustFlow(t, ops...).Forecast(nodes, dataflow.ForecastOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return fc.Problems()[0].Message
		}
		if got := strands(nodes); !strings.Contains(got, "the nodes that admit it, "+want.nodes+", none can be followed") {
			t.Errorf("of %d nodes: %s", n, got)
		}
		free := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "free", Labels: map[string]string{topology.Hostname: "free"}}}
		got := strings.NewReplacer("DataLoad default/", "", "on ", "").Replace(strands(append(nodes, free)))
		if !strings.HasPrefix(got, want.doomed+"; narrow") {
			t.Errorf("of %d nodes: %s\nwant %s", n, got, want.doomed)
		}
	}
}

// mixed is where a node stands in an order that is none.
func mixed(name string) int { return int(name[1]) * 5 % 9 }
