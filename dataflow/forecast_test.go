package dataflow_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawL1ForecastIsExact(t *testing.T) {
	completable := map[bool]int{}
	manyWorlds(t, func(t *rapid.T, w *world) { completable[w.check(t)]++ })
	t.Logf("completable: %d, not: %d", completable[true], completable[false])
}

// Every flow of up to four operations, each of them after none or one of those before it,
// that follow each other by the hostname, by a rack, or by both; on every catalogue of up
// to three nodes that have each of the two labels with one of three values or not at all;
// with every choice of who is admitted where. Left out is only what is the same but for
// names: flows with the same ordered forest, and catalogues with the nodes in another
// order or with other values. No policy, and Prefer, constrain as little as having no
// predecessor; they are there with up to two operations.
//
// Where there are more than 64 choices of who is admitted where, about sixteen of them are
// tried for each flow and catalogue, others each time; all of them with -exhaustive.
//
// Nothing has run here, and sources are predecessors with a place: the rest is drawn in
// TestLawL1ForecastIsExact.
func TestLawL1ExhaustivelyOnSmallFlows(t *testing.T) {
	catalogues := smallCatalogues(3)
	cases, completable, every := 0, 0, 0
	for n := 1; n <= scale(4, 3); n++ {
		for _, f := range smallFlows(t, n) {
			for _, nodes := range catalogues {
				tried := tryEverything(newWorld(f, nodes, dataflow.ForecastOptions{}))
				choices := 1 << (n * len(nodes))
				step := 1
				if !*exhaustive && choices > 64 {
					step = choices/16 - 1 // odd, so that every operation and node has its turn
				}
				every += choices
				for choice := cases % step; choice < choices; choice += step {
					cases++
					if tried.check(t, choice) {
						completable++
					}
				}
			}
		}
	}
	t.Logf("%d cases of %d, %d of them completable", cases, every, completable)
}

var exhaustive = flag.Bool("exhaustive", false, "check all small flows, not a part of them (some minutes)")

// smallFlows returns every flow of n operations, but for the names.
func smallFlows(t *testing.T, n int) []*dataflow.Flow {
	type child struct{ parent, strategy int }
	strategies := smallStrategies()
	if n > 2 {
		strategies = strategies[2:]
	}
	var flows []*dataflow.Flow
	known := map[string]bool{}
	var add func(children []child)
	add = func(children []child) {
		if len(children) < n {
			add(append(slices.Clip(children), child{-1, 0}))
			for parent := range children {
				for s := range strategies {
					add(append(slices.Clip(children), child{parent, s}))
				}
			}
			return
		}
		var ops []dataflow.Operation
		for i, c := range children {
			op := load(string(rune('a' + i)))
			op.Exposes = []string{"rack"}
			if c.parent >= 0 {
				op.RunAfter = &dataflow.RunAfter{Ref: ops[c.parent].Ref, Strategy: strategies[c.strategy]}
			}
			ops = append(ops, op)
		}
		f := mustFlow(t, ops...)
		place, identity := map[dataflow.Ref]int{}, ""
		for op := range f.Operations() {
			place[op.Ref] = len(place)
			if op.RunAfter != nil {
				identity += fmt.Sprint(place[op.RunAfter.Ref], op.RunAfter.Strategy)
			}
			identity += ";"
		}
		if !known[identity] {
			known[identity] = true
			flows = append(flows, f)
		}
	}
	add(nil)
	return flows
}

func smallStrategies() []affinity.Strategy {
	strategies := []affinity.Strategy{{}, {Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "rack", Weight: 1}}}}
	for _, keys := range [][]string{{"rack"}, {topology.Hostname}, {topology.Hostname, "rack"}} {
		s := affinity.Strategy{Policy: affinity.Require}
		for _, key := range keys {
			s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
		}
		strategies = append(strategies, s)
	}
	return strategies
}

// smallCatalogues returns every list of up to n nodes, but for their order and for which
// values they have. Each label has as many values as there are nodes.
func smallCatalogues(n int) [][]corev1.Node {
	var catalogues [][]corev1.Node
	known := map[string]bool{}
	var add func(values [][2]int)
	add = func(values [][2]int) {
		if identity := identityOf(values); !known[identity] {
			known[identity] = true
			nodes := make([]corev1.Node, len(values))
			for i, v := range values {
				nodes[i].Name, nodes[i].Labels = string(rune('x'+i)), map[string]string{}
				for k, key := range []string{topology.Hostname, "rack"} {
					if v[k] > 0 {
						nodes[i].Labels[key] = fmt.Sprint(v[k])
					}
				}
			}
			catalogues = append(catalogues, nodes)
		}
		for i := 0; len(values) < n && i < (n+1)*(n+1); i++ {
			add(append(slices.Clip(values), [2]int{i / (n + 1), i % (n + 1)}))
		}
	}
	add(nil)
	return catalogues
}

// identityOf returns what is the same of values, of which 0 is absent, in any order and
// with any numbers.
func identityOf(values [][2]int) string {
	least := ""
	var permute func(left, order [][2]int)
	permute = func(left, order [][2]int) {
		if len(left) == 0 {
			numbers, identity := [2]map[int]int{{0: 0}, {0: 0}}, ""
			for _, v := range order {
				for k := range v {
					if _, ok := numbers[k][v[k]]; !ok {
						numbers[k][v[k]] = len(numbers[k])
					}
					identity += fmt.Sprint(numbers[k][v[k]])
				}
			}
			if least == "" || identity < least {
				least = identity
			}
			return
		}
		for i := range left {
			permute(slices.Concat(left[:i], left[i+1:]), append(slices.Clip(order), left[i]))
		}
	}
	permute(values, nil)
	return fmt.Sprint(len(values), least)
}

// tried is what comes of trying every placement in a world without demands, for any
// choice of who is admitted where: a bit for each operation and node. A placement is the
// choice that admits it and nothing else, and so is one of some operations only.
type tried struct {
	*world
	placements []int
	subtree    [][]int // by operation, of it and all that must follow it
	line       [][]int // by operation, the same ones, the nearest first
	heads      [][]int // by operation and place in its line: of those up to there
}

