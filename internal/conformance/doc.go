// Package conformance holds slipstream against the programs that it must agree with,
// on generated inputs. It is a module of its own, on the newest Kubernetes, so that
// the root needs none of them.
//
//	TestMatcher…         affinity.Compile, Match, Score    k8s.io/component-helpers nodeaffinity, which kube-scheduler asks
//	TestInherit…         affinity.Inherit, laws R1 to P2   the same, before and after
//	TestAPIServer…       affinity.Inherit, law V1          defaulting, conversion and validation of a whole pod, as kube-apiserver does it
//	TestForecast…        dataflow's Forecast               kube-scheduler's plugins NodeUnschedulable, TaintToleration, NodeAffinity
//
// Each compares 100,000 cases in a plain go test: a verdict on a node, or a whole pod.
// Inputs are those of internal/testgen, spoiled at times. With -v the tests tell how
// often each awkward corner was hit; one that never was is a failure. The long run:
//
//	go test -timeout 0 -v -run 'AgreesWith|Accepts' -cases 10000000
//
// The speed is held against the same programs and gonum's topological sort; ./ratios
// prints the table.
//
//	go test -run '^$' -bench .
//	./ratios
package conformance
