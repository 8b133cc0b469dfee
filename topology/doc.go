// Package topology says where a thing ran, as far as others may know it.
//
// A node has many labels; an operation that ran on it exposes a few of them: the
// hostname, zone and region always, and those that the operation's annotation
// names. [Expose] makes that choice. Its result, a [LabelSet], is what a later
// operation can follow, and what Fluid stores for it: first as annotations of the
// Job ([LabelSet.Annotations]), then as the nodeAffinity of the operation's status
// ([LabelSet.NodeAffinity]). Each encoding has its decoder.
//
//	node labels ──Expose──▶ LabelSet ◀──▶ Job annotations
//	                            ▲
//	                            └───────▶ status.nodeAffinity
//
// What the package promises are the laws E1 to E5 in LAWS.md, in the root of the
// repository.
package topology
