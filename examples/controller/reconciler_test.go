package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// object is a manifest of an operation in namespace ns, with more of its spec.
func object(kind dataflow.Kind, name string, spec ...string) string {
	return fmt.Sprintf("{apiVersion: data.fluid.io/v1alpha1, kind: %s, metadata: {namespace: ns, name: %s}, spec: {%s}}", kind, name, strings.Join(spec, ", "))
}

func runsAfter(kind dataflow.Kind, name, strategy string) string {
	return fmt.Sprintf("runAfter: {kind: %s, name: %s, affinityStrategy: {%s}}", kind, name, strategy)
}

func load(name string) dataflow.Ref {
	return dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "ns", Name: name}
}

// nodes returns two nodes in each of three zones.
func nodes() []corev1.Node {
	var nodes []corev1.Node
	for i := range 6 {
		name := fmt.Sprintf("node-%d", i)
		nodes = append(nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			topology.Hostname: name, topology.Zone: fmt.Sprintf("zone-%d", i/2), "gpu": fmt.Sprint(i%2 == 1),
		}}})
	}
	return nodes
}

func objects(nodes []corev1.Node) []client.Object {
	var objects []client.Object
	for i := range nodes {
		objects = append(objects, nodes[i].DeepCopy())
	}
	return objects
}

// follow are the ways in which operations of a random flow follow each other, and the
// label in which they must then agree.
var follow = []struct{ strategy, label string }{
	{"policy: Require", topology.Hostname},
	{"policy: Require, requires: [{name: topology.kubernetes.io/zone}]", topology.Zone},
	{"policy: Prefer", ""},
	{"", ""},
}

