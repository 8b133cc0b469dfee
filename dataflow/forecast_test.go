package dataflow_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawL1ForecastIsExact(t *testing.T) {
	completable, started := map[bool]int{}, 0
	manyWorlds(t, 100, func(t *rapid.T, w *world) {
		completable[w.checkNodes(t)]++
		if len(w.options.Seen) > 0 {
			started++
		}
	})
	t.Logf("completable: %d, not: %d; of all, %d have started", completable[true], completable[false], started)
}

func TestLawL2StrandsAreExact(t *testing.T) {
	strands, direct := 0, 0
	manyWorlds(t, 100, func(t *rapid.T, w *world) {
		for i, found := range w.checkStrands(t) {
			for _, s := range found {
				strands++
				blocks := slices.IndexFunc(w.ops, func(o dataflow.Operation) bool { return o.Ref == s.Blocks })
				if w.source[blocks] == i {
					direct++
				}
			}
		}
	})
	t.Logf("%d strands, %d of them block a direct follower", strands, direct)
	if strands == direct && !testing.Short() {
		t.Error("no strand blocks a distant follower")
	}
}

// A flow with the affinities of its forecast runs to its end, on whichever nodes its
// operations are placed.
func TestLawL3NoStranding(t *testing.T) {
	placed := 0
	manyWorlds(t, 60, func(t *rapid.T, w *world) {
		fc := w.forecast(t)
		if !fc.Completable() {
			if fc.Flow() != w.flow {
				t.Fatalf("the flow is not completable, and Flow is another one")
			}
			return
		}
		choose := func(nodes []int) int { return rapid.SampledFrom(nodes).Draw(t, "node") }
		if stranded := w.play(t, fc.Flow(), choose); stranded != nil {
			t.Fatalf("%v is stranded in\n%v", stranded, w)
		}
		placed += len(w.ops)
	})
	t.Logf("%d operations placed", placed)
}

// play runs the operations of f, which are those of w with affinities of their own: one
// after the other, each on one of the nodes that admit it and that its resolved affinity
// matches. It returns the first operation for which there is none.
func (w *world) play(t tester, f *dataflow.Flow, choose func([]int) int) (stranded *dataflow.Ref) {
	seen := maps.Clone(w.options.Seen)
	if seen == nil {
		seen = map[dataflow.Ref]dataflow.Observation{}
	}
	complete := func(op dataflow.Operation, node int) {
		o := dataflow.Observation{Phase: dataflow.Complete}
		if node != w.unknown() {
			o.Node, o.Labels = w.nodes[node].Name, topology.NewLabelSet(w.nodes[node].Labels).Only(exposes(op)...)
		}
		seen[op.Ref] = o
	}
	for _, op := range w.ops {
		for _, ref := range waitsFor(op) {
			if _, inFlow := f.Operation(ref); inFlow || seen[ref].Phase == dataflow.Complete {
				continue
			}
			node := w.unknown()
			if isSettled(seen[ref]) {
				node = w.node(seen[ref].Node)
			}
			complete(dataflow.Operation{Ref: ref}, node)
		}
	}
	for i, op := range w.ops {
		switch {
		case w.observation(i).Phase == dataflow.Complete:
			continue
		case w.settled(i):
			complete(op, w.node(seen[op.Ref].Node))
			continue
		}
		delete(seen, op.Ref)
		d, err := f.Resolve(op.Ref, seen)
		var conflict *affinity.ConflictError
		if errors.As(err, &conflict) {
			return &op.Ref
		}
		if err != nil || d.State != dataflow.Ready {
			t.Fatalf("Resolve(%v) = %v, %v", op.Ref, d, err)
		}
		nodes := slices.DeleteFunc(slices.Clone(w.admitted[i]), func(n int) bool { return !affinitytest.Match(d.Affinity, &w.nodes[n]) })
		if len(nodes) == 0 {
			return &op.Ref
		}
		complete(op, choose(nodes))
	}
	return nil
}

// possibleTerms returns an affinity without the required terms that no node can match: joining
// a label to each own term can make such terms.
func possibleTerms(a *corev1.Affinity) *corev1.Affinity {
	a = a.DeepCopy()
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return a
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	required.NodeSelectorTerms = slices.DeleteFunc(required.NodeSelectorTerms, func(term corev1.NodeSelectorTerm) bool {
		alone := corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}
		m, err := affinity.Compile(nil, &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &alone}})
		return err == nil && !m.Satisfiable()
	})
	return a
}

