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

// What is complete, but of which nothing was recorded, is in nobody's way.
func TestNothingWasRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nodes.json")
	if err := os.WriteFile(file, []byte(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	complete := func(labels string) string {
		return strings.TrimSuffix(strings.TrimSpace(load("a")), "}") + `, "status": {"phase": "Complete"` + labels + "}}\n"
	}
	recorded := func(key, value string) string {
		return fmt.Sprintf(`, "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": %q, "operator": "In", "values": [%q]}]}]}}`, key, value)
	}
	for what, c := range map[string]struct {
		labels, a, b string // what was recorded, and the rows of the matrix
		status       int
	}{
		"nothing":       {"", "no", "yes", sound},
		"no hostname":   {recorded("topology.kubernetes.io/zone", "z"), "no", "yes", sound},
		"its hostname":  {recorded("kubernetes.io/hostname", "n1"), "ran", "yes", sound},
		"a node's gone": {recorded("kubernetes.io/hostname", "n2"), "no", "no", unsound},
	} {
		text := complete(c.labels) + load("b", afterA)
		status, stdout, stderr := plan(text, "-f", "-", "--nodes", file)
		if want := "NODES OF FLOW 1  n1\nDataLoad a       " + c.a + "\nDataLoad b       " + c.b + "\n"; status != c.status || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: status %d\n%s%s", what, status, stdout, stderr)
		}
		_, stdout, _ = plan(text, "-f", "-", "--nodes", file, "-o", "json")
		if !strings.Contains(stdout, fmt.Sprintf(`"completable": %v`, c.status == sound)) {
			t.Errorf("%s: %s", what, stdout)
		}
	}
}
