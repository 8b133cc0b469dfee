package manifest

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
)

// readPodSpec reads the pod spec of a job.
func (d *decoder) readPodSpec(podSpec strict.Value) {
	if !podSpec.Object(podSpecShape) {
		return
	}
	d.readPlacement(podSpec)
	d.op.NodeName = podSpec.Get("nodeName").Text()
	d.op.Requests = podRequests(podSpec)
	for _, name := range []string{
		"hostNetwork", "os", "priority", "priorityClassName", "resourceClaims", "runtimeClassName", "schedulingGates", "schedulingGroup",
		"topologySpreadConstraints", "workloadRef",
	} {
		d.notLookedAt(podSpec.Get(name))
	}
	d.noteVolume(podSpec.Get("volumes"))
	if !d.noteHostPort(podSpec.Get("containers")) {
		d.noteHostPort(podSpec.Get("initContainers"))
	}
}

// readPlacement reads the fields that a pod spec and the specs of some kinds have in common.
func (d *decoder) readPlacement(spec strict.Value) {
	affinity, scheduler := spec.Get("affinity"), spec.Get("schedulerName")
	affinity.Decode(&d.op.Affinity)
	spec.Get("nodeSelector").Decode(&d.op.NodeSelector)
	spec.Get("tolerations").Decode(&d.op.Tolerations)
	d.notLookedAt(affinity.Get("podAffinity"))
	d.notLookedAt(affinity.Get("podAntiAffinity"))
	if scheduler.Text() != corev1.DefaultSchedulerName {
		d.notLookedAt(scheduler)
	}
}

// notLookedAt notes a field that is not taken into account, and reports whether it is set.
func (d *decoder) notLookedAt(v strict.Value) bool {
	isZero := v.Raw == nil || v.Raw == "" || v.Raw == false
	switch raw := v.Raw.(type) {
	case []any:
		isZero = len(raw) == 0
	case map[string]any:
		isZero = len(raw) == 0
	}
	if n, ok := strict.Whole(v.Raw); isZero || ok && n == 0 {
		return false
	}
	_, path := v.Path()
	d.op.NotLookedAt = append(d.op.NotLookedAt, path.String())
	return true
}

// noteVolume notes the first volume that can be bound to a node.
func (d *decoder) noteVolume(volumes strict.Value) {
	items, _ := volumes.Raw.([]any)
	for i := range items {
		volume, _ := items[i].(map[string]any)
		for source := range volume {
			if !slices.Contains([]string{"name", "configMap", "downwardAPI", "emptyDir", "projected", "secret"}, source) {
				d.notLookedAt(volumes.Item(i))
				return
			}
		}
	}
}

// noteClaims notes the claims from or to which a DataMigrate copies: its pod mounts them, and
// their volumes can be bound to nodes.
func (d *decoder) noteClaims(spec strict.Value) {
	for _, name := range []string{"from", "to"} {
		end := spec.Get(name)
		storage := end.Get("externalStorage")
		uri := storage.Get("uri")
		if s, ok := uri.Raw.(string); ok && strings.HasPrefix(s, "pvc://") {
			d.notLookedAt(uri)
		}
	}
}

// noteHostPort notes the first host port of containers, and reports whether there is one.
func (d *decoder) noteHostPort(containers strict.Value) bool {
	items, _ := containers.Raw.([]any)
	for i := range items {
		container := containers.Item(i)
		ports := container.Get("ports")
		items, _ := ports.Raw.([]any)
		for j := range items {
			if port := ports.Item(j); d.notLookedAt(port.Get("hostPort")) {
				return true
			}
		}
	}
	return false
}

// noteLabels notes the labels of a pod that change what Fluid does: those by which it finds the
// pods and Jobs of operations, to record where they ran and whether they are complete, and those on
// which its webhook changes the pod.
func (d *decoder) noteLabels(labels strict.Value) {
	for _, name := range []string{"fluid.io/managed-by", "cronjob"} {
		if label := labels.Entry(name); label.Raw != "fluid" {
			d.notLookedAt(label)
		}
	}
	if labels.Entry("fluid.io/enable-injection").Raw == "false" || labels.Entry("done.sidecar.fluid.io/inject").Raw == "true" {
		return
	}
	for _, name := range []string{"fuse.serverful.fluid.io/inject", "serverless.fluid.io/inject"} {
		if label := labels.Entry(name); label.Raw == "true" {
			d.notLookedAt(label)
		}
	}
}
