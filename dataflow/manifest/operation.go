package manifest

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// readNames reads the names of the operation, and returns its metadata.
func (d *decoder) readNames(root strict.Value) strict.Value {
	before := root.Count()
	root.Object(rootShape)
	metadata := root.Get("metadata")
	metadata.Object(metadataShape)
	name, generateName := metadata.Get("name"), metadata.Get("generateName")
	d.op.Ref.Name, d.op.Ref.Namespace = name.Text(), metadata.Get("namespace").Text()
	prefix := generateName.Text()
	switch {
	case d.op.Ref.Name != "":
	case prefix != "":
		d.op.GenerateName = prefix
		if name := prefix + "x"; !labelsyntax.IsSubdomain(name) { // the API server appends letters and digits
			generateName.Reject(dataflow.CodeInvalidName, field.Invalid(nil, prefix, strings.Join(validation.IsDNS1123Subdomain(name), "; ")))
		}
	case root.Count() == before: // else the name may be in a misspelled field
		name.Require("a name that later operations can run after")
	}
	return metadata
}

// readSpec reads the spec, and returns the metadata of the operation's pod.
func (d *decoder) readSpec(spec strict.Value) (podMetadata strict.Value) {
	kind := d.op.Ref.Kind
	spec.Object(specs[kind])
	d.readRunAfter(spec.Get("runAfter"))
	spec.Get("ttlSecondsAfterFinished").Decode(&d.op.TTLSecondsAfterFinished)
	switch kind {
	case dataflow.DataLoad, dataflow.DataMigrate:
		d.readPlacement(spec)
		d.readResources(spec.Get("resources"))
		podMetadata = spec.Get("podMetadata")
	case dataflow.DataProcess:
		processor := spec.Get("processor")
		d.readProcessor(processor)
		podMetadata = processor.Get("podMetadata")
	case dataflow.DataBackup:
		return podMetadata // it has none of this
	}
	podMetadata.Object(podMetadataShape)
	d.noteLabels(podMetadata.Get("labels"))
	checkPodMetadata(podMetadata)
	policy := spec.Get("policy")
	if s := policy.Text(); (s != "" || policy.Raw == "") && !slices.Contains([]string{once, cron, onEvent}, s) {
		fault := fielderror.Unsupported(nil, s, once, cron, onEvent)
		if isStrategy(s) {
			fault.Detail += "; " + s + " belongs in " + strategy + ".policy"
		}
		policy.Reject(dataflow.CodeInvalid, fault)
	}
	d.op.Recurring, d.op.OnEvent = policy.Raw == cron, policy.Raw == onEvent
	if kind != dataflow.DataProcess {
		d.checkSchedule(spec.Get("schedule"))
	}
	if kind == dataflow.DataMigrate {
		parallelism := spec.Get("parallelism")
		n, ok := parallelism.Integer(32)
		if ok && n < 1 {
			parallelism.Invalid(n, "must be at least 1")
		}
		d.op.Distributed = n > 1
		d.noteClaims(spec)
	}
	return podMetadata
}

// checkPodMetadata rejects labels and annotations with which an API server rejects a pod: Fluid's
// API does not check them, and its charts write them there. [decoder.readExposes] reads those that
// name labels to expose.
func checkPodMetadata(podMetadata strict.Value) {
	for _, of := range []string{"annotations", "labels"} {
		entries := podMetadata.Get(of)
		if _, ok := entries.Raw.(map[string]any); !ok {
			continue // readExposes says so
		}
		keys, _ := entries.Keys()
		for _, key := range keys {
			entry := entries.Entry(key)
			if key == topology.LabelsAnnotation || resemblesAnnotation(key) {
				continue
			}
			value, syntax := entry.Text(), key
			if of == "annotations" {
				value, syntax = "", strings.ToLower(key) // as in kube-apiserver
			}
			if !labelsyntax.IsKey(syntax) {
				entry.Reject(dataflow.CodeInvalid, labelsyntax.KeyFault(nil, key))
			}
			if !labelsyntax.IsValue(value) {
				entry.Invalid(value, strings.Join(validation.IsValidLabelValue(value), "; "))
			}
		}
	}
}

// checkSchedule rejects a schedule with which an API server rejects the CronJob of a recurring
// operation: Fluid's charts write it there as it is.
func (d *decoder) checkSchedule(schedule strict.Value) {
	const accepted = `a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron`
	s := schedule.Text()
	switch {
	case !d.op.Recurring:
	case s == "":
		schedule.Require(accepted)
	default:
		if fault := scheduleFault(s); fault != "" {
			schedule.Invalid(s, "must be "+accepted+"; "+fault)
		}
	}
}

// readProcessor reads spec.processor of a DataProcess.
func (d *decoder) readProcessor(processor strict.Value) {
	processor.Object(processorShape)
	job, script := processor.Get("job"), processor.Get("script")
	if job.Raw != nil && script.Raw != nil {
		processor.Invalid("job and script", "must have only one of job and script")
	}
	if job.Object(jobShape) {
		podSpec := job.Get("podSpec")
		d.op.NoPodSpec = podSpec.Raw == nil
		d.readPodSpec(podSpec)
	}
	if script.Object(scriptShape) && job.Raw == nil {
		d.op.Script = true
		d.readResources(script.Get("resources"))
		d.noteVolume(script.Get("volumes"))
	}
}

