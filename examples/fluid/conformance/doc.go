// Package conformance holds the drop-in, and with it slipstream, against Fluid v1.0.8's own
// functions and controllers, on generated inputs.
//
//	TestInheritAgreesWithFluid    InjectAffinityByRunAfterOp
//	TestRecordAgreesWithFluid     JobShouldInQueue, the controller that records on Jobs, GenerateNodeAffinity, InjectAffinityAnnotation
//	TestFlowAgreesWithFluid       whole chains: dataflow.Flow.Resolve and Fluid's controllers of Jobs and of the dataflow
//
// They give the same, to the letter, but for Fluid's defects. Each of these has a name, U1
// to U10; where an input meets one, the tests assert that Fluid shows it, so that they fail
// when Fluid fixes it. TestDefects… have one example of each. Where slipstream differs for
// another reason, the name begins with "beyond".
//
// Each compares 100,000 cases in a plain go test. With -v the tests tell how often each
// awkward corner and each defect was hit; one that never was is a failure. The long run:
//
//	go test -timeout 0 -v -run AgreesWithFluid -cases 10000000
//
// The speed is held against Fluid's injection, with the copy that makes it pure:
//
//	go test -run '^$' -bench .
//	go test -count 1 -run '^TestRatios$' -ratios 9 -benchtime 200ms
package conformance