func TestLawL4AffinityMatchesExactlyTheFeasibleNodes(t *testing.T) {
	forms := map[string]int{}
	manyWorlds(t, 100, func(t *rapid.T, w *world) {
		fc := w.forecast(t)
		for i, op := range w.ops {
			narrowed, err := fc.Affinity(op.Ref)
			var stranded *dataflow.StrandedError
			if errors.As(err, &stranded) {
				if fc.Completable() || stranded.Operation != op.Ref || !slices.Equal(stranded.Impossible, fc.Impossible()) {
					t.Fatalf("Affinity(%v): %v", op.Ref, err)
				}
				continue
			}
			if err != nil || !fc.Completable() {
				t.Fatalf("Affinity(%v) = %v, %v in\n%v", op.Ref, narrowed, err, w)
			}
			if inFlow, _ := fc.Flow().Operation(op.Ref); !gocmp.Equal(inFlow.Affinity, narrowed) {
				t.Fatalf("Affinity(%v) = %v, and Flow has %v", op.Ref, narrowed, inFlow.Affinity)
			}
			if w.settled(i) {
				if !gocmp.Equal(narrowed, op.Affinity) {
					t.Fatalf("%v needs no node any more, and its affinity is narrowed to %v", op.Ref, narrowed)
				}
				continue
			}
			feasible := func(n int) bool { return slices.Contains(fc.Nodes(op.Ref), w.nodes[n].Name) }
			for _, n := range w.admitted[i] {
				if got, want := affinitytest.Match(narrowed, &w.nodes[n]), feasible(n); got != want {
					t.Fatalf("Affinity(%v) matches %s: %v, want %v\n%v in\n%v", op.Ref, w.nodes[n].Name, got, want, narrowed, w)
				}
			}
			for n := range w.nodes {
				if affinitytest.Match(narrowed, &w.nodes[n]) && !affinitytest.Match(op.Affinity, &w.nodes[n]) {
					t.Fatalf("Affinity(%v) matches %s, and its own does not\n%v in\n%v", op.Ref, w.nodes[n].Name, narrowed, w)
				}
			}
			form, shortest := w.shortest(i, feasible)
			if form == "names" && !hasNames(narrowed, len(fc.Nodes(op.Ref))) ||
				form != "names" && !slices.ContainsFunc(shortest, func(a *corev1.Affinity) bool { return gocmp.Equal(possibleTerms(a), possibleTerms(narrowed)) }) {
				t.Fatalf("Affinity(%v) = %v, want %s: one of %v in\n%v", op.Ref, narrowed, form, shortest, w)
			}
			forms[form]++
			if _, err := affinity.Compile(nil, narrowed); err != nil {
				t.Fatalf("Affinity(%v) is malformed: %v", op.Ref, err)
			}
		}
	})
	t.Logf("forms: %v", forms)
	for _, form := range []string{"own", "values of a label", "hostnames", "names"} {
		if forms[form] == 0 && !testing.Short() {
			t.Errorf("no affinity has the form %q", form)
		}
	}
}

// A requirement on the name holds one name, so there is a term for each node: the first own
// term that the node matches, joined with its name, whatever that is.
func TestLawL4NamesAreJoinedWithTheOwnTerms(t *testing.T) {
	node := func(name, rack, row string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"rack": rack, "row": row}}}
	}
	nodes := []corev1.Node{node("n1", "1", "1"), node("N_2", "2", "2"), node("n3", "1", "2"), node("n4", "2", "1")}
	ops := []dataflow.Operation{changed(load("a"), exposing("rack", "row")), changed(load("b", "a"), by("rack", "row"))}
	admit := func(op dataflow.Operation, n *corev1.Node) bool {
		return op.Ref.Name != "b" || n.Name == "n1" || n.Name == "N_2"
	}
	for want, own := range map[string]*corev1.Affinity{
		"metadata.name In [n1] or metadata.name In [N_2]":                                                     nil,
		"row In [1 2] and metadata.name In [n1] or row In [1 2] and metadata.name In [N_2]":                   requiring("row", "1", "2"),
		"rack In [1] and metadata.name In [n1] or rack In [2] and metadata.name In [N_2]":                     either(nil, []string{"rack=1"}, nil, []string{"rack=2"}),
		"rack In [2] and metadata.name In [N_2] or row In [1] and metadata.name In [n1]":                      either([]string{"rack=2"}, []string{"row=1"}, []string{"rack=1"}),
		"other DoesNotExist [] and metadata.name In [n1] or other DoesNotExist [] and metadata.name In [N_2]": either([]string{"other"}, []string{"rack=1"}),
	} {
		ops[0].Affinity = own
		fc := mustForecast(t, mustFlow(t, ops...), nodes, dataflow.ForecastOptions{Admit: admit})
		if a, err := fc.Affinity(ref("a")); err != nil || oneLine(a) != want {
			t.Errorf("Affinity = %s, %v\nwant %s", oneLine(a), err, want)
		}
	}
}

