package dataflow_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawL5LookaheadIsNecessary(t *testing.T) {
	narrowed, checked, conflicts := 0, 0, 0
	manyWorlds(t, func(t *rapid.T, w *world) {
		for i := range w.nodes {
			w.nodes[i].Labels[topology.Hostname] = fmt.Sprintf("node-%d", i)
		}
		w = newWorld(w.flow, w.nodes, dataflow.ForecastOptions{Admit: w.options.Admit})
		feasible, _ := w.feasible()
		for i, op := range w.ops {
			a, err := w.flow.Lookahead(op.Ref)
			var conflict *affinity.ConflictError
			if err != nil && !errors.As(err, &conflict) {
				t.Fatalf("Lookahead(%v): %v", op.Ref, err)
			}
			for n := range w.nodes {
				if !feasible[i][n] {
					continue
				}
				if err != nil || !matches(a, &w.nodes[n]) {
					t.Fatalf("Lookahead(%v) = %v, %v does not match %s, which is feasible in\n%v", op.Ref, a, err, w.nodes[n].Name, w)
				}
				checked++
			}
			switch {
			case err != nil:
				conflicts++
				continue
			case !cmp.Equal(a, op.Affinity):
				narrowed++
			}
			for n := range w.nodes {
				if matches(a, &w.nodes[n]) && !matches(op.Affinity, &w.nodes[n]) {
					t.Fatalf("Lookahead(%v) matches %s, which its own affinity does not", op.Ref, w.nodes[n].Name)
				}
			}
			if _, err := affinity.Compile(nil, a); err != nil {
				t.Fatalf("Lookahead(%v) is malformed: %v", op.Ref, err)
			}
		}
	})
	t.Logf("%d narrowed affinities, %d conflicts, %d feasible nodes matched", narrowed, conflicts, checked)
}

func TestLawL6LookaheadIsSufficientForHostname(t *testing.T) {
	followed, conflicts := 0, 0
	manyWorlds(t, func(t *rapid.T, w *world) {
		ops := slices.Clone(w.ops)
		for i := range ops {
			if ops[i].RunAfter != nil && ops[i].RunAfter.Strategy.Policy == affinity.Require {
				ops[i].RunAfter.Strategy.Requires = nil
			}
		}
		w = newWorld(mustFlow(t, ops...), w.nodes, dataflow.ForecastOptions{})
		for first, op := range w.ops {
			a, err := w.flow.Lookahead(op.Ref)
			line := w.followers(first)
			var conflict *affinity.ConflictError
			if errors.As(err, &conflict) {
				conflicts++
				checkConflict(t, w, line, conflict)
				continue
			}
			if err != nil {
				t.Fatalf("Lookahead(%v): %v", op.Ref, err)
			}
			for n := range w.nodes {
				if !matches(a, &w.nodes[n]) || !selected(op, &w.nodes[n]) {
					continue
				}
				for _, follower := range line {
					if o := w.ops[follower]; !selected(o, &w.nodes[n]) || !matches(o.Affinity, &w.nodes[n]) {
						t.Fatalf("Lookahead(%v) = %v matches %s, where %v cannot run in\n%v", op.Ref, a, w.nodes[n].Name, o.Ref, w)
					}
					followed++
				}
			}
		}
	})
	t.Logf("%d times somebody could follow, %d conflicts", followed, conflicts)
}

func selected(op dataflow.Operation, n *corev1.Node) bool {
	for key, value := range op.NodeSelector {
		if got, ok := n.Labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// checkConflict asks the algebra of package affinity, which has an oracle of its own,
// whether the operations in line exclude each other, and whether the two that are named
// do, if any two do.
func checkConflict(t *rapid.T, w *world, line []int, conflict *affinity.ConflictError) {
	possible := func(ops ...int) bool {
		selector, ok := map[string]string{}, true
		terms := []corev1.NodeSelectorTerm{{}}
		for _, i := range ops {
			for key, value := range w.ops[i].NodeSelector {
				if other, there := selector[key]; there && other != value {
					ok = false
				}
				selector[key] = value
			}
			terms = product(terms, w.ops[i].Affinity)
		}
		a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
		if slices.ContainsFunc(terms, func(t corev1.NodeSelectorTerm) bool { return len(t.MatchExpressions)+len(t.MatchFields) == 0 }) {
			a = nil
		}
		m, err := affinity.Compile(selector, a)
		if err != nil {
			t.Fatalf("Compile: %v", err)
		}
		return ok && m.Satisfiable()
	}
	if possible(line...) {
		t.Fatalf("%v, although it is possible in\n%v", conflict, w)
	}
	index := func(name string) int {
		return slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref.String() == name })
	}
	there, here := index(conflict.Source), index(conflict.Foreseen.Follower)
	if !slices.Contains(line, there) || !slices.Contains(line, here) {
		t.Fatalf("%v names others than\n%v", conflict, w)
	}
	two := false
	for _, a := range line {
		for _, b := range line {
			two = two || !possible(a, b)
		}
	}
	if two && possible(there, here) {
		t.Fatalf("%v, but these two can be had, in\n%v", conflict, w)
	}
}

