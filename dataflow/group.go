package dataflow

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Group is a set of nodes that no operation of a flow tells apart.
type Group struct {
	Count int      `json:"count"` // the number of nodes
	Zone  string   `json:"zone"`  // the zone of all of them; empty if they have none
	Names []string `json:"names"` // sorted

	// Labels are the labels that all of them have in common, of the keys that the flow's
	// node selectors, required affinities and strategies use.
	Labels topology.LabelSet `json:"labels"`
}

// Groups returns the nodes in groups, sorted by zone and then by their first name. For every
// operation, the nodes of a group are all feasible, or all refused by the same filter for
// the same kind of reason, or all excluded because of the same operation. Nodes of different
// zones are in different groups. It is nil without nodes.
func (fc *Forecast) Groups() []Group {
	if fc == nil || fc.nodes == nil || len(fc.nodes.list) == 0 {
		return nil
	}
	p := newPartition(fc.nodes.index.Values(topology.Zone))
	p.known[&fc.nodes.index.All()[0]] = true
	for i := range int32(len(fc.admission)) {
		fc.tellApart(i, p)
	}
	return fc.groups(p)
}

// tellApart refines a partition of the nodes by what they are to an operation.
func (fc *Forecast) tellApart(i int32, p *partition) {
	a := &fc.admission[i]
	switch {
	case a.failed:
		return
	case a.settled:
		p.refineBy(a.possible)
		return
	}
	if !p.refused[a.refused] {
		p.refused[a.refused] = true
		for _, nodes := range fc.refusedNodes(i) {
			p.refine(nodes.All())
		}
	}
	p.refineBy(a.admitted)
	p.refineBy(a.possible)
	if fc.Completable() {
		p.refineBy(fc.feasible[i])
		for _, s := range fc.stranding(i) {
			p.refine(s.nodes.All())
		}
	}
}

// refusedNodes holds the nodes that the filters refuse to all operations with the same constraints: a
// set for each reason. They are found when first asked for.
type refusedNodes struct {
	once sync.Once
	sets []nodeindex.SparseSet
}

func (fc *Forecast) refusedNodes(i int32) []nodeindex.SparseSet {
	r := fc.admission[i].refused
	r.once.Do(func() {
		nodes := fc.nodes.index.All()
		for _, f := range fc.filters(i) {
			if f.verdict == VerdictCaller { // which is no constraint of the operation
				continue
			}
			byReason := map[string][]int32{}
			for node := range nodes.Difference(f.pass).All() {
				reason := f.refuse(node).summary
				byReason[reason] = append(byReason[reason], int32(node))
			}
			for _, refused := range byReason {
				r.sets = append(r.sets, nodeindex.NewSparseSet(refused))
			}
			nodes = nodes.Intersection(f.pass)
		}
	})
	return r.sets
}

// groups returns the classes of a partition as groups.
func (fc *Forecast) groups(p *partition) []Group {
	var members [][]int32 // by group
	groupOf := map[int]int{}
	for _, node := range fc.nodes.index.ByName() {
		g, ok := groupOf[p.class[node]]
		if !ok {
			g = len(members)
			groupOf[p.class[node]], members = g, append(members, nil)
		}
		members[g] = append(members[g], node)
	}
	keys := fc.flow.usedKeys()
	groups := make([]Group, len(members))
	for i, nodes := range members {
		labels := fc.nodes.list[nodes[0]].Labels
		g := Group{Count: len(nodes), Zone: labels[topology.Zone], Names: make([]string, len(nodes))}
		for at, node := range nodes {
			g.Names[at] = fc.nodes.list[node].Name
		}
		common := map[string]string{}
		for _, key := range keys {
			values := fc.nodes.index.Values(key)
			if value, ok := labels[key]; ok && !slices.ContainsFunc(nodes, func(node int32) bool { return values[node] != values[nodes[0]] }) {
				common[key] = value
			}
		}
		g.Labels = topology.NewLabelSet(common)
		groups[i] = g
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Names[0], b.Names[0])) })
	return groups
}

// usedKeys returns the label keys that the operations' node selectors, required affinities
// and strategies use, sorted, each once.
func (f *Flow) usedKeys() []string {
	used := map[string]bool{}
	for i := range f.operations {
		op := &f.operations[i]
		for key := range op.NodeSelector {
			used[key] = true
		}
		if required := nodeselector.Required(op.Affinity); required != nil {
			for _, t := range required.NodeSelectorTerms {
				for _, e := range t.MatchExpressions {
					used[e.Key] = true
				}
			}
		}
		if op.RunAfter != nil {
			for _, key := range op.RunAfter.Strategy.Keys() {
				used[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// partition is a partition of the nodes into classes.
type partition struct {
	class []int // for each node, the number of its class
	next  int   // above all numbers

	// The sets, and the refused nodes, by which it was refined already.
	known   map[*uint64]bool
	refused map[*refusedNodes]bool
}

// newPartition returns the partition of the nodes by a number for each.
func newPartition(numbers []int32) *partition {
	p := &partition{make([]int, len(numbers)), len(numbers), map[*uint64]bool{}, map[*refusedNodes]bool{}}
	for node, number := range numbers {
		p.class[node] = int(number)
	}
	return p
}

// refineBy splits every class by a set. Operations with the same constraints share their sets.
func (p *partition) refineBy(set nodeindex.Set) {
	if !p.known[&set[0]] {
		p.known[&set[0]] = true
		p.refine(set.All())
	}
}

// refine splits every class into the given nodes and all others.
func (p *partition) refine(nodes iter.Seq[int]) {
	part := map[int]int{} // by class, the number of the part with the given nodes
	for node := range nodes {
		number, ok := part[p.class[node]]
		if !ok {
			number, p.next = p.next, p.next+1
			part[p.class[node]] = number
		}
		p.class[node] = number
	}
}
