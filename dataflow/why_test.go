package dataflow_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The forecast of an operation without others is what kube-scheduler's filters, or for a pod
// with a node name the kubelet, admit. internal/conformance compares with their own code.
func TestLawL9AdmissionAgreesWithTheScheduler(t *testing.T) {
	refused := map[dataflow.Verdict]int{}
	for range scale(20, 2) {
		rapid.Check(t, func(t *rapid.T) {
			op := load("a")
			for range rapid.IntRange(1, 3).Draw(t, "constraints") {
				op = placeable(t, op)
			}
			options := dataflow.ForecastOptions{ExtendedResourceToleration: rapid.Bool().Draw(t, "extended resource toleration")}
			w := newWorld(mustFlow(t, op), clusters().Draw(t, "cluster"), options)
			fc := w.forecast(t)
			for n := range w.nodes {
				admitted := slices.Contains(w.admitted[0], n)
				if got := slices.Contains(fc.Nodes(op.Ref), w.nodes[n].Name); got != admitted {
					t.Fatalf("%s admits %+v: %v, want %v (%s) in\n%v", w.nodes[n].Name, op, got, admitted, w.refusedBy(0, n), w)
				}
				refused[w.refusedBy(0, n)]++
			}
		})
	}
	t.Logf("refused by: %v", refused)
	for _, v := range []dataflow.Verdict{"", dataflow.VerdictCordon, dataflow.VerdictNodeName, dataflow.VerdictTaint, dataflow.VerdictSelector, dataflow.VerdictAffinity, dataflow.VerdictResources} {
		if refused[v] == 0 && !testing.Short() {
			t.Errorf("no node is refused by %q", v)
		}
	}
}

// verdict is law L10.
func (w *world) verdict(op, node int, feasible [][]bool, completable bool) dataflow.Verdict {
	switch settled := w.settled(op); {
	case w.observation(op).Phase == "Failed", settled && !slices.Contains(w.possible[op], node):
		return dataflow.VerdictStarted
	case !settled && w.refusedBy(op, node) != "":
		return w.refusedBy(op, node)
	case !settled && !w.hasInherited(op, node):
		return dataflow.VerdictSource
	case !completable:
		return dataflow.VerdictFlow
	case feasible[op][node]:
		return dataflow.VerdictFeasible
	case slices.ContainsFunc(w.strands(op, feasible), func(s dataflow.Strand) bool { return s.Node == w.nodes[node].Name }):
		return dataflow.VerdictStrands
	}
	return dataflow.VerdictSource
}

func TestLawL10WhyNamesTheFirstFilter(t *testing.T) {
	counts := map[dataflow.Verdict]int{}
	manyWorlds(t, 60, func(t *rapid.T, w *world) {
		fc := w.forecast(t)
		feasible, completable := w.feasible()
		for i, op := range w.ops {
			strands := fc.Strands(op.Ref)
			for n := range w.nodes {
				node := &w.nodes[n]
				got, why, want := fc.Verdict(op.Ref, node.Name), fc.Why(op.Ref, node.Name), w.verdict(i, n, feasible, completable)
				if got != want || (why == "") != (want == dataflow.VerdictFeasible) {
					t.Fatalf("%v on %s: %s (%q), want %s in\n%v", op.Ref, node.Name, got, why, want, w)
				}
				counts[want]++
				var detail []string // one of these is in the reason
				switch source, _ := op.Source(); want {
				case dataflow.VerdictNodeName:
					detail = []string{op.NodeName}
				case dataflow.VerdictTaint:
					for _, taint := range node.Spec.Taints {
						detail = append(detail, taint.Key)
					}
				case dataflow.VerdictSelector:
					for key, value := range op.NodeSelector {
						detail = append(detail, fmt.Sprintf("%s In [%s]", key, value))
					}
				case dataflow.VerdictResources:
					for name := range op.Requests {
						detail = append(detail, string(name)+": ")
					}
					detail = append(detail, "pods: ")
				case dataflow.VerdictSource:
					detail = []string{source.String()}
				case dataflow.VerdictStrands:
					at := slices.IndexFunc(strands, func(s dataflow.Strand) bool { return s.Node == node.Name })
					detail = []string{strands[at].Blocks.String()}
				case dataflow.VerdictFlow:
					detail = []string{fc.Impossible()[0].String()}
				default:
					continue
				}
				if !slices.ContainsFunc(detail, func(d string) bool { return strings.Contains(why, d) }) {
					t.Fatalf("%v on %s: %q has none of %q in\n%v", op.Ref, node.Name, why, detail, w)
				}
			}
		}
	})
	t.Log(counts)
	if len(counts) < 12 && !testing.Short() { // all but VerdictUnknown
		t.Errorf("not every verdict was drawn: %v", counts)
	}
}