// product joins each term to each of those of an affinity. An empty term among those
// given stands for no demand; one in an affinity matches nothing.
func product(terms []corev1.NodeSelectorTerm, a *corev1.Affinity) []corev1.NodeSelectorTerm {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return terms
	}
	var product []corev1.NodeSelectorTerm
	for _, x := range terms {
		for _, y := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			if len(y.MatchExpressions)+len(y.MatchFields) > 0 {
				product = append(product, corev1.NodeSelectorTerm{
					MatchExpressions: slices.Concat(x.MatchExpressions, y.MatchExpressions),
					MatchFields:      slices.Concat(x.MatchFields, y.MatchFields),
				})
			}
		}
	}
	return product
}

func TestLookahead(t *testing.T) {
	gpu, cpu := requiring("type", "GPU"), requiring("type", "CPU")
	require := func(op dataflow.Operation, keys ...string) dataflow.Operation {
		op.RunAfter.Strategy.Policy = affinity.Require
		for _, key := range keys {
			op.RunAfter.Strategy.Requires = append(op.RunAfter.Strategy.Requires, affinity.RequiredLabel{Key: key})
		}
		return op
	}
	asking := func(op dataflow.Operation, a *corev1.Affinity) dataflow.Operation { op.Affinity = a; return op }
	selecting := func(op dataflow.Operation, key, value string) dataflow.Operation {
		op.NodeSelector = map[string]string{key: value}
		return op
	}
	exposing := func(op dataflow.Operation, keys ...string) dataflow.Operation { op.Exposes = keys; return op }
	expressions := func(e ...corev1.NodeSelectorRequirement) *corev1.Affinity {
		a := requiring("k", "v")
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions = e
		return a
	}
	either := func(key string, values ...string) *corev1.Affinity {
		a := requiring(key, values...)
		s := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		s.NodeSelectorTerms = nil
		for _, value := range values {
			s.NodeSelectorTerms = append(s.NodeSelectorTerms, requiring(key, value).NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms...)
		}
		return a
	}
	for _, c := range []struct {
		name string
		ops  []dataflow.Operation
		want string // of a
	}{
		{"nobody follows", []dataflow.Operation{load("a"), asking(load("b", "a"), gpu)}, "own"},
		{"nothing is asked for", []dataflow.Operation{asking(load("a"), gpu), require(load("b", "a"))}, "own"},
		{"by hostname", []dataflow.Operation{load("a"), asking(require(load("b", "a")), gpu)}, "type In [GPU]"},
		{"by hostname, a node selector", []dataflow.Operation{load("a"), selecting(require(load("b", "a")), "disk", "ssd")}, "disk In [ssd]"},
		{"through another", []dataflow.Operation{load("a"), require(load("b", "a")), asking(require(load("c", "b")), gpu)}, "type In [GPU]"},
		{"of two", []dataflow.Operation{load("a"), selecting(require(load("b", "a")), "disk", "ssd"), asking(require(load("c", "a")), gpu)}, "disk In [ssd] and type In [GPU]"},
		{"beside its own", []dataflow.Operation{asking(load("a"), requiring("disk", "ssd")), asking(require(load("b", "a")), gpu)}, "disk In [ssd] and type In [GPU]"},
		{"what it asks for itself", []dataflow.Operation{asking(load("a"), gpu), asking(require(load("b", "a")), gpu)}, "own"},
		{"what its node selector asks for", []dataflow.Operation{selecting(load("a"), "type", "GPU"), asking(require(load("b", "a")), gpu)}, "own"},
		{"either of two", []dataflow.Operation{load("a"), asking(require(load("b", "a")), either("type", "GPU", "TPU"))}, "type In [GPU] or type In [TPU]"},
		{"either of two, of which it allows one", []dataflow.Operation{asking(load("a"), requiring("type", "TPU", "CPU")), asking(require(load("b", "a")), either("type", "GPU", "TPU"))}, "type In [TPU CPU] and type In [TPU]"},
		{"by zone, another demand", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), gpu)}, "own"},
		{"by zone, a zone", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), requiring(topology.Zone, "z1", "z2"))},
			"topology.kubernetes.io/zone In [z1 z2] or topology.kubernetes.io/zone DoesNotExist []"},
		{"by zone, not a zone", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), expressions(
			corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"z1"}},
			corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: corev1.NodeSelectorOpExists}))}, "topology.kubernetes.io/zone NotIn [z1]"},
		{"by zone, any zone", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), expressions(
			corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: corev1.NodeSelectorOpExists}))}, "own"},
		{"by zone, no zone", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), expressions(
			corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: corev1.NodeSelectorOpDoesNotExist}))}, "topology.kubernetes.io/zone DoesNotExist []"},
		{"by zone, where it has one", []dataflow.Operation{asking(load("a"), expressions(corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: corev1.NodeSelectorOpExists})),
			asking(require(load("b", "a"), topology.Zone), requiring(topology.Zone, "z1"))}, "topology.kubernetes.io/zone Exists [] and topology.kubernetes.io/zone In [z1]"},
		{"by a number", []dataflow.Operation{exposing(load("a"), "cores"), asking(require(load("b", "a"), "cores"), expressions(
			corev1.NodeSelectorRequirement{Key: "cores", Operator: corev1.NodeSelectorOpGt, Values: []string{"07"}}))}, "cores Gt [7] or cores DoesNotExist []"},
		{"a label that is not exposed", []dataflow.Operation{load("a"), asking(require(load("b", "a"), "type"), gpu)}, "own"},
		{"a source of several pods", []dataflow.Operation{{Ref: ref("a"), Distributed: true}, asking(require(load("b", "a")), gpu)}, "own"},
		{"a node", []dataflow.Operation{load("a"), asking(require(load("b", "a")), onNode("n1"))}, "metadata.name In [n1]"},
		{"a contradiction", []dataflow.Operation{asking(load("a"), cpu), asking(require(load("b", "a")), gpu)},
			"DataLoad default/b cannot run where DataLoad default/a does: it requires type In [GPU], and that one requires type In [CPU]"},
		{"a contradiction further down", []dataflow.Operation{load("a"), require(load("b", "a")), asking(require(load("c", "b")), cpu), asking(require(load("d", "c")), gpu)},
			"DataLoad default/d cannot run where DataLoad default/c does: it requires type In [GPU], and that one requires type In [CPU]"},
		{"a contradiction of siblings", []dataflow.Operation{load("a"), asking(require(load("b", "a")), cpu), asking(require(load("c", "a")), gpu)},
			"DataLoad default/c cannot run where DataLoad default/b does: it requires type In [GPU], and that one requires type In [CPU]"},
		{"a contradiction of three", []dataflow.Operation{asking(load("a"), requiring("k", "1", "2")), asking(require(load("b", "a")), requiring("k", "2", "3")), asking(require(load("c", "a")), requiring("k", "1", "3"))},
			"DataLoad default/c cannot run where DataLoad default/a does: it requires k In [1, 3], and those that must run there require together k In [1, 2] and k In [2, 3]"},
		{"a contradiction of four", []dataflow.Operation{asking(load("a"), requiring("k", "1", "2", "3")), asking(require(load("b", "a")), requiring("k", "1", "2", "4")),
			asking(require(load("c", "b")), requiring("k", "1", "3", "4")), asking(require(load("d", "c")), requiring("k", "2", "3", "4")), require(load("e", "d"))},
			"DataLoad default/d cannot run where DataLoad default/a does: it requires k In [2, 3, 4], and those that must run there require together k In [1, 2, 3] and k In [1, 2, 4] and k In [1, 3, 4]"},
		{"a contradiction by zone", []dataflow.Operation{asking(load("a"), requiring(topology.Zone, "z1")), asking(require(load("b", "a"), topology.Zone), requiring(topology.Zone, "z2"))},
			"DataLoad default/b cannot run where DataLoad default/a does: it requires topology.kubernetes.io/zone In [z2], and that one requires topology.kubernetes.io/zone In [z1]"},
		{"a contradiction by zone and rack, of which only the zone goes all the way", []dataflow.Operation{
			asking(load("a"), requiring(topology.Zone, "z1")), exposing(require(load("b", "a"), topology.Zone), "rack"),
			asking(require(load("c", "b"), topology.Zone, "rack"), requiring(topology.Zone, "z2"))},
			"DataLoad default/c cannot run where DataLoad default/a does: it requires topology.kubernetes.io/zone In [z2], and that one requires topology.kubernetes.io/zone In [z1]"},
		{"a contradiction by zone, beside a region that does not go all the way", []dataflow.Operation{
			selecting(asking(load("a"), requiring(topology.Zone, "z1")), topology.Region, "r1"), require(load("b", "a"), topology.Zone),
			asking(require(load("c", "b"), topology.Region), requiring(topology.Region, "r2")),
			asking(require(load("d", "b"), topology.Zone), requiring(topology.Zone, "z2"))},
			"DataLoad default/d cannot run where DataLoad default/a does: it requires topology.kubernetes.io/zone In [z2], and that one requires topology.kubernetes.io/zone In [z1]"},
		{"a follower that contradicts itself", []dataflow.Operation{load("a"), selecting(asking(require(load("b", "a")), gpu), "type", "CPU")},
			"DataLoad default/b cannot run anywhere: no node can meet type In [GPU] and type In [CPU]"},
		{"malformed", []dataflow.Operation{load("a"), asking(require(load("b", "a")), requiring("not a key", "v"))},
			"DataLoad default/b: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: Invalid value"},
		{"malformed, of a stranger", []dataflow.Operation{load("a"), asking(load("b", "a"), requiring("not a key", "v"))}, "own"},
		{"unknown", []dataflow.Operation{load("b")}, "no DataLoad default/a in the flow"},
		{"its own source", []dataflow.Operation{func() dataflow.Operation {
			op := require(load("a", "b"))
			op.RunAfter.DependOn = &op.Ref
			return op
		}(), load("b")}, "cycle of dependOn: DataLoad default/a → DataLoad default/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustFlow(t, c.ops...)
			a, err := f.Lookahead(ref("a"))
			got := required1(a)
			switch {
			case err != nil:
				got = err.Error()[:min(len(c.want), len(err.Error()))]
			case cmp.Equal(a, c.ops[0].Affinity):
				got = "own"
			}
			if got != c.want {
				t.Errorf("Lookahead = %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func onNode(name string) *corev1.Affinity {
	a := requiring("k", "v")
	a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0] = corev1.NodeSelectorTerm{
		MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{name}}},
	}
	return a
}

