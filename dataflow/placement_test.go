package dataflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// tester is the part of testing.TB that *rapid.T has as well.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// mustForecast returns the forecast of a flow on nodes.
func mustForecast(t tester, f *dataflow.Flow, nodes []corev1.Node, options dataflow.ForecastOptions) *dataflow.Forecast {
	t.Helper()
	fc, err := f.Forecast(mustIndex(t, nodes, nil), options)
	if err != nil {
		t.Fatalf("Forecast: %v", err)
	}
	return fc
}

func mustIndex(t tester, nodes []corev1.Node, used map[string]corev1.ResourceList) *dataflow.NodeIndex {
	t.Helper()
	index, err := dataflow.IndexNodes(nodes, used)
	if err != nil {
		t.Fatalf("IndexNodes: %v", err)
	}
	return index
}

// cluster is nodes, and what pods request there, by the name of the node.
type cluster struct {
	nodes []corev1.Node
	used  map[string]corev1.ResourceList
}

// world is a flow, a cluster and what happened so far: what the laws L1 to L10 speak of. Its
// methods state these laws by trying every placement. Operations are numbered in the flow's
// order.
type world struct {
	cluster
	flow    *dataflow.Flow
	ops     []dataflow.Operation
	options dataflow.ForecastOptions

	// By operation: the nodes that admit it by itself; those of them with the labels
	// that it inherits from a settled source, or for a settled operation the node
	// where it ran; the source that still needs a node, or -1; and the keys whose
	// values must agree.
	admitted, possible [][]int
	source             []int
	keys               [][]string
}

func newWorld(f *dataflow.Flow, c cluster, options dataflow.ForecastOptions) *world {
	w := &world{cluster: c, flow: f, ops: slices.Collect(f.Operations()), options: options}
	for op := range w.ops {
		var admitted []int
		for n := range w.nodes {
			if w.refusedBy(op, n) == "" {
				admitted = append(admitted, n)
			}
		}
		source, keys := w.findSource(op)
		w.admitted, w.possible = append(w.admitted, admitted), append(w.possible, w.findPossible(op, admitted))
		w.source, w.keys = append(w.source, source), append(w.keys, keys)
	}
	return w
}

// forecast returns the forecast of the world's flow.
func (w *world) forecast(t tester) *dataflow.Forecast {
	t.Helper()
	fc, err := w.flow.Forecast(mustIndex(t, w.nodes, w.used), w.options)
	if err != nil {
		t.Fatalf("Forecast: %v", err)
	}
	return fc
}

func (w *world) observation(op int) dataflow.Observation { return w.options.Seen[w.ops[op].Ref] }

// settled reports whether an operation needs no node any more (law L7).
func (w *world) settled(op int) bool { return isSettled(w.observation(op)) }

func isSettled(o dataflow.Observation) bool {
	return o.Phase == "Complete" || o.Phase == "Executing" && o.Node != ""
}

// unknown is the node, in a placement, of a settled operation whose node is not known or
// does not exist.
func (w *world) unknown() int { return len(w.nodes) }

func (w *world) node(name string) int {
	n := slices.IndexFunc(w.nodes, func(n corev1.Node) bool { return n.Name == name })
	if n < 0 {
		return w.unknown()
	}
	return n
}

func (w *world) findPossible(op int, admitted []int) []int {
	switch {
	case w.settled(op):
		return []int{w.node(w.observation(op).Node)}
	case w.observation(op).Phase == "Failed":
		return nil
	}
	return slices.DeleteFunc(slices.Clone(admitted), func(n int) bool { return !w.hasInherited(op, n) })
}

// isBlocked reports whether an operation waits for one outside the flow that failed.
func (w *world) isBlocked(op int) bool {
	failed := func(ref dataflow.Ref, ok bool) bool {
		inFlow := slices.ContainsFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == ref })
		return ok && !inFlow && w.options.Seen[ref].Phase == "Failed"
	}
	switch w.observation(op).Phase {
	case "Executing", "Complete", "Failed":
		return false
	}
	return failed(w.ops[op].Predecessor()) || failed(w.ops[op].Source())
}

