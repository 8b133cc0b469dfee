package dataflow_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The golden file holds, for each code that rests on more than the field of the problem, what a
// problem rests on.
func TestWhatProblemsRestOn(t *testing.T) {
	dependingOn := func(name string) func(*dataflow.Operation) {
		return func(op *dataflow.Operation) { source := ref(name); op.RunAfter.DependOn = &source }
	}
	distributed := func(op *dataflow.Operation) { op.Distributed = true }
	expiring := func(op *dataflow.Operation) { ttl := int32(60); op.TTLSecondsAfterFinished = &ttl }
	type observed = map[dataflow.Ref]dataflow.Observation
	process := changed(load("a"), kind(dataflow.DataProcess))
	afterProcess := changed(load("b", "a"), afterKind(dataflow.DataProcess), by())
	var got bytes.Buffer
	shown := map[dataflow.Code]bool{}
	for _, c := range []struct {
		ops  []dataflow.Operation
		seen observed
		host dataflow.Host
	}{
		{ops: []dataflow.Operation{load("b", "a")}},                                                        // UnknownPredecessor
		{ops: []dataflow.Operation{load("a"), changed(load("b", "a"), by(), dependingOn("x")), load("x")}}, // NotAnAncestor
		{ops: []dataflow.Operation{load("a"), following(affinity.None, "disk")}},                           // NoPolicy
		{ops: []dataflow.Operation{load("a"), with(following(affinity.Prefer, "disk"), func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "disk"}}
		})}}, // IgnoredList, NotExposed
		{ops: []dataflow.Operation{load("a"), changed(load("b", "a"), by(), distributed)}},                                                                  // DistributedTarget
		{ops: []dataflow.Operation{changed(load("a"), distributed), changed(load("b", "a"), by())}},                                                         // DistributedSource
		{ops: []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.Recurring = true }), changed(load("b", "a"), by())}},                   // RecurringSource
		{ops: []dataflow.Operation{changed(load("a"), expiring), load("b", "a"), changed(load("c", "b"), by(), dependingOn("a"))}},                          // Expires
		{ops: []dataflow.Operation{changed(load("a"), requires("x", "1"), selecting("x", "2"))}},                                                            // Contradiction
		{ops: []dataflow.Operation{changed(process, requires(topology.Zone, "1")), changed(afterProcess, by(topology.Zone), requires(topology.Zone, "2"))}}, // with the source
		{ops: []dataflow.Operation{changed(load("a"), bound("n1")), changed(load("b", "a"), by(), bound("n2"))}},                                            // NodeNameConflict
		{ops: []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.Affinity = either([]string{"x=1", "x=2"}, []string{"y=1"}) })}},        // NeverMatches

		{ops: []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, seen: observed{ref("a"): {Phase: dataflow.Complete}}},                                 // NotRecorded
		{ops: []dataflow.Operation{changed(load("b", "a"), by(), requires(topology.Hostname, "n2"))}, seen: observed{ref("a"): completeOn("n1")}},                   // Contradiction, with a source outside the flow
		{ops: []dataflow.Operation{load("a"), load("b", "a"), changed(load("c", "b"), by(), dependingOn("a"))}, seen: observed{ref("a"): {Phase: dataflow.Failed}}}, // Blocked
		{ops: []dataflow.Operation{load("b", "a")}, seen: observed{ref("b"): {}}},                                                                                   // Gone

		{host: dataflow.FluidMain, ops: []dataflow.Operation{process, afterProcess}},                                                            // RecordsNothing
		{host: dataflow.Fluid1_0, ops: []dataflow.Operation{load("a"), changed(load("b", "a"), by(), requires("x", "1"))}},                      // InheritsNothing
		{host: dataflow.Fluid1_0, ops: []dataflow.Operation{load("a"), changed(load("b", "a"), kind(dataflow.DataMigrate), by(), distributed)}}, // InheritsAnyway
		{host: dataflow.FluidMain, ops: []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.OnEvent = true })}},              // NeverStarts
		{host: dataflow.Fluid1_0, ops: []dataflow.Operation{changed(load("a"), kind(dataflow.DataBackup))}},                                     // Crashes
		{host: dataflow.Fluid1_0, ops: []dataflow.Operation{changed(load("a"), exposing("averyveryveryveryveryverylonglabelkey"))}},             // StaysExecuting
	} {
		f := mustFlow(t, c.ops...)
		problems := f.HostProblems(c.host)
		switch {
		case c.host == "" && c.seen == nil:
			problems = f.Problems()
		case c.host == "":
			problems = f.LiveProblems(c.seen)
		}
		for _, p := range problems {
			if len(p.RestsOn) == 0 {
				continue
			}
			shown[p.Code] = true
			fmt.Fprintf(&got, "%s %s: %s\n", p.Code, p.Operation, p.Field)
			for _, b := range p.RestsOn {
				fmt.Fprintf(&got, "  %s", b.Operation)
				if b.Field != "" {
					fmt.Fprintf(&got, ": %s", b.Field)
				}
				if b.Ancestors {
					got.WriteString(", and of all before it")
				}
				got.WriteString("\n")
			}
			got.WriteString("\n")
		}
	}
	golden.Compare(t, *update, "testdata/basis.golden", got.Bytes())
	for code := range codesWithBasis(t) {
		if !shown[code] {
			t.Errorf("no problem %s is shown", code)
		}
	}
}
