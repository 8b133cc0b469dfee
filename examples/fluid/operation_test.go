package fluid_test

import (
	"bytes"
	"encoding/json"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// What is read of Fluid's types is what the reader of manifests makes of their JSON.
func TestOperationIsWhatAManifestSays(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "op", Annotations: map[string]string{topology.LabelsAnnotation: " example.com/rack,,tier "}}
	of := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: "data.fluid.io/v1alpha1", Kind: kind}
	}
	runAfter := after("before", datav1alpha1.AffinityStrategy{
		Policy:   datav1alpha1.RequireAffinityStrategy,
		DependOn: &datav1alpha1.ObjectRef{Kind: "DataBackup", Namespace: "other", Name: "earlier"},
		Requires: []datav1alpha1.Require{{Name: "tier"}, {Name: topology.Zone}},
		Prefers:  []datav1alpha1.Prefer{{Name: topology.Region, Weight: 7}},
	})
	own := required(in("example.com/gpu", "a100"))
	selector := map[string]string{"tier": "a"}
	tolerations := []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
	for name, object := range map[string]client.Object{
		"DataLoad":       &datav1alpha1.DataLoad{TypeMeta: of("DataLoad"), ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{RunAfter: runAfter, Affinity: own, NodeSelector: selector, Tolerations: tolerations}},
		"by schedule":    &datav1alpha1.DataLoad{TypeMeta: of("DataLoad"), ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{Policy: datav1alpha1.Cron}},
		"on event":       &datav1alpha1.DataLoad{TypeMeta: of("DataLoad"), ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{Policy: datav1alpha1.OnEvent}},
		"DataMigrate":    &datav1alpha1.DataMigrate{TypeMeta: of("DataMigrate"), ObjectMeta: meta, Spec: datav1alpha1.DataMigrateSpec{RunAfter: runAfter, Affinity: own, NodeSelector: selector, Tolerations: tolerations, Parallelism: 1}},
		"parallel":       &datav1alpha1.DataMigrate{TypeMeta: of("DataMigrate"), ObjectMeta: meta, Spec: datav1alpha1.DataMigrateSpec{Parallelism: 2, Policy: datav1alpha1.Cron}},
		"DataProcess":    &datav1alpha1.DataProcess{TypeMeta: of("DataProcess"), ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{RunAfter: runAfter, Processor: datav1alpha1.Processor{Job: &datav1alpha1.JobProcessor{PodSpec: &corev1.PodSpec{Affinity: own, NodeSelector: selector, Tolerations: tolerations}}}}},
		"a script":       &datav1alpha1.DataProcess{TypeMeta: of("DataProcess"), ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{Processor: datav1alpha1.Processor{Script: &datav1alpha1.ScriptProcessor{Source: "true"}}}},
		"a job of none":  &datav1alpha1.DataProcess{TypeMeta: of("DataProcess"), ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{Processor: datav1alpha1.Processor{Job: &datav1alpha1.JobProcessor{}}}},
		"DataBackup":     &datav1alpha1.DataBackup{TypeMeta: of("DataBackup"), ObjectMeta: meta, Spec: datav1alpha1.DataBackupSpec{RunAfter: runAfter}},
		"no predecessor": &datav1alpha1.DataBackup{TypeMeta: of("DataBackup"), ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "op"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fluid.Operation(object)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			read, err := manifest.Read("json", bytes.NewReader(text))
			if err != nil || len(read.Operations) != 1 {
				t.Fatal(err, len(read.Operations))
			}
			want := read.Operations[0].Operation
			same(t, "operation", want, got)
		})
	}
}
