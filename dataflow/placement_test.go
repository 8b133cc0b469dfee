package dataflow_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/testgen"
)

// world is what the laws of foresight speak of: operations, by their numbers in the
// flow's order, and nodes. All that it says it finds by trying every placement.
type world struct {
	flow    *dataflow.Flow
	ops     []dataflow.Operation
	nodes   []corev1.Node
	options dataflow.ForecastOptions

	placesOf [][]int // what places and leader found
	leaderOf []int
	keysOf   [][]string
}

func newWorld(f *dataflow.Flow, nodes []corev1.Node, options dataflow.ForecastOptions) *world {
	w := &world{flow: f, ops: slices.Collect(f.Operations()), nodes: nodes, options: options}
	for op := range w.ops {
		w.placesOf = append(w.placesOf, w.findPlaces(op))
	}
	for op := range w.ops {
		leader, keys := w.findLeader(op)
		w.leaderOf, w.keysOf = append(w.leaderOf, leader), append(w.keysOf, keys)
	}
	return w
}

// places returns the nodes that admit an operation.
func (w *world) places(op int) []int { return w.placesOf[op] }

// leader returns the operation that op must follow, and on which keys, or -1.
func (w *world) leader(op int) (int, []string) { return w.leaderOf[op], w.keysOf[op] }

// gone is the node, in a placement, of an operation that ran on a node which is not
// there any more, or of which nobody knows which it was.
func (w *world) gone() int { return len(w.nodes) }

func (w *world) findPlaces(op int) []int {
	name, ran := w.options.Ran[w.ops[op].Ref]
	var places []int
	for n := range w.nodes {
		if ran && w.nodes[n].Name == name || !ran && w.admits(op, n) {
			places = append(places, n)
		}
	}
	if ran && places == nil {
		return []int{w.gone()}
	}
	return places
}

func (w *world) admits(op, node int) bool {
	o, n := w.ops[op], &w.nodes[node]
	for key, value := range o.NodeSelector {
		if got, ok := n.Labels[key]; !ok || got != value {
			return false
		}
	}
	taints := slices.Clone(n.Spec.Taints)
	if n.Spec.Unschedulable {
		taints = append(taints, corev1.Taint{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"})
	}
	for _, taint := range taints {
		if taint.Effect != "PreferNoSchedule" && !tolerated(taint, o.Tolerations) {
			return false
		}
	}
	return matches(o.Affinity, n) && (w.options.Admit == nil || w.options.Admit(o, n))
}

func tolerated(taint corev1.Taint, by []corev1.Toleration) bool {
	for _, t := range by {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			continue
		}
		if t.Operator == "Exists" || (t.Operator == "" || t.Operator == "Equal") && t.Value == taint.Value {
			return true
		}
	}
	return false
}

// matches is the scheduler's verdict on the required node affinity.
func matches(a *corev1.Affinity, n *corev1.Node) bool {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		for _, e := range t.MatchExpressions {
			if value, present := n.Labels[e.Key]; !meets(e, value, present) {
				return false
			}
		}
		for _, e := range t.MatchFields {
			if !meets(e, n.Name, true) {
				return false
			}
		}
		return len(t.MatchExpressions)+len(t.MatchFields) > 0
	})
}

func meets(e corev1.NodeSelectorRequirement, value string, present bool) bool {
	switch e.Operator {
	case "In":
		return present && slices.Contains(e.Values, value)
	case "NotIn":
		return !present || !slices.Contains(e.Values, value)
	case "Exists":
		return present
	case "DoesNotExist":
		return !present
	}
	bound, _ := strconv.ParseInt(e.Values[0], 10, 64)
	n, err := strconv.ParseInt(value, 10, 64)
	return present && err == nil && (e.Operator == "Gt" && n > bound || e.Operator == "Lt" && n < bound)
}

