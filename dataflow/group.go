package dataflow

import (
	"cmp"
	"maps"
	"slices"

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
	p := &partition{class: make([]int32, len(fc.nodes.list))}
	refine(p, func(node int) string { return fc.nodes.list[node].Labels[topology.Zone] })
	seen := map[any]bool{}
	for i := range int32(len(fc.admission)) {
		fc.tellApart(i, p, seen)
	}
	return fc.groups(p)
}

// tellApart refines a partition of the nodes by what they are to an operation. seen holds
// the sets by which it was refined already.
func (fc *Forecast) tellApart(i int32, p *partition, seen map[any]bool) {
	a := &fc.admission[i]
	by := func(set nodeindex.Set) {
		if !seen[&set[0]] {
			seen[&set[0]] = true
			refine(p, set.Has)
		}
	}
	switch {
	case a.failed:
		return
	case a.settled:
		by(a.possible)
		return
	}
	filters := append(fc.filters(i), fc.inheritedFilter(i))
	var same [8]*uint64 // operations with the same constraints share their sets
	for f := range filters {
		same[f] = &filters[f].pass[0]
	}
	if !seen[same] {
		seen[same] = true
		refine(p, func(node int) string {
			for _, f := range filters {
				if !f.pass.Has(node) {
					return f.refuse(node).summary
				}
			}
			return ""
		})
	}
	by(fc.completing[i])
	if fc.Completable() {
		by(fc.feasible[i])
		for _, s := range fc.stranding(i) {
			refine(p, s.nodes.Has)
		}
	}
}

// groups returns the classes of a partition as groups.
func (fc *Forecast) groups(p *partition) []Group {
	members := make([][]int, p.classes)
	for node, class := range p.class {
		members[class] = append(members[class], node)
	}
	keys := fc.flow.usedKeys()
	groups := make([]Group, 0, len(members))
	for _, nodes := range members {
		g := Group{Count: len(nodes), Zone: fc.nodes.list[nodes[0]].Labels[topology.Zone]}
		common := topology.NewLabelSet(fc.nodes.list[nodes[0]].Labels).Only(keys...)
		for _, node := range nodes {
			g.Names = append(g.Names, fc.nodes.list[node].Name)
			var shared []string
			for key, value := range common.All() {
				if v, ok := fc.nodes.list[node].Labels[key]; ok && v == value {
					shared = append(shared, key)
				}
			}
			common = common.Only(shared...)
		}
		slices.Sort(g.Names)
		g.Labels = common
		groups = append(groups, g)
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

// partition is a partition of the nodes into classes, numbered from 0.
type partition struct {
	class   []int32 // for each node
	classes int32
}

// refine splits every class by a property of its nodes.
func refine[P comparable](p *partition, property func(node int) P) {
	type part struct {
		class    int32
		property P
	}
	parts := map[part]int32{}
	for node, class := range p.class {
		key := part{class, property(node)}
		number, ok := parts[key]
		if !ok {
			number = int32(len(parts))
			parts[key] = number
		}
		p.class[node] = number
	}
	p.classes = int32(len(parts))
}
