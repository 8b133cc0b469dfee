package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// liveOperation is an operation as kubectl get prints it.
const liveOperation = `apiVersion: data.fluid.io/v1alpha1
kind: DataLoad
metadata:
  annotations:
    affinity.dataflow.fluid.io/labels: example.com/disk
  creationTimestamp: "2026-11-02T08:00:00Z"
  finalizers:
  - fluid-dataload-controller-finalizer
  generation: 1
  labels:
    fluid.io/dataset-id: ns-phy
  name: op-%[1]d
  namespace: ns-%[2]d
  resourceVersion: "%[1]d"
  uid: 0d6f3a52-5b39-4e3e-9c55-0e6a3d5c1c11
spec:
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
        - matchExpressions:
          - key: example.com/gpu
            operator: In
            values:
            - a100
  dataset:
    name: phy
    namespace: default
  loadMetadata: true
  policy: Once
  resources: {}
%[3]s  target:
  - path: /train
    replicas: 1
status:
  conditions:
  - lastProbeTime: "2026-11-02T08:00:31Z"
    lastTransitionTime: "2026-11-02T08:00:31Z"
    status: "True"
    type: Complete
  duration: 31s
  infos: {}
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
      - matchExpressions:
        - key: kubernetes.io/hostname
          operator: In
          values:
          - gpu-a1
        - key: topology.kubernetes.io/zone
          operator: In
          values:
          - east-a
  phase: Complete
  waitingFor:
    operationComplete: false
`

const liveRunAfter = `  runAfter:
    affinityStrategy:
      policy: Require
      requires:
      - name: topology.kubernetes.io/zone
      - name: example.com/disk
    kind: DataLoad
    name: op-%d
`

// typed has the fields of liveOperation, as a client's types have them.
type typed struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Affinity *corev1.Affinity `json:"affinity"`
		Dataset  struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"dataset"`
		LoadMetadata bool                        `json:"loadMetadata"`
		Policy       string                      `json:"policy"`
		Resources    corev1.ResourceRequirements `json:"resources"`
		RunAfter     *struct {
			AffinityStrategy affinity.Strategy `json:"affinityStrategy"`
			Kind             string            `json:"kind"`
			Name             string            `json:"name"`
		} `json:"runAfter"`
		Target []struct {
			Path     string `json:"path"`
			Replicas int32  `json:"replicas"`
		} `json:"target"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			LastProbeTime      metav1.Time            `json:"lastProbeTime"`
			LastTransitionTime metav1.Time            `json:"lastTransitionTime"`
			Status             corev1.ConditionStatus `json:"status"`
			Type               string                 `json:"type"`
		} `json:"conditions"`
		Duration     string               `json:"duration"`
		Infos        map[string]string    `json:"infos"`
		NodeAffinity *corev1.NodeAffinity `json:"nodeAffinity"`
		Phase        string               `json:"phase"`
		WaitingFor   struct {
			OperationComplete *bool `json:"operationComplete"`
		} `json:"waitingFor"`
	} `json:"status"`
}

// BenchmarkPlan shows where the time goes for ten thousand live operations in a
// thousand flows. All of plan is Read and check-and-print. Against it stand apimachinery's
// parser, from YAML to JSON only, and its decoder, which any client needs to have the
// same objects at hand.
func BenchmarkPlan(b *testing.B) {
	var documents []string
	for i := range 10_000 {
		runAfter := ""
		if i%10 > 0 {
			runAfter = fmt.Sprintf(liveRunAfter, i-1)
		}
		documents = append(documents, fmt.Sprintf(liveOperation, i, i/10, runAfter))
	}
	text := strings.Join(documents, "---\n")

	b.Run("YAML", func(b *testing.B) {
		for range b.N {
			for _, d := range documents {
				if _, err := yaml.ToJSON([]byte(d)); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("YAML-decoded", func(b *testing.B) {
		for range b.N {
			decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 1<<16)
			for range documents {
				if err := decoder.Decode(new(typed)); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	read, err := manifest.Read("flow.yaml", strings.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Read", func(b *testing.B) {
		for range b.N {
			if _, err := manifest.Read("flow.yaml", strings.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check-and-print", func(b *testing.B) {
		in := input{Manifests: *read}
		for range b.N {
			seen, err := in.observe(nil)
			if err != nil {
				b.Fatal(err)
			}
			if err := printTable(io.Discard, newReport(&in, seen, false), false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
