package dataflow

import (
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// exclusion holds two operations of a subtree whose constraints exclude each other.
type exclusion struct {
	source, follower                 int32  // the same if its constraints are impossible by themselves
	sourceRequires, followerRequires string // the requirements that exclude each other
	jointly                          bool   // sourceRequires is a joint requirement of several operations before follower
}

// contradiction returns the error for i, whose subtree has no node: two operations of the
// subtree whose constraints exclude each other, or if no two do, the operation whose
// constraints exclude the joint ones of those before it. The exclusion is found once for
// all ancestors that fail because of it.
func (l *lookahead) contradiction(i int32) *ContradictionError {
	at := i
	if l.conflictAt[i] != none {
		at = l.conflictAt[i]
	}
	found, ok := l.exclusions[at]
	if !ok {
		found = l.exclusion(at)
		l.exclusions[at] = found
	}
	if found.jointly && i != at { // between i and them there may be a pair
		const nearest, most = 64, 1 << 16
		if pair := l.conflictingPair(l.candidates(i, nearest), 0, nearest, most); pair != nil {
			found = pair
		}
	}
	operations := l.flow.operations
	return &ContradictionError{
		Source: operations[found.source].Ref, Follower: operations[found.follower].Ref,
		SourceRequires: found.sourceRequires, FollowerRequires: found.followerRequires, Jointly: found.jointly,
	}
}

// exclusion returns the exclusion in the subtree of i. What each follower of i passes up can
// be met by itself.
func (l *lookahead) exclusion(i int32) *exclusion {
	if len(l.own[i]) == 0 {
		return l.selfConflict(i)
	}
	const nearest, most = 1000, 1 << 20 // of the search for a pair after the first operation that is excluded
	line := l.candidates(i, math.MaxInt)
	together := line.requires[0]
	for b := 1; b < len(line.requires); b++ {
		there, here, ok := together.Conflict(line.requires[b])
		if !ok {
			together = together.And(line.requires[b])
			continue
		}
		if pair := l.conflictingPair(line, b, nearest, most); pair != nil {
			return pair
		}
		return &exclusion{i, line.operations[b], there.String(), here.String(), true}
	}
	// The terms of all together are too many; those that are passed up are not.
	together = nodeselector.True()
	for f := 0; ; f++ {
		follower := l.followers[i][f]
		passing := l.passedUp(follower)
		there, here, ok := together.Conflict(passing)
		if !ok {
			together = together.And(passing)
			there, here, ok = l.own[i].Conflict(together)
		}
		if ok {
			return &exclusion{i, follower, there.String(), here.String(), true}
		}
	}
}

// candidates holds the operations of a subtree, the nearest first and otherwise in the
// flow's order, and what each by itself requires of the node of the root. Operations that
// require nothing are left out.
type candidates struct {
	operations []int32
	requires   []nodeselector.Alternatives
	sizes      []int // of requires, in requirements
}

// conflictingPair returns two candidates that exclude each other, or nil. The second has
// the index b or a later one among the nearest. An operation that is impossible by itself
// is both. The search ends after about so many pairs of terms, and requirements in them: ORed
// terms multiply.
func (l *lookahead) conflictingPair(of candidates, b, nearest, most int) *exclusion {
	for c := b; c < len(of.requires) && (c == b || c < nearest); c++ {
		if len(of.requires[c]) == 0 {
			return l.selfConflict(of.operations[c])
		}
		for a := range c {
			if most -= len(of.requires[a])*len(of.requires[c]) + of.sizes[a] + of.sizes[c]; most < 0 {
				return nil
			}
			if there, here, ok := of.requires[a].Conflict(of.requires[c]); ok {
				return &exclusion{of.operations[a], of.operations[c], there.String(), here.String(), false}
			}
		}
	}
	return nil
}

// selfConflict returns the exclusion of an operation that is impossible by itself.
func (l *lookahead) selfConflict(i int32) *exclusion {
	return &exclusion{source: i, follower: i, followerRequires: impossible(&l.flow.operations[i])}
}

// candidates returns the candidates of the subtree of i, of about the given number of
// operations.
func (l *lookahead) candidates(i int32, most int) candidates {
	type member struct {
		op   int32
		keys []string // the labels that it shares with i, unless both run on one node
		same bool     // both run on one node
	}
	var all candidates
	seen := 0
	for level := []member{{i, nil, true}}; len(level) > 0 && seen < most; seen += len(level) {
		var next []member
		for _, at := range level {
			requires := l.own[at.op]
			if !at.same {
				requires = requires.Project(at.keys)
			}
			if !requires.IsTrue() {
				all.operations, all.requires, all.sizes = append(all.operations, at.op), append(all.requires, requires), append(all.sizes, requires.Requirements())
			}
			for _, follower := range l.followers[at.op] {
				switch of := l.colocations[follower]; {
				case of.sameNode():
					next = append(next, member{follower, at.keys, at.same})
				case at.same:
					next = append(next, member{follower, of.keys, false})
				default:
					keys := sets.New(of.keys...)
					shared := slices.DeleteFunc(slices.Clone(at.keys), func(key string) bool { return !keys.Has(key) })
					next = append(next, member{follower, shared, false})
				}
			}
		}
		slices.SortFunc(next, func(a, b member) int { return int(a.op) - int(b.op) })
		level = next
	}
	return all
}
