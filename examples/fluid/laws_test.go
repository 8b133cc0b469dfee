package fluid_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var update = flag.Bool("update", false, "write the golden files")

type injectFunc = func(client.Client, *datav1alpha1.OperationRef, string, *corev1.Affinity) (*corev1.Affinity, error)

// through returns the function of the laws that records what a source exposes, as record does, and
// injects into an operation that runs after the source.
func through(record func(topology.LabelSet) *corev1.NodeAffinity, inject injectFunc) affinitytest.InheritFunc {
	return func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		before := &datav1alpha1.DataLoad{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "before"},
			Status:     datav1alpha1.OperationStatus{Phase: common.PhaseComplete, NodeAffinity: record(from)},
		}
		strategy := datav1alpha1.AffinityStrategy{Policy: datav1alpha1.AffinityPolicy(s.Policy)}
		for _, r := range s.Requires {
			strategy.Requires = append(strategy.Requires, datav1alpha1.Require{Name: r.Key})
		}
		for _, p := range s.Prefers {
			strategy.Prefers = append(strategy.Prefers, datav1alpha1.Prefer{Name: p.Key, Weight: p.Weight})
		}
		return inject(uncopied{held: before}, after("before", strategy), "default", own)
	}
}

// recordByFluid records labels as Fluid does: from the annotations of a Job. Where there is no label,
// Fluid records no place; a status without a required part is what its API allows in addition.
func recordByFluid(from topology.LabelSet) *corev1.NodeAffinity {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{topology.InjectAnnotation: "true"}}}
	for key, value := range from.All() {
		job.Annotations[topology.RecordedPrefix+key] = value
	}
	recorded, err := dataflow.GenerateNodeAffinity(job)
	if err != nil {
		return &corev1.NodeAffinity{}
	}
	return recorded
}

// What the test kit of slipstream finds in Fluid v1.0.8, with the smallest inputs. A difference shows
// that Fluid has changed: README.md lists the defects by their numbers.
//
// The kit cannot see U4, because the order of what Fluid injects is that of the strategy, whatever the
// order of what it recorded; nor U5, because the function under test returns nothing but the affinity.
func TestLawsOnFluid(t *testing.T) {
	seen := map[string]bool{}
	var found strings.Builder
	for _, f := range affinitytest.CheckInherit(through(recordByFluid, dataflow.InjectAffinityByRunAfterOp)) {
		defect := defectOf(f)
		seen[defect] = true
		fmt.Fprintf(&found, "%s\n%s\n%v\n", defect, strings.Repeat("-", len(defect)), f)
	}
	golden.Compare(t, *update, "testdata/laws.golden", []byte(found.String()))
	same(t, "defects", []string{"U1", "U2", "U3", "U6", "U8", "a label listed twice is required twice", "no conflict is reported"}, slices.Sorted(maps.Keys(seen)))
}

// defectOf returns the defect that a failure shows.
func defectOf(f *affinitytest.Failure) string {
	own := f.Input.Own
	noTerms := own != nil && own.NodeAffinity != nil && own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil &&
		len(own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 0
	switch {
	case f.Law == affinitytest.C1:
		return "no conflict is reported"
	case f.Law == affinitytest.B1:
		return "U8"
	case strings.Contains(f.Seen, "panics"):
		return "U3"
	case f.Input.Strategy.Policy == affinity.Require && noTerms:
		return "U6"
	case f.Law == affinitytest.I2:
		return "a label listed twice is required twice"
	case f.Law == affinitytest.R1, f.Law == affinitytest.I4:
		return "U1"
	}
	return "U2"
}

// slipstream's function in its place keeps all laws.
func TestLawsOnTheDropIn(t *testing.T) {
	affinitytest.TestInherit(t, through(func(from topology.LabelSet) *corev1.NodeAffinity { return from.NodeAffinity() }, fluid.InjectAffinityByRunAfterOp))
}
