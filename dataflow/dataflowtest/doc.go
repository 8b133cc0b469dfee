// Package dataflowtest tests controllers of dataflows against slipstream's laws.
//
// [TestController] runs whole flows in a simulated cluster: a scheduler that applies kube-scheduler's
// filters and then takes any node, operations that fail, operations that are deleted and run again,
// nodes that are relabelled, a controller that is restarted and that reads what was true some time ago.
// It holds the decisions against the laws F4 to F7 and L3 of slipstream's LAWS.md. [CheckController]
// returns the failures.
//
// [Flows] and [Clusters] draw the inputs of property tests with rapid. [RefusedBy] is the oracle of the
// scheduler, written from the definitions.
package dataflowtest
