package affinity_test

import (
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
			affinity.Preferred{Name: topology.Hostname, Weight: 100},
			affinity.Preferred{Name: topology.Zone, Weight: 50},
			affinity.Preferred{Name: custom, Weight: 10})},
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
