// Package slipstream decides where a data operation may run from where its predecessor ran.
//
// Fluid (https://github.com/fluid-cloudnative/fluid) runs data operations on Kubernetes and
// chains them by runAfter. When the pods of a chain land on different nodes, data crosses the
// network for nothing. slipstream turns the labels of a predecessor's node into a
// corev1.Affinity for its successor, with pure functions: no client, no I/O, no state.
//
// # The way of a label
//
//		labels of the node           topology.Expose      the labels that others may inherit
//		where the predecessor  ───▶  affinity.Inherit ───▶ the affinity of the successor's pod
//		ran                          dataflow.Resolve      the same for a whole chain
//
//	  - [github.com/fluid-cloudnative/slipstream/topology] describes where an operation ran:
//	    the labels of the node that the operation exposes, and the two forms in which Fluid
//	    stores them.
//	  - [github.com/fluid-cloudnative/slipstream/affinity] is the rule: an operation's own
//	    affinity and the inherited labels make the affinity of its pods. It matches nodes as
//	    kube-scheduler does, and finds requirements that contradict each other.
//	  - [github.com/fluid-cloudnative/slipstream/dataflow] chains operations: which one
//	    inherits from which, which one may start, what is wrong, and what will go wrong.
//	  - [github.com/fluid-cloudnative/slipstream/dataflow/manifest] decodes operations from
//	    objects of Fluid's API.
//
// Each package knows only those above it in this list. This package itself has no functions.
//
// # Guarantees
//
//   - No requirement of an operation is ever lost: inherited ones are added to every ORed
//     term.
//   - A label that was to be inherited and was not recorded is reported, and so are
//     requirements that no node can meet together.
//   - Inputs are never written to, outputs share no memory with them, a second application
//     changes nothing, and equal inputs give equal bytes.
package slipstream
