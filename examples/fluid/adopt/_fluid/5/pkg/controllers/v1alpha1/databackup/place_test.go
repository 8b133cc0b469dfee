package databackup

import (
	"testing"

	"github.com/fluid-cloudnative/fluid/pkg/common"
)

func TestPlaceOfADataBackup(t *testing.T) {
	on := map[string]string{common.AnnotationDataFlowAffinityInject: "true"}
	if status, err := statusOf(backupAndPod(on)); err == nil {
		t.Errorf("GetOperationStatus() = %v, want it to wait for the labels of the node", status)
	}
	on[common.AnnotationDataFlowCustomizedAffinityPrefix+common.K8sNodeNameLabelKey] = "node01"
	status, err := statusOf(backupAndPod(on))
	if err != nil || status.NodeAffinity == nil {
		t.Fatalf("GetOperationStatus() = %v, error = %v, want a node affinity", status, err)
	}
	terms := status.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || len(terms[0].MatchExpressions) != 1 || terms[0].MatchExpressions[0].Values[0] != "node01" {
		t.Errorf("node affinity = %v, want node01", status.NodeAffinity)
	}
}