// Flows of all kinds complete with everything where it must be, although watches lag
// behind each other, calls fail before or after they had their effect, the controller
// is restarted, operations are made in any order, and those that nobody needs any more
// are deleted. No wake-up is missed: the end is reached by what the watches woke alone.
func TestWhateverHappensFlowsComplete(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			nodes := nodes()
			w := newWorld(t, objects(nodes)...)
			w.options.Lookahead = seed%2 == 1
			w.restart()

			// A forest of operations, in which each runs after one that came before it.
			const size = 9
			kinds := dataflow.Kinds()
			var manifests []string
			refs, predecessors, labels, pods := make([]dataflow.Ref, size), make([]int, size), make([]string, size), make([]int, size)
			for i := range size {
				refs[i] = dataflow.Ref{Kind: kinds[random.IntN(len(kinds))], Namespace: "ns", Name: fmt.Sprint("op-", i)}
				predecessors[i] = random.IntN(i+1) - 1
				pods[i] = 1
				var spec []string
				if p := predecessors[i]; p >= 0 {
					how := follow[random.IntN(len(follow))]
					labels[i] = how.label
					spec = append(spec, runsAfter(refs[p].Kind, refs[p].Name, how.strategy))
				}
				if refs[i].Kind == dataflow.DataMigrate && random.IntN(3) == 0 {
					spec = append(spec, "parallelism: 2")
					labels[i], pods[i] = "", 2
				}
				manifests = append(manifests, object(refs[i].Kind, refs[i].Name, spec...))
			}
			random.Shuffle(size, func(i, j int) { manifests[i], manifests[j] = manifests[j], manifests[i] })

			w.fails = func() fault {
				if random.IntN(8) == 0 {
					return fault(1 + random.IntN(2))
				}
				return never
			}
			places, done, deleted := map[dataflow.Ref][]string{}, map[dataflow.Ref]bool{}, map[dataflow.Ref]bool{}
			label := func(node, key string) string {
				i := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == node })
				return nodes[i].Labels[key]
			}
			step := func() {
				switch random.IntN(12) {
				case 0:
					if len(manifests) > 0 {
						w.apply(manifests[0])
						manifests = manifests[1:]
					}
				case 1, 2:
					for _, pod := range w.podsThere() {
						if owner, _ := ownerOf(&pod); pod.Status.Phase == "" && w.run(&pod, nodes, corev1.PodSucceeded, random) {
							places[owner] = append(places[owner], pod.Spec.NodeName)
							break
						}
					}
				case 3:
					if random.IntN(20) == 0 {
						w.options.Lookahead = random.IntN(2) == 0
						w.restart()
					}
				case 4: // clean up an operation if all that follow it are over
					i := random.IntN(size)
					needed := slices.ContainsFunc(refs, func(r dataflow.Ref) bool { return predecessors[slices.Index(refs, r)] == i && !done[r] })
					if done[refs[i]] && !needed && !deleted[refs[i]] {
						deleted[refs[i]] = true
						w.must(w.api.Delete(t.Context(), objectOf(refs[i])))
					}
				case 5, 6, 7:
					if len(w.queue) > 0 {
						w.reconcile(random.IntN(len(w.queue)))
						for _, ref := range refs {
							if u := objectOf(ref); w.api.Get(t.Context(), client.ObjectKeyFromObject(u), u) == nil && phaseOf(u) == dataflow.Complete {
								done[ref] = true
							}
						}
					}
				default:
					w.deliver(random.IntN(len(w.watches)))
				}
			}
			for range 400 {
				step()
			}
			w.fails = func() fault { return never }
			for n := 0; len(done) < size; n++ {
				if n > 20_000 {
					t.Fatalf("it hangs: done %v\n%s", done, strings.Join(w.events, "\n"))
				}
				step()
			}

			for i, ref := range refs {
				if p := predecessors[i]; p >= 0 && labels[i] != "" && pods[p] == 1 {
					if here, there := label(places[ref][0], labels[i]), label(places[refs[p]][0], labels[i]); here != there {
						t.Errorf("%s ran in %q, and %s in %q", ref, here, refs[p], there)
					}
				}
				if len(places[ref]) != pods[i] {
					t.Errorf("%s ran on %v, and has %d pods", ref, places[ref], pods[i])
				}
			}

			w.settle()
			w.writes, w.events = 0, nil
			for _, ref := range refs {
				if _, err := w.r.Reconcile(t.Context(), requestFor(ref)); err != nil {
					t.Error(err)
				}
			}
			w.settle()
			if w.writes > 0 || w.events != nil {
				t.Errorf("%d writes after all was over, and events %v", w.writes, w.events)
			}
		})
	}
}