func (w *world) bit(op, node int) int { return 1 << (op*len(w.nodes) + node) }

func tryEverything(w *world) *tried {
	t := &tried{world: w}
	placements := func(ops []int) (all []int) {
		for at := range w.all(ops) {
			choice := 0
			for _, op := range ops {
				choice |= w.bit(op, at[op])
			}
			all = append(all, choice)
		}
		return all
	}
	every := make([]int, len(w.ops))
	for op := range w.ops {
		every[op] = op
		line := w.followers(op)
		t.line, t.subtree = append(t.line, line), append(t.subtree, placements(line))
		for last := range w.ops {
			t.heads = append(t.heads, nil)
			if last < len(line) {
				t.heads[len(t.heads)-1] = placements(line[:last+1])
			}
		}
	}
	t.placements = placements(every)
	return t
}

func admitsOne(choice int, placements []int, such int) bool {
	return slices.ContainsFunc(placements, func(p int) bool { return p&^choice == 0 && p&such == such })
}

// check holds the forecast of one choice against what was tried. It is world.check.
func (t *tried) check(test *testing.T, choice int) (completable bool) {
	number := map[dataflow.Ref]int{}
	for i, op := range t.ops {
		number[op.Ref] = i
	}
	fc, err := t.flow.Forecast(t.nodes, dataflow.ForecastOptions{Admit: func(op dataflow.Operation, node *corev1.Node) bool {
		return choice&t.bit(number[op.Ref], int(node.Name[0]-'x')) != 0
	}})
	if err != nil {
		test.Fatal(err)
	}
	feasible := 0
	for _, p := range t.placements {
		if p&^choice == 0 {
			feasible |= p
			completable = true
		}
	}
	var impossible []dataflow.Ref
	for op := range t.ops {
		fails := !admitsOne(choice, t.subtree[op], 0)
		for follower := range t.ops {
			if leader, _ := t.leader(follower); leader == op {
				fails = fails && admitsOne(choice, t.subtree[follower], 0)
			}
		}
		if fails {
			impossible = append(impossible, t.ops[op].Ref)
		}
	}
	if fc.Completable() != completable || !slices.Equal(fc.Impossible(), impossible) {
		test.Fatalf("choice %b: Completable = %v, want %v; Impossible = %v, want %v in\n%v", choice, fc.Completable(), completable, fc.Impossible(), impossible, t)
	}
	for op, o := range t.ops {
		var nodes []string
		var strands []dataflow.Strand
		for node, n := range t.nodes {
			if feasible&t.bit(op, node) != 0 {
				nodes = append(nodes, n.Name)
			} else if completable && choice&t.bit(op, node) != 0 && t.reaches(op, node, feasible) {
				at := slices.IndexFunc(t.heads[op*len(t.ops):][:len(t.line[op])], func(head []int) bool { return !admitsOne(choice, head, t.bit(op, node)) })
				strands = append(strands, dataflow.Strand{Node: n.Name, Blocks: t.ops[t.line[op][at]].Ref})
			}
		}
		if got := fc.Nodes(o.Ref); !slices.Equal(got, nodes) {
			test.Fatalf("choice %b: Nodes(%v) = %v, want %v in\n%v", choice, o.Ref, got, nodes, t)
		}
		if got := fc.Strands(o.Ref); !slices.Equal(got, strands) {
			test.Fatalf("choice %b: Strands(%v) = %v, want %v in\n%v", choice, o.Ref, got, strands, t)
		}
	}
	return completable
}

// reaches reports whether an operation can find itself on a node after its source ran on
// a feasible one.
func (t *tried) reaches(op, node, feasible int) bool {
	leader, _ := t.leader(op)
	for n := range t.nodes {
		if leader < 0 || feasible&t.bit(leader, n) != 0 && t.agrees(op, n, node) {
			return true
		}
	}
	return false
}

// L2 has its own name here; what it asks is checked with L1, of the same worlds.
func TestLawL2StrandsAreExact(t *testing.T) {
	strands, direct := 0, 0
	manyWorlds(t, func(t *rapid.T, w *world) {
		w.check(t)
		fc, _ := w.flow.Forecast(w.nodes, w.options)
		for i, op := range w.ops {
			for _, s := range fc.Strands(op.Ref) {
				strands++
				dooms := slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == s.Blocks })
				if leader, _ := w.leader(dooms); leader == i {
					direct++
				}
			}
		}
	})
	t.Logf("%d strands, %d of them doom a direct follower", strands, direct)
	if strands-direct == 0 && !testing.Short() {
		t.Error("no strand dooms a distant follower")
	}
}

// A flow is run with forecast affinities, on any node that they let an operation run on.
func TestLawL3NoStranding(t *testing.T) {
	placed := 0
	manyWorlds(t, func(t *rapid.T, w *world) {
		fc, err := w.flow.Forecast(w.nodes, w.options)
		if err != nil {
			t.Fatalf("Forecast: %v", err)
		}
		if !fc.Completable() {
			return
		}
		narrowed := slices.Clone(w.ops)
		for i, op := range w.ops {
			if a, err := fc.Affinity(op.Ref); err == nil {
				narrowed[i].Affinity = a
			} else if !w.ran(i) {
				t.Fatalf("Affinity(%v): %v", op.Ref, err)
			}
		}
		choose := func(places []int) int { return rapid.SampledFrom(places).Draw(t, "place") }
		if stranded := w.play(t, narrowed, choose); stranded != nil {
			t.Fatalf("%v is stranded in\n%v", stranded, w)
		}
		placed += len(w.ops)
	})
	t.Logf("%d operations placed", placed)
}

