package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// unschedulable returns why a pod finds no node: in the words of kube-scheduler, and if the
// operation must follow another one, also what became of the nodes where that one ran.
func (p *pass) unschedulable(ctx context.Context, op *operation, state *progress) (problem, error) {
	pod := state.unschedulable
	if pod == nil {
		return problem{}, nil
	}
	message := fmt.Sprintf("pod %s: %s", pod.Name, scheduling(pod))
	why, err := p.why(ctx, op, pod)
	if err != nil {
		return problem{}, err
	}
	if why != "" {
		message += " " + why
	}
	return problem{reasonUnschedulable, message}, nil
}

// scheduling returns why kube-scheduler finds no node for a pod, in its words, but without what
// it says about preemption, and without how many nodes there are for each reason: these
// numbers change with every node of the cluster, and each change would be reported.
func scheduling(pod *corev1.Pod) string {
	c := conditionOf(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse {
		return ""
	}
	message, _, _ := strings.Cut(c.Message, " preemption:")
	_, reasons, ok := strings.Cut(message, " nodes are available: ")
	if !ok {
		return message
	}
	all := strings.Split(strings.TrimSuffix(reasons, "."), ", ")
	for i := range all {
		all[i] = strings.TrimLeft(all[i], "0123456789 ")
	}
	slices.Sort(all)
	return "no node is available: " + strings.Join(slices.Compact(all), ", ") + "."
}

// why says what keeps a pod from the nodes where its operation's source ran. It is empty if
// the operation follows none, or if nothing of what slipstream knows keeps it from them.
func (p *pass) why(ctx context.Context, op *operation, pod *corev1.Pod) (string, error) {
	source, ok := op.Source()
	recorded := p.seen[source].Labels
	if !ok || op.RunAfter.Strategy.Policy != "Require" || recorded.Len() == 0 {
		return "", nil
	}
	required := client.MatchingLabels{}
	for _, key := range op.RunAfter.Strategy.Keys() {
		if value, ok := recorded.Get(key); ok {
			required[key] = value
		}
	}
	place := topology.NewLabelSet(required).String()
	var nodes corev1.NodeList
	if err := p.Nodes.List(ctx, &nodes, required); err != nil {
		return "", err
	}
	if len(nodes.Items) == 0 {
		return fmt.Sprintf("No node has %s any more, where %s ran.", place, source), nil
	}
	const most = 10 // nodes that are looked at
	slices.SortFunc(nodes.Items, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	nodes.Items = nodes.Items[:min(most, len(nodes.Items))]
	alone := op.Operation.Operation
	alone.RunAfter, alone.Affinity = nil, pod.Spec.Affinity
	flow, err := dataflow.New(alone)
	if err != nil {
		return "", err
	}
	index, err := dataflow.IndexNodes(nodes.Items, nil)
	if err != nil {
		return "", err
	}
	forecast, err := flow.Forecast(index, dataflow.ForecastOptions{})
	if err != nil {
		return "", err
	}
	for _, node := range nodes.Items {
		if why := forecast.Why(op.Ref, node.Name); why != "" {
			return fmt.Sprintf("%s, with %s where %s ran: %s.", node.Name, place, source, why), nil
		}
	}
	return "", nil
}
