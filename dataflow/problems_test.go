package dataflow_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// following returns an operation b that runs after a, with a strategy.
func following(policy affinity.Policy, keys ...string) dataflow.Operation {
	op := load("b", "a")
	op.RunAfter.Strategy.Policy = policy
	for _, key := range keys {
		if policy == affinity.Prefer {
			op.RunAfter.Strategy.Prefers = append(op.RunAfter.Strategy.Prefers, affinity.PreferredLabel{Key: key, Weight: 1})
		} else {
			op.RunAfter.Strategy.Requires = append(op.RunAfter.Strategy.Requires, affinity.RequiredLabel{Key: key})
		}
	}
	return op
}

func with(op dataflow.Operation, change func(*dataflow.Operation)) dataflow.Operation {
	if op.RunAfter != nil {
		runAfter := *op.RunAfter
		op.RunAfter = &runAfter
	}
	change(&op)
	return op
}

func TestProblemsReadWell(t *testing.T) {
	distributed := func(op *dataflow.Operation) { op.Distributed = true }
	recurring := func(op *dataflow.Operation) { op.Recurring = true }
	exposing := func(keys ...string) dataflow.Operation { return with(load("a"), exposing(keys...)) }
	dependingOn := func(op dataflow.Operation, ref dataflow.Ref) dataflow.Operation {
		return with(op, func(op *dataflow.Operation) { op.RunAfter.DependOn = &ref })
	}
	own := func(op dataflow.Operation, a *corev1.Affinity) dataflow.Operation {
		return with(op, func(op *dataflow.Operation) { op.Affinity = a })
	}
	greater := func(key, value string) *corev1.Affinity {
		a := requiring(key, value)
		terms(a)[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpGt
		return a
	}
	anyOf := func(affinities ...*corev1.Affinity) *corev1.Affinity {
		all := either()
		for _, a := range affinities {
			required := all.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, terms(a)...)
		}
		return all
	}
	unreadable := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
		{Weight: 1, Preference: corev1.NodeSelectorTerm{MatchExpressions: slices.Concat(terms(greater("cores", "many"))[0].MatchExpressions, terms(greater("gpus", "few"))[0].MatchExpressions)}},
	}}}
	expiring := func(op *dataflow.Operation) { ttl := int32(60); op.TTLSecondsAfterFinished = &ttl }
	near := requiring("zone", "a")
	terms(near)[0].MatchExpressions[0].Operator = "Near"

	var got bytes.Buffer
	for _, c := range []struct {
		what string
		ops  []dataflow.Operation
	}{
		{"a clean chain", []dataflow.Operation{load("a"), following(affinity.Require), load("c", "b")}},
		{"a clean chain on a custom label", []dataflow.Operation{exposing("disk"), following(affinity.Require, "disk")}},
		{"no operation", nil},
		{"an unknown predecessor", []dataflow.Operation{load("b", "nowhere-to-be-found")}},
		{"a misspelt predecessor", []dataflow.Operation{load("load-a"), load("b", "loada")}},
		{"a predecessor of another kind", []dataflow.Operation{load("a"), with(load("b", "a"), func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = dataflow.DataMigrate })}},
		{"a predecessor of a misspelt kind, and name", []dataflow.Operation{load("load-a"), with(load("b", "loada"), func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = "Dataload" })}},
		{"a predecessor of another kind of object", []dataflow.Operation{load("a"), with(load("b", "x"), func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = "Job" })}},
		{"a predecessor of an unknown kind", []dataflow.Operation{load("a"), with(load("b", "a"), func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = "Dataload" })}},
		{"a predecessor in another namespace", []dataflow.Operation{load("a"), with(load("b", "a"), func(op *dataflow.Operation) { op.RunAfter.Ref.Namespace = "other" })}},
		{"dependOn an operation that is not an ancestor", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("x")), load("x")}},
		{"dependOn an unknown operation", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("x"))}},
		{"dependOn an unknown operation, a misspelt ancestor", []dataflow.Operation{load("load-a"), load("a", "load-a"), dependingOn(following(affinity.Require), ref("laod-a"))}},
		{"dependOn an unknown operation, similar only to one that is not an ancestor", []dataflow.Operation{load("load-x"), load("a"), dependingOn(following(affinity.Require), ref("laod-x"))}},
		{"dependOn a predecessor of another kind", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), dataflow.Ref{Kind: dataflow.DataBackup, Name: "a"})}},
		{"dependOn a predecessor of a misspelt kind", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), dataflow.Ref{Kind: "Dataload", Name: "a"})}},
		{"dependOn itself", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("b"))}},
		{"dependOn a later operation", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("c")), load("c", "b")}},
		{"dependOn a sibling", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("c")), load("c", "a")}},
		{"dependOn the predecessor", []dataflow.Operation{load("a"), dependingOn(following(affinity.Require), ref("a"))}},
		{"dependOn the missing predecessor of a predecessor", []dataflow.Operation{load("a", "gone"), dependingOn(following(affinity.Require), ref("gone"))}},
		{"a label that is not exposed", []dataflow.Operation{load("a"), following(affinity.Require, topology.Zone, "disk")}},
		{"a misspelt label", []dataflow.Operation{exposing("example.com/disk"), following(affinity.Require, "example.com/disc")}},
		{"labels with another prefix, or none", []dataflow.Operation{load("a"), following(affinity.Require, "kubernetes.io/zone", "hostname")}},
		{"a preferred label that is not exposed", []dataflow.Operation{load("a"), following(affinity.Prefer, topology.Zone, "disk")}},
		{"a label that only an ancestor exposes", []dataflow.Operation{exposing("disk"), following(affinity.Require, "disk"), with(following(affinity.Require, "disk"), func(op *dataflow.Operation) { op.Ref.Name, op.RunAfter.Ref.Name = "c", "b" })}},
		{"a distributed source", []dataflow.Operation{with(load("a"), distributed), following(affinity.Require, "disk")}},
		{"a distributed target", []dataflow.Operation{load("a"), with(following(affinity.Require, "disk"), distributed)}},
		{"a recurring source", []dataflow.Operation{with(load("a"), recurring), following(affinity.Prefer, "disk")}},
		{"a recurring target", []dataflow.Operation{load("a"), with(following(affinity.Require), recurring)}},
		{"Require with prefers", []dataflow.Operation{load("a"), with(following(affinity.Require), func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Prefers = []affinity.PreferredLabel{{Key: "disk"}}
		})}},
		{"Prefer with requires", []dataflow.Operation{load("a"), with(following(affinity.Prefer), func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "disk"}}
		})}},
		{"requires without a policy", []dataflow.Operation{load("a"), following(affinity.None, "disk")}},
		{"dependOn without a policy", []dataflow.Operation{load("a"), dependingOn(following(affinity.None), ref("x"))}},
		{"an affinity that no node can meet", []dataflow.Operation{own(load("a"), &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}})}},
		{"an affinity against the node selector", []dataflow.Operation{with(own(load("a"), requiring("zone", "b")), func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"zone": "a"} })}},
		{"an affinity against that of the source", []dataflow.Operation{own(load("a"), requiring(topology.Zone, "a")), own(following(affinity.Require, topology.Zone), requiring(topology.Zone, "b", "c"))}},
		{"an affinity against the node selector of the source", []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.NodeSelector = map[string]string{topology.Zone: "a"} }), own(following(affinity.Require, topology.Zone), requiring(topology.Zone, "b"))}},
		{"an affinity against the source's, but on another label", []dataflow.Operation{own(load("a"), requiring(topology.Zone, "a")), own(following(affinity.Require), requiring(topology.Zone, "b"))}},
		{"an affinity against the source's, but only preferred", []dataflow.Operation{own(load("a"), requiring(topology.Zone, "a")), own(following(affinity.Prefer, topology.Zone), requiring(topology.Zone, "b"))}},
		{"an affinity with an unknown operator", []dataflow.Operation{own(load("a"), near)}},
		{"an affinity with an unknown operator, in a process", []dataflow.Operation{with(own(load("a"), near), func(op *dataflow.Operation) { op.Ref.Kind = dataflow.DataProcess })}},
		{"a malformed node selector", []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"zone": "not valid"} })}},
		{"a malformed key of a node selector", []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"not valid": "a"} })}},
		{"a malformed exposed key", []dataflow.Operation{exposing("not a key")}},
		{"a key that Fluid cannot record", []dataflow.Operation{exposing(strings.Repeat("k", 40))}},
		{"an affinity with operator Gt and a word", []dataflow.Operation{own(load("a"), greater("cores", "many"))}},
		{"an affinity with impossible terms", []dataflow.Operation{own(load("a"), anyOf(requiring("zone", "a"), greater("cores", "many"), either(nil)))}},
		{"an affinity with a term that contradicts itself", []dataflow.Operation{own(load("a"), either([]string{"zone=a", "zone=b"}, []string{"zone=c"}))}},
		{"an affinity with impossible terms only", []dataflow.Operation{own(load("a"), either([]string{"a=1", "a=2"}, []string{"b=1", "b=2"}, []string{"b=1", "b=2"}))}},
		{"an affinity with many impossible terms only", []dataflow.Operation{own(load("a"), either([]string{"a=1", "a=2"}, []string{"b=1", "b=2"}, []string{"c=1", "c=2"}, []string{"d=1", "d=2"}, []string{"e=1", "e=2"}))}},
		{"a preference with two values that kube-scheduler cannot read", []dataflow.Operation{own(load("a"), unreadable)}},
		{"an invalid node name", []dataflow.Operation{with(load("a"), bound("Node_1"))}},
		{"an invalid node name against the affinity", []dataflow.Operation{with(own(load("a"), onNode("n2")), bound("Node_1"))}},
		{"an invalid node name, and an invalid node selector", []dataflow.Operation{changed(load("a"), bound("Node_1"), func(op *dataflow.Operation) { op.NodeSelector = map[string]string{"-": "x"} })}},
		{"an invalid node name, and terms that contradict themselves", []dataflow.Operation{with(own(load("a"), either([]string{"zone=a", "zone=b"})), bound("Node_1"))}},
		{"an invalid preference, and terms that contradict themselves", []dataflow.Operation{with(own(load("a"), either([]string{"zone=a", "zone=b"})), func(op *dataflow.Operation) {
			op.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: terms(near)[0]}}
		})}},
		{"a node name against the affinity", []dataflow.Operation{with(own(load("a"), onNode("n2")), bound("n1"))}},
		{"a node name that the affinity admits", []dataflow.Operation{with(own(load("a"), onNode("n1")), bound("n1"))}},
		{"a node name against that of the source", []dataflow.Operation{with(load("a"), bound("n1")), with(following(affinity.Require), bound("n2"))}},
		{"a node name against that of the source, but on another label", []dataflow.Operation{with(load("a"), bound("n1")), with(following(affinity.Require, topology.Zone), bound("n2"))}},
		{"the node name of the source, and affinities", []dataflow.Operation{with(own(load("a"), onNode("n1")), bound("n1")), with(own(following(affinity.Require), onNode("n1")), bound("n1"))}},
		{"a node name of the source only, and affinities", []dataflow.Operation{with(own(load("a"), requiring("zone", "a")), bound("n1")), own(following(affinity.Require), requiring("zone", "a"))}},
		{"a TTL of the predecessor", []dataflow.Operation{with(load("a"), expiring), following(affinity.Require)}},
		{"a TTL of a source further up", []dataflow.Operation{with(load("a"), expiring), load("b", "a"), dependingOn(with(following(affinity.Require), func(op *dataflow.Operation) { op.Ref.Name, op.RunAfter.Ref.Name = "c", "b" }), ref("a"))}},
		{"a name in upper case", []dataflow.Operation{load("loadA")}},
		{"an invalid namespace", []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.Ref.Namespace = "a.b" })}},
		{"no namespace", []dataflow.Operation{with(load("a"), func(op *dataflow.Operation) { op.Ref.Namespace = "" })}},
		{"a cycle", []dataflow.Operation{load("a", "b"), load("b", "a")}},
		{"an operation twice, and a weight", []dataflow.Operation{load("a"), load("a"), with(following(affinity.Prefer, "disk"), func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Prefers = []affinity.PreferredLabel{{Key: "disk", Weight: 1000}}
		})}},
		{"a weight, and dependOn an unknown operation", []dataflow.Operation{load("a"), with(dependingOn(following(affinity.Prefer, topology.Zone), ref("x")), func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Prefers = []affinity.PreferredLabel{{Key: topology.Zone}}
		})}},
		{"a malformed key, and one that is not exposed", []dataflow.Operation{load("a"), following(affinity.Require, "not a key", "disk")}},
		{"an unknown policy, and dependOn an unknown operation", []dataflow.Operation{load("a"), dependingOn(following("Must", "disk"), ref("x"))}},
		{"a cycle of two, each with other mistakes", []dataflow.Operation{
			with(dependingOn(following(affinity.Require), ref("x")), func(op *dataflow.Operation) {
				op.Ref, op.RunAfter.Ref, op.RunAfter.Strategy.Prefers = ref("a"), ref("b"), []affinity.PreferredLabel{{Key: "disk"}}
			}),
			dependingOn(following(affinity.Require, "disk"), ref("x")),
		}},
		{"a cycle of three, and one after it, that depend on each other", []dataflow.Operation{
			with(following(affinity.Require), func(op *dataflow.Operation) { op.Ref, op.RunAfter.Ref = ref("a"), ref("c") }),
			dependingOn(following(affinity.Require), ref("c")),
			with(dependingOn(following(affinity.Require), ref("a")), func(op *dataflow.Operation) { op.Ref, op.RunAfter.Ref = ref("c"), ref("b") }),
			with(dependingOn(following(affinity.Require), ref("b")), func(op *dataflow.Operation) { op.Ref, op.RunAfter.Ref = ref("d"), ref("a") }),
		}},
		{"a cycle in which a label is not exposed, and a dependOn of an operation outside it", []dataflow.Operation{
			with(following(affinity.Require, "disk"), func(op *dataflow.Operation) { op.Ref, op.RunAfter.Ref = ref("a"), ref("b") }),
			dependingOn(following(affinity.Require), ref("x")), load("x"),
		}},
		{"dependOn a sibling, where the root has an unknown predecessor", []dataflow.Operation{load("a", "gone"), dependingOn(following(affinity.Require), ref("c")), load("c", "a")}},
		{"an unknown kind in a cycle", []dataflow.Operation{
			with(load("a", "b"), func(op *dataflow.Operation) { op.Ref.Kind, op.RunAfter.Ref.Kind = "Job", dataflow.DataLoad }),
			with(load("b", "a"), func(op *dataflow.Operation) { op.RunAfter.Ref.Kind = "Job" }),
		}},
		{"everything for which New rejects, and other mistakes", []dataflow.Operation{
			load("a", "gone"), load("a"), following("Must"), load("c", "d"), load("d", "c"), load("e", "d"), load("Upper", "c"),
			with(load("job"), func(op *dataflow.Operation) { op.Ref.Kind = "Job" }),
		}},
	} {
		fmt.Fprintf(&got, "%s\n", c.what)
		problems := dataflow.Check(c.ops...)
		for _, p := range problems {
			fmt.Fprintf(&got, "  %s\n", p)
		}
		if len(problems) == 0 {
			fmt.Fprintf(&got, "  no problem\n")
		}
		got.WriteString("\n")
	}
	golden.Compare(t, *update, "testdata/problems.golden", got.Bytes())
}

