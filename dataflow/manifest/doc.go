// Package manifest reads operations from manifests in YAML and JSON: what a person
// wrote, or what kubectl get prints of live objects.
//
//	flow.yaml ──Read──▶ Manifests: operations for dataflow.New, each with what is known of it if
//	                    it is live, and where each of its fields stands; and nodes
//
// [Read] takes DataLoad, DataMigrate, DataProcess and DataBackup of the group
// data.fluid.io in any version, and Node of v1. It passes over and counts every
// other object.
//
// Nothing that matters for the dataflow is lost silently. Inside runAfter,
// affinity, nodeSelector, tolerations and status.nodeAffinity, a field that does
// not exist is an error. Elsewhere the fields are Fluid's own, so only one that is
// a misspelling of a field that is read here is an error, or one that the kind has
// in another place: nodeSelector in the spec of a DataProcess. What stands beside
// them in a status is never an error, as Fluid writes it. A key that stands twice is
// an error too, and so is a value that Fluid's schema, or that of a pod, refuses.
//
// Read collects errors, each with its place: one bad object does not hide the
// others. It returns also the operations that are at fault, for a picture or a list of
// what is wrong, and marks them as Faulty. Nobody should run those: without the field
// that is at fault, an operation may run where it must not. What [dataflow.New] checks (policies, weights, label keys, duplicate
// operations) is left to it.
//
// The documents of a stream are parsed on all processors, and read in order.
//
// Limits keep hostile input within two gigabytes of memory. They hold for one
// document (one object or one List) of a stream, which may have any number: its
// size ([MaxSize]), its number of lines and elements ([MaxElements]; JSON may have
// half as many elements more), and what its YAML aliases could make of it.
package manifest