// shortest returns the form of the shortest affinity that law L4 allows, and the affinities
// that have it: the own one; or one label with the fewest values that the feasible nodes
// have and that no other admitting node has; or the hostnames. It returns no affinities if
// only names tell the nodes apart.
func (w *world) shortest(op int, feasible func(n int) bool) (form string, affinities []*corev1.Affinity) {
	own := w.ops[op].Affinity
	if !slices.ContainsFunc(w.admitted[op], func(n int) bool { return !feasible(n) }) {
		return "own", []*corev1.Affinity{own}
	}
	separating := map[string][]string{} // by key, the values
	for _, key := range append(keys(), "tier") {
		values, ok := map[string]bool{}, true
		for _, n := range w.admitted[op] {
			if value, has := w.nodes[n].Labels[key]; feasible(n) {
				values[value], ok = true, ok && has
			}
		}
		for _, n := range w.admitted[op] {
			if value, has := w.nodes[n].Labels[key]; !feasible(n) && has {
				ok = ok && !values[value]
			}
		}
		if ok {
			separating[key] = slices.Sorted(maps.Keys(values))
		}
	}
	form = "hostnames"
	if values, ok := separating[topology.Hostname]; ok && len(separating) > 1 {
		form = "values of a label"
		delete(separating, topology.Hostname)
	} else if !ok && len(separating) > 0 {
		form = "values of a label"
	} else if !ok {
		return "names", nil
	} else {
		separating = map[string][]string{topology.Hostname: values}
	}
	fewest := slices.MinFunc(slices.Collect(maps.Values(separating)), func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
	for key, values := range separating {
		if len(values) == len(fewest) {
			affinities = append(affinities, withRequirement(own, corev1.NodeSelectorRequirement{Key: key, Operator: "In", Values: values}))
		}
	}
	return form, affinities
}

// withRequirement returns an affinity with a requirement in each of its terms that is not
// empty, or as its only term.
func withRequirement(own *corev1.Affinity, r corev1.NodeSelectorRequirement) *corev1.Affinity {
	a := own.DeepCopy()
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		required = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = required
	} else {
		required.NodeSelectorTerms = slices.DeleteFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
			return len(t.MatchExpressions)+len(t.MatchFields) == 0
		})
	}
	for i := range required.NodeSelectorTerms {
		t := &required.NodeSelectorTerms[i]
		if !slices.ContainsFunc(t.MatchExpressions, func(o corev1.NodeSelectorRequirement) bool { return gocmp.Equal(o, r) }) {
			t.MatchExpressions = append(t.MatchExpressions, r)
		}
	}
	return a
}

// hasNames reports whether an affinity has n terms, each with the name of a node.
func hasNames(a *corev1.Affinity, n int) bool {
	return len(terms(a)) == n && !slices.ContainsFunc(terms(a), func(t corev1.NodeSelectorTerm) bool { return len(t.MatchFields) == 0 })
}