// hasInherited reports whether a node has the labels that an operation must inherit from
// a settled source: law L7.
func (w *world) hasInherited(op, node int) bool {
	from, ok := source(w.ops[op])
	seen := w.options.Seen[from]
	if !ok || !isSettled(seen) {
		return true
	}
	exposed := exposes(dataflow.Operation{}) // of an operation outside the flow the built-in keys are known
	at := slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == from })
	if at >= 0 {
		exposed = exposes(w.ops[at])
	}
	for _, key := range required(w.ops[op]) {
		var value string
		var recorded bool
		switch {
		case seen.Phase == "Complete":
			value, recorded = seen.Labels.Get(key)
			recorded = recorded && exposed != nil
		case !slices.Contains(exposed, key):
		case w.node(seen.Node) == w.unknown():
			return false // no node is the one that has gone
		default:
			value, recorded = w.nodes[w.node(seen.Node)].Labels[key]
		}
		if got, has := w.nodes[node].Labels[key]; recorded && (!has || got != value) {
			return false
		}
	}
	return true
}

// refusedBy returns the first filter by which a node refuses an operation by itself, or "":
// law L9.
func (w *world) refusedBy(op, node int) dataflow.Verdict {
	o, n := w.ops[op], &w.nodes[node]
	if _, requested := o.Requests["example.com/gpu"]; requested && w.options.ExtendedResourceToleration {
		o.Tolerations = append(slices.Clip(o.Tolerations), corev1.Toleration{Key: "example.com/gpu", Operator: "Exists", Effect: "NoSchedule"})
	}
	switch dataflowtest.RefusedBy(o, n, w.used[n.Name]) {
	case "NodeUnschedulable":
		return dataflow.VerdictCordon
	case "NodeName":
		return dataflow.VerdictNodeName
	case "TaintToleration":
		return dataflow.VerdictTaint
	case "NodeAffinity":
		if !selects(o, n) {
			return dataflow.VerdictSelector
		}
		return dataflow.VerdictAffinity
	case "NodeResourcesFit":
		return dataflow.VerdictResources
	}
	if w.options.Admit != nil && !w.options.Admit(o, n) {
		return dataflow.VerdictCaller
	}
	return ""
}

// selects reports whether a node matches the node selector of an operation.
func selects(op dataflow.Operation, n *corev1.Node) bool {
	for key, value := range op.NodeSelector {
		if got, ok := n.Labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// terms returns the terms of a required node affinity.
func terms(a *corev1.Affinity) []corev1.NodeSelectorTerm {
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

func (w *world) findSource(op int) (int, []string) {
	from, ok := source(w.ops[op])
	if !ok {
		return -1, nil
	}
	source := slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == from })
	if source < 0 || w.settled(op) || w.settled(source) {
		return -1, nil
	}
	exposed := exposes(w.ops[source])
	keys := slices.DeleteFunc(required(w.ops[op]), func(key string) bool { return !slices.Contains(exposed, key) })
	if len(keys) == 0 {
		return -1, nil
	}
	return source, keys
}

// agrees reports whether op can run on node b after its source ran on node a.
func (w *world) agrees(op, a, b int) bool {
	for _, key := range w.keys[op] {
		value, ok := w.nodes[a].Labels[key]
		got, has := w.nodes[b].Labels[key]
		if ok && (!has || got != value) {
			return false
		}
	}
	return true
}

// subtree returns op and its followers, direct or not: the nearest first, and otherwise in
// the flow's order.
func (w *world) subtree(op int) []int {
	distance := func(from int) int {
		for d := 0; from >= 0; d++ {
			if from == op {
				return d
			}
			from = w.source[from]
		}
		return -1
	}
	var subtree []int
	for d := range len(w.ops) {
		for i := range w.ops {
			if distance(i) == d {
				subtree = append(subtree, i)
			}
		}
	}
	return subtree
}

// placements tries every choice of nodes for some operations, and yields those in which
// each operation agrees with its source, if that is one of them. A placement is indexed by
// operation.
func (w *world) placements(ops []int) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		if slices.ContainsFunc(ops, w.isBlocked) {
			return
		}
		at := make([]int, len(w.ops))
		var try func(k int) bool
		try = func(k int) bool {
			if k < len(ops) {
				for _, at[ops[k]] = range w.possible[ops[k]] {
					if !try(k + 1) {
						return false
					}
				}
				return true
			}
			for _, op := range ops {
				if source := w.source[op]; slices.Contains(ops, source) && !w.agrees(op, at[source], at[op]) {
					return true
				}
			}
			return yield(at)
		}
		try(0)
	}
}

