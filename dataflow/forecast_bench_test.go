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

// pipelines returns chains of five operations, with fifty distinct selectors in all,
// that follow each other by hostname, zone and rack.
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
				s.Requires = []affinity.Required{{Name: topology.Zone}}
			case 2:
				s.Requires = []affinity.Required{{Name: "topology.example.com/rack"}}
			}
		}
	}
	f, err := dataflow.New(ops...)
	if err != nil {
		panic(err)
	}
	return f
}

// The floor is to ask a matcher, compiled once an operation, for every pair of operation
// and node, which answers where each operation alone can run.
func BenchmarkForecast(b *testing.B) {
	for _, size := range []struct{ operations, nodes int }{{1000, 5000}, {2000, 5000}, {4000, 5000}, {1000, 10000}, {1000, 20000}, {10000, 100000}} {
		f, nodes := pipelines(size.operations), fleet(size.nodes)
		b.Run(fmt.Sprintf("operations=%d/nodes=%d", size.operations, size.nodes), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				fc, err := f.Forecast(nodes, dataflow.ForecastOptions{})
				if err != nil || !fc.Completable() {
					b.Fatal(err, fc.Impossible())
				}
			}
		})
	}
	f, nodes := pipelines(1000), fleet(5000)
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
					if m.Match(nodes[n].Name, nodes[n].Labels) {
						matching++
					}
				}
			}
		}
	})
}

func BenchmarkForecastAffinity(b *testing.B) {
	f, nodes := pipelines(1000), fleet(5000)
	fc, err := f.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		b.Fatal(err)
	}
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
	fc, err := f.Forecast(nodes, dataflow.ForecastOptions{})
	if err != nil {
		b.Fatal(err)
	}
	ops := slices.Collect(f.Operations())
	b.ReportAllocs()
	for i := range b.N {
		fc.Strands(ops[i%len(ops)].Ref)
	}
}

func BenchmarkLookaheadAll(b *testing.B) {
	f := pipelines(10000)
	b.ReportAllocs()
	for range b.N {
		for l := range f.LookaheadAll() {
			if l.Err != nil && l.Affinity != nil {
				b.Fatal(l.Err)
			}
		}
	}
}