// A flow without Errors runs to its end, if every operation finds a node, and each operation
// inherits every label that it requires.
func TestFlowsWithoutErrorsRunToTheirEnd(t *testing.T) {
	ended := 0
	for range 20 {
		rapid.Check(t, func(t *rapid.T) {
			ops := flows().Draw(t, "ops")
			f := mustFlow(t, ops...)
			if slices.ContainsFunc(f.Problems(), func(p dataflow.Problem) bool { return p.Severity == dataflow.SeverityError }) {
				return
			}
			node := map[string]string{}
			for _, key := range keys() {
				node[key] = "1"
			}
			seen := map[dataflow.Ref]dataflow.Observation{}
			for progress := true; progress; {
				progress = false
				for r := range f.ResolveAll(seen) {
					if _, ran := seen[r.Operation]; !ran && r.Err == nil && r.State == dataflow.Ready {
						op := newChain(ops)[r.Operation]
						seen[r.Operation] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(node, op.Exposes...)}
						progress = true
					}
				}
			}
			if len(seen) < len(ops) {
				t.Fatalf("%d of %d operations ran", len(seen), len(ops))
			}
			for r := range f.ResolveAll(seen) {
				if c := newChain(ops); len(r.Missing) > 0 && c[r.Operation].RunAfter.Strategy.Policy == affinity.Require && hasPlace(c, r.Operation) {
					t.Fatalf("%s misses %v, and nothing was said", r.Operation, r.Missing)
				}
			}
			ended++
		})
	}
	t.Logf("%d flows ran to their end", ended)
}

