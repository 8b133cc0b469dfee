//go:build browser

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFlow writes a flow of n operations as a team might have it: some steps need a GPU, and
// some must, or should, follow the data of an earlier one.
func writeFlow(t *testing.T, dir string, n int) string {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	steps := []string{"fetch", "verify", "unpack", "clean", "tokenize", "shuffle", "train", "evaluate", "convert", "publish"}
	var b strings.Builder
	parent := make([]int, n)
	kind := func(i int) string { return []string{"DataLoad", "DataProcess", "DataProcess", "DataMigrate"}[i%4] }
	name := func(i int) string { return fmt.Sprintf("%s-%02d", steps[(i*7)%len(steps)], i) }
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: data.fluid.io/v1alpha1\nkind: %s\nmetadata:\n  name: %s\n  namespace: vision\n", kind(i), name(i))
		b.WriteString("  annotations: {affinity.dataflow.fluid.io/labels: \"node.kubernetes.io/instance-type\"}\nspec:\n")
		switch kind(i) {
		case "DataLoad":
			b.WriteString("  dataset: {name: images, namespace: vision}\n")
		case "DataMigrate":
			b.WriteString("  from: {dataset: {name: images, namespace: vision}}\n  to: {dataset: {name: images, namespace: vision}}\n")
		case "DataProcess":
			b.WriteString("  dataset: {name: images, namespace: vision, mountPath: /data}\n  processor:\n    job:\n      podSpec:\n        restartPolicy: Never\n        containers: [{name: main, image: busybox}]\n")
			if i%10 == 2 || n == 2 {
				b.WriteString("        nodeSelector: {node.kubernetes.io/instance-type: gpu.large}\n")
			}
		}
		if i == 0 {
			continue
		}
		parent[i] = max(0, i-1-random.IntN(3))
		fmt.Fprintf(&b, "  runAfter:\n    kind: %s\n    name: %s\n    namespace: vision\n", kind(parent[i]), name(parent[i]))
		policy := []string{"Require", "Require", "Prefer", ""}[random.IntN(4)]
		if needsGPU := i%10 == 2 || n == 2; needsGPU {
			policy = "Require"
		} else if policy == "" {
			continue
		}
		b.WriteString("    affinityStrategy:\n")
		if at := parent[parent[i]]; i%5 == 0 {
			fmt.Fprintf(&b, "      dependOn: {kind: %s, name: %s, namespace: vision}\n", kind(at), name(at))
		}
		key := []string{"topology.kubernetes.io/zone", "topology.kubernetes.io/zone", "kubernetes.io/hostname"}[random.IntN(3)]
		if policy == "Prefer" {
			fmt.Fprintf(&b, "      policy: Prefer\n      prefers: [{name: %s, weight: 50}]\n", key)
		} else {
			fmt.Fprintf(&b, "      policy: Require\n      requires: [{name: %s}]\n", key)
		}
	}
	return writeSample(t, dir, fmt.Sprintf("%d-operations.yaml", n), b.String())
}

// writeNodes writes n nodes in three zones or more. The last zone has no GPU; some nodes are
// tainted, and some are cordoned.
func writeNodes(t *testing.T, dir string, n int) string {
	zones := map[int]int{8: 3, 500: 6, 5000: 12}[n]
	var b strings.Builder
	for i := range n {
		zone, instance := i%zones, "cpu.small"
		number := i / zones
		if zone < zones-1 && number%4 == 1 {
			instance = "gpu.large"
		}
		name := fmt.Sprintf("node-%c%d", 'a'+zone, number+1)
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: %s\n  labels:\n    kubernetes.io/hostname: %s\n    topology.kubernetes.io/region: %s\n    topology.kubernetes.io/zone: %s-%c\n    node.kubernetes.io/instance-type: %s\n",
			name, name, region(zone), region(zone), 'a'+zone, instance)
		switch {
		case number%8 == 5:
			b.WriteString("spec: {taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]}\n")
		case number%40 == 2 && zone == 1:
			b.WriteString("spec: {unschedulable: true}\n")
		}
	}
	return writeSample(t, dir, fmt.Sprintf("%d-nodes.yaml", n), b.String())
}

func region(zone int) string { return []string{"east", "west"}[zone/3%2] }

func writeSample(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
