package dataflow_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// everReady returns the operations that can become Ready, and those that have started. In
// the best future every operation that can complete does so and records nothing, which no
// constraint conflicts with.
func everReady(t tester, f *dataflow.Flow, seen map[dataflow.Ref]dataflow.Observation) map[dataflow.Ref]bool {
	future, ready := maps.Clone(seen), map[dataflow.Ref]bool{}
	for ref, o := range future {
		_, inFlow := f.Operation(ref)
		if o.Phase == "Executing" || !inFlow && o.Phase != "Failed" && o.Phase != "Complete" {
			future[ref] = dataflow.Observation{Phase: dataflow.Complete}
		}
	}
	for progress := true; progress; {
		progress = false
		for op := range f.Operations() {
			d, err := f.Resolve(op.Ref, future)
			if err == nil && !ready[op.Ref] && (d.State == dataflow.Ready || d.State == dataflow.Finished) {
				ready[op.Ref], progress = true, true
				if d.State == dataflow.Ready {
					future[op.Ref] = dataflow.Observation{Phase: dataflow.Complete}
				}
			}
		}
	}
	return ready
}

// missing reports whether an operation that has not started is, or will be, Ready without a
// label that it requires.
func missing(c chain, op dataflow.Operation, seen map[dataflow.Ref]dataflow.Observation) bool {
	from, ok := source(op)
	_, inFlow := c[from]
	return ok && slices.ContainsFunc(required(op), func(key string) bool {
		exposed := slices.Contains(exposes(c[from]), key)
		if seen[from].Phase == "Complete" {
			_, recorded := seen[from].Labels.Get(key)
			return !recorded || exposes(c[from]) == nil
		}
		return inFlow && !exposed
	})
}

func TestLawH3LiveProblemsAreExact(t *testing.T) {
	counts := map[dataflow.Code]int{}
	for range scale(40, 4) {
		rapid.Check(t, func(t *rapid.T) {
			ops := rapid.OneOf(flows(), runnable(6)).Draw(t, "ops")
			for i := range ops {
				ops[i].Affinity = nil
				if inherited := required(ops[i]); len(inherited) > 0 && rapid.Bool().Draw(t, "own affinity") {
					ops[i].Affinity = requiring(inherited[0], "1")
				}
			}
			seen := observations(ops).Draw(t, "seen")
			f, c := mustFlow(t, ops...), newChain(ops)
			ready := everReady(t, f, seen)
			severity := map[dataflow.Ref]dataflow.Severity{}
			for _, p := range f.LiveProblems(seen) {
				if severity[p.Operation] != "" {
					t.Fatalf("%v has two problems: %v", p.Operation, f.LiveProblems(seen))
				}
				severity[p.Operation] = p.Severity
				counts[p.Code]++
				if p.Field == "" || p.Message == "" || len(p.RestsOn) == 0 {
					t.Fatalf("%+v", p)
				}
			}
			for _, op := range ops {
				phase := seen[op.Ref].Phase
				started := phase == "Executing" || phase == "Complete" || phase == "Failed"
				want := dataflow.Severity("")
				switch {
				case started:
				case !ready[op.Ref]:
					want = dataflow.SeverityError
				case missing(c, op, seen):
					want = dataflow.SeverityWarning
				}
				if severity[op.Ref] != want {
					t.Fatalf("%v: %q, want %q; %v", op.Ref, severity[op.Ref], want, f.LiveProblems(seen))
				}
			}
		})
	}
	t.Log(counts)
	for _, code := range []dataflow.Code{dataflow.CodeBlocked, dataflow.CodeGone, dataflow.CodeContradiction, dataflow.CodeNotRecorded} {
		if counts[code] == 0 && !testing.Short() {
			t.Errorf("%s was not drawn", code)
		}
	}
}

