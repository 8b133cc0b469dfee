package dataflow

import (
	"slices"
	"sync"

	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// names finds operations with equal and with similar names, however many operations there are. It
// is made for the first hint.
type names struct {
	once    sync.Once
	equal   map[Ref][]Ref            // by name, and by kind and name: the first two
	similar map[Ref]*typo.Dictionary // by kind and namespace, of the names
}

func (f *Flow) indexNames() {
	names := map[Ref][]string{}
	f.names.equal, f.names.similar = map[Ref][]Ref{}, map[Ref]*typo.Dictionary{}
	for i := range f.operations {
		ref := f.operations[i].Ref
		for _, of := range []Ref{{Name: ref.Name}, {Kind: ref.Kind, Name: ref.Name}} {
			if len(f.names.equal[of]) < 2 {
				f.names.equal[of] = append(f.names.equal[of], ref)
			}
		}
		names[ref.home()] = append(names[ref.home()], ref.Name)
	}
	for home, names := range names {
		slices.Sort(names) // of names that are equally similar, the first is found
		f.names.similar[home] = typo.NewDictionary(names)
	}
}

// home returns the kind and the namespace of r.
func (r Ref) home() Ref { return Ref{Kind: r.Kind, Namespace: r.Namespace} }

// nearest returns the operation other than self that is most similar to ref: with the same
// name, first in the same namespace, then of the same kind; else of the same kind and
// namespace, with a similar name.
func (f *Flow) nearest(ref, self Ref) (Ref, bool) {
	if f == nil || f.names == nil {
		return Ref{}, false
	}
	f.names.once.Do(f.indexNames)
	for _, kind := range Kinds() {
		other := Ref{kind, ref.Namespace, ref.Name}
		if other != self && f.find(other) != none {
			return other, true
		}
	}
	for _, of := range []Ref{{Kind: ref.Kind, Name: ref.Name}, {Name: ref.Name}} {
		for _, other := range f.names.equal[of] { // one of the two may be self
			if other != self {
				return other, true
			}
		}
	}
	similar, ok := f.names.similar[ref.home()]
	if !ok {
		return Ref{}, false
	}
	var except []string
	if self.home() == ref.home() {
		except = []string{self.Name}
	}
	name, ok := similar.Nearest(ref.Name, except...)
	return Ref{ref.Kind, ref.Namespace, name}, ok
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
		if other.home() == ref.home() {
			names = append(names, other.Name)
		}
	}
	name, ok := typo.Nearest(ref.Name, names...)
	return Ref{ref.Kind, ref.Namespace, name}, ok
}
