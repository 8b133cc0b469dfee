// Package slipstream decides where a data operation may run from where its
// predecessor ran.
//
// Fluid (https://github.com/fluid-cloudnative/fluid) runs data operations on
// Kubernetes and chains them by runAfter. When the pods of a chain land on
// different nodes, data crosses the network for nothing. slipstream turns the
// labels of a predecessor's node into a corev1.Affinity for its successor, with
// pure functions: no client, no I/O, no state.
//
// # The way of a label
//
//		labels of the node                 topology.Expose      what of them others may follow
//		  where the predecessor ran   ───▶ affinity.Inherit ───▶ the affinity of the successor's pod
//		                                   dataflow.Resolve      ... for a whole chain
//
//	  - [github.com/fluid-cloudnative/slipstream/topology] says where a thing ran: the
//	    labels of a node that an operation exposes, and the two forms in which Fluid
//	    stores them.
//	  - [github.com/fluid-cloudnative/slipstream/affinity] is the rule: an operation's own
//	    affinity and the inherited labels make the affinity of its pods. It matches
//	    nodes as kube-scheduler does, and finds requirements that contradict each other.
//	  - [github.com/fluid-cloudnative/slipstream/dataflow] chains operations: who inherits
//	    from whom, and who may start.
//	  - [github.com/fluid-cloudnative/slipstream/dataflow/manifest] reads operations from
//	    YAML and JSON.
//
// Each package knows only those above it in this list. There is nothing to call in
// this package itself.
//
// # What holds
//
//   - Nothing that an operation asked for is ever lost: what is inherited comes on
//     top, in every ORed term.
//   - What was asked for and is not there is reported, and so are requirements that
//     no node can meet together.
//   - Inputs are never written to, outputs share no memory with them, a second
//     application changes nothing, and the same input gives the same bytes.
package slipstream