func (w *world) some(ops []int, such func(at []int) bool) bool {
	for at := range w.placements(ops) {
		if such(at) {
			return true
		}
	}
	return false
}

// feasible is law L1 for nodes: by operation and node.
func (w *world) feasible() (nodes [][]bool, completable bool) {
	every := make([]int, len(w.ops))
	for op := range w.ops {
		every[op] = op
		nodes = append(nodes, make([]bool, len(w.nodes)+1))
	}
	for at := range w.placements(every) {
		completable = true
		for op, node := range at {
			nodes[op][node] = true
		}
	}
	return nodes, completable
}

// impossible is law L1 for flows without any placement.
func (w *world) impossible() []dataflow.Ref {
	fails := func(op int) bool { return !w.some(w.subtree(op), func([]int) bool { return true }) }
	var refs []dataflow.Ref
	for op := range w.ops {
		followerFails := false
		for follower := range w.ops {
			followerFails = followerFails || w.source[follower] == op && fails(follower)
		}
		if fails(op) && !followerFails {
			refs = append(refs, w.ops[op].Ref)
		}
	}
	return refs
}

// strands is law L2.
func (w *world) strands(op int, feasible [][]bool) []dataflow.Strand {
	var strands []dataflow.Strand
	for _, node := range w.possible[op] {
		if feasible[op][node] {
			continue
		}
		source := w.source[op]
		reached := source < 0
		for n := range w.nodes {
			reached = reached || feasible[source][n] && w.agrees(op, n, node)
		}
		if !reached {
			continue
		}
		subtree := w.subtree(op)
		n := slices.IndexFunc(subtree, func(last int) bool {
			upTo := subtree[:slices.Index(subtree, last)+1]
			return !w.some(upTo, func(at []int) bool { return at[op] == node })
		})
		strands = append(strands, dataflow.Strand{Node: w.nodes[node].Name, Blocks: w.ops[subtree[n]].Ref})
	}
	slices.SortFunc(strands, func(a, b dataflow.Strand) int { return strings.Compare(a.Node, b.Node) })
	return strands
}

// checkNodes compares where a forecast places operations with the result of trying every
// placement.
func (w *world) checkNodes(t tester) (completable bool) {
	t.Helper()
	fc := w.forecast(t)
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
		if (fc.Reason(o.Ref) != "") != slices.Contains(fc.Impossible(), o.Ref) {
			t.Fatalf("Reason(%v) = %q, and impossible are %v", o.Ref, fc.Reason(o.Ref), fc.Impossible())
		}
	}
	return completable
}

// checkStrands compares the strands of a forecast with the result of trying every placement.
// It returns those of each operation.
func (w *world) checkStrands(t tester) [][]dataflow.Strand {
	t.Helper()
	fc := w.forecast(t)
	feasible, completable := w.feasible()
	all := make([][]dataflow.Strand, len(w.ops))
	for op, o := range w.ops {
		if completable {
			all[op] = w.strands(op, feasible)
		}
		if got := fc.Strands(o.Ref); !slices.Equal(got, all[op]) {
			t.Fatalf("Strands(%v) = %v, want %v in\n%v", o.Ref, got, all[op], w)
		}
	}
	return all
}

// String prints a world in which a test failed.
func (w *world) String() string {
	var b strings.Builder
	for i, op := range w.ops {
		fmt.Fprintf(&b, "%d %v: source %d by %v, admitted on %v, possible on %v, seen %+v\n", i, op.Ref, w.source[i], w.keys[i], w.admitted[i], w.possible[i], w.observation(i))
	}
	for i, n := range w.nodes {
		fmt.Fprintf(&b, "node %d %s %v unschedulable=%v taints=%v\n", i, n.Name, n.Labels, n.Spec.Unschedulable, n.Spec.Taints)
	}
	return b.String()
}

// worlds draws flows of up to five operations on up to four nodes.
func worlds() *rapid.Generator[*world] { return rapid.OneOf(anyWorlds(), orderlyWorlds()) }

