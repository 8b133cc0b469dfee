package dataflow_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// load returns a DataLoad in the default namespace, which runs after the named one, if any.
func load(name string, after ...string) dataflow.Operation {
	op := dataflow.Operation{Ref: ref(name)}
	if len(after) > 0 {
		op.RunAfter = &dataflow.RunAfter{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: after[0]}}
	}
	return op
}

func ref(name string) dataflow.Ref {
	return dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: name}
}

func mustFlow(t tester, ops ...dataflow.Operation) *dataflow.Flow {
	t.Helper()
	f, err := dataflow.New(ops...)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return f
}

func names(f *dataflow.Flow) string {
	var names []string
	for op := range f.Operations() {
		names = append(names, op.Ref.Name)
	}
	return strings.Join(names, " ")
}

func TestLawF1NewAcceptsExactlyTheSoundSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := operations().Draw(t, "ops")
		f, err := dataflow.New(ops...)
		if (err != nil) != hasFault(ops) || (f == nil) != (err != nil) {
			t.Fatalf("New = %v, %v; has a fault: %v", f, err, hasFault(ops))
		}
	})
}

// The faults are counted from the definition.
func TestLawF1TheErrorNamesEveryFault(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := operations().Draw(t, "ops")
		_, err := dataflow.New(ops...)
		got := map[string]int{}
		circles := map[dataflow.Ref][]dataflow.Ref{}
		for _, fault := range dataflow.Faults(err) {
			var of *dataflow.OperationError
			var cycle *dataflow.CycleError
			switch {
			case errors.As(fault, &of):
				if ops[of.Index].Ref != of.Operation {
					t.Fatalf("%v has the index %d", of, of.Index)
				}
				got[fmt.Sprint(of.Index, of.Err.Field, of.Err.Type)]++
			case errors.As(fault, &cycle):
				for _, op := range cycle.Operations {
					circles[op] = cycle.Operations
				}
			default:
				t.Fatalf("untyped fault %v", fault)
			}
		}

		want := map[string]int{}
		c, first := chain{}, map[dataflow.Ref]bool{}
		for i, op := range ops {
			if !supported(op.Ref.Kind) {
				want[fmt.Sprint(i, "kind", field.ErrorTypeNotSupported)]++
			}
			if first[op.Ref] {
				want[fmt.Sprint(i, "metadata.name", field.ErrorTypeDuplicate)]++
			} else {
				first[op.Ref], c[op.Ref] = true, op
			}
			if op.RunAfter != nil && isInvalid(op.RunAfter.Strategy) {
				want[fmt.Sprint(i, "spec.runAfter.affinityStrategy.prefers[0].name", field.ErrorTypeRequired)]++
				want[fmt.Sprint(i, "spec.runAfter.affinityStrategy.prefers[0].weight", field.ErrorTypeInvalid)]++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("faults, -want +got:\n%s", diff)
		}
		for _, op := range c {
			ancestors := c.ancestors(op)
			inCycle := slices.Contains(ancestors, op.Ref)
			circle, named := circles[op.Ref]
			if named != inCycle {
				t.Fatalf("%s is in a cycle: %v, named in one: %v", op.Ref, inCycle, named)
			}
			if inCycle {
				i := slices.Index(circle, op.Ref)
				if next := circle[(i+1)%len(circle)]; next != ancestors[0] {
					t.Fatalf("%s runs after %s, the cycle says %s", op.Ref, ancestors[0], next)
				}
			}
		}
	})
}

