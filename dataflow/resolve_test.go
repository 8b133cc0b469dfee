package dataflow_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// observations draws observations of ops, and of operations that are not given. Not all of
// them can occur in a cluster.
func observations(ops []dataflow.Operation) *rapid.Generator[map[dataflow.Ref]dataflow.Observation] {
	return rapid.Custom(func(t *rapid.T) map[dataflow.Ref]dataflow.Observation {
		mostly := rapid.SampledFrom([]dataflow.Phase{dataflow.Complete, dataflow.Complete, "", dataflow.Failed}).Draw(t, "mostly")
		seen := map[dataflow.Ref]dataflow.Observation{}
		for i := range len(ops) + 2 {
			if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
				continue
			}
			phase := mostly
			if rapid.IntRange(0, 3).Draw(t, "other phase") == 0 {
				phase = rapid.SampledFrom([]dataflow.Phase{"", dataflow.Pending, dataflow.Executing, dataflow.Complete, dataflow.Failed, "Sleeping"}).Draw(t, "phase")
			}
			labels := rapid.MapOfN(rapid.SampledFrom(keys()), rapid.SampledFrom([]string{"", "1", "2"}), 0, 4).Draw(t, "labels")
			seen[named(i)] = dataflow.Observation{Phase: phase, Labels: topology.NewLabelSet(labels)}
		}
		return seen
	})
}

// distances returns, for each Blocked operation, how many steps away each failed operation is
// through operations that are Blocked.
func (c chain) distances(states map[dataflow.Ref]dataflow.State, seen map[dataflow.Ref]dataflow.Observation) map[dataflow.Ref]map[dataflow.Ref]int {
	all := map[dataflow.Ref]map[dataflow.Ref]int{}
	for ref := range c {
		all[ref] = map[dataflow.Ref]int{}
	}
	for range c { // a shortest way has no more steps than there are operations
		for ref, op := range c {
			if states[ref] != dataflow.Blocked {
				continue
			}
			for _, before := range waitsFor(op) {
				if seen[before].Phase == "Failed" {
					all[ref][before] = 1
				}
				for failed, steps := range all[before] {
					if known, ok := all[ref][failed]; !ok || steps+1 < known {
						all[ref][failed] = steps + 1
					}
				}
			}
		}
	}
	return all
}

func TestLawF4States(t *testing.T) {
	counts := map[string]int{}
	for range scale(10, 1) {
		rapid.Check(t, func(t *rapid.T) {
			ops := flows().Draw(t, "ops")
			seen := observations(ops).Draw(t, "seen")
			f, c := mustFlow(t, ops...), newChain(ops)
			states := dataflowtest.States(ops, seen)
			distances := c.distances(states, seen)
			for _, op := range ops {
				got, err := f.Resolve(op.Ref, seen)
				if err != nil {
					t.Fatal(err)
				}
				if got.State != states[op.Ref] {
					t.Fatalf("%s is %s, want %s", op.Ref, got.State, states[op.Ref])
				}
				counts[string(got.State)]++
				var cause dataflow.Ref
				switch got.State {
				case dataflow.Waiting:
					i := slices.IndexFunc(waitsFor(op), func(ref dataflow.Ref) bool { return seen[ref].Phase != "Complete" })
					cause = waitsFor(op)[i]
				case dataflow.Blocked:
					cause = got.Cause
					nearest := slices.Min(slices.Collect(maps.Values(distances[op.Ref])))
					if steps, ok := distances[op.Ref][cause]; !ok || steps != nearest {
						t.Fatalf("%s is blocked by %s, %d steps away; failed operations are at %v", op.Ref, cause, steps, distances[op.Ref])
					}
					if nearest > 1 {
						counts["Blocked through another operation"]++
					}
				}
				if got.Cause != cause {
					t.Fatalf("%s is %s on %v, want %v", op.Ref, got.State, got.Cause, cause)
				}
				if got.State != dataflow.Ready && !cmp.Equal(got.Result, affinity.Result{}) {
					t.Fatalf("%s is %s and has a result: %v", op.Ref, got.State, got.Result)
				}
			}
		})
	}
	t.Log(counts)
}

