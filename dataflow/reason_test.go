package dataflow_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// nodeLike returns a node with a hostname, of type CPU unless changed.
func nodeLike(name string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{topology.Hostname: name, "type": "CPU"}}}
	for _, c := range change {
		c(&n)
	}
	return n
}

func labelled(key, value string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Labels[key] = value }
}

func tainted(key, value string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: effect})
	}
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func allocatable(cpu, pods string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourcePods: resource.MustParse(pods)}
	}
}

// changed returns an operation with changes.
func changed(op dataflow.Operation, change ...func(*dataflow.Operation)) dataflow.Operation {
	for _, c := range change {
		op = with(op, c)
	}
	return op
}

func requires(key string, values ...string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.Affinity = requiring(key, values...) }
}

func selecting(key, value string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.NodeSelector = map[string]string{key: value} }
}

func requests(name corev1.ResourceName, amount string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) {
		if op.Requests == nil {
			op.Requests = corev1.ResourceList{}
		}
		op.Requests[name] = resource.MustParse(amount)
	}
}

func bound(node string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.NodeName = node }
}

func exposing(keys ...string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.Exposes = keys }
}

// by makes an operation require labels of its source.
func by(keys ...string) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) {
		op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require}
		for _, key := range keys {
			op.RunAfter.Strategy.Requires = append(op.RunAfter.Strategy.Requires, affinity.RequiredLabel{Key: key})
		}
	}
}

// kind changes the kind of an operation.
func kind(k dataflow.Kind) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.Ref.Kind = k }
}

// script makes an operation a DataProcess with a script processor.
func script(op *dataflow.Operation) { op.Ref.Kind, op.Script = dataflow.DataProcess, true }

// afterKind changes the kind of the predecessor.
func afterKind(k dataflow.Kind) func(*dataflow.Operation) {
	return func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = k }
}

func completeOn(hostname string) dataflow.Observation {
	return dataflow.Observation{Phase: dataflow.Complete, Node: hostname, Labels: topology.NewLabelSet(map[string]string{topology.Hostname: hostname})}
}

