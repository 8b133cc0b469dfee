// Package dataflow chains operations and says, for each, whether it may run and
// with which affinity.
//
// An [Operation] is what matters here of a DataLoad, DataMigrate, DataProcess or
// DataBackup: what it runs after, which labels it exposes, and what it asks of a
// node itself. [New] checks a set of them and builds a [Flow], which never changes.
// What happened so far is the caller's: [Flow.Resolve] takes it as observations,
// and answers for one operation: Ready, and then with its affinity, Waiting, or
// Blocked. [Flow.ResolveAll] answers for all of them at once.
//
// An operation has at most one predecessor, the one it runs after, and at most one
// source, the one it inherits from. They are the same unless dependOn says
// otherwise. Both must be complete before it starts.
//
//	           runAfter            runAfter             runAfter
//	download ◀───────── convert ◀────────── warm up ◀────────── serve
//	                       ▲                                      │
//	                       └───────────── dependOn ───────────────┘
//
// # Before anything runs
//
// [Flow.Problems] says what [New] accepts but a person should know, and [Check] what is
// wrong with operations that New rejects as well. Both look at each operation and the one
// that it follows; [Flow.LookaheadAll] finds what excludes each other over several steps.
// [Split] takes apart what has nothing to do with each other.
//
// # Foresight
//
// To follow is greedy: the scheduler places the first operation where it likes, and one
// that must follow it there may then be impossible for ever. The flow is stranded.
//
//	            cpu-1   gpu-1   gpu-2
//	download      ?       ?       ?      may run anywhere
//	   ▲
//	convert       ✗       ✓       ✓      needs a GPU, and must run where download ran
//
// With the nodes at hand, [Flow.Forecast] (or [IndexNodes] and [Flow.ForecastOn], for many
// flows) says where each operation can run such that the whole flow can complete (gpu-1
// and gpu-2), which nodes would strand it and whom they doom (cpu-1 dooms convert), and
// gives each operation an affinity that says so. Whoever runs a flow with these affinities
// never strands it, wherever the scheduler puts each operation. Without the nodes,
// [Flow.Lookahead] narrows an affinity by what the specs of those that follow force on it
// (download needs a GPU too).
//
// Package manifest, below this one, reads operations from YAML and JSON.
//
// The laws F1 to F9 and L1 to L8 of the repository's LAWS.md bind this package.
package dataflow
