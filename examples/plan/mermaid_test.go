package main

import (
	"fmt"
	"strings"
	"testing"
)

// Beyond what Mermaid renders, plan prints no picture, and says what to use instead.
func TestMermaidBeyondItsLimits(t *testing.T) {
	chain := func(operations int, name string) string {
		var b strings.Builder
		for i := range operations {
			fmt.Fprintf(&b, "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: %s%d}\nspec:\n  dataset: {name: d, namespace: default}\n", name, i)
			if i > 0 {
				fmt.Fprintf(&b, "  runAfter: {kind: DataLoad, name: %s%d}\n", name, i-1)
			}
		}
		return b.String()
	}
	for _, c := range []struct {
		operations int
		name, want string
	}{
		{501, "a", ""},
		{502, "a", "501 arrows"},
		{300, strings.Repeat("long", 50), "characters"},
	} {
		status, stdout, stderr := plan(chain(c.operations, c.name), "-", "-o", "mermaid")
		if c.want == "" {
			if status != sound || !strings.HasPrefix(stdout, "flowchart LR\n") || stderr != "" {
				t.Errorf("%d operations: status %d, %q", c.operations, status, stderr)
			}
			continue
		}
		if status != unusable || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "use -o html or -o table") {
			t.Errorf("%d operations: status %d, %d bytes, %q", c.operations, status, len(stdout), stderr)
		}
	}
}