// The golden file holds the reasons, problems and groups of forecasts, and why operations
// cannot run on nodes.
func TestForecastsReadWell(t *testing.T) {
	gpu, cpu, ssd := requires("type", "GPU"), requires("type", "CPU"), selecting("disk", "ssd")
	six := []corev1.Node{nodeLike("c1"), nodeLike("c2"), nodeLike("c3"), nodeLike("c4"), nodeLike("c5"), nodeLike("g1", labelled("type", "GPU"))}
	two := []corev1.Node{nodeLike("c1"), nodeLike("g1", labelled("type", "GPU"))}
	seen := func(o dataflow.Observation) dataflow.ForecastOptions {
		return dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{ref("a"): o}}
	}
	onCPU := dataflow.Observation{Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{"type": "CPU"})}
	nowhere := dataflow.ForecastOptions{Admit: func(dataflow.Operation, *corev1.Node) bool { return false }}
	stranding := func(k dataflow.Kind) []dataflow.Operation {
		return []dataflow.Operation{changed(load("a"), kind(k)), changed(load("b", "a"), afterKind(k), by(), selecting("type", "GPU"))}
	}
	// Different nodes strand different followers.
	var many []dataflow.Operation
	many = append(many, load("a"))
	for i := range 6 {
		values := []string{"type-9"}
		for _, other := range []int{0, 0, 1, 2, 3, 4, 5, 6, 7, 8}[i+1:] {
			values = append(values, fmt.Sprint("type-", other))
		}
		many = append(many, changed(load(fmt.Sprint("op-", i), "a"), by(), requires("node.kubernetes.io/instance-type", values...)))
	}
	types := []string{}
	for i := range 9 {
		types = append(types, fmt.Sprint("type-", i))
	}

	var got bytes.Buffer
	for _, c := range []struct {
		name  string
		ops   []dataflow.Operation
		nodes []corev1.Node
		opts  dataflow.ForecastOptions
	}{
		{"no problem", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, six, dataflow.ForecastOptions{}},
		{"no nodes", []dataflow.Operation{changed(load("a"), ssd)}, nil, dataflow.ForecastOptions{}},

		{"a label that no node has", []dataflow.Operation{changed(load("a"), func(op *dataflow.Operation) { op.Exposes = []string{"example.com/rack"} }), changed(load("b", "a"), by("example.com/rack"))}, six, dataflow.ForecastOptions{}},
		{"a node selector", []dataflow.Operation{changed(load("a"), ssd, cpu)}, two, dataflow.ForecastOptions{}},
		{"an affinity, on one node", []dataflow.Operation{changed(load("a"), gpu)}, two[:1], dataflow.ForecastOptions{}},
		{"an affinity with two terms", []dataflow.Operation{changed(load("a"), func(op *dataflow.Operation) { op.Affinity = either([]string{"disk=ssd"}, []string{"type=TPU"}) })}, two, dataflow.ForecastOptions{}},
		{"an affinity that matches no node", []dataflow.Operation{changed(load("a"), func(op *dataflow.Operation) { op.Affinity = either(nil) })}, two, dataflow.ForecastOptions{}},
		{"an affinity for a node by its name", []dataflow.Operation{changed(load("a"), func(op *dataflow.Operation) { op.Affinity = onNode("n1") })}, two, dataflow.ForecastOptions{}},
		{"the affinity of a job", []dataflow.Operation{changed(load("a"), kind(dataflow.DataProcess), selecting("type", "CPU"), requires("type", "TPU"))}, two, dataflow.ForecastOptions{}},
		{"either of two constraints", []dataflow.Operation{changed(load("a"), selecting("type", "GPU"), cpu)}, two, dataflow.ForecastOptions{}},
		{"both of two constraints", []dataflow.Operation{changed(load("a"), selecting("type", "TPU"), requires("type", "TPU"))}, two, dataflow.ForecastOptions{}},
		{"taints", []dataflow.Operation{load("a")}, []corev1.Node{nodeLike("n1", tainted("k", "", "NoSchedule")), nodeLike("n2", tainted("k", "v", "NoExecute"))}, dataflow.ForecastOptions{}},
		{"a taint, of a backup", []dataflow.Operation{changed(load("a"), kind(dataflow.DataBackup))}, []corev1.Node{nodeLike("n1", tainted("k", "", "NoSchedule"))}, dataflow.ForecastOptions{}},
		{"a taint, of a script", []dataflow.Operation{changed(load("a"), script)}, []corev1.Node{nodeLike("n1", tainted("k", "", "NoSchedule"))}, dataflow.ForecastOptions{}},
		{"several resources", []dataflow.Operation{changed(load("a"), requests("cpu", "5"), requests("memory", "9Gi"), requests("ephemeral-storage", "1Gi"), requests("example.com/fpga", "1"), requests("nvidia.com/gpu", "1"))}, []corev1.Node{
			nodeLike("n1", allocatable("4", "3")), nodeLike("n2", allocatable("6", "3"), func(n *corev1.Node) {
				n.Status.Allocatable["memory"], n.Status.Allocatable["ephemeral-storage"] = resource.MustParse("8Gi"), resource.MustParse("1Gi")
			}),
		}, dataflow.ForecastOptions{}},
		{"cordons", []dataflow.Operation{load("a")}, []corev1.Node{nodeLike("n1", cordoned), nodeLike("n2", cordoned, tainted("k", "", "NoSchedule"))}, dataflow.ForecastOptions{}},
		{"a cordon and a taint, of a backup", []dataflow.Operation{changed(load("a"), kind(dataflow.DataBackup))}, []corev1.Node{nodeLike("n1", cordoned, tainted("k", "", "NoSchedule"))}, dataflow.ForecastOptions{}},
		{"a node name", []dataflow.Operation{changed(load("a"), bound("n3"))}, two, dataflow.ForecastOptions{}},
		{"a node name, and a taint that the kubelet ignores", []dataflow.Operation{changed(load("a"), bound("n1"))}, []corev1.Node{nodeLike("n1", cordoned, tainted("k", "", "NoSchedule"))}, dataflow.ForecastOptions{}},
		{"a node name, and a taint", []dataflow.Operation{changed(load("a"), bound("n1"))}, []corev1.Node{nodeLike("n1", cordoned, tainted("k", "", "NoExecute")), two[0]}, dataflow.ForecastOptions{}},
		{"resources", []dataflow.Operation{changed(load("a"), requests("cpu", "1500m"))}, []corev1.Node{nodeLike("n1", allocatable("1", "10")), nodeLike("n2", allocatable("500m", "10")), nodeLike("n3", allocatable("4", "0"))}, dataflow.ForecastOptions{}},
		{"the caller", []dataflow.Operation{changed(load("a"), selecting("type", "GPU"))}, two, nowhere},
		{"four zones", []dataflow.Operation{load("a")}, []corev1.Node{
			nodeLike("n1", labelled(topology.Zone, "a")), nodeLike("n2", labelled(topology.Zone, "b")),
			nodeLike("n3", labelled(topology.Zone, "c"), tainted("k3", "", "NoSchedule")), nodeLike("n4", labelled(topology.Zone, "d"), tainted("k4", "", "NoSchedule")),
		}, dataflow.ForecastOptions{}},
		{"five taints", []dataflow.Operation{load("a")}, []corev1.Node{
			nodeLike("n1", tainted("k1", "", "NoSchedule")), nodeLike("n2", tainted("k2", "", "NoSchedule")), nodeLike("n3", tainted("k3", "", "NoSchedule")),
			nodeLike("n4", tainted("k4", "", "NoSchedule")), nodeLike("n5", tainted("k5", "", "NoSchedule")),
		}, dataflow.ForecastOptions{}},
		{"every filter", []dataflow.Operation{changed(load("a"), ssd, gpu, requests("cpu", "2"))}, []corev1.Node{
			nodeLike("n1"), nodeLike("n2", labelled("disk", "hdd")), nodeLike("n3", labelled("disk", "ssd")),
			nodeLike("n4", labelled("disk", "ssd"), labelled("type", "GPU"), cordoned),
			nodeLike("n5", labelled("disk", "ssd"), labelled("type", "GPU"), tainted("k", "", "NoSchedule")),
			nodeLike("n6", labelled("disk", "ssd"), labelled("type", "GPU"), allocatable("1", "1")),
			nodeLike("n7", labelled("disk", "ssd"), labelled("type", "GPU")),
		}, nowhere},

		{"one of two followers on other nodes", []dataflow.Operation{changed(load("a"), cpu), changed(load("b", "a"), by()), changed(load("c", "a"), by(), gpu)}, two, dataflow.ForecastOptions{}},
		{"a follower on other nodes", []dataflow.Operation{changed(load("a"), cpu), changed(load("b", "a"), by(), gpu)}, six, dataflow.ForecastOptions{}},
		{"followers that exclude each other", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), cpu), changed(load("c", "a"), by(), gpu)}, six[3:], dataflow.ForecastOptions{}},
		{"many followers", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), cpu), changed(load("c", "a"), by(), gpu), changed(load("d", "a"), by()), changed(load("e", "a"), by()), changed(load("f", "a"), by())}, six[4:], dataflow.ForecastOptions{}},
		{"two chains that fail", []dataflow.Operation{changed(load("a"), ssd), load("b", "a"), changed(load("c", "b"), cpu), changed(load("d", "c"), by(), gpu)}, six[4:], dataflow.ForecastOptions{}},
		{"a follower that no node admits", []dataflow.Operation{load("a"), changed(load("b", "a"), by()), changed(load("c", "b"), by(), ssd)}, two, dataflow.ForecastOptions{}},

		{"a load strands", stranding(dataflow.DataLoad), two, dataflow.ForecastOptions{}},
		{"a process strands", stranding(dataflow.DataProcess), two, dataflow.ForecastOptions{}},
		{"a script strands", append([]dataflow.Operation{changed(load("a"), script)}, stranding(dataflow.DataProcess)[1]), two, dataflow.ForecastOptions{}},
		{"a backup strands", stranding(dataflow.DataBackup), two, dataflow.ForecastOptions{}},
		{"it strands on many nodes", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), requires("node.kubernetes.io/instance-type", "type-3"))}, fleet(10), dataflow.ForecastOptions{}},
		{"it strands on all but many values", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), requires("node.kubernetes.io/instance-type", types...))}, fleet(30), dataflow.ForecastOptions{}},
		{"it strands, and only names tell the nodes apart", []dataflow.Operation{changed(load("a"), exposing("rack", "row")), changed(load("b", "a"), by("rack", "row"))}, []corev1.Node{
			{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"rack": "1", "row": "1"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "n2", Labels: map[string]string{"rack": "1", "row": "2"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "n3", Labels: map[string]string{"rack": "2", "row": "1"}}},
		}, dataflow.ForecastOptions{Admit: func(o dataflow.Operation, n *corev1.Node) bool { return o.Ref.Name != "b" || n.Name == "n1" }}},
		{"it strands different followers", many[:5], fleet(13), dataflow.ForecastOptions{}},
		{"it strands more followers than are listed", many, fleet(13), dataflow.ForecastOptions{}},
		{"a follower must run where its source cannot", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), gpu), changed(load("c", "b"), by())}, two, dataflow.ForecastOptions{}},

		{"two chains strand", []dataflow.Operation{
			load("a"), changed(load("b", "a"), by()), changed(load("c", "b"), by(), gpu),
			load("d"), changed(load("e", "d"), by()), changed(load("f", "e"), by(), cpu),
		}, two, dataflow.ForecastOptions{}},

		{"ran where its follower can run", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), gpu)}, two, seen(completeOn("g1"))},
		{"ran where its follower cannot run", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), gpu)}, two, seen(completeOn("c1"))},
		{"ran on a node that is cordoned now", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, []corev1.Node{nodeLike("c1", cordoned), two[1]}, seen(completeOn("c1"))},
		{"ran on a node that is gone", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, two[1:], seen(completeOn("c1"))},
		{"ran, and two constraints exclude all nodes", []dataflow.Operation{load("a"), changed(load("b", "a"), by(), ssd)}, two, seen(completeOn("c1"))},
		{"ran where a follower of its follower cannot run", []dataflow.Operation{changed(load("a"), exposing("type")), changed(load("b", "a"), by("type")), changed(load("c", "b"), by(), gpu)}, six, seen(onCPU)},
		{"runs on a node", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, two, seen(dataflow.Observation{Phase: dataflow.Executing, Node: "c1"})},
		{"runs on a node that is gone", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, two, seen(dataflow.Observation{Phase: dataflow.Executing, Node: "gone"})},
		{"failed", []dataflow.Operation{load("a"), changed(load("b", "a"), by())}, two, seen(dataflow.Observation{Phase: dataflow.Failed})},
		{"failed outside the flow", []dataflow.Operation{changed(load("b", "a"), by(), gpu), changed(load("c", "b"), by())}, two, seen(dataflow.Observation{Phase: dataflow.Failed})},
		{"all ran", []dataflow.Operation{load("a")}, two, seen(completeOn("gone"))},
	} {
		for i := range c.nodes {
			if _, ok := c.nodes[i].Labels[topology.Zone]; !ok {
				c.nodes[i].Labels[topology.Zone] = "east" // for the groups
			}
		}
		fmt.Fprintf(&got, "%s\n", c.name)
		fc := mustForecast(t, mustFlow(t, c.ops...), c.nodes, c.opts)
		for _, ref := range fc.Impossible() {
			fmt.Fprintf(&got, "  %s: %s\n", ref.Name, fc.Reason(ref))
		}
		for _, p := range fc.Problems() {
			fmt.Fprintf(&got, "  %s\n", p)
		}
		for _, g := range fc.Groups() {
			if len(c.nodes) > 7 {
				break // too many to read
			}
			fmt.Fprintf(&got, "  %d in %s with [%s]: %v\n", g.Count, g.Zone, g.Labels, g.Names)
			for op := range mustFlow(t, c.ops...).Operations() {
				node := g.Names[0]
				fmt.Fprintf(&got, "    %s: %s [%s]%s\n", op.Ref.Name, fc.Verdict(op.Ref, node), fc.Label(op.Ref, node), strings.TrimRight(" "+fc.Why(op.Ref, node), " "))
			}
		}
		got.WriteString("\n")
	}
	golden.Compare(t, *update, "testdata/forecast.golden", got.Bytes())
}