// required1 writes a required node affinity in a line.
func required1(a *corev1.Affinity) string {
	if a == nil {
		return "nothing"
	}
	var terms []string
	for _, t := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		var words []string
		for _, e := range slices.Concat(t.MatchExpressions, t.MatchFields) {
			words = append(words, fmt.Sprint(e.Key, " ", e.Operator, " ", e.Values))
		}
		terms = append(terms, strings.Join(words, " and "))
	}
	return strings.Join(terms, " or ")
}

func TestLookaheadAllIsLookaheadOfEach(t *testing.T) {
	manyWorlds(t, func(t *rapid.T, w *world) {
		i := 0
		for all := range w.flow.LookaheadAll() {
			a, err := w.flow.Lookahead(w.ops[i].Ref)
			if all.Ref != w.ops[i].Ref || !cmp.Equal(all.Affinity, a) || fmt.Sprint(all.Err) != fmt.Sprint(err) {
				t.Fatalf("%v, want %v, %v", all, a, err)
			}
			i++
		}
		if i != len(w.ops) {
			t.Fatalf("%d of %d operations", i, len(w.ops))
		}
		for range w.flow.LookaheadAll() {
			break // which must not go on
		}
	})
}

// Alternatives multiply. Up to the limit all are passed up; beyond it only what is common
// to them, and that is never wrong.
func TestLookaheadIsBounded(t *testing.T) {
	chain := func(n int) *dataflow.Flow {
		ops := []dataflow.Operation{load("op-0")}
		for i := 1; i <= n; i++ {
			op := load(fmt.Sprintf("op-%d", i), fmt.Sprintf("op-%d", i-1))
			op.RunAfter.Strategy.Policy = affinity.Require
			op.Affinity = requiring("tier", "fast")
			s := op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			term := s.NodeSelectorTerms[0]
			s.NodeSelectorTerms = nil
			for _, value := range []string{"1", "2"} {
				s.NodeSelectorTerms = append(s.NodeSelectorTerms, corev1.NodeSelectorTerm{
					MatchExpressions: append(slices.Clip(term.MatchExpressions), corev1.NodeSelectorRequirement{Key: fmt.Sprint("k", i), Operator: corev1.NodeSelectorOpIn, Values: []string{value}}),
				})
			}
			ops = append(ops, op)
		}
		return mustFlow(t, ops...)
	}
	for n, want := range map[int]int{1: 2, 2: 4, 6: 64, 7: 64, 100: 64} {
		a, err := chain(n).Lookahead(ref("op-0"))
		if err != nil {
			t.Fatal(err)
		}
		terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		if len(terms) != want && n < 7 || len(terms) > 64 {
			t.Errorf("%d operations: %d terms, want %d", n, len(terms), want)
		}
		for _, term := range terms {
			if e := term.MatchExpressions; !slices.ContainsFunc(e, func(e corev1.NodeSelectorRequirement) bool { return e.Key == "tier" }) {
				t.Errorf("%d operations: %v lacks what all have in common", n, term)
			}
		}
	}
}

