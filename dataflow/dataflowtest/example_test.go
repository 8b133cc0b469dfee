package dataflowtest_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
)

// A hasty controller starts every operation at once.
type hasty struct{}

func (hasty) Decide(ref dataflow.Ref, v dataflowtest.View) (dataflow.State, *corev1.Affinity, error) {
	if phase := v.Seen[ref].Phase; phase != "" {
		f, err := dataflow.New(v.Operations...)
		if err != nil {
			return "", nil, err
		}
		d, err := f.Resolve(ref, v.Seen)
		return d.State, d.Affinity, err
	}
	return dataflow.Ready, nil, nil
}

// In a test, this is dataflowtest.TestController(t, start): it reports each failure in a subtest.
func ExampleCheckController() {
	start := func() dataflowtest.Controller { return hasty{} }
	for _, f := range dataflowtest.CheckController(start, dataflowtest.Skip(dataflowtest.F5, dataflowtest.F6, dataflowtest.F7, dataflowtest.L3)) {
		fmt.Println(f)
	}
	// Output:
	// law F4 does not hold.
	// The state is that of what is seen now: Running or Finished by the operation's own phase; else Ready if its predecessor and its source are Complete, Blocked if one of them is Failed or Blocked, and Waiting otherwise.
	// Instead, for DataLoad default/c, the state is Ready, want Waiting
	//
	// view := dataflowtest.View{
	// 	Operations: []dataflow.Operation{
	// 		{Ref: dataflow.Ref{Kind: "DataLoad", Namespace: "default", Name: "b"}},
	// 		{
	// 			Ref:      dataflow.Ref{Kind: "DataLoad", Namespace: "default", Name: "c"},
	// 			RunAfter: &dataflow.RunAfter{Ref: dataflow.Ref{Kind: "DataLoad", Name: "b"}},
	// 		},
	// 	},
	// 	Seen:    map[dataflow.Ref]dataflow.Observation{},
	// 	Cluster: dataflowtest.Cluster{Nodes: []corev1.Node{}},
	// }
	// state, a, err := start().Decide(dataflow.Ref{Kind: "DataLoad", Namespace: "default", Name: "c"}, view)
	// t.Log(state, a, err)
}
