package manifest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// manyOperations returns a chain of n operations as a person writes them, one
// document each.
func manyOperations(n int) []string {
	documents := make([]string, n)
	for i := range documents {
		documents[i] = fmt.Sprintf(`apiVersion: data.fluid.io/v1alpha1
kind: DataLoad
metadata:
  name: load-%d
  namespace: training
  annotations:
    affinity.dataflow.fluid.io/labels: "node.kubernetes.io/instance-type"
spec:
  dataset:
    name: phy
    namespace: training
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - key: node.kubernetes.io/instance-type
                operator: In
                values: ["GPU"]
  runAfter:
    kind: DataLoad
    name: load-%d
    affinityStrategy:
      policy: Require
      requires:
        - name: node.kubernetes.io/instance-type
`, i, i-1)
	}
	return documents
}

// asList returns documents as kubectl prints a List of them.
func asList(documents []string) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nitems:\n")
	for _, d := range documents {
		b.WriteString("- " + strings.TrimSuffix(strings.ReplaceAll(d, "\n", "\n  "), "  "))
	}
	b.WriteString("kind: List\nmetadata:\n  resourceVersion: \"\"\n")
	return b.String()
}

// BenchmarkRead compares Read with what no reader of YAML can do without: the
// parsing alone.
func BenchmarkRead(b *testing.B) {
	documents := manyOperations(10_000)
	stream := []byte(strings.Join(documents, "---\n"))
	list := []byte(asList(documents))
	read := func(b *testing.B, in []byte) {
		b.ReportAllocs()
		for range b.N {
			if m, err := manifest.Read("-", bytes.NewReader(in)); err != nil || len(m.Operations) != len(documents) {
				b.Fatal(len(m.Operations), err)
			}
		}
	}
	parse := func(b *testing.B, documents ...string) {
		b.ReportAllocs()
		for range b.N {
			for _, d := range documents {
				if _, err := yaml.ToJSON([]byte(d)); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("documents/Read", func(b *testing.B) { read(b, stream) })
	b.Run("documents/ToJSON", func(b *testing.B) { parse(b, documents...) })
	b.Run("List/Read", func(b *testing.B) { read(b, list) })
	b.Run("List/ToJSON", func(b *testing.B) { parse(b, string(list)) })
	converted, err := yaml.ToJSON(list)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("JSON/Read", func(b *testing.B) { read(b, converted) })
}