// requireSame makes an operation follow by hostname.
func requireSame(op dataflow.Operation) dataflow.Operation {
	op.RunAfter.Strategy.Policy = affinity.Require
	return op
}

// line returns a chain of n operations, op-0 to op-n-1, that follow each other by hostname,
// and of which each asks for what of says.
func line(t testing.TB, n int, of func(i int) *corev1.Affinity) *dataflow.Flow {
	ops := make([]dataflow.Operation, n)
	for i := range ops {
		ops[i] = load(fmt.Sprint("op-", i))
		if i > 0 {
			ops[i] = requireSame(load(fmt.Sprint("op-", i), fmt.Sprint("op-", i-1)))
		}
		ops[i].Affinity = of(i)
	}
	return mustFlow(t, ops...)
}

// However far apart they are, a conflict names who excludes whom.
func TestConflictsAreFoundAtAnyDistance(t *testing.T) {
	const n = 3000
	at := func(demands map[int]*corev1.Affinity) *dataflow.Flow {
		return line(t, n, func(i int) *corev1.Affinity { return demands[i] })
	}
	distinct := func(first, last *corev1.Affinity) *dataflow.Flow {
		return line(t, n, func(i int) *corev1.Affinity {
			switch i {
			case 0:
				return first
			case n - 1:
				return last
			}
			return requiring(fmt.Sprint("k", i%20), "v")
		})
	}
	a, b := requiring("pool", "a"), requiring("pool", "b")
	for _, c := range []struct {
		name, want string
		flow       *dataflow.Flow
	}{
		{"the first and the last", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 does: it requires pool In [b], and that one requires pool In [a]",
			at(map[int]*corev1.Affinity{0: a, n - 1: b})},
		{"with others between", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 does: it requires pool In [b], and that one requires pool In [a]",
			distinct(a, b)},
		{"two beyond the first", "DataLoad default/op-2999 cannot run where DataLoad default/op-1500 does: it requires pool In [b], and that one requires pool In [a]",
			at(map[int]*corev1.Affinity{1500: a, n - 1: b})},
		{"one by itself", "DataLoad default/op-2999 cannot run anywhere: no node can meet a required node affinity without terms, or with only empty ones",
			at(map[int]*corev1.Affinity{n - 1: {NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}})},
		{"only three together", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 does: it requires pool In [b, c], and those that must run there require together pool In [a, b] and pool In [a, c]",
			at(map[int]*corev1.Affinity{0: requiring("pool", "a", "b"), 1500: requiring("pool", "a", "c"), n - 1: requiring("pool", "b", "c")})},
		{"two, though three come first", "DataLoad default/op-2999 cannot run where DataLoad default/op-2000 does: it requires zone In [b], and that one requires zone In [a]",
			at(map[int]*corev1.Affinity{0: requiring("pool", "a", "b"), 1500: requiring("pool", "a", "c"), 1700: requiring("pool", "b", "c"), 2000: requiring("zone", "a"), n - 1: requiring("zone", "b")})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.flow.Lookahead(ref("op-0"))
			if conflict := (*affinity.ConflictError)(nil); !errors.As(err, &conflict) || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var first *affinity.ConflictError
			for l := range c.flow.LookaheadAll() {
				if first == nil {
					if fmt.Sprint(l.Err) != c.want {
						t.Fatalf("LookaheadAll: %v, want %s", l.Err, c.want)
					}
					errors.As(l.Err, &first)
					first.Foreseen.Here = "scribbled over"
				} else if l.Err != nil && strings.Contains(l.Err.Error(), "scribbled") {
					t.Fatalf("%v shares memory with another", l.Err)
				}
			}
		})
	}
}