// The affinity with which an operation starts, and the nodes of the forecast, do not
// contradict each other: with its own affinity and what it inherits, the operation can run
// on every feasible node; with that of the forecast, on no other one.
func TestLawH4ForecastAndResolveAreConsistent(t *testing.T) {
	ready, conflicts := 0, 0
	manyWorlds(t, 60, func(t *rapid.T, w *world) {
		fc := w.forecast(t)
		for i, op := range w.ops {
			nodes := fc.Nodes(op.Ref)
			own, err := w.flow.Resolve(op.Ref, w.options.Seen)
			narrowed, narrowedErr := fc.Flow().Resolve(op.Ref, w.options.Seen)
			if own.State != narrowed.State || (err == nil) != (narrowedErr == nil) {
				t.Fatalf("%v: %v, %v and with the forecast's affinity %v, %v in\n%v", op.Ref, own, err, narrowed, narrowedErr, w)
			}
			if err != nil {
				conflicts++
				if fc.Completable() || nodes != nil {
					t.Fatalf("%v has feasible nodes %v, although %v in\n%v", op.Ref, nodes, err, w)
				}
			}
			if own.State != dataflow.Ready {
				continue
			}
			ready++
			matching := 0
			for _, n := range w.admitted[i] {
				feasible := slices.Contains(nodes, w.nodes[n].Name)
				if feasible && !affinitytest.Match(own.Affinity, &w.nodes[n]) {
					t.Fatalf("%s is feasible for %v, and its affinity %v excludes it in\n%v", w.nodes[n].Name, op.Ref, own.Affinity, w)
				}
				if fc.Completable() && feasible != affinitytest.Match(narrowed.Affinity, &w.nodes[n]) {
					t.Fatalf("%s is feasible for %v: %v, and the forecast's affinity %v says otherwise in\n%v", w.nodes[n].Name, op.Ref, feasible, narrowed.Affinity, w)
				}
				if affinitytest.Match(own.Affinity, &w.nodes[n]) {
					matching++
				}
			}
			if matching == 0 && fc.Completable() {
				t.Fatalf("the flow is completable, and no node matches the affinity of %v: %v in\n%v", op.Ref, own.Affinity, w)
			}
		}
	})
	t.Logf("%d operations ready, %d conflicts", ready, conflicts)
}

