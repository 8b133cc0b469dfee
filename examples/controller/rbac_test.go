package main

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// The rights are for every kind.
func TestRightsForEveryKind(t *testing.T) {
	text, err := os.ReadFile("rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range dataflow.Kinds() {
		plural, _ := meta.UnsafeGuessKindToResource(kindOf(kind))
		for _, part := range []string{"", "/status", "/finalizers"} {
			if !strings.Contains(string(text), `"`+plural.Resource+part+`"`) {
				t.Errorf("rbac.yaml has no rights for %s", plural.Resource+part)
			}
		}
	}
}