// orderlyWorlds draws flows in which an operation can strand a follower of a follower: each
// operation but the first has a source, few have constraints, and each node has all labels.
func orderlyWorlds() *rapid.Generator[*world] {
	return rapid.Custom(func(t *rapid.T) *world {
		var ops []dataflow.Operation
		for i := range rapid.IntRange(3, 5).Draw(t, "n") {
			op := dataflow.Operation{Ref: named(i), Exposes: keys()}
			if i > 0 {
				op.RunAfter = &dataflow.RunAfter{Ref: named(max(0, i-rapid.IntRange(1, 2).Draw(t, "after"))), Strategy: affinity.Strategy{Policy: affinity.Require}}
				op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: rapid.SampledFrom(keys()).Draw(t, "key")}}
			}
			if i > 0 && rapid.Bool().Draw(t, "constrained") {
				op.Affinity = requiring(rapid.SampledFrom(keys()[1:]).Draw(t, "own key"), "1")
			}
			ops = append(ops, op)
		}
		var c cluster
		for i, name := range nodeNames() {
			n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": fmt.Sprintf("node-%d", i)}}}
			for _, key := range keys()[1:] {
				n.Labels[key] = rapid.SampledFrom([]string{"1", "2"}).Draw(t, key)
			}
			c.nodes = append(c.nodes, n)
		}
		var options dataflow.ForecastOptions
		if rapid.IntRange(0, 2).Draw(t, "some have started") == 2 {
			options.Seen = observed(t, ops[:2], c.nodes)
		}
		return newWorld(mustFlow(t, ops...), c, options)
	})
}

// anyWorlds draws worlds of every kind. In one of four some operations have started, and some
// of them are not in the flow any more.
func anyWorlds() *rapid.Generator[*world] {
	return rapid.Custom(func(t *rapid.T) *world {
		ops := runnable(5).Draw(t, "ops")
		for i := range ops {
			ops[i] = placeable(t, ops[i])
		}
		c := clusters().Draw(t, "cluster")
		var options dataflow.ForecastOptions
		if rapid.IntRange(0, 3).Draw(t, "some have started") == 3 {
			options.Seen = observed(t, ops, c.nodes)
			for len(ops) > 1 && rapid.IntRange(0, 2).Draw(t, "deleted") == 2 {
				ops = ops[1:]
			}
		}
		if rapid.IntRange(0, 2).Draw(t, "admit") == 2 {
			refused := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
				return rapid.SampledFrom(ops).Draw(t, "op").Ref.Name + rapid.SampledFrom(nodeNames()).Draw(t, "node")
			}), 0, 4).Draw(t, "refused")
			options.Admit = func(op dataflow.Operation, n *corev1.Node) bool { return !slices.Contains(refused, op.Ref.Name+n.Name) }
		}
		options.ExtendedResourceToleration = rapid.IntRange(0, 3).Draw(t, "extended resource toleration") == 3
		return newWorld(mustFlow(t, ops...), c, options)
	})
}

// observed draws what was seen of some operations.
func observed(t *rapid.T, ops []dataflow.Operation, nodes []corev1.Node) map[dataflow.Ref]dataflow.Observation {
	seen := map[dataflow.Ref]dataflow.Observation{}
	for _, op := range ops {
		if o := started(nodes).Draw(t, "observation"); o.Phase != "" {
			seen[op.Ref] = o
		}
	}
	return seen
}

// started draws an observation: of an operation that has not started, or one that runs or
// ran on a node that is there, is gone, or is not known. It recorded the labels that a
// node has now, others, or nothing.
func started(nodes []corev1.Node) *rapid.Generator[dataflow.Observation] {
	return rapid.Custom(func(t *rapid.T) dataflow.Observation {
		o := dataflow.Observation{Phase: rapid.SampledFrom([]dataflow.Phase{"", "", "Complete", "Complete", "Executing", "Failed"}).Draw(t, "phase")}
		if o.Phase == "Failed" && rapid.IntRange(0, 3).Draw(t, "not failed") > 0 {
			o.Phase = "Complete"
		}
		o.Node = rapid.SampledFrom(append(nodeNames(), "node-gone", "")).Draw(t, "on")
		labels := map[string]string{}
		switch rapid.SampledFrom([]string{"its node's", "any", "none"}).Draw(t, "recorded") {
		case "its node's":
			for _, n := range nodes {
				if n.Name == o.Node {
					labels = n.Labels
				}
			}
		case "any":
			labels = nodeLabels().Draw(t, "labels")
		}
		o.Labels = topology.NewLabelSet(labels)
		return o
	})
}

