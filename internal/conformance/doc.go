// Package conformance holds slipstream against the programs that it must agree with,
// on generated inputs. It is a module of its own, on the newest Kubernetes, so that
// the root needs none of them.
//
//	TestMatcher…           affinity.Compile, Match, Score     kube-apiserver's validation; component-helpers' nodeaffinity, which kube-scheduler asks
//	TestInherit…           affinity.Inherit, laws R1 to P2    the same, before and after
//	TestAPIServer…         affinity.Inherit, law V1           defaulting, conversion and validation of a whole pod, as kube-apiserver does it
//	TestForecast…Plugins   dataflow's Forecast, law L9        kube-scheduler's plugins NodeName, NodeUnschedulable, TaintToleration, NodeAffinity, NodeResourcesFit
//	TestForecast…Kubelet   the same of a pod with a node name the kubelet's admission handler
//	podspec                manifest.Decode, dataflow.Check    defaulting and validation; the sum of a pod's requests
//
// Each compares 100,000 cases in a plain go test: a verdict on a node, or a whole pod. Half
// of the cases are drawn from the small alphabet of affinitytest, and half from all that
// the API allows: any label key and value, name, taint, resource and quantity. With -v the
// tests print how often each awkward corner was hit; one that never was is a failure. The
// long run:
//
//	go test -timeout 0 -v -run 'AgreesWith|Accepts' -cases 10000000
//
// The speed is held against the same programs and gonum's topological sort; ./ratios
// prints the table.
//
//	go test -run '^$' -bench .
//	./ratios
package conformance
