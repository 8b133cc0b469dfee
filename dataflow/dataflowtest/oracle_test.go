package dataflowtest

import (
	"testing"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A node selector and a label to inherit conflict if they ask for two values of one key.
func TestConflictsWithTheNodeSelector(t *testing.T) {
	a := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}}
	b := dataflow.Operation{
		Ref:      dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "b"},
		RunAfter: &dataflow.RunAfter{Ref: a.Ref, Strategy: affinity.Strategy{Policy: affinity.Require}},
	}
	ran := dataflow.Observation{Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{topology.Hostname: "n-1"})}
	for value, want := range map[string]bool{"n-1": false, "n-2": true} {
		b.NodeSelector = map[string]string{topology.Hostname: value}
		v := View{Operations: []dataflow.Operation{a, b}, Seen: map[dataflow.Ref]dataflow.Observation{a.Ref: ran}}
		if got := v.conflicts(b); got != want {
			t.Errorf("conflicts with hostname %s: %v, want %v", value, got, want)
		}
	}
}
