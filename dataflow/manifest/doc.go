// Package manifest decodes objects of Fluid's API group data.fluid.io into operations.
//
//	unstructured.Unstructured.Object ──Decode──▶ Operation: for dataflow.New, with what its status says
//
// [Decode] reads one object, as a client, an informer, a webhook or a YAML decoder of
// apimachinery returns it. The package knows nothing of YAML, files and lines.
//
// Decode reports what is wrong with the form of an object: values of the wrong type, fields
// that do not exist, missing fields, malformed quantities and label keys, and the labels
// annotation under a wrong key. It leaves to dataflow.Check what [dataflow.New] and
// Flow.Problems check, on every operation, from wherever it comes: names, policies, weights,
// label keys of strategies, node selectors, affinities and tolerations.
//
// A field is known if Fluid v1.0.8 or Fluid's main branch has it. Decode is strict directly
// below spec, in runAfter, in processor, and in everything that it reads: there a field that
// does not exist is a fault. In metadata and in pod specs, which belong to Kubernetes, and at
// the top of the object, it is a fault only if it is a misspelling of a field that is read,
// or if the kind has it elsewhere. A status may have any fields.
//
// The cost is at most n log n in the size of the object. No value that is not read is
// traversed, so the depth of an object does not matter.
package manifest
