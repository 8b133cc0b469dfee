package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// shapes returns the dimensions that types do not show: how operations and nodes relate to each
// other, what of their constraints excludes what, and objects that are no operation.
func shapes() []Dimension {
	var all []Dimension
	of := func(path string, named map[string]func(n int, in *Input)) {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			shape := named[name]
			group, _, ok := strings.Cut(name, ":")
			if !ok {
				group = "others"
			}
			all = append(all, Dimension{name, path, group, strings.HasSuffix(name, "a zone of its own each"), strings.HasSuffix(name, "present or not"), func(n int) *Input {
				in := build("", 0, different)
				shape(n, in)
				return in
			}})
		}
	}
	of("Operations", flowShapes())
	of("Nodes", nodeShapes())
	of("Object", objectShapes())
	of("List", map[string]func(int, *Input){
		"keys: in the annotation":        func(n int, in *Input) { in.List = strings.Join(numbered("example.com/x", n), ",") },
		"faults: keys in the annotation": func(n int, in *Input) { in.List = strings.Repeat("- ,", n) },
	})
	return all
}

// scaled makes a shape smaller that is large for its size.
func scaled(by int, shape func(int, *Input)) func(int, *Input) {
	return func(n int, in *Input) { shape(n/by+2, in) }
}

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i*7919%n)
	}
	return names
}

// load returns a DataLoad.
func load(name string) dataflow.Operation {
	return dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: name}}
}

// after makes op run after another operation, and require labels of its node.
func after(op *dataflow.Operation, predecessor string, keys ...string) {
	s := affinity.Strategy{Policy: affinity.Require}
	for _, key := range keys {
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
	}
	op.RunAfter = &dataflow.RunAfter{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: predecessor}, Strategy: s}
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