func TestLiveProblemsReadWell(t *testing.T) {
	dependingOn := func(name string) func(*dataflow.Operation) {
		return func(op *dataflow.Operation) { source := ref(name); op.RunAfter.DependOn = &source }
	}
	chain := []dataflow.Operation{load("a"), changed(load("b", "a"), by()), changed(load("c", "b"), by(), dependingOn("a"))}
	complete, failed := dataflow.Observation{Phase: dataflow.Complete}, dataflow.Observation{Phase: dataflow.Failed}
	type seen map[string]dataflow.Observation
	var got bytes.Buffer
	for _, c := range []struct {
		name string
		ops  []dataflow.Operation
		seen seen
	}{
		{"not started", chain, nil},
		{"running", chain, seen{"a": {Phase: dataflow.Executing, Node: "n1"}}},
		{"complete", chain, seen{"a": completeOn("n1"), "b": completeOn("n1"), "c": completeOn("n1")}},
		{"nothing recorded", chain, seen{"a": complete}},
		{"a label not recorded", []dataflow.Operation{load("a"), changed(load("b", "a"), by(topology.Hostname, topology.Zone, topology.Region))}, seen{"a": completeOn("n1")}},
		{"a label not exposed", []dataflow.Operation{load("a"), changed(load("b", "a"), by("disk"))}, nil},
		{"a label of an operation outside the flow", []dataflow.Operation{changed(load("b", "a"), by("disk"))}, seen{"a": {Phase: dataflow.Executing}}},
		{"a source of several pods", []dataflow.Operation{changed(load("a"), func(op *dataflow.Operation) { op.Distributed = true }), changed(load("b", "a"), by())}, seen{"a": completeOn("n1")}},
		{"a preferred label", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), func(op *dataflow.Operation) { op.RunAfter.Strategy.Policy = affinity.Prefer })}, seen{"a": complete}},
		{"failed", chain, seen{"a": failed}},
		{"failed, of a longer chain", []dataflow.Operation{load("a"), load("b", "a"), load("c", "b"), load("d", "c")}, seen{"a": failed}},
		{"failed further down", chain, seen{"a": completeOn("n1"), "b": failed}},
		{"failed, after its follower completed", chain, seen{"a": failed, "b": completeOn("n1")}},
		{"failed outside the flow", chain[1:], seen{"a": failed}},
		{"deleted before it completed", chain[1:], nil},
		{"deleted before it completed, of a longer chain", []dataflow.Operation{load("b", "a"), load("c", "b"), load("d", "c")}, nil},
		{"deleted after its follower completed", []dataflow.Operation{load("c", "b")}, seen{"b": complete}},
		{"the source deleted", chain[1:], seen{"b": completeOn("n1")}},
		{"pending outside the flow", chain[1:], seen{"a": {}}},
		{"recorded where the follower cannot run", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), requires(topology.Hostname, "n2")), load("c", "b")}, seen{"a": completeOn("n1")}},
		{"recorded where a later operation cannot run", []dataflow.Operation{load("a"), load("b", "a"), changed(load("c", "b"), by(), dependingOn("a"), requires(topology.Hostname, "n2"))}, seen{"a": completeOn("n1")}},
		{"sources in a cycle", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), dependingOn("c")), changed(load("c", "a"), by(), dependingOn("b")), load("d", "c")}, seen{"a": complete}},
		{"a source in a cycle", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), dependingOn("c")), changed(load("c", "a"), by(), dependingOn("b")), changed(load("d", "a"), by(), dependingOn("c")), load("e", "d")}, nil},
	} {
		observed := map[dataflow.Ref]dataflow.Observation{}
		for name, o := range c.seen {
			observed[ref(name)] = o
		}
		problems := mustFlow(t, c.ops...).LiveProblems(observed)
		fmt.Fprintf(&got, "%s\n", c.name)
		for _, p := range problems {
			fmt.Fprintf(&got, "  %s\n", p)
		}
		if len(problems) == 0 {
			got.WriteString("  no problem\n")
		}
		got.WriteString("\n")
	}
	golden.Compare(t, *update, "testdata/live.golden", got.Bytes())
}

// A problem names the fields on which it rests, each by the path of a field of Fluid's API.
func TestProblemsRestOnFields(t *testing.T) {
	found := map[dataflow.Code]bool{}
	check := func(t tester, problems []dataflow.Problem, ops []dataflow.Operation) {
		c := newChain(ops)
		for _, p := range problems {
			found[p.Code] = true
			for _, b := range p.RestsOn {
				absent := b.Field == ""
				if b.Operation == (dataflow.Ref{}) || absent && b.Ancestors || !absent && !slices.ContainsFunc([]string{"spec", "metadata.", "status"}, func(prefix string) bool { return strings.HasPrefix(b.Field, prefix) }) {
					t.Fatalf("%v rests on %+v", p, b)
				}
				following := c[p.Operation]
				following.Distributed = false // Fluid lets it inherit all the same
				if from, _ := source(following); b.Operation != p.Operation && b.Operation != from && !slices.Contains(waitsFor(c[p.Operation]), b.Operation) {
					t.Fatalf("%v rests on an unrelated operation: %+v", p, b)
				}
			}
		}
	}
	for range scale(10, 1) {
		rapid.Check(t, func(t *rapid.T) {
			ops := flows().Draw(t, "ops")
			for i := range ops {
				ops[i] = placeable(t, ops[i])
			}
			f := mustFlow(t, ops...)
			check(t, f.Problems(), ops)
			check(t, f.LiveProblems(observations(ops).Draw(t, "seen")), ops)
			for _, host := range dataflow.Hosts() {
				check(t, f.HostProblems(host), ops)
			}
		})
	}
	t.Log(found)
}