func TestVerdictOfUnknownOperationsAndNodes(t *testing.T) {
	fc := mustForecast(t, mustFlow(t, load("a")), fleet(2), dataflow.ForecastOptions{})
	for _, c := range []struct{ op, node, want string }{
		{"b", "node-1", "no DataLoad default/b in the flow"},
		{"a", "node-2", `"node-2" is not among the nodes`},
		{"a", "", `"" is not among the nodes`},
	} {
		if got := fc.Why(ref(c.op), c.node); got != c.want || fc.Verdict(ref(c.op), c.node) != dataflow.VerdictUnknown {
			t.Errorf("%s on %q: %s %q", c.op, c.node, fc.Verdict(ref(c.op), c.node), got)
		}
	}
}

// Groups are a partition of the nodes. The nodes of a group have the same zone, and for every
// operation the same verdict for the same kind of reason.
func TestGroupsTellNodesApart(t *testing.T) {
	manyWorlds(t, 30, func(t *rapid.T, w *world) {
		fc := w.forecast(t)
		var all []string
		groups := fc.Groups()
		for _, g := range groups {
			all = append(all, g.Names...)
			if g.Count != len(g.Names) || g.Count == 0 || !slices.IsSorted(g.Names) {
				t.Fatalf("%+v", g)
			}
			first := &w.nodes[w.node(g.Names[0])]
			for _, name := range g.Names {
				n := &w.nodes[w.node(name)]
				if n.Labels[topology.Zone] != g.Zone {
					t.Fatalf("%s in %+v has the zone %q", name, g, n.Labels[topology.Zone])
				}
				for key, value := range g.Labels.All() {
					if got, ok := n.Labels[key]; !ok || got != value {
						t.Fatalf("%s in %+v has %s=%q", name, g, key, got)
					}
				}
				for _, op := range w.ops {
					if a, b := kindOfReason(fc, op.Ref, first.Name), kindOfReason(fc, op.Ref, name); a != b {
						t.Fatalf("%v: %s on %s, %s on %s, which are one group of\n%v", op.Ref, a, first.Name, b, name, w)
					}
				}
			}
		}
		if !slices.IsSortedFunc(groups, func(a, b dataflow.Group) int {
			return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Names[0], b.Names[0]))
		}) {
			t.Fatalf("%+v are not sorted", groups)
		}
		slices.Sort(all)
		if want := nodeNamesOf(w.nodes); !slices.Equal(all, want) {
			t.Fatalf("groups of %v, want %v", all, want)
		}
	})
}

// kindOfReason returns the verdict of a node, and why without the values of the node.
func kindOfReason(fc *dataflow.Forecast, ref dataflow.Ref, node string) string {
	verdict := fc.Verdict(ref, node)
	switch verdict {
	case dataflow.VerdictSelector, dataflow.VerdictAffinity:
		return string(verdict)
	case dataflow.VerdictResources:
		return string(verdict) + ", " + regexp.MustCompile(`, [^,;]* free`).ReplaceAllString(fc.Why(ref, node), "")
	}
	return string(verdict) + ", " + fc.Why(ref, node)
}

func nodeNamesOf(nodes []corev1.Node) []string {
	var names []string
	for i := range nodes {
		names = append(names, nodes[i].Name)
	}
	slices.Sort(names)
	return names
}