// anyOf returns a required node affinity with a term for each expression.
func anyOf(expressions ...corev1.NodeSelectorRequirement) *corev1.Affinity {
	terms := make([]corev1.NodeSelectorTerm, len(expressions))
	for i, e := range expressions {
		terms[i].MatchExpressions = []corev1.NodeSelectorRequirement{e}
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
}

// chain makes each operation run after the one that before returns for its index. A negative index
// is none.
func chain(n int, before func(i int) int, more func(i int, op *dataflow.Operation)) []dataflow.Operation {
	all := make([]dataflow.Operation, n)
	for i := range all {
		all[i] = load(fmt.Sprint("op-", i))
		if p := before(i); p >= 0 {
			after(&all[i], fmt.Sprint("op-", p), topology.Hostname)
		}
		if more != nil {
			more(i, &all[i])
		}
	}
	return all
}

func line(i int) int { return i - 1 }
func star(i int) int { return min(i, 1) - 1 } // 0 for all but the first
func tree(i int) int { return (i+1)/2 - 1 }
func none(int) int   { return -1 }

func flowShapes() map[string]func(int, *Input) {
	flow := func(before func(i int) int, more func(i, n int, op *dataflow.Operation)) func(int, *Input) {
		return func(n int, in *Input) {
			in.Operations, in.Seen = chain(n, before, func(i int, op *dataflow.Operation) {
				if more != nil {
					more(i, n, op)
				}
			}), nil
		}
	}
	// A follower passes up as many requirements as it has followers, up to a thousand.
	zones := func(i, n int, op *dataflow.Operation) {
		op.Affinity = anyOf(in(topology.Zone, "a", "b", fmt.Sprint("z", i)))
	}
	zone := func(i, n int, op *dataflow.Operation) {
		op.Affinity = anyOf(in(topology.Zone, "a", "b", fmt.Sprint("z", i%10)))
	}
	dependsOn := func(to func(i, n int) int) func(i, n int, op *dataflow.Operation) {
		return func(i, n int, op *dataflow.Operation) {
			if op.RunAfter != nil {
				op.RunAfter.DependOn = &dataflow.Ref{Kind: dataflow.DataLoad, Name: fmt.Sprint("op-", to(i, n))}
			}
		}
	}
	// Every operation has so many ORed terms on a key of its own.
	terms := func(number int) func(i, n int, op *dataflow.Operation) {
		return func(i, n int, op *dataflow.Operation) {
			var all []corev1.NodeSelectorRequirement
			for t := range number {
				all = append(all, in(fmt.Sprint("k", i%50), fmt.Sprint("v", t)))
			}
			op.Affinity = anyOf(all...)
		}
	}
	excluding := func(i, n int, op *dataflow.Operation) {
		terms(8)(i, n, op)
		if i == n/2 || i == n-1 {
			op.Affinity = anyOf(in("k0", fmt.Sprint("w", i)))
		}
	}
	seenAs := func(shape func(int, *Input), phase dataflow.Phase, of func(i int) bool) func(int, *Input) {
		return func(n int, in *Input) {
			shape(n, in)
			in.Seen = make([]dataflow.Observation, n)
			for i := range in.Seen {
				if of(i) {
					in.Seen[i] = dataflow.Observation{Phase: phase, Node: "n", Labels: topology.NewLabelSet(map[string]string{topology.Hostname: "x0"})}
				}
			}
		}
	}
	only := func(index int) func(int) bool { return func(i int) bool { return i == index } }
	onOneKey := func(operator corev1.NodeSelectorOperator) func(int, *Input) {
		return func(n int, in *Input) {
			in.Operations, in.Seen = chain(2, line, nil), nil
			var term corev1.NodeSelectorTerm
			for i := range n {
				term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: topology.Zone, Operator: operator, Values: []string{fmt.Sprint("z", i)}})
			}
			in.Operations[0].Affinity = anyOf(make([]corev1.NodeSelectorRequirement, 1)...)
			in.Operations[0].Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0] = term
		}
	}
	// A key of so many letters that is required, and one like it that is exposed.
	misspelled := func(key func(n int) string) func(int, *Input) {
		return func(n int, in *Input) {
			in.Operations, in.Seen = chain(2, line, nil), nil
			in.Operations[0].Exposes = []string{key(16*n) + "a"}
			in.Operations[1].RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: key(16*n) + "b"}}
		}
	}
	return map[string]func(int, *Input){
		"expressions: exclusions on one key":    onOneKey(corev1.NodeSelectorOpNotIn),
		"expressions: contradictory on one key": onOneKey(corev1.NodeSelectorOpIn),
		"keys: required but not exposed, and as many exposed ones": func(n int, in *Input) {
			in.Operations, in.Seen = chain(2, line, nil), nil
			in.Operations[0].Exposes = numbered("example.com/label-", n)
			in.Operations[1].RunAfter.Strategy.Requires = nil
			for i := range n {
				in.Operations[1].RunAfter.Strategy.Requires = append(in.Operations[1].RunAfter.Strategy.Requires, affinity.RequiredLabel{Key: fmt.Sprint("example.com/lable-", i)})
			}
		},
		"fan-out: each requires a key that is not exposed, of a source with many": func(n int, in *Input) {
			in.Operations, in.Seen = chain(n, star, func(i int, op *dataflow.Operation) {
				if i > 0 {
					op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: fmt.Sprint("example.com/lable-", i)}}
				}
			}), nil
			in.Operations[0].Exposes = numbered("example.com/label-", n)
		},
		"length of names: of a misspelled key":    misspelled(func(n int) string { return "example.com/" + strings.Repeat("k", n) }),
		"length of names: of a misspelled prefix": misspelled(func(n int) string { return strings.Repeat("k", n) + "/" }),
		"ORed terms × followers: three exclude each other only together": scaled(8, func(n int, input *Input) {
			input.Operations, input.Seen = chain(n+3, star, func(i int, op *dataflow.Operation) {
				if i < 3 {
					op.Affinity = anyOf(in("x", []string{"ab", "bc", "ca"}[i][:1], []string{"ab", "bc", "ca"}[i][1:]))
					return
				}
				var all []corev1.NodeSelectorRequirement
				for j := range 63 {
					all = append(all, in(topology.Zone, fmt.Sprint("z", i, "-", j)))
				}
				op.Affinity = anyOf(append(all, in(topology.Zone, "all"))...)
			}), nil
		}),
		"operations: that no node admits": flow(none, func(_, _ int, op *dataflow.Operation) { op.NodeSelector = map[string]string{"gpu": "a"} }),
		"depth: a chain whose last cannot follow": seenAs(flow(line, func(i, n int, op *dataflow.Operation) {
			if i == n-1 {
				op.NodeSelector = map[string]string{topology.Hostname: "elsewhere"}
			}
		}), dataflow.Complete, only(0)),
		"operations: independent":                            flow(none, nil),
		"depth: a chain":                                     flow(line, nil),
		"fan-out: fan-out":                                   flow(star, nil),
		"depth: a tree":                                      flow(tree, nil),
		"depth: a chain with a zone of its own each":         flow(line, zones),
		"fan-out: fan-out with a zone of its own each":       flow(star, zone),
		"depth: a chain, all depend on the root":             flow(line, dependsOn(func(int, int) int { return 0 })),
		"depth: a chain, all depend on the last":             flow(line, dependsOn(func(_, n int) int { return n - 1 })),
		"depth: a chain, all depend on an unknown one":       flow(line, dependsOn(func(_, n int) int { return n })),
		"fan-out: fan-out, each depends on the next":         flow(star, dependsOn(func(i, n int) int { return i%max(n-1, 1) + 1 })),
		"operations: a cycle":                                func(n int, in *Input) { in.Operations = chain(n, func(i int) int { return (i + 1) % n }, nil) },
		"operations: many cycles":                            func(n int, in *Input) { in.Operations = chain(n, func(i int) int { return min(i^1, n-1) }, nil) },
		"equal names: equal names":                           flow(none, func(_, _ int, op *dataflow.Operation) { op.Ref.Name = "a" }),
		"equal names: equal names that run after each other": flow(line, func(_, _ int, op *dataflow.Operation) { op.Ref.Name = "op-0" }),
		"operations: names in other namespaces": flow(none, func(i, _ int, op *dataflow.Operation) {
			op.Ref.Namespace, op.Ref.Name = fmt.Sprint("ns-", i), "a"
			after(op, "a", topology.Zone)
			op.RunAfter.Ref.Namespace = "elsewhere"
		}),
		"operations: unknown kinds":           flow(none, func(i, _ int, op *dataflow.Operation) { op.Ref.Kind = dataflow.Kind(fmt.Sprint("Load", i)) }),
		"operations: misspelled predecessors": flow(none, func(i, _ int, op *dataflow.Operation) { after(op, fmt.Sprint("opp-", i), topology.Zone) }),
		"operations: misspelled label keys": flow(star, func(i, _ int, op *dataflow.Operation) {
			op.Exposes = []string{"example.com/rack"}
			if i > 0 {
				op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: "example.com/rakc"}}
			}
		}),
		"ORed terms × followers: a chain with 8 ORed terms each":   scaled(4, flow(line, terms(8))),
		"ORed terms × followers: fan-out with 8 ORed terms each":   scaled(4, flow(star, terms(8))),
		"ORed terms × followers: a chain with 100 ORed terms each": scaled(8, flow(line, terms(100))),
		"ORed terms × followers: fan-out with 100 ORed terms each": scaled(8, flow(star, terms(100))),
		"depth: a chain, two exclude each other":                   scaled(4, flow(line, excluding)),
		"fan-out: fan-out, two exclude each other":                 scaled(4, flow(star, excluding)),
		"depth: a chain, each impossible by itself": flow(line, func(i, n int, op *dataflow.Operation) {
			op.NodeSelector, op.Affinity = map[string]string{"a": "b"}, anyOf(in("a", "c"))
		}),
		"depth: a chain, each malformed": flow(line, func(i, n int, op *dataflow.Operation) { op.Affinity = anyOf(in("- ", "c")) }),
		"depth: a chain through different labels": flow(line, func(i, n int, op *dataflow.Operation) {
			zone(i, n, op)
			if i%3 == 2 {
				op.RunAfter.Strategy.Requires[0].Key = topology.Zone
			}
		}),
		"depth: a chain, the root failed":       seenAs(flow(line, nil), dataflow.Failed, only(0)),
		"depth: a tree, the root failed":        seenAs(flow(tree, nil), dataflow.Failed, only(0)),
		"depth: a chain, the root is complete":  seenAs(flow(line, zone), dataflow.Complete, only(0)),
		"fan-out: fan-out, the root is running": seenAs(flow(star, zone), dataflow.Executing, only(0)),
		"operations: all complete":              seenAs(flow(line, nil), dataflow.Complete, func(int) bool { return true }),
		"fan-out: fan-out of many keys from a source of many": func(n int, in *Input) {
			// A source with n keys, and followers that require n keys in all.
			root := load("op-0")
			root.Exposes = numbered("example.com/k", n)
			in.Operations = append(chain(n, star, func(i int, op *dataflow.Operation) {
				if i > 0 {
					op.RunAfter.Strategy.Requires = []affinity.RequiredLabel{{Key: fmt.Sprint("example.com/k", i)}}
				}
			})[1:], root)
		},
	}
}

