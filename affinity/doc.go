// Package affinity holds the rule by which an operation inherits from the place where another
// operation, its source, ran.
//
// An operation has an affinity of its own and a [Strategy], which names the labels of the
// source's node that the operation requires or prefers. [Inherit] combines the two:
//
//	Require: own affinity AND key In [value], for every key that the source exposes
//	Prefer:  own affinity, and a preference for key In [value] with a weight
//
// The terms of a required node affinity are ORed, so a requirement is added to every term. Own
// constraints are never dropped or reordered. Keys that the source does not expose are reported
// in [Result].
//
// The package obeys the laws R1, R2, P1, P2, N1, N2, I1 to I4, D1, D2, M1, V1, C1, C2, X1 and B1
// of LAWS.md in the root of the repository.
package affinity
