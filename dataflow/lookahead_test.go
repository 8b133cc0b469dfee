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
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawL5LookaheadIsNecessary(t *testing.T) {
	narrowed, checked, contradictions := 0, 0, 0
	manyWorlds(t, 60, func(t *rapid.T, w *world) {
		for i := range w.nodes {
			w.nodes[i].Labels[topology.Hostname] = fmt.Sprintf("node-%d", i)
		}
		w = newWorld(w.flow, w.cluster, dataflow.ForecastOptions{Admit: w.options.Admit})
		feasible, _ := w.feasible()
		for i, op := range w.ops {
			a, err := w.flow.Lookahead(op.Ref)
			var contradiction *dataflow.ContradictionError
			if err != nil && !errors.As(err, &contradiction) {
				t.Fatalf("Lookahead(%v): %v", op.Ref, err)
			}
			for n := range w.nodes {
				if !feasible[i][n] {
					continue
				}
				if err != nil || !affinitytest.Match(a, &w.nodes[n]) {
					t.Fatalf("Lookahead(%v) = %v, %v does not match %s, which is feasible in\n%v", op.Ref, a, err, w.nodes[n].Name, w)
				}
				checked++
			}
			switch {
			case err != nil:
				contradictions++
				continue
			case !cmp.Equal(a, op.Affinity):
				narrowed++
			}
			for n := range w.nodes {
				if affinitytest.Match(a, &w.nodes[n]) && !affinitytest.Match(op.Affinity, &w.nodes[n]) {
					t.Fatalf("Lookahead(%v) matches %s, which its own affinity does not", op.Ref, w.nodes[n].Name)
				}
			}
			if _, err := affinity.Compile(nil, a); err != nil {
				t.Fatalf("Lookahead(%v) is malformed: %v", op.Ref, err)
			}
		}
	})
	t.Logf("%d narrowed affinities, %d contradictions, %d feasible nodes matched", narrowed, contradictions, checked)
}

func TestLawL6LookaheadIsSufficientForHostname(t *testing.T) {
	checked, contradictions := 0, 0
	manyWorlds(t, 60, func(t *rapid.T, w *world) {
		ops := slices.Clone(w.ops)
		for i := range ops {
			if ops[i].RunAfter != nil && ops[i].RunAfter.Strategy.Policy == affinity.Require {
				ops[i].RunAfter.Strategy.Requires = nil
			}
		}
		w = newWorld(mustFlow(t, ops...), w.cluster, dataflow.ForecastOptions{})
		for first, op := range w.ops {
			a, err := w.flow.Lookahead(op.Ref)
			subtree := w.subtree(first)
			var contradiction *dataflow.ContradictionError
			if errors.As(err, &contradiction) {
				contradictions++
				checkContradiction(t, w, subtree, contradiction)
				continue
			}
			if err != nil {
				t.Fatalf("Lookahead(%v): %v", op.Ref, err)
			}
			for n := range w.nodes {
				if !affinitytest.Match(a, &w.nodes[n]) || !isSelected(op, &w.nodes[n]) {
					continue
				}
				for _, follower := range subtree {
					if o := w.ops[follower]; !isSelected(o, &w.nodes[n]) || !affinitytest.Match(o.Affinity, &w.nodes[n]) {
						t.Fatalf("Lookahead(%v) = %v matches %s, where %v cannot run in\n%v", op.Ref, a, w.nodes[n].Name, o.Ref, w)
					}
					checked++
				}
			}
		}
	})
	t.Logf("%d operations checked on matching nodes, %d contradictions", checked, contradictions)
}

// isSelected reports whether a node matches the node selector and the node name of an
// operation.
func isSelected(op dataflow.Operation, n *corev1.Node) bool {
	return selects(op, n) && (op.NodeName == "" || op.NodeName == n.Name)
}

