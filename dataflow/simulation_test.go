package dataflow_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The test counts how often a scheduler that takes any node that fits strands a flow that
// could have completed, with the operations' own affinities and with those of the forecast.
// The flows are ordinary: chains and trees of three to eight operations that inherit
// hostname, zone or rack, a third of them with a constraint on a disk or an accelerator, on
// six to twenty nodes, some of them tainted.
func TestLawL3SimulationOfGreedyPlacement(t *testing.T) {
	flows := scale(5_000, 500)
	random := rand.New(rand.NewPCG(2026, 11))
	choose := func(nodes []int) int { return nodes[random.IntN(len(nodes))] }
	completable, stranded, narrowed := 0, 0, 0
	for range flows {
		w := ordinary(random, t)
		fc := w.forecast(t)
		if !fc.Completable() {
			continue
		}
		completable++
		if w.play(t, w.flow, choose) != nil {
			stranded++
		}
		if w.play(t, fc.Flow(), choose) != nil {
			narrowed++
		}
	}
	t.Logf("of %d flows %d could complete; by their own affinities %d of these (%.1f %%) were stranded, by those of the forecast %d",
		flows, completable, stranded, 100*float64(stranded)/float64(completable), narrowed)
	if narrowed > 0 || completable < flows/2 || stranded < completable/10 {
		t.Fail()
	}
}

func ordinary(random *rand.Rand, t *testing.T) *world {
	ops := make([]dataflow.Operation, 3+random.IntN(6))
	for i := range ops {
		op := load(fmt.Sprintf("op-%d", i))
		op.Exposes = []string{"rack"}
		if i > 0 {
			op.RunAfter = &dataflow.RunAfter{Ref: ref(fmt.Sprintf("op-%d", max(0, i-1-random.IntN(2))))}
			op.RunAfter.Strategy = [...]affinity.Strategy{
				{Policy: affinity.Require},
				{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}},
				{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "rack"}}},
				{Policy: affinity.Prefer},
				{},
			}[random.IntN(5)]
		}
		switch random.IntN(6) {
		case 0:
			op.NodeSelector = map[string]string{"disk": "ssd"}
		case 1:
			op.Affinity = requiring("type", "GPU")
		case 2:
			op.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
		}
		ops[i] = op
	}
	nodes := make([]corev1.Node, 6+random.IntN(15))
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		nodes[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			topology.Hostname: name,
			topology.Zone:     fmt.Sprintf("zone-%d", random.IntN(3)),
			"rack":            fmt.Sprintf("rack-%d", random.IntN(5)),
			"type":            [...]string{"GPU", "CPU", "CPU"}[random.IntN(3)],
			"disk":            [...]string{"ssd", "hdd"}[random.IntN(2)],
		}}}
		if nodes[i].Labels["type"] == "GPU" && random.IntN(4) == 0 {
			nodes[i].Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
		}
	}
	return newWorld(mustFlow(t, ops...), cluster{nodes: nodes}, dataflow.ForecastOptions{})
}
