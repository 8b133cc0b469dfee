package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// operations draws operations that an object can describe.
func operations() *rapid.Generator[manifest.Operation] {
	return rapid.Custom(func(t *rapid.T) manifest.Operation {
		names := rapid.SampledFrom([]string{"a", "load-b", "c.d"})
		ref := rapid.Custom(func(t *rapid.T) dataflow.Ref {
			return dataflow.Ref{
				Kind: rapid.SampledFrom(dataflow.Kinds()).Draw(t, "kind"), Name: names.Draw(t, "name"),
				Namespace: rapid.SampledFrom([]string{"", "default", "other"}).Draw(t, "namespace"),
			}
		})
		var op manifest.Operation
		op.Ref = ref.Draw(t, "ref")
		if rapid.IntRange(0, 9).Draw(t, "unnamed") == 0 {
			op.GenerateName, op.Ref.Name = op.Ref.Name+"-", ""
		}
		if rapid.Bool().Draw(t, "runs after") {
			op.RunAfter = &dataflow.RunAfter{Ref: ref.Draw(t, "predecessor"), Strategy: affinitytest.Strategies().Draw(t, "strategy")}
			if rapid.Bool().Draw(t, "depends") {
				source := ref.Draw(t, "source")
				op.RunAfter.DependOn = &source
			}
		}
		op.Exposes = rapid.SampledFrom([][]string{nil, {"rack"}, {"example.com/disk", "rack"}}).Draw(t, "exposes")
		if rapid.Bool().Draw(t, "expires") {
			ttl := rapid.Int32Range(-1, 100).Draw(t, "ttl")
			op.TTLSecondsAfterFinished = &ttl
		}
		op.Observation.Phase = rapid.SampledFrom([]dataflow.Phase{"", dataflow.Pending, dataflow.Complete}).Draw(t, "phase")
		op.Observation.Labels = affinitytest.LabelSets().Draw(t, "recorded")
		if op.Ref.Kind == dataflow.DataBackup {
			return op
		}
		switch rapid.SampledFrom([]string{"Once", "Cron", "OnEvent"}).Draw(t, "policy") {
		case "Cron":
			op.Recurring = true
		case "OnEvent":
			op.OnEvent = true
		}
		op.Requests = rapid.SampledFrom([]corev1.ResourceList{nil, {"cpu": resource.MustParse("1500m")}, {"cpu": resource.MustParse("2"), "nvidia.com/gpu": resource.MustParse("1")}}).Draw(t, "requests")
		if op.Ref.Kind == dataflow.DataProcess && rapid.Bool().Draw(t, "script") {
			op.Script = true
			return op
		}
		op.Affinity = affinitytest.Affinities().Draw(t, "affinity")
		op.NodeSelector = rapid.MapOfN(rapid.SampledFrom(affinitytest.Keys()), rapid.SampledFrom(affinitytest.Values()), 0, 2).Draw(t, "selector")
		op.Tolerations = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) corev1.Toleration {
			toleration := corev1.Toleration{Key: "a", Operator: rapid.SampledFrom([]corev1.TolerationOperator{"", "Exists", "Near"}).Draw(t, "operator"), Effect: corev1.TaintEffectNoExecute}
			if rapid.Bool().Draw(t, "seconds") {
				seconds := rapid.Int64().Draw(t, "seconds")
				toleration.TolerationSeconds = &seconds
			}
			return toleration
		}), 0, 2).Draw(t, "tolerations")
		switch op.Ref.Kind {
		case dataflow.DataProcess:
			op.NodeName = rapid.SampledFrom([]string{"", "node-a"}).Draw(t, "node")
		case dataflow.DataMigrate:
			op.Distributed = rapid.Bool().Draw(t, "distributed")
		}
		return op
	})
}

// untyped returns the untyped form of a value of the Kubernetes API.
func untyped(t interface{ Fatal(...any) }, v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var in map[string]any
	if err := utiljson.Unmarshal([]byte(`{"in":`+string(text)+`}`), &in); err != nil {
		t.Fatal(err)
	}
	return in["in"]
}

