package dataflow_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// nearest returns the operation that the error for an unknown reference names.
func nearest(t interface{ Fatal(...any) }, f *dataflow.Flow, ref dataflow.Ref) *dataflow.Ref {
	_, err := f.Resolve(ref, nil)
	var unknown *dataflow.UnknownOperationError
	if !errors.As(err, &unknown) {
		t.Fatal(ref, err)
	}
	return unknown.Nearest
}

func TestNearestPrefersTheSameName(t *testing.T) {
	const load, backup, process = dataflow.DataLoad, dataflow.DataBackup, dataflow.DataProcess
	for _, c := range []struct {
		asked, want dataflow.Ref
		others      []dataflow.Ref
	}{
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{backup, "x", "train"}, []dataflow.Ref{{load, "a", "train"}, {load, "x", "trains"}, {backup, "x", "train"}}},
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{load, "z", "train"}, []dataflow.Ref{{backup, "a", "train"}, {load, "x", "trains"}, {load, "z", "train"}}},
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{process, "z", "train"}, []dataflow.Ref{{process, "z", "train"}, {load, "x", "trains"}}},
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{backup, "z", "train"}, []dataflow.Ref{{backup, "z", "train"}, {load, "x", "trains"}}},
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{load, "x", "trains"}, []dataflow.Ref{{backup, "x", "trains"}, {load, "z", "trains"}, {load, "x", "trains"}}},
		{dataflow.Ref{"Load", "x", "train"}, dataflow.Ref{load, "x", "train"}, []dataflow.Ref{{load, "x", "train"}}},
		{dataflow.Ref{load, "x", "train"}, dataflow.Ref{}, []dataflow.Ref{{load, "z", "trains"}, {backup, "x", "trains"}, {load, "x", "other"}}},
	} {
		var ops []dataflow.Operation
		for _, ref := range c.others {
			ops = append(ops, dataflow.Operation{Ref: ref})
		}
		var got dataflow.Ref
		if meant := nearest(t, mustFlow(t, ops...), c.asked); meant != nil {
			got = *meant
		}
		if got != c.want {
			t.Errorf("%v among %v: %v, want %v", c.asked, c.others, got, c.want)
		}
	}
}

// Among few operations of its kind, the hint is that of package typo for all their names.
func TestNearestAmongFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[ab]{3,8}`), 0, 32, rapid.ID[string]).Draw(t, "names")
		asked := rapid.StringMatching(`[ab]{3,8}`).Filter(func(name string) bool { return !slices.Contains(names, name) }).Draw(t, "asked")
		ops := []dataflow.Operation{}
		for _, name := range names {
			ops = append(ops, load(name), dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataBackup, Namespace: "default", Name: "c" + name}})
		}
		slices.Sort(names)
		want, ok := typo.Nearest(asked, names...)
		got := nearest(t, mustFlow(t, ops...), ref(asked))
		if (got != nil) != ok || ok && *got != ref(want) {
			t.Fatalf("%s among %v: %v, want %q", asked, names, got, want)
		}
	})
}

// The hint for a dependOn is a similar ancestor, even if another operation is more similar.
func TestTheHintIsAnAncestor(t *testing.T) {
	convert := requireSame(load("convert", "download-1"))
	convert.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "download-3"}
	other := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataMigrate, Namespace: "default", Name: "download-3"}}
	problems := dataflow.Check(load("download-1"), convert, other)
	if len(problems) != 1 || !strings.HasSuffix(problems[0].Message, "; typo of DataLoad default/download-1?") {
		t.Errorf("%v", problems)
	}
}

// A single typo anywhere in a name is found among many operations.
func TestNearestAmongManyFindsASingleTypo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		letter := func() byte { return byte('a' + random.Intn(26)) }
		ops := make([]dataflow.Operation, 2000)
		for i := range ops {
			name := make([]byte, 10+i%3)
			for j := range name {
				name[j] = letter()
			}
			ops[i] = load(string(name))
		}
		f := mustFlow(t, ops...)
		for range 10 {
			meant := ops[random.Intn(len(ops))].Ref
			at := random.Intn(len(meant.Name) - 1)
			before, a, b, after := meant.Name[:at], meant.Name[at], meant.Name[at+1], meant.Name[at+2:]
			for _, typo := range []string{
				before + string(b) + string(a) + after,
				before + string(b) + after,
				before + string(a) + string(letter()) + string(b) + after,
				before + string(letter()) + string(b) + after,
			} {
				if typo == meant.Name {
					continue
				}
				if got := nearest(t, f, ref(typo)); got == nil || *got != meant {
					t.Fatalf("the hint for %s is %v, want %v", typo, got, meant)
				}
			}
		}
	})
}

// The hint for an operation is never the operation itself.
func TestTheHintIsNotTheOperationItself(t *testing.T) {
	ops := []dataflow.Operation{load("train-model", "train-modle")}
	for i := range 100 {
		ops = append(ops, load(fmt.Sprint("a", i)), load(fmt.Sprint("z", i)))
	}
	for _, ops := range [][]dataflow.Operation{ops, ops[:1]} {
		problems := dataflow.Check(ops...)
		if len(problems) != 1 || problems[0].Code != dataflow.CodeUnknownPredecessor || problems[0].Message != "no DataLoad default/train-modle exists, so this operation waits without limit; fix the reference or add the operation" {
			t.Errorf("%v", problems)
		}
	}
}

// The hint is found however far up the ancestor is.
func TestTheHintIsAFarAncestor(t *testing.T) {
	ops := []dataflow.Operation{load("download-model"), load("op-0", "download-model")}
	for i := range 200 {
		ops = append(ops, load(fmt.Sprint("op-", i+1), fmt.Sprint("op-", i)))
	}
	last := &ops[len(ops)-1].RunAfter
	(*last).Strategy.Policy = affinity.Require
	(*last).DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: "downlaod-model"}
	problems := dataflow.Check(ops...)
	if len(problems) != 1 || !strings.HasSuffix(problems[0].Message, "; typo of DataLoad default/download-model?") {
		t.Errorf("%v", problems)
	}
}

// The time for one operation grows with the logarithm of their number, although all of them
// have typos.
func BenchmarkMistakenReferences(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		ops := make([]dataflow.Operation, n)
		for i := range ops {
			ops[i] = load(fmt.Sprintf("operation-%d", i), fmt.Sprintf("opertaion-%d", i))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				if problems := dataflow.Check(ops...); len(problems) != n {
					b.Fatal(len(problems))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/operation")
		})
	}
}