func hasPlace(c chain, ref dataflow.Ref) bool {
	from, _ := source(c[ref])
	return !c[from].Distributed && !c[from].Recurring
}

// A mistake that is put into a flow without problems is reported, with its operation and
// field.
func TestSeededMistakesAreFound(t *testing.T) {
	const disk = "example.com/disk"
	clean := func(t *rapid.T) []dataflow.Operation {
		n := rapid.IntRange(2, 6).Draw(t, "n")
		ops := make([]dataflow.Operation, n)
		for i := range ops {
			ops[i] = dataflow.Operation{Ref: named(i), Exposes: []string{disk}}
			if i > 0 {
				ops[i].RunAfter = &dataflow.RunAfter{Ref: named(rapid.IntRange(0, i-1).Draw(t, "after")), Strategy: affinity.Strategy{
					Policy:   affinity.Require,
					Requires: []affinity.RequiredLabel{{Key: topology.Zone}, {Key: disk}},
				}}
			}
		}
		return ops
	}
	type seeded struct {
		code  dataflow.Code
		field string
		seed  func(op, source *dataflow.Operation)
	}
	mistakes := []seeded{
		{dataflow.CodeUnknownPredecessor, "spec.runAfter.name", func(op, _ *dataflow.Operation) { op.RunAfter.Ref.Name = "nowhere" }},
		{dataflow.CodeNotAnAncestor, "spec.runAfter.affinityStrategy.dependOn.name", func(op, _ *dataflow.Operation) { op.RunAfter.DependOn = &op.Ref }},
		{dataflow.CodeNotExposed, "spec.runAfter.affinityStrategy.requires[1].name", func(_, source *dataflow.Operation) { source.Exposes = nil }},
		{dataflow.CodeDistributedSource, "spec.runAfter.affinityStrategy", func(_, source *dataflow.Operation) { source.Distributed = true }},
		{dataflow.CodeDistributedTarget, "spec.runAfter.affinityStrategy.policy", func(op, _ *dataflow.Operation) { op.Distributed = true }},
		{dataflow.CodeRecurringSource, "spec.runAfter.affinityStrategy", func(_, source *dataflow.Operation) { source.Recurring = true }},
		{dataflow.CodeIgnoredList, "spec.runAfter.affinityStrategy.prefers", func(op, _ *dataflow.Operation) {
			op.RunAfter.Strategy.Prefers = []affinity.PreferredLabel{{Key: disk, Weight: 1}}
		}},
		{dataflow.CodeIgnoredList, "spec.runAfter.affinityStrategy.requires", func(op, _ *dataflow.Operation) {
			op.RunAfter.Strategy.Policy = affinity.Prefer
		}},
		{dataflow.CodeNoPolicy, "spec.runAfter.affinityStrategy.policy", func(op, _ *dataflow.Operation) { op.RunAfter.Strategy.Policy = affinity.None }},
		{dataflow.CodeContradiction, "spec.runAfter.affinityStrategy", func(op, source *dataflow.Operation) {
			source.Affinity, op.Affinity = requiring(disk, "fast"), requiring(disk, "slow")
		}},
		{dataflow.CodeContradiction, "spec.affinity", func(op, _ *dataflow.Operation) {
			op.Ref.Kind = dataflow.DataLoad
			op.Affinity, op.NodeSelector = requiring("x", "1"), map[string]string{"x": "2"}
		}},
		{dataflow.CodeNodeNameConflict, "spec.nodeName", func(op, _ *dataflow.Operation) {
			op.Ref.Kind = dataflow.DataLoad
			op.NodeName, op.Affinity = "n1", onNode("n2")
		}},
		{dataflow.CodeNeverMatches, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[1]", func(op, _ *dataflow.Operation) {
			op.Ref.Kind = dataflow.DataLoad
			op.Affinity = either([]string{"x=1"}, []string{"y=1", "y=2"})
		}},
		{dataflow.CodeUnrecordable, "metadata.annotations[affinity.dataflow.fluid.io/labels]", func(op, _ *dataflow.Operation) { op.Exposes = append(op.Exposes, strings.Repeat("k", 40)) }},
		{dataflow.CodeInvalidName, "metadata.name", func(op, _ *dataflow.Operation) { op.Ref.Name = "Upper" }},
		{dataflow.CodeInvalid, "metadata.annotations[affinity.dataflow.fluid.io/labels]", func(op, _ *dataflow.Operation) { op.Exposes = append(op.Exposes, "a/b/c") }},
		{dataflow.CodeInvalid, "spec.runAfter.affinityStrategy.policy", func(op, _ *dataflow.Operation) { op.RunAfter.Strategy.Policy = "Must" }},
		{dataflow.CodeCycle, "spec.runAfter", func(op, source *dataflow.Operation) { source.RunAfter = &dataflow.RunAfter{Ref: op.Ref} }},
		{dataflow.CodeDuplicate, "metadata.name", func(op, source *dataflow.Operation) { op.Ref = source.Ref; op.RunAfter = nil }},
	}
	found := map[dataflow.Code]int{}
	rapid.Check(t, func(t *rapid.T) {
		ops := clean(t)
		if problems := dataflow.Check(ops...); problems != nil {
			t.Fatalf("a clean flow has problems: %v", problems)
		}
		for _, m := range mistakes {
			mistaken := clean(t)
			op := &mistaken[len(mistaken)-1] // which nothing follows
			source := &mistaken[slices.IndexFunc(mistaken, func(o dataflow.Operation) bool { return o.Ref == op.RunAfter.Ref })]
			m.seed(op, source)
			problems := dataflow.Check(mistaken...)
			if !slices.ContainsFunc(problems, func(p dataflow.Problem) bool {
				return p.Code == m.code && p.Field == m.field && (p.Operation == op.Ref || m.code == dataflow.CodeCycle)
			}) {
				t.Fatalf("%s at %s of %s is not among %v", m.code, m.field, op.Ref, problems)
			}
			found[m.code]++
		}
	})
	t.Logf("mistakes found: %v", found)
}

