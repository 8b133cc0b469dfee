// Package topology describes the place where an operation ran by the labels of its node that
// later operations can inherit.
//
// A node has many labels. An operation that ran on the node exposes a few of them: the
// hostname, the zone, the region, and the labels that its annotation names. [Expose] selects
// them. The result is a [LabelSet], which a later operation can inherit. Fluid stores it in two
// encodings: in annotations of the Job ([LabelSet.Annotations]), and later in the nodeAffinity
// of the operation's status ([LabelSet.NodeAffinity]). Each encoding has a decoder.
//
//	node labels ──Expose──▶ LabelSet ◀──▶ Job annotations
//	                            ▲
//	                            └───────▶ status.nodeAffinity
//
// The package obeys the laws E1 to E5 of LAWS.md in the root of the repository.
package topology
