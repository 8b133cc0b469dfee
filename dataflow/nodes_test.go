package dataflow_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// said is all that a forecast says.
func said(f *dataflow.Flow, fc *dataflow.Forecast, err error) string {
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintln(fc.Completable(), fc.Impossible(), fc.Problems())
	for op := range f.Operations() {
		narrowed, err := fc.Affinity(op.Ref)
		text += fmt.Sprintln(op.Ref, fc.Nodes(op.Ref), fc.Matching(op.Ref), fc.Strands(op.Ref), fc.Reason(op.Ref), narrowed, err)
	}
	return text
}

// Whatever was asked of shared nodes before, and by whomever meanwhile, a forecast on them is
// the one on nodes of its own.
func TestForecastsShareNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := append(nodeLists().Draw(t, "nodes"), fleet(3)...)
		nodes, err := dataflow.IndexNodes(all)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var differ sync.Map
		for i, w := range rapid.SliceOfN(worlds(), 1, 8).Draw(t, "worlds") {
			alone, err := w.flow.Forecast(all, w.options)
			want := said(w.flow, alone, err)
			for range 2 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					shared, err := w.flow.ForecastOn(nodes, w.options)
					if got := said(w.flow, shared, err); got != want {
						differ.Store(i, fmt.Sprintf("on shared nodes\n%s\nalone\n%s", got, want))
					}
				}()
			}
		}
		wg.Wait()
		differ.Range(func(_, what any) bool { t.Errorf("%v", what); return true })
	})
}

func TestIndexNodesSaysWhatForecastSays(t *testing.T) {
	nodes := append(fleet(2), fleet(1)...)
	nodes = append(nodes, corev1.Node{})
	indexed, err := dataflow.IndexNodes(nodes)
	_, want := mustFlow(t).Forecast(nodes, dataflow.ForecastOptions{})
	var fault *field.Error
	if indexed != nil || err == nil || err.Error() != want.Error() || len(parts(err)) != 2 || !errors.As(err, &fault) {
		t.Errorf("IndexNodes = %v, %v; want %v", indexed, err, want)
	}
}

func TestForecastOnNoNodes(t *testing.T) {
	empty, err := dataflow.IndexNodes(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := mustFlow(t, load("a"))
	for what, nodes := range map[string]*dataflow.NodeIndex{"nil": nil, "the zero value": {}, "an empty list": empty} {
		fc, err := f.ForecastOn(nodes, dataflow.ForecastOptions{})
		if err != nil || fc.Completable() || fc.Reason(ref("a")) != "no node admits it: there are no nodes" {
			t.Errorf("%s: %v, %v", what, fc, err)
		}
	}
	malformed := load("a")
	malformed.NodeSelector = map[string]string{"not a key": ""}
	var fault *dataflow.OperationError
	if fc, err := mustFlow(t, malformed).ForecastOn(empty, dataflow.ForecastOptions{}); fc != nil || !errors.As(err, &fault) {
		t.Errorf("a malformed operation: %v, %v", fc, err)
	}
}

// A flow more costs what its operations cost, however many nodes there are: these are
// indexed once, and what another flow asked of them is kept.
func TestAFlowMoreOnSharedNodes(t *testing.T) {
	flow := func(i int) *dataflow.Flow {
		first, second := load(fmt.Sprint("a-", i)), load(fmt.Sprint("b-", i), fmt.Sprint("a-", i))
		first.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
		second.Affinity = requiring("node.kubernetes.io/instance-type", "type-1", "type-2")
		second.RunAfter.Strategy.Policy = affinity.Require
		return mustFlow(t, first, second)
	}
	bytes := func(nodes int) uint64 {
		indexed, err := dataflow.IndexNodes(fleet(nodes))
		if err != nil {
			t.Fatal(err)
		}
		kept := make([]*dataflow.Forecast, 0, 101)
		var before, after runtime.MemStats
		for i := range cap(kept) {
			if i == 1 {
				runtime.ReadMemStats(&before)
			}
			fc, err := flow(i).ForecastOn(indexed, dataflow.ForecastOptions{})
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
	t.Logf("bytes a flow: %d on 64 nodes, %d on 6,400", few, many)
	if many > few+20*6400/8 { // a few sets; an index of one label is thirty times as much
		t.Error("a flow more indexes the nodes again")
	}
}

// The nodes that a forecast was made on are no longer needed: what it says is its own.
func TestAForecastOutlivesItsNodes(t *testing.T) {
	all := fleet(10)
	f := mustFlow(t, load("a"))
	fc, err := f.Forecast(all, dataflow.ForecastOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := said(f, fc, err)
	for i := range all {
		all[i].Name = "other"
		clear(all[i].Labels)
	}
	if after := said(f, fc, err); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}
