package datamigrate

import (
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	cruntime "github.com/fluid-cloudnative/fluid/pkg/runtime"
)

func TestPolicyOnEventIsNotValid(t *testing.T) {
	operation := &dataMigrateOperation{dataMigrate: &datav1alpha1.DataMigrate{Spec: datav1alpha1.DataMigrateSpec{Policy: datav1alpha1.OnEvent}}}
	ctx := cruntime.ReconcileRequestContext{Dataset: &datav1alpha1.Dataset{}}
	conditions, err := operation.Validate(ctx)
	if err == nil || len(conditions) != 1 || conditions[0].Reason != common.DataOperationNotValid {
		t.Errorf("Validate() = %v, error = %v, want a condition %s", conditions, err, common.DataOperationNotValid)
	}
}
