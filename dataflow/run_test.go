package dataflow_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// run is a flow that runs on a few nodes: a state machine whose steps are those of a
// cluster. Operations start in any order that Resolve allows, each on any node that its
// affinity matches. They complete or fail. Labels of nodes change at any time.
type run struct {
	ops   chain
	flow  *dataflow.Flow
	nodes []map[string]string
	seen  map[dataflow.Ref]dataflow.Observation
	ran   map[dataflow.Ref]placement
}

// placement is the labels of the node where an operation ran, at that time, and the
// decision with which the operation started.
type placement struct {
	node     map[string]string
	decision dataflow.Decision
}

func newRun(t *rapid.T) *run {
	ops := runnable(7).Draw(t, "ops")
	r := &run{
		ops:  newChain(ops),
		flow: mustFlow(t, ops...),
		seen: map[dataflow.Ref]dataflow.Observation{},
		ran:  map[dataflow.Ref]placement{},
	}
	for i := range rapid.IntRange(2, 4).Draw(t, "nodes") {
		node := rapid.MapOfN(rapid.SampledFrom(keys()), rapid.SampledFrom([]string{"", "1", "2"}), 0, 4).Draw(t, "node")
		if rapid.IntRange(0, 4).Draw(t, "has hostname") > 0 {
			node[topology.Hostname] = fmt.Sprintf("node-%d", i)
		}
		r.nodes = append(r.nodes, node)
	}
	return r
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

// admits reports whether a node matches an affinity in which every operator is In.
func admits(a *corev1.Affinity, node map[string]string) bool {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(terms(a), func(term corev1.NodeSelectorTerm) bool {
		for _, e := range term.MatchExpressions {
			if value, ok := node[e.Key]; !ok || !slices.Contains(e.Values, value) {
				return false
			}
		}
		return len(term.MatchExpressions) > 0
	})
}

// start starts an operation that is Ready, if there is a node for it. No operation that has
// started is Ready again (law F4).
func (r *run) start(t *rapid.T) {
	ready := map[dataflow.Ref]dataflow.Decision{}
	var startable []dataflow.Ref
	for resolution := range r.flow.ResolveAll(r.seen) {
		if resolution.Err != nil || resolution.State != dataflow.Ready {
			continue
		}
		if _, started := r.ran[resolution.Operation]; started {
			t.Fatalf("%s is Ready again", resolution.Operation)
		}
		ready[resolution.Operation] = resolution.Decision
		startable = append(startable, resolution.Operation)
	}
	if len(startable) == 0 {
		return
	}
	ref := rapid.SampledFrom(startable).Draw(t, "operation")
	var matching []map[string]string
	for _, node := range r.nodes {
		if admits(ready[ref].Affinity, node) {
			matching = append(matching, node)
		}
	}
	if len(matching) == 0 {
		return
	}
	node := maps.Clone(rapid.SampledFrom(matching).Draw(t, "node"))
	r.ran[ref] = placement{node, ready[ref]}
	r.seen[ref] = dataflow.Observation{Phase: dataflow.Executing}
}

// finish completes an operation that is running; a few of them fail. It records the labels
// that its node had when it started.
func (r *run) finish(t *rapid.T) {
	var running []dataflow.Ref
	for op := range r.flow.Operations() {
		if r.seen[op.Ref].Phase == dataflow.Executing {
			running = append(running, op.Ref)
		}
	}
	if len(running) == 0 {
		return
	}
	ref := rapid.SampledFrom(running).Draw(t, "operation")
	o := dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(r.ran[ref].node, r.ops[ref].Exposes...)}
	if rapid.IntRange(0, 19).Draw(t, "fails") == 0 {
		o.Phase = dataflow.Failed
	}
	r.seen[ref] = o
}

// relabel changes, adds or removes a label of a node.
func (r *run) relabel(t *rapid.T) {
	node := rapid.SampledFrom(r.nodes).Draw(t, "node")
	key := rapid.SampledFrom(keys()[1:]).Draw(t, "key")
	if rapid.Bool().Draw(t, "remove") {
		delete(node, key)
	} else {
		node[key] = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value")
	}
}

// exposed returns the labels that an operation exposes after it ran (laws E1, F5).
func (r *run) exposed(ref dataflow.Ref) map[string]string {
	exposed := map[string]string{}
	for _, key := range exposes(r.ops[ref]) {
		if value, ok := r.ran[ref].node[key]; ok {
			exposed[key] = value
		}
	}
	return exposed
}

// steps runs many machines and calls check after every step of each. In most flows little
// can go wrong, so it runs more of them than rapid's default.
func steps(t *testing.T, check func(t *rapid.T, r *run)) {
	for range 20 {
		rapid.Check(t, func(t *rapid.T) {
			r := newRun(t)
			t.Repeat(map[string]func(*rapid.T){
				"start and finish": func(t *rapid.T) { r.start(t); r.finish(t) },
				"start":            r.start,
				"finish":           r.finish,
				"relabel":          r.relabel,
				"":                 func(t *rapid.T) { check(t, r) },
			})
		})
	}
}

func TestLawF6CoLocation(t *testing.T) {
	checked := map[string]int{}
	defer func() { t.Logf("inherited labels checked: %v", checked) }()
	steps(t, func(t *rapid.T, r *run) {
		for ref, placed := range r.ran {
			op := r.ops[ref]
			if !admits(op.Affinity, placed.node) {
				t.Fatalf("%s ran on %v, against its own affinity", ref, placed.node)
			}
			from, ok := source(op)
			if !ok {
				continue
			}
			exposed := r.exposed(from)
			for _, key := range required(op) {
				value, ok := exposed[key]
				if !ok {
					continue
				}
				if got, has := placed.node[key]; got != value || !has {
					t.Fatalf("%s ran on a node with %s=%q, its source %s on one with %q", ref, key, got, from, value)
				}
				checked["in all"]++
				if op.Affinity != nil {
					checked["in addition to an own affinity"]++
				}
				if op.RunAfter.DependOn != nil {
					checked["of a dependOn"]++
				}
			}
		}
	})
}

func TestLawF7OnlyWhatTheSourceExposesIsSeen(t *testing.T) {
	steps(t, func(t *rapid.T, r *run) {
		for ref, placed := range r.ran {
			from, ok := source(r.ops[ref])
			if !ok && placed.decision.Inherited.Len() > 0 {
				t.Fatalf("%s has no source and inherits %v", ref, placed.decision.Inherited)
			}
			exposed := r.exposed(from)
			for key, value := range placed.decision.Inherited.All() {
				if got, ok := exposed[key]; !ok || got != value {
					t.Fatalf("%s inherits %s=%s, its source %s exposes %v", ref, key, value, from, exposed)
				}
			}
		}
	})
}

// Where every operation starts by Resolve, each starts after all of its ancestors.
func TestLawF4NothingRunsBeforeItsAncestors(t *testing.T) {
	steps(t, func(t *rapid.T, r *run) {
		for ref := range r.ran {
			for _, ancestor := range r.ops.ancestors(r.ops[ref]) {
				if r.seen[ancestor].Phase != dataflow.Complete {
					t.Fatalf("%s ran although %s is %q", ref, ancestor, r.seen[ancestor].Phase)
				}
			}
		}
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