// What an operation recorded counts for its followers, and else the present labels of the
// node where it runs.
func TestLawL7StartedOperations(t *testing.T) {
	relabelled := func(value string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels[topology.Hostname] = value }
	}
	unlabelled := func(n *corev1.Node) { delete(n.Labels, topology.Hostname) }
	ran := func(phase dataflow.Phase, node, hostname string) dataflow.Observation {
		o := dataflow.Observation{Phase: phase, Node: node}
		if hostname != "" {
			o.Labels = topology.NewLabelSet(map[string]string{topology.Hostname: hostname})
		}
		return o
	}
	distributed := func(ops []dataflow.Operation) []dataflow.Operation { ops[0].Distributed = true; return ops }
	recurring := func(ops []dataflow.Operation) []dataflow.Operation { ops[0].Recurring = true; return ops }
	deleted := func(ops []dataflow.Operation) []dataflow.Operation { return ops[1:] }
	byRack := func(ops []dataflow.Operation) []dataflow.Operation {
		ops[1].RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "rack"}}
		return ops
	}
	preferring := func(ops []dataflow.Operation) []dataflow.Operation {
		ops[1].RunAfter.Strategy.Policy = affinity.Prefer
		return ops
	}

	n1, n2 := nodeLike("n1"), nodeLike("n2")
	for _, c := range []struct {
		name       string
		change     func([]dataflow.Operation) []dataflow.Operation
		nodes      []corev1.Node
		a, b       dataflow.Observation
		impossible string // the operation at which the flow fails
		onA, onB   string // feasible nodes
	}{
		{name: "Complete, on a node as it was", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), onA: "[n1]", onB: "[n1]"},
		{name: "Complete, with the labels alone known", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "", "n1"), onA: "[]", onB: "[n1]"},
		{name: "Complete, and nothing recorded", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", ""), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Complete, and nothing known", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "", ""), onA: "[]", onB: "[n1 n2]"},
		{name: "Complete, and its node cordoned", nodes: []corev1.Node{nodeLike("n1", cordoned), n2}, a: ran("Complete", "n1", "n1"),
			impossible: "b"},
		{name: "Complete, and its node tainted", nodes: []corev1.Node{nodeLike("n1", tainted("k", "", "NoExecute")), n2}, a: ran("Complete", "n1", "n1"),
			impossible: "b"},
		{name: "Complete, and its node removed", nodes: []corev1.Node{n2}, a: ran("Complete", "n1", "n1"),
			impossible: "b"},
		{name: "Complete, and its node relabelled", nodes: []corev1.Node{nodeLike("n1", relabelled("other")), n2}, a: ran("Complete", "n1", "n1"),
			impossible: "b"},
		{name: "Complete, and another node has its labels now", nodes: []corev1.Node{nodeLike("n1", relabelled("n2")), nodeLike("n2", relabelled("n1"))}, a: ran("Complete", "n1", "n1"), onA: "[n1]", onB: "[n2]"},
		{name: "Complete, and its node no longer exists, nothing recorded", nodes: []corev1.Node{n2}, a: ran("Complete", "n1", ""), onA: "[]", onB: "[n2]"},
		{name: "Complete, of another policy", change: preferring, nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Complete, of several pods", change: distributed, nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Complete, recurring", change: recurring, nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Complete, and deleted", change: deleted, nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), onA: "[]", onB: "[n1]"},
		{name: "Complete, and its follower is as well, apart", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), b: ran("Complete", "n2", "n2"), onA: "[n1]", onB: "[n2]"},
		{name: "Complete, and its follower runs apart", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), b: ran("Executing", "n2", ""), onA: "[n1]", onB: "[n2]"},
		{name: "Complete, and its follower may not be scheduled yet", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), b: ran("Executing", "", ""), onA: "[n1]", onB: "[n1]"},
		{name: "not started, although its follower is Complete", nodes: []corev1.Node{n1, n2}, b: ran("Complete", "n2", "n2"), onA: "[n1 n2]", onB: "[n2]"},

		{name: "Executing", nodes: []corev1.Node{n1, n2}, a: ran("Executing", "n1", ""), onA: "[n1]", onB: "[n1]"},
		{name: "Executing, with labels of an earlier run", nodes: []corev1.Node{n1, n2}, a: ran("Executing", "n1", "n2"), onA: "[n1]", onB: "[n1]"},
		{name: "Executing, and its node relabelled", nodes: []corev1.Node{nodeLike("n1", relabelled("n2")), n2}, a: ran("Executing", "n1", ""), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Executing, and its node has no such label", nodes: []corev1.Node{nodeLike("n1", unlabelled), n2}, a: ran("Executing", "n1", ""), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Executing, and its node cordoned", nodes: []corev1.Node{nodeLike("n1", cordoned), n2}, a: ran("Executing", "n1", ""),
			impossible: "b"},
		{name: "Executing, and its node removed", nodes: []corev1.Node{n2}, a: ran("Executing", "n1", ""),
			impossible: "b"},
		{name: "Executing, and its node removed, not exposing the label", change: byRack, nodes: []corev1.Node{n2}, a: ran("Executing", "n1", ""), onA: "[]", onB: "[n2]"},
		{name: "Executing, of several pods", change: distributed, nodes: []corev1.Node{n1, n2}, a: ran("Executing", "n1", ""), onA: "[n1]", onB: "[n1 n2]"},
		{name: "Executing, on a node that is not known", nodes: []corev1.Node{n1, n2}, a: ran("Executing", "", ""), onA: "[n1 n2]", onB: "[n1 n2]"},
		{name: "Executing, and deleted", change: deleted, nodes: []corev1.Node{n1, n2}, a: ran("Executing", "n1", ""), onA: "[]", onB: "[n1]"},

		{name: "Failed", nodes: []corev1.Node{n1, n2}, a: ran("Failed", "n1", "n1"), impossible: "a"},
		{name: "Failed, its follower", nodes: []corev1.Node{n1, n2}, a: ran("Complete", "n1", "n1"), b: ran("Failed", "n1", ""), impossible: "b"},
		{name: "Failed, and deleted", change: deleted, nodes: []corev1.Node{n1, n2}, a: ran("Failed", "n1", "n1"), impossible: "b"},
		{name: "Failed, and deleted, but its follower runs", change: deleted, nodes: []corev1.Node{n1, n2}, a: ran("Failed", "n1", "n1"), b: ran("Executing", "n2", ""), onA: "[]", onB: "[n2]"},
		{name: "Pending", nodes: []corev1.Node{n1, n2}, a: ran("Pending", "n1", "n1"), onA: "[n1 n2]", onB: "[n1 n2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ops := []dataflow.Operation{load("a"), requireSame(load("b", "a")), load("c", "b")}
			if c.change != nil {
				ops = c.change(ops)
			}
			fc := mustForecast(t, mustFlow(t, ops...), c.nodes, dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{ref("a"): c.a, ref("b"): c.b}})
			impossible := ""
			for _, ref := range fc.Impossible() {
				impossible += ref.Name
			}
			if impossible != c.impossible || fc.Completable() != (c.impossible == "") {
				t.Errorf("Impossible = %q, want %q", impossible, c.impossible)
			}
			if c.impossible != "" {
				c.onA, c.onB = "[]", "[]"
			}
			if onA, onB := fmt.Sprint(fc.Nodes(ref("a"))), fmt.Sprint(fc.Nodes(ref("b"))); onA != c.onA || onB != c.onB {
				t.Errorf("a can run on %s, b on %s; want %s and %s", onA, onB, c.onA, c.onB)
			}
		})
	}
}