// Up to four names are listed, and of more the first three by name, in whatever order the
// nodes are given.
func TestReasonsListAFewNames(t *testing.T) {
	for n, want := range map[int]string{
		3: "it can run on n0, n1, n2, and DataLoad default/b,",
		4: "it can run on n0, n1, n2, n3, and DataLoad default/b,",
		5: "it can run on n0, n1, n2 and 2 more, and DataLoad default/b,",
		9: "it can run on n0, n1, n2 and 6 more, and DataLoad default/b,",
	} {
		nodes := []corev1.Node{nodeLike("g", labelled("type", "GPU"))}
		for i := range n {
			nodes = append(nodes, nodeLike(fmt.Sprint("n", n-1-i)))
		}
		fc := mustForecast(t, mustFlow(t, changed(load("a"), requires("type", "CPU")), changed(load("b", "a"), by(), requires("type", "GPU"))), nodes, dataflow.ForecastOptions{})
		if got := fc.Reason(ref("a")); !strings.HasPrefix(got, want) {
			t.Errorf("of %d nodes: %s", n, got)
		}
	}
}

// An operation that strands four or more followers names three of them, if there are more than four.
func TestStrandsListAFewFollowers(t *testing.T) {
	for n, want := range map[int]string{
		4: `on n0 it would leave no node for DataLoad default/b0; on n1 none for DataLoad default/b1; on n2 none for DataLoad default/b2; on n3 none for DataLoad default/b3; add`,
		5: `on n0 it would leave no node for DataLoad default/b0; on n1 none for DataLoad default/b1; on n2 none for DataLoad default/b2; on 2 more none for others; add`,
	} {
		nodes, ops := []corev1.Node{nodeLike("g", labelled("for", "all"))}, []dataflow.Operation{load("a")}
		for i := range n {
			nodes = append(nodes, nodeLike(fmt.Sprint("n", i), labelled("for", fmt.Sprint(i))))
			ops = append(ops, changed(load(fmt.Sprint("b", i), "a"), by(), func(op *dataflow.Operation) {
				op.Affinity = requiring("for", fmt.Sprint(i))
				terms(op.Affinity)[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
			}))
		}
		if problems := mustForecast(t, mustFlow(t, ops...), nodes, dataflow.ForecastOptions{}).Problems(); len(problems) != 1 || !strings.HasPrefix(problems[0].Message, want) {
			t.Errorf("%d followers: %v", n, problems)
		}
	}
}

// A key that YAML reads as something else than a string is quoted.
func TestAdviceQuotesKeys(t *testing.T) {
	for key, want := range map[string]string{"on": `{key: "on", `, "1_000": `{key: "1_000", `, "Yes": `{key: "Yes", `, "one": `{key: one, `, "a/1": `{key: a/1, `} {
		nodes := []corev1.Node{nodeLike("g", labelled(key, "GPU")), nodeLike("c", labelled(key, "CPU"))}
		fc := mustForecast(t, mustFlow(t, load("a"), changed(load("b", "a"), by(), selecting(key, "GPU"))), nodes, dataflow.ForecastOptions{})
		if p := fc.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, want) {
			t.Errorf("%s: %v", key, p)
		}
	}
}