// encode returns an object that describes an operation, as Fluid's API has it. In the places where
// the API leaves a choice, choose chooses.
func encode(t interface{ Fatal(...any) }, op manifest.Operation, choose func(string) bool) map[string]any {
	set := func(in map[string]any, name string, v any) {
		rv := reflect.ValueOf(v)
		if isEmpty := (rv.Kind() == reflect.Map || rv.Kind() == reflect.Slice) && rv.Len() == 0; !isEmpty && !rv.IsZero() {
			in[name] = untyped(t, v)
		}
	}
	refOf := func(ref dataflow.Ref) map[string]any {
		o := map[string]any{"apiVersion": "data.fluid.io/v1alpha1"}
		set(o, "kind", ref.Kind)
		set(o, "namespace", ref.Namespace)
		set(o, "name", ref.Name)
		return o
	}
	metadata, spec, status := refOf(op.Ref), map[string]any{}, map[string]any{}
	delete(metadata, "kind")
	delete(metadata, "apiVersion")
	set(metadata, "generateName", op.GenerateName)
	pod, resources := spec, spec
	podMetadata := func(v any) { spec["podMetadata"] = v }
	requirements := map[string]any{}
	set(requirements, "requests", op.Requests)
	set(requirements, "limits", op.Requests)
	if choose("requests are limits") {
		delete(requirements, "requests")
	}
	if op.Ref.Kind == dataflow.DataProcess {
		processor := map[string]any{}
		spec["processor"] = processor
		podMetadata = func(v any) { processor["podMetadata"] = v }
		if op.Script {
			resources = map[string]any{}
			processor["script"] = resources
		} else {
			pod, resources = map[string]any{}, map[string]any{"name": "c"}
			pod["containers"] = []any{resources}
			processor["job"] = map[string]any{"podSpec": pod}
		}
	}
	set(pod, "nodeName", op.NodeName)
	set(pod, "affinity", op.Affinity)
	set(pod, "nodeSelector", op.NodeSelector)
	set(pod, "tolerations", op.Tolerations)
	if len(requirements) > 0 {
		resources["resources"] = requirements
	}
	if op.Exposes != nil {
		annotations := map[string]any{"annotations": map[string]any{topology.LabelsAnnotation: strings.Join(op.Exposes, " , ")}}
		if op.Ref.Kind != dataflow.DataBackup && choose("pod's annotation") {
			podMetadata(annotations)
		} else {
			metadata["annotations"] = annotations["annotations"]
		}
	}
	if op.RunAfter != nil {
		after := refOf(op.RunAfter.Ref)
		strategy := untyped(t, op.RunAfter.Strategy).(map[string]any)
		if op.RunAfter.DependOn != nil {
			strategy["dependOn"] = refOf(*op.RunAfter.DependOn)
		}
		after["affinityStrategy"] = strategy
		spec["runAfter"] = after
	}
	if op.Recurring {
		spec["policy"], spec["schedule"] = "Cron", "@daily"
	}
	if op.OnEvent {
		spec["policy"] = "OnEvent"
	}
	if op.Distributed {
		spec["parallelism"] = 4.0
	}
	set(spec, "ttlSecondsAfterFinished", op.TTLSecondsAfterFinished)
	set(status, "phase", op.Observation.Phase)
	set(status, "nodeAffinity", op.Observation.Labels.NodeAffinity())
	return map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": string(op.Ref.Kind), "metadata": metadata, "spec": spec, "status": status}
}

// Decoding an object that describes an operation gives the operation.
func TestDecodeInvertsEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := operations().Draw(t, "operation")
		o := encode(t, want, func(what string) bool { return rapid.Bool().Draw(t, what) })
		got, err := manifest.Decode(o)
		if err != nil {
			t.Fatal(err)
		}
		if a := got.Affinity; a != nil && a.PodAffinity != nil || a != nil && a.PodAntiAffinity != nil {
			got.NotLookedAt = nil
		}
		if d := diff(&want, got); d != "" {
			t.Fatal(d)
		}
	})
}

// damaged draws an object that describes an operation, with some of its values replaced by others.
func damaged() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		o := encode(t, operations().Draw(t, "operation"), func(what string) bool { return rapid.Bool().Draw(t, what) })
		for range rapid.IntRange(0, 5).Draw(t, "damages") {
			damage(t, o)
		}
		return o
	})
}

func anything() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{nil, "", "x", "a b", true, int64(-1), int64(1) << 40, 1.5, []any{}, []any{nil}, []any{"a", map[string]any{}}, map[string]any{}, map[string]any{"x.y": "z"}, json.Number("7"), struct{}{}})
}

