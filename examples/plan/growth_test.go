package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// chain returns the documents of n operations, each after the one before and where that ran.
func chain(n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: op-%d, namespace: default}\nspec:\n  dataset: {name: d}\n%s", i, more)
		if i > 0 {
			fmt.Fprintf(&b, "  runAfter: {kind: DataLoad, name: op-%d, affinityStrategy: {policy: Require, requires: [{name: topology.kubernetes.io/zone}]}}\n", i-1)
		}
	}
	return b.String()
}

// nodes returns the documents of n nodes in three zones; every tenth has a taint of its own.
func nodes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-%d, labels: {kubernetes.io/hostname: node-%d, topology.kubernetes.io/zone: z%d}}\n", i, i, i%3)
		if i%10 == 0 {
			fmt.Fprintf(&b, "spec: {taints: [{key: dedicated, value: team-%d, effect: NoSchedule}]}\n", i)
		}
		b.WriteString("status: {allocatable: {cpu: 8, memory: 32Gi, pods: 110}}\n")
	}
	return b.String()
}

// pods returns the documents of n pods on ten nodes.
func pods(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: pod-%d, namespace: default}\nspec: {nodeName: node-%d, containers: [{name: a, resources: {requests: {cpu: 10m}}}]}\n", i, i%10)
	}
	return b.String()
}

// Law G1 for the program as a whole: what it allocates grows with its files by at most n log n, and no
// message of a report is long.
func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	for name, files := range map[string]func(n int) map[string]string{
		"operations":          func(n int) map[string]string { return map[string]string{"flow": chain(n, "")} },
		"operations on nodes": func(n int) map[string]string { return map[string]string{"flow": chain(n, ""), "nodes": nodes(30)} },
		"nodes":               func(n int) map[string]string { return map[string]string{"flow": chain(5, ""), "nodes": nodes(n)} },
		"pods": func(n int) map[string]string {
			return map[string]string{"flow": chain(2, ""), "nodes": nodes(10), "pods": pods(n)}
		},
		"documents": func(n int) map[string]string {
			return map[string]string{"flow": chain(2, "") + strings.Repeat("---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", n)}
		},
		"empty documents": func(n int) map[string]string {
			return map[string]string{"flow": chain(2, "") + strings.Repeat("---\n", 20*n)}
		},
		"malformed documents": func(n int) map[string]string {
			return map[string]string{"flow": chain(2, "") + strings.Repeat("---\n\"a\n", n)}
		},
		"equal operations": func(n int) map[string]string { return map[string]string{"flow": strings.Repeat(chain(1, ""), n)} },
		"faults": func(n int) map[string]string {
			return map[string]string{"flow": chain(n, "  polcy: Once\n  tolerations: [{key: 'a b'}]\n")}
		},
		"faults of one operation": func(n int) map[string]string {
			return map[string]string{"flow": chain(1, "  tolerations: ["+strings.Repeat("{key: 'a b'}, ", n)+"]\n")}
		},
		"operations that no node admits": func(n int) map[string]string {
			return map[string]string{"flow": chain(n, "  nodeSelector: {gpu: a}\n"), "nodes": nodes(30)}
		},
	} {
		for _, format := range []string{"json", "table", "html", "sarif"} {
			if format != "json" && name != "nodes" && name != "operations on nodes" && name != "faults" {
				continue
			}
			t.Run(name+" as "+format, func(t *testing.T) {
				s := growth.Run(100, func(n int) func() {
					args := []string{"-o", format}
					for file, text := range files(n) {
						path := filepath.Join(t.TempDir(), file+".yaml")
						if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
							t.Fatal(err)
						}
						if file == "flow" {
							args = append(args, path)
						} else {
							args = append(args, "--"+file, path)
						}
					}
					return func() {
						if _, stdout, stderr := plan("", args...); len(stderr) > message.Limit || len(stdout) == 0 {
							t.Errorf("%d bytes of output, standard error %.300q", len(stdout), stderr)
						}
					}
				})
				t.Logf("%.1f a doubling: %s", s.Factor(), &s)
				if s.Grows() {
					t.Error("it grows too much")
				}
			})
		}
	}
}

// The report of a flow on a large cluster has the nodes in groups, not a list for each operation.
func TestJSONOfALargeCluster(t *testing.T) {
	flow, cluster := filepath.Join(t.TempDir(), "flow.yaml"), filepath.Join(t.TempDir(), "nodes.yaml")
	for path, text := range map[string]string{flow: chain(30, ""), cluster: nodes(5000)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, stdout, stderr := plan("", flow, "--nodes", cluster, "-o", "json")
	if len(stdout) > 1_000_000 || stderr != "" {
		t.Errorf("30 operations on 5000 nodes: %d bytes of JSON, standard error %q", len(stdout), stderr)
	}
	t.Logf("%d bytes", len(stdout))
}
