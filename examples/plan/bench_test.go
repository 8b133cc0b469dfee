package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// BenchmarkPlan shows where the time goes for ten thousand operations in a thousand
// flows: parsing YAML, which apimachinery does, against all the rest.
func BenchmarkPlan(b *testing.B) {
	var documents []string
	for i := range 10_000 {
		d := fmt.Sprintf("apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata:\n  name: op-%d\n  namespace: ns-%d\n  annotations:\n"+
			"    affinity.dataflow.fluid.io/labels: example.com/disk\nspec:\n  dataset:\n    name: phy\n    namespace: default\n"+
			"  nodeSelector:\n    example.com/gpu: a100\n", i, i/10)
		if i%10 > 0 {
			d += fmt.Sprintf("  runAfter:\n    kind: DataLoad\n    name: op-%d\n    affinityStrategy:\n      policy: Require\n      requires:\n"+
				"      - name: topology.kubernetes.io/zone\n      - name: example.com/disk\n", i-1)
		}
		documents = append(documents, d)
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
			seen, err := in.observations(nil)
			if err != nil {
				b.Fatal(err)
			}
			if err := printTable(io.Discard, newReport(&in, seen), false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
