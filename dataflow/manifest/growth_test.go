package manifest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func sorted(keys []string) []string {
	slices.Sort(keys)
	return keys
}

// load returns a DataLoad with a spec.
func load(spec map[string]any) map[string]any {
	return map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": map[string]any{"name": "a"}, "spec": spec}
}

func repeated(n int, item func(i int) any) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = item(i)
	}
	return all
}

func mapOf(n int, entry func(i int) (string, any)) map[string]any {
	all := make(map[string]any, n)
	for i := range n {
		key, v := entry(i)
		all[key] = v
	}
	return all
}

// sized makes an object that is large in one dimension.
type sized = func(n int) map[string]any

// dimensions returns the dimensions in which an object can be large.
func dimensions() map[string]sized {
	pod := func(spec map[string]any) map[string]any {
		o := load(map[string]any{"processor": map[string]any{"job": map[string]any{"podSpec": spec}}})
		o["kind"] = "DataProcess"
		return o
	}
	annotated := func(annotations map[string]any) map[string]any {
		o := load(nil)
		o["metadata"] = map[string]any{"name": "a", "annotations": annotations}
		return o
	}
	requesting := func(key string, restarts any) sized {
		return func(n int) map[string]any {
			return pod(map[string]any{key: repeated(n, func(i int) any {
				return map[string]any{"restartPolicy": restarts, "resources": map[string]any{"limits": map[string]any{fmt.Sprintf("example.com/r%d", i): int64(1)}}}
			})})
		}
	}
	fields := func(name string) func(n int) map[string]any {
		return func(n int) map[string]any {
			return mapOf(n, func(i int) (string, any) { return fmt.Sprint(name, i), true })
		}
	}
	return map[string]sized{
		"unknown fields":          func(n int) map[string]any { return load(fields("f")(n)) },
		"unknown fields of a pod": func(n int) map[string]any { return pod(fields("f")(n)) },
		"misspelled fields":       func(n int) map[string]any { return pod(fields("initContainer")(n)) },
		"node selector": func(n int) map[string]any {
			return load(map[string]any{"nodeSelector": mapOf(n, func(i int) (string, any) { return fmt.Sprint("k", i), "v" })})
		},
		"wrong node selector": func(n int) map[string]any { return load(map[string]any{"nodeSelector": fields("k")(n)}) },
		"tolerations": func(n int) map[string]any {
			return load(map[string]any{"tolerations": repeated(n, func(i int) any { return map[string]any{"key": fmt.Sprint("k", i)} })})
		},
		"wrong tolerations": func(n int) map[string]any {
			return load(map[string]any{"tolerations": repeated(n, func(int) any { return "a" })})
		},
		"requires": func(n int) map[string]any {
			requires := repeated(n, func(i int) any { return map[string]any{"name": fmt.Sprint("k", i)} })
			return load(map[string]any{"runAfter": map[string]any{"kind": "DataLoad", "name": "a", "affinityStrategy": map[string]any{"requires": requires}}})
		},
		"labels": func(n int) map[string]any {
			return annotated(map[string]any{topology.LabelsAnnotation: strings.Repeat("rack,", n)})
		},
		"wrong labels": func(n int) map[string]any {
			return annotated(map[string]any{topology.LabelsAnnotation: strings.Repeat("- ,", n)})
		},
		"a long label": func(n int) map[string]any {
			return annotated(map[string]any{topology.LabelsAnnotation: strings.Repeat("-", n)})
		},
		"annotations": func(n int) map[string]any {
			return annotated(mapOf(n, func(i int) (string, any) { return fmt.Sprint("fluid.io/l", i), "a" }))
		},
		"wrong keys": func(n int) map[string]any {
			return annotated(mapOf(n, func(i int) (string, any) { return fmt.Sprint("k", i, ".fluid.io/labels"), "a" }))
		},
		"a long key of the labels": func(n int) map[string]any {
			return annotated(map[string]any{strings.Repeat("fluid.", n) + "labels": "a"})
		},
		"containers":      requesting("containers", nil),
		"init containers": requesting("initContainers", nil),
		"restartable":     requesting("initContainers", "Always"),
		"volumes": func(n int) map[string]any {
			return pod(map[string]any{"volumes": repeated(n, func(int) any { return map[string]any{"name": "a", "hostPath": map[string]any{}} })})
		},
		"resources": func(n int) map[string]any {
			return load(map[string]any{"resources": map[string]any{"requests": mapOf(n, func(i int) (string, any) { return fmt.Sprint("hugepages-", i+1), int64(i) })}})
		},
		"a long name": func(n int) map[string]any { return load(map[string]any{strings.Repeat("n", n): true}) },
		"a long value": func(n int) map[string]any {
			return load(map[string]any{"policy": strings.Repeat("n", n), "runAfter": strings.Repeat("é", n)})
		},
		"a long key": func(n int) map[string]any {
			return load(map[string]any{"nodeSelector": map[string]any{strings.Repeat("\n", n): true}})
		},
		"deep": func(n int) map[string]any {
			return load(map[string]any{"runAfter": deep(n), "options": deep(n), "tolerations": deep(n), "x": deep(n)})
		},
		"deep list": func(n int) map[string]any { return load(map[string]any{"affinity": deepList(n)}) },
	}
}

func deep(n int) any {
	var v any = "bottom"
	for range n {
		v = map[string]any{"runAfter": v}
	}
	return v
}

func deepList(n int) any {
	var v any = "bottom"
	for range n {
		v = []any{v}
	}
	return v
}

// Law G1. The number of allocations grows with the size of an object, and no message does.
func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	const n = 2000
	for name, of := range dimensions() {
		small, large := of(n), of(2*n)
		cost := func(o map[string]any) float64 {
			return testing.AllocsPerRun(1, func() { manifest.Decode(o) })
		}
		if single, double := cost(small), cost(large); double > 2.3*single+100 {
			t.Errorf("%s: %v allocations for %d, %v for %d", name, single, n, double, 2*n)
		}
		op, err := manifest.Decode(large)
		check(t, large, op, err)
	}
}

// An object of any depth is decoded.
func TestDepthDoesNotMatter(t *testing.T) {
	for _, name := range []string{"deep", "deep list"} {
		op, err := manifest.Decode(dimensions()[name](100_000))
		if op == nil || err == nil {
			t.Error(name, op, err)
		}
	}
}

// A hundred faults are listed, and the rest is counted.
func TestManyFaults(t *testing.T) {
	for n, omitted := range map[int]int{99: 0, 100: 0, 101: 1, 5000: 4900} {
		for _, name := range []string{"unknown fields", "misspelled fields", "wrong node selector", "wrong tolerations", "wrong labels"} {
			o := dimensions()[name](n)
			op, err := manifest.Decode(o)
			faults := dataflow.Faults(err)
			var rest *manifest.OmittedError
			count := 0
			if errors.As(err, &rest) {
				count = rest.Count
				if want := fmt.Sprintf("%d more faults are not listed", count); rest.Error() != want || faults[100] != error(rest) {
					t.Error(rest)
				}
			}
			if listed := min(n, 100); !op.Faulty || count != omitted || len(faults)-min(omitted, 1) != listed {
				t.Errorf("%s: %d faults, %d omitted, of %d", name, len(faults), count, n)
			}
			if !strings.Contains(err.Error(), "; and ") {
				t.Errorf("%s: %s", name, err)
			}
		}
	}
}
