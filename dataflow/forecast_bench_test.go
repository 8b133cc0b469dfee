package dataflow_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// fleet returns nodes as a cloud labels them: of ten instance types, in three zones, in
// racks of forty. Every fiftieth is tainted, and every hundredth cordoned.
func fleet(n int) []corev1.Node {
	nodes := make([]corev1.Node, n)
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		nodes[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			topology.Hostname:                  name,
			topology.Region:                    "east",
			topology.Zone:                      fmt.Sprintf("east-%d", i%3),
			"topology.example.com/rack":        fmt.Sprintf("rack-%d", i/40),
			"node.kubernetes.io/instance-type": fmt.Sprintf("type-%d", i%10),
			"kubernetes.io/os":                 "linux",
			"kubernetes.io/arch":               "amd64",
		}}}
		nodes[i].Spec.Unschedulable = i%100 == 99
		if i%50 == 0 {
			nodes[i].Spec.Taints = []corev1.Taint{{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}}
		}
	}
	return nodes
}

// pipelines returns chains of five operations that require the hostname, zone and rack of
// their predecessors, with fifty distinct selectors in all.
func pipelines(n int) *dataflow.Flow {
	ops := make([]dataflow.Operation, n)
	for i := range ops {
		ops[i] = load(fmt.Sprintf("op-%d", i))
		ops[i].Exposes = []string{"topology.example.com/rack"}
		if i%2 == 0 {
			ops[i].NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
		}
		terms := requiring("node.kubernetes.io/instance-type", fmt.Sprintf("type-%d", i%10), fmt.Sprintf("type-%d", (i/10+1)%10), fmt.Sprintf("type-%d", (i/5+i)%10))
		if i%3 == 0 {
			ops[i].Affinity = terms
		}
		if i%5 > 0 {
			ops[i].RunAfter = &dataflow.RunAfter{Ref: ops[i-1].Ref}
			s := &ops[i].RunAfter.Strategy
			s.Policy = affinity.Require
			switch i % 4 {
			case 1:
				s.Requires = []affinity.RequiredLabel{{Key: topology.Zone}}
			case 2:
				s.Requires = []affinity.RequiredLabel{{Key: "topology.example.com/rack"}}
			}
		}
	}
	f, err := dataflow.New(ops...)
	if err != nil {
		panic(err)
	}
	return f
}

// BenchmarkForecast compares the cost of a forecast with that of one match for each pair of
// operation and node, by a matcher for each operation. The matches only say where each
// operation by itself can run.
func BenchmarkForecast(b *testing.B) {
	f, nodes := pipelines(1000), fleet(5000)
	b.Run("operations=1000/nodes=5000", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			forecast(b, f, nodes)
		}
	})
	b.Run("pairwise/operations=1000/nodes=5000", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			matching := 0
			for op := range f.Operations() {
				m, err := affinity.Compile(op.NodeSelector, op.Affinity)
				if err != nil {
					b.Fatal(err)
				}
				for n := range nodes {
					if m.Match(&nodes[n]) {
						matching++
					}
				}
			}
		}
	})
	f, nodes = pipelines(10_000), fleet(100_000)
	var picky []dataflow.Operation // each avoids another node
	for op := range f.Operations() {
		avoid := corev1.NodeSelectorRequirement{Key: topology.Hostname, Operator: corev1.NodeSelectorOpNotIn, Values: []string{fmt.Sprintf("node-%d", 7*len(picky))}}
		if op.Affinity == nil {
			op.Affinity = requiring("kubernetes.io/os", "linux")
		}
		term := &terms(op.Affinity)[0]
		term.MatchExpressions = append(term.MatchExpressions, avoid)
		picky = append(picky, op)
	}
	all, err := dataflow.New(picky...)
	if err != nil {
		b.Fatal(err)
	}
	for selectors, f := range map[int]*dataflow.Flow{50: f, len(picky): all} {
		b.Run(fmt.Sprintf("operations=10000/nodes=100000/selectors=%d", selectors), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				forecast(b, f, nodes)
			}
		})
	}
}

func forecast(b *testing.B, f *dataflow.Flow, nodes []corev1.Node) *dataflow.Forecast {
	return mustForecast(b, f, nodes, dataflow.ForecastOptions{})
}

// BenchmarkDoubling doubles the size several times: where the time grows by more than a
// factor of 2.4, it is not linear.
func BenchmarkDoubling(b *testing.B) {
	nodes := fleet(5000)
	for _, what := range []struct {
		name  string
		first int
		work  func(b *testing.B, n int) func()
	}{
		{"Forecast/operations", 1000, func(b *testing.B, n int) func() {
			f := pipelines(n)
			return func() { forecast(b, f, nodes) }
		}},
		{"Forecast/nodes", 5000, func(b *testing.B, n int) func() {
			f, nodes := pipelines(1000), fleet(n)
			return func() { forecast(b, f, nodes) }
		}},
		{"Forecast/taints", 2500, func(b *testing.B, n int) func() { // each node has its own
			f, nodes := pipelines(1000), fleet(n)
			for i := range nodes {
				nodes[i].Spec.Taints = []corev1.Taint{{Key: "owner", Value: fmt.Sprint(i), Effect: corev1.TaintEffectNoSchedule}}
			}
			return func() { forecast(b, f, nodes) }
		}},
		{"Strands/operations", 1000, func(b *testing.B, n int) func() { // on every node, by the last of the chain
			ops := make([]dataflow.Operation, n)
			for i := range ops {
				ops[i] = load(fmt.Sprintf("op-%d", i))
				if i > 0 {
					ops[i] = requireSame(load(fmt.Sprintf("op-%d", i), fmt.Sprintf("op-%d", i-1)))
				}
			}
			ops[n-1].Affinity = requiring(topology.Zone, "east-1")
			f, err := dataflow.New(ops...)
			if err != nil {
				b.Fatal(err)
			}
			return func() { forecast(b, f, nodes).Problems() }
		}},
		{"Strands/nodes", 5000, func(b *testing.B, n int) func() {
			f, nodes := pipelines(1000), fleet(n)
			return func() { forecast(b, f, nodes).Problems() }
		}},
		{"Affinity of all/operations", 250, func(b *testing.B, n int) func() {
			f := pipelines(n)
			return func() {
				fc := forecast(b, f, nodes)
				for op := range f.Operations() {
					if _, err := fc.Affinity(op.Ref); err != nil {
						b.Fatal(err)
					}
				}
			}
		}},
		{"LookaheadAll/operations", 1000, func(b *testing.B, n int) func() {
			f := pipelines(n)
			return func() {
				for range f.LookaheadAll() {
				}
			}
		}},
	} {
		for n := what.first; n <= 8*what.first; n *= 2 {
			b.Run(fmt.Sprintf("%s=%d", what.name, n), func(b *testing.B) {
				work := what.work(b, n)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					work()
				}
			})
		}
	}
}

func BenchmarkForecastAffinity(b *testing.B) {
	f, nodes := pipelines(1000), fleet(5000)
	fc := forecast(b, f, nodes)
	ops := slices.Collect(f.Operations())
	b.ReportAllocs()
	for i := range b.N {
		if _, err := fc.Affinity(ops[i%len(ops)].Ref); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStrands(b *testing.B) {
	f, nodes := pipelines(1000), fleet(5000)
	fc := forecast(b, f, nodes)
	ops := slices.Collect(f.Operations())
	b.ReportAllocs()
	for i := range b.N {
		fc.Strands(ops[i%len(ops)].Ref)
	}
}
