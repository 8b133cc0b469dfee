package podspec

import (
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// What Decode accepts of a node name, tolerations, weights and pod affinity, dataflow.Check finds
// Invalid exactly if an API server rejects it, and at the same field.
func TestCheckAgreesWithTheAPIServer(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	accepted, rejected := 0, 0
	for i := range *cases {
		spec := placement(random)
		_, faults := create(t, spec)
		op, err := decode(spec)
		if err != nil {
			t.Fatalf("case %d: %s: %v", i, show(spec), err)
		}
		want, got := map[string]bool{}, map[string]bool{}
		for _, fault := range faults {
			want[item(fault.Field)] = true
		}
		for _, p := range dataflow.Check(op.Operation) {
			got[item(strings.TrimPrefix(p.Field, "spec.processor.job.podSpec."))] = true
			if p.Code != dataflow.CodeInvalid {
				t.Fatal(p)
			}
		}
		if show(want) != show(got) {
			t.Fatalf("case %d: %s is invalid at %s, want %s: %v", i, show(spec), show(got), show(want), faults.ToAggregate())
		}
		if len(faults) > 0 {
			rejected++
		} else {
			accepted++
		}
	}
	t.Logf("%d pod specs accepted, %d rejected, 0 disagreements", accepted, rejected)
	if accepted < *cases/20 || rejected < *cases/20 {
		t.Error("too few of one kind")
	}
}

// item returns the path to the first item of a list that a path leads into, or else the path: which
// field of an item is at fault is a matter of taste.
func item(path string) string {
	path = strings.TrimPrefix(path, "spec.")
	if i := strings.IndexByte(path, ']'); i >= 0 {
		return path[:i+1]
	}
	return path
}

// isPlacement reports whether a fault has to do with what placement draws.
func isPlacement(fault *field.Error) bool {
	for _, name := range []string{"spec.nodeName", "spec.tolerations", "spec.affinity"} {
		if strings.HasPrefix(fault.Field, name) {
			return true
		}
	}
	return false
}

func placement(r *rand.Rand) map[string]any {
	spec := map[string]any{"containers": []any{map[string]any{}}}
	if r.IntN(4) == 0 {
		spec["nodeName"] = oneOf(r, "", "node-1", "node-1", "a.b", "Node", "a_b", strings.Repeat("n", 260))
	}
	var tolerations []any
	for range r.IntN(3) {
		t := map[string]any{}
		set := func(name string, odds int, values ...any) {
			if r.IntN(odds) == 0 {
				t[name] = oneOf(r, values...)
			}
		}
		t["key"] = oneOf[any](r, "a", "a", "a", "", "example.com/a", "a b", "-")
		set("operator", 2, "Exists", "Exists", "Equal", "", "Nope", "exists")
		set("value", 3, "", "v", "v", "a b", strings.Repeat("v", 64))
		set("effect", 2, "", "NoSchedule", "NoExecute", "NoExecute", "PreferNoSchedule", "Never")
		set("tolerationSeconds", 4, int64(0), int64(-1))
		tolerations = append(tolerations, t)
	}
	spec["tolerations"] = tolerations
	weight := func() any {
		return oneOf[any](r, int64(1), int64(100), int64(50), int64(50), int64(0), int64(101), int64(-1))
	}
	affinity := map[string]any{}
	if r.IntN(3) == 0 {
		affinity["nodeAffinity"] = map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{
			"weight": weight(), "preference": map[string]any{"matchExpressions": []any{map[string]any{"key": "a", "operator": "Exists"}}},
		}}}
	}
	term := func() any {
		selector := map[string]any{"matchExpressions": []any{map[string]any{"key": oneOf(r, "a", "a", "a b"), "operator": oneOf(r, "Exists", "Exists", "Near")}}}
		return map[string]any{
			"topologyKey": oneOf(r, "zone", "zone", "zone", "", "a b"), "namespaces": []any{oneOf(r, "ns", "ns", "N")},
			"labelSelector": selector, "namespaceSelector": map[string]any{"matchLabels": map[string]any{oneOf(r, "a", "a", "-"): "b"}},
		}
	}
	for _, name := range []string{"podAffinity", "podAntiAffinity"} {
		if r.IntN(4) == 0 {
			affinity[name] = map[string]any{
				"requiredDuringSchedulingIgnoredDuringExecution":  []any{term()},
				"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": weight(), "podAffinityTerm": term()}},
			}
		}
	}
	spec["affinity"] = affinity
	return spec
}