// play runs operations that are those of w, or narrowed ones, one after the other, each
// on a node that it chooses. It returns the first for which there is none.
func (w *world) play(t interface{ Fatalf(string, ...any) }, ops []dataflow.Operation, choose func([]int) int) *dataflow.Ref {
	f, err := dataflow.New(ops...)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	seen := map[dataflow.Ref]dataflow.Observation{}
	record := func(i, node int) {
		o := dataflow.Observation{Phase: dataflow.Complete}
		if node != w.gone() && !ops[i].Distributed && !ops[i].Recurring {
			o.Labels = topology.Expose(w.nodes[node].Labels, ops[i].Exposes...)
		}
		seen[ops[i].Ref] = o
	}
	for i := range ops {
		if w.ran(i) {
			record(i, w.places(i)[0])
		}
	}
	for i := range ops {
		if w.ran(i) {
			continue
		}
		d, err := f.Resolve(ops[i].Ref, seen)
		var conflict *affinity.ConflictError
		if errors.As(err, &conflict) {
			return &ops[i].Ref
		}
		if err != nil || d.State != dataflow.Ready {
			t.Fatalf("Resolve(%v) = %v, %v", ops[i].Ref, d, err)
		}
		var places []int
		for _, node := range w.places(i) {
			if matches(d.Affinity, &w.nodes[node]) {
				places = append(places, node)
			}
		}
		if places == nil {
			return &ops[i].Ref
		}
		record(i, choose(places))
	}
	return nil
}

func TestLawL4TheForecastAffinityMatchesExactlyTheFeasible(t *testing.T) {
	kinds := map[string]int{}
	manyWorlds(t, func(t *rapid.T, w *world) {
		fc, err := w.flow.Forecast(w.nodes, w.options)
		if err != nil {
			t.Fatalf("Forecast: %v", err)
		}
		for _, op := range w.ops {
			narrowed, err := fc.Affinity(op.Ref)
			feasible := func(n *corev1.Node) bool { return slices.Contains(fc.Nodes(op.Ref), n.Name) && matches(op.Affinity, n) }
			some, needed := false, false
			for n := range w.nodes {
				some = some || feasible(&w.nodes[n])
				needed = needed || feasible(&w.nodes[n]) != matches(op.Affinity, &w.nodes[n])
			}
			if (err == nil) != some {
				t.Fatalf("Affinity(%v) = %v, %v, although feasible: %v in\n%v", op.Ref, narrowed, err, some, w)
			}
			var stranded *dataflow.StrandedError
			if err != nil {
				if !errors.As(err, &stranded) || stranded.Operation != op.Ref || (len(stranded.Impossible) == 0) != fc.Completable() {
					t.Fatalf("Affinity(%v): %v", op.Ref, err)
				}
				continue
			}
			if !needed && !cmp.Equal(narrowed, op.Affinity) {
				t.Fatalf("Affinity(%v) differs from its own:\n%s", op.Ref, cmp.Diff(op.Affinity, narrowed))
			}
			for n := range w.nodes {
				if got, want := matches(narrowed, &w.nodes[n]), feasible(&w.nodes[n]); got != want {
					t.Fatalf("Affinity(%v) matches %s: %v, want %v\n%v in\n%v", op.Ref, w.nodes[n].Name, got, want, narrowed, w)
				}
			}
			if _, err := affinity.Compile(nil, narrowed); err != nil {
				t.Fatalf("Affinity(%v) is malformed: %v", op.Ref, err)
			}
			kinds[wayOf(op.Affinity, narrowed)]++
		}
	})
	t.Logf("said by: %v", kinds)
	for _, way := range []string{"itself", "a label", "the hostname", "the name"} {
		if kinds[way] == 0 {
			t.Errorf("no affinity was narrowed by %s", way)
		}
	}
}

// wayOf says by what own was narrowed.
func wayOf(own, narrowed *corev1.Affinity) string {
	if cmp.Equal(own, narrowed) {
		return "itself"
	}
	for _, term := range narrowed.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		last := len(term.MatchExpressions) - 1
		switch {
		case last >= 0 && term.MatchExpressions[last].Key == topology.Hostname:
			return "the hostname"
		case len(term.MatchFields) > 0:
			return "the name"
		}
	}
	return "a label"
}

func TestLawL7WhatRanIsHeldToItsNode(t *testing.T) {
	first, second := load("a"), load("b", "a")
	second.RunAfter.Strategy.Policy = affinity.Require
	third := load("c", "b")
	f := mustFlow(t, first, second, third)
	node := func(name string, change func(*corev1.Node)) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name}}}
		if change != nil {
			change(&n)
		}
		return n
	}
	cordon := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	taint := func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}} }
	for _, c := range []struct {
		name       string
		nodes      []corev1.Node
		ran        string // where a ran, and then b
		both       bool
		impossible string
		a, b, c    string
		why        string
	}{
		{"as it was", []corev1.Node{node("n1", nil), node("n2", nil)}, "n1", false, "[]", "[n1]", "[n1]", "[n1 n2]", ""},
		{"cordoned", []corev1.Node{node("n1", cordon), node("n2", nil)}, "n1", false, "[DataLoad default/a]", "[]", "[]", "[]",
			"it ran on n1; DataLoad default/b cannot follow it there: n1 is cordoned"},
		{"tainted", []corev1.Node{node("n1", taint), node("n2", nil)}, "n1", false, "[DataLoad default/a]", "[]", "[]", "[]",
			"it ran on n1; DataLoad default/b cannot follow it there: n1 has a taint that it does not tolerate"},
		{"removed", []corev1.Node{node("n2", nil)}, "n1", false, "[DataLoad default/a]", "[]", "[]", "[]",
			"it ran on n1; that node is gone, and DataLoad default/b must follow it there"},
		{"cordoned after both", []corev1.Node{node("n1", cordon), node("n2", nil)}, "n1", true, "[]", "[n1]", "[n1]", "[n2]", ""},
		{"nobody knows where", []corev1.Node{node("n1", cordon), node("n2", nil)}, "", false, "[]", "[]", "[n2]", "[n2]", ""},
		{"nobody knows where both did", []corev1.Node{node("n1", cordon), node("n2", nil)}, "", true, "[]", "[]", "[]", "[n2]", ""},
		{"nobody knows where, and there are no others", []corev1.Node{node("n1", cordon)}, "", false, "[DataLoad default/b DataLoad default/c]", "[]", "[]", "[]", ""},
		{"removed after both", []corev1.Node{node("n2", nil)}, "n1", true, "[]", "[]", "[]", "[n2]", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ran := map[dataflow.Ref]string{first.Ref: c.ran}
			if c.both {
				ran[second.Ref] = c.ran
			}
			fc, err := f.Forecast(c.nodes, dataflow.ForecastOptions{Ran: ran})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(fc.Impossible()); got != c.impossible || fc.Completable() != (c.impossible == "[]") {
				t.Errorf("Impossible = %s, Completable = %v; want %s", got, fc.Completable(), c.impossible)
			}
			for op, want := range map[dataflow.Ref]string{first.Ref: c.a, second.Ref: c.b, third.Ref: c.c} {
				if got := fmt.Sprint(fc.Nodes(op)); got != want {
					t.Errorf("Nodes(%v) = %s, want %s", op, got, want)
				}
			}
			if got := fc.Reason(first.Ref); got != c.why {
				t.Errorf("Reason = %q, want %q", got, c.why)
			}
		})
	}
}

