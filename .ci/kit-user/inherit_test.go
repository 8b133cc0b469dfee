package user

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
)

func TestInherit(t *testing.T) {
	affinitytest.TestInherit(t, Inherit, affinitytest.Skip(affinitytest.P2, affinitytest.C1))
}

// The kit finds what Inherit does not do.
func TestTheRest(t *testing.T) {
	found := map[affinitytest.Law]bool{}
	for _, f := range affinitytest.CheckInherit(Inherit) {
		found[f.Law] = true
	}
	if len(found) != 2 || !found[affinitytest.P2] || !found[affinitytest.C1] {
		t.Errorf("found %v", found)
	}
}

// controller decides nothing.
type controller struct{}

func (controller) Decide(dataflow.Ref, dataflowtest.View) (dataflow.State, *corev1.Affinity, error) {
	return "", nil, errors.New("not written yet")
}

func TestController(t *testing.T) {
	failures := dataflowtest.CheckController(func() dataflowtest.Controller { return controller{} })
	if len(failures) == 0 {
		t.Error("the kit finds nothing")
	}
}