func TestLawF4ResolveAllAgreesWithResolve(t *testing.T) {
	for range scale(10, 1) {
		rapid.Check(t, func(t *rapid.T) {
			ops := flows().Draw(t, "ops")
			seen := observations(ops).Draw(t, "seen")
			f := mustFlow(t, ops...)
			var got, want []dataflow.Resolution
			for op := range f.Operations() {
				decision, err := f.Resolve(op.Ref, seen)
				want = append(want, dataflow.Resolution{Operation: op.Ref, Decision: decision, Err: err})
			}
			for r := range f.ResolveAll(seen) {
				got = append(got, r)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			for range f.ResolveAll(seen) {
				break
			}
		})
	}
}

func TestLawF5ReadyInheritsFromTheSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := flows().Draw(t, "ops")
		for i := range ops {
			if rapid.Bool().Draw(t, "own affinity") {
				ops[i].Affinity = requiring("example.com/own", "yes")
			}
		}
		seen := observations(ops).Draw(t, "seen")
		f, c := mustFlow(t, ops...), newChain(ops)
		for _, op := range ops {
			got, err := f.Resolve(op.Ref, seen)
			if err != nil {
				t.Fatal(err)
			}
			if got.State != dataflow.Ready {
				continue
			}
			want := affinity.Result{Affinity: op.Affinity}
			if source, ok := source(op); ok {
				labels := seen[source].Labels
				if c[source].Distributed || c[source].Recurring {
					labels = topology.LabelSet{}
				}
				if want, err = affinity.Inherit(op.Affinity, op.RunAfter.Strategy, labels); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got.Result); diff != "" {
				t.Fatalf("%s, -want +got:\n%s", op.Ref, diff)
			}
		}
	})
}

func TestResolve(t *testing.T) {
	onNode1 := topology.NewLabelSet(map[string]string{topology.Hostname: "node-1"})
	b := requireSame(load("b", "a"))
	c := requireSame(load("c", "b"))
	c.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
	d := load("d", "c")

	for _, tc := range []struct {
		seen string // the phases of a, b and c
		want string // the states of a, b, c and d, each with its cause
	}{
		{", , ", "Ready, Waiting on a, Waiting on b, Waiting on c"},
		{"Pending, , ", "Ready, Waiting on a, Waiting on b, Waiting on c"},
		{"Sleeping, , ", "Ready, Waiting on a, Waiting on b, Waiting on c"},
		{"Executing, , ", "Running, Waiting on a, Waiting on b, Waiting on c"},
		{"Complete, , ", "Finished, Ready, Waiting on b, Waiting on c"},
		{"Complete, Executing, ", "Finished, Running, Waiting on b, Waiting on c"},
		{"Complete, Complete, ", "Finished, Finished, Ready, Waiting on c"},
		{"Complete, Complete, Executing", "Finished, Finished, Running, Waiting on c"},
		{"Complete, Complete, Complete", "Finished, Finished, Finished, Ready"},
		{"Complete, Failed, ", "Finished, Finished, Blocked on b, Blocked on b"},
		{"Failed, , ", "Finished, Blocked on a, Blocked on a, Blocked on a"},
		// The operation itself, and a complete operation, count before what comes before them.
		{", Complete, ", "Ready, Finished, Waiting on a, Waiting on c"},
		{"Failed, Complete, ", "Finished, Finished, Blocked on a, Blocked on a"},
		{"Failed, Executing, ", "Finished, Running, Blocked on a, Blocked on a"},
		{"Failed, Complete, Executing", "Finished, Finished, Running, Waiting on c"},
		{", , Complete", "Ready, Waiting on a, Finished, Ready"},
		{"Failed, Failed, Complete", "Finished, Finished, Finished, Ready"},
		{"Executing, Complete, ", "Running, Finished, Waiting on a, Waiting on c"},
	} {
		t.Run(tc.seen, func(t *testing.T) {
			seen := map[dataflow.Ref]dataflow.Observation{}
			for i, phase := range strings.Split(tc.seen, ", ") {
				seen[ref(string(rune('a'+i)))] = dataflow.Observation{Phase: dataflow.Phase(phase), Labels: onNode1}
			}
			var got []string
			f := mustFlow(t, load("a"), b, c, d)
			for r := range f.ResolveAll(seen) {
				state := string(r.State)
				if r.Cause != (dataflow.Ref{}) {
					state += " on " + r.Cause.Name
				}
				if r.Operation.Name == "c" && r.State == dataflow.Ready && !cmp.Equal(r.Affinity, requiring(topology.Hostname, "node-1")) {
					t.Errorf("c has the affinity %v", r.Affinity)
				}
				if decision, err := f.Resolve(r.Operation, seen); err != nil || !cmp.Equal(decision, r.Decision) {
					t.Errorf("Resolve(%v) = %v, %v; ResolveAll has %v", r.Operation, decision, err, r.Decision)
				}
				got = append(got, state)
			}
			if got := strings.Join(got, ", "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// An ancestor that was deleted blocks nothing, and what was seen of operations outside the
// flow counts.
func TestResolveWithOperationsOutsideTheFlow(t *testing.T) {
	c := requireSame(load("c", "b"))
	c.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
	onNode1 := topology.NewLabelSet(map[string]string{topology.Hostname: "node-1"})
	for name, tc := range map[string]struct {
		ops  []dataflow.Operation
		seen map[dataflow.Ref]dataflow.Observation
		want string
	}{
		"nothing is known":             {[]dataflow.Operation{load("b", "a"), load("c", "b")}, nil, "Waiting on b"},
		"the predecessor is complete":  {[]dataflow.Operation{load("b", "a"), load("c", "b")}, map[dataflow.Ref]dataflow.Observation{ref("b"): {Phase: dataflow.Complete}}, "Ready"},
		"both are complete":            {[]dataflow.Operation{c}, map[dataflow.Ref]dataflow.Observation{ref("b"): {Phase: dataflow.Complete}, ref("a"): {Phase: dataflow.Complete, Labels: onNode1}}, "Ready with kubernetes.io/hostname=node-1"},
		"the predecessor failed":       {[]dataflow.Operation{c}, map[dataflow.Ref]dataflow.Observation{ref("b"): {Phase: dataflow.Failed}, ref("a"): {Phase: dataflow.Complete}}, "Blocked on b"},
		"the source failed":            {[]dataflow.Operation{c}, map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Failed}}, "Blocked on a"},
		"both failed":                  {[]dataflow.Operation{c}, map[dataflow.Ref]dataflow.Observation{ref("b"): {Phase: dataflow.Failed}, ref("a"): {Phase: dataflow.Failed}}, "Blocked on b"},
		"the nearer one failed too":    {[]dataflow.Operation{load("b", "x"), c}, map[dataflow.Ref]dataflow.Observation{ref("x"): {Phase: dataflow.Failed}, ref("a"): {Phase: dataflow.Failed}}, "Blocked on a"},
		"an ancestor failed":           {[]dataflow.Operation{load("b", "a"), load("c", "b")}, map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Failed}}, "Blocked on a"},
		"an ancestor of those outside": {[]dataflow.Operation{load("c", "b")}, map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Failed}}, "Waiting on b"},
	} {
		d, err := mustFlow(t, tc.ops...).Resolve(ref("c"), tc.seen)
		got := string(d.State)
		if d.Cause != (dataflow.Ref{}) {
			got += " on " + d.Cause.Name
		}
		if d.Inherited.Len() > 0 {
			got += " with " + d.Inherited.String()
		}
		if err != nil || got != tc.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tc.want)
		}
	}
}

