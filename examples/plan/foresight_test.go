package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Many flows on many nodes cost about what one flow of as many operations does: the nodes
// are indexed once.
func TestManyFlowsShareTheNodes(t *testing.T) {
	var nodes strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&nodes, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-%d", "labels": {"kubernetes.io/hostname": "node-%d", "type": "type-%d"}}}`+"\n", i, i, i%5)
	}
	file := filepath.Join(t.TempDir(), "nodes.json")
	if err := os.WriteFile(file, []byte(nodes.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var one, many strings.Builder
	for i := range 300 {
		selector := fmt.Sprintf(`"nodeSelector": {"type": "type-%d"}`, i%5)
		many.WriteString(load(fmt.Sprint("op-", i), selector))
		if i > 0 {
			selector += fmt.Sprintf(`, "runAfter": {"kind": "DataLoad", "name": "op-%d"}`, i-1)
		}
		one.WriteString(load(fmt.Sprint("op-", i), selector))
	}
	bytes := func(manifests string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, stdout, stderr := plan(manifests, "-f", "-", "--nodes", file); !strings.Contains(stdout, "300 operations") || stderr != "" {
			t.Fatalf("%s%s", stdout, stderr)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	together, apart := bytes(one.String()), bytes(many.String())
	t.Logf("bytes: %d as one flow, %d as 300", together, apart)
	if apart > 2*together {
		t.Error("each flow costs as much as its nodes")
	}
}