// checkContradiction asks the matcher of package affinity, which has an oracle of its own,
// whether the constraints of the operations of a subtree exclude each other, and if those of
// any two do, whether those of the two that are named do.
func checkContradiction(t *rapid.T, w *world, subtree []int, contradiction *dataflow.ContradictionError) {
	possible := func(ops ...int) bool {
		selector, ok := map[string]string{}, true
		joined := []corev1.NodeSelectorTerm{{}}
		for _, i := range ops {
			for key, value := range w.ops[i].NodeSelector {
				if other, there := selector[key]; there && other != value {
					ok = false
				}
				selector[key] = value
			}
			joined = product(joined, w.ops[i].Affinity)
			if w.ops[i].NodeName != "" {
				joined = product(joined, onNode(w.ops[i].NodeName))
			}
		}
		a := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: joined}}}
		if slices.ContainsFunc(joined, func(t corev1.NodeSelectorTerm) bool { return len(t.MatchExpressions)+len(t.MatchFields) == 0 }) {
			a = nil
		}
		m, err := affinity.Compile(selector, a)
		if err != nil {
			t.Fatalf("Compile: %v", err)
		}
		return ok && m.Satisfiable()
	}
	index := func(ref dataflow.Ref) int {
		return slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == ref })
	}
	source, follower := index(contradiction.Source), index(contradiction.Follower)
	pair := slices.ContainsFunc(subtree, func(a int) bool {
		return slices.ContainsFunc(subtree, func(b int) bool { return !possible(a, b) })
	})
	switch {
	case possible(subtree...):
		t.Fatalf("%v, although some node could meet all constraints of\n%v", contradiction, w)
	case !slices.Contains(subtree, source) || !slices.Contains(subtree, follower):
		t.Fatalf("%v names operations outside the subtree of\n%v", contradiction, w)
	case pair == contradiction.Jointly || pair == possible(source, follower):
		t.Fatalf("%v; some two operations exclude each other: %v; these two: %v, in\n%v", contradiction, pair, !possible(source, follower), w)
	}
}