// A contradiction between an operation and its source is reported exactly if there are no
// two nodes on which they can run. The nodes have every combination of labels that makes a
// difference: each key absent, or with one of its values.
func TestContradictionIsExact(t *testing.T) {
	var nodes []map[string]string
	values := []string{"-", "1", "2"}
	for _, zone := range values {
		for _, disk := range values {
			node := map[string]string{"zone": zone, "disk": disk}
			maps.DeleteFunc(node, func(_, value string) bool { return value == "-" })
			nodes = append(nodes, node)
		}
	}
	affinities := rapid.Custom(func(t *rapid.T) *corev1.Affinity {
		a := requiring("zone", "1")
		required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		required.NodeSelectorTerms = nil
		for range rapid.IntRange(1, 2).Draw(t, "terms") {
			var term corev1.NodeSelectorTerm
			for range rapid.IntRange(1, 2).Draw(t, "expressions") {
				e := corev1.NodeSelectorRequirement{
					Key:      rapid.SampledFrom([]string{"zone", "disk"}).Draw(t, "key"),
					Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist}).Draw(t, "operator"),
				}
				if e.Operator == corev1.NodeSelectorOpIn {
					e.Values = []string{rapid.SampledFrom(values[1:]).Draw(t, "value")}
				}
				term.MatchExpressions = append(term.MatchExpressions, e)
			}
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, term)
		}
		return a
	})
	hits := map[bool]int{}
	for range 20 {
		rapid.Check(t, func(t *rapid.T) {
			a := load("a")
			a.Exposes = rapid.SampledFrom([][]string{{"zone"}, {"zone", "disk"}, nil}).Draw(t, "exposes")
			a.Affinity = affinities.Draw(t, "source's")
			b := following(affinity.Require, rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"zone", "disk"}), 1, 2, rapid.ID[string]).Draw(t, "keys")...)
			b.Affinity = affinities.Draw(t, "own")

			possible, own := false, map[string]bool{}
			for _, there := range nodes {
				for _, here := range nodes {
					admitsThere := affinitytest.Match(a.Affinity, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: there}})
					admitsHere := affinitytest.Match(b.Affinity, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: here}})
					own["a"], own["b"] = own["a"] || admitsThere, own["b"] || admitsHere
					agree := true
					for _, r := range b.RunAfter.Strategy.Requires {
						value, exposed := there[r.Key]
						exposed = exposed && slices.Contains(a.Exposes, r.Key)
						agree = agree && (!exposed || here[r.Key] == value)
					}
					possible = possible || admitsThere && admitsHere && agree
				}
			}
			got := slices.ContainsFunc(dataflow.Check(a, b), func(p dataflow.Problem) bool { return p.Code == dataflow.CodeContradiction })
			if got == possible {
				t.Fatalf("a contradiction is reported: %v; two nodes for it exist: %v", got, possible)
			}
			hits[got]++
		})
	}
	t.Logf("contradictions drawn: %v", hits)
}

