// Package affinity holds the rule: what an operation inherits from the place
// where its predecessor ran.
//
// An operation has an affinity of its own and, for each operation that it follows,
// a [Strategy]: which labels of the predecessor's node it requires, or prefers.
// [Inherit] combines them:
//
//	Require: own affinity AND key In [value], for every followed key that is exposed
//	Prefer:  own affinity, and a bonus of weight w for key In [value]
//
// Node affinity is an OR of terms, so a requirement goes into every term. What the
// operation asked for itself is never dropped or reordered, and what it asked to
// follow but nobody exposed is reported in [Result].
//
// What the package promises are the laws R1 and R2, P1 and P2, N1 and N2, I1 to I4, D1
// and D2, M1, V1, C1 and C2, X1, and B1: those under "Inheriting" in LAWS.md, in the root
// of the repository.
package affinity
