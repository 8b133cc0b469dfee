//go:build e2e

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

const fixtures = "../plan/testdata/fixtures/"

// The programs of the control plane, and Fluid's CRDs; the script e2e provides both.
const (
	programsVariable = "CONTROL_PLANE"
	crdsVariable     = "FLUID_CRDS"
)

func TestOnARealControlPlane(t *testing.T) {
	programs, crds := os.Getenv(programsVariable), os.Getenv(crdsVariable)
	if programs == "" || crds == "" {
		t.Skipf("%s or %s is not set; run ./e2e", programsVariable, crdsVariable)
	}
	c := newCluster(t, programs, crds)
	nodes, err := os.Open(fixtures + "nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := manifest.Read("nodes.yaml", nodes)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range catalogue.Nodes {
		c.node(t, node)
	}

	defer c.printTable()
	controller := c.controller(t, false)
	for _, demo := range []struct{ file, namespace string }{
		{"demo1-location", "demo1"},
		{"demo2-custom-label", "demo2"},
		{"demo3-depend-on", "default"}, // as its references say
	} {
		t.Run(demo.file, func(t *testing.T) {
			text, err := os.ReadFile(fixtures + demo.file + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			lower := strings.NewReplacer("loadA", "load-a", "loadB", "load-b").Replace(string(text)) // as the API server demands
			ns := c.namespace(t, demo.namespace)
			c.apply(t, lower, ns)
			c.completes(t, ns)
		})
	}
	t.Run("zone", func(t *testing.T) {
		ns := c.namespace(t, "zone")
		c.apply(t, load("a", "")+load("b", runAfter("DataLoad", "a", "Require", "requires: [{name: topology.kubernetes.io/zone}]"))+
			load("c", runAfter("DataLoad", "b", "Require", "requires: [{name: topology.kubernetes.io/zone}, {name: topology.kubernetes.io/region}]")), ns)
		c.completes(t, ns)
	})
	t.Run("prefer", func(t *testing.T) {
		ns := c.namespace(t, "prefer")
		c.apply(t, load("a", "")+load("b", runAfter("DataLoad", "a", "Prefer", `prefers: [{name: kubernetes.io/hostname, weight: 100}, {name: topology.kubernetes.io/zone, weight: 50}, {name: topology.kubernetes.io/region, weight: 1}]`)), ns)
		c.completes(t, ns)
		var pod corev1.Pod
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "b-dataload-0"}, &pod); err != nil {
			t.Fatal(err)
		}
		var weights []int32
		for _, p := range pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			weights = append(weights, p.Weight)
		}
		if !slices.Equal(weights, []int32{100, 50, 1}) {
			t.Errorf("the pod prefers with weights %v", weights)
		}
	})
	t.Run("own-term", func(t *testing.T) { // which Fluid v1.0.8 drops the inherited requirement for
		ns := c.namespace(t, "own-term")
		const gpu = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: node.kubernetes.io/instance-type, operator: In, values: [GPU]}]}]}}}"
		c.apply(t, load("a", "nodeSelector: {topology.kubernetes.io/zone: east-b}")+load("b", gpu+"\n  "+runAfter("DataLoad", "a", "Require", "requires: [{name: topology.kubernetes.io/zone}]")), ns)
		c.completes(t, ns)
		if node := c.place(t, ns, "b-dataload-0"); node != "gpu-b1" { // the one GPU node in that zone that is not tainted
			t.Errorf("b ran on %s", node)
		}
	})
	t.Run("conflict", func(t *testing.T) {
		ns := c.namespace(t, "conflict")
		c.apply(t, load("a", "nodeSelector: {topology.kubernetes.io/zone: east-a}")+
			load("b", "nodeSelector: {topology.kubernetes.io/zone: west-c}\n  "+runAfter("DataLoad", "a", "Require", "requires: [{name: topology.kubernetes.io/zone}]")), ns)
		c.warned(t, ns, "b", "Conflict", "topology.kubernetes.io/zone=east-a")
		c.noPod(t, ns, "b-dataload-0")
	})
	t.Run("distributed", func(t *testing.T) {
		ns := c.namespace(t, "distributed")
		c.apply(t, `
apiVersion: data.fluid.io/v1alpha1
kind: DataMigrate
metadata: {name: mirror}
spec: {parallelism: 3, from: {dataset: {name: a, namespace: default}}, to: {dataset: {name: b, namespace: default}}}
---
`+load("b", runAfter("DataMigrate", "mirror", "Require", "")), ns)
		c.completes(t, ns)
		c.warned(t, ns, "b", "MissingLabels", "kubernetes.io/hostname")
	})
	t.Run("backup", func(t *testing.T) {
		ns := c.namespace(t, "backup")
		c.apply(t, load("a", "")+`
apiVersion: data.fluid.io/v1alpha1
kind: DataBackup
metadata: {name: keep}
spec: {dataset: a, backupPath: "local:///tmp", `+strings.ReplaceAll(runAfter("DataLoad", "a", "Require", ""), "\n", "")+`}
---
`+load("c", runAfter("DataBackup", "keep", "Require", "")), ns)
		c.completes(t, ns)
	})
	t.Run("invalid", func(t *testing.T) {
		ns := c.namespace(t, "invalid")
		c.apply(t, load("a", "")+load("b", runAfter("DataLoad", "a", "Must", ""))+load("c", runAfter("DataLoad", "a", "Require", "requires: [{name: not a key}]"))+
			load("d", runAfter("DataLoad", "a", "Require", "")), ns)
		c.warned(t, ns, "b", "Invalid", "Must")
		c.warned(t, ns, "c", "Invalid", "not a key")
		c.noPod(t, ns, "b-dataload-0")
		c.noPod(t, ns, "c-dataload-0")
		c.completes(t, ns, "b", "c")
	})
	t.Run("failed", func(t *testing.T) {
		ns := c.namespace(t, "failed")
		objects := c.apply(t, load("a", "nodeSelector: {no: such-node}")+load("b", runAfter("DataLoad", "a", "", ""))+load("c", runAfter("DataLoad", "b", "", "")), ns)
		failed := objects[0].DeepCopy()
		failed.Object["status"] = map[string]any{"phase": "Failed", "conditions": []any{}, "duration": ""}
		if err := c.Status().Patch(t.Context(), failed, client.MergeFrom(objects[0])); err != nil {
			t.Fatal(err)
		}
		c.warned(t, ns, "b", "Blocked", "DataLoad failed/a failed")
		c.warned(t, ns, "c", "Blocked", "DataLoad failed/a failed")
	})

	// The scheduler would rather not use the GPU nodes.
	for _, name := range []string{"gpu-a1", "gpu-b1"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		avoid := `{"spec": {"taints": [{"key": "dear", "effect": "PreferNoSchedule"}]}}`
		if err := c.Patch(t.Context(), node, client.RawPatch("application/merge-patch+json", []byte(avoid))); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("stranded", func(t *testing.T) {
		ns := c.namespace(t, "stranded")
		c.applyFile(t, fixtures+"stranding.yaml", ns)
		c.eventually(t, "convert is unschedulable", func(ctx context.Context) (bool, error) {
			var pod corev1.Pod
			err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: "convert-dataprocess-0"}, &pod)
			return err == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Reason == corev1.PodReasonUnschedulable }), nil
		})
		c.rows = append(c.rows, row{"DataLoad stranded/download", c.place(t, ns, "download-dataload-0"), "", ""},
			row{"DataProcess stranded/convert", "none", "hostname of DataLoad stranded/download", "stranded"})
	})
	controller.stop()
	controller = c.controller(t, true)
	t.Run("not-stranded", func(t *testing.T) {
		ns := c.namespace(t, "not-stranded")
		c.applyFile(t, fixtures+"stranding.yaml", ns)
		c.completes(t, ns)
	})
	outer := t
	t.Run("restart", func(t *testing.T) {
		ns := c.namespace(t, "restart")
		c.apply(t, load("a", "")+load("b", runAfter("DataLoad", "a", "Require", ""))+load("c", runAfter("DataLoad", "b", "Require", ""))+load("d", runAfter("DataLoad", "c", "Require", "")), ns)
		c.eventually(t, "a is complete", func(ctx context.Context) (bool, error) { return c.phase(ctx, ns, "a") == dataflow.Complete, nil })
		controller.stop()
		controller = c.controller(outer, true)
		c.completes(t, ns)
	})
	t.Run("many", func(t *testing.T) {
		for i := range 100 {
			name := fmt.Sprintf("node-%d", i)
			c.node(t, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
				"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", i%5),
			}}})
		}
		ns := c.namespace(t, "many")
		for i := range 200 {
			name := func(k int) string { return fmt.Sprintf("chain-%d-%d", i, k) }
			text := load(name(0), "")
			for k := 1; k < 5; k++ {
				keys := []string{"", "requires: [{name: topology.kubernetes.io/zone}]"}[k%2]
				text += load(name(k), runAfter("DataLoad", name(k-1), "Require", keys))
			}
			c.apply(t, text, ns)
		}
		c.completes(t, ns)
	})
}