// The faults of many are found from each of them without going over all of the flow again.
func TestLookaheadOfFaultsAtSize(t *testing.T) {
	const n = 20_000
	bad := requiring("not a key", "v")
	faults := func(err error) int {
		joined, _ := err.(interface{ Unwrap() []error })
		if joined == nil {
			return 0
		}
		return len(joined.Unwrap())
	}
	for _, c := range []struct {
		name        string
		bad         func(i int) bool
		first, last int // how many faults are told of the first and the last
	}{
		{"the last", func(i int) bool { return i == n-1 }, 1, 1},
		{"the first", func(i int) bool { return i == 0 }, 1, 0},
		{"three", func(i int) bool { return i == 5 || i == 6 || i == n/2 }, 3, 0},
		{"every other", func(i int) bool { return i%2 == 0 }, 100, 0},
	} {
		f := line(t, n, func(i int) *corev1.Affinity {
			if c.bad(i) {
				return bad
			}
			return nil
		})
		var got []int
		for l := range f.LookaheadAll() {
			got = append(got, faults(l.Err))
		}
		if len(got) != n || got[0] != c.first || got[n-1] != c.last {
			t.Errorf("%s: %d and %d faults, want %d and %d", c.name, got[0], got[n-1], c.first, c.last)
		}
	}
	// Beside many followers that are well, of two that are not.
	ops := []dataflow.Operation{load("a")}
	for i := range 100 {
		op := requireSame(load(fmt.Sprint("b-", i), "a"))
		if i == 20 || i == 40 {
			op.Affinity = bad
		}
		ops = append(ops, op)
	}
	_, err := mustFlow(t, ops...).Lookahead(ref("a"))
	if text := fmt.Sprint(err); faults(err) != 2 || strings.Index(text, "b-20") > strings.Index(text, "b-40") {
		t.Errorf("got %v", err)
	}
}