func TestForecastReportsEveryFault(t *testing.T) {
	malformed := load("malformed")
	malformed.NodeSelector = map[string]string{"not a key": ""}
	malformed.Affinity = requiring("gpu", "not a value!")
	process := malformed
	process.Ref.Kind = dataflow.DataProcess
	f := mustFlow(t, malformed, process)
	_, err := f.Forecast(nil, dataflow.ForecastOptions{})
	var got []string
	for _, fault := range dataflow.Faults(err) {
		var of *dataflow.OperationError
		if !errors.As(fault, &of) {
			t.Errorf("%T is not an OperationError", fault)
		}
		got = append(got, fault.Error())
	}
	want := []string{
		`DataLoad default/malformed: spec.nodeSelector[not a key]: Invalid value`,
		`DataLoad default/malformed: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value`,
		`DataProcess default/malformed: spec.processor.job.podSpec.nodeSelector[not a key]: Invalid value`,
		`DataProcess default/malformed: spec.processor.job.podSpec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values[0]: Invalid value`,
	}
	if !slices.EqualFunc(got, want, func(got, want string) bool { return len(got) >= len(want) && got[:len(want)] == want }) {
		t.Errorf("faults:\n%s", gocmp.Diff(want, got))
	}
	var fault *field.Error
	if !errors.As(err, &fault) {
		t.Errorf("%v holds no field error", err)
	}
}

// A constraint that is accepted and that no node can meet is no fault.
func TestForecastAcceptsWhatAnAPIServerAccepts(t *testing.T) {
	op := load("a")
	op.Affinity = requiring("k", "16.5")
	terms(op.Affinity)[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpGt
	if fc := mustForecast(t, mustFlow(t, op), fleet(2), dataflow.ForecastOptions{}); fc.Completable() {
		t.Error("a node matches")
	}
}

func TestForecastReportsCyclesOfSources(t *testing.T) {
	for _, s := range []affinity.Strategy{ // whatever is inherited: each waits for its source
		{Policy: affinity.Require}, {Policy: affinity.Prefer}, {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "example.com/none"}}},
	} {
		root, a, b, c := load("root"), load("a", "root"), load("b", "root"), load("c", "root")
		for op, on := range map[*dataflow.Operation]string{&a: "b", &b: "c", &c: "a"} {
			source := ref(on)
			op.RunAfter.Strategy, op.RunAfter.DependOn = s, &source
		}
		f := mustFlow(t, root, a, b, c)
		_, forecast := f.Forecast(nil, dataflow.ForecastOptions{})
		_, lookahead := f.Lookahead(b.Ref)
		for _, err := range []error{forecast, lookahead} {
			var cycle *dataflow.CycleError
			if !errors.As(err, &cycle) || !cycle.Sources || err.Error() != "cycle of dependOn: DataLoad default/a → DataLoad default/b → DataLoad default/c → DataLoad default/a" {
				t.Errorf("%+v: %v", s, err)
			}
		}
	}
}