func (w *world) findLeader(op int) (int, []string) {
	from, ok := source(w.ops[op])
	if !ok {
		return -1, nil
	}
	keys := required(w.ops[op])
	leader := slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == from })
	if leader < 0 || w.ops[leader].Distributed || w.ops[leader].Recurring {
		return -1, nil
	}
	exposed := append([]string{"kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"}, w.ops[leader].Exposes...)
	keys = slices.DeleteFunc(keys, func(key string) bool { return !slices.Contains(exposed, key) })
	if len(keys) == 0 || w.isGone(op) || w.isGone(leader) && (w.ran(op) || w.options.Ran[from] == "") {
		return -1, nil // what is done is done, and of what nobody knows there is nothing to follow
	}
	return leader, keys
}

func (w *world) ran(op int) bool { _, ran := w.options.Ran[w.ops[op].Ref]; return ran }

func (w *world) isGone(op int) bool { return w.ran(op) && w.places(op)[0] == w.gone() }

// agrees reports whether op, on node b, follows its leader, on node a. Of a node that is
// gone nothing is known.
func (w *world) agrees(op, a, b int) bool {
	_, keys := w.leader(op)
	if a == w.gone() {
		return false
	}
	for _, key := range keys {
		value, ok := w.nodes[a].Labels[key]
		got, has := w.nodes[b].Labels[key]
		if ok && (!has || got != value) {
			return false
		}
	}
	return true
}

// followers returns those that must follow op, itself first, the nearest first, and
// otherwise in the flow's order.
func (w *world) followers(op int) []int {
	distance := func(from int) int {
		for d := 0; from >= 0; d++ {
			if from == op {
				return d
			}
			from, _ = w.leader(from)
		}
		return -1
	}
	var line []int
	for d := range len(w.ops) {
		for i := range w.ops {
			if distance(i) == d {
				line = append(line, i)
			}
		}
	}
	return line
}

// all tries every way of giving nodes to some operations, and yields those in which
// each agrees with its leader, if that is one of them. A placement is indexed by
// operation.
func (w *world) all(ops []int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		at := make([]int, len(w.ops))
		places := make([][]int, len(w.ops))
		follows := make([]int, len(w.ops))
		for _, op := range ops {
			places[op] = w.places(op)
			follows[op], _ = w.leader(op)
		}
		var try func(k int) bool
		try = func(k int) bool {
			if k < len(ops) {
				for _, at[ops[k]] = range places[ops[k]] {
					if !try(k + 1) {
						return false
					}
				}
				return true
			}
			for _, op := range ops {
				if leader := follows[op]; slices.Contains(ops, leader) && !w.agrees(op, at[leader], at[op]) {
					return true
				}
			}
			return yield(at)
		}
		try(0)
	}
}

func (w *world) some(ops []int, such func(at []int) bool) bool {
	for at := range w.all(ops) {
		if such(at) {
			return true
		}
	}
	return false
}

// feasible is law L1 for nodes.
func (w *world) feasible() (nodes [][]bool, completable bool) {
	every := make([]int, len(w.ops))
	for op := range w.ops {
		every[op] = op
		nodes = append(nodes, make([]bool, len(w.nodes)+1))
	}
	for at := range w.all(every) {
		completable = true
		for op, node := range at {
			nodes[op][node] = true
		}
	}
	return nodes, completable
}

// impossible is law L1 for flows without any placement.
func (w *world) impossible() []dataflow.Ref {
	var refs []dataflow.Ref
	always := func([]int) bool { return true }
	for op := range w.ops {
		if w.some(w.followers(op), always) {
			continue
		}
		fails := false
		for follower := range w.ops {
			if leader, _ := w.leader(follower); leader == op && !w.some(w.followers(follower), always) {
				fails = true
			}
		}
		if !fails {
			refs = append(refs, w.ops[op].Ref)
		}
	}
	return refs
}

