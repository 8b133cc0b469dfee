package dataflow_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The test covers every flow of up to four operations, each of them a root or after one of
// those before it, with policy Require on the hostname, on a rack, or on both; every list of
// up to three nodes that have each of the two labels with one of three values or not at
// all; and every choice of admitted nodes. Flows with equal ordered forests are tested
// once, and so are lists that differ in the order of nodes or in the names of values. No
// policy, and Prefer, constrain nothing; they are included with up to two operations.
//
// Where there are more than 64 choices of admitted nodes, about eight of them are tested
// for each flow and list, other ones each time; all of them with -exhaustive.
//
// No operation has started here, and each source is a predecessor that exposes its place:
// TestLawL1ForecastIsExact draws the rest.
func TestLawL1ExhaustivelyOnSmallFlows(t *testing.T) {
	catalogues := smallCatalogues(3)
	cases, completable, every := 0, 0, 0
	for n := 1; n <= scale(4, 3); n++ {
		for _, f := range smallFlows(t, n) {
			for _, nodes := range catalogues {
				tried := tryEverything(t, newWorld(f, cluster{nodes: nodes}, dataflow.ForecastOptions{}))
				choices := 1 << (n * len(nodes))
				step := 1
				if !*exhaustive && choices > 64 {
					step = choices/8 - 1 // odd, so that every operation and node is included
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

var exhaustive = flag.Bool("exhaustive", false, "test all small flows on all choices of admitted nodes (some minutes)")

// smallFlows returns one flow of n operations for each ordered forest with strategies.
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
		position, identity := map[dataflow.Ref]int{}, ""
		for op := range f.Operations() {
			position[op.Ref] = len(position)
			if op.RunAfter != nil {
				identity += fmt.Sprint(position[op.RunAfter.Ref], op.RunAfter.Strategy)
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

// smallCatalogues returns the lists of up to n nodes, one for each class of lists that are
// equal up to the order of nodes and the names of values. Each label has as many values as
// there are nodes.
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

// identityOf returns the same text for lists of values that are equal up to order and
// numbering. The value 0 means that the label is absent.
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

// tried holds every placement of a world without constraints. A choice of admitted nodes is
// a set of bits, one for each operation and node. A placement is the smallest choice that
// admits it.
type tried struct {
	*world
	index         *dataflow.NodeIndex
	every         []int   // the placements of all operations
	subtrees      [][]int // by operation, the operations of its subtree, the nearest first
	ofSubtree     [][]int // by operation, the placements of its subtree
	ofSubtreeUpTo [][]int // by operation and position in its subtree, the placements up to there
}

func (w *world) bit(op, node int) int { return 1 << (op*len(w.nodes) + node) }

func tryEverything(t *testing.T, w *world) *tried {
	all := &tried{world: w, index: mustIndex(t, w.nodes, nil)}
	placements := func(ops []int) (all []int) {
		for at := range w.placements(ops) {
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
		subtree := w.subtree(op)
		all.subtrees, all.ofSubtree = append(all.subtrees, subtree), append(all.ofSubtree, placements(subtree))
		for last := range w.ops {
			all.ofSubtreeUpTo = append(all.ofSubtreeUpTo, nil)
			if last < len(subtree) {
				all.ofSubtreeUpTo[len(all.ofSubtreeUpTo)-1] = placements(subtree[:last+1])
			}
		}
	}
	all.every = placements(every)
	return all
}

func admitsOne(choice int, placements []int, such int) bool {
	return slices.ContainsFunc(placements, func(p int) bool { return p&^choice == 0 && p&such == such })
}

// check compares the forecast of one choice with the placements that the choice admits.
func (t *tried) check(test *testing.T, choice int) (completable bool) {
	number := map[dataflow.Ref]int{}
	for i, op := range t.ops {
		number[op.Ref] = i
	}
	fc, err := t.flow.Forecast(t.index, dataflow.ForecastOptions{Admit: func(op dataflow.Operation, node *corev1.Node) bool {
		return choice&t.bit(number[op.Ref], int(node.Name[0]-'x')) != 0
	}})
	if err != nil {
		test.Fatal(err)
	}
	feasible := 0
	for _, p := range t.every {
		if p&^choice == 0 {
			feasible |= p
			completable = true
		}
	}
	var impossible []dataflow.Ref
	for op := range t.ops {
		fails := !admitsOne(choice, t.ofSubtree[op], 0)
		for follower := range t.ops {
			if t.source[follower] == op {
				fails = fails && admitsOne(choice, t.ofSubtree[follower], 0)
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
				at := slices.IndexFunc(t.ofSubtreeUpTo[op*len(t.ops):][:len(t.subtrees[op])], func(upTo []int) bool { return !admitsOne(choice, upTo, t.bit(op, node)) })
				strands = append(strands, dataflow.Strand{Node: n.Name, Blocks: t.ops[t.subtrees[op][at]].Ref})
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

// reaches reports whether an operation can be placed on a node after its source ran on a
// feasible one.
func (t *tried) reaches(op, node, feasible int) bool {
	source := t.source[op]
	for n := range t.nodes {
		if source < 0 || feasible&t.bit(source, n) != 0 && t.agrees(op, n, node) {
			return true
		}
	}
	return false
}