func TestWhatIsReported(t *testing.T) {
	zone := func(z string) string { return "nodeSelector: {topology.kubernetes.io/zone: " + z + "}" }
	const byZone = "policy: Require, requires: [{name: topology.kubernetes.io/zone}]"
	for _, tt := range []struct {
		name       string
		operations []string
		events     []string // the start of each
		complete   string   // names
	}{
		{"nothing of what works", []string{object("DataLoad", "a"), object("DataBackup", "b", runsAfter("DataLoad", "a", "policy: Require"))}, nil, "a b"},
		{
			"an unknown policy",
			[]string{object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Must")), object("DataLoad", "c", runsAfter("DataLoad", "b", ""))},
			[]string{"Invalid DataLoad ns/b: spec.runAfter.affinityStrategy.policy: ", "Waiting DataLoad ns/c: for DataLoad ns/b, which cannot run"}, "a",
		},
		{
			"a malformed label key",
			[]string{object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require, requires: [{name: not a key}]"))},
			[]string{"Invalid DataLoad ns/b: spec.runAfter.affinityStrategy.requires[0].name: "}, "a",
		},
		{
			"a misspelt field",
			[]string{object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require, require: []"))},
			[]string{"Invalid DataLoad ns/b: spec.runAfter.affinityStrategy.require: "}, "a",
		},
		{
			"an affinity that no node meets",
			[]string{object("DataLoad", "a", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: x, operator: Exists}, {key: x, operator: DoesNotExist}]}]}}}")},
			[]string{"Invalid DataLoad ns/a: spec.affinity"}, "",
		},
		{"a predecessor that is not there", []string{object("DataLoad", "b", runsAfter("DataLoad", "a", ""))}, []string{"Waiting DataLoad ns/b: for DataLoad ns/a: it does not exist"}, ""},
		{
			"a source that is not there",
			[]string{object("DataLoad", "a"), object("DataLoad", "b", "runAfter: {kind: DataLoad, name: a, affinityStrategy: {policy: Require, dependOn: {kind: DataLoad, name: x}}}")},
			[]string{"Waiting DataLoad ns/b: for DataLoad ns/x: it does not exist"}, "a",
		},
		{
			"a cycle",
			[]string{object("DataLoad", "a", runsAfter("DataLoad", "b", "")), object("DataLoad", "b", runsAfter("DataLoad", "a", ""))},
			[]string{"Invalid DataLoad ns/a: cycle", "Invalid DataLoad ns/b: cycle"}, "",
		},
		{
			"a conflict",
			[]string{object("DataLoad", "a", zone("zone-0")), object("DataLoad", "b", zone("zone-1"), runsAfter("DataLoad", "a", byZone))},
			[]string{"Conflict DataLoad ns/b: cannot follow DataLoad ns/a: it ran where topology.kubernetes.io/zone=zone-0, but spec.nodeSelector"}, "a",
		},
		{
			"labels that are not exposed",
			[]string{object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require, requires: [{name: gpu}]"))},
			[]string{"MissingLabels DataLoad ns/b: not inherited, because DataLoad ns/a did not record them: gpu"}, "a b",
		},
		{
			"what runs on several nodes exposes nothing",
			[]string{object("DataMigrate", "a", "parallelism: 3"), object("DataLoad", "b", runsAfter("DataMigrate", "a", "policy: Require"))},
			[]string{"MissingLabels DataLoad ns/b: "}, "a b",
		},
		{
			"what runs by a schedule is left to others",
			[]string{object("DataLoad", "a", `policy: Cron, schedule: "* * * * *"`), object("DataLoad", "b", runsAfter("DataLoad", "a", ""))},
			[]string{"Recurring DataLoad ns/a: "}, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.apply(tt.operations...)
			w.complete(nodes())
			slices.Sort(w.events)
			if len(w.events) != len(tt.events) {
				t.Fatalf("events: %q", w.events)
			}
			for i, e := range w.events {
				if !strings.HasPrefix(e, tt.events[i]) {
					t.Errorf("event %q, not %q…", e, tt.events[i])
				}
			}
			var complete []string
			for _, kind := range dataflow.Kinds() {
				list := listOf(kind)
				w.must(w.api.List(t.Context(), list))
				for i := range list.Items {
					if phaseOf(&list.Items[i]) == dataflow.Complete {
						complete = append(complete, list.Items[i].GetName())
					}
				}
			}
			slices.Sort(complete)
			if got := strings.Join(complete, " "); got != tt.complete {
				t.Errorf("complete: %q, not %q", got, tt.complete)
			}

			// However often it looks again, it tells nothing twice and writes nothing.
			w.writes, w.events = 0, nil
			for _, kind := range dataflow.Kinds() {
				list := listOf(kind)
				w.must(w.api.List(t.Context(), list))
				for i := range list.Items {
					w.change(refOf(&list.Items[i]), func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"touched": "yes"}) })
				}
			}
			w.complete(nodes())
			if w.writes > 0 || w.events != nil {
				t.Errorf("%d writes and the events %q for nothing", w.writes, w.events)
			}
		})
	}
}

// setRunAfter makes b run after something else.
func setRunAfter(name, policy string) func(u *unstructured.Unstructured) {
	return func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedMap(u.Object, map[string]any{
			"kind": "DataLoad", "name": name, "affinityStrategy": map[string]any{"policy": policy},
		}, "spec", "runAfter")
	}
}