// strands is law L2.
func (w *world) strands(op int, feasible [][]bool) []dataflow.Strand {
	var strands []dataflow.Strand
	for _, node := range w.places(op) {
		if feasible[op][node] {
			continue
		}
		leader, _ := w.leader(op)
		reached := leader < 0
		for n := range w.nodes {
			reached = reached || feasible[leader][n] && w.agrees(op, n, node)
		}
		if !reached {
			continue
		}
		line := w.followers(op)
		n := slices.IndexFunc(line, func(last int) bool {
			upTo := line[:slices.Index(line, last)+1]
			return !w.some(upTo, func(at []int) bool { return at[op] == node })
		})
		strands = append(strands, dataflow.Strand{Node: w.nodes[node].Name, Blocks: w.ops[line[n]].Ref})
	}
	slices.SortFunc(strands, func(a, b dataflow.Strand) int { return strings.Compare(a.Node, b.Node) })
	return strands
}

// check holds a forecast against what trying every placement gives.
func (w *world) check(t interface {
	Helper()
	Fatalf(string, ...any)
}) (completable bool) {
	t.Helper()
	fc, err := w.flow.Forecast(w.nodes, w.options)
	if err != nil {
		t.Fatalf("Forecast: %v", err)
	}
	feasible, completable := w.feasible()
	if fc.Completable() != completable {
		t.Fatalf("Completable = %v, want %v in\n%v", fc.Completable(), completable, w)
	}
	if got, want := fc.Impossible(), w.impossible(); !slices.Equal(got, want) || (len(got) > 0) == completable {
		t.Fatalf("Impossible = %v, want %v in\n%v", got, want, w)
	}
	for op, o := range w.ops {
		var want []string
		for node := range w.nodes {
			if feasible[op][node] {
				want = append(want, w.nodes[node].Name)
			}
		}
		slices.Sort(want)
		if got := fc.Nodes(o.Ref); !slices.Equal(got, want) {
			t.Fatalf("Nodes(%v) = %v, want %v in\n%v", o.Ref, got, want, w)
		}
		var strands []dataflow.Strand
		if completable {
			strands = w.strands(op, feasible)
		}
		if got := fc.Strands(o.Ref); !slices.Equal(got, strands) {
			t.Fatalf("Strands(%v) = %v, want %v in\n%v", o.Ref, got, strands, w)
		}
	}
	return completable
}

// String shows a world that a test failed in.
func (w *world) String() string {
	text := ""
	for i, op := range w.ops {
		leader, keys := w.leader(i)
		text += fmt.Sprintf("%d %v follows %d on %v, may be on %v\n", i, op.Ref, leader, keys, w.places(i))
	}
	for i, n := range w.nodes {
		text += fmt.Sprintf("node %d %s %v unschedulable=%v taints=%v\n", i, n.Name, n.Labels, n.Spec.Unschedulable, n.Spec.Taints)
	}
	return text
}

// worlds draws flows of up to five operations on up to four nodes, and as many as not
// of them with operations that have run, on nodes that may be gone, or nobody knows where.
func worlds() *rapid.Generator[*world] {
	return rapid.Custom(func(t *rapid.T) *world {
		ops := runnable().Filter(func(ops []dataflow.Operation) bool { return len(ops) <= 5 }).Draw(t, "ops")
		for i := range ops {
			ops[i] = placeable(t, ops[i])
		}
		var options dataflow.ForecastOptions
		if rapid.IntRange(0, 4).Draw(t, "ran") == 4 {
			options.Ran = map[dataflow.Ref]string{}
			for _, op := range ops {
				if rapid.IntRange(0, 2).Draw(t, "this ran") == 0 {
					options.Ran[op.Ref] = rapid.SampledFrom([]string{"node-c", "node-a", "node-d", "node-b", "node-gone", ""}).Draw(t, "on")
				}
			}
		}
		if rapid.IntRange(0, 2).Draw(t, "admit") == 2 {
			refused := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
				return rapid.SampledFrom(ops).Draw(t, "op").Name + rapid.SampledFrom(nodeNames()).Draw(t, "node")
			}), 0, 4).Draw(t, "refused")
			options.Admit = func(op dataflow.Operation, n *corev1.Node) bool { return !slices.Contains(refused, op.Name+n.Name) }
		}
		return newWorld(mustFlow(t, ops...), nodeLists().Draw(t, "nodes"), options)
	})
}

