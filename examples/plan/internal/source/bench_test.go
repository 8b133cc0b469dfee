package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

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

func ops(n int) (out []string) {
	for i := 0; i < n; i++ {
		ra := ""
		if i%10 > 0 {
			ra = fmt.Sprintf(liveRunAfter, i-1)
		}
		out = append(out, fmt.Sprintf(liveOperation, i, i/10, ra))
	}
	return
}

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
			AffinityStrategy struct {
				Policy   string
				Requires []struct{ Name string }
			} `json:"affinityStrategy"`
			Kind string `json:"kind"`
			Name string `json:"name"`
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

// cpu reports the processor time of the whole process, which a busy machine does not change.
func cpu(b *testing.B) (done func()) {
	now := func() (ns int64) {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	runtime.GC()
	before := now()
	return func() { b.ReportMetric(float64(now()-before)/float64(b.N)/1e6, "cpu-ms/op") }
}

// BenchmarkRead reads ten thousand live operations, and decodes them, beside apimachinery's decoder.
func BenchmarkRead(b *testing.B) {
	operations := ops(10_000)
	asList := "apiVersion: v1\nkind: List\nitems:\n"
	var list strings.Builder
	list.WriteString(asList)
	for _, op := range operations {
		list.WriteString("- " + strings.ReplaceAll(strings.TrimSuffix(op, "\n"), "\n", "\n  ") + "\n")
	}
	asJSON, err := kubeyaml.ToJSON([]byte(list.String()))
	if err != nil {
		b.Fatal(err)
	}
	var pretty bytes.Buffer
	_ = json.Indent(&pretty, asJSON, "", " ")
	for _, c := range []struct {
		name, text string
		typed      func() any
		raw        func() any
	}{
		{"Documents", strings.Join(operations, "---\n"), func() any { return new(typed) }, func() any { return new(unstructured.Unstructured) }},
		{"ListYAML", list.String(), func() any { return &struct{ Items []typed }{} }, func() any { return new(unstructured.UnstructuredList) }},
		{"ListJSON", string(asJSON), func() any { return &struct{ Items []typed }{} }, func() any { return new(unstructured.UnstructuredList) }},
		{"ListPretty", pretty.String(), func() any { return &struct{ Items []typed }{} }, func() any { return new(unstructured.UnstructuredList) }},
	} {
		for kind, into := range map[string]func() any{"structs": c.typed, "unstructured": c.raw} {
			b.Run(c.name+"/"+kind, func(b *testing.B) {
				defer cpu(b)()
				for range b.N {
					decoder := kubeyaml.NewYAMLOrJSONDecoder(strings.NewReader(c.text), 4096)
					for {
						if err := decoder.Decode(into()); err == io.EOF {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
				}
			})
			runtime.GC()
		}
		for name, decode := range map[string]func(map[string]any) (*manifest.Operation, error){
			"Read":       func(map[string]any) (*manifest.Operation, error) { return nil, nil },
			"ReadDecode": manifest.Decode,
		} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				defer cpu(b)()
				for range b.N {
					n := 0
					for o, err := range source.Read("f", strings.NewReader(c.text)) {
						if err != nil {
							b.Fatal(err)
						}
						if _, err := decode(o.Object); err != nil {
							b.Fatal(err)
						}
						n++
					}
					if n != 10_000 {
						b.Fatal(n)
					}
				}
			})
			runtime.GC()
		}
	}
}