func TestWhatIsFixedGoesOn(t *testing.T) {
	b := object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Must"))
	c := object("DataLoad", "c", runsAfter("DataLoad", "b", "policy: Require"))
	for _, tt := range []struct {
		name       string
		operations []string
		fix        func(*world)
	}{
		{"an invalid policy", []string{object("DataLoad", "a"), b, c}, func(w *world) { w.change(load("b"), setRunAfter("a", "Require")) }},
		{"a misspelt predecessor", []string{object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "o", "")), c}, func(w *world) { w.change(load("b"), setRunAfter("a", "Require")) }},
		{
			"a source that comes late",
			[]string{object("DataLoad", "x"), object("DataLoad", "b", "runAfter: {kind: DataLoad, name: x, affinityStrategy: {policy: Require, dependOn: {kind: DataLoad, name: a}}}"), c},
			func(w *world) { w.apply(object("DataLoad", "a")) },
		},
		{"a predecessor that comes late", []string{object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")), c}, func(w *world) { w.apply(object("DataLoad", "a")) }},
		{
			"a cycle",
			[]string{object("DataLoad", "b", runsAfter("DataLoad", "c", "")), c, object("DataLoad", "a")},
			func(w *world) { w.change(load("b"), setRunAfter("a", "Require")) },
		},
		{
			"a conflict",
			[]string{object("DataLoad", "a", "nodeSelector: {topology.kubernetes.io/zone: zone-0}"), object("DataLoad", "b", "nodeSelector: {topology.kubernetes.io/zone: zone-1}", runsAfter("DataLoad", "a", "policy: Require, requires: [{name: topology.kubernetes.io/zone}]")), c},
			func(w *world) {
				w.change(load("b"), func(u *unstructured.Unstructured) { unstructured.RemoveNestedField(u.Object, "spec", "nodeSelector") })
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.apply(tt.operations...)
			w.complete(nodes())
			if finished(phaseOf(w.operation(load("b")))) || len(w.events) == 0 {
				t.Fatalf("b is %q, events %q", phaseOf(w.operation(load("b"))), w.events)
			}
			tt.fix(w)
			w.complete(nodes())
			for _, name := range []string{"a", "b", "c"} {
				if phase := phaseOf(w.operation(load(name))); phase != dataflow.Complete {
					t.Errorf("%s is %q, events %q", name, phase, w.events)
				}
			}
		})
	}
}

// A failure blocks all that come after, also those that are made later or before their
// predecessors; once the failed one is created again and completes, they run.
func TestFailuresBlockUntilFixed(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	after := func(name, predecessor string) string {
		return object("DataLoad", name, runsAfter("DataLoad", predecessor, "policy: Require"))
	}
	w.apply(object("DataLoad", "a"), after("b", "a"), after("c", "b"))
	w.settle()
	pods := w.podsThere()
	if len(pods) != 1 {
		t.Fatalf("%d pods", len(pods))
	}
	w.run(&pods[0], nodes(), corev1.PodFailed, rand.New(rand.NewPCG(1, 1)))
	w.settle()
	w.apply(after("f", "e"), after("e", "d"))
	w.settle()
	w.apply(after("d", "c"))
	w.settle()
	if phase := phaseOf(w.operation(load("a"))); phase != dataflow.Failed {
		t.Fatalf("a is %q", phase)
	}
	for _, name := range []string{"b", "c", "d", "e", "f"} {
		if n := count(w.events, "Blocked DataLoad ns/"+name+": DataLoad ns/a failed"); n != 1 {
			t.Errorf("%s was told %d times that it is blocked: %q", name, n, w.events)
		}
	}
	w.must(w.api.Delete(t.Context(), objectOf(load("a"))))
	w.settle()
	w.must(w.api.Delete(t.Context(), &pods[0])) // the garbage collector
	w.apply(object("DataLoad", "a"))
	w.complete(nodes())
	if phase := phaseOf(w.operation(load("f"))); phase != dataflow.Complete {
		t.Errorf("f is %q: %q", phase, w.events)
	}
}