func TestForecastReportsEveryFault(t *testing.T) {
	malformed := load("malformed")
	malformed.NodeSelector = map[string]string{"not a key": ""}
	malformed.Affinity = requiring("gpu", "not a value!")
	job := malformed
	job.Kind = dataflow.DataProcess
	f := mustFlow(t, malformed, job, load("loadA"))
	_, err := f.Forecast([]corev1.Node{{}, {ObjectMeta: metav1.ObjectMeta{Name: "n"}}, {ObjectMeta: metav1.ObjectMeta{Name: "n"}}, {}},
		dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{ref("loada"): "n", ref("loadA"): "", ref("stranger"): "n"}})
	var got []string
	for _, err := range parts(err) {
		got = append(got, err.Error())
	}
	want := []string{
		`nodes[0].metadata.name: Required value: a node has a name`,
		`nodes[3].metadata.name: Required value: a node has a name`,
		`nodes[2].metadata.name: Duplicate value: "n"`,
		`DataLoad default/malformed: spec.nodeSelector[not a key]: Invalid value`,
		`DataLoad default/malformed: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value`,
		`DataProcess default/malformed: spec.processor.job.podSpec.nodeSelector[not a key]: Invalid value`,
		`DataProcess default/malformed: spec.processor.job.podSpec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value`,
		`no DataLoad default/loada in the flow; typo of DataLoad default/loadA?`,
		`no DataLoad default/stranger in the flow`,
	}
	if !slices.EqualFunc(got, want, func(got, want string) bool { return len(got) >= len(want) && got[:len(want)] == want }) {
		t.Errorf("faults:\n%s", cmp.Diff(want, got))
	}
	var fault *field.Error
	var operation *dataflow.OperationError
	var unknown *dataflow.UnknownOperationError
	if !errors.As(err, &fault) || !errors.As(err, &operation) || !errors.As(err, &unknown) {
		t.Errorf("not all typed: %v", err)
	}
}

func TestForecastOfOperationsThatAreEachOthersSources(t *testing.T) {
	root, a, b, c := load("root"), load("a", "root"), load("b", "root"), load("c", "root")
	for op, on := range map[*dataflow.Operation]string{&a: "b", &b: "c", &c: "a"} {
		source := ref(on)
		op.RunAfter.Strategy.Policy, op.RunAfter.DependOn = affinity.Require, &source
	}
	_, err := mustFlow(t, root, a, b, c).Forecast(nil, dataflow.ForecastOptions{})
	var cycle *dataflow.CycleError
	if !errors.As(err, &cycle) || err.Error() != "cycle of dependOn: DataLoad default/a → DataLoad default/b → DataLoad default/c → DataLoad default/a" {
		t.Errorf("Forecast: %v", err)
	}
}

