package dataflow_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A controller that decides by a flow's Resolve, with the affinities of its forecast or without.
type controller struct{ forecast bool }

func (c controller) Decide(ref dataflow.Ref, v dataflowtest.View) (dataflow.State, *corev1.Affinity, error) {
	f, err := dataflow.New(v.Operations...)
	if err != nil {
		return "", nil, err
	}
	if c.forecast {
		nodes, err := dataflow.IndexNodes(v.Cluster.Nodes, v.Cluster.Used)
		if err != nil {
			return "", nil, err
		}
		forecast, err := f.Forecast(nodes, dataflow.ForecastOptions{Seen: v.Seen})
		if err != nil {
			return "", nil, err
		}
		if forecast.Completable() {
			f = forecast.Flow()
		}
	}
	decision, err := f.Resolve(ref, v.Seen)
	return decision.State, decision.Affinity, err
}

// The laws F4, F5, F6 and F7.
func TestLawF6CoLocationInWholeRuns(t *testing.T) {
	keep(t, controller{}, dataflowtest.Skip(dataflowtest.L3))
}

// The same laws, and L3.
func TestLawL3WholeRunsWithTheForecast(t *testing.T) { keep(t, controller{forecast: true}) }

// keep fails the test if a controller does not keep a law of the test kit.
func keep(t *testing.T, c controller, options ...dataflowtest.Option) {
	t.Helper()
	for range scale(2, 1) {
		for _, failure := range dataflowtest.CheckController(func() dataflowtest.Controller { return c }, options...) {
			t.Fatal(failure)
		}
	}
}

// runnable draws flows of up to n operations that can run to their end: each predecessor
// is given, and each dependOn names an ancestor.
func runnable(n int) *rapid.Generator[[]dataflow.Operation] {
	return rapid.Custom(func(t *rapid.T) []dataflow.Operation {
		var ops []dataflow.Operation
		for i := range rapid.IntRange(1, n).Draw(t, "n") {
			op := dataflow.Operation{
				Ref:         named(i),
				Distributed: rapid.IntRange(0, 6).Draw(t, "distributed") == 0,
				Recurring:   rapid.IntRange(0, 6).Draw(t, "recurring") == 0,
				Exposes:     rapid.SliceOfN(rapid.SampledFrom(keys()), 0, 2).Draw(t, "exposes"),
			}
			if rapid.IntRange(0, 3).Draw(t, "own affinity") == 0 {
				op.Affinity = requiring(rapid.SampledFrom(keys()[1:]).Draw(t, "own key"), "1", "2")
			}
			if i > 0 && rapid.IntRange(0, 7).Draw(t, "runs after another") > 0 {
				op.RunAfter = &dataflow.RunAfter{
					Ref:      named(rapid.IntRange(0, i-1).Draw(t, "after")),
					Strategy: strategies().Draw(t, "strategy"),
				}
				ancestors := newChain(ops).ancestors(op)
				if rapid.IntRange(0, 2).Draw(t, "depends") == 0 {
					on := rapid.SampledFrom(ancestors).Draw(t, "on")
					op.RunAfter.DependOn = &on
				}
			}
			ops = append(ops, op)
		}
		return ops
	})
}

// A label that C inherits through B must be exposed by B itself.
func TestLawF7ThroughAnIntermediateOperation(t *testing.T) {
	const disk = "example.com/disk"
	following := func(name, after string, exposes ...string) dataflow.Operation {
		op := load(name, after)
		op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: disk}}}
		op.Exposes = exposes
		return op
	}
	a := load("a")
	a.Exposes = []string{disk}
	node := map[string]string{disk: "fast"}
	for _, c := range []struct {
		name string
		b    dataflow.Operation
		c    dataflow.Operation
		want string
	}{
		{"B exposes it", following("b", "a", disk), following("c", "b"), "example.com/disk=fast"},
		{"B inherits but does not expose it", following("b", "a"), following("c", "b"), ""},
		{"C depends on A", following("b", "a"), func() dataflow.Operation {
			c := following("c", "b")
			c.RunAfter.DependOn = &a.Ref
			return c
		}(), "example.com/disk=fast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[dataflow.Ref]dataflow.Observation{}
			for _, op := range []dataflow.Operation{a, c.b} {
				seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(node, op.Exposes...)}
			}
			decision, err := mustFlow(t, a, c.b, c.c).Resolve(c.c.Ref, seen)
			if err != nil || decision.Inherited.String() != c.want {
				t.Errorf("C inherits %v, %v; want %q", decision.Inherited, err, c.want)
			}
			if missing := len(decision.Missing) == 1; missing != (c.want == "") {
				t.Errorf("missing: %v", decision.Missing)
			}
		})
	}
}