// named returns n nodes with the labels that of returns for each index.
func named(n int, of func(i int) map[string]string) []corev1.Node {
	all := make([]corev1.Node, n)
	for i := range all {
		all[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: of(i)}}
	}
	return all
}

func nodeShapes() map[string]func(int, *Input) {
	racks := func(i int) map[string]string {
		return map[string]string{topology.Hostname: fmt.Sprint("h", i), topology.Zone: fmt.Sprint("z", i%3), "rack": fmt.Sprint("r", i/40), "x0": "x0"}
	}
	// A flow of three operations, of which the last restricts where the first can run.
	flow := func(nodes func(n int) []corev1.Node, keys ...string) func(int, *Input) {
		return func(n int, input *Input) {
			input.Nodes, input.Seen, input.Used = nodes(n), nil, nil
			input.Operations = chain(3, line, func(i int, op *dataflow.Operation) {
				op.Exposes = keys
				if i > 0 && len(keys) > 0 {
					after(op, op.RunAfter.Ref.Name, keys...)
				}
			})
			input.Operations[2].Affinity = anyOf(in("rack", "r0", "r2"), in(topology.Zone, "z1"))
		}
	}
	some := func(of func(i int) map[string]string, keys ...string) func(i int) map[string]string {
		return func(i int) map[string]string {
			labels := of(i)
			for k, key := range keys {
				if (i*2654435761>>(8+k))&1 == 0 {
					delete(labels, key)
				}
			}
			return labels
		}
	}
	random := func(keys []string, values int) func(i int) map[string]string {
		return func(i int) map[string]string {
			labels, state := racks(i), uint64(i)*2654435761+1
			delete(labels, topology.Hostname)
			for _, key := range keys {
				if state = state*6364136223846793005 + 1442695040888963407; state>>40&1 == 1 {
					labels[key] = fmt.Sprint(state >> 50 % uint64(values))
				}
			}
			return labels
		}
	}
	with := func(nodes []corev1.Node, do func(i int, node *corev1.Node)) []corev1.Node {
		for i := range nodes {
			do(i, &nodes[i])
		}
		return nodes
	}
	shapes := map[string]func(int, *Input){
		"nodes: by hostname":                    flow(func(n int) []corev1.Node { return named(n, racks) }, topology.Hostname),
		"nodes: by rack":                        flow(func(n int) []corev1.Node { return named(n, racks) }, "rack"),
		"nodes: by rack and zone, some without": flow(func(n int) []corev1.Node { return named(n, some(racks, "rack", topology.Zone)) }, "rack", topology.Zone),
		"nodes: some without a hostname":        flow(func(n int) []corev1.Node { return named(n, some(racks, topology.Hostname, "rack")) }, topology.Hostname, "rack"),
		"equal names: of nodes": flow(func(n int) []corev1.Node {
			return with(named(n, racks), func(_ int, node *corev1.Node) { node.Name = "n" })
		}, topology.Hostname),
		"nodes: without names": flow(func(n int) []corev1.Node {
			return with(named(n, racks), func(_ int, node *corev1.Node) { node.Name = "" })
		}, topology.Hostname),
		"taints: all different": flow(func(n int) []corev1.Node {
			return with(named(n, racks), func(i int, node *corev1.Node) {
				node.Spec.Taints = []corev1.Taint{{Key: "until", Value: fmt.Sprint(i), Effect: corev1.TaintEffectNoSchedule}}
			})
		}),
		"taints: many on one node": flow(func(n int) []corev1.Node {
			nodes := named(4, racks)
			for i := range n {
				nodes[0].Spec.Taints = append(nodes[0].Spec.Taints, corev1.Taint{Key: fmt.Sprint("k", i), Effect: corev1.TaintEffectNoSchedule})
			}
			return nodes
		}),
		"nodes: cordoned": flow(func(n int) []corev1.Node {
			return with(named(n, racks), func(i int, node *corev1.Node) { node.Spec.Unschedulable = i%2 == 0 })
		}),
		"labels: many of each node": flow(func(n int) []corev1.Node {
			return named(4, func(i int) map[string]string {
				labels := racks(i)
				for k := range n {
					labels[fmt.Sprint("k", k)] = fmt.Sprint(k % (i + 1))
				}
				return labels
			})
		}),
		"nodes: 5 labels, present or not":              flow(func(n int) []corev1.Node { return named(n, random(numbered("k", 5), 1)) }, numbered("k", 5)...),
		"nodes: 14 labels, present or not":             flow(func(n int) []corev1.Node { return named(n, random(numbered("k", 14), 1)) }, numbered("k", 14)...),
		"nodes: 20 labels, present or not":             flow(func(n int) []corev1.Node { return named(n, random(numbered("k", 20), 1)) }, numbered("k", 20)...),
		"nodes: 40 labels, present or not":             flow(func(n int) []corev1.Node { return named(n, random(numbered("k", 40), 1)) }, numbered("k", 40)...),
		"nodes: 10 labels of 3 values, present or not": flow(func(n int) []corev1.Node { return named(n, random(numbered("k", 10), 3)) }, numbered("k", 10)...),
		"keys: by which 100 nodes agree": func(n int, in *Input) {
			flow(func(int) []corev1.Node { return named(100, random(numbered("k", n/20+1), 10)) }, numbered("k", n/20+1)...)(n, in)
		},
		"tolerations: as many as taints": func(n int, in *Input) {
			flow(func(n int) []corev1.Node {
				return with(named(n, racks), func(i int, node *corev1.Node) {
					node.Spec.Taints = []corev1.Taint{{Key: fmt.Sprint("k", i), Effect: corev1.TaintEffectNoSchedule}}
				})
			})(n, in)
			for i := range n {
				in.Operations[0].Tolerations = append(in.Operations[0].Tolerations, corev1.Toleration{Key: fmt.Sprint("k", i), Operator: corev1.TolerationOpExists})
			}
		},
		"terms: of an operation that is narrowed by names of nodes": func(n int, input *Input) {
			flow(func(int) []corev1.Node {
				return named(100, func(i int) map[string]string {
					return map[string]string{"n": fmt.Sprint(i % 3), "m": fmt.Sprint(i % 5)}
				})
			})(n, input)
			all := []corev1.NodeSelectorRequirement{{Key: "n", Operator: corev1.NodeSelectorOpExists}}
			for i := range n {
				all = append(all, in("m", fmt.Sprint(i)))
			}
			input.Operations[0].Affinity = anyOf(all...)
			after(&input.Operations[1], "op-0", "n", "m")
			input.Operations[1].Exposes, input.Operations[0].Exposes = nil, []string{"n", "m"}
			input.Operations[1].Affinity = anyOf(in("n", "1"), in("m", "1"))
			input.Operations = input.Operations[:2]
		},
		"terms: half as many as nodes": func(n int, input *Input) {
			flow(func(n int) []corev1.Node { return named(n, racks) }, topology.Hostname)(n, input)
			var all []corev1.NodeSelectorRequirement
			for i := range n / 2 {
				all = append(all, in(topology.Hostname, fmt.Sprint("h", i)))
			}
			input.Operations[2].Affinity = anyOf(all...)
		},
		"pods: free resources, all different": func(n int, in *Input) {
			flow(func(n int) []corev1.Node {
				return with(named(n, racks), func(i int, node *corev1.Node) {
					node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(i%40), resource.DecimalSI), corev1.ResourcePods: *resource.NewQuantity(10, resource.DecimalSI)}
				})
			}, topology.Hostname)(n, in)
			in.Used = map[string]corev1.ResourceList{}
			for i := range n {
				in.Used[fmt.Sprint("n", i)] = corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(int64(i%7), resource.DecimalSI)}
			}
			in.Operations[0].Requests = corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(20, resource.DecimalSI)}
		},
	}
	return shapes
}

