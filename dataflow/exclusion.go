package dataflow

import (
	"math"
	"slices"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// exclusion says why no node will do for an operation and those that must follow it: what
// two of them, or one by itself, ask for.
type exclusion struct {
	following, follower int32
	there, here         string // what each asks for
	several             bool   // it takes more than two: there is what several before follower ask for
}

// conflict says why no node will do for i. It names two operations whose demands exclude
// each other, of i and those that must follow it; or if it takes more than two, the one
// that is one too many. It is found once for all that fail for the same reason.
func (l *lookahead) conflict(i int32) *affinity.ConflictError {
	meeting := i
	if l.conflictAt[i] != none {
		meeting = l.conflictAt[i]
	}
	found, ok := l.exclusions[meeting]
	if !ok {
		found = l.exclusion(meeting)
		l.exclusions[meeting] = found
	}
	if found.several && i != meeting { // while between i and them there may be two
		const near = 64
		if two := l.conflictingPair(l.candidates(i, near), 0, near); two != nil {
			found = two
		}
	}
	operations := l.flow.operations
	return &affinity.ConflictError{
		Source: operations[found.following].Ref.String(),
		Foreseen: &affinity.Foreseen{
			Follower: operations[found.follower].Ref.String(), There: found.there, Here: found.here, Several: found.several,
		},
	}
}

// exclusion looks for what excludes each other among i and those that must follow it, where
// what each follower passes up can be met.
func (l *lookahead) exclusion(i int32) *exclusion {
	if len(l.own[i]) == 0 {
		return l.selfConflict(i)
	}
	const near = 1000 // beyond the first that is excluded, two are looked for among so many
	line := l.candidates(i, math.MaxInt)
	together := line.asks[0]
	for b := 1; b < len(line.asks); b++ {
		there, here, ok := together.Conflict(line.asks[b])
		if !ok {
			together = together.And(line.asks[b])
			continue
		}
		if two := l.conflictingPair(line, b, near); two != nil {
			return two
		}
		return &exclusion{i, line.operations[b], there.String(), here.String(), true}
	}
	// They are too many to be joined one by one, but not when they are passed up.
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

// candidates holds an operation and those that must follow it, the nearest first and otherwise in
// the flow's order, and what each asks by itself of the node of the first. Those that ask
// for nothing are left out.
type candidates struct {
	operations []int32
	asks       []nodeselector.Alternatives
}

// conflictingPair returns what excludes each other in conflictingPair operations of a line, the second of which is
// number b, or comes after it among the nearest; nil if there are none. One that is impossible
// by itself is both of them.
func (l *lookahead) conflictingPair(of candidates, b, nearest int) *exclusion {
	for c := b; c < len(of.asks) && (c == b || c < nearest); c++ {
		if len(of.asks[c]) == 0 {
			return l.selfConflict(of.operations[c])
		}
		for a := range c {
			if there, here, ok := of.asks[a].Conflict(of.asks[c]); ok {
				return &exclusion{of.operations[a], of.operations[c], there.String(), here.String(), false}
			}
		}
	}
	return nil
}

// selfConflict says that what an operation asks for is impossible by selfConflict.
func (l *lookahead) selfConflict(i int32) *exclusion {
	return &exclusion{following: i, follower: i, here: impossible(&l.flow.operations[i])}
}

// candidates returns the candidates of i, without those who come after so many others.
func (l *lookahead) candidates(i int32, most int) candidates {
	type asker struct {
		op   int32
		keys []string // of labels whose values it must share with i, unless they are on one node
		same bool     // they are
	}
	var all candidates
	seen := 0
	for level := []asker{{i, nil, true}}; len(level) > 0 && seen < most; seen += len(level) {
		var next []asker
		for _, at := range level {
			ask := l.own[at.op]
			if !at.same {
				ask = ask.Project(at.keys)
			}
			if !ask.IsTrue() {
				all.operations, all.asks = append(all.operations, at.op), append(all.asks, ask)
			}
			for _, follower := range l.followers[at.op] {
				switch of := l.following[follower]; {
				case of.sameNode():
					next = append(next, asker{follower, at.keys, at.same})
				case at.same:
					next = append(next, asker{follower, of.keys, false})
				default:
					shared := slices.DeleteFunc(slices.Clone(at.keys), func(key string) bool { return !slices.Contains(of.keys, key) })
					next = append(next, asker{follower, shared, false})
				}
			}
		}
		slices.SortFunc(next, func(a, b asker) int { return int(a.op) - int(b.op) })
		level = next
	}
	return all
}