// What an operation costs does not depend on how many others ask for the same, nor on
// how many nodes there are but by the size of a set; time is a benchmark's matter.
func TestLawL8EachDistinctDemandIsEvaluatedOnce(t *testing.T) {
	allocations := func(operations, distinct, nodes int) float64 {
		ops := make([]dataflow.Operation, operations)
		for i := range ops {
			ops[i] = load(fmt.Sprintf("op-%d", i))
			if i > 0 {
				ops[i] = load(fmt.Sprintf("op-%d", i), fmt.Sprintf("op-%d", i-1))
				ops[i].RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}}
			}
			ops[i].Affinity = requiring("type", "a", "b")
			s := ops[i].Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			for term := range 50 {
				s.NodeSelectorTerms = append(s.NodeSelectorTerms, requiring(fmt.Sprint("key-", term), fmt.Sprint(i%distinct)).NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms...)
			}
		}
		f, all := mustFlow(t, ops...), fleet(nodes)
		return testing.AllocsPerRun(1, func() {
			if _, err := f.Forecast(all, dataflow.ForecastOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	shared, own := allocations(200, 1, 100), allocations(200, 200, 100)
	t.Logf("allocations for 200 operations: %.0f of one demand, %.0f of 200", shared, own)
	if own < 10*shared {
		t.Errorf("a demand that all share costs as much as one of each")
	}
	few, many := allocations(400, 1, 100)-allocations(200, 1, 100), allocations(400, 1, 5000)-allocations(200, 1, 5000)
	t.Logf("allocations for 200 more: %.0f with 100 nodes, %.0f with 5,000", few, many)
	if many > 1.1*few {
		t.Errorf("an operation more costs more where there are more nodes")
	}
}

// The caller's test costs what the caller makes it cost: it is asked once for each
// operation and node that can be had otherwise.
func TestLawL8TheCallerIsAskedOnce(t *testing.T) {
	manyWorlds(t, func(t *rapid.T, w *world) {
		asked := map[string]int{}
		w = newWorld(w.flow, w.nodes, dataflow.ForecastOptions{Ran: w.options.Ran})
		_, err := w.flow.Forecast(w.nodes, dataflow.ForecastOptions{Ran: w.options.Ran, Admit: func(op dataflow.Operation, n *corev1.Node) bool {
			asked[op.Ref.String()+" on "+n.Name]++
			return true
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for i, op := range w.ops {
			for _, n := range w.places(i) {
				if !w.ran(i) {
					want[op.Ref.String()+" on "+w.nodes[n].Name] = 1
				}
			}
		}
		if !cmp.Equal(asked, want) {
			t.Fatalf("asked %v, want %v", asked, want)
		}
	})
}

func TestForecastReasons(t *testing.T) {
	node := func(name string, change func(*corev1.Node)) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name, "type": "CPU"}}}
		if change != nil {
			change(&n)
		}
		return n
	}
	label := func(key, value string) func(*corev1.Node) { return func(n *corev1.Node) { n.Labels[key] = value } }
	cordon := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	taint := func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}} }
	with := func(op dataflow.Operation, change ...func(*dataflow.Operation)) dataflow.Operation {
		for _, c := range change {
			c(&op)
		}
		return op
	}
	gpu := func(op *dataflow.Operation) { op.Affinity = requiring("type", "GPU") }
	cpu := func(op *dataflow.Operation) { op.Affinity = requiring("type", "CPU") }
	ssd := func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"disk": "ssd"} }
	follows := func(op *dataflow.Operation) { op.RunAfter.Strategy.Policy = affinity.Require }
	byType := func(op *dataflow.Operation) {
		op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "type"}}}
	}
	notOn := func(names ...string) func(*dataflow.Operation) {
		return func(op *dataflow.Operation) {
			op.Affinity = requiring(topology.Hostname, names...)
			op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
		}
	}
	six := []corev1.Node{node("c1", nil), node("c2", nil), node("c3", nil), node("c4", nil), node("c5", nil), node("g1", label("type", "GPU"))}
	for _, c := range []struct {
		name  string
		ops   []dataflow.Operation
		nodes []corev1.Node
		opts  dataflow.ForecastOptions
		want  string // "operation: reason", of each that is impossible
	}{
		{"nothing is", []dataflow.Operation{load("a")}, six, dataflow.ForecastOptions{}, ""},
		{"no nodes", []dataflow.Operation{load("a")}, nil, dataflow.ForecastOptions{}, "a: no node admits it: there are no nodes"},
		{"one node", []dataflow.Operation{with(load("a"), ssd)}, six[:1], dataflow.ForecastOptions{}, "a: no node admits it: of 1 node, 1 does not match its node selector"},
		{"one cause", []dataflow.Operation{with(load("a"), ssd)}, six, dataflow.ForecastOptions{}, "a: no node admits it: of 6 nodes, 6 do not match its node selector"},
		{"every cause", []dataflow.Operation{with(load("a"), ssd, gpu)}, []corev1.Node{
			node("n1", nil), node("n2", label("disk", "hdd")), node("n3", label("disk", "ssd")),
			node("n4", func(n *corev1.Node) { label("disk", "ssd")(n); label("type", "GPU")(n); taint(n); cordon(n) }),
			node("n5", func(n *corev1.Node) { label("disk", "ssd")(n); label("type", "GPU")(n); cordon(n) }),
			node("n6", func(n *corev1.Node) { label("disk", "ssd")(n); label("type", "GPU")(n) }),
		}, dataflow.ForecastOptions{Admit: func(dataflow.Operation, *corev1.Node) bool { return false }},
			"a: no node admits it: of 6 nodes, 2 do not match its node selector, 1 does not match its affinity, 1 has a taint that it does not tolerate, 1 is cordoned and 1 is not admitted by the caller"},
		{"a follower that cannot", []dataflow.Operation{with(load("a"), cpu), with(load("b", "a"), follows, gpu)}, six, dataflow.ForecastOptions{},
			"a: it can run on c1, c2, c3 and 2 more, and DataLoad default/b, which must follow it by kubernetes.io/hostname, only on g1"},
		{"followers that cannot both", []dataflow.Operation{load("a"), with(load("b", "a"), follows, cpu), with(load("c", "a"), follows, gpu)}, six[3:], dataflow.ForecastOptions{},
			"a: of the nodes that admit it, c4, c5, g1, none can be followed by all of DataLoad default/b, DataLoad default/c"},
		{"both", []dataflow.Operation{with(load("a"), ssd), load("b", "a"), with(load("c", "b"), cpu), with(load("d", "c"), follows, gpu)}, six[4:], dataflow.ForecastOptions{},
			"a: no node admits it: of 2 nodes, 2 do not match its node selector; c: it can run on c5, and DataLoad default/d, which must follow it by kubernetes.io/hostname, only on g1"},
		{"the root cause is further down", []dataflow.Operation{load("a"), with(load("b", "a"), follows), with(load("c", "b"), follows, ssd)}, six, dataflow.ForecastOptions{},
			"c: no node admits it: of 6 nodes, 6 do not match its node selector"},
		{"ran, and a follower further down cannot", []dataflow.Operation{load("a"), with(load("b", "a"), follows), with(load("c", "b"), follows, gpu)}, six, dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{ref("a"): "c1"}},
			"a: it ran on c1; DataLoad default/b cannot follow it there: on c1 it would leave no node for DataLoad default/c: c1 does not match its affinity"},
		{"ran, and one of several that agree may be refused by each test", []dataflow.Operation{load("a"), with(load("b", "a"), byType, ssd), load("c", "b")}, six, dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{ref("a"): "c1"}},
			"b: no node admits it: of 6 nodes, 6 do not match its node selector"},
		{"ran, and none of those that agree will do", []dataflow.Operation{load("a"), with(load("b", "a"), byType, notOn("c1", "c2")), with(load("c", "b"), follows, gpu)}, six, dataflow.ForecastOptions{
			Ran: map[dataflow.Ref]string{ref("a"): "c1"}, Admit: func(op dataflow.Operation, n *corev1.Node) bool { return op.Name != "b" || n.Name != "c3" }},
			"a: it ran on c1; DataLoad default/b cannot follow it there: of 5 nodes that agree in type, 2 do not match its affinity, 1 is not admitted by the caller and 2 strand who follows it"},
		{"ran, as did one further down", []dataflow.Operation{load("a"), with(load("b", "a"), follows), with(load("c", "b"), follows)}, six, dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{ref("a"): "c1", ref("c"): "c2"}},
			"a: it ran on c1; DataLoad default/b cannot follow it there: on c1 it would leave no node for DataLoad default/c: it ran on c2, which differs in kubernetes.io/hostname"},
		{"many followers", []dataflow.Operation{load("a"), with(load("b", "a"), follows, cpu), with(load("c", "a"), follows, gpu), with(load("d", "a"), follows), with(load("e", "a"), follows), with(load("f", "a"), follows)}, six[4:], dataflow.ForecastOptions{},
			"a: of the nodes that admit it, c5, g1, none can be followed by all of DataLoad default/b, DataLoad default/c, DataLoad default/d and 2 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.ops {
				c.ops[i].Exposes = []string{"type"}
			}
			fc, err := mustFlow(t, c.ops...).Forecast(c.nodes, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ref := range fc.Impossible() {
				got = append(got, ref.Name+": "+fc.Reason(ref))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), c.want)
			}
		})
	}
}