func count(events []string, event string) int {
	n := 0
	for _, e := range events {
		if e == event {
			n++
		}
	}
	return n
}

func TestADeletedPredecessorIsReported(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")))
	w.settle()
	if w.events != nil {
		t.Fatalf("events %q", w.events)
	}
	w.must(w.api.Delete(t.Context(), objectOf(load("a"))))
	w.settle()
	const waiting = "Waiting DataLoad ns/b: for DataLoad ns/a: it does not exist"
	if !slices.Equal(w.events, []string{waiting}) {
		t.Errorf("events %q", w.events)
	}
	// Another operation of the name has an event of its own.
	w.must(w.api.Delete(t.Context(), objectOf(load("b"))))
	w.settle()
	w.apply(object("DataLoad", "b", runsAfter("DataLoad", "a", "")))
	w.settle()
	if !slices.Equal(w.events, []string{waiting, waiting}) {
		t.Errorf("events %q", w.events)
	}
	// After a restart nothing is reported again.
	w.restart()
	w.settle()
	if !slices.Equal(w.events, []string{waiting, waiting}) {
		t.Errorf("events %q", w.events)
	}
}

// An operation that has ended is not run again because the watches are behind.
func TestAnOldCacheRunsNothingTwice(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"))
	w.settle()
	u := w.operation(load("a"))
	w.complete(nodes())
	if phase := phaseOf(w.operation(load("a"))); phase != dataflow.Complete {
		t.Fatalf("a is %q", phase)
	}
	// The pod is cleaned up, and the watch of operations is behind.
	w.must(w.api.Delete(t.Context(), &w.podsThere()[0]))
	w.settle()
	w.r.onOperation(u, true)
	if _, err := w.r.Reconcile(t.Context(), requestFor(load("a"))); err != nil {
		t.Fatal(err)
	}
	if pods := w.podsThere(); len(pods) > 0 {
		t.Errorf("it runs again: %s", pods[0].Name)
	}
}

// A status that rests on what an operation was before somebody changed it is not written.
func TestAStatusIsNotWrittenOnAnOldVersion(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"))
	w.settle()
	w.run(&w.podsThere()[0], nodes(), corev1.PodSucceeded, rand.New(rand.NewPCG(1, 1)))
	w.change(load("a"), func(u *unstructured.Unstructured) {
		u.SetAnnotations(map[string]string{topology.LabelsAnnotation: "gpu"})
	})
	for w.deliver(podWatch) {
	}
	w.reconcile(0)
	if phase := phaseOf(w.operation(load("a"))); finished(phase) {
		t.Fatalf("a is %q", phase)
	}
	w.settle()
	op := decode(w.operation(load("a")))
	if _, exposed := op.Observation.Labels.Get("gpu"); !exposed || op.Observation.Phase != dataflow.Complete {
		t.Errorf("a is %q, and exposes %s", op.Observation.Phase, op.Observation.Labels)
	}
}

// An operation and what is left of a deleted one of the same name are kept apart.
func TestPodsOfADeletedOperationAreNotTheOperations(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"))
	w.complete(nodes())
	w.must(w.api.Delete(t.Context(), objectOf(load("a"))))
	w.settle()
	w.apply(object("DataLoad", "a"))
	w.settle()
	if phase := phaseOf(w.operation(load("a"))); finished(phase) {
		t.Fatalf("a is %q", phase)
	}
	if want := "FailedCreate DataLoad ns/a: the pod a-dataload-0 of a deleted operation of this name is still there"; !slices.Equal(w.events, []string{want}) {
		t.Errorf("events %q", w.events)
	}
	w.must(w.api.Delete(t.Context(), &w.podsThere()[0])) // the garbage collector
	w.complete(nodes())
	if phase := phaseOf(w.operation(load("a"))); phase != dataflow.Complete {
		t.Errorf("a is %q", phase)
	}
}