// Each operation in a circle of sources is told of its own circle.
func TestLookaheadOfCirclesAtSize(t *testing.T) {
	const n = 20_000
	ops := []dataflow.Operation{load("a")}
	for i := range n {
		op, other := requireSame(load(fmt.Sprint("op-", i), "a")), ref(fmt.Sprint("op-", i^1))
		op.RunAfter.DependOn = &other
		ops = append(ops, op)
	}
	for l := range mustFlow(t, ops...).LookaheadAll() {
		var cycle *dataflow.CycleError
		if errors.As(l.Err, &cycle) != (l.Ref != ref("a")) || cycle != nil && (len(cycle.Operations) != 2 || !slices.Contains(cycle.Operations, l.Ref)) {
			t.Fatalf("Lookahead(%v): %v", l.Ref, l.Err)
		}
	}
}

// either returns an affinity that asks for one of several terms, each of which is a list
// of key=value, or a key that must be absent.
func either(terms ...[]string) *corev1.Affinity {
	s := &corev1.NodeSelector{}
	for _, term := range terms {
		var t corev1.NodeSelectorTerm
		for _, word := range term {
			e := corev1.NodeSelectorRequirement{Key: word, Operator: corev1.NodeSelectorOpDoesNotExist}
			if key, value, ok := strings.Cut(word, "="); ok {
				e = corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
			}
			t.MatchExpressions = append(t.MatchExpressions, e)
		}
		s.NodeSelectorTerms = append(s.NodeSelectorTerms, t)
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: s}}
}

// What is too much when demands are joined one by one may not be when they are passed up,
// and the other way round.
func TestConflictsBeyondTheLimit(t *testing.T) {
	asking := func(op dataflow.Operation, a *corev1.Affinity) dataflow.Operation { op.Affinity = a; return op }
	var wide, other, narrow [][]string
	for j := range 60 {
		wide = append(wide, []string{fmt.Sprintf("a%d=v", j), fmt.Sprintf("z%d=v", j), fmt.Sprintf("y=%d", j)})
		other = append(other, []string{fmt.Sprintf("b%d=v", j), []string{"a1", "z1"}[j%2]})
	}
	for j := range 5000 {
		narrow = append(narrow, []string{fmt.Sprintf("y=%d", j+2), fmt.Sprintf("n%d=v", j)})
	}
	for _, c := range []struct {
		name string
		ops  []dataflow.Operation
		want string
	}{
		{"among followers", []dataflow.Operation{load("a"), asking(requireSame(load("b", "a")), either(wide...)),
			asking(requireSame(load("c", "a")), either(other...)), asking(requireSame(load("d", "b")), requiring("y", "1"))},
			"DataLoad default/c cannot run where DataLoad default/a does: it requires a1 DoesNotExist, and those that must run there require together a1 In [v]"},
		{"more ways than are passed up", []dataflow.Operation{asking(load("a"), either(narrow...)), asking(requireSame(load("b", "a")), requiring("y", "1"))},
			"DataLoad default/b cannot run where DataLoad default/a does: it requires y In [1], and that one requires y In [2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := mustFlow(t, c.ops...).Lookahead(ref("a")); fmt.Sprint(err) != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// What wide ORs leave of each other is necessary, also where the limit is reached: any
// node on which all can run is matched.
func TestLawL5BeyondTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ops []dataflow.Operation
		n := rapid.IntRange(2, 6).Draw(t, "operations")
		labels := map[string]string{topology.Hostname: "n"} // of a node that all can run on
		for i := range n {
			op := load(fmt.Sprint("op-", i))
			if i > 0 {
				op = requireSame(load(fmt.Sprint("op-", i), fmt.Sprint("op-", rapid.IntRange(0, i-1).Draw(t, "source"))))
				if rapid.IntRange(0, 3).Draw(t, "by zone") == 0 {
					op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: topology.Zone}}
				}
			}
			var terms [][]string
			width := rapid.SampledFrom([]int{1, 2, 8, 40, 64, 65, 100}).Draw(t, "terms")
			for j := range width {
				keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", topology.Zone}), 0, 2, rapid.ID).Draw(t, "keys")
				term := []string{fmt.Sprintf("k%d=%d", i, j)}
				for _, key := range keys {
					term = append(term, fmt.Sprintf("%s=%d", key, rapid.IntRange(0, 1).Draw(t, "value")))
				}
				terms = append(terms, term)
			}
			op.Affinity = either(terms...)
			labels[fmt.Sprint("k", i)] = fmt.Sprint(rapid.IntRange(0, width-1).Draw(t, "way"))
			ops = append(ops, op)
		}
		var nodes []corev1.Node
		for at := range 8 {
			node := corev1.Node{}
			node.Name = fmt.Sprint("n", at)
			node.Labels = map[string]string{}
			for key, value := range labels {
				node.Labels[key] = value
			}
			node.Labels[topology.Hostname] = node.Name
			node.Labels["p"], node.Labels["q"], node.Labels[topology.Zone] = fmt.Sprint(at%2), fmt.Sprint(at/2%2), fmt.Sprint(at/4)
			nodes = append(nodes, node)
		}
		f := mustFlow(t, ops...)
		w := newWorld(f, nodes, dataflow.ForecastOptions{})
		feasible, _ := w.feasible()
		for i, op := range w.ops {
			a, err := f.Lookahead(op.Ref)
			for n := range nodes {
				if feasible[i][n] && (err != nil || !matches(a, &nodes[n])) {
					t.Fatalf("Lookahead(%v) = %v, %v does not match %v", op.Ref, a, err, nodes[n].Labels)
				}
			}
		}
	})
}