// Of failed operations at the same distance, the cause is that through the predecessor.
func TestResolveNamesTheFailureThroughThePredecessor(t *testing.T) {
	x, y := load("x", "p"), load("y", "q")
	c := requireSame(load("c", "x"))
	c.RunAfter.DependOn = &y.Ref
	e := requireSame(load("e", "y"))
	e.RunAfter.DependOn = &x.Ref
	f := mustFlow(t, load("p"), load("q"), x, y, c, e, load("d", "c"))
	seen := map[dataflow.Ref]dataflow.Observation{ref("p"): {Phase: dataflow.Failed}, ref("q"): {Phase: dataflow.Failed}}
	want := map[string]string{"x": "p", "y": "q", "c": "p", "e": "q", "d": "p"}
	for r := range f.ResolveAll(seen) {
		decision, err := f.Resolve(r.Operation, seen)
		if name := r.Operation.Name; err != nil || decision.Cause.Name != want[name] || r.Cause != decision.Cause {
			t.Errorf("%s is blocked by %v, and with all others by %v; want %q", name, decision.Cause, r.Cause, want[name])
		}
	}
}

// Operations that depend on each other wait forever, unless one of them or of what they
// run after fails.
func TestResolveInACycleOfSources(t *testing.T) {
	b, c := requireSame(load("b", "a")), requireSame(load("c", "a"))
	onB, onC := ref("b"), ref("c")
	b.RunAfter.DependOn, c.RunAfter.DependOn = &onC, &onB
	f := mustFlow(t, load("a"), b, c)
	for _, tc := range []struct {
		a, b         dataflow.Phase
		wantB, wantC dataflow.Decision
	}{
		{"", "", dataflow.Decision{State: dataflow.Waiting, Cause: ref("a")}, dataflow.Decision{State: dataflow.Waiting, Cause: ref("a")}},
		{"Complete", "", dataflow.Decision{State: dataflow.Waiting, Cause: onC}, dataflow.Decision{State: dataflow.Waiting, Cause: onB}},
		{"Failed", "", dataflow.Decision{State: dataflow.Blocked, Cause: ref("a")}, dataflow.Decision{State: dataflow.Blocked, Cause: ref("a")}},
		{"Complete", "Failed", dataflow.Decision{State: dataflow.Finished}, dataflow.Decision{State: dataflow.Blocked, Cause: onB}},
	} {
		seen := map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: tc.a}, onB: {Phase: tc.b}}
		gotB, _ := f.Resolve(onB, seen)
		gotC, _ := f.Resolve(onC, seen)
		if !cmp.Equal(gotB, tc.wantB) || !cmp.Equal(gotC, tc.wantC) {
			t.Errorf("a %q, b %q: b %v, c %v; want %v and %v", tc.a, tc.b, gotB, gotC, tc.wantB, tc.wantC)
		}
	}
}