// readResources reads the resource requirements of an operation with one container.
func (d *decoder) readResources(resources strict.Value) {
	d.op.Requests, _ = requests(resources)
	d.notLookedAt(resources.Get("claims"))
}

func (d *decoder) readRunAfter(v strict.Value) {
	if !v.Object(runAfterShape) {
		return
	}
	var s struct {
		Policy   affinity.Policy           `json:"policy"`
		DependOn any                       `json:"dependOn"`
		Requires []affinity.RequiredLabel  `json:"requires"`
		Prefers  []affinity.PreferredLabel `json:"prefers"`
	}
	strategy := v.Get("affinityStrategy")
	strategy.Decode(&s)
	d.op.RunAfter = &dataflow.RunAfter{Ref: readRef(v), Strategy: affinity.Strategy{Policy: s.Policy, Requires: s.Requires, Prefers: s.Prefers}}
	if on := strategy.Get("dependOn"); on.Object(dependOnShape) {
		source := readRef(on)
		d.op.RunAfter.DependOn = &source
	}
}

// readRef reads a reference to another operation.
func readRef(v strict.Value) dataflow.Ref {
	v.Get("apiVersion").Text() // only its type matters
	kind, name := v.Get("kind"), v.Get("name")
	kind.Require("the kind of an operation, such as DataLoad")
	name.Require("the name of an operation")
	return dataflow.Ref{Kind: dataflow.Kind(kind.Text()), Namespace: v.Get("namespace").Text(), Name: name.Text()}
}

// readExposes reads the label keys that the operation exposes, from the list that Fluid reads:
// that of the operation's own annotations, even if it is empty, or else that of its pod's.
func (d *decoder) readExposes(metadata, podMetadata strict.Value) {
	maps := []strict.Value{metadata.Get("annotations"), podMetadata.Get("annotations"), metadata.Get("labels"), podMetadata.Get("labels")}
	keys := make([][]string, len(maps))
	for i, m := range maps {
		keys[i], _ = m.Keys()
	}
	for _, annotations := range maps[:2] {
		if list := annotations.Entry(topology.LabelsAnnotation); list.Raw != nil {
			d.op.Exposes = labelKeys(list.Text(), list.Reject)
			return
		}
	}
	for i, m := range maps {
		if at := slices.IndexFunc(keys[i], resemblesAnnotation); at >= 0 {
			key := keys[i][at]
			wrong := m.Entry(key)
			wrong.Reject(dataflow.CodeWrongKey, field.Forbidden(nil, strconv.Quote(key)+" has no effect here; write "+topology.LabelsAnnotation+" in metadata.annotations"))
			// That is the mistake. What the key lists is what was meant.
			d.op.Exposes = labelKeys(text(wrong), func(dataflow.Code, *field.Error) {})
			return
		}
	}
}

// labelKeys returns the label keys of a list separated by commas, sorted, each once. It rejects
// those that are malformed or cannot be recorded.
func labelKeys(list string, reject func(dataflow.Code, *field.Error)) (keys []string) {
	for _, item := range strings.Split(list, ",") {
		key, err := topology.ParseKeys(item)
		keys = append(keys, key...)
		for _, err := range dataflow.Faults(err) {
			code := dataflow.CodeInvalid
			if labelsyntax.IsKey(strings.TrimSpace(item)) {
				code = dataflow.CodeUnrecordable
			}
			reject(code, err.(*field.Error))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// resemblesAnnotation reports whether a key is the labels annotation or was probably meant to be
// it, as those of older releases and guides: its last word is "labels", and one before says of
// what.
func resemblesAnnotation(key string) bool {
	const longest = 317 // of an annotation's name
	if len(key) > longest {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(key), func(r rune) bool { return strings.ContainsRune("./-_", r) })
	if len(words) < 2 {
		return false
	}
	last := len(words) - 1
	_, isLabels := typo.Nearest(words[last], "labels")
	return isLabels && slices.ContainsFunc(words[:last], func(word string) bool {
		return slices.Contains([]string{"affinity", "dataflow", "fluid"}, word)
	})
}

// readStatus reads what happened to the operation. A status may have any other fields.
func (d *decoder) readStatus(status strict.Value) {
	status.Keys() // only its type matters
	d.op.Observation.Phase = dataflow.Phase(status.Get("phase").Text())
	waitingFor := status.Get("waitingFor")
	operationComplete := waitingFor.Get("operationComplete")
	d.op.Released = operationComplete.Raw == false
	var a *corev1.NodeAffinity
	recorded, before := status.Get("nodeAffinity"), status.Count()
	if recorded.Decode(&a); status.Count() > before {
		return
	}
	labels, err := topology.FromNodeAffinity(a)
	for _, err := range dataflow.Faults(err) {
		fault := err.(*field.Error)
		// Its path starts at the node affinity, and has names of fields and indices only.
		at := recorded
		for _, token := range strings.FieldsFunc(fault.Field, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
			parent := at
			if i, err := strconv.Atoi(token); err == nil {
				at = parent.Item(i)
			} else {
				at = parent.Get(token)
			}
		}
		at.Reject(dataflow.CodeInvalid, fault)
	}
	d.op.Observation.Labels = labels
}
