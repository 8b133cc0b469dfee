// Package affinitytest tests implementations of dataflow affinity against slipstream's laws.
//
// [TestInherit] holds a function that computes what an operation inherits against the laws R1 to I4, C1
// and B1 of slipstream's LAWS.md. A failure names the law, says what it demands, and shows the smallest
// input that was found, as Go code. [CheckInherit] returns the failures.
//
// [Affinities], [Strategies], [LabelSets] and [Nodes] draw the inputs of property tests with rapid.
// [Match], [Score] and [FindMatch] are the oracle of the laws: kube-scheduler's verdict, its score, and
// whether any node matches, written from the definitions in LAWS.md. They share no code with package
// affinity.
package affinitytest
