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
	"github.com/fluid-cloudnative/fluid/pkg/utils"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var rounds = flag.Int("ratios", 0, "in how many rounds TestRatios compares the speed, if at all")

// peer is work that slipstream and Fluid do on the same input.
type peer struct {
	work         string
	library      string
	floor        float64 // how many times faster slipstream must be
	ours, theirs func(*testing.B)
	less         func(*testing.B) // what theirs does in addition; nil if it is nothing
}

const (
	pure   = "Fluid's, with the copies that make it pure"
	impure = "Fluid's, with a copy of the own affinity"
)

func peers(t testing.TB) []peer {
	node := datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}
	two := datav1alpha1.AffinityStrategy{
		Policy: datav1alpha1.RequireAffinityStrategy, Requires: []datav1alpha1.Require{{Name: topology.Zone}, {Name: "example.com/rack"}},
	}
	prefer := datav1alpha1.AffinityStrategy{
		Policy: datav1alpha1.PreferAffinityStrategy, Prefers: []datav1alpha1.Prefer{{Name: topology.Hostname, Weight: 100}, {Name: topology.Zone, Weight: 50}},
	}
	own := withTerm(nil, []corev1.NodeSelectorRequirement{requirement("example.com/gpu", corev1.NodeSelectorOpIn, "a100")})
	return []peer{
		deciding(t, "Inherit, Require the node", pure, 1.5, node, nil),
		deciding(t, "Inherit, Require two labels", pure, 1.5, two, nil),
		deciding(t, "Inherit, Prefer two labels with an own term", pure, 1.5, prefer, own),
		deciding(t, "Inherit, Prefer two labels with an own term", impure, 0, prefer, own),
	}
}

// BenchmarkPeers runs slipstream and Fluid side by side.
func BenchmarkPeers(b *testing.B) {
	for _, p := range peers(b) {
		b.Run(p.work+"/slipstream", p.ours)
		b.Run(p.work+"/"+p.library, p.theirs)
		if p.less != nil {
			b.Run(p.work+"/"+p.library+", of it the reading", p.less)
		}
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
			took := perOp(theirs)
			if p.less != nil {
				took -= perOp(testing.Benchmark(p.less))
			}
			ratios = append(ratios, took/perOp(ours))
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

// source is a client that has the status of one DataLoad. Unless it copies, it hands out what
// it has, and reading from it costs next to nothing.
type source struct {
	client.Client
	held   datav1alpha1.OperationStatus
	copies bool
}

func newSource(copies bool) source {
	return source{copies: copies, held: datav1alpha1.OperationStatus{
		Phase: common.PhaseComplete, NodeAffinity: topology.NewLabelSet(ran).NodeAffinity(),
	}}
}

func (s source) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	status := &into.(*datav1alpha1.DataLoad).Status
	*status = s.held
	if s.copies {
		status.NodeAffinity = s.held.NodeAffinity.DeepCopy()
	}
	return nil
}

// fluidsOwn is Fluid's injection. What makes it pure is a copy of the own affinity, which it
// would change, and one of what is recorded, whose memory it would share. It cannot be had
// without a client.
func fluidsOwn(library string, s datav1alpha1.AffinityStrategy, own *corev1.Affinity) func() *corev1.Affinity {
	c, ref := newSource(library == pure), runAfterA(s)
	return func() *corev1.Affinity {
		a, err := dataflow.InjectAffinityByRunAfterOp(c, ref, "default", own.DeepCopy())
		if err != nil {
			panic(err)
		}
		return a
	}
}

func runAfterA(s datav1alpha1.AffinityStrategy) *datav1alpha1.OperationRef {
	return &datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"}, AffinityStrategy: s}
}

// deciding is the decision alone: affinity.Inherit, and Fluid's injection less the reading of
// the status.
func deciding(t testing.TB, work, library string, floor float64, s datav1alpha1.AffinityStrategy, own *corev1.Affinity) peer {
	strategy, exposed := affinity.Strategy{Policy: affinity.Policy(s.Policy)}, topology.NewLabelSet(ran)
	for _, r := range s.Requires {
		strategy.Requires = append(strategy.Requires, affinity.RequiredLabel{Key: r.Name})
	}
	for _, p := range s.Prefers {
		strategy.Prefers = append(strategy.Prefers, affinity.PreferredLabel{Key: p.Name, Weight: p.Weight})
	}
	ours := func() *corev1.Affinity {
		result, err := affinity.Inherit(own, strategy, exposed)
		if err != nil {
			panic(err)
		}
		return result.Affinity
	}
	c, ref := newSource(false), runAfterA(s)
	reading := func(b *testing.B) {
		for range b.N {
			if _, err := utils.GetPrecedingOperationStatus(c, &ref.ObjectRef, "default"); err != nil {
				b.Fatal(err)
			}
		}
	}
	return newPeer(t, work, library, floor, ours, fluidsOwn(library, s, own), reading)
}

// BenchmarkDropIn runs the whole functions, with a client that copies. slipstream's reads all of
// the status, and Fluid's only what it takes over.
func BenchmarkDropIn(b *testing.B) {
	s := datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy}
	c, ref := newSource(true), runAfterA(s)
	b.Run("slipstream", repeat(func() *corev1.Affinity {
		a, err := fluid.InjectAffinityByRunAfterOp(c, ref, "default", nil)
		if err != nil {
			b.Fatal(err)
		}
		return a
	}))
	b.Run("Fluid", repeat(fluidsOwn(pure, s, nil)))
}

func newPeer(t testing.TB, work, library string, floor float64, ours, theirs func() *corev1.Affinity, less func(*testing.B)) peer {
	if got, want := ours(), theirs(); !reflect.DeepEqual(got, want) {
		t.Fatal("not the same: ", got, want)
	}
	return peer{work, library, floor, repeat(ours), repeat(theirs), less}
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