// Of one operation, requests and constraints are not multiplied.
func TestLawG1OneLargeOperation(t *testing.T) {
	named := func(n int, name string) corev1.ResourceList {
		requests := corev1.ResourceList{}
		for i := range n {
			requests[corev1.ResourceName(fmt.Sprint(name, i))] = resource.MustParse("1")
		}
		return requests
	}
	t.Run("extended resources", func(t *testing.T) {
		growth.Check(t, 1000, func(n int) func() {
			op := load("a")
			op.Requests = named(n, "example.com/r")
			f, nodes := mustFlow(t, op), mustIndex(t, fleet(1), nil)
			return func() { f.Forecast(nodes, dataflow.ForecastOptions{ExtendedResourceToleration: true}) }
		})
	})
	t.Run("impossible terms and a node selector", func(t *testing.T) {
		growth.Check(t, 200, func(n int) func() {
			op := load("a")
			op.NodeSelector, op.Affinity = map[string]string{}, either()
			required := op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			for i := range n {
				op.NodeSelector[fmt.Sprint("k", i)] = "v"
				required.NodeSelectorTerms = append(required.NodeSelectorTerms, terms(either([]string{"a=1", "a=2"}))...)
			}
			return func() { dataflow.Check(op) }
		})
	})
}

// Only allocations are counted here. Benchmarks measure time.
func TestLawL8EachDistinctCombinationIsEvaluatedOnce(t *testing.T) {
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
				s.NodeSelectorTerms = append(s.NodeSelectorTerms, terms(requiring(fmt.Sprint("key-", term), fmt.Sprint(i%distinct)))...)
			}
		}
		f, all := mustFlow(t, ops...), fleet(nodes)
		return testing.AllocsPerRun(1, func() { mustForecast(t, f, all, dataflow.ForecastOptions{}) })
	}
	shared, own := allocations(200, 1, 100), allocations(200, 200, 100)
	t.Logf("allocations for 200 operations: %.0f with one combination, %.0f with 200", shared, own)
	if own < 10*shared {
		t.Errorf("a combination that all operations share costs as much as one for each")
	}
	few, many := allocations(400, 1, 100)-allocations(200, 1, 100), allocations(400, 1, 5000)-allocations(200, 1, 5000)
	t.Logf("allocations for 200 more operations: %.0f on 100 nodes, %.0f on 5,000", few, many)
	if many > 1.1*few {
		t.Errorf("one more operation costs more on more nodes")
	}
}

// The caller's test is called once for each operation that needs a node, and each node that
// admits it otherwise.
func TestLawL8TheCallersTestIsCalledOnce(t *testing.T) {
	manyWorlds(t, 20, func(t *rapid.T, w *world) {
		called := map[string]int{}
		w = newWorld(w.flow, w.cluster, dataflow.ForecastOptions{Seen: w.options.Seen})
		w.options.Admit = func(op dataflow.Operation, n *corev1.Node) bool {
			called[op.Ref.String()+" on "+n.Name]++
			return true
		}
		w.forecast(t)
		want := map[string]int{}
		for i, op := range w.ops {
			for _, n := range w.admitted[i] {
				if !w.settled(i) && w.observation(i).Phase != dataflow.Failed {
					want[op.Ref.String()+" on "+w.nodes[n].Name] = 1
				}
			}
		}
		if !gocmp.Equal(called, want) {
			t.Fatalf("called for %v, want %v", called, want)
		}
	})
}

func TestForecastOfAnUnknownOperation(t *testing.T) {
	fc := mustForecast(t, mustFlow(t, load("a")), fleet(2), dataflow.ForecastOptions{})
	var unknown *dataflow.UnknownOperationError
	if _, err := fc.Affinity(ref("b")); !errors.As(err, &unknown) {
		t.Errorf("Affinity: %v", err)
	}
	if fc.Nodes(ref("b")) != nil || fc.Strands(ref("b")) != nil || fc.Reason(ref("b")) != "" {
		t.Error("the forecast has something about an operation that is not in the flow")
	}
}

// The affinity of a settled operation is its own, whatever the node where it ran.
func TestAffinityOfASettledOperation(t *testing.T) {
	op := load("a")
	op.Affinity = requiring("type", "GPU")
	f := mustFlow(t, op)
	fc := mustForecast(t, f, fleet(2), dataflow.ForecastOptions{})
	if _, err := fc.Affinity(op.Ref); err == nil || err.Error() != "no node is feasible for DataLoad default/a: the flow fails at DataLoad default/a" {
		t.Errorf("not completable: %v", err)
	}
	for _, node := range []string{"node-1", "gone", ""} {
		fc := mustForecast(t, f, fleet(2), dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{op.Ref: {Phase: dataflow.Complete, Node: node}}})
		if a, err := fc.Affinity(op.Ref); err != nil || !gocmp.Equal(a, op.Affinity) {
			t.Errorf("ran on %q: %v, %v", node, a, err)
		}
	}
}