func TestMermaid(t *testing.T) {
	odd := load(`a"]-->x["<b>#quot;`)
	convert := following(affinity.Require, topology.Zone, "disk")
	serve := with(load("serve", "b"), func(op *dataflow.Operation) {
		op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 5}}}
		op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
	})
	ignored := with(load("ignored", "gone"), func(op *dataflow.Operation) {
		op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Prefers: []affinity.PreferredLabel{{Key: "disk"}}}
	})
	warned := with(load("warned", "a"), func(op *dataflow.Operation) {
		op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "disk"}}
	})
	ops := slices.Collect(mustFlow(t, load("a"), convert, serve, ignored, warned, odd).Operations())
	seen := map[dataflow.Ref]dataflow.Observation{
		ref("a"):    {Phase: dataflow.Complete, Node: "node-1"},
		ref("b"):    {Phase: dataflow.Failed},
		ref("gone"): {Phase: dataflow.Executing},
	}
	golden.Compare(t, *update, "testdata/mermaid.golden", []byte(dataflow.Mermaid(ops, dataflow.Check(ops...), seen)))
}

// The characters of names and label keys are drawn unchanged, characters without a shape as
// escape sequences, and all others as codes. The tests of examples/plan draw the pictures.
func TestMermaidEscapesOtherCharacters(t *testing.T) {
	const asIs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
	for r := range rune(0x250) {
		want := fmt.Sprintf("#%d;", r)
		switch {
		case strings.ContainsRune(asIs, r):
			want = string(r)
		case r == '¶':
			want = "#92;u00b6"
		case !strconv.IsPrint(r):
			want = "#92;" + strings.Trim(strconv.QuoteRune(r), `\'`)
		}
		picture := dataflow.Mermaid([]dataflow.Operation{{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: string(r)}}}, nil, nil)
		if want = `["` + want + `\nDataLoad"]`; !strings.Contains(picture, want) {
			t.Errorf("%q: no %s in\n%s", r, want, picture)
		}
	}
}