func TestResolveOfAnUnknownOperation(t *testing.T) {
	f := mustFlow(t, load("warm-up"), load("convert"))
	for _, c := range []struct{ name, want string }{
		{"warmup", "no DataLoad default/warmup in the flow; typo of DataLoad default/warm-up?"},
		{"a-quite-different-thing-altogether-and-long", "no DataLoad default/a-quite-different-thing-altogether-and-long in the flow"},
	} {
		_, err := f.Resolve(ref(c.name), nil)
		var unknown *dataflow.UnknownOperationError
		if !errors.As(err, &unknown) || unknown.Operation != ref(c.name) || err.Error() != c.want {
			t.Errorf("Resolve = %v, want %s", err, c.want)
		}
	}
}

// This test is for the race detector.
func TestLawF8FlowIsSafeForManyGoroutines(t *testing.T) {
	b := load("b", "a")
	b.RunAfter.Strategy.Policy = affinity.Require
	f := mustFlow(t, load("a"), b, full2())
	seen := map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Complete}}
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for op := range f.Operations() {
				f.Operation(op.Ref)
				if _, err := f.Resolve(op.Ref, seen); err != nil {
					t.Error(err)
				}
			}
			for range f.ResolveAll(seen) {
			}
			_, _ = f.Resolve(ref("unknown"), seen)
		}()
	}
	group.Wait()
}

func full2() dataflow.Operation {
	op := full()
	op.Ref.Name = "full"
	return op
}

// chainOf returns a chain of n operations, each of which requires its predecessor's node.
func chainOf(n int) []dataflow.Operation { return shape(n, func(i int) int { return i - 1 }) }

// treeOf returns a tree of n operations in which every tenth has ten followers.
func treeOf(n int) []dataflow.Operation { return shape(n, func(i int) int { return (i+9)/10 - 1 }) }

func shape(n int, parent func(int) int) []dataflow.Operation {
	ops := make([]dataflow.Operation, n)
	for i := range ops {
		ops[i].Ref = ref(fmt.Sprintf("op-%d", i))
		if p := parent(i); p >= 0 {
			ops[i].RunAfter = &dataflow.RunAfter{Ref: ops[p].Ref, Strategy: affinity.Strategy{Policy: affinity.Require}}
		}
	}
	return ops
}

func completed(ops []dataflow.Operation) map[dataflow.Ref]dataflow.Observation {
	labels := topology.NewLabelSet(map[string]string{topology.Hostname: "node-1"})
	seen := make(map[dataflow.Ref]dataflow.Observation, len(ops))
	for i := range ops {
		seen[ops[i].Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: labels}
	}
	return seen
}

func TestLawF9AMillionOperationsAreFine(t *testing.T) {
	million := scale(1_000_000, 10_000)
	ops := chainOf(million)
	f := mustFlow(t, ops...)
	last := ops[million-1].Ref
	if decision, err := f.Resolve(last, nil); err != nil || decision.State != dataflow.Waiting {
		t.Fatalf("Resolve = %v, %v", decision, err)
	}
	states := map[dataflow.State]int{}
	for r := range f.ResolveAll(map[dataflow.Ref]dataflow.Observation{ops[0].Ref: {Phase: dataflow.Failed}}) {
		states[r.State]++
	}
	if want := map[dataflow.State]int{dataflow.Finished: 1, dataflow.Blocked: million - 1}; !cmp.Equal(states, want) {
		t.Errorf("the first failed: %v, want %v", states, want)
	}

	ring := ops[:million/10]
	ring[0].RunAfter = &dataflow.RunAfter{Ref: ring[len(ring)-1].Ref}
	_, err := dataflow.New(ring...)
	var cycle *dataflow.CycleError
	if !errors.As(err, &cycle) || len(cycle.Operations) != len(ring) {
		t.Errorf("a cycle of %d operations: %T", len(ring), err)
	}
}

