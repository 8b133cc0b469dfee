package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var rounds = flag.Int("ratios", 0, "in how many rounds TestRatios compares the speed")

// peer is work that slipstream and Fluid do on the same input.
type peer struct {
	work         string
	library      string
	floor        float64 // how many times faster slipstream must be
	ours, theirs func(*testing.B)
}

func peers(t testing.TB) []peer {
	require := datav1alpha1.AffinityStrategy{
		Policy: datav1alpha1.RequireAffinityStrategy, Requires: []datav1alpha1.Require{{Name: topology.Hostname}, {Name: topology.Zone}},
	}
	prefer := datav1alpha1.AffinityStrategy{
		Policy: datav1alpha1.PreferAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: topology.Hostname, Weight: 100}, {Name: topology.Zone, Weight: 50}},
	}
	own := demanding()
	own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil // beside which Fluid loses what is to be inherited
	return []peer{
		injecting(t, "Inherit, Require two labels", require, own),
		injecting(t, "Inherit, Prefer two labels", prefer, demanding()),
		dropIn(t, "InjectAffinityByRunAfterOp, Require two labels", require, own),
		dropIn(t, "InjectAffinityByRunAfterOp, Prefer two labels", prefer, demanding()),
	}
}

// BenchmarkPeers runs slipstream and Fluid side by side.
func BenchmarkPeers(b *testing.B) {
	for _, p := range peers(b) {
		b.Run(p.work+"/slipstream", p.ours)
		b.Run(p.work+"/"+p.library, p.theirs)
	}
}

// TestRatios prints how many times faster slipstream is, as a Markdown table. The runs
// alternate, so that both see the same machine.
func TestRatios(t *testing.T) {
	if *rounds == 0 {
		t.Skip("without -ratios")
	}
	fmt.Printf("| on %d cores | against | asked for | lowest ratio | median ratio |\n|---|---|--:|--:|--:|\n", runtime.NumCPU())
	for _, p := range peers(t) {
		var ratios []float64
		for range *rounds {
			ours, theirs := testing.Benchmark(p.ours), testing.Benchmark(p.theirs)
			ratios = append(ratios, perOp(theirs)/perOp(ours))
		}
		slices.Sort(ratios)
		median := ratios[len(ratios)/2]
		floor := "–"
		if p.floor > 0 {
			floor = fmt.Sprintf("%.1f ×", p.floor)
		}
		fmt.Printf("| %s | %s | %s | %.1f × | %.1f × |\n", p.work, p.library, floor, ratios[0], median)
		if median < p.floor {
			t.Errorf("%s: the median is %.1f, below %.1f", p.work, median, p.floor)
		}
	}
}

func perOp(r testing.BenchmarkResult) float64 { return float64(r.T) / float64(r.N) }

var ran = map[string]string{topology.Hostname: "node-1", topology.Zone: "east-a", topology.Region: "east", "example.com/rack": "r7"}

// source is a client that has one DataLoad and hands it out without copying more than it must.
type source struct {
	client.Client
	held *datav1alpha1.DataLoad
}

func (s source) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	into.(*datav1alpha1.DataLoad).Status = s.held.Status
	return nil
}

func newSource() source {
	return source{held: &datav1alpha1.DataLoad{Status: datav1alpha1.OperationStatus{
		Phase: common.PhaseComplete, NodeAffinity: topology.NewLabelSet(ran).NodeAffinity(),
	}}}
}

func injectPure(c client.Client, ref *datav1alpha1.OperationRef, own *corev1.Affinity) *corev1.Affinity {
	a, err := dataflow.InjectAffinityByRunAfterOp(c, ref, "default", own.DeepCopy())
	if err != nil {
		panic(err)
	}
	return a
}

// injecting is the decision alone on slipstream's side. On Fluid's it cannot be had without a
// client, so that one is used that does next to nothing.
func injecting(t testing.TB, work string, s datav1alpha1.AffinityStrategy, own *corev1.Affinity) peer {
	c, ref := newSource(), &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"}, AffinityStrategy: s}
	strategy, exposed := affinity.Strategy{Policy: affinity.Policy(s.Policy)}, topology.NewLabelSet(ran)
	for _, r := range s.Requires {
		strategy.Requires = append(strategy.Requires, affinity.Required(r))
	}
	for _, p := range s.Prefers {
		strategy.Prefers = append(strategy.Prefers, affinity.Preferred(p))
	}
	ours := func() *corev1.Affinity {
		result, err := affinity.Inherit(own, strategy, exposed)
		if err != nil {
			panic(err)
		}
		return result.Affinity
	}
	theirs := func() *corev1.Affinity { return injectPure(c, ref, own) }
	return newPeer(t, work, 1.5, ours, theirs)
}

// dropIn is the whole function on either side, with the same client.
func dropIn(t testing.TB, work string, s datav1alpha1.AffinityStrategy, own *corev1.Affinity) peer {
	c, ref := newSource(), &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"}, AffinityStrategy: s}
	ours := func() *corev1.Affinity {
		a, err := fluid.InjectAffinityByRunAfterOp(c, ref, "default", own)
		if err != nil {
			panic(err)
		}
		return a
	}
	theirs := func() *corev1.Affinity { return injectPure(c, ref, own) }
	return newPeer(t, work, 0, ours, theirs)
}

func newPeer(t testing.TB, work string, floor float64, ours, theirs func() *corev1.Affinity) peer {
	if got, want := ours(), theirs(); !reflect.DeepEqual(got, want) {
		t.Fatal("not the same: ", got, want)
	}
	return peer{work, "Fluid's, with the copy that makes it pure", floor, repeat(ours), repeat(theirs)}
}

var sink *corev1.Affinity

func repeat(work func() *corev1.Affinity) func(*testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			sink = work()
		}
	}
}

// demanding returns an affinity with a term of two expressions, a preference, and a part on
// pods.
func demanding() *corev1.Affinity {
	return &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{
					requirement("example.com/gpu", corev1.NodeSelectorOpIn, "a100", "h100"), requirement("example.com/cores", corev1.NodeSelectorOpGt, "16"),
				},
			}}},
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
				Weight:     10,
				Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{requirement("tier", corev1.NodeSelectorOpIn, "a")}},
			}},
		},
		PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: topology.Hostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "load"}},
		}}},
	}
}