func TestPodsOfADistributedOperation(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataMigrate", "a", "parallelism: 3"))
	w.settle()
	pods := w.podsThere()
	if len(pods) != 3 {
		t.Fatalf("%d pods", len(pods))
	}
	ref := dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "ns", Name: "a"}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range pods {
		if phase := phaseOf(w.operation(ref)); finished(phase) {
			t.Fatalf("after %d pods it is %q", i, phase)
		}
		w.run(&pods[i], nodes(), corev1.PodSucceeded, random)
		w.settle()
	}
	u := w.operation(ref)
	if _, recorded, _ := unstructured.NestedMap(u.Object, "status", "nodeAffinity"); recorded || phaseOf(u) != dataflow.Complete {
		t.Errorf("its status is %v", u.Object["status"])
	}
}

// What another controller runs by a schedule can be run after, and exposes nothing.
func TestAfterARecurringOperation(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a", `policy: Cron, schedule: "* * * * *"`), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")))
	w.complete(nodes())
	if phase := phaseOf(w.operation(load("b"))); phase != "" {
		t.Fatalf("b is %q", phase)
	}
	a := w.operation(load("a"))
	w.must(unstructured.SetNestedField(a.Object, "Complete", "status", "phase"))
	w.must(w.api.Status().Update(t.Context(), a))
	w.complete(nodes())
	if phase := phaseOf(w.operation(load("b"))); phase != dataflow.Complete || !strings.HasPrefix(w.events[len(w.events)-1], "MissingLabels DataLoad ns/b: ") {
		t.Errorf("b is %q, events %q", phase, w.events)
	}
}

func TestWhatIsRecorded(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(`{apiVersion: data.fluid.io/v1alpha1, kind: DataLoad, metadata: {namespace: ns, name: a, annotations: {affinity.dataflow.fluid.io/labels: gpu}}, spec: {nodeSelector: {kubernetes.io/hostname: node-3}}}`)
	w.complete(nodes())
	op := decode(w.operation(load("a")))
	if got, want := op.Observation.Labels.String(), "gpu=true,kubernetes.io/hostname=node-3,topology.kubernetes.io/zone=zone-1"; got != want {
		t.Errorf("recorded %s, not %s", got, want)
	}
}

const gpuAffinity = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: In, values: ['true']}]}]}}}"

// stranding: a may run anywhere, and b, which needs a GPU, must run where it did.
func TestLookahead(t *testing.T) {
	for _, tt := range []struct {
		name      string
		lookahead bool
		further   []string
		fits      bool // the nodes that a may run on are those with a GPU
		event     string
	}{
		{"without", false, nil, false, ""},
		{"with", true, nil, true, ""},
		{"an invalid follower changes nothing", true, []string{object("DataLoad", "c", runsAfter("DataLoad", "a", "policy: Must"))}, true, ""},
		{
			"a follower that asks for the impossible does not keep it from running", true,
			[]string{object("DataLoad", "c", "nodeSelector: {gpu: 'false'}", runsAfter("DataLoad", "a", "policy: Require"))}, false, "Strands DataLoad ns/a: ",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.options.Lookahead = tt.lookahead
			w.restart()
			w.apply(append(tt.further, object("DataLoad", "b", gpuAffinity, runsAfter("DataLoad", "a", "policy: Require")), object("DataLoad", "a"))...)
			w.settle()
			pods := w.podsThere()
			if len(pods) != 1 {
				t.Fatalf("%d pods, events %q", len(pods), w.events)
			}
			m, err := affinity.Compile(nil, pods[0].Spec.Affinity)
			w.must(err)
			for _, n := range nodes() {
				if got, want := m.Match(&n), !tt.fits || n.Labels["gpu"] == "true"; got != want {
					t.Errorf("a may run on %s: %t, not %t", n.Name, got, want)
				}
			}
			told := slices.ContainsFunc(w.events, func(e string) bool { return strings.HasPrefix(e, "Strands") })
			if told != (tt.event != "") {
				t.Errorf("events %q", w.events)
			}
		})
	}
}

