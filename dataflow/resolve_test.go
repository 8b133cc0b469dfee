package dataflow_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// observations draws what may be known of ops and of strangers, possible or not.
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

func TestLawF4ReadyWaitingBlocked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := flows().Draw(t, "ops")
		seen := observations(ops).Draw(t, "seen")
		f, c := mustFlow(t, ops...), newChain(ops)
		for _, op := range ops {
			got, err := f.Resolve(op.Ref, seen)
			if err != nil {
				t.Fatal(err)
			}
			want := dataflow.Ready
			var on dataflow.Ref
			wait := func(other dataflow.Ref) {
				if want == dataflow.Ready && seen[other].Phase != dataflow.Complete {
					want, on = dataflow.Waiting, other
				}
			}
			ancestors := c.ancestors(op)
			for _, ancestor := range ancestors {
				wait(ancestor)
			}
			if source, ok := source(op); ok {
				wait(source)
			}
			for _, ancestor := range slices.Backward(ancestors) {
				if seen[ancestor].Phase == dataflow.Failed {
					want, on = dataflow.Blocked, ancestor
				}
			}
			if got.State != want || got.Cause != on {
				t.Fatalf("%s is %s on %v, want %s on %v", op.Ref, got.State, got.Cause, want, on)
			}
			if got.State != dataflow.Ready && !cmp.Equal(got.Result, affinity.Result{}) {
				t.Fatalf("%s is %s and has a result: %v", op.Ref, got.State, got.Result)
			}
		}
	})
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

func TestResolveAllSaysWhatResolveSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := flows().Draw(t, "ops")
		seen := observations(ops).Draw(t, "seen")
		f := mustFlow(t, ops...)
		var got, want []dataflow.Resolution
		for op := range f.Operations() {
			decision, err := f.Resolve(op.Ref, seen)
			want = append(want, dataflow.Resolution{Ref: op.Ref, Decision: decision, Err: err})
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

func TestResolve(t *testing.T) {
	onNode1 := topology.NewLabelSet(map[string]string{topology.Hostname: "node-1"})
	b := load("b", "a")
	b.RunAfter.Strategy.Policy = affinity.Require
	c := load("c", "b")
	c.RunAfter.Strategy.Policy = affinity.Require
	c.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
	f := mustFlow(t, load("a"), b, c)

	const (
		no  = dataflow.Phase("")
		yes = dataflow.Complete
	)
	for _, tc := range []struct {
		a, b  dataflow.Phase
		wantB string
		wantC string
	}{
		{no, no, "Waiting on a", "Waiting on b"},
		{dataflow.Pending, no, "Waiting on a", "Waiting on b"},
		{dataflow.Executing, no, "Waiting on a", "Waiting on b"},
		{yes, no, "Ready", "Waiting on b"},
		{yes, dataflow.Executing, "Ready", "Waiting on b"},
		{yes, yes, "Ready", "Ready"},
		{dataflow.Failed, no, "Blocked on a", "Blocked on a"},
		{yes, dataflow.Failed, "Ready", "Blocked on b"},
		{no, yes, "Waiting on a", "Waiting on a"},
	} {
		t.Run(fmt.Sprintf("a %q, b %q", tc.a, tc.b), func(t *testing.T) {
			seen := map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: tc.a, Labels: onNode1}, ref("b"): {Phase: tc.b, Labels: onNode1}}
			for name, want := range map[string]string{"b": tc.wantB, "c": tc.wantC} {
				decision, err := f.Resolve(ref(name), seen)
				if err != nil {
					t.Fatal(err)
				}
				got := string(decision.State)
				if decision.State != dataflow.Ready {
					got += " on " + decision.Cause.Name
				} else if diff := cmp.Diff(requiring(topology.Hostname, "node-1"), decision.Affinity); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if got != want {
					t.Errorf("%s is %s, want %s", name, got, want)
				}
			}
		})
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

// The race detector is the judge here.
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
				f.Source(op.Ref)
				if _, err := f.Resolve(op.Ref, seen); err != nil {
					t.Error(err)
				}
			}
			for range f.ResolveAll(seen) {
			}
			_, _ = f.Resolve(ref("stranger"), seen)
		}()
	}
	group.Wait()
}

func full2() dataflow.Operation {
	op := full()
	op.Name = "full"
	return op
}

// chainOf is a chain of n operations, each of which requires its predecessor's node.
func chainOf(n int) []dataflow.Operation { return shape(n, func(i int) int { return i - 1 }) }

// treeOf is a tree of n operations in which every tenth has ten followers.
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
	ready := 0
	for r := range f.ResolveAll(map[dataflow.Ref]dataflow.Observation{ops[0].Ref: {Phase: dataflow.Complete}}) {
		if r.State == dataflow.Ready {
			ready++
		}
	}
	if ready != 2 {
		t.Errorf("%d operations are ready, want the first two", ready)
	}

	ops[0].RunAfter = &dataflow.RunAfter{Ref: last}
	_, err := dataflow.New(ops...)
	var cycle *dataflow.CycleError
	if !errors.As(err, &cycle) || len(cycle.Operations) != million {
		t.Errorf("a cycle of a million operations gives %T of %d", cycle, len(cycle.Operations))
	}
}

// Memory is counted here; time, which depends on the machine, in the benchmarks.
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
		small, large := perOperation(1_000), perOperation(30_000)
		if large > small*1.05 {
			t.Errorf("%s: %.2f allocations an operation of 1,000, %.2f of 30,000", name, small, large)
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
	process.Kind = dataflow.DataProcess
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
		{"its affinity, of which the node selector leaves one term", b, func(op *dataflow.Operation) {
			op.NodeSelector = map[string]string{"disk": "ssd"}
			op.Affinity = requiring("disk", "hdd")
			terms := &op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			*terms = append(*terms, requiring(topology.Hostname, "n2").NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms...)
			(*terms)[0].MatchExpressions = append((*terms)[0].MatchExpressions, requiring(topology.Hostname, "n3").NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions...)
		}, "cannot follow DataLoad default/a: it ran where kubernetes.io/hostname=n1, but spec.affinity requires kubernetes.io/hostname In [n2]"},
		{"a process's affinity, which stands elsewhere", process, func(op *dataflow.Operation) { op.Affinity = requiring(topology.Hostname, "n2") },
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