func objectShapes() map[string]func(int, *Input) {
	object := func(change func(n int, object, metadata, spec map[string]any)) func(int, *Input) {
		return func(n int, in *Input) {
			metadata, spec := map[string]any{"name": "a"}, map[string]any{}
			in.Object = map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": metadata, "spec": spec}
			change(n, in.Object, metadata, spec)
		}
	}
	many := func(n int, key string, value any) map[string]any {
		all := make(map[string]any, n)
		for i := range n {
			all[fmt.Sprintf(key, i)] = value
		}
		return all
	}
	deep := func(n int) any {
		var v any = "bottom"
		for range n {
			v = map[string]any{"runAfter": []any{v}}
		}
		return v
	}
	resources := func(n int) any { return map[string]any{"limits": many(n, "example.com/r%d", int64(1))} }
	return map[string]func(int, *Input){
		"faults: unknown fields":                object(func(n int, _, _, spec map[string]any) { maps.Copy(spec, many(n, "field%d", true)) }),
		"faults: misspelled fields":             object(func(n int, _, _, spec map[string]any) { maps.Copy(spec, many(n, "toleration%d", true)) }),
		"object: unknown fields of the object":  object(func(n int, o, _, _ map[string]any) { maps.Copy(o, many(n, "field%d", true)) }),
		"annotations: of an object":             object(func(n int, _, m, _ map[string]any) { m["annotations"] = many(n, "fluid.io/a%d", "v") }),
		"annotations: that resemble the labels": object(func(n int, _, m, _ map[string]any) { m["labels"] = many(n, "k%d.fluid.io/labels", "v") }),
		"length of names: of a key that resembles the labels": object(func(n int, _, m, _ map[string]any) {
			m["annotations"] = map[string]any{strings.Repeat("fluid.", n) + "labels": "v"}
		}),
		"length of names: of an unknown field": object(func(n int, _, _, spec map[string]any) { spec[strings.Repeat("f", n)] = true }),
		"length of names: of a kind":           object(func(n int, o, _, _ map[string]any) { o["kind"] = strings.Repeat("DataLoad", n) }),
		"length of names: of an apiVersion":    object(func(n int, o, _, _ map[string]any) { o["apiVersion"] = strings.Repeat("data.fluid.io", n) + "/v1" }),
		"depth: of an object": object(func(n int, _, _, spec map[string]any) {
			spec["runAfter"], spec["affinity"], spec["options"] = deep(n), deep(n), deep(n)
		}),
		"object: containers": object(func(n int, o, _, spec map[string]any) {
			o["kind"] = "DataProcess"
			container := map[string]any{"resources": resources(1), "ports": []any{map[string]any{"hostPort": int64(1)}}}
			list := make([]any, n)
			for i := range list {
				list[i] = container
			}
			spec["processor"] = map[string]any{"job": map[string]any{"podSpec": map[string]any{"containers": list, "initContainers": list, "volumes": list}}}
		}),
		"object: resources": object(func(n int, _, _, spec map[string]any) { spec["resources"] = resources(n) }),
		"length of names: of a quantity": object(func(n int, _, _, spec map[string]any) {
			spec["resources"] = map[string]any{"requests": map[string]any{"cpu": strings.Repeat("9", n)}}
		}),
		"faults: list items that are null": object(func(n int, _, _, spec map[string]any) { spec["tolerations"] = make([]any, n) }),
	}
}
