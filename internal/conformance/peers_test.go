package conformance_test

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	karpenter "sigs.k8s.io/karpenter/pkg/scheduling"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var rounds = flag.Int("ratios", 0, "in how many rounds TestRatios compares the speed, if at all")

// peer is work that slipstream and another library do on the same input.
type peer struct {
	work         string
	library      string
	floor        float64 // how many times faster slipstream must be
	ours, theirs func(*testing.B)
}

func peers(t testing.TB) []peer {
	clear := topology.NewLabelSet(map[string]string{topology.Zone: "east-1", topology.Hostname: "node-1"})
	conflicting := topology.NewLabelSet(map[string]string{topology.Zone: "east-0", topology.Hostname: "node-0"})
	return []peer{
		matching(t),
		sorting(t),
		forecasting(t, false),
		forecasting(t, true),
		conflicts("FindConflict, none", t, clear, false),
		conflicts("FindConflict, one", t, conflicting, true),
	}
}

// BenchmarkPeers runs slipstream and the others side by side.
func BenchmarkPeers(b *testing.B) {
	for _, p := range peers(b) {
		b.Run(p.work+"/slipstream", p.ours)
		b.Run(p.work+"/"+p.library, p.theirs)
	}
}

// TestRatios checks that slipstream and the peers do the same. With -ratios it prints how
// many times faster slipstream is, as a Markdown table. The runs alternate, so that both see
// the same machine.
func TestRatios(t *testing.T) {
	compared := peers(t)
	if *rounds == 0 {
		return
	}
	fmt.Printf("| on %d cores | against | asked for | lowest ratio | median ratio |\n|---|---|--:|--:|--:|\n", runtime.NumCPU())
	for _, p := range compared {
		var ratios []float64
		for range *rounds {
			ours, theirs := testing.Benchmark(p.ours), testing.Benchmark(p.theirs)
			ratios = append(ratios, perOp(theirs)/perOp(ours))
		}
		slices.Sort(ratios)
		median := ratios[len(ratios)/2]
		floor := "–"
		if p.floor > 0 {
			floor = fmt.Sprintf("%.0f ×", p.floor)
		}
		fmt.Printf("| %s | %s | %s | %.1f × | %.1f × |\n", p.work, p.library, floor, ratios[0], median)
		if median < p.floor {
			t.Errorf("%s: the median is %.1f, below %.1f", p.work, median, p.floor)
		}
	}
}

func perOp(r testing.BenchmarkResult) float64 { return float64(r.T) / float64(r.N) }

// matching asks which of 5,000 nodes match one term of three expressions, parsed before.
func matching(t testing.TB) peer {
	nodes, own := fleet(5000), demanding(1, 1)
	m, err := affinity.Compile(nil, own)
	if err != nil {
		t.Fatal(err)
	}
	required := nodeaffinity.GetRequiredNodeAffinity(podWith(nil, own))
	ours := func() (matching int) {
		for i := range nodes {
			if m.Match(&nodes[i]) {
				matching++
			}
		}
		return matching
	}
	theirs := func() (matching int) {
		for i := range nodes {
			if ok, _ := required.Match(&nodes[i]); ok {
				matching++
			}
		}
		return matching
	}
	if ours() != theirs() || ours() == 0 {
		t.Fatal("not the same: ", ours(), theirs())
	}
	return peer{"Match, 5,000 nodes", "component-helpers", 6, repeat(ours), repeat(theirs)}
}

// sorting builds a chain of 100,000 and puts it in order. slipstream checks it as well.
func sorting(t testing.TB) peer {
	const n = 100_000
	ops := make([]dataflow.Operation, n)
	for i := range ops {
		ops[i].Ref = dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "op-" + strconv.Itoa(i)}
		if i > 0 {
			ops[i].RunAfter = &dataflow.RunAfter{Ref: ops[i-1].Ref, Strategy: affinity.Strategy{Policy: affinity.Require}}
		}
	}
	return peer{
		"New and Problems, a chain of 100,000", "gonum's topo.Sort", 4,
		func(b *testing.B) {
			for range b.N {
				f, err := dataflow.New(ops...)
				if err != nil || len(f.Problems()) > 0 {
					b.Fatal(err, f.Problems())
				}
			}
		},
		func(b *testing.B) {
			for range b.N {
				g := simple.NewDirectedGraph()
				for i := range int64(n - 1) {
					g.SetEdge(g.NewEdge(simple.Node(i), simple.Node(i+1)))
				}
				if sorted, err := topo.Sort(g); err != nil || len(sorted) != n {
					b.Fatal(err, len(sorted))
				}
			}
		},
	}
}