func TestNewReportsFaults(t *testing.T) {
	weightless := load("b", "a")
	weightless.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "zone", Weight: 101}}}
	misspelt := load("b", "a")
	misspelt.RunAfter.Strategy.Policy = "Required"
	job := load("b")
	job.Ref.Kind = "Dataload"

	for _, c := range []struct {
		name string
		ops  []dataflow.Operation
		want string
	}{
		{"a cycle whole", []dataflow.Operation{load("a", "b"), load("b", "c"), load("c", "a"), load("d", "a")},
			"cycle of runAfter: DataLoad default/a → DataLoad default/b → DataLoad default/c → DataLoad default/a"},
		{"a cycle from its first operation, although another leads to it", []dataflow.Operation{load("d", "c"), load("a", "b"), load("b", "c"), load("c", "a")},
			"cycle of runAfter: DataLoad default/a → DataLoad default/b → DataLoad default/c → DataLoad default/a"},
		{"an operation after itself", []dataflow.Operation{load("a", "a")},
			"cycle of runAfter: DataLoad default/a → DataLoad default/a"},
		{"two cycles", []dataflow.Operation{load("a", "a"), load("c", "b"), load("b", "c")},
			"cycle of runAfter: DataLoad default/a → DataLoad default/a; " +
				"cycle of runAfter: DataLoad default/c → DataLoad default/b → DataLoad default/c"},
		{"a repeated reference", []dataflow.Operation{load("a"), load("a")},
			`DataLoad default/a: metadata.name: Duplicate value: "DataLoad default/a"`},
		{"a weight", []dataflow.Operation{load("a"), weightless},
			"DataLoad default/b: spec.runAfter.affinityStrategy.prefers[0].weight: Invalid value: 101: must be between 1 and 100, inclusive"},
		{"a policy", []dataflow.Operation{load("a"), misspelt},
			`DataLoad default/b: spec.runAfter.affinityStrategy.policy: Unsupported value: "Required": supported values: "Require", "Prefer", ""; typo of "Require"?`},
		{"a kind", []dataflow.Operation{job},
			`Dataload default/b: kind: Unsupported value: "Dataload": supported values: "DataLoad", "DataMigrate", "DataProcess", "DataBackup"; typo of "DataLoad"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := dataflow.New(c.ops...)
			if err == nil || err.Error() != c.want {
				t.Errorf("New: %v\nwant %s", err, c.want)
			}
			var fault *field.Error
			var cycle *dataflow.CycleError
			if !errors.As(err, &fault) && !errors.As(err, &cycle) {
				t.Errorf("%v is neither a field error nor a cycle", err)
			}
		})
	}
}

func TestLawF2OrderIsTopologicalAndDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := flows().Draw(t, "ops")
		order := slices.Collect(mustFlow(t, ops...).Operations())

		sortByRef := func(ops []dataflow.Operation) []dataflow.Operation {
			return slices.SortedFunc(slices.Values(ops), func(a, b dataflow.Operation) int { return strings.Compare(a.Ref.String(), b.Ref.String()) })
		}
		if diff := cmp.Diff(sortByRef(ops), sortByRef(order)); diff != "" {
			t.Fatalf("given and ordered operations differ:\n%s", diff)
		}
		c, done := newChain(ops), map[dataflow.Ref]bool{}
		for _, op := range order {
			if before, ok := predecessor(op); ok && !done[before] {
				if _, ok := c[before]; ok {
					t.Fatalf("%s comes before its predecessor", op.Ref)
				}
			}
			done[op.Ref] = true
		}
		if diff := cmp.Diff(order, slices.Collect(mustFlow(t, ops...).Operations())); diff != "" {
			t.Fatalf("the same operations, another order:\n%s", diff)
		}
		if diff := cmp.Diff(order, slices.Collect(mustFlow(t, order...).Operations())); diff != "" {
			t.Fatalf("operations in the flow's order are reordered:\n%s", diff)
		}
	})
}

// Operations with the same predecessor stay in the order in which they were given. Nothing
// else depends on that order.
func TestLawF2GivenOrderChangesNothingButEquals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := flows().Draw(t, "ops")
		shuffled := rapid.Permutation(ops).Draw(t, "shuffled")
		f, g := mustFlow(t, ops...), mustFlow(t, shuffled...)
		seen := observations(ops).Draw(t, "seen")
		for _, op := range ops {
			fd, ferr := f.Resolve(op.Ref, seen)
			gd, gerr := g.Resolve(op.Ref, seen)
			if fmt.Sprint(ferr) != fmt.Sprint(gerr) || !cmp.Equal(fd, gd) {
				t.Fatalf("%s: %v %v and %v %v", op.Ref, fd, ferr, gd, gerr)
			}
		}
		position := map[dataflow.Ref]int{}
		for i, op := range shuffled {
			position[op.Ref] = i
		}
		last := map[dataflow.Ref]int{}
		for op := range g.Operations() {
			before, _ := predecessor(op)
			if _, ok := position[before]; !ok {
				before = dataflow.Ref{}
			}
			if at, ok := last[before]; ok && at > position[op.Ref] {
				t.Fatalf("%s was given before a sibling that comes first", op.Ref)
			}
			last[before] = position[op.Ref]
		}
	})
}

func TestOperationsComeChainByChain(t *testing.T) {
	f := mustFlow(t, load("c", "b"), load("x"), load("b", "a"), load("y", "x"), load("a"), load("b2", "a"), load("stray", "elsewhere"))
	if got, want := names(f), "x y a b c b2 stray"; got != want {
		t.Errorf("Operations = %s, want %s", got, want)
	}
	for op := range f.Operations() {
		if op.Ref.Name != "x" {
			t.Errorf("the range continues after a break: %s", op.Ref.Name)
		}
		break
	}
	if got := names(mustFlow(t)); got != "" {
		t.Errorf("the empty flow has operations %s", got)
	}
}

func TestLawF3SourceIsDependOnOrPredecessor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for op := range mustFlow(t, flows().Draw(t, "ops")...).Operations() {
			want, wantOK := source(op)
			if got, ok := op.Source(); got != want || ok != wantOK {
				t.Fatalf("the source of %s is %v, %v; want %v, %v", op.Ref, got, ok, want, wantOK)
			}
		}
	})
}

func TestSource(t *testing.T) {
	far := ref("a")
	otherNamespace := dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "other", Name: "p"}
	following := func(change func(*dataflow.Operation)) dataflow.Operation {
		op := load("c", "b")
		op.RunAfter.Strategy.Policy = affinity.Require
		change(&op)
		return op
	}
	for _, c := range []struct {
		name string
		op   dataflow.Operation
		want string
	}{
		{"the predecessor", following(func(op *dataflow.Operation) {}), "DataLoad default/b"},
		{"its dependOn", following(func(op *dataflow.Operation) { op.RunAfter.DependOn = &far }), "DataLoad default/a"},
		{"in its own namespace, if none is named", following(func(op *dataflow.Operation) {
			op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
		}), "DataLoad default/a"},
		{"in another namespace, if named", following(func(op *dataflow.Operation) { op.RunAfter.Ref = otherNamespace }), "DataProcess other/p"},
		{"for Prefer as well", following(func(op *dataflow.Operation) { op.RunAfter.Strategy.Policy = affinity.Prefer }), "DataLoad default/b"},
		{"none without a policy, even with dependOn", following(func(op *dataflow.Operation) {
			op.RunAfter.Strategy.Policy, op.RunAfter.DependOn = affinity.None, &far
		}), ""},
		{"none if distributed", following(func(op *dataflow.Operation) { op.Distributed = true }), ""},
		{"one if recurring", following(func(op *dataflow.Operation) { op.Recurring = true }), "DataLoad default/b"},
		{"none without runAfter", load("c"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := c.op.Source()
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("Source = %v, %v; want %q", got, ok, c.want)
			}
		})
	}
}

func TestRefString(t *testing.T) {
	if got := ref("a").String(); got != "DataLoad default/a" {
		t.Error(got)
	}
	if got := (dataflow.Ref{Kind: dataflow.DataBackup, Name: "b"}).String(); got != "DataBackup b" {
		t.Error(got)
	}
}

// full returns an operation in which every field that can share memory is set.
func full() dataflow.Operation {
	seconds, ttl := int64(30), int32(60)
	return dataflow.Operation{
		Ref: ref("b"),
		RunAfter: &dataflow.RunAfter{
			Ref: ref("a"),
			Strategy: affinity.Strategy{
				Policy:   affinity.Require,
				Requires: []affinity.RequiredLabel{{Key: "zone"}},
				Prefers:  []affinity.PreferredLabel{{Key: "zone", Weight: 1}},
			},
			DependOn: &dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"},
		},
		Exposes:      []string{"disk"},
		NodeSelector: map[string]string{"gpu": "yes"},
		Affinity:     requiring("gpu", "yes"),
		Tolerations:  []corev1.Toleration{{Key: "gpu", TolerationSeconds: &seconds}},
		NodeName:     "node-1",
		Requests:     corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
		Distributed:  true,
		Recurring:    true,
		OnEvent:      true,

		TTLSecondsAfterFinished: &ttl,
	}
}

func requiring(key string, values ...string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values},
		}}},
	}}}
}

// scribble writes to all memory that op may share.
func scribble(op dataflow.Operation) {
	op.RunAfter.Ref.Name = "scribbled"
	op.RunAfter.Strategy.Requires[0].Key = "scribbled"
	op.RunAfter.Strategy.Prefers[0].Key = "scribbled"
	op.RunAfter.DependOn.Name = "scribbled"
	op.Exposes[0] = "scribbled"
	op.NodeSelector["gpu"] = "scribbled"
	terms(op.Affinity)[0].MatchExpressions[0].Values[0] = "scribbled"
	op.Requests[corev1.ResourceCPU] = resource.MustParse("99")
	*op.TTLSecondsAfterFinished = 99
	op.Tolerations[0].Key = "scribbled"
	*op.Tolerations[0].TolerationSeconds = 99
}

func TestLawF8FlowIsImmutable(t *testing.T) {
	given := full()
	f := mustFlow(t, given)
	seen := map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Complete}}
	check := func(after string) {
		t.Helper()
		for op := range f.Operations() {
			if diff := cmp.Diff(full(), op); diff != "" {
				t.Fatalf("after a write to %s:\n%s", after, diff)
			}
		}
	}
	scribble(given)
	check("the argument of New")
	for op := range f.Operations() {
		scribble(op)
	}
	check("the result of Operations")
	decision, err := f.Resolve(ref("b"), seen)
	if err != nil {
		t.Fatal(err)
	}
	terms(decision.Affinity)[0].MatchExpressions[0].Values[0] = "scribbled"
	check("the result of Resolve")
	op, _ := f.Operation(ref("b"))
	scribble(op)
	check("the result of Operation")
	if _, err := f.Resolve(ref("c"), seen); err != nil {
		var unknown *dataflow.UnknownOperationError
		if errors.As(err, &unknown) && unknown.Nearest != nil {
			unknown.Nearest.Name = "scribbled"
		}
	}
	check("an error")
}

// The message of a long cycle is bounded, and the error has all of it.
func TestLawG1MessageOfALongCycle(t *testing.T) {
	ops := make([]dataflow.Operation, 1000)
	for i := range ops {
		ops[i] = load(fmt.Sprintf("operation-%04d", i), fmt.Sprintf("operation-%04d", (i+1)%len(ops)))
	}
	_, err := dataflow.New(ops...)
	var cycle *dataflow.CycleError
	if !errors.As(err, &cycle) || len(cycle.Operations) != len(ops) {
		t.Fatal(err)
	}
	if text := cycle.Error(); len(text) > 4096 || !strings.Contains(text, " more → ") || !strings.HasSuffix(text, cycle.Operations[0].String()) {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
