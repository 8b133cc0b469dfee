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
// Package manifest, below this one, reads operations from YAML and JSON.
//
// The laws F1 to F9 bind this package.
package dataflow