// An operation that is seen before its followers waits a little for them.
func TestLookaheadWaitsForFollowers(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.age = 0
	w.options.Lookahead = true
	w.restart()
	w.apply(object("DataLoad", "a"))
	w.deliverAll()
	result, err := w.r.Reconcile(t.Context(), requestFor(load("a")))
	w.must(err)
	if pods := w.podsThere(); len(pods) > 0 || result.RequeueAfter <= 0 || result.RequeueAfter > settle {
		t.Errorf("it waits %v, %d pods", result.RequeueAfter, len(pods))
	}
}

// What is no business of an operation does not narrow its affinity: followers of other
// namespaces, and those that have run.
func TestLookaheadOfOthers(t *testing.T) {
	picky := object("DataLoad", "b", "nodeSelector: {gpu: nosuch}", "runAfter: {kind: DataLoad, namespace: ns, name: a, affinityStrategy: {policy: Require}}")
	for name, follower := range map[string]string{
		"of another namespace": strings.Replace(picky, "namespace: ns, name: b", "namespace: foreign, name: b", 1),
		"that has run":         strings.TrimSuffix(picky, "}") + ", status: {conditions: [], duration: 1s, phase: Complete}}",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.options.Lookahead = true
			w.restart()
			w.apply(follower, object("DataLoad", "a"))
			w.settle()
			if pods := w.podsThere(); len(pods) != 1 || pods[0].Spec.Affinity != nil {
				t.Errorf("pods %v", pods)
			}
		})
	}
}

// A dependOn that does not come before an operation may wait for it, or never complete.
func TestADependOnThatDoesNotComeBefore(t *testing.T) {
	dependOn := func(name string) string {
		return object("DataLoad", "b", "runAfter: {kind: DataLoad, name: a, affinityStrategy: {policy: Require, dependOn: {kind: DataLoad, name: "+name+"}}}")
	}
	for name, more := range map[string][]string{
		"c": {object("DataLoad", "c", runsAfter("DataLoad", "b", ""))},
		"b": nil,
		"x": {object("DataLoad", "x", "nodeSelector: {gpu: nosuch}")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.apply(append(more, object("DataLoad", "a"), dependOn(name))...)
			w.complete(nodes())
			want := "Waiting DataLoad ns/b: for DataLoad ns/" + name + ": dependOn names it, but it is not an ancestor of this operation"
			if count(w.events, want) == 0 || len(w.events) > 2 { // perhaps before c was seen, too
				t.Errorf("events %q", w.events)
			}
		})
	}
}

// What a pod says counts, whatever else there is to say.
func TestPodsCountWhateverElseIsWrong(t *testing.T) {
	ended := func(w *world, name string, phase corev1.PodPhase) {
		for _, pod := range w.podsThere() {
			if pod.Name == name {
				w.run(&pod, nodes(), phase, rand.New(rand.NewPCG(1, 1)))
			}
		}
	}
	t.Run("one failed, and another cannot be created", func(t *testing.T) {
		foreign := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "m-datamigrate-2"}}
		w := newWorld(t, append(objects(nodes()), foreign)...)
		w.apply(object("DataMigrate", "m", "parallelism: 3"))
		for range 3 {
			w.deliverAll()
			w.reconcile(0)
			ended(w, "m-datamigrate-0", corev1.PodFailed)
		}
		if phase := phaseOf(w.operation(dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "ns", Name: "m"})); phase != dataflow.Failed {
			t.Errorf("it is %q", phase)
		}
	})
	t.Run("the operation was made invalid meanwhile", func(t *testing.T) {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataLoad", "a"))
		w.settle()
		w.change(load("a"), setRunAfter("x", "Must"))
		w.complete(nodes())
		if phase := phaseOf(w.operation(load("a"))); phase != dataflow.Complete {
			t.Errorf("it is %q", phase)
		}
	})
}

