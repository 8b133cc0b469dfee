package dataflow_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// chain holds operations by reference. Its methods state the laws from the definitions;
// they call nothing of the package but field accesses.
type chain map[dataflow.Ref]dataflow.Operation

func newChain(operations []dataflow.Operation) chain {
	c := make(chain, len(operations))
	for _, op := range operations {
		c[op.Ref] = op
	}
	return c
}

// predecessor returns the operation that op runs after. No namespace means the operation's
// own.
func predecessor(op dataflow.Operation) (dataflow.Ref, bool) {
	if op.RunAfter == nil {
		return dataflow.Ref{}, false
	}
	return inNamespaceOf(op, op.RunAfter.Ref), true
}

func inNamespaceOf(op dataflow.Operation, ref dataflow.Ref) dataflow.Ref {
	if ref.Namespace == "" {
		ref.Namespace = op.Ref.Namespace
	}
	return ref
}

// source is law F3.
func source(op dataflow.Operation) (dataflow.Ref, bool) {
	if op.RunAfter == nil || op.RunAfter.Strategy.Policy == affinity.None || op.Distributed {
		return dataflow.Ref{}, false
	}
	if op.RunAfter.DependOn != nil {
		return inNamespaceOf(op, *op.RunAfter.DependOn), true
	}
	return predecessor(op)
}

// waitsFor returns the predecessor and the source of op, which may be the same.
func waitsFor(op dataflow.Operation) []dataflow.Ref {
	var refs []dataflow.Ref
	if ref, ok := predecessor(op); ok {
		refs = append(refs, ref)
	}
	if ref, ok := source(op); ok {
		refs = append(refs, ref)
	}
	return refs
}

// ancestors returns what op runs after, nearest first. In a cycle it stops after every
// operation was visited once.
func (c chain) ancestors(op dataflow.Operation) []dataflow.Ref {
	var refs []dataflow.Ref
	for len(refs) <= len(c) {
		ref, ok := predecessor(op)
		if !ok {
			break
		}
		refs = append(refs, ref)
		if op, ok = c[ref]; !ok {
			break
		}
	}
	return refs
}

// required returns the keys that op requires (law D1).
func required(op dataflow.Operation) []string {
	if op.RunAfter == nil || op.RunAfter.Strategy.Policy != affinity.Require {
		return nil
	}
	if len(op.RunAfter.Strategy.Requires) == 0 {
		return []string{"kubernetes.io/hostname"}
	}
	var keys []string
	for _, r := range op.RunAfter.Strategy.Requires {
		keys = append(keys, r.Key)
	}
	return keys
}

// exposes returns the keys that op exposes (laws E1, F5).
func exposes(op dataflow.Operation) []string {
	if op.Distributed || op.Recurring {
		return nil
	}
	return append([]string{"kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"}, op.Exposes...)
}

// named returns one of a few references, so that drawn references often meet.
func named(i int) dataflow.Ref {
	return dataflow.Ref{
		Kind:      dataflow.Kinds()[i%len(dataflow.Kinds())],
		Namespace: []string{"default", "other"}[i/len(dataflow.Kinds())%2],
		Name:      fmt.Sprintf("op-%d", i),
	}
}

// refs draws a reference as a manifest has it: to one of n operations, sometimes without
// the namespace.
func refs(n int) *rapid.Generator[dataflow.Ref] {
	return rapid.Custom(func(t *rapid.T) dataflow.Ref {
		ref := named(rapid.IntRange(0, n-1).Draw(t, "operation"))
		if rapid.IntRange(0, 3).Draw(t, "implicit namespace") == 0 {
			ref.Namespace = ""
		}
		return ref
	})
}