// placeable gives an operation demands on its node.
func placeable(t *rapid.T, op dataflow.Operation) dataflow.Operation {
	if op.RunAfter != nil && rapid.IntRange(0, 1).Draw(t, "must follow") == 0 {
		op.RunAfter.Strategy.Policy = affinity.Require
	}
	switch rapid.IntRange(0, 9).Draw(t, "demands") {
	case 4:
		op.Affinity = requiring(rapid.SampledFrom(keys()).Draw(t, "own key"), "1", "node-1", "node-2")
	case 3:
		own := testgen.Affinity().Draw(t, "own")
		if _, err := affinity.Compile(nil, own); err == nil {
			op.Affinity = own
		}
	case 1:
		op.NodeSelector = map[string]string{rapid.SampledFrom(keys()[1:]).Draw(t, "key"): rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
	case 2, 5:
		op.Tolerations = rapid.SliceOfN(tolerations(), 1, 2).Draw(t, "tolerations")
	}
	return op
}

func tolerations() *rapid.Generator[corev1.Toleration] {
	return rapid.Custom(func(t *rapid.T) corev1.Toleration {
		return corev1.Toleration{
			Key:      rapid.SampledFrom([]string{"", "gpu", "node.kubernetes.io/unschedulable"}).Draw(t, "key"),
			Operator: rapid.SampledFrom([]corev1.TolerationOperator{"Exists", "Equal", "", "Near"}).Draw(t, "operator"),
			Value:    rapid.SampledFrom([]string{"", "1"}).Draw(t, "value"),
			Effect:   rapid.SampledFrom([]corev1.TaintEffect{"", "NoSchedule", "NoExecute", "PreferNoSchedule"}).Draw(t, "effect"),
		}
	})
}

func nodeNames() []string { return []string{"node-c", "node-a", "node-d", "node-b"} }

func nodeLists() *rapid.Generator[[]corev1.Node] {
	return rapid.Custom(func(t *rapid.T) []corev1.Node {
		var nodes []corev1.Node
		for i, name := range nodeNames()[:rapid.SampledFrom([]int{4, 3, 2, 1, 0, 4, 4, 3}).Draw(t, "nodes")] {
			n := corev1.Node{ObjectMeta: metav1.ObjectMeta{
				Name:   name,
				Labels: rapid.MapOfN(rapid.SampledFrom(append(keys(), "tier")), rapid.SampledFrom([]string{"", "1", "2"}), 0, 5).Draw(t, "labels"),
			}}
			if rapid.IntRange(0, 3).Draw(t, "hostname") > 0 {
				n.Labels["kubernetes.io/hostname"] = fmt.Sprintf("node-%d", i)
			}
			n.Spec.Unschedulable = rapid.IntRange(0, 7).Draw(t, "cordoned") == 7
			if rapid.IntRange(0, 5).Draw(t, "tainted") == 5 {
				n.Spec.Taints = []corev1.Taint{{
					Key:    "gpu",
					Value:  rapid.SampledFrom([]string{"", "1"}).Draw(t, "taint"),
					Effect: rapid.SampledFrom([]corev1.TaintEffect{"NoSchedule", "NoExecute", "PreferNoSchedule"}).Draw(t, "effect"),
				}}
			}
			nodes = append(nodes, n)
		}
		return nodes
	})
}

// manyWorlds checks more worlds than rapid does by itself: most are dull.
func manyWorlds(t *testing.T, check func(t *rapid.T, w *world)) {
	for range 100 {
		rapid.Check(t, func(t *rapid.T) { check(t, worlds().Draw(t, "world")) })
	}
}

// scale returns how much of something a test does: less with -short, which is for tests
// that run again and again, as under a mutation tester.
func scale(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}