// Operations that New rejects are drawn as well: a cycle, repeated references, an invalid
// policy, an operation that is not given and has two flows after it, and one that only has a
// problem.
func TestMermaidOfAnything(t *testing.T) {
	ops := []dataflow.Operation{
		load("a", "c"), load("b", "a"), load("c", "b"), following("<must>"), load("twice"), load("twice", "gone"), load("twice", "gone"), load("other", "gone"),
	}
	problems := append(dataflow.Check(ops...),
		dataflow.Problem{Code: dataflow.CodeUnknownField, Severity: dataflow.SeverityError},
		dataflow.Problem{Code: dataflow.CodeStranding, Severity: dataflow.SeverityWarning, Operation: ref("elsewhere")},
		dataflow.Problem{Code: dataflow.CodeInvalid, Severity: dataflow.SeverityError, Operation: ref("gone")})
	golden.Compare(t, *update, "testdata/mermaid-anything.golden", []byte(dataflow.Mermaid(ops, problems, nil)))
}

func TestSplit(t *testing.T) {
	depends := with(following(affinity.Require), func(op *dataflow.Operation) { op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "x"} })
	stranger := with(load("s", "nowhere"), func(op *dataflow.Operation) {
		op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "no"}
	})
	var got []string
	for _, part := range dataflow.Split(load("y", "x"), load("lone"), depends, load("x"), load("a"), load("lone"), stranger, load("c", "nowhere")) {
		var names []string
		for _, op := range part {
			names = append(names, op.Ref.Name)
		}
		got = append(got, strings.Join(names, " "))
	}
	if diff := cmp.Diff([]string{"y b x a", "lone lone", "s", "c"}, got); diff != "" {
		t.Error(diff)
	}
	if parts := dataflow.Split(); parts != nil {
		t.Errorf("no operations make parts: %v", parts)
	}
}