// load is a DataLoad, with more of its spec.
func load(name, spec string) string {
	return "apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: " + name + "}\nspec:\n  dataset: {name: phy, namespace: default}\n  " + spec + "\n---\n"
}

func runAfter(kind, name, policy, list string) string {
	strategy := ""
	if policy != "" {
		strategy = ", affinityStrategy: {policy: " + policy + ", " + list + "}"
	}
	return "runAfter: {kind: " + kind + ", name: " + name + strategy + "}"
}

func (c *cluster) phase(ctx context.Context, namespace, name string) dataflow.Phase {
	u := objectOf(dataflow.DataLoad)
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, u); err != nil {
		return ""
	}
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	return dataflow.Phase(phase)
}

// place returns the node of a pod.
func (c *cluster) place(t *testing.T, namespace, pod string) string {
	t.Helper()
	var p corev1.Pod
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: pod}, &p); err != nil {
		t.Fatal(err)
	}
	return p.Spec.NodeName
}

// completes waits until all operations of a namespace, but for some, are complete. Then
// it looks at where each of them ran, and whether it had the labels that it had to follow.
func (c *cluster) completes(t *testing.T, namespace string, except ...string) {
	t.Helper()
	var operations []manifest.Operation
	c.eventually(t, "all operations in "+namespace+" are complete", func(ctx context.Context) (bool, error) {
		operations = nil
		for _, kind := range dataflow.Kinds() {
			list := listOf(kind)
			if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return false, nil
			}
			for i := range list.Items {
				if slices.Contains(except, list.Items[i].GetName()) {
					continue
				}
				if phase, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "phase"); phase != string(dataflow.Complete) {
					return false, nil
				}
				op, err := read(&list.Items[i])
				if err != nil {
					return false, err
				}
				operations = append(operations, op)
			}
		}
		return true, nil
	})
	var nodes corev1.NodeList
	if err := c.List(t.Context(), &nodes); err != nil {
		t.Fatal(err)
	}
	labels := map[string]map[string]string{}
	for i := range nodes.Items {
		labels[nodes.Items[i].Name] = nodes.Items[i].Labels
	}
	places, distributed := map[dataflow.Ref]string{}, map[dataflow.Ref]bool{}
	for i := range operations {
		places[operations[i].Ref] = c.place(t, namespace, podName(operations[i].Ref, 0))
		distributed[operations[i].Ref] = operations[i].Distributed
	}
	for i := range operations {
		op := &operations[i]
		source, follows := op.Source()
		if !follows || distributed[source] || op.RunAfter.Strategy.Policy != affinity.Require {
			c.rows = append(c.rows, row{op.String(), places[op.Ref], "", ""})
			continue
		}
		for _, key := range op.RunAfter.Strategy.Keys() {
			want, exposed := labels[places[source]][key]
			if !exposed {
				continue
			}
			verdict := agreed
			if labels[places[op.Ref]][key] != want {
				verdict = "NOT agreed"
				t.Errorf("%s ran on %s, where %s=%s, not %s", op.Ref, places[op.Ref], key, labels[places[op.Ref]][key], want)
			}
			c.rows = append(c.rows, row{op.String(), places[op.Ref], fmt.Sprintf("%s=%s of %s", key, want, source), verdict})
		}
	}
}

