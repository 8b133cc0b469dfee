package manifest

import (
	"reflect"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Every kind has a form of its own. newSpec takes what it does not know for a DataBackup, whose
// node selector, affinity and schedule nobody reads.
func TestEveryKindHasAForm(t *testing.T) {
	of := map[reflect.Type]dataflow.Kind{}
	for _, kind := range dataflow.Kinds() {
		form := reflect.TypeOf(newSpec(kind))
		if other, ok := of[form]; ok {
			t.Errorf("manifests of %s and %s are read alike, as %s: give newSpec and home a case for the kind that is new", other, kind, form)
		}
		of[form] = kind
	}
}
