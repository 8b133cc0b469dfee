package yaml_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/internal/yaml"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestMarshal(t *testing.T) {
	a := corev1.Affinity{NodeAffinity: topology.NewLabelSet(map[string]string{"zone": "a", "disk": ""}).NodeAffinity()}
	got, err := yaml.Marshal(a)
	want := `nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
    - matchExpressions:
      - key: disk
        operator: In
        values:
        - ""
      - key: zone
        operator: In
        values:
        - a
`
	if err != nil || string(got) != want {
		t.Errorf("Marshal = %v\n%s\nwant\n%s", err, got, want)
	}
	if got, err := yaml.Marshal(func() {}); err == nil {
		t.Errorf("Marshal of a function = %s, want an error", got)
	}
}