// damage replaces a value of an object, renames a field or adds one.
func damage(t *rapid.T, in map[string]any) {
	if len(in) == 0 {
		in["x"] = anything().Draw(t, "new")
		return
	}
	name := rapid.SampledFrom(sortedKeys(in)).Draw(t, "field")
	switch v := in[name].(type) {
	case map[string]any:
		if rapid.IntRange(0, 3).Draw(t, "deeper") > 0 {
			damage(t, v)
			return
		}
	case []any:
		if len(v) > 0 && rapid.Bool().Draw(t, "item") {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
			if item, ok := v[i].(map[string]any); ok {
				damage(t, item)
			} else {
				v[i] = anything().Draw(t, "item")
			}
			return
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		in[name+"s"] = in[name]
		delete(in, name)
	case 1:
		in[rapid.SampledFrom([]string{"dependsOn", "labels", "policy", "fluid.io/affinity.labels", "after", "\x00"}).Draw(t, "name")] = anything().Draw(t, "new")
	default:
		in[name] = anything().Draw(t, "value")
	}
}

// Whatever is wrong with an object, the faults have paths and short messages, the object is not
// written to, the result shares no memory with it, and decoding it again gives the same.
func TestLawsOfAnyObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := damaged().Draw(t, "object")
		before := copied(o)
		op, err := manifest.Decode(o)
		if d := cmp.Diff(before, o); d != "" {
			t.Fatal("the object was written to: ", d)
		}
		check(t, o, op, err)
		again, errAgain := manifest.Decode(copied(o).(map[string]any))
		if fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("%v, and then %v", err, errAgain)
		}
		overwrite(o)
		if op != nil && diff(again, op) != "" {
			t.Fatal("the result shares memory with the object")
		}
	})
}

// check holds what Decode returns for any object.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, o map[string]any, op *manifest.Operation, err error) {
	t.Helper()
	var kind *manifest.KindError
	if errors.As(err, &kind) != (op == nil) || op != nil && op.Faulty != (err != nil) {
		t.Fatalf("%+v with %v", op, err)
	}
	if err == nil {
		return
	}
	if len(err.Error()) > 4096 {
		t.Fatalf("a message of %d bytes", len(err.Error()))
	}
	for i, err := range dataflow.Faults(err) {
		var omitted *manifest.OmittedError
		var fault *manifest.Fault
		switch {
		case errors.As(err, &omitted):
			if i != 100 || omitted.Count < 1 {
				t.Fatalf("%d omitted after %d", omitted.Count, i)
			}
		case !errors.As(err, &fault):
			if kind == nil || kind.Fault != nil {
				t.Fatalf("%v is not a fault", err)
			}
		case len(fault.Path) == 0 || fault.Err.Field == "" || fault.Err.Field == "<nil>" || fault.Code == "" || len(fault.Error()) > 4096 || i >= 100:
			t.Fatalf("%d: %+v", i, fault)
		case fault.Code == dataflow.CodeUnknownField:
			parent, _ := follow(o, fault.Path[:len(fault.Path)-1]).(map[string]any)
			if _, ok := parent[fault.Path[len(fault.Path)-1]]; !ok {
				t.Fatalf("there is no field at %q, which is unknown", fault.Path)
			}
		}
	}
}

// copied returns a copy of an untyped value.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key := range v {
			c[key] = copied(v[key])
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = copied(v[i])
		}
		return c
	}
	return v
}

// overwrite changes everything in an untyped value.
func overwrite(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			overwrite(v[key])
			v[key] = "overwritten"
		}
	case []any:
		for i := range v {
			overwrite(v[i])
			v[i] = "overwritten"
		}
	}
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	return sorted(keys)
}

// What apimachinery's own converter makes of the affinity and the tolerations is what Decode does.
func TestConverterAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := affinitytest.Affinities().Draw(t, "affinity")
		if own == nil {
			return
		}
		o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(own)
		if err != nil {
			t.Fatal(err)
		}
		op, err := manifest.Decode(map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": map[string]any{"name": "a"}, "spec": map[string]any{"affinity": o}})
		if err != nil {
			t.Fatal(err)
		}
		var want corev1.Affinity
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&want, op.Affinity); d != "" {
			t.Fatal(d)
		}
	})
}
