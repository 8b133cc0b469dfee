// Package fluid gives slipstream the signatures of the functions with which Fluid v1.0.8
// makes an operation run where the one before it ran, so that the tests here and in the
// package conformance can hold one against the other. Parameters, results and meaning are
// Fluid's; the decisions are slipstream's.
//
//	here                         in Fluid
//	InjectAffinityAnnotation     pkg/dataflow/affinity.go
//	InjectAffinityByRunAfterOp   pkg/dataflow/affinity.go
//	GenerateNodeAffinity         pkg/dataflow/helper.go
//	JobShouldInQueue             pkg/ctrl/watch/op_job.go
//	FillCustomizedNodeAffinity   pkg/controllers/v1alpha1/fluidapp/dataflowaffinity
//
// The change to Fluid does not import this package. It is made by the program adopt, and
// README.md describes it.
package fluid
