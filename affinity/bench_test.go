package affinity_test

import (
	"math"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// BenchmarkInherit compares Inherit with a DeepCopy of its result, which is the least that a
// function costs whose result shares no memory. Their ratio must be at most 2.5. It is that of
// the fastest of many short batches, so that the load of the machine does not matter.
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
		inherit := func() {
			if _, err := affinity.Inherit(own, bench.strategy, from); err != nil {
				b.Fatal(err)
			}
		}
		var allocated *corev1.Affinity
		deepCopy := func() { allocated = result.Affinity.DeepCopy() }
		b.Run("Inherit/"+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				inherit()
			}
		})
		b.Run("DeepCopy/"+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				deepCopy()
			}
		})
		b.Run("ratio/"+bench.name, func(b *testing.B) {
			inheriting, copying := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range b.N {
				inheriting, copying = min(inheriting, batch(inherit)), min(copying, batch(deepCopy))
			}
			b.ReportMetric(float64(inheriting)/float64(copying), "DeepCopies")
		})
		_ = allocated
	}
}

// batch returns the time of many calls.
func batch(call func()) time.Duration {
	start := time.Now()
	for range 100 {
		call()
	}
	return time.Since(start)
}