// forecasting asks where 1,000 operations in chains of five can run, on 5,000 nodes, with
// fifty distinct affinities, and with requests or without. The others are asked about every
// pair, which tells about each operation by itself; the forecast is of all of them together.
// With requests there are 50,000 pods on the nodes. What they use is summed up before, for
// the index as for the scheduler's snapshots. The index itself is made each time, as it keeps
// its answers.
func forecasting(t testing.TB, requests bool) peer {
	nodes := fleet(5000)
	running := make([][]*corev1.Pod, len(nodes))
	var use map[string]corev1.ResourceList
	if requests {
		for i := range nodes {
			nodes[i].Status.Allocatable = resources("64", "256Gi", "8")
			nodes[i].Status.Allocatable[corev1.ResourcePods] = resource.MustParse("110")
			for p := range 10 {
				running[i] = append(running[i], requesting(podWith(nil, nil), resources(strconv.Itoa(1+(i+p)%8), "8Gi", "0")))
			}
		}
		use = used(nodes, running)
	}

	ops, pods := make([]dataflow.Operation, 1000), make([]*corev1.Pod, 1000)
	for i := range ops {
		op := &ops[i]
		op.Ref = dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "op-" + strconv.Itoa(i)}
		op.Exposes = []string{rack}
		op.Affinity = demanding(i/5%10, i%5)
		pods[i] = podWith(nil, op.Affinity)
		if requests {
			op.Requests = resources(strconv.Itoa(12+i%5), "16Gi", strconv.Itoa(i%2))
			requesting(pods[i], op.Requests)
		}
		if i%5 > 0 {
			follows := []string{topology.Hostname, topology.Zone, rack}[i%3]
			op.RunAfter = &dataflow.RunAfter{Ref: ops[i-1].Ref, Strategy: affinity.Strategy{
				Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: follows}},
			}}
		}
	}
	flow, err := dataflow.New(ops...)
	if err != nil {
		t.Fatal(err)
	}
	forecast := func() *dataflow.Forecast {
		index, err := dataflow.IndexNodes(nodes, use)
		if err != nil {
			t.Fatal(err)
		}
		forecast, err := flow.Forecast(index, dataflow.ForecastOptions{})
		if err != nil || !forecast.Completable() {
			t.Fatal(err, forecast.Impossible())
		}
		return forecast
	}
	ours := func(b *testing.B) {
		for range b.N {
			forecast()
		}
	}
	if !requests {
		return peer{"Forecast, 1,000 operations, 5,000 nodes", "component-helpers, every pair", 200, ours, func(b *testing.B) {
			for range b.N {
				matching := 0
				for _, pod := range pods {
					required := nodeaffinity.GetRequiredNodeAffinity(pod)
					for n := range nodes {
						if ok, _ := required.Match(&nodes[n]); ok {
							matching++
						}
					}
				}
				if matching == 0 {
					b.Fatal("nothing matches")
				}
			}
		}}
	}
	plugins, infos := newScheduler(t), snapshots(nodes, running)
	admitting := func(pod *corev1.Pod) (names []string) {
		ctx, state := quiet(), framework.NewCycleState()
		active := plugins.prepare(ctx, state, pod, infos)
		for _, info := range infos {
			if !slices.ContainsFunc(active, func(p filter) bool { return !p.Filter(ctx, state, pod, info).IsSuccess() }) {
				names = append(names, info.Node().Name)
			}
		}
		return names
	}
	fc := forecast()
	for i := range 10 {
		admitted := admitting(pods[i])
		if slices.ContainsFunc(fc.Nodes(ops[i].Ref), func(name string) bool { return !slices.Contains(admitted, name) }) {
			t.Fatal("not the same: ", ops[i].Ref)
		}
	}
	return peer{"Forecast, with requests and 50,000 pods", "kube-scheduler's five plugins, every pair", 150, ours, func(b *testing.B) {
		for range b.N {
			admitted := 0
			for _, pod := range pods {
				admitted += len(admitting(pod))
			}
			if admitted == 0 {
				b.Fatal("nothing is admitted")
			}
		}
	}}
}

// requesting gives a pod one container with requests.
func requesting(pod *corev1.Pod, requests corev1.ResourceList) *corev1.Pod {
	pod.Spec.Containers = []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: requests}}}
	return pod
}

func resources(cpu, memory, gpus string) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory), gpu: resource.MustParse(gpus),
	}
}

// conflicts asks whether an affinity of one term, which is all that Karpenter looks at,
// and the labels of a node can be met together. Both parse the affinity each time.
func conflicts(work string, t testing.TB, labels topology.LabelSet, conflicting bool) peer {
	own, incoming := demanding(1, 1), karpenter.NewRequirements()
	for key, value := range labels.All() {
		incoming.Add(karpenter.NewRequirement(key, corev1.NodeSelectorOpIn, value))
	}
	pod := podWith(nil, own)
	ours := func() bool { return affinity.FindConflict(nil, own, labels) != nil }
	theirs := func() bool { return karpenter.NewStrictPodRequirements(pod).Intersects(incoming) != nil }
	if ours() != conflicting || theirs() != conflicting {
		t.Fatal("not the same: ", ours(), theirs())
	}
	return peer{work, "Karpenter's Requirements", 0, repeat(ours), repeat(theirs)}
}

func repeat[R any](work func() R) func(*testing.B) {
	return func(b *testing.B) {
		for b.Loop() {
			work()
		}
	}
}

const (
	rack  = "topology.example.com/rack"
	cores = "example.com/cores"
)

// fleet returns nodes with seven labels: of fifty instance types in three zones, in racks
// of forty.
func fleet(n int) []corev1.Node {
	nodes := make([]corev1.Node, n)
	for i := range nodes {
		name := "node-" + strconv.Itoa(i)
		nodes[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			topology.Hostname:              name,
			topology.Region:                "east",
			topology.Zone:                  "east-" + strconv.Itoa(i%3),
			rack:                           "rack-" + strconv.Itoa(i/40),
			corev1.LabelInstanceTypeStable: "type-" + strconv.Itoa(i%50),
			corev1.LabelOSStable:           "linux",
			cores:                          strconv.Itoa(i % 64),
		}}}
	}
	return nodes
}

// demanding returns an affinity of one term: instance types of a family of ten, a number
// of cores by size, and a zone to avoid.
func demanding(family, size int) *corev1.Affinity {
	var types []string
	for i := range 5 {
		types = append(types, "type-"+strconv.Itoa(family+10*i))
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{
				requirement(corev1.LabelInstanceTypeStable, corev1.NodeSelectorOpIn, types...),
				requirement(cores, corev1.NodeSelectorOpGt, strconv.Itoa(4*size)),
				requirement(topology.Zone, corev1.NodeSelectorOpNotIn, "east-0"),
			},
		}}},
	}}
}