// A name that is not printable is quoted.
func TestReasonsQuoteNames(t *testing.T) {
	nodes := []corev1.Node{nodeLike("g", labelled("type", "GPU")), nodeLike("c\n")}
	fc := mustForecast(t, mustFlow(t, changed(load("a"), requires("type", "CPU")), changed(load("b", "a"), by(), requires("type", "GPU"))), nodes, dataflow.ForecastOptions{})
	if got, want := fc.Reason(ref("a")), `it can run on "c\n", and DataLoad default/b,`; !strings.HasPrefix(got, want) {
		t.Error(got)
	}
}

// A label that no node has requires nothing, which is seldom intended.
func TestALabelThatNoNodeHas(t *testing.T) {
	const rack, row = "example.com/rack", "example.com/row"
	f := mustFlow(t, changed(load("a"), exposing(rack, row)), changed(load("b", "a"), by(rack, topology.Zone, row)))
	done := dataflow.Observation{Phase: dataflow.Complete, Node: "node-1"}
	withBoth := fleet(3)
	withBoth[2].Labels[rack], withBoth[2].Labels[row] = "r", "" // a label with the empty value
	for name, tt := range map[string]struct {
		nodes []corev1.Node
		seen  map[dataflow.Ref]dataflow.Observation
		want  bool
	}{
		"no node":            {fleet(3), nil, true},
		"one node":           {withBoth, nil, false},
		"its source ran":     {fleet(3), map[dataflow.Ref]dataflow.Observation{ref("a"): done}, false},
		"it ran itself":      {fleet(3), map[dataflow.Ref]dataflow.Observation{ref("a"): done, ref("b"): done}, false},
		"there are no nodes": {nil, nil, false},
	} {
		fc := mustForecast(t, f, tt.nodes, dataflow.ForecastOptions{Seen: tt.seen})
		i := slices.IndexFunc(fc.Problems(), func(p dataflow.Problem) bool { return p.Code == dataflow.CodeNoSuchLabel })
		if (i >= 0) != tt.want {
			t.Errorf("%s: %v", name, fc.Problems())
		}
		if i >= 0 {
			want := "Warning NoSuchLabel: DataLoad default/b: spec.runAfter.affinityStrategy: no node has the label example.com/rack, example.com/row, so nothing is required by it; fix the key, or label the nodes"
			if got := fc.Problems()[i].String(); got != want {
				t.Errorf("%s: got  %s\nwant %s", name, got, want)
			}
		}
	}
}