// product joins each of the given terms with each term of an affinity. A given term that is
// empty means no constraint; one of the affinity matches nothing.
func product(given []corev1.NodeSelectorTerm, a *corev1.Affinity) []corev1.NodeSelectorTerm {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return given
	}
	var product []corev1.NodeSelectorTerm
	for _, x := range given {
		for _, y := range terms(a) {
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
	partly := either([]string{"disk=ssd", "disk=hdd"}, []string{"disk=nvme"})
	require := func(op dataflow.Operation, keys ...string) dataflow.Operation {
		op.RunAfter.Strategy.Policy = affinity.Require
		for _, key := range keys {
			op.RunAfter.Strategy.Requires = append(op.RunAfter.Strategy.Requires, affinity.RequiredLabel{Key: key})
		}
		return op
	}
	asking := func(op dataflow.Operation, a *corev1.Affinity) dataflow.Operation { op.Affinity = a; return op }
	from := func(source string, op dataflow.Operation) dataflow.Operation {
		dependOn := ref(source)
		op.RunAfter.DependOn = &dependOn
		return op
	}
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
		{"no follower", []dataflow.Operation{load("a"), asking(load("b", "a"), gpu)}, "own"},
		{"a follower without constraints", []dataflow.Operation{asking(load("a"), gpu), require(load("b", "a"))}, "own"},
		{"by hostname", []dataflow.Operation{load("a"), asking(require(load("b", "a")), gpu)}, "type In [GPU]"},
		{"by hostname, a node selector", []dataflow.Operation{load("a"), selecting(require(load("b", "a")), "disk", "ssd")}, "disk In [ssd]"},
		{"through another", []dataflow.Operation{load("a"), require(load("b", "a")), asking(require(load("c", "b")), gpu)}, "type In [GPU]"},
		{"of two followers", []dataflow.Operation{load("a"), selecting(require(load("b", "a")), "disk", "ssd"), asking(require(load("c", "a")), gpu)}, "disk In [ssd] and type In [GPU]"},
		{"in addition to its own", []dataflow.Operation{asking(load("a"), requiring("disk", "ssd")), asking(require(load("b", "a")), gpu)}, "disk In [ssd] and type In [GPU]"},
		{"what its own affinity requires", []dataflow.Operation{asking(load("a"), gpu), asking(require(load("b", "a")), gpu)}, "own"},
		{"what its node selector requires", []dataflow.Operation{selecting(load("a"), "type", "GPU"), asking(require(load("b", "a")), gpu)}, "own"},
		{"either of two", []dataflow.Operation{load("a"), asking(require(load("b", "a")), either("type", "GPU", "TPU"))}, "type In [GPU] or type In [TPU]"},
		{"either of two, one of which its own affinity excludes", []dataflow.Operation{asking(load("a"), requiring("type", "TPU", "CPU")), asking(require(load("b", "a")), either("type", "GPU", "TPU"))}, "type In [TPU CPU] and type In [TPU]"},
		{"in addition to terms, one of which no node can meet", []dataflow.Operation{asking(load("a"), partly), asking(require(load("b", "a")), gpu)}, "disk In [nvme] and type In [GPU]"},
		{"by zone, a constraint on another label", []dataflow.Operation{load("a"), asking(require(load("b", "a"), topology.Zone), gpu)}, "own"},
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
			"DataLoad default/b cannot run where DataLoad default/a runs: it requires type In [GPU], and DataLoad default/a requires type In [CPU]"},
		{"a contradiction further down", []dataflow.Operation{load("a"), require(load("b", "a")), asking(require(load("c", "b")), cpu), asking(require(load("d", "c")), gpu)},
			"DataLoad default/d cannot run where DataLoad default/c runs: it requires type In [GPU], and DataLoad default/c requires type In [CPU]"},
		{"a contradiction of siblings", []dataflow.Operation{load("a"), asking(require(load("b", "a")), cpu), asking(require(load("c", "a")), gpu)},
			"DataLoad default/c cannot run where DataLoad default/b runs: it requires type In [GPU], and DataLoad default/b requires type In [CPU]"},
		{"a contradiction of three", []dataflow.Operation{asking(load("a"), requiring("k", "1", "2")), asking(require(load("b", "a")), requiring("k", "2", "3")), asking(require(load("c", "a")), requiring("k", "1", "3"))},
			"DataLoad default/c cannot run where DataLoad default/a runs: it requires k In [1, 3], and the operations that must run there jointly require k In [1, 2] and k In [2, 3]"},
		{"a contradiction of four", []dataflow.Operation{asking(load("a"), requiring("k", "1", "2", "3")), asking(require(load("b", "a")), requiring("k", "1", "2", "4")),
			asking(require(load("c", "b")), requiring("k", "1", "3", "4")), asking(require(load("d", "c")), requiring("k", "2", "3", "4")), require(load("e", "d"))},
			"DataLoad default/d cannot run where DataLoad default/a runs: it requires k In [2, 3, 4], and the operations that must run there jointly require k In [1, 2, 3] and k In [1, 2, 4] and k In [1, 3, 4]"},
		{"a contradiction by zone", []dataflow.Operation{asking(load("a"), requiring(topology.Zone, "z1")), asking(require(load("b", "a"), topology.Zone), requiring(topology.Zone, "z2"))},
			"DataLoad default/b cannot run where DataLoad default/a runs: it requires topology.kubernetes.io/zone In [z2], and DataLoad default/a requires topology.kubernetes.io/zone In [z1]"},
		{"a contradiction by zone, where only the zone is passed all the way", []dataflow.Operation{
			asking(load("a"), requiring(topology.Zone, "z1")), exposing(require(load("b", "a"), topology.Zone), "rack"),
			asking(require(load("c", "b"), topology.Zone, "rack"), requiring(topology.Zone, "z2"))},
			"DataLoad default/c cannot run where DataLoad default/a runs: it requires topology.kubernetes.io/zone In [z2], and DataLoad default/a requires topology.kubernetes.io/zone In [z1]"},
		{"a contradiction by zone, with a region that is not passed all the way", []dataflow.Operation{
			selecting(asking(load("a"), requiring(topology.Zone, "z1")), topology.Region, "r1"), require(load("b", "a"), topology.Zone),
			asking(require(load("c", "b"), topology.Region), requiring(topology.Region, "r2")),
			asking(require(load("d", "b"), topology.Zone), requiring(topology.Zone, "z2"))},
			"DataLoad default/d cannot run where DataLoad default/a runs: it requires topology.kubernetes.io/zone In [z2], and DataLoad default/a requires topology.kubernetes.io/zone In [z1]"},
		{"a follower that contradicts itself", []dataflow.Operation{load("a"), selecting(asking(require(load("b", "a")), gpu), "type", "CPU")},
			"DataLoad default/b cannot run anywhere: no node can meet type In [GPU] and type In [CPU]"},
		{"an operation that contradicts itself, and one that does after it", []dataflow.Operation{selecting(asking(load("a"), gpu), "type", "CPU"), selecting(asking(require(load("b", "a")), gpu), "type", "TPU")},
			"DataLoad default/a cannot run anywhere: no node can meet type In [GPU] and type In [CPU]"},
		{"malformed", []dataflow.Operation{load("a"), asking(require(load("b", "a")), requiring("not a key", "v"))},
			"DataLoad default/b: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: Invalid value"},
		{"a malformed node name", []dataflow.Operation{load("a"), with(require(load("b", "a")), bound("Node_1"))},
			`DataLoad default/b: spec.nodeName: Invalid value: "Node_1": a lowercase RFC 1123 subdomain must`},
		{"malformed, of an operation without a constraint on it", []dataflow.Operation{load("a"), asking(load("b", "a"), requiring("not a key", "v"))}, "own"},
		{"after a cycle of sources", []dataflow.Operation{require(load("a", "x")), asking(require(load("b", "a")), gpu), load("root"), from("y", require(load("x", "root"))), require(load("y", "x"))}, "type In [GPU]"},
		{"unknown", []dataflow.Operation{load("b")}, "no DataLoad default/a in the flow"},
		{"its own source", []dataflow.Operation{from("a", require(load("a", "b"))), load("b")}, "cycle of dependOn: DataLoad default/a → DataLoad default/a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustFlow(t, c.ops...)
			a, err := f.Lookahead(ref("a"))
			got := oneLine(a)
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

// oneLine prints a required node affinity in one line.
func oneLine(a *corev1.Affinity) string {
	if a == nil {
		return "nothing"
	}
	var alternatives []string
	for _, t := range terms(a) {
		var words []string
		for _, e := range slices.Concat(t.MatchExpressions, t.MatchFields) {
			words = append(words, fmt.Sprint(e.Key, " ", e.Operator, " ", e.Values))
		}
		alternatives = append(alternatives, strings.Join(words, " and "))
	}
	return strings.Join(alternatives, " or ")
}

func TestLookaheadAllIsLookaheadOfEach(t *testing.T) {
	manyWorlds(t, 20, func(t *rapid.T, w *world) {
		i := 0
		for all := range w.flow.LookaheadAll() {
			a, err := w.flow.Lookahead(w.ops[i].Ref)
			if all.Operation != w.ops[i].Ref || !cmp.Equal(all.Affinity, a) || fmt.Sprint(all.Err) != fmt.Sprint(err) {
				t.Fatalf("%v, want %v, %v", all, a, err)
			}
			i++
		}
		if i != len(w.ops) {
			t.Fatalf("%d of %d operations", i, len(w.ops))
		}
		for range w.flow.LookaheadAll() {
			break
		}
	})
}

// The number of alternatives multiplies. Up to the limit all of them are passed up; beyond
// it only their common requirements, which is always necessary.
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
		if got := len(terms(a)); got != want && n < 7 || got > 64 {
			t.Errorf("%d operations: %d terms, want %d", n, got, want)
		}
		for _, term := range terms(a) {
			if e := term.MatchExpressions; !slices.ContainsFunc(e, func(e corev1.NodeSelectorRequirement) bool { return e.Key == "tier" }) {
				t.Errorf("%d operations: %v lacks the common requirement", n, term)
			}
		}
	}
}

