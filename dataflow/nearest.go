package dataflow

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// names finds operations with similar names. It holds them in three orders, so that a hint
// takes a few binary searches, however many operations there are. The orders are made for
// the first hint.
type names struct {
	once    sync.Once
	byName  []int32 // by name, kind, and position in the flow
	byStart []int32 // by kind, namespace and name
	byEnd   []int32 // by kind, namespace and the reversed name
}

func (f *Flow) sortNames() {
	n := len(f.operations)
	f.names.byName = make([]int32, n)
	for i := range f.names.byName {
		f.names.byName[i] = int32(i)
	}
	f.names.byStart, f.names.byEnd = slices.Clone(f.names.byName), slices.Clone(f.names.byName)
	sorted := func(order []int32, compare func(a, b Ref) int) {
		slices.SortFunc(order, func(i, j int32) int {
			return cmp.Or(compare(f.operations[i].Ref, f.operations[j].Ref), cmp.Compare(i, j))
		})
	}
	sorted(f.names.byName, compareNames)
	sorted(f.names.byStart, compareStarts)
	sorted(f.names.byEnd, compareEnds)
}

func compareNames(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.Kind), string(b.Kind)))
}

func compareHomes(a, b Ref) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Namespace, b.Namespace))
}

func compareStarts(a, b Ref) int { return cmp.Or(compareHomes(a, b), strings.Compare(a.Name, b.Name)) }

func compareEnds(a, b Ref) int { return cmp.Or(compareHomes(a, b), compareBackwards(a.Name, b.Name)) }

func compareBackwards(a, b string) int {
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
	}
	return cmp.Compare(len(a), len(b))
}

// nearest returns the operation other than self that is most similar to ref: with the same
// name, first in the same namespace, then of the same kind; else of the same kind and
// namespace, with a similar name.
func (f *Flow) nearest(ref, self Ref) (Ref, bool) {
	if f == nil || f.names == nil {
		return Ref{}, false
	}
	f.names.once.Do(f.sortNames)
	for _, kind := range Kinds() {
		other := Ref{kind, ref.Namespace, ref.Name}
		if other != self && f.find(other) != none {
			return other, true
		}
	}
	for _, from := range []Ref{{Kind: ref.Kind, Name: ref.Name}, {Name: ref.Name}} {
		at := f.search(f.names.byName, from, compareNames)
		for _, i := range f.names.byName[at:min(at+2, len(f.names.byName))] { // one of the two may be self
			other := f.operations[i].Ref
			if other.Name == ref.Name && (from.Kind == "" || other.Kind == ref.Kind) && other != self {
				return other, true
			}
		}
	}
	return f.similar(ref, self)
}

// similar returns the operation other than self with the kind and namespace of ref and the
// most similar name. Of many such operations it compares those next to ref in the order of
// names and in that of reversed names: a single typo leaves the start or the end of a name
// unchanged.
func (f *Flow) similar(ref, self Ref) (Ref, bool) {
	const all, beside = 32, 8
	start := f.search(f.names.byStart, Ref{Kind: ref.Kind, Namespace: ref.Namespace}, compareHomes)
	end := start + sort.Search(len(f.names.byStart)-start, func(i int) bool {
		return compareHomes(f.operations[f.names.byStart[start+i]].Ref, ref) > 0
	})
	candidates := make([]string, 0, all)
	look := func(order []int32) {
		for _, i := range order {
			if other := f.operations[i].Ref; other != self {
				candidates = append(candidates, other.Name)
			}
		}
	}
	if end-start <= all {
		look(f.names.byStart[start:end])
	} else {
		at := f.search(f.names.byStart, ref, compareStarts)
		look(f.names.byStart[max(at-beside, start):min(at+beside, end)])
		at = f.search(f.names.byEnd, ref, compareEnds)
		look(f.names.byEnd[max(at-beside, start):min(at+beside, end)])
	}
	name, ok := typo.Nearest(ref.Name, candidates...)
	return Ref{ref.Kind, ref.Namespace, name}, ok
}

// search returns the position of ref in an order, or where it would be inserted.
func (f *Flow) search(order []int32, ref Ref, compare func(a, b Ref) int) int {
	return sort.Search(len(order), func(i int) bool { return compare(f.operations[order[i]].Ref, ref) >= 0 })
}

// nearestAncestor returns the ancestor of the i-th operation that is most similar to ref,
// among the nearest 64.
func (f *Flow) nearestAncestor(ref Ref, i int32) (Ref, bool) {
	const most = 64
	var names []string
	for p, n := f.predecessor[i], 0; p != none && n < most; p, n = f.predecessor[p], n+1 {
		other := f.operations[p].Ref
		if other.Name == ref.Name {
			return other, true
		}
		if compareHomes(other, ref) == 0 {
			names = append(names, other.Name)
		}
	}
	name, ok := typo.Nearest(ref.Name, names...)
	return Ref{ref.Kind, ref.Namespace, name}, ok
}
