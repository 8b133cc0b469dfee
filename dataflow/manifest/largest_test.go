//go:build !race

// Under the race detector sync.Pool drops objects at random, so allocations say nothing there.

package manifest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// Of each shape, the largest object that an API server accepts (1.5 MiB) is decoded, checked and
// looked ahead from, each within 256 MiB of allocations in all; with -short, a sixteenth of both.
func TestLawG2TheLargestObjects(t *testing.T) {
	largest, most := 3<<19, uint64(256<<20)
	if testing.Short() {
		largest, most = largest/16, most/16
	}
	// Each item is about size bytes in JSON.
	many := func(size int, item func(i int) any) []any {
		items := make([]any, largest/size)
		for i := range items {
			items[i] = item(i)
		}
		return items
	}
	expression := func(key, operator string, values ...any) any {
		return map[string]any{"key": key, "operator": operator, "values": values}
	}
	term := func(expressions ...any) any { return map[string]any{"matchExpressions": expressions} }
	affinity := func(terms []any) map[string]any {
		return map[string]any{"affinity": map[string]any{"nodeAffinity": map[string]any{
			"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": terms},
		}}}
	}
	runAfter := func(requires []any) map[string]any {
		return map[string]any{"runAfter": map[string]any{"kind": "DataLoad", "name": "b", "affinityStrategy": map[string]any{"policy": "Require", "requires": requires}}}
	}
	for name, spec := range map[string]map[string]any{
		"terms":               affinity(many(80, func(i int) any { return term(expression("zone", "In", fmt.Sprint("v", i))) })),
		"expressions":         affinity([]any{term(many(60, func(i int) any { return expression("zone", "NotIn", fmt.Sprint("v", i)) })...)}),
		"keys":                affinity([]any{term(many(60, func(i int) any { return expression(fmt.Sprint("k", i), "Exists") })...)}),
		"values":              affinity([]any{term(expression("zone", "In", many(10, func(i int) any { return fmt.Sprint("v", i) })...))}),
		"malformed":           affinity([]any{term(many(60, func(i int) any { return expression(fmt.Sprint("k ", i), "Near", "a") })...)}),
		"tolerations":         {"tolerations": many(60, func(i int) any { return map[string]any{"key": fmt.Sprint("k", i), "operator": "Exists"} })},
		"invalid tolerations": {"tolerations": many(60, func(i int) any { return map[string]any{"key": fmt.Sprint("k", i), "operator": "Nope"} })},
		"labels to require":   runAfter(many(30, func(i int) any { return map[string]any{"name": fmt.Sprint("example.com/k", i)} })),
		"malformed labels":    runAfter(many(30, func(i int) any { return map[string]any{"name": fmt.Sprint("a b", i)} })),
		"long keys":           runAfter(many(300, func(i int) any { return map[string]any{"name": strings.Repeat("a", 240) + fmt.Sprint("/k", i)} })),
		"unknown fields": func() map[string]any {
			spec := map[string]any{}
			for i := range largest / 20 {
				spec[fmt.Sprint("field", i)] = ""
			}
			return spec
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			object := map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": map[string]any{
				"name": "a", "namespace": "default", "annotations": map[string]any{"affinity.dataflow.fluid.io/labels": strings.Repeat("example.com/rack,", 100)},
			}, "spec": spec}
			within := func(what string, call func()) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				call()
				runtime.ReadMemStats(&after)
				if bytes := after.TotalAlloc - before.TotalAlloc; bytes > most {
					t.Errorf("%s: %d MiB allocated", what, bytes>>20)
				}
			}
			var op *manifest.Operation
			message := ""
			within("Decode", func() {
				var err error
				if op, err = manifest.Decode(object); err != nil {
					message = err.Error()
				}
			})
			other := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "b"}}
			var problems []dataflow.Problem
			within("Check", func() { problems = dataflow.Check(op.Operation, other) })
			within("Lookahead", func() {
				if f, err := dataflow.New(op.Operation, other); err == nil {
					for result := range f.LookaheadAll() {
						_ = result
					}
				}
			})
			for _, p := range problems {
				if len(p.Message) > 4096 {
					t.Fatalf("a message of %d bytes: %.200s", len(p.Message), p.Message)
				}
			}
			if len(message) > 4096 {
				t.Errorf("an error of %d bytes", len(message))
			}
		})
	}
}