// The oracle computes the transitive closure of runAfter and dependOn.
func TestSplitPartsAreConnectedAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := operations().Draw(t, "ops")
		part := make([]int, len(ops))
		for i := range part {
			part[i] = i
		}
		for grown := true; grown; {
			grown = false
			for i, op := range ops {
				related := []dataflow.Ref{op.Ref}
				if op.RunAfter != nil {
					related = append(related, inNamespaceOf(op, op.RunAfter.Ref))
					if op.RunAfter.DependOn != nil {
						related = append(related, inNamespaceOf(op, *op.RunAfter.DependOn))
					}
				}
				for j := range ops {
					if slices.Contains(related, ops[j].Ref) && part[i] != part[j] {
						lower := min(part[i], part[j])
						part[i], part[j], grown = lower, lower, true
					}
				}
			}
		}
		var want [][]dataflow.Operation
		for first := range ops {
			var members []dataflow.Operation
			for i := range ops {
				if part[i] == first {
					members = append(members, ops[i])
				}
			}
			if members != nil {
				want = append(want, members)
			}
		}
		if diff := cmp.Diff(want, dataflow.Split(ops...)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkNewAndProblems(b *testing.B) {
	ops := chainOf(100_000)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if problems := mustFlow(b, ops...).Problems(); problems != nil {
			b.Fatal(problems[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ops)), "ns/operation")
}

// The oracle is the validation of apimachinery.
func TestNamesAreThoseOfAnAPIServer(t *testing.T) {
	for _, name := range []string{
		"a", "a-b", "a.b", "A", "a_b", "-a", "a-", "0", "a..b", ".a", "", "ä",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254), strings.Repeat("a.", 31) + "a",
	} {
		for field, faults := range map[string][]string{
			"metadata.name":      validation.IsDNS1123Subdomain(name),
			"metadata.namespace": validation.IsDNS1123Label(name),
		} {
			op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}}
			if field == "metadata.name" {
				op.Ref.Name = name
			} else if op.Ref.Namespace = name; name == "" {
				faults = nil // one that is not said
			}
			problems := dataflow.Check(op)
			reported := slices.ContainsFunc(problems, func(p dataflow.Problem) bool { return p.Code == dataflow.CodeInvalidName && p.Field == field })
			if reported != (len(faults) > 0) {
				t.Errorf("%s %q: %v; an API server says %q", field, name, problems, faults)
			}
		}
	}
}