// Nodes that differ only in what no operation uses are one group, also if they differ in the
// values by which an operation excludes them.
func TestGroupsAreFew(t *testing.T) {
	nodes := fleet(300)
	for i := range nodes {
		nodes[i].Labels[topology.Zone] = "east"
	}
	f := mustFlow(t, changed(load("a"), selecting("node.kubernetes.io/instance-type", "type-1")), changed(load("b", "a"), by()))
	var got []string
	for _, g := range mustForecast(t, f, nodes, dataflow.ForecastOptions{}).Groups() {
		got = append(got, fmt.Sprintf("%s %d [%s] %s", g.Zone, g.Count, g.Labels, g.Names[0]))
	}
	want := []string{
		"east 6 [node.kubernetes.io/instance-type=type-0] node-0", // tainted
		"east 30 [node.kubernetes.io/instance-type=type-1] node-1",
		"east 261 [] node-10",
		"east 3 [node.kubernetes.io/instance-type=type-9] node-199", // cordoned
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func expectOneGroupPerNode(t *testing.T, fc *dataflow.Forecast) {
	t.Helper()
	for _, g := range fc.Groups() {
		if g.Count != 1 {
			t.Errorf("one group has the nodes %v", g.Names)
		}
	}
}

// Two nodes that a source refuses for the same reason are told apart if its follower can run
// on one of them only.
func TestGroupsFollowTheSource(t *testing.T) {
	nodes := []corev1.Node{nodeLike("n1", labelled("rack", "1"), labelled("type", "GPU")), nodeLike("n2", labelled("rack", "1")), nodeLike("n3", labelled("rack", "2"))}
	f := mustFlow(t, changed(load("a"), exposing("rack"), selecting("type", "GPU")), changed(load("b", "a"), by("rack")))
	expectOneGroupPerNode(t, mustForecast(t, f, nodes, dataflow.ForecastOptions{}))
}

// Operations that fit on the same nodes may lack different resources on the others.
func TestGroupsTellShortagesApart(t *testing.T) {
	memory := func(amount string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Status.Allocatable[corev1.ResourceMemory] = resource.MustParse(amount) }
	}
	nodes := []corev1.Node{
		nodeLike("n1", allocatable("4", "9"), memory("64Gi")), nodeLike("n2", allocatable("4", "9"), memory("8Gi")), nodeLike("n3", allocatable("16", "9"), memory("64Gi")),
	}
	f := mustFlow(t, changed(load("a"), requests("cpu", "8")), changed(load("b"), requests("cpu", "8"), requests("memory", "32Gi")))
	expectOneGroupPerNode(t, mustForecast(t, f, nodes, dataflow.ForecastOptions{}))
}

// Nodes are told apart by each kind of reason, and by no more.
func TestGroupsByReason(t *testing.T) {
	node := func(name string, rack string, change ...func(*corev1.Node)) corev1.Node {
		return nodeLike(name, append(change, labelled("rack", rack))...)
	}
	ranInRack1 := map[dataflow.Ref]dataflow.Observation{ref("s"): {Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{"rack": "1"})}}
	after := []dataflow.Operation{changed(load("s"), exposing("rack")), changed(load("a", "s"), by("rack"))}
	but := func(names ...string) func(dataflow.Operation, *corev1.Node) bool {
		return func(_ dataflow.Operation, n *corev1.Node) bool { return !slices.Contains(names, n.Name) }
	}
	three := []corev1.Node{node("n1", "1"), node("n2", "2"), node("n3", "3")}
	for _, c := range []struct {
		name  string
		ops   []dataflow.Operation
		nodes []corev1.Node
		opts  dataflow.ForecastOptions
		want  string
	}{
		{"the caller, or the source", after, three, dataflow.ForecastOptions{Seen: ranInRack1, Admit: but("n2")}, "[n1] [n2] [n3]"},
		{"the source, or the whole flow", append(slices.Clone(after), changed(load("b", "a"), by(), selecting("type", "TPU"))), three, dataflow.ForecastOptions{Seen: ranInRack1}, "[n1] [n2 n3]"},
		{"different followers", []dataflow.Operation{load("a"), changed(load("b", "a"), by()), changed(load("c", "a"), by())}, three,
			dataflow.ForecastOptions{Admit: func(op dataflow.Operation, n *corev1.Node) bool {
				return op.Ref.Name == "a" || op.Ref.Name == "b" && n.Name != "n1" || op.Ref.Name == "c" && n.Name != "n2"
			}}, "[n1] [n2] [n3]"},
		{"where the source cannot run", []dataflow.Operation{changed(load("a"), exposing("rack"), selecting("type", "GPU")), changed(load("b", "a"), by("rack")), changed(load("c", "b"), by(), requests("cpu", "2"))},
			[]corev1.Node{node("n1", "1", labelled("type", "GPU")), node("n2", "2"), node("n3", "2")}, dataflow.ForecastOptions{}, "[n1] [n2 n3]"},
	} {
		index := mustIndex(t, c.nodes, nil)
		refusing, err := mustFlow(t, c.ops...).Forecast(index, dataflow.ForecastOptions{Seen: c.opts.Seen, Admit: but("n1", "n3")})
		if err != nil {
			t.Fatal(err)
		}
		refusing.Groups() // what a caller refuses is no reason in another forecast
		fc, err := mustFlow(t, c.ops...).Forecast(index, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range fc.Groups() {
			got = append(got, fmt.Sprint(g.Names))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: groups %v, want %s", c.name, got, c.want)
		}
	}
}

// What the nodes are to operations with the same constraints is found once for all flows on an
// index: the groups of the second flow cost no step for the reason of each node.
func TestGroupsShareWork(t *testing.T) {
	allocations := func(n int) float64 {
		nodes := fleet(n)
		for i := range nodes {
			nodes[i].Labels[topology.Zone] = "east"
			nodes[i].Spec = corev1.NodeSpec{Taints: []corev1.Taint{{Key: "team", Value: fmt.Sprint(i % 3), Effect: corev1.TaintEffectNoSchedule}}}
		}
		index := mustIndex(t, nodes, nil)
		return testing.AllocsPerRun(2, func() {
			fc, err := mustFlow(t, load("a"), changed(load("b", "a"), by())).Forecast(index, dataflow.ForecastOptions{})
			if groups := fc.Groups(); err != nil || len(groups) != 3 {
				t.Errorf("%d groups, %v", len(groups), err)
			}
		})
	}
	if few, many := allocations(100), allocations(1600); many > 1.5*few {
		t.Errorf("%.0f allocations on 100 nodes, %.0f on 1600", few, many)
	}
}

// A label names an operation of another namespace with its namespace.
func TestLabelNamesTheNamespace(t *testing.T) {
	nodes := []corev1.Node{nodeLike("c1", labelled("type", "CPU")), nodeLike("g1", labelled("type", "GPU"))}
	source, follower := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "team-b", Name: "a"}, ref("b")
	for _, c := range []struct {
		namespace, blocks, source string
	}{
		{"team-b", "blocks default/b", "← team-b/a"},
		{"default", "blocks b", "← a"},
	} {
		source.Namespace = c.namespace
		a := changed(load("a"), func(op *dataflow.Operation) { op.Ref = source })
		b := changed(load("b", "a"), by(), selecting("type", "GPU"), func(op *dataflow.Operation) { op.RunAfter.Ref = source })
		free := changed(b, func(op *dataflow.Operation) { op.NodeSelector = nil })
		bound := changed(a, selecting("type", "GPU"))
		for _, forecast := range []struct {
			of   dataflow.Ref
			want string
			ops  []dataflow.Operation
			seen dataflow.Observation
		}{
			{source, c.blocks, []dataflow.Operation{a, b}, dataflow.Observation{}},
			{follower, c.source, []dataflow.Operation{bound, free}, dataflow.Observation{}},
			{follower, c.source, []dataflow.Operation{a, free}, dataflow.Observation{Phase: dataflow.Executing, Node: "g1"}},
			{follower, c.source, []dataflow.Operation{a, free}, dataflow.Observation{Phase: dataflow.Executing, Node: "gone"}},
		} {
			fc := mustForecast(t, mustFlow(t, forecast.ops...), nodes, dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{source: forecast.seen}})
			if got := fc.Label(forecast.of, "c1"); got != forecast.want {
				t.Errorf("%v after %+v: %q, want %q", forecast.of, forecast.seen, got, forecast.want)
			}
		}
	}
}