// Only allocations are counted here. Benchmarks measure time.
func TestLawF9AllocationsAreLinear(t *testing.T) {
	for name, shape := range map[string]func(int) []dataflow.Operation{"chain": chainOf, "tree": treeOf} {
		perOperation := func(n int) float64 {
			ops := shape(n)
			seen := completed(ops)
			return testing.AllocsPerRun(3, func() {
				for r := range mustFlow(t, ops...).ResolveAll(seen) {
					_ = r
				}
			}) / float64(n)
		}
		small, large := perOperation(1_000), perOperation(10_000)
		if large > small*1.05 {
			t.Errorf("%s: %.2f allocations for an operation of 1,000, %.2f of 10,000", name, small, large)
		}
	}
}

func BenchmarkNewAndResolveAll(b *testing.B) {
	for name, shape := range map[string]func(int) []dataflow.Operation{"chain": chainOf, "tree": treeOf} {
		for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				ops := shape(n)
				seen := completed(ops)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					for r := range mustFlow(b, ops...).ResolveAll(seen) {
						_ = r
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/operation")
			})
		}
	}
}

func TestResolveFindsConflicts(t *testing.T) {
	b := load("b", "a")
	b.RunAfter.Strategy.Policy = affinity.Require
	process := b
	process.Ref.Kind = dataflow.DataProcess
	seen := map[dataflow.Ref]dataflow.Observation{
		ref("a"): {Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{topology.Hostname: "n1"})},
	}
	for _, c := range []struct {
		name   string
		op     dataflow.Operation
		change func(op *dataflow.Operation)
		want   string
	}{
		{"its own affinity", b, func(op *dataflow.Operation) { op.Affinity = requiring(topology.Hostname, "n2") },
			"cannot follow DataLoad default/a: it ran where kubernetes.io/hostname=n1, but spec.affinity requires kubernetes.io/hostname In [n2]"},
		{"its node selector", b, func(op *dataflow.Operation) { op.NodeSelector = map[string]string{topology.Hostname: "n2"} },
			"cannot follow DataLoad default/a: it ran where kubernetes.io/hostname=n1, but spec.nodeSelector requires kubernetes.io/hostname In [n2]"},
		{"its affinity, with a node selector that excludes one term", b, func(op *dataflow.Operation) {
			op.NodeSelector = map[string]string{"disk": "ssd"}
			op.Affinity = requiring("disk", "hdd")
			required := op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, terms(requiring(topology.Hostname, "n2"))...)
			required.NodeSelectorTerms[0].MatchExpressions = append(required.NodeSelectorTerms[0].MatchExpressions, terms(requiring(topology.Hostname, "n3"))[0].MatchExpressions...)
		}, "cannot follow DataLoad default/a: it ran where kubernetes.io/hostname=n1, but spec.affinity requires kubernetes.io/hostname In [n2]"},
		{"the affinity of a process, in another field", process, func(op *dataflow.Operation) { op.Affinity = requiring(topology.Hostname, "n2") },
			"cannot follow DataLoad default/a: it ran where kubernetes.io/hostname=n1, but spec.processor.job.podSpec.affinity requires kubernetes.io/hostname In [n2]"},
		{"only a preference", b, func(op *dataflow.Operation) {
			op.RunAfter = &dataflow.RunAfter{Ref: ref("a"), Strategy: affinity.Strategy{Policy: affinity.Prefer}}
			op.NodeSelector = map[string]string{topology.Hostname: "n2"}
		}, ""},
		{"not yet: the source is not complete", b, func(op *dataflow.Operation) {
			op.RunAfter = &dataflow.RunAfter{Ref: ref("x"), Strategy: affinity.Strategy{Policy: affinity.Require}}
			op.NodeSelector = map[string]string{topology.Hostname: "n2"}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := c.op
			c.change(&op)
			decision, err := mustFlow(t, load("a"), op).Resolve(op.Ref, seen)
			if c.want == "" {
				if err != nil || decision.State == "" {
					t.Errorf("Resolve = %v, %v; want no error", decision, err)
				}
				return
			}
			var conflict *affinity.ConflictError
			if !errors.As(err, &conflict) || err.Error() != c.want || !cmp.Equal(decision, dataflow.Decision{}) {
				t.Errorf("Resolve = %v, %v\nwant %s", decision, err, c.want)
			}
		})
	}
}
