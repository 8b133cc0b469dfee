package fluid_test

import (
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestOperation(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "default", Name: "op", Annotations: map[string]string{topology.LabelsAnnotation: " example.com/rack,,tier "}}
	bare := metav1.ObjectMeta{Namespace: "default", Name: "op"}
	inPods := datav1alpha1.PodMetadata{Annotations: map[string]string{topology.LabelsAnnotation: "example.com/disk"}}
	runAfter := after("before", datav1alpha1.AffinityStrategy{
		Policy:   datav1alpha1.RequireAffinityStrategy,
		DependOn: &datav1alpha1.ObjectRef{Kind: "DataBackup", Namespace: "other", Name: "earlier"},
		Requires: []datav1alpha1.Require{{Name: "tier"}, {Name: topology.Zone}},
		Prefers:  []datav1alpha1.Prefer{{Name: topology.Region, Weight: 7}},
	})
	follows := &dataflow.RunAfter{
		Ref: dataflow.Ref{Kind: dataflow.DataLoad, Name: "before"},
		Strategy: affinity.Strategy{
			Policy:   affinity.Require,
			Requires: []affinity.RequiredLabel{{Key: "tier"}, {Key: topology.Zone}},
			Prefers:  []affinity.PreferredLabel{{Key: topology.Region, Weight: 7}},
		},
		DependOn: &dataflow.Ref{Kind: dataflow.DataBackup, Namespace: "other", Name: "earlier"},
	}
	own := required(in("example.com/gpu", "a100"))
	selector := map[string]string{"tier": "a"}
	tolerations := []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
	pod := &corev1.PodSpec{Affinity: own, NodeSelector: selector, Tolerations: tolerations, NodeName: "n-1"}
	job := datav1alpha1.Processor{PodMetadata: inPods, Job: &datav1alpha1.JobProcessor{PodSpec: pod}}

	ref := func(kind dataflow.Kind) dataflow.Ref {
		return dataflow.Ref{Kind: kind, Namespace: "default", Name: "op"}
	}
	exposed := []string{"example.com/rack", "tier"}
	for name, test := range map[string]struct {
		object client.Object
		want   dataflow.Operation
	}{
		"DataLoad": {
			&datav1alpha1.DataLoad{ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{RunAfter: runAfter, Affinity: own, NodeSelector: selector, Tolerations: tolerations, TTLSecondsAfterFinished: ptr.To[int32](60), PodMetadata: inPods}},
			dataflow.Operation{Ref: ref(dataflow.DataLoad), RunAfter: follows, Exposes: exposed, Affinity: own, NodeSelector: selector, Tolerations: tolerations, TTLSecondsAfterFinished: ptr.To[int32](60)},
		},
		"labels of podMetadata": {
			&datav1alpha1.DataLoad{ObjectMeta: bare, Spec: datav1alpha1.DataLoadSpec{PodMetadata: inPods}},
			dataflow.Operation{Ref: ref(dataflow.DataLoad), Exposes: []string{"example.com/disk"}},
		},
		"on a schedule": {
			&datav1alpha1.DataLoad{ObjectMeta: bare, Spec: datav1alpha1.DataLoadSpec{Policy: datav1alpha1.Cron, Schedule: "@daily"}},
			dataflow.Operation{Ref: ref(dataflow.DataLoad), Recurring: true},
		},
		"on an event": {
			&datav1alpha1.DataMigrate{ObjectMeta: bare, Spec: datav1alpha1.DataMigrateSpec{Policy: datav1alpha1.OnEvent, Parallelism: 1}},
			dataflow.Operation{Ref: ref(dataflow.DataMigrate), OnEvent: true},
		},
		"DataMigrate": {
			&datav1alpha1.DataMigrate{ObjectMeta: meta, Spec: datav1alpha1.DataMigrateSpec{RunAfter: runAfter, Affinity: own, NodeSelector: selector, Tolerations: tolerations, Parallelism: 1, TTLSecondsAfterFinished: ptr.To[int32](0)}},
			dataflow.Operation{Ref: ref(dataflow.DataMigrate), RunAfter: follows, Exposes: exposed, Affinity: own, NodeSelector: selector, Tolerations: tolerations, TTLSecondsAfterFinished: ptr.To[int32](0)},
		},
		"in several pods": {
			&datav1alpha1.DataMigrate{ObjectMeta: bare, Spec: datav1alpha1.DataMigrateSpec{Parallelism: 2, Policy: datav1alpha1.Cron, Schedule: "@daily", PodMetadata: inPods}},
			dataflow.Operation{Ref: ref(dataflow.DataMigrate), Distributed: true, Recurring: true, Exposes: []string{"example.com/disk"}},
		},
		"DataProcess": {
			&datav1alpha1.DataProcess{ObjectMeta: bare, Spec: datav1alpha1.DataProcessSpec{RunAfter: runAfter, Processor: job, TTLSecondsAfterFinished: ptr.To[int32](1)}},
			dataflow.Operation{Ref: ref(dataflow.DataProcess), RunAfter: follows, Exposes: []string{"example.com/disk"}, Affinity: own, NodeSelector: selector, Tolerations: tolerations, NodeName: "n-1", TTLSecondsAfterFinished: ptr.To[int32](1)},
		},
		"a script": {
			&datav1alpha1.DataProcess{ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{Processor: datav1alpha1.Processor{Script: &datav1alpha1.ScriptProcessor{Source: "true"}}}},
			dataflow.Operation{Ref: ref(dataflow.DataProcess), Exposes: exposed, Script: true},
		},
		"a job without a podSpec": {
			&datav1alpha1.DataProcess{ObjectMeta: bare, Spec: datav1alpha1.DataProcessSpec{Processor: datav1alpha1.Processor{Job: &datav1alpha1.JobProcessor{}}}},
			dataflow.Operation{Ref: ref(dataflow.DataProcess), NoPodSpec: true},
		},
		"DataBackup": {
			&datav1alpha1.DataBackup{ObjectMeta: meta, Spec: datav1alpha1.DataBackupSpec{RunAfter: runAfter, TTLSecondsAfterFinished: ptr.To[int32](2)}},
			dataflow.Operation{Ref: ref(dataflow.DataBackup), RunAfter: follows, Exposes: exposed, TTLSecondsAfterFinished: ptr.To[int32](2)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fluid.Operation(test.object)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "operation", test.want, got)

			// So does package manifest, from the object's JSON.
			fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(test.object)
			if err != nil {
				t.Fatal(err)
			}
			fields["apiVersion"], fields["kind"] = "data.fluid.io/v1alpha1", string(test.want.Ref.Kind)
			decoded, err := manifest.Decode(fields)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "what package manifest reads", test.want, decoded.Operation)
		})
	}
}
