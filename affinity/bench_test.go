package affinity_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// BenchmarkInherit compares Inherit with the least that a function without shared
// memory can cost: a DeepCopy of its result.
func BenchmarkInherit(b *testing.B) {
	const custom = "node.kubernetes.io/instance-type"
	from := topology.NewLabelSet(map[string]string{
		topology.Hostname: "gpu-a1", topology.Zone: "east-a", topology.Region: "east", custom: "GPU",
	})
	own := requiring(term(in("example.com/gpu", "a100")))
	own.PodAntiAffinity = awayFrom("web")

	for _, bench := range []struct {
		name     string
		strategy affinity.Strategy
	}{
		{"require-hostname", require(topology.Hostname)},
		{"require-two-keys", require(topology.Zone, custom)},
		{"prefer-three", prefer(
			affinity.PreferredLabel{Key: topology.Hostname, Weight: 100},
			affinity.PreferredLabel{Key: topology.Zone, Weight: 50},
			affinity.PreferredLabel{Key: custom, Weight: 10})},
	} {
		result, err := affinity.Inherit(own, bench.strategy, from)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := affinity.Inherit(own, bench.strategy, from); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/floor", func(b *testing.B) {
			b.ReportAllocs()
			var copied *corev1.Affinity
			for range b.N {
				copied = result.Affinity.DeepCopy()
			}
			_ = copied
		})
	}
}

// BenchmarkDoubling follows n labels of as many exposed ones, and doubles n again and
// again: what takes more than twice as long, but for a fifth, is not linear.
func BenchmarkDoubling(b *testing.B) {
	type demand func(key string) corev1.NodeSelectorRequirement
	var nothing demand
	others := demand(func(key string) corev1.NodeSelectorRequirement { return in("own-"+key, "a") })
	theSame := demand(func(key string) corev1.NodeSelectorRequirement { return in(key, "a") })
	for _, what := range []struct {
		name   string
		policy affinity.Policy
		own    demand // for each key
	}{
		{"Require", affinity.Require, nothing},
		{"Require beside others", affinity.Require, others},
		{"Require again", affinity.Require, theSame},
		{"Prefer", affinity.Prefer, nothing},
		{"Prefer beside others", affinity.Prefer, others},
		{"Prefer again", affinity.Prefer, theSame},
	} {
		for n := 1000; n <= 8000; n *= 2 {
			labels := make(map[string]string, n)
			s := affinity.Strategy{Policy: what.policy}
			var expressions []corev1.NodeSelectorRequirement
			var preferences []corev1.PreferredSchedulingTerm
			for i := range n {
				key := fmt.Sprintf("example.com/label-%d", i)
				labels[key] = "a"
				s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
				s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: key, Weight: 1})
				if what.own != nil {
					expressions = append(expressions, what.own(key))
					preferences = append(preferences, weighted(1, what.own(key)))
				}
			}
			from := topology.NewLabelSet(labels)
			var own *corev1.Affinity
			if what.own != nil {
				own = requiring(term(expressions...))
				own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = preferences
			}
			b.Run(fmt.Sprintf("%s/labels=%d", what.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					if _, err := affinity.Inherit(own, s, from); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
