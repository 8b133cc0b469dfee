package alluxio

import (
	"os"
	"reflect"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	cruntime "github.com/fluid-cloudnative/fluid/pkg/runtime"
	"github.com/fluid-cloudnative/fluid/pkg/utils/fake"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

type backupValues struct {
	DataBackup struct {
		NodeName    string            `json:"nodeName"`
		Affinity    *corev1.Affinity  `json:"affinity"`
		Annotations map[string]string `json:"annotations"`
	} `json:"dataBackup"`
}

// valuesOf returns the values of the chart of a DataBackup that runs after a DataLoad on node01, while the master is there.
func valuesOf(t *testing.T, runAfter *datav1alpha1.OperationRef) backupValues {
	t.Helper()
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "default"} }
	scheme := runtime.NewScheme()
	_ = datav1alpha1.AddToScheme(scheme)
	_ = corev1.AddToScheme(scheme)
	engine := &AlluxioEngine{name: "test", namespace: "default", runtimeType: common.AlluxioRuntime, Log: fake.NullLogger()}
	engine.Client = fake.NewFakeClientWithScheme(scheme,
		&datav1alpha1.AlluxioRuntime{ObjectMeta: meta("test")},
		&datav1alpha1.Dataset{ObjectMeta: meta("test")},
		&corev1.Pod{ObjectMeta: meta("test-master-0"), Spec: corev1.PodSpec{NodeName: "node01"}},
		&datav1alpha1.DataLoad{ObjectMeta: meta("before"), Status: datav1alpha1.OperationStatus{
			Phase: common.PhaseComplete,
			NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: common.K8sNodeNameLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{"node01"}},
				}}},
			}},
		}},
	)
	backup := &datav1alpha1.DataBackup{ObjectMeta: meta("backup"), Spec: datav1alpha1.DataBackupSpec{Dataset: "test", BackupPath: "pvc://store/a", RunAfter: runAfter}}
	backup.Annotations = map[string]string{common.AnnotationDataFlowAffinityLabelsName: "k8s.rack", "other": "true"}
	file, err := engine.generateDataBackupValueFile(cruntime.ReconcileRequestContext{Log: fake.NullLogger()}, backup)
	if err != nil {
		t.Fatalf("generateDataBackupValueFile() error = %v", err)
	}
	defer func() { _ = os.Remove(file) }()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var values backupValues
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestDataBackupInheritsAffinity(t *testing.T) {
	runAfter := &datav1alpha1.OperationRef{
		ObjectRef:        datav1alpha1.ObjectRef{Kind: "DataLoad", Name: "before"},
		AffinityStrategy: datav1alpha1.AffinityStrategy{Policy: datav1alpha1.RequireAffinityStrategy},
	}
	got := valuesOf(t, runAfter).DataBackup
	if got.NodeName != "" || got.Affinity == nil || got.Affinity.NodeAffinity == nil {
		t.Fatalf("values = %+v, want an affinity and no node name", got)
	}
	want := corev1.NodeSelectorTerm{
		MatchFields:      []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node01"}}},
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: common.K8sNodeNameLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{"node01"}}},
	}
	if terms := got.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms; len(terms) != 1 || !reflect.DeepEqual(terms[0], want) {
		t.Errorf("terms = %v, want %v", terms, want)
	}
	if want := map[string]string{common.AnnotationDataFlowAffinityLabelsName: "k8s.rack"}; !reflect.DeepEqual(got.Annotations, want) {
		t.Errorf("annotations = %v, want %v", got.Annotations, want)
	}
	for name, runAfter := range map[string]*datav1alpha1.OperationRef{"none": nil, "no policy": {ObjectRef: runAfter.ObjectRef}} {
		if got := valuesOf(t, runAfter).DataBackup; got.NodeName != "node01" || got.Affinity != nil {
			t.Errorf("%s: values = %+v, want the name of the master's node and no affinity", name, got)
		}
	}
}