// placeable gives an operation constraints on its node.
func placeable(t *rapid.T, op dataflow.Operation) dataflow.Operation {
	if op.RunAfter != nil && rapid.Bool().Draw(t, "requires") {
		op.RunAfter.Strategy.Policy = affinity.Require
	}
	switch rapid.IntRange(0, 19).Draw(t, "constraints") {
	case 10:
		op.NodeName = rapid.SampledFrom(append(nodeNames(), "node-gone")).Draw(t, "node name")
	case 11:
		op.Requests = resources("0", "1", "500m", "2").Draw(t, "requests")
	case 4:
		op.Affinity = requiring(rapid.SampledFrom(keys()).Draw(t, "own key"), "1", "node-1", "node-2")
	case 3:
		own := affinitytest.Affinities().Draw(t, "own")
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
			Key:      rapid.SampledFrom([]string{"", "gpu", "example.com/gpu", "node.kubernetes.io/unschedulable"}).Draw(t, "key"),
			Operator: rapid.SampledFrom([]corev1.TolerationOperator{"Exists", "Equal", "", "Near"}).Draw(t, "operator"),
			Value:    rapid.SampledFrom([]string{"", "1"}).Draw(t, "value"),
			Effect:   rapid.SampledFrom([]corev1.TaintEffect{"", "NoSchedule", "NoExecute", "PreferNoSchedule"}).Draw(t, "effect"),
		}
	})
}

func nodeNames() []string { return []string{"node-c", "node-a", "node-d", "node-b"} }

// nodeLabels draws labels that operations require and expose, and one that no operation
// names.
func nodeLabels() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(rapid.SampledFrom(append(keys(), "tier")), rapid.SampledFrom([]string{"", "1", "2"}), 0, 5)
}

// resources draws amounts of some resources, among them one that kube-scheduler does not
// count.
func resources(amounts ...string) *rapid.Generator[corev1.ResourceList] {
	return rapid.Map(
		rapid.MapOfN(rapid.SampledFrom([]corev1.ResourceName{"cpu", "memory", "pods", "example.com/gpu", "storage"}), rapid.SampledFrom(amounts), 1, 3),
		func(drawn map[corev1.ResourceName]string) corev1.ResourceList {
			list := corev1.ResourceList{}
			for name, amount := range drawn {
				list[name] = resource.MustParse(amount)
			}
			return list
		})
}

func clusters() *rapid.Generator[cluster] {
	return rapid.Custom(func(t *rapid.T) cluster {
		c := cluster{used: map[string]corev1.ResourceList{}}
		for i, name := range nodeNames()[:rapid.SampledFrom([]int{4, 3, 4, 2, 4, 3, 4, 1, 4, 3, 4, 0}).Draw(t, "nodes")] {
			n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: nodeLabels().Draw(t, "labels")}}
			if rapid.IntRange(0, 3).Draw(t, "hostname") > 0 {
				n.Labels["kubernetes.io/hostname"] = fmt.Sprintf("node-%d", i)
			}
			n.Spec.Unschedulable = rapid.IntRange(0, 9).Draw(t, "cordoned") == 9
			if rapid.IntRange(0, 7).Draw(t, "tainted") == 7 {
				n.Spec.Taints = rapid.SliceOfN(taints(), 1, 2).Draw(t, "taints")
			}
			if rapid.IntRange(0, 4).Draw(t, "allocatable") == 4 {
				n.Status.Allocatable = resources("1", "2", "3").Draw(t, "allocatable")
				c.used[name] = resources("0", "1", "500m").Draw(t, "used")
			}
			c.nodes = append(c.nodes, n)
		}
		return c
	})
}

func taints() *rapid.Generator[corev1.Taint] {
	return rapid.Custom(func(t *rapid.T) corev1.Taint {
		return corev1.Taint{
			Key:    rapid.SampledFrom([]string{"gpu", "example.com/gpu", "node.kubernetes.io/unschedulable"}).Draw(t, "taint"),
			Value:  rapid.SampledFrom([]string{"", "1"}).Draw(t, "value"),
			Effect: rapid.SampledFrom([]corev1.TaintEffect{"NoSchedule", "NoExecute", "PreferNoSchedule"}).Draw(t, "effect"),
		}
	})
}

// manyWorlds checks n hundred worlds: in most of them little can go wrong.
func manyWorlds(t *testing.T, n int, check func(t *rapid.T, w *world)) {
	for range n {
		rapid.Check(t, func(t *rapid.T) { check(t, worlds().Draw(t, "world")) })
	}
}

// scale returns how much a test does: less with -short.
func scale(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}