// What is passed up again and again is not made again and again.
func TestLookaheadSharesWhatIsPassedUp(t *testing.T) {
	size := func(n, distinct int) float64 {
		f := line(t, n, func(i int) *corev1.Affinity { return requiring(fmt.Sprint("k", i%distinct), "v") })
		return testing.AllocsPerRun(1, func() { f.Lookahead(ref("op-0")) }) / float64(n)
	}
	if few, many := size(5000, 1), size(5000, 50); many > 1.2*few {
		t.Errorf("%.1f allocations an operation where one thing is asked for, %.1f where fifty are", few, many)
	}
	if short, long := size(1000, 50), size(8000, 50); long > 1.2*short {
		t.Errorf("%.1f allocations an operation in a short line, %.1f in a long one", short, long)
	}
}

// Where three exclude each other only together, two that do so by themselves are named
// instead, though they are further away.
func TestTwoAreNamedBeforeThree(t *testing.T) {
	asking := func(name string, key string, values ...string) dataflow.Operation {
		op := requireSame(load(name, "a"))
		op.Affinity = requiring(key, values...)
		return op
	}
	a := load("a")
	a.Affinity = requiring("pool", "a", "b")
	ops := []dataflow.Operation{a, asking("b", "pool", "a", "c"), asking("c", "pool", "b", "c"), asking("d", "zone", "a"), asking("e", "zone", "b")}
	for n, want := range map[int]string{
		3: "DataLoad default/c cannot run where DataLoad default/a does: it requires pool In [b, c], and those that must run there require together pool In [a, b] and pool In [a, c]",
		4: "DataLoad default/c cannot run where DataLoad default/a does: it requires pool In [b, c], and those that must run there require together pool In [a, b] and pool In [a, c]",
		5: "DataLoad default/e cannot run where DataLoad default/d does: it requires zone In [b], and that one requires zone In [a]",
	} {
		if _, err := mustFlow(t, ops[:n]...).Lookahead(a.Ref); err == nil || err.Error() != want {
			t.Errorf("of %d: %v, want %s", n, err, want)
		}
	}
}

// Of those that are equally near, the first in the flow's order is named, whichever of the
// nearer ones it follows.
func TestTheFirstInTheFlowsOrderIsNamed(t *testing.T) {
	following := func(name, after, source, pool string) dataflow.Operation {
		op := requireSame(load(name, after))
		op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: source}
		if pool != "" {
			op.Affinity = requiring("pool", pool)
		}
		return op
	}
	a := load("a")
	a.Affinity = requiring("pool", "a")
	f := mustFlow(t, a, following("b", "a", "a", ""), following("c", "b", "a", ""), following("d", "c", "c", "b"), following("e", "d", "b", "b"))
	want := "DataLoad default/d cannot run where DataLoad default/a does: it requires pool In [b], and that one requires pool In [a]"
	if _, err := f.Lookahead(a.Ref); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// What is impossible by itself is told, also where three others exclude each other.