func TestForecastProblems(t *testing.T) {
	convert, report := load("convert", "download"), load("report", "convert")
	convert.RunAfter.Strategy.Policy, report.RunAfter.Strategy.Policy = affinity.Require, affinity.Require
	convert.Kind, convert.NodeSelector = dataflow.DataProcess, map[string]string{"node.kubernetes.io/instance-type": "type-3"}
	report.RunAfter.Kind = dataflow.DataProcess
	f := mustFlow(t, load("download"), convert, report)
	const gone = "node-gone"
	for _, c := range []struct {
		name  string
		nodes int
		ran   map[dataflow.Ref]string
		want  []string
	}{
		{"strands on many", 10, nil, []string{"Warning Stranding: DataLoad default/download: spec.affinity: on node-1, node-2, node-4 and 5 more it would leave no node for DataProcess default/convert; narrow its affinity, so that it runs on node-3"}},
		{"no such node", 3, nil, []string{"Error Impossible: DataProcess default/convert: spec.processor.job.podSpec.nodeSelector: no node admits it: of 3 nodes, 3 do not match its node selector; change its node selector, or the labels of one of them"}},
		{"ran well", 10, map[dataflow.Ref]string{ref("download"): "node-3"}, nil},
		{"ran ill", 10, map[dataflow.Ref]string{ref("download"): "node-2"}, []string{"Error Impossible: DataProcess default/convert: spec.processor.job.podSpec.nodeSelector: DataLoad default/download ran on node-2; this cannot follow it there: node-2 does not match its node selector; change that, or run DataLoad default/download again elsewhere"}},
		{"ran on what is gone", 10, map[dataflow.Ref]string{ref("download"): gone}, []string{"Error Impossible: DataProcess default/convert: spec.runAfter.affinityStrategy: DataLoad default/download ran on node-gone; that node is gone, and this must follow it there; run DataLoad default/download again"}},
		{"both ran, apart", 10, map[dataflow.Ref]string{ref("download"): "node-1", convert.Ref: "node-2"}, []string{"Error Impossible: DataProcess default/convert: spec.runAfter.affinityStrategy: DataLoad default/download ran on node-1; this ran on node-2, which differs in kubernetes.io/hostname; run one of them again, where the other ran"}},
		{"both ran on what is gone", 10, map[dataflow.Ref]string{ref("download"): gone, convert.Ref: gone}, []string{"Error Impossible: DataLoad default/report: spec.runAfter.affinityStrategy: DataProcess default/convert ran on node-gone; that node is gone, and this must follow it there; run DataProcess default/convert again"}},
		{"all is done", 10, map[dataflow.Ref]string{ref("download"): gone, convert.Ref: gone, ref("report"): gone}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fc, err := f.Forecast(fleet(c.nodes), dataflow.ForecastOptions{Ran: c.ran})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range fc.Problems() {
				got = append(got, p.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}

	// Different nodes doom different followers.
	var ops []dataflow.Operation
	download := load("download")
	download.Exposes = []string{"topology.example.com/rack"}
	ops = append(ops, download)
	for i := range 6 {
		op := load(fmt.Sprint("op-", i), "download")
		op.RunAfter.Strategy.Policy = affinity.Require
		op.Affinity = requiring("node.kubernetes.io/instance-type", "type-9")
		for _, other := range []int{0, 0, 1, 2, 3, 4, 5, 6, 7, 8}[i+1:] {
			values := &op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values
			*values = append(*values, fmt.Sprint("type-", other))
		}
		ops = append(ops, op)
	}
	for i, want := range map[int]string{
		4: "on node-1, node-11 it would leave no node for DataLoad default/op-2; on node-12, node-2 none for DataLoad default/op-3; on node-10 none for DataLoad default/op-1; narrow its affinity, so that it runs on node-3, node-4, node-5 and 4 more",
		6: "on node-1, node-11 it would leave no node for DataLoad default/op-2; on node-12, node-2 none for DataLoad default/op-3; on node-10 none for DataLoad default/op-1; on 2 more none for others; narrow its affinity, so that it runs on node-5, node-6, node-7 and 2 more",
	} {
		fc, err := mustFlow(t, ops[:1+i]...).Forecast(fleet(13), dataflow.ForecastOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fc.Problems(); len(got) != 1 || got[0].Message != want {
			t.Errorf("got\n%v\nwant\n%s", got, want)
		}
	}
	fc, _ := f.Forecast(fleet(5), dataflow.ForecastOptions{})
	if got := fmt.Sprint(fc.Matching(convert.Ref), fc.Matching(ref("nobody"))); got != "[node-3] []" {
		t.Errorf("Matching: %s", got)
	}
}

// What is wrong is found where it can be mended, and the next step is one that the kind of
// the operation has.
func TestForecastProblemsSayWhatToDo(t *testing.T) {
	node := func(name, kind string, change ...func(*corev1.Node)) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name, "type": kind}}}
		for _, c := range change {
			c(&n)
		}
		return n
	}
	cordon := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	taint := func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}} }
	of := func(kind dataflow.Kind, change ...func(*dataflow.Operation)) dataflow.Operation {
		op := load("a")
		op.Kind = kind
		for _, c := range change {
			c(&op)
		}
		return op
	}
	selects := func(value string) func(*dataflow.Operation) {
		return func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"type": value} }
	}
	requires := func(value string) func(*dataflow.Operation) {
		return func(op *dataflow.Operation) { op.Affinity = requiring("type", value) }
	}
	then := func(first dataflow.Operation, change ...func(*dataflow.Operation)) []dataflow.Operation {
		second := requireSame(load("b", "a"))
		second.RunAfter.Kind = first.Kind
		for _, c := range change {
			c(&second)
		}
		return []dataflow.Operation{first, second}
	}
	one := func(op dataflow.Operation) []dataflow.Operation { return []dataflow.Operation{op} }
	two := []corev1.Node{node("c1", "CPU"), node("g1", "GPU")}
	onC1 := map[dataflow.Ref]string{ref("a"): "c1"}
	for _, c := range []struct {
		name  string
		ops   []dataflow.Operation
		nodes []corev1.Node
		opts  dataflow.ForecastOptions
		want  string // "field: message"
	}{
		{"a load strands", then(of(dataflow.DataLoad), selects("GPU")), two, dataflow.ForecastOptions{},
			"spec.affinity: on c1 it would leave no node for DataLoad default/b; narrow its affinity, so that it runs on g1"},
		{"a process strands", then(of(dataflow.DataProcess), selects("GPU")), two, dataflow.ForecastOptions{},
			"spec.processor.job.podSpec.affinity: on c1 it would leave no node for DataLoad default/b; narrow the affinity of its job, so that it runs on g1; a script has none"},
		{"a backup strands", then(of(dataflow.DataBackup), selects("GPU")), two, dataflow.ForecastOptions{},
			"spec: on c1 it would leave no node for DataLoad default/b; it can run on g1 only, and its spec cannot say so: change what follows it, or give its pod the affinity of the forecast"},

		{"no nodes", one(of(dataflow.DataLoad, selects("GPU"))), nil, dataflow.ForecastOptions{},
			"spec: no node admits it: there are no nodes; add some"},
		{"its node selector", one(of(dataflow.DataLoad, selects("TPU"), requires("CPU"))), two, dataflow.ForecastOptions{},
			"spec.nodeSelector: no node admits it: of 2 nodes, 2 do not match its node selector; change its node selector, or the labels of one of them"},
		{"its affinity, on one node", one(of(dataflow.DataMigrate, requires("GPU"))), two[:1], dataflow.ForecastOptions{},
			"spec.affinity: no node admits it: of 1 node, 1 does not match its affinity; change its affinity, or the labels of that node"},
		{"the affinity of a job", one(of(dataflow.DataProcess, selects("CPU"), requires("TPU"))), two, dataflow.ForecastOptions{},
			"spec.processor.job.podSpec.affinity: no node admits it: of 2 nodes, 1 does not match its node selector and 1 does not match its affinity; change its affinity, or the labels of one of them"},
		{"either of the two", one(of(dataflow.DataLoad, selects("GPU"), requires("CPU"))), two, dataflow.ForecastOptions{},
			"spec: no node admits it: of 2 nodes, 1 does not match its node selector and 1 does not match its affinity; change what it asks for, or the nodes"},
		{"both at once", one(of(dataflow.DataLoad, selects("TPU"), requires("TPU"))), two, dataflow.ForecastOptions{},
			"spec: no node admits it: of 2 nodes, 2 do not match its node selector; change what it asks for, or the nodes"},
		{"taints", one(of(dataflow.DataLoad)), []corev1.Node{node("n1", "", taint), node("n2", "", taint)}, dataflow.ForecastOptions{},
			"spec: no node admits it: of 2 nodes, 2 have a taint that it does not tolerate; tolerate or remove the taints of one of them"},
		{"taints, of a backup", one(of(dataflow.DataBackup)), []corev1.Node{node("n1", "", taint)}, dataflow.ForecastOptions{},
			"spec: no node admits it: of 1 node, 1 has a taint that it does not tolerate; remove the taints of that node"},
		{"cordons", one(of(dataflow.DataBackup)), []corev1.Node{node("n1", "", cordon), node("n2", "", cordon, taint)}, dataflow.ForecastOptions{},
			"spec: no node admits it: of 2 nodes, 1 has a taint that it does not tolerate and 1 is cordoned; uncordon one of them"},
		{"a taint and a cordon, of a backup", one(of(dataflow.DataBackup)), []corev1.Node{node("n1", "", cordon, taint)}, dataflow.ForecastOptions{},
			"spec: no node admits it: of 1 node, 1 has a taint that it does not tolerate; change the nodes"},
		{"the caller", one(of(dataflow.DataLoad, selects("GPU"))), two, dataflow.ForecastOptions{Admit: func(dataflow.Operation, *corev1.Node) bool { return false }},
			"spec: no node admits it: of 2 nodes, 1 does not match its node selector and 1 is not admitted by the caller; change what it asks for, or the nodes"},
		{"a follower elsewhere", then(of(dataflow.DataLoad, selects("CPU")), selects("GPU")), two, dataflow.ForecastOptions{},
			"spec: it can run on c1, and DataLoad default/b, which must follow it by kubernetes.io/hostname, only on g1; change what one of them asks for, or the nodes"},

		{"ran where the affinity does not match", then(of(dataflow.DataLoad), requires("GPU")), two, dataflow.ForecastOptions{Ran: onC1},
			"spec.affinity: DataLoad default/a ran on c1; this cannot follow it there: c1 does not match its affinity; change that, or run DataLoad default/a again elsewhere"},
		{"ran where now is a cordon", then(of(dataflow.DataLoad)), []corev1.Node{node("c1", "", cordon), two[1]}, dataflow.ForecastOptions{Ran: onC1},
			"spec: DataLoad default/a ran on c1; this cannot follow it there: c1 is cordoned; change that, or run DataLoad default/a again elsewhere"},
		{"ran where one further down cannot run", append(then(of(dataflow.DataLoad)), requireSame(load("c", "b"))), two, dataflow.ForecastOptions{
			Ran: onC1, Admit: func(op dataflow.Operation, n *corev1.Node) bool { return op.Name != "c" || n.Name != "c1" }},
			"spec: DataLoad default/a ran on c1; this cannot follow it there: on c1 it would leave no node for DataLoad default/c: c1 is not admitted by the caller; change that, or run DataLoad default/a again elsewhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fc, err := mustFlow(t, c.ops...).Forecast(c.nodes, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range fc.Problems() {
				got = append(got, p.Field+": "+p.Message)
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

func TestForecastOfWhatIsNotThere(t *testing.T) {
	fc, err := mustFlow(t, load("a")).Forecast(fleet(2), dataflow.ForecastOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var unknown *dataflow.UnknownOperationError
	if _, err := fc.Affinity(ref("b")); !errors.As(err, &unknown) {
		t.Errorf("Affinity: %v", err)
	}
	if fc.Nodes(ref("b")) != nil || fc.Strands(ref("b")) != nil || fc.Reason(ref("b")) != "" {
		t.Error("something is said of an operation that is not in the flow")
	}
	empty, err := mustFlow(t).Forecast(nil, dataflow.ForecastOptions{})
	if err != nil || !empty.Completable() || empty.Impossible() != nil {
		t.Errorf("the empty flow: %v, %v", empty, err)
	}
}

func TestStrandedErrorSaysWhatIsWrong(t *testing.T) {
	op := load("a")
	op.Affinity = requiring("type", "GPU")
	f := mustFlow(t, op)
	fc, _ := f.Forecast(fleet(2), dataflow.ForecastOptions{})
	if _, err := fc.Affinity(op.Ref); err == nil || err.Error() != "no node is feasible for DataLoad default/a: the flow fails at DataLoad default/a" {
		t.Errorf("not completable: %v", err)
	}
	for _, ran := range []string{"node-1", "gone", ""} {
		fc, _ = f.Forecast(fleet(2), dataflow.ForecastOptions{Ran: map[dataflow.Ref]string{op.Ref: ran}})
		if _, err := fc.Affinity(op.Ref); err == nil || err.Error() != "no node is feasible for DataLoad default/a: where it ran is gone, not known, or not what its own affinity matches" {
			t.Errorf("ran on %q: %v", ran, err)
		}
	}
}

// One that ran nobody knows where is followed as Resolve has it followed: the labels are
// missing, and nothing is inherited.
func TestWhatRanNobodyKnowsWhereIsNotFollowed(t *testing.T) {
	first, second := load("a"), requireSame(load("b", "a"))
	f := mustFlow(t, first, second)
	d, err := f.Resolve(second.Ref, map[dataflow.Ref]dataflow.Observation{first.Ref: {Phase: dataflow.Complete}})
	if err != nil || d.State != dataflow.Ready || d.Affinity != nil || !slices.Equal(d.Missing, []string{topology.Hostname}) {
		t.Errorf("Resolve = %v, %v", d, err)
	}
	nodes := fleet(3)[1:]
	for name, ran := range map[string]map[dataflow.Ref]string{
		"the first": {first.Ref: ""}, "both": {first.Ref: "", second.Ref: ""}, "where the second ran is known": {first.Ref: "", second.Ref: "node-1"},
		"where the first ran is known": {first.Ref: "node-1", second.Ref: ""}, "where the first ran is gone": {first.Ref: "gone", second.Ref: ""},
	} {
		fc, err := f.Forecast(nodes, dataflow.ForecastOptions{Ran: ran})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !fc.Completable() || fc.Problems() != nil || fc.Strands(first.Ref) != nil || fc.Strands(second.Ref) != nil {
			t.Errorf("%s: completable: %v, %v", name, fc.Completable(), fc.Problems())
		}
		for _, op := range []dataflow.Ref{first.Ref, second.Ref} {
			var want []string
			if on, ok := ran[op]; !ok {
				want = []string{"node-1", "node-2"}
			} else if on == "node-1" {
				want = []string{"node-1"}
			}
			if got := fc.Nodes(op); !slices.Equal(got, want) {
				t.Errorf("%s: Nodes(%v) = %v, want %v", name, op, got, want)
			}
		}
	}
}

// A label that no node has requires nothing of anybody, which nobody means.
func TestALabelThatNoNodeHas(t *testing.T) {
	follower := requireSame(load("b", "a"))
	follower.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "example.com/rack"}, {Key: topology.Zone}, {Key: "example.com/row"}}
	source := load("a")
	source.Exposes = []string{"example.com/rack", "example.com/row"}
	f := mustFlow(t, source, follower)
	const says = `DataLoad default/b: Warning NoSuchLabel spec.runAfter.affinityStrategy: none of the nodes has example.com/rack, example.com/row, so nothing is required by it; mend the name, or label the nodes`
	racked := fleet(3)
	racked[2].Labels["example.com/rack"], racked[2].Labels["example.com/row"] = "r", "" // empty, but there
	for name, tt := range map[string]struct {
		nodes []corev1.Node
		ran   map[dataflow.Ref]string
		want  []string
	}{
		"on none":             {fleet(3), nil, []string{says}},
		"on one":              {racked, nil, nil},
		"the source ran":      {fleet(3), map[dataflow.Ref]string{source.Ref: "node-1"}, []string{says}},
		"it ran itself":       {fleet(3), map[dataflow.Ref]string{source.Ref: "node-1", follower.Ref: "node-1"}, nil},
		"there are no nodes":  {nil, nil, nil},
		"the source vanished": {fleet(3), map[dataflow.Ref]string{source.Ref: "gone"}, []string{says}},
	} {
		t.Run(name, func(t *testing.T) {
			fc, err := f.Forecast(tt.nodes, dataflow.ForecastOptions{Ran: tt.ran})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range fc.Problems() {
				if p.Code == dataflow.CodeNoSuchLabel {
					got = append(got, fmt.Sprintf("%s: %s %s %s: %s", p.Operation, p.Severity, p.Code, p.Field, p.Message))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