// requireSame makes an operation require the hostname of its source.
func requireSame(op dataflow.Operation) dataflow.Operation {
	op.RunAfter.Strategy.Policy = affinity.Require
	return op
}

// line returns a chain of n operations, op-0 to op-n-1, that all require one hostname. The
// affinity of each is that which of returns.
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

// A contradiction names two operations, however far apart they are.
func TestContradictionsAreFoundAtAnyDistance(t *testing.T) {
	const n = 3000
	at := func(affinities map[int]*corev1.Affinity) *dataflow.Flow {
		return line(t, n, func(i int) *corev1.Affinity { return affinities[i] })
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
		{"the first and the last", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 runs: it requires pool In [b], and DataLoad default/op-0 requires pool In [a]",
			at(map[int]*corev1.Affinity{0: a, n - 1: b})},
		{"with others between", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 runs: it requires pool In [b], and DataLoad default/op-0 requires pool In [a]",
			distinct(a, b)},
		{"two beyond the first", "DataLoad default/op-2999 cannot run where DataLoad default/op-1500 runs: it requires pool In [b], and DataLoad default/op-1500 requires pool In [a]",
			at(map[int]*corev1.Affinity{1500: a, n - 1: b})},
		{"one by itself", "DataLoad default/op-2999 cannot run anywhere: no node can meet a required node affinity without terms, or with only empty ones",
			at(map[int]*corev1.Affinity{n - 1: {NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}})},
		{"only three together", "DataLoad default/op-2999 cannot run where DataLoad default/op-0 runs: it requires pool In [b, c], and the operations that must run there jointly require pool In [a, b] and pool In [a, c]",
			at(map[int]*corev1.Affinity{0: requiring("pool", "a", "b"), 1500: requiring("pool", "a", "c"), n - 1: requiring("pool", "b", "c")})},
		{"two, although three come first", "DataLoad default/op-2999 cannot run where DataLoad default/op-2000 runs: it requires zone In [b], and DataLoad default/op-2000 requires zone In [a]",
			at(map[int]*corev1.Affinity{0: requiring("pool", "a", "b"), 1500: requiring("pool", "a", "c"), 1700: requiring("pool", "b", "c"), 2000: requiring("zone", "a"), n - 1: requiring("zone", "b")})},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.flow.Lookahead(ref("op-0"))
			if contradiction := (*dataflow.ContradictionError)(nil); !errors.As(err, &contradiction) || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var first *dataflow.ContradictionError
			for l := range c.flow.LookaheadAll() {
				if first == nil {
					if fmt.Sprint(l.Err) != c.want {
						t.Fatalf("LookaheadAll: %v, want %s", l.Err, c.want)
					}
					errors.As(l.Err, &first)
					first.FollowerRequires = "scribbled over"
				} else if l.Err != nil && strings.Contains(l.Err.Error(), "scribbled") {
					t.Fatalf("%v shares memory with another", l.Err)
				}
			}
		})
	}
}

