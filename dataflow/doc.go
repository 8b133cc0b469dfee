// Package dataflow chains operations. It decides when an operation may start and with
// which affinity.
//
// An [Operation] is the part of a DataLoad, DataMigrate, DataProcess or DataBackup that
// matters for a dataflow: its predecessor, the labels that it exposes, and its own
// constraints on nodes. [New] checks operations and builds a [Flow], which is immutable.
// What has happened is up to the caller: [Flow.Resolve] takes it as observations and
// returns the state of an operation (Waiting, Ready, Running, Finished or Blocked) and, if
// it is Ready, its affinity. [Flow.ResolveAll] does so for all operations.
//
// An operation has at most one predecessor, which it runs after, and at most one source,
// from which it inherits. They are the same operation unless dependOn is set. Both must be
// complete before the operation starts.
//
//	           runAfter            runAfter             runAfter
//	download ◀───────── convert ◀────────── warm up ◀────────── serve
//	                       ▲                                      │
//	                       └───────────── dependOn ───────────────┘
//
// # Problems
//
// [Flow.Problems] reports what is wrong with the specs of a flow that [New] accepts, and
// [Check] also what is wrong with operations that New rejects. Both compare an operation
// with its source; [Flow.LookaheadAll] finds contradictions over several steps.
// [Flow.LiveProblems] reports what has gone wrong in a flow that has started, and
// [Flow.HostProblems] what the system that runs the flow does not carry out. [Split]
// divides operations into connected parts.
//
// # Foresight
//
// Inheriting is greedy: the scheduler places the first operation on any node, and then an
// operation that must run there may have no node left. The flow is stranded.
//
//	            cpu-1   gpu-1   gpu-2
//	download      ?       ?       ?      may run anywhere
//	   ▲
//	convert       ✗       ✓       ✓      needs a GPU, and must run where download ran
//
// For given nodes ([IndexNodes]), [Flow.Forecast] computes where each operation can run such
// that the whole flow can complete (gpu-1 and gpu-2), which nodes would strand the flow and
// which follower they block (cpu-1 blocks convert), why an operation cannot run on a node
// ([Forecast.Why]), and an affinity for each operation. A flow whose operations run with
// these affinities ([Forecast.Flow]) is never stranded. Without nodes, [Flow.Lookahead]
// narrows an affinity by what the specs of the followers require (download needs a GPU
// too).
//
// Package manifest, in the folder of this one, reads operations from objects of Fluid's API.
//
// The laws F1 to F9, L1 to L10 and H1 to H4 of the repository's LAWS.md bind this package.
package dataflow
