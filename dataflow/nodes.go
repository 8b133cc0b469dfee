package dataflow

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// NodeIndex is an index of the nodes of a cluster, for the forecasts of many flows. It keeps
// the result of each distinct question, so its size grows with the number of distinct
// constraints, not with the number of flows. It is safe for use by many goroutines at
// once. A nil NodeIndex, and the zero value, have no nodes.
type NodeIndex struct {
	list     []corev1.Node
	index    *nodeindex.Index
	capacity *nodeindex.Capacity
	idle     *nodeindex.Capacity // if no pod ran

	tested               nodeindex.Memo[tested] // by identity
	tolerated, inherited nodeindex.Memo[nodeindex.Set]
}

// IndexNodes returns the index of nodes for [Flow.Forecast]. used holds, by the name of a
// node, the sum of what the pods that run there request, as kube-scheduler counts it: the
// requests of each pod are rounded up to whole units, and of cpu to thousandths. The
// resource pods is their number. The free resources of a node are status.allocatable less
// that. A node without status.allocatable is not tested for resources. Nil used means that
// nothing is used; nil and empty nodes make an index without nodes.
//
// The index keeps both arguments and does not write to them. They must not change while
// the index, or a forecast made with it, is in use. The error holds every node that has no
// name, or the name of another one, as a *field.Error with a path that starts at nodes.
func IndexNodes(nodes []corev1.Node, used map[string]corev1.ResourceList) (*NodeIndex, error) {
	index, faults := nodeindex.New(nodes)
	if len(faults) > 0 {
		return nil, fielderror.Join(faults)
	}
	return &NodeIndex{list: nodes, index: index, capacity: nodeindex.NewCapacity(nodes, used), idle: nodeindex.NewCapacity(nodes, nil)}, nil
}
