package dataflow_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// printed returns everything that a forecast has to say.
func printed(f *dataflow.Flow, fc *dataflow.Forecast, err error) string {
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintln(fc.Completable(), fc.Impossible(), fc.Problems(), fc.Groups())
	for op := range f.Operations() {
		narrowed, err := fc.Affinity(op.Ref)
		text += fmt.Sprintln(op.Ref, fc.Nodes(op.Ref), fc.Strands(op.Ref), fc.Reason(op.Ref), narrowed, err)
	}
	return text
}

// Forecasts that share an index, at the same time, are equal to those with an index each.
func TestForecastsShareAnIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := clusters().Draw(t, "cluster")
		c.nodes = append(c.nodes, fleet(3)...)
		index := mustIndex(t, c.nodes, c.used)
		var wg sync.WaitGroup
		var differ sync.Map
		for i, w := range rapid.SliceOfN(worlds(), 1, 8).Draw(t, "worlds") {
			alone, err := w.flow.Forecast(mustIndex(t, c.nodes, c.used), w.options)
			want := printed(w.flow, alone, err)
			for range 2 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					shared, err := w.flow.Forecast(index, w.options)
					if got := printed(w.flow, shared, err); got != want {
						differ.Store(i, fmt.Sprintf("on the shared index\n%s\non its own\n%s", got, want))
					}
				}()
			}
		}
		wg.Wait()
		differ.Range(func(_, what any) bool { t.Errorf("%v", what); return true })
	})
}

func TestIndexNodesReportsEveryFault(t *testing.T) {
	node := func(name string) corev1.Node { return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	index, err := dataflow.IndexNodes([]corev1.Node{node(""), node("n"), node("n"), node("")}, nil)
	var got []string
	for _, fault := range dataflow.Faults(err) {
		var of *field.Error
		if !errors.As(fault, &of) {
			t.Errorf("%T is not a field error", fault)
		}
		got = append(got, fault.Error())
	}
	want := []string{
		"nodes[0].metadata.name: Required value: every node needs a name",
		`nodes[2].metadata.name: Duplicate value: "n"`,
		"nodes[3].metadata.name: Required value: every node needs a name",
	}
	if diff := cmp.Diff(want, got); diff != "" || index != nil {
		t.Errorf("IndexNodes = %v, %s", index, diff)
	}
}

func TestForecastWithoutNodes(t *testing.T) {
	empty, err := dataflow.IndexNodes(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := mustFlow(t, load("a"))
	for name, index := range map[string]*dataflow.NodeIndex{"nil": nil, "the zero value": {}, "an empty list": empty} {
		fc, err := f.Forecast(index, dataflow.ForecastOptions{})
		if err != nil || fc.Completable() || fc.Reason(ref("a")) != "no node admits it: there are no nodes" {
			t.Errorf("%s: %v, %v", name, fc, err)
		}
		fc, err = f.Forecast(index, dataflow.ForecastOptions{Seen: map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Complete}}})
		if err != nil || !fc.Completable() || fc.Nodes(ref("a")) != nil {
			t.Errorf("%s, after it ran: %v, %v", name, fc, err)
		}
	}
}

// One more flow costs what its operations cost, however many nodes there are: the nodes are
// indexed once, and the results for other flows are kept.
func TestOneMoreFlowOnASharedIndex(t *testing.T) {
	flow := func(i int) *dataflow.Flow {
		first, second := load(fmt.Sprint("a-", i)), load(fmt.Sprint("b-", i), fmt.Sprint("a-", i))
		first.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
		second.Affinity = requiring("node.kubernetes.io/instance-type", "type-1", "type-2")
		second.RunAfter.Strategy.Policy = affinity.Require
		return mustFlow(t, first, second)
	}
	bytes := func(nodes int) uint64 {
		index := mustIndex(t, fleet(nodes), nil)
		kept := make([]*dataflow.Forecast, 0, 101)
		var before, after runtime.MemStats
		for i := range cap(kept) {
			if i == 1 {
				runtime.ReadMemStats(&before)
			}
			fc, err := flow(i).Forecast(index, dataflow.ForecastOptions{})
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, fc)
		}
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(kept)
		return (after.TotalAlloc - before.TotalAlloc) / 100
	}
	few, many := bytes(64), bytes(6400)
	t.Logf("bytes for one flow: %d on 64 nodes, %d on 6,400", few, many)
	if many > few+20*6400/8 { // a few sets; an index of one label is thirty times as much
		t.Error("one more flow indexes the nodes again")
	}
}
