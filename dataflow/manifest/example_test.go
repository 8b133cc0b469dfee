package manifest_test

import (
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// The operations of a file in YAML or JSON, read with apimachinery's decoder.
func ExampleDecode() {
	file, err := os.Open("testdata/flow.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	documents := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		var object map[string]any
		if err := documents.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			fmt.Println(err)
			return
		}
		op, err := manifest.Decode(object)
		if kind := (*manifest.KindError)(nil); errors.As(err, &kind) && kind.Fault == nil {
			fmt.Println("skipped:", kind)
			continue
		}
		for _, err := range dataflow.Faults(err) {
			fmt.Println("fault:", err)
		}
		if op != nil && !op.Faulty {
			fmt.Println("operation:", op.Ref, "exposes", op.Exposes)
		}
	}
	// Output:
	// operation: DataLoad download exposes [example.com/rack]
	// skipped: not an operation: kind "Dataset" of "data.fluid.io/v1alpha1"
	// fault: spec.dependsOn: Forbidden: no such field; to run after another operation, write spec.runAfter; to inherit from another one than that, spec.runAfter.affinityStrategy.dependOn
	// fault: spec.nodeSelector[ssd]: Invalid value: true: must be a string; quote it (unquoted, YAML reads y, yes, on, n, no and off as true and false)
}