func TestWhatIsImpossibleByItselfIsTold(t *testing.T) {
	asking := func(op dataflow.Operation, key string, values ...string) dataflow.Operation {
		op.Affinity = requiring(key, values...)
		return op
	}
	nowhere := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
	three := []dataflow.Operation{
		asking(requireSame(load("b", "a")), "pool", "a", "b"), asking(requireSame(load("c", "b")), "pool", "a", "c"), asking(requireSame(load("d", "b")), "pool", "b", "c"),
	}
	impossible, follower := load("a"), requireSame(load("z", "a"))
	impossible.Affinity, follower.Affinity = nowhere, nowhere
	for name, ops := range map[string][]dataflow.Operation{
		"the first":       append(slices.Clone(three), impossible),
		"after the three": append(slices.Clone(three), load("a"), follower),
		"before them":     append([]dataflow.Operation{follower}, append(slices.Clone(three), load("a"))...),
	} {
		_, err := mustFlow(t, ops...).Lookahead(ref("a"))
		var conflict *affinity.ConflictError
		if !errors.As(err, &conflict) || !strings.Contains(err.Error(), "cannot run anywhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever operations ask for, a conflict is told if there is one, and it names one that is
// impossible by itself, or two that exclude each other, if there are any; and else three.
func TestConflictsNameWhatExcludesEachOther(t *testing.T) {
	values := []string{"a", "b", "c", "d"}
	kinds := map[string]int{}
	try := func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "operations")
		ops, source, asks := make([]dataflow.Operation, n), make([]int, n), make([][]string, n)
		for i := range n {
			ops[i], source[i], asks[i] = load(fmt.Sprint("op-", i)), -1, values
			if i > 0 {
				source[i] = rapid.IntRange(-1, i-1).Draw(t, "source")
			}
			if source[i] >= 0 {
				ops[i] = requireSame(load(fmt.Sprint("op-", i), fmt.Sprint("op-", source[i])))
			}
			asked := func(n int) {
				asks[i] = rapid.Permutation(values[:3]).Draw(t, "values")[:n]
				ops[i].Affinity = requiring("k", asks[i]...)
			}
			switch rapid.SampledFrom([]string{"two", "two", "two", "one", "nothing", "nowhere"}).Draw(t, "asks for") {
			case "two":
				asked(2)
			case "one":
				asked(1)
			case "nowhere":
				ops[i].Affinity, asks[i] = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}, nil
			}
		}
		possible := func(which ...int) bool {
			return slices.ContainsFunc(values, func(value string) bool {
				return !slices.ContainsFunc(which, func(i int) bool { return !slices.Contains(asks[i], value) })
			})
		}
		f := mustFlow(t, ops...)
		for i := range ops {
			var line []int // i and whoever must run where it does
			for j := i; j < n; j++ {
				if j == i || slices.Contains(line, source[j]) {
					line = append(line, j)
				}
			}
			_, err := f.Lookahead(ops[i].Ref)
			var conflict *affinity.ConflictError
			if errors.As(err, &conflict) == possible(line...) {
				t.Fatalf("%s: %v, possible: %v", ops[i].Ref, err, possible(line...))
			}
			if err == nil {
				continue
			}
			two := slices.ContainsFunc(line, func(a int) bool {
				return slices.ContainsFunc(line, func(b int) bool { return !possible(a, b) })
			})
			at := func(name string) int {
				return slices.IndexFunc(ops, func(op dataflow.Operation) bool { return op.Ref.String() == name })
			}
			a, b := at(conflict.Source), at(conflict.Foreseen.Follower)
			if !slices.Contains(line, a) || !slices.Contains(line, b) || possible(a, b) && (two || a == b) || conflict.Foreseen.Several != possible(a, b) {
				t.Fatalf("%s: %v", ops[i].Ref, err)
			}
			switch {
			case a == b:
				kinds["one"]++
			case two:
				kinds["two"]++
			default:
				kinds["three"]++
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			try(t)
		}
	})
	if len(kinds) < 3 && !testing.Short() {
		t.Errorf("not every kind of conflict was met: %v", kinds)
	}
}

// Of many that follow one, the last may exclude one of the others.
func TestTwoAreNamedHoweverManyFollow(t *testing.T) {
	first := load("a")
	first.Affinity = requiring("zone", "a")
	ops := []dataflow.Operation{first}
	for i := range 1100 {
		op := requireSame(load(fmt.Sprintf("b-%04d", i), "a"))
		op.Affinity = requiring("pool", "a")
		ops = append(ops, op)
	}
	ops[1100].Affinity = requiring("pool", "b")
	want := "DataLoad default/b-1099 cannot run where DataLoad default/b-0000 does: it requires pool In [b], and that one requires pool In [a]"
	if _, err := mustFlow(t, ops...).Lookahead(first.Ref); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Where only three exclude each other, two further up that do so by themselves are named.
func TestTwoAreNamedThoughThreeMeetFirst(t *testing.T) {
	asking := func(name, after, key string, values ...string) dataflow.Operation {
		op := load(name)
		if after != "" {
			op = requireSame(load(name, after))
		}
		op.Affinity = requiring(key, values...)
		return op
	}
	b := asking("b", "a", "pool", "a", "b")
	b.NodeSelector = map[string]string{"zone": "2"}
	three := []dataflow.Operation{b, asking("c", "b", "pool", "a", "c"), asking("d", "b", "pool", "b", "c")}
	for name, tt := range map[string]struct{ first, want string }{
		"two":  {"zone", "DataLoad default/b cannot run where DataLoad default/a does: it requires zone In [2], and that one requires zone In [1]"},
		"none": {"tier", "DataLoad default/d cannot run where DataLoad default/b does: it requires pool In [b, c], and those that must run there require together pool In [a, b] and pool In [a, c]"},
	} {
		f := mustFlow(t, append([]dataflow.Operation{asking("a", "", tt.first, "1")}, three...)...)
		if _, err := f.Lookahead(ref("a")); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