// With dependOn, the keys and constraints of the source count, not those of the predecessor.
func TestProblemsOfASourceFurtherUp(t *testing.T) {
	exposing := func(op dataflow.Operation, key string) dataflow.Operation {
		op.Exposes = []string{key}
		op.Affinity = requiring(topology.Zone, op.Ref.Name)
		return op
	}
	a, b := exposing(load("a"), "example.com/of-a"), exposing(load("b", "a"), "example.com/of-b")
	for key, want := range map[string][]string{
		"example.com/of-a": nil,
		"example.com/of-b": {"NotExposed"},
		topology.Zone:      nil,
	} {
		c := load("c", "b")
		c.Affinity = requiring(topology.Zone, "a")
		c.RunAfter.DependOn = &a.Ref
		c.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: key}}}
		var got []string
		for _, p := range dataflow.Check(a, b, c) {
			got = append(got, string(p.Code))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// A reference has one hint. For an unknown kind it is the kind.
func TestTheHintForAnUnknownKind(t *testing.T) {
	for name, want := range map[string]string{
		"load-a": `; its kind must be one of [DataLoad DataMigrate DataProcess DataBackup]; typo of DataLoad default/load-a?`,
		"load-b": `; its kind must be one of [DataLoad DataMigrate DataProcess DataBackup]; typo of "DataLoad"?`,
	} {
		op := load("x")
		op.RunAfter = &dataflow.RunAfter{Ref: dataflow.Ref{Kind: "DataLoda", Name: name}}
		problems := dataflow.Check(load("load-a"), op)
		if len(problems) != 1 || !strings.HasSuffix(problems[0].Message, want) || problems[0].Field != "spec.runAfter.kind" {
			t.Errorf("%s: %v", name, problems)
		}
		depending := requireSame(load("x", "load-a"))
		depending.RunAfter.DependOn = &op.RunAfter.Ref
		problems = dataflow.Check(load("load-a"), depending)
		if len(problems) != 1 || !strings.HasSuffix(problems[0].Message, want) || problems[0].Field != "spec.runAfter.affinityStrategy.dependOn.kind" {
			t.Errorf("dependOn %s: %v", name, problems)
		}
	}
}

// The root of a chain may run after an operation outside the flow, which is then an ancestor
// of the whole chain. No other operation outside the flow is.
func TestDependOnAnOperationOutsideTheFlow(t *testing.T) {
	for name, want := range map[string][]dataflow.Code{
		"gone":  {dataflow.CodeUnknownPredecessor},
		"other": {dataflow.CodeUnknownPredecessor, dataflow.CodeNotAnAncestor},
	} {
		b := requireSame(load("b", "a"))
		on := ref(name)
		b.RunAfter.DependOn = &on
		var got []dataflow.Code
		for _, p := range dataflow.Check(load("a", "gone"), b) {
			got = append(got, p.Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Two operations contradict each other only if both have constraints.
func TestAnOperationWithoutConstraintsContradictsNone(t *testing.T) {
	picky := func(op dataflow.Operation) dataflow.Operation {
		op.Affinity = requiring(topology.Zone, "east")
		return op
	}
	impossible := load("a")
	impossible.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}}
	for name, tt := range map[string]struct {
		source, follower dataflow.Operation
		want             int
	}{
		"neither has constraints":      {load("a"), requireSame(load("b", "a")), 0},
		"the follower has constraints": {load("a"), picky(requireSame(load("b", "a"))), 0},
		"the source has constraints":   {picky(load("a")), requireSame(load("b", "a")), 0},
		"both have the same":           {picky(load("a")), picky(requireSame(load("b", "a"))), 0},
		"the source is impossible":     {impossible, picky(requireSame(load("b", "a"))), 1}, // which is reported once
		"its follower asks for none":   {impossible, requireSame(load("b", "a")), 1},
	} {
		if problems := dataflow.Check(tt.source, tt.follower); len(problems) != tt.want {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