// A pod that the watch, which goes by a label, cannot see keeps nobody in the dark.
func TestAPodWithoutItsLabel(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"))
	w.settle()
	pod := w.podsThere()[0]
	pod.Labels = nil
	w.must(w.api.Update(t.Context(), &pod))
	w.deliverAll()
	w.r.onPod(&pod, nil, false)
	w.enqueue(requestFor(load("a")))
	w.reconcile(0)
	if want := "FailedCreate DataLoad ns/a: the pod a-dataload-0 has lost the label " + podLabel; len(w.events) != 1 || !strings.HasPrefix(w.events[0], want) || len(w.queue) != 1 {
		t.Errorf("events %q, to be tried again: %v", w.events, w.queue)
	}
}

// Each object has its own events, and none has one twice.
func TestEventsAreOfObjects(t *testing.T) {
	t.Run("created again before it is looked at", func(t *testing.T) {
		w := newWorld(t, objects(nodes())...)
		invalid := object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Must"))
		w.apply(invalid)
		w.settle()
		w.must(w.api.Delete(t.Context(), objectOf(load("b"))))
		w.apply(invalid)
		w.deliverAll()
		w.settle()
		if len(w.events) != 2 || w.events[0] != w.events[1] {
			t.Errorf("events %q", w.events)
		}
	})
	t.Run("recurring, at every tick", func(t *testing.T) {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataLoad", "a", `policy: Cron, schedule: "* * * * *"`))
		w.settle()
		for range 3 {
			for _, phase := range []string{"Pending", "Executing", "Complete"} {
				a := w.operation(load("a"))
				w.must(unstructured.SetNestedField(a.Object, phase, "status", "phase"))
				w.must(w.api.Status().Update(t.Context(), a))
				w.settle()
			}
		}
		if len(w.events) != 1 {
			t.Errorf("events %q", w.events)
		}
	})
	t.Run("stranding, and not to be created", func(t *testing.T) {
		foreign := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a-dataload-0"}}
		w := newWorld(t, append(objects(nodes()), foreign)...)
		w.options.Lookahead = true
		w.restart()
		w.apply(object("DataLoad", "b", gpuAffinity, runsAfter("DataLoad", "a", "policy: Require")),
			object("DataLoad", "c", "nodeSelector: {gpu: 'false'}", runsAfter("DataLoad", "a", "policy: Require")), object("DataLoad", "a"))
		w.deliverAll()
		for range 5 {
			w.enqueue(requestFor(load("a")))
			w.reconcile(0)
		}
		if len(w.events) != 1 {
			t.Errorf("events %q", w.events)
		}
	})
}

// What a template's users watch: conditions, events and metrics of a flow that works.
func TestWhatIsSeenOfAFlow(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a", "nodeSelector: {kubernetes.io/hostname: node-3}"), object("DataLoad", "b", runsAfter("DataLoad", "a", "policy: Require")))
	w.complete(nodes())
	for _, name := range []string{"a", "b"} {
		if c := w.condition(load(name), conditionComplete); c.Status != metav1.ConditionTrue || c.Reason != "PodsComplete" || c.Message != "completed on node-3" || c.LastTransitionTime.IsZero() {
			t.Errorf("%s: %+v", name, c)
		}
	}
	want := []string{
		"Started DataLoad ns/a: inherits nothing",
		"Started DataLoad ns/b: inherits kubernetes.io/hostname=node-3 from DataLoad ns/a",
	}
	if w.events != nil || !slices.Equal(w.normal, want) {
		t.Errorf("events %q and %q", w.events, w.normal)
	}
	if n := testutil.ToFloat64(w.r.metrics.ended.WithLabelValues("DataLoad", "Complete")); n != 2 {
		t.Errorf("%v operations ended", n)
	}
	if n := testutil.ToFloat64(w.r.metrics.started.WithLabelValues("DataLoad")); n != 2 {
		t.Errorf("%v operations started", n)
	}
	// One pod, one status when it runs and one when it has ended. Here it ends at once.
	if w.writes != 2*2 {
		t.Errorf("%d writes", w.writes)
	}
}