// The faults of many operations are found for each ancestor, at most a hundred.
func TestLookaheadOfFaultsAtSize(t *testing.T) {
	n := scale(5_000, 500)
	bad := requiring("not a key", "v")
	faults := func(err error) int { return len(dataflow.Faults(err)) }
	for _, c := range []struct {
		name        string
		bad         func(i int) bool
		first, last int // the number of faults for the first and the last operation
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
	// Two of many followers are malformed.
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

// The error of each operation in a cycle of sources holds its own cycle.
func TestLookaheadOfCyclesAtSize(t *testing.T) {
	n := scale(20_000, 2_000)
	ops := []dataflow.Operation{load("a")}
	for i := range n {
		op, other := requireSame(load(fmt.Sprint("op-", i), "a")), ref(fmt.Sprint("op-", i^1))
		op.RunAfter.DependOn = &other
		ops = append(ops, op)
	}
	for l := range mustFlow(t, ops...).LookaheadAll() {
		var cycle *dataflow.CycleError
		if errors.As(l.Err, &cycle) != (l.Operation != ref("a")) || cycle != nil && (len(cycle.Operations) != 2 || !slices.Contains(cycle.Operations, l.Operation)) {
			t.Fatalf("Lookahead(%v): %v", l.Operation, l.Err)
		}
	}
}

// either returns an affinity with the given terms, each a list of key=value, or of a key that
// must be absent.
func either(alternatives ...[]string) *corev1.Affinity {
	s := &corev1.NodeSelector{}
	for _, term := range alternatives {
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

// Constraints that are beyond the limit when they are combined one by one may be below it
// when they are passed up, and the reverse.
func TestContradictionsBeyondTheLimit(t *testing.T) {
	asking := func(op dataflow.Operation, a *corev1.Affinity) dataflow.Operation { op.Affinity = a; return op }
	var wide, other, narrow [][]string
	for j := range 60 {
		wide = append(wide, []string{fmt.Sprintf("a%d=v", j), fmt.Sprintf("z%d=v", j), fmt.Sprintf("y=%d", j)})
		other = append(other, []string{fmt.Sprintf("b%d=v", j), []string{"a1", "z1"}[j%2]})
	}
	var ab, cd [][]string
	for j := range 20 {
		ab = append(ab, []string{fmt.Sprintf("a=%d", j), fmt.Sprintf("b=%d", j)})
		cd = append(cd, []string{fmt.Sprintf("c=%d", j), fmt.Sprintf("d=%d", j)})
	}
	for j := range 40_000 {
		narrow = append(narrow, []string{fmt.Sprintf("y=%d", j+2), fmt.Sprintf("n%d=v", j)})
	}
	for _, c := range []struct {
		name string
		ops  []dataflow.Operation
		want string
	}{
		{"among followers", []dataflow.Operation{load("a"), asking(requireSame(load("b", "a")), either(wide...)),
			asking(requireSame(load("c", "a")), either(other...)), asking(requireSame(load("d", "b")), requiring("y", "1"))},
			"DataLoad default/c cannot run where DataLoad default/a runs: it requires a1 DoesNotExist, and the operations that must run there jointly require a1 In [v]"},
		{"with what a follower passes up", []dataflow.Operation{asking(load("a"), either(ab...)), asking(requireSame(load("b", "a")), either(cd...)),
			asking(requireSame(load("c", "b")), either([]string{"a=1", "b=2", "c=1"}, []string{"c=99"}))},
			"DataLoad default/b cannot run where DataLoad default/a runs: it requires a In [1], and the operations that must run there jointly require a In [0]"},
		{"more alternatives than are passed up", []dataflow.Operation{asking(load("a"), either(narrow...)), asking(requireSame(load("b", "a")), requiring("y", "1"))},
			"DataLoad default/b cannot run where DataLoad default/a runs: it requires y In [1], and DataLoad default/a requires y In [2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := mustFlow(t, c.ops...).Lookahead(ref("a")); fmt.Sprint(err) != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// The search for a pair ends where the ORed terms of the operations are too many. The joint
// contradiction is then named.
func TestTheSearchForAPairIsBounded(t *testing.T) {
	wide := func(name string, values ...string) dataflow.Operation {
		op := requireSame(load(name, "a"))
		op.Affinity = either()
		required := op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		for i := range 1100 {
			term := terms(requiring("k", values...))[0]
			term.MatchExpressions = append(term.MatchExpressions, terms(requiring(name, fmt.Sprint(i)))[0].MatchExpressions...)
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, term)
		}
		return op
	}
	a := changed(load("a"), requires("k", "1", "2"))
	want := "DataLoad default/c cannot run where DataLoad default/a runs: it requires k In [2, 3], and the operations that must run there jointly require k In [1, 2] and k In [1, 3]"
	if _, err := mustFlow(t, a, wide("b", "1", "3"), wide("c", "2", "3")).Lookahead(a.Ref); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Beyond the limit on terms, every node on which all operations can run is still matched.
func TestLawL5BeyondTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ops []dataflow.Operation
		n := rapid.IntRange(2, 6).Draw(t, "operations")
		labels := map[string]string{topology.Hostname: "n"} // of a node that admits all operations
		for i := range n {
			op := load(fmt.Sprint("op-", i))
			if i > 0 {
				op = requireSame(load(fmt.Sprint("op-", i), fmt.Sprint("op-", rapid.IntRange(0, i-1).Draw(t, "source"))))
				if rapid.IntRange(0, 3).Draw(t, "by zone") == 0 {
					op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: topology.Zone}}
				}
			}
			var alternatives [][]string
			width := rapid.SampledFrom([]int{1, 2, 8, 40, 64, 65, 100}).Draw(t, "terms")
			for j := range width {
				keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q", topology.Zone}), 0, 2, rapid.ID).Draw(t, "keys")
				term := []string{fmt.Sprintf("k%d=%d", i, j)}
				for _, key := range keys {
					term = append(term, fmt.Sprintf("%s=%d", key, rapid.IntRange(0, 1).Draw(t, "value")))
				}
				alternatives = append(alternatives, term)
			}
			op.Affinity = either(alternatives...)
			labels[fmt.Sprint("k", i)] = fmt.Sprint(rapid.IntRange(0, width-1).Draw(t, "alternative"))
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
		w := newWorld(f, cluster{nodes: nodes}, dataflow.ForecastOptions{})
		feasible, _ := w.feasible()
		for i, op := range w.ops {
			a, err := f.Lookahead(op.Ref)
			for n := range nodes {
				if feasible[i][n] && (err != nil || !affinitytest.Match(a, &nodes[n])) {
					t.Fatalf("Lookahead(%v) = %v, %v does not match %v", op.Ref, a, err, nodes[n].Labels)
				}
			}
		}
	})
}

// Above the limit too, the order in which operations are given changes nothing (law F2).
func TestLawF2LookaheadBeyondTheLimit(t *testing.T) {
	wide := func(name, key string, from int) dataflow.Operation {
		op := requireSame(load(name, "a"))
		op.Affinity = either()
		required := op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		for i := range 10 {
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, terms(requiring(key, fmt.Sprint(from+i)))...)
		}
		return op
	}
	a, b, c, d := load("a"), wide("b", "x", 0), wide("c", "y", 0), wide("d", "y", 50)
	for _, ops := range [][]dataflow.Operation{{a, b, c}, {a, b, c, d}} {
		want, wantErr := mustFlow(t, ops...).Lookahead(ref("a"))
		slices.Reverse(ops[1:])
		if got, err := mustFlow(t, ops...).Lookahead(ref("a")); !cmp.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%d operations: %s, %v\nin another order %s, %v", len(ops), oneLine(want), wantErr, oneLine(got), err)
		}
	}
}

// Requirements that are passed up through a long line are not copied at each step.
func TestLookaheadSharesPassedRequirements(t *testing.T) {
	size := func(n, distinct int) float64 {
		f := line(t, n, func(i int) *corev1.Affinity { return requiring(fmt.Sprint("k", i%distinct), "v") })
		return testing.AllocsPerRun(1, func() { f.Lookahead(ref("op-0")) }) / float64(n)
	}
	if few, many := size(5000, 1), size(5000, 50); many > 1.2*few {
		t.Errorf("%.1f allocations for an operation with one constraint in all, %.1f with fifty", few, many)
	}
	if short, long := size(1000, 50), size(8000, 50); long > 1.2*short {
		t.Errorf("%.1f allocations for an operation in a short line, %.1f in a long one", short, long)
	}
}

// Where three operations exclude each other only jointly, two that exclude each other by
// themselves are named instead, even if they are farther away.
func TestAPairIsNamedBeforeAJointContradiction(t *testing.T) {
	asking := func(name string, key string, values ...string) dataflow.Operation {
		op := requireSame(load(name, "a"))
		op.Affinity = requiring(key, values...)
		return op
	}
	a := load("a")
	a.Affinity = requiring("pool", "a", "b")
	ops := []dataflow.Operation{a, asking("b", "pool", "a", "c"), asking("c", "pool", "b", "c"), asking("d", "zone", "a"), asking("e", "zone", "b")}
	for n, want := range map[int]string{
		3: "DataLoad default/c cannot run where DataLoad default/a runs: it requires pool In [b, c], and the operations that must run there jointly require pool In [a, b] and pool In [a, c]",
		4: "DataLoad default/c cannot run where DataLoad default/a runs: it requires pool In [b, c], and the operations that must run there jointly require pool In [a, b] and pool In [a, c]",
		5: "DataLoad default/e cannot run where DataLoad default/d runs: it requires zone In [b], and DataLoad default/d requires zone In [a]",
	} {
		if _, err := mustFlow(t, ops[:n]...).Lookahead(a.Ref); err == nil || err.Error() != want {
			t.Errorf("of %d: %v, want %s", n, err, want)
		}
	}
}

// Of operations that are equally near, the first in the flow's order is named, whichever
// source it has.
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
	want := "DataLoad default/d cannot run where DataLoad default/a runs: it requires pool In [b], and DataLoad default/a requires pool In [a]"
	if _, err := f.Lookahead(a.Ref); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// An operation that is impossible by itself is named even if three others exclude each
// other.
func TestAnImpossibleOperationIsNamed(t *testing.T) {
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
		var contradiction *dataflow.ContradictionError
		if !errors.As(err, &contradiction) || !strings.Contains(err.Error(), "cannot run anywhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Lookahead returns a ContradictionError exactly if constraints contradict each other. It
// names an operation that is impossible by itself, or two that exclude each other, if there
// are any, and else a joint contradiction.
func TestLawL6ContradictionsNameTwoOperations(t *testing.T) {
	values := []string{"a", "b", "c", "d"}
	kinds := map[string]int{}
	try := func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "operations")
		ops, source, requires := make([]dataflow.Operation, n), make([]int, n), make([][]string, n)
		for i := range n {
			ops[i], source[i], requires[i] = load(fmt.Sprint("op-", i)), -1, values
			if i > 0 {
				source[i] = rapid.IntRange(-1, i-1).Draw(t, "source")
			}
			if source[i] >= 0 {
				ops[i] = requireSame(load(fmt.Sprint("op-", i), fmt.Sprint("op-", source[i])))
			}
			require := func(n int) {
				requires[i] = rapid.Permutation(values[:3]).Draw(t, "values")[:n]
				ops[i].Affinity = requiring("k", requires[i]...)
			}
			switch rapid.SampledFrom([]string{"two", "two", "two", "one", "nothing", "nowhere"}).Draw(t, "requires") {
			case "two":
				require(2)
			case "one":
				require(1)
			case "nowhere":
				ops[i].Affinity, requires[i] = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}, nil
			}
		}
		possible := func(which ...int) bool {
			return slices.ContainsFunc(values, func(value string) bool {
				return !slices.ContainsFunc(which, func(i int) bool { return !slices.Contains(requires[i], value) })
			})
		}
		f := mustFlow(t, ops...)
		for i := range ops {
			var subtree []int // the operations that must run where i does, itself included
			for j := i; j < n; j++ {
				if j == i || slices.Contains(subtree, source[j]) {
					subtree = append(subtree, j)
				}
			}
			_, err := f.Lookahead(ops[i].Ref)
			var contradiction *dataflow.ContradictionError
			if errors.As(err, &contradiction) == possible(subtree...) {
				t.Fatalf("%s: %v, possible: %v", ops[i].Ref, err, possible(subtree...))
			}
			if err == nil {
				continue
			}
			pair := slices.ContainsFunc(subtree, func(a int) bool {
				return slices.ContainsFunc(subtree, func(b int) bool { return !possible(a, b) })
			})
			at := func(ref dataflow.Ref) int {
				return slices.IndexFunc(ops, func(op dataflow.Operation) bool { return op.Ref == ref })
			}
			a, b := at(contradiction.Source), at(contradiction.Follower)
			if !slices.Contains(subtree, a) || !slices.Contains(subtree, b) || possible(a, b) && (pair || a == b) || contradiction.Jointly != possible(a, b) ||
				(contradiction.SourceRequires == "") != (a == b) || contradiction.FollowerRequires == "" {
				t.Fatalf("%s: %v", ops[i].Ref, err)
			}
			switch {
			case a == b:
				kinds["one"]++
			case pair:
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
		t.Errorf("not every kind of contradiction was drawn: %v", kinds)
	}
}

// The last of many followers may exclude another one.
func TestAPairIsNamedAmongManyFollowers(t *testing.T) {
	first := load("a")
	first.Affinity = requiring("zone", "a")
	ops := []dataflow.Operation{first}
	for i := range 1100 {
		op := requireSame(load(fmt.Sprintf("b-%04d", i), "a"))
		op.Affinity = requiring("pool", "a")
		ops = append(ops, op)
	}
	ops[1100].Affinity = requiring("pool", "b")
	want := "DataLoad default/b-1099 cannot run where DataLoad default/b-0000 runs: it requires pool In [b], and DataLoad default/b-0000 requires pool In [a]"
	if _, err := mustFlow(t, ops...).Lookahead(first.Ref); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Where three operations further down exclude each other jointly, two further up that exclude
// each other by themselves are named.
func TestAPairFurtherUpIsNamedBeforeAJointContradiction(t *testing.T) {
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
		"two":  {"zone", "DataLoad default/b cannot run where DataLoad default/a runs: it requires zone In [2], and DataLoad default/a requires zone In [1]"},
		"none": {"tier", "DataLoad default/d cannot run where DataLoad default/b runs: it requires pool In [b, c], and the operations that must run there jointly require pool In [a, b] and pool In [a, c]"},
	} {
		f := mustFlow(t, append([]dataflow.Operation{asking("a", "", tt.first, "1")}, three...)...)
		if _, err := f.Lookahead(ref("a")); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
