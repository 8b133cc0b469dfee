// Package fluid holds drop-in replacements for the functions with which Fluid v1.0.8
// makes an operation run where the one before it ran. Names, parameters, results and
// meaning are Fluid's; the decisions are slipstream's. Each function fetches what it
// needs with the client that it is given, and makes one call of a pure function.
//
//	here                         in Fluid
//	InjectAffinityAnnotation     pkg/dataflow/affinity.go
//	InjectAffinityByRunAfterOp   pkg/dataflow/affinity.go
//	GenerateNodeAffinity         pkg/dataflow/helper.go
//	JobShouldInQueue             pkg/ctrl/watch/op_job.go
//	FillCustomizedNodeAffinity   pkg/controllers/v1alpha1/fluidapp/dataflowaffinity
//
// Three functions have no counterpart there: Inherit is InjectAffinityByRunAfterOp that
// also tells which labels were missing, GenerateBackupNodeAffinity records where the
// pod of a DataBackup ran, and Warn tells by events what Fluid keeps to itself.
//
// README.md has the change to Fluid, and what each of its defects turns into. The
// package conformance holds the replacements against Fluid's own functions.
package fluid
