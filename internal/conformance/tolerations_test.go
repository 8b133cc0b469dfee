package conformance_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	pluginaffinity "k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeaffinity"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodeunschedulable"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/tainttoleration"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Law L1, of an operation by itself: its nodes are those that pass the scheduler's
// filters. And law L4: with the forecast affinity in place of its own, no others do.
func TestForecastAgreesWithTheScheduler(t *testing.T) {
	plugins := filters(t)
	compare(t, func(d *draw) error {
		selector, own, tolerations := d.nodeSelector(), d.affinity(), d.tolerations()
		catalogue := make([]corev1.Node, 1+d.IntN(2*nodesPerInput))
		for i := range catalogue {
			catalogue[i] = *d.node(topology.LabelSet{})
			if catalogue[i].Name = "node-" + strconv.Itoa(i); i < len(names) {
				catalogue[i].Name = names[i]
			}
			d.taint(&catalogue[i])
			d.inspectNode(own, &catalogue[i])
		}
		d.inspect(own)

		op := dataflow.Operation{NodeSelector: selector, Affinity: own, Tolerations: tolerations}
		op.Ref = dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "load"}
		flow, err := dataflow.New(op)
		if err != nil {
			return disagreement("New", op, text(err))
		}
		forecast, err := flow.Forecast(catalogue, dataflow.ForecastOptions{})
		if err != nil {
			return disagreement("Forecast", op, text(err))
		}
		want, got := plugins.pass(d, podWith(selector, own, tolerations...), catalogue), forecast.Nodes(op.Ref)
		if d.cases += len(catalogue); !slices.Equal(got, want) {
			return disagreement("Nodes", op, catalogue, got, want)
		}
		if d.hit("forecast: no node", len(want) == 0) {
			return nil
		}
		d.hit("forecast: all nodes", len(want) == len(catalogue))
		d.hit("forecast: some nodes", len(want) < len(catalogue))

		narrowed, err := forecast.Affinity(op.Ref)
		if err != nil {
			return disagreement("Affinity", op, catalogue, text(err))
		}
		if got := plugins.pass(d, podWith(selector, narrowed, tolerations...), catalogue); !slices.Equal(got, want) {
			return disagreement("Affinity", op, catalogue, narrowed, got, want)
		}
		return nil
	}, slices.Concat(affinityCorners, nodeCorners, taintCorners, []string{
		noTerms, "node selector", "forecast: no node", "forecast: some nodes", "forecast: all nodes",
		"passes", "rejected by NodeAffinity", "rejected by NodeUnschedulable", "rejected by TaintToleration",
		"NodeAffinity: names nodes",
	})...)
}

// plugins are those of kube-scheduler that say on which nodes a pod may run, whatever
// else is there.
type plugins []filter

type filter interface {
	fwk.PreFilterPlugin
	fwk.FilterPlugin
}

// filters returns the plugins. Tolerations with Lt and Gt are behind a feature gate. It
// is open here, as with it closed the API server lets none of them through.
func filters(t *testing.T) plugins {
	features := feature.Features{EnableTaintTolerationComparisonOperators: true}
	var filters plugins
	add := func(plugin fwk.Plugin, err error) {
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, plugin.(filter))
	}
	add(pluginaffinity.New(t.Context(), &config.NodeAffinityArgs{}, nil, features))
	add(nodeunschedulable.New(t.Context(), nil, nil, features))
	add(tainttoleration.New(t.Context(), nil, nil, features))
	return filters
}

// pass returns the names of the nodes that every plugin lets a pod run on, sorted.
func (p plugins) pass(d *draw, pod *corev1.Pod, nodes []corev1.Node) []string {
	ctx := klog.NewContext(context.Background(), klog.Logger{}) // they log what is no number
	state := framework.NewCycleState()
	passing := map[string]bool{}
	infos := make([]fwk.NodeInfo, len(nodes))
	for i := range nodes {
		info := framework.NewNodeInfo()
		info.SetNode(&nodes[i])
		infos[i], passing[nodes[i].Name] = info, true
	}
	for _, plugin := range p {
		only, status := plugin.PreFilter(ctx, state, pod, infos)
		switch {
		case status.IsSkip():
			continue
		case !status.IsSuccess():
			d.hit("rejected by "+plugin.Name(), true)
			return nil
		}
		for _, info := range infos {
			name := info.Node().Name
			if d.hit("NodeAffinity: names nodes", !only.AllNodes()) && !only.NodeNames.Has(name) ||
				!plugin.Filter(ctx, state, pod, info).IsSuccess() {
				d.hit("rejected by "+plugin.Name(), true)
				delete(passing, name)
			}
		}
	}
	var names []string
	for _, node := range nodes {
		if d.hit("passes", passing[node.Name]) {
			names = append(names, node.Name)
		}
	}
	slices.Sort(names)
	return names
}