const whileFree = "; this holds only as long as the free resources do not change"

// The advice against stranding says that it rests on the free resources if it does: without the pods
// that run, the operation could run on one of the nodes on which it strands its followers.
func TestAdviceThatRestsOnFreeResources(t *testing.T) {
	room := func(name string, gpus string, change ...func(*corev1.Node)) corev1.Node {
		return nodeLike(name, append(change, allocatable("8", "9"), func(n *corev1.Node) { n.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse(gpus) })...)
	}
	two := []corev1.Node{room("n1", "1"), room("n2", "1")}
	busy := map[string]corev1.ResourceList{"n1": {"cpu": resource.MustParse("6")}}
	follower := changed(load("b", "a"), by(), requests("cpu", "4"))
	for _, c := range []struct {
		name  string
		nodes []corev1.Node
		used  map[string]corev1.ResourceList
		ops   []dataflow.Operation
		opts  dataflow.ForecastOptions
		want  string // after the message
	}{
		{"a follower does not fit", two, busy, []dataflow.Operation{load("a"), follower}, dataflow.ForecastOptions{},
			`{key: kubernetes.io/hostname, operator: In, values: ["n2"]}` + whileFree},
		{"a follower of the follower does not fit", two, busy, []dataflow.Operation{load("a"), changed(load("b", "a"), by()), changed(load("c", "b"), by(), requests("cpu", "4"))}, dataflow.ForecastOptions{},
			`{key: kubernetes.io/hostname, operator: In, values: ["n2"]}` + whileFree},
		{"of a backup", two, busy, []dataflow.Operation{changed(load("a"), kind(dataflow.DataBackup)), changed(follower, afterKind(dataflow.DataBackup))}, dataflow.ForecastOptions{},
			"give its pod the affinity of the forecast" + whileFree},
		{"the node is too small", []corev1.Node{room("n1", "0"), room("n2", "1")}, busy, []dataflow.Operation{load("a"), changed(load("b", "a"), by(), requests("nvidia.com/gpu", "1"))}, dataflow.ForecastOptions{},
			`values: ["n2"]}`},
		{"the follower selects another node", []corev1.Node{room("n1", "1"), room("n2", "1", labelled("type", "GPU"))}, busy, []dataflow.Operation{load("a"), changed(follower, selecting("type", "GPU"))}, dataflow.ForecastOptions{},
			`{key: type, operator: In, values: ["GPU"]}`},
		{"the caller refuses the follower", two, busy, []dataflow.Operation{load("a"), changed(load("b", "a"), by())},
			dataflow.ForecastOptions{Admit: func(op dataflow.Operation, n *corev1.Node) bool { return op.Ref.Name == "a" || n.Name == "n2" }},
			`values: ["n2"]}`},
		{"the source has run", two, busy, []dataflow.Operation{load("s"), changed(load("a", "s"), by("type")), follower},
			dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{ref("s"): {Phase: dataflow.Complete, Node: "n2", Labels: topology.NewLabelSet(map[string]string{"type": "CPU"})}}},
			`values: ["n2"]}` + whileFree},
	} {
		fc, err := mustFlow(t, c.ops...).Forecast(mustIndex(t, c.nodes, c.used), c.opts)
		if err != nil {
			t.Fatal(err)
		}
		if problems := fc.Problems(); len(problems) != 1 || problems[0].Code != dataflow.CodeStranding || !strings.HasSuffix(problems[0].Message, c.want) {
			t.Errorf("%s: %v, want %s", c.name, problems, c.want)
		}
	}

	said, silent := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		nodes, used := []corev1.Node{}, map[string]corev1.ResourceList{}
		for _, name := range []string{"n1", "n2", "n3"} {
			nodes = append(nodes, room(name, rapid.SampledFrom([]string{"0", "1"}).Draw(t, "gpus"), labelled("rack", rapid.SampledFrom([]string{"1", "2"}).Draw(t, "rack"))))
			used[name] = corev1.ResourceList{"cpu": resource.MustParse(rapid.SampledFrom([]string{"0", "6"}).Draw(t, "used"))}
		}
		ops := []dataflow.Operation{load("op-0")}
		for i := range rapid.IntRange(1, 4).Draw(t, "followers") {
			source := fmt.Sprint("op-", rapid.IntRange(0, i).Draw(t, "source"))
			op := changed(load(fmt.Sprint("op-", i+1), source), by(), requests("cpu", rapid.SampledFrom([]string{"1", "4"}).Draw(t, "cpu")), requests("nvidia.com/gpu", rapid.SampledFrom([]string{"0", "0", "1"}).Draw(t, "gpu")))
			if rapid.Bool().Draw(t, "by rack") {
				op = changed(op, by("rack"), func(op *dataflow.Operation) { op.Exposes = []string{"rack"} })
			}
			ops[slices.IndexFunc(ops, func(op dataflow.Operation) bool { return op.Ref.Name == source })].Exposes = []string{"rack"}
			ops = append(ops, op)
		}
		f := mustFlow(t, ops...)
		fc, err := f.Forecast(mustIndex(t, nodes, used), dataflow.ForecastOptions{})
		if err != nil {
			t.Fatal(err)
		}
		idle := mustForecast(t, f, nodes, dataflow.ForecastOptions{})
		for _, p := range fc.Problems() {
			if p.Code != dataflow.CodeStranding {
				continue
			}
			want := slices.ContainsFunc(fc.Strands(p.Operation), func(s dataflow.Strand) bool { return idle.Verdict(p.Operation, s.Node) == dataflow.VerdictFeasible })
			if got := strings.HasSuffix(p.Message, whileFree); got != want {
				t.Fatalf("%v, want %v: %v on %v with %v", p, want, ops, nodes, used)
			}
			if want {
				said++
			} else {
				silent++
			}
		}
	})
	if min(said, silent) == 0 && !testing.Short() {
		t.Errorf("said %d times, and not said %d times", said, silent)
	}
	t.Log(said, silent)
}