func strategies() *rapid.Generator[affinity.Strategy] {
	keys := rapid.SampledFrom(keys())
	return rapid.Custom(func(t *rapid.T) affinity.Strategy {
		s := affinity.Strategy{Policy: rapid.SampledFrom([]affinity.Policy{affinity.Require, affinity.Require, affinity.Prefer, affinity.None}).Draw(t, "policy")}
		for _, key := range rapid.SliceOfN(keys, 0, 3).Draw(t, "requires") {
			s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
		}
		for _, key := range rapid.SliceOfN(keys, 0, 2).Draw(t, "prefers") {
			s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: key, Weight: rapid.Int32Range(1, 100).Draw(t, "weight")})
		}
		return s
	})
}

func keys() []string {
	return []string{"kubernetes.io/hostname", "topology.kubernetes.io/zone", "example.com/gpu", "example.com/disk"}
}

// operations draws operations as people may write them: mostly forests, sometimes with
// cycles, repeated references, references to operations that are not given, unknown kinds
// and invalid strategies. A dependOn may name any operation, so sources may be in cycles.
func operations() *rapid.Generator[[]dataflow.Operation] {
	return rapid.Custom(func(t *rapid.T) []dataflow.Operation {
		n := rapid.IntRange(0, 8).Draw(t, "n")
		sound := rapid.Bool().Draw(t, "sound")
		ops := make([]dataflow.Operation, 0, n)
		for i := range n {
			op := dataflow.Operation{
				Ref:         named(i),
				Distributed: rapid.IntRange(0, 5).Draw(t, "distributed") == 0,
				Recurring:   rapid.IntRange(0, 5).Draw(t, "recurring") == 0,
				Exposes:     rapid.SliceOfN(rapid.SampledFrom(keys()), 0, 2).Draw(t, "exposes"),
			}
			before := i
			if !sound {
				before = n + 1
				op.Ref = named(rapid.IntRange(0, n-1).Draw(t, "ref"))
				op.Ref.Kind = rapid.SampledFrom(append(dataflow.Kinds(), dataflow.Kinds()[0], "Job", "dataLoad", "")).Draw(t, "kind")
			}
			if before > 0 && rapid.IntRange(0, 4).Draw(t, "runs after another") > 0 {
				op.RunAfter = &dataflow.RunAfter{Ref: refs(before).Draw(t, "after"), Strategy: strategies().Draw(t, "strategy")}
				if sound && op.RunAfter.Ref.Namespace == "" {
					op.RunAfter.Ref = named(before - 1)
				}
				if rapid.IntRange(0, 2).Draw(t, "depends") == 0 {
					among := rapid.SampledFrom([]int{before, n + 1}).Draw(t, "among")
					on := refs(among).Draw(t, "on")
					op.RunAfter.DependOn = &on
				}
				if !sound && rapid.IntRange(0, 5).Draw(t, "invalid") == 0 {
					op.RunAfter.Strategy = invalidStrategy()
				}
			}
			ops = append(ops, op)
		}
		return rapid.Permutation(ops).Draw(t, "operations")
	})
}

func invalidStrategy() affinity.Strategy {
	return affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "", Weight: 0}}}
}

// isInvalid is true for invalidStrategy, and for no strategy that strategies draws.
func isInvalid(s affinity.Strategy) bool { return len(s.Prefers) > 0 && s.Prefers[0].Weight == 0 }

// flows draws operations that New accepts.
func flows() *rapid.Generator[[]dataflow.Operation] {
	return operations().Filter(func(ops []dataflow.Operation) bool { return !hasFault(ops) })
}

// hasFault is law F1.
func hasFault(ops []dataflow.Operation) bool {
	c := newChain(ops)
	if len(c) < len(ops) {
		return true
	}
	for _, op := range ops {
		if !supported(op.Ref.Kind) || op.RunAfter != nil && isInvalid(op.RunAfter.Strategy) || len(c.ancestors(op)) > len(c) {
			return true
		}
	}
	return false
}

func supported(k dataflow.Kind) bool {
	return k == "DataLoad" || k == "DataMigrate" || k == "DataProcess" || k == "DataBackup"
}