// row is a line of the table of what ran where: an operation, its node, what it had to
// agree with, and whether it did.
type row struct{ operation, node, with, verdict string }

const agreed = "agreed"

// printTable prints what ran where. Of a scenario with many operations, it shows the first.
func (c *cluster) printTable() {
	const most, widest = 12, 90
	verdicts, shown := map[string]int{}, map[string]int{}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OPERATION\tNODE\tHAD TO AGREE WITH\tVERDICT")
	for _, r := range c.rows {
		if r.verdict != "" {
			verdicts[r.verdict]++
		}
		namespace, _, _ := strings.Cut(r.operation, "/")
		shown[namespace]++
		if shown[namespace] <= most {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.operation, r.node, cmp.Or(r.with, "–")[:min(widest, len(cmp.Or(r.with, "–")))], cmp.Or(r.verdict, "–"))
		} else if shown[namespace] == most+1 {
			fmt.Fprintf(w, "%s/…\t\t\t\n", namespace)
		}
	}
	_ = w.Flush()
	fmt.Printf("%d rows: %v; %d disagreements\n", len(c.rows), verdicts, verdicts["NOT agreed"])
}

// warned waits for an event on an operation.
func (c *cluster) warned(t *testing.T, namespace, name, reason, note string) {
	t.Helper()
	c.eventually(t, reason+" on "+name, func(ctx context.Context) (bool, error) {
		var list eventsv1.EventList
		if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return false, nil
		}
		for _, e := range list.Items {
			if e.Regarding.Name == name && e.Reason == reason && strings.Contains(e.Note, note) {
				c.rows = append(c.rows, row{e.Regarding.Kind + " " + namespace + "/" + name, "", e.Note, "event " + e.Reason})
				return true, nil
			}
		}
		return false, nil
	})
}

func (c *cluster) noPod(t *testing.T, namespace, name string) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Pod{}); err == nil {
		t.Errorf("there is a pod %s", name)
	}
}
