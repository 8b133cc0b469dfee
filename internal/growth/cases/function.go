package cases

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A Function is an exported function with what it is measured on.
type Function struct {
	// Name is its name with its package and, for a method, its type; behind a colon, how it
	// is called if it is listed several times.
	Name string

	// Reads holds the paths in Input that it depends on. What is below them is included, except
	// below paths that begin with a minus.
	Reads []string

	// Prepare returns the call to measure. A call returns the texts for people that it makes:
	// errors, problems and strings.
	Prepare func(in *Input) (call func() []any)
}

// On reports whether the function depends on a dimension.
func (f *Function) On(d Dimension) bool {
	on := false
	for _, path := range f.Reads {
		if within(d.Path, strings.TrimPrefix(path, "-")) {
			on = path[0] != '-'
		}
	}
	return on
}

// What functions depend on. Pod affinity is validated and copied, and otherwise not read.
var (
	podAffinity  = []string{"Operations[].Affinity.PodAffinity", "Operations[].Affinity.PodAntiAffinity"}
	selector     = []string{"Operations[].NodeSelector"}
	nodeAffinity = []string{"Operations[].Affinity.NodeAffinity"}
	strategy     = []string{"Operations[].RunAfter.Strategy"}
	operations   = []string{"Operations", "-" + podAffinity[0], "-" + podAffinity[1]}
	everything   = []string{"Operations"}
	nodes        = []string{"Nodes", "Used"}
	seen         = []string{"Seen"}
)

// Functions returns every exported function.
func Functions() []Function {
	return slices.Concat(ofTopology(), ofAffinity(), ofOperations(), ofFlows(), ofForecasts(), ofErrors(), ofManifest())
}

func ofTopology() []Function {
	set := func(of func(s topology.LabelSet, in *Input) []any) func(*Input) func() []any {
		return func(in *Input) func() []any {
			s := topology.NewLabelSet(in.Labels)
			return func() []any { return of(s, in) }
		}
	}
	labels := []string{"Labels"}
	return []Function{
		{"topology.CheckRecordable", []string{"Keys[]"}, func(in *Input) func() []any {
			return func() []any { return []any{orNil(topology.CheckRecordable(field.NewPath("a"), in.Keys[0]))} }
		}},
		{"topology.Expose", []string{"Labels", "Keys"}, func(in *Input) func() []any {
			return func() []any { topology.Expose(in.Labels, in.Keys...); return nil }
		}},
		{"topology.ExposedKeys", []string{"Keys"}, func(in *Input) func() []any {
			return func() []any { topology.ExposedKeys(in.Keys...); return nil }
		}},
		{"topology.FromAnnotations", []string{"Annotations"}, func(in *Input) func() []any {
			return func() []any { _, err := topology.FromAnnotations(in.Annotations); return []any{err} }
		}},
		{"topology.FromNodeAffinity", []string{"Recorded"}, func(in *Input) func() []any {
			return func() []any { _, err := topology.FromNodeAffinity(in.Recorded); return []any{err} }
		}},
		{"topology.NewLabelSet", labels, func(in *Input) func() []any {
			return func() []any { topology.NewLabelSet(in.Labels); return nil }
		}},
		{"topology.ParseKeys", []string{"List", "Keys"}, func(in *Input) func() []any {
			list := in.List
			if len(list) < 10 {
				list = strings.Join(in.Keys, ",")
			}
			return func() []any { _, err := topology.ParseKeys(list); return []any{err} }
		}},
		{"topology.LabelSet.All", labels, set(func(s topology.LabelSet, _ *Input) []any { _ = maps.Collect(s.All()); return nil })},
		{"topology.LabelSet.Annotations", labels, set(func(s topology.LabelSet, _ *Input) []any { s.Annotations(); return nil })},
		{"topology.LabelSet.Equal", labels, set(func(s topology.LabelSet, in *Input) []any { s.Equal(topology.NewLabelSet(in.Labels)); return nil })},
		{"topology.LabelSet.Get", labels, set(func(s topology.LabelSet, in *Input) []any { s.Get(in.Keys[0]); return nil })},
		{"topology.LabelSet.Len", labels, set(func(s topology.LabelSet, _ *Input) []any { s.Len(); return nil })},
		{"topology.LabelSet.MarshalJSON", labels, set(func(s topology.LabelSet, _ *Input) []any { _, err := s.MarshalJSON(); return []any{err} })},
		{"topology.LabelSet.NodeAffinity", labels, set(func(s topology.LabelSet, _ *Input) []any { s.NodeAffinity(); return nil })},
		{"topology.LabelSet.Only", []string{"Labels", "Keys"}, set(func(s topology.LabelSet, in *Input) []any { s.Only(in.Keys...); return nil })},
		{"topology.LabelSet.String", labels, set(func(s topology.LabelSet, _ *Input) []any { _ = s.String(); return nil })},
		{"topology.LabelSet.UnmarshalJSON", labels, func(in *Input) func() []any {
			values := map[string]any{}
			for key, value := range in.Labels {
				values[key] = value
				if strings.ContainsAny(key+value, "\n") {
					values[key] = nil // malformed
				}
			}
			data, _ := json.Marshal(values)
			return func() []any { return []any{new(topology.LabelSet).UnmarshalJSON(data)} }
		}},
	}
}

// orNil returns a fault as an error that is nil without one.
func orNil(fault *field.Error) error {
	if fault == nil {
		return nil
	}
	return fault
}

func ofAffinity() []Function {
	compiled := func(of func(m *affinity.Matcher, in *Input)) func(*Input) func() []any {
		return func(in *Input) func() []any {
			m, _ := affinity.Compile(in.Operations[0].NodeSelector, in.Operations[0].Affinity)
			return func() []any { of(m, in); return nil }
		}
	}
	last := func(in *Input) affinity.Strategy {
		if r := last(in).RunAfter; r != nil {
			return r.Strategy
		}
		return affinity.Strategy{}
	}
	own := slices.Concat(selector, nodeAffinity)
	inherit := func(policy affinity.Policy) func(*Input) func() []any {
		return func(in *Input) func() []any {
			s, from := last(in), topology.NewLabelSet(in.Labels)
			if policy != affinity.None {
				s.Policy = policy
			}
			return func() []any { _, err := affinity.Inherit(in.Operations[0].Affinity, s, from); return []any{err} }
		}
	}
	return []Function{
		{"affinity.Compile", own, func(in *Input) func() []any {
			return func() []any {
				_, err := affinity.Compile(in.Operations[0].NodeSelector, in.Operations[0].Affinity)
				return []any{err}
			}
		}},
		{"affinity.FindConflict", slices.Concat(own, []string{"Labels"}), func(in *Input) func() []any {
			labels := maps.Clone(in.Labels)
			for key := range in.Operations[0].NodeSelector {
				labels[key] = "another"
			}
			from := topology.NewLabelSet(labels)
			return func() []any {
				return []any{affinity.FindConflict(in.Operations[0].NodeSelector, in.Operations[0].Affinity, from)}
			}
		}},
		{"affinity.Inherit: as it is", slices.Concat(nodeAffinity, podAffinity, strategy, []string{"Labels"}), inherit(affinity.None)},
		{"affinity.Inherit: Require", slices.Concat(nodeAffinity, strategy, []string{"Labels"}), inherit(affinity.Require)},
		{"affinity.Inherit: Prefer", slices.Concat(nodeAffinity, strategy, []string{"Labels"}), inherit(affinity.Prefer)},
		{"affinity.Inherit: a conflict", slices.Concat(nodeAffinity, []string{"Labels"}), func(in *Input) func() []any {
			labels := maps.Clone(in.Labels)
			s := affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "x0"}}}
			for key := range in.Labels {
				s.Requires = append(s.Requires, affinity.RequiredLabel{Key: key})
			}
			labels["x0"] = "another"
			from := topology.NewLabelSet(labels)
			return func() []any { _, err := affinity.Inherit(in.Operations[0].Affinity, s, from); return []any{err} }
		}},
		{"affinity.Matcher.Match", slices.Concat(own, []string{"Nodes[].ObjectMeta"}), compiled(func(m *affinity.Matcher, in *Input) { m.Match(&in.Nodes[0]) })},
		{"affinity.Matcher.Score", slices.Concat(own, []string{"Nodes[].ObjectMeta"}), compiled(func(m *affinity.Matcher, in *Input) { m.Score(&in.Nodes[0]) })},
		{"affinity.Matcher.Satisfiable", own, compiled(func(m *affinity.Matcher, _ *Input) { m.Satisfiable() })},
		{"affinity.Strategy.Keys", strategy, func(in *Input) func() []any { return func() []any { last(in).Keys(); return nil } }},
		{"affinity.Strategy.Validate", strategy, func(in *Input) func() []any {
			return func() []any {
				var all []any
				for _, fault := range last(in).Validate(nil) {
					all = append(all, fault)
				}
				return all
			}
		}},
	}
}

func last(in *Input) *dataflow.Operation { return &in.Operations[len(in.Operations)-1] }

// some returns the references of a few operations: the first, the last and one between.
func some(in *Input) []dataflow.Ref {
	n := len(in.Operations)
	return []dataflow.Ref{in.Operations[0].Ref, in.Operations[n/2].Ref, in.Operations[n-1].Ref, {Kind: dataflow.DataLoad, Name: in.Operations[n/2].Ref.Name + "x"}}
}

func ofOperations() []Function {
	of := func(call func(in *Input) any) func(*Input) func() []any {
		return func(in *Input) func() []any { return func() []any { return []any{call(in)} } }
	}
	names := []string{"Operations[].Ref", "Operations[].RunAfter.Ref", "Operations[].RunAfter.DependOn"}
	return []Function{
		{"dataflow.Check", everything, of(func(in *Input) any { return dataflow.Check(in.Operations...) })},
		{"dataflow.New", everything, of(func(in *Input) any { _, err := dataflow.New(in.Operations...); return err })},
		{"dataflow.Split", operations, of(func(in *Input) any { dataflow.Split(in.Operations...); return nil })},
		{"dataflow.Mermaid", slices.Concat(operations, []string{"Problems"}, seen), func(in *Input) func() []any {
			seen := observations(in)
			return func() []any { dataflow.Mermaid(in.Operations, in.Problems, seen); return nil }
		}},
		{"dataflow.Faults", everything, func(in *Input) func() []any {
			_, err := dataflow.New(in.Operations...)
			return func() []any { dataflow.Faults(err); return nil }
		}},
		{"dataflow.Hosts", nil, of(func(*Input) any { dataflow.Hosts(); return nil })},
		{"dataflow.Kinds", nil, of(func(*Input) any { dataflow.Kinds(); return nil })},
		{"dataflow.IndexNodes", nodes, of(func(in *Input) any { _, err := dataflow.IndexNodes(in.Nodes, in.Used); return err })},
		{"dataflow.Operation.DeepCopy", everything, of(func(in *Input) any { last(in).DeepCopy(); return nil })},
		{"dataflow.Operation.ExposedKeys", []string{"Operations[].Exposes"}, of(func(in *Input) any { in.Operations[0].ExposedKeys(); return nil })},
		{"dataflow.Operation.Predecessor", names, of(func(in *Input) any { last(in).Predecessor(); return nil })},
		{"dataflow.Operation.Source", names, of(func(in *Input) any { last(in).Source(); return nil })},
		{"dataflow.Problem.String", []string{"Problems"}, of(func(in *Input) any { return in.Problems[0].String() })},
		{"dataflow.Ref.String", []string{"Operations[].Ref"}, of(func(in *Input) any { return in.Operations[0].Ref.String() })},
	}
}

// observations returns the observations of an input by reference.
func observations(in *Input) map[dataflow.Ref]dataflow.Observation {
	all := make(map[dataflow.Ref]dataflow.Observation, len(in.Seen))
	for i, o := range in.Seen {
		ref := dataflow.Ref{Kind: dataflow.DataLoad, Name: fmt.Sprint("other-", i)}
		if i < len(in.Operations) {
			ref = in.Operations[i].Ref
		}
		all[ref] = o
	}
	return all
}

func (in *Input) newFlow() *dataflow.Flow {
	f, _ := dataflow.New(in.Operations...)
	return f
}

func (in *Input) newForecast() *dataflow.Forecast {
	f := in.flow()
	index, err := dataflow.IndexNodes(in.Nodes, in.Used)
	if f == nil || err != nil {
		return nil
	}
	options := in.Options
	options.Seen = observations(in)
	fc, _ := f.Forecast(index, options)
	return fc
}

// each returns what a sequence yields.
func each[T any](all iter.Seq[T], texts func(T) any) []any {
	var found []any
	for v := range all {
		found = append(found, texts(v))
	}
	return found
}

func ofFlows() []Function {
	// A flow that New rejects has no methods to measure.
	flow := func(of func(f *dataflow.Flow, in *Input, seen map[dataflow.Ref]dataflow.Observation) []any) func(*Input) func() []any {
		return func(in *Input) func() []any {
			f, seen := in.flow(), observations(in)
			if f == nil {
				return func() []any { return nil }
			}
			return func() []any { return of(f, in, seen) }
		}
	}
	type observed = map[dataflow.Ref]dataflow.Observation
	live := slices.Concat(operations, seen)
	return []Function{
		{"dataflow.Flow.Forecast", slices.Concat(operations, nodes), flow(func(f *dataflow.Flow, in *Input, _ observed) []any {
			index, _ := dataflow.IndexNodes(in.Nodes, in.Used)
			_, err := f.Forecast(index, in.Options)
			return []any{err}
		})},
		{"dataflow.Flow.Forecast: of a flow that runs", slices.Concat(live, nodes), flow(func(f *dataflow.Flow, in *Input, seen observed) []any {
			index, _ := dataflow.IndexNodes(in.Nodes, in.Used)
			_, err := f.Forecast(index, dataflow.ForecastOptions{Seen: seen, Admit: func(dataflow.Operation, *corev1.Node) bool { return true }, ExtendedResourceToleration: true})
			return []any{err}
		})},
		{"dataflow.Flow.HostProblems", everything, flow(func(f *dataflow.Flow, in *Input, _ observed) []any {
			all := []any{f.HostProblems(dataflow.Host(in.Operations[0].Ref.Name))}
			for _, host := range dataflow.Hosts() {
				all = append(all, f.HostProblems(host))
			}
			return all
		})},
		{"dataflow.Flow.LiveProblems", live, flow(func(f *dataflow.Flow, _ *Input, seen observed) []any { return []any{f.LiveProblems(seen)} })},
		{"dataflow.Flow.Lookahead", operations, flow(func(f *dataflow.Flow, in *Input, _ observed) []any {
			var all []any
			for _, ref := range some(in) {
				_, err := f.Lookahead(ref)
				all = append(all, err)
			}
			return all
		})},
		{"dataflow.Flow.LookaheadAll", operations, flow(func(f *dataflow.Flow, _ *Input, _ observed) []any {
			return each(f.LookaheadAll(), func(r dataflow.LookaheadResult) any { return r.Err })
		})},
		{"dataflow.Flow.Operation", everything, flow(func(f *dataflow.Flow, in *Input, _ observed) []any { f.Operation(in.Operations[0].Ref); return nil })},
		{"dataflow.Flow.Operations", everything, flow(func(f *dataflow.Flow, _ *Input, _ observed) []any {
			return each(f.Operations(), func(dataflow.Operation) any { return nil })
		})},
		{"dataflow.Flow.Problems", everything, flow(func(f *dataflow.Flow, _ *Input, _ observed) []any { return []any{f.Problems()} })},
		{"dataflow.Flow.Resolve", live, flow(func(f *dataflow.Flow, in *Input, seen observed) []any {
			var all []any
			for _, ref := range some(in) {
				_, err := f.Resolve(ref, seen)
				all = append(all, err)
			}
			return all
		})},
		{"dataflow.Flow.ResolveAll", live, flow(func(f *dataflow.Flow, _ *Input, seen observed) []any {
			return each(f.ResolveAll(seen), func(r dataflow.Resolution) any { return r.Err })
		})},
	}
}

func ofForecasts() []Function {
	forecast := func(of func(fc *dataflow.Forecast, in *Input) []any) func(*Input) func() []any {
		return func(in *Input) func() []any {
			fc := in.forecast()
			if fc == nil {
				return func() []any { return nil }
			}
			return func() []any { return of(fc, in) }
		}
	}
	on := slices.Concat(operations, nodes, seen)
	forSome := func(of func(fc *dataflow.Forecast, ref dataflow.Ref) any) func(*Input) func() []any {
		return forecast(func(fc *dataflow.Forecast, in *Input) []any {
			var all []any
			for _, ref := range some(in) {
				all = append(all, of(fc, ref))
			}
			return all
		})
	}
	onSome := func(of func(fc *dataflow.Forecast, ref dataflow.Ref, node string) any) func(*Input) func() []any {
		return forecast(func(fc *dataflow.Forecast, in *Input) []any {
			var all []any
			for _, ref := range some(in) {
				for _, node := range []string{in.Nodes[0].Name, in.Nodes[len(in.Nodes)-1].Name, in.Nodes[0].Name + "x"} {
					all = append(all, of(fc, ref, node))
				}
			}
			return all
		})
	}
	// The first two find out what the forecast keeps for the others.
	return []Function{
		{"dataflow.Forecast.Strands", on, forSome(func(fc *dataflow.Forecast, ref dataflow.Ref) any { fc.Strands(ref); return nil })},
		{"dataflow.Forecast.Affinity", on, forSome(func(fc *dataflow.Forecast, ref dataflow.Ref) any { _, err := fc.Affinity(ref); return err })},
		{"dataflow.Forecast.Completable", on, forecast(func(fc *dataflow.Forecast, _ *Input) []any { fc.Completable(); return nil })},
		{"dataflow.Forecast.Flow", on, forecast(func(fc *dataflow.Forecast, _ *Input) []any { fc.Flow(); return nil })},
		{"dataflow.Forecast.Groups", on, forecast(func(fc *dataflow.Forecast, _ *Input) []any { fc.Groups(); return nil })},
		{"dataflow.Forecast.Impossible", on, forecast(func(fc *dataflow.Forecast, _ *Input) []any { fc.Impossible(); return nil })},
		{"dataflow.Forecast.Label", on, onSome(func(fc *dataflow.Forecast, ref dataflow.Ref, node string) any { return fc.Label(ref, node) })},
		{"dataflow.Forecast.Nodes", on, forSome(func(fc *dataflow.Forecast, ref dataflow.Ref) any { fc.Nodes(ref); return nil })},
		{"dataflow.Forecast.Problems", on, forecast(func(fc *dataflow.Forecast, _ *Input) []any { return []any{fc.Problems()} })},
		{"dataflow.Forecast.Reason", on, forSome(func(fc *dataflow.Forecast, ref dataflow.Ref) any { return fc.Reason(ref) })},
		{"dataflow.Forecast.Verdict", on, onSome(func(fc *dataflow.Forecast, ref dataflow.Ref, node string) any { fc.Verdict(ref, node); return nil })},
		{"dataflow.Forecast.Why", on, onSome(func(fc *dataflow.Forecast, ref dataflow.Ref, node string) any { return fc.Why(ref, node) })},
	}
}

func ofErrors() []Function {
	of := func(err func(in *Input) error) func(*Input) func() []any {
		return func(in *Input) func() []any { return func() []any { return []any{err(in)} } }
	}
	unwrap := func(err func(in *Input) error) func(*Input) func() []any {
		return func(in *Input) func() []any {
			return func() []any { err(in).(interface{ Unwrap() error }).Unwrap(); return nil }
		}
	}
	rejected := func(in *Input) error { return &in.Rejected }
	return []Function{
		{"affinity.ConflictError.Error", []string{"Conflict"}, of(func(in *Input) error { return &in.Conflict })},
		{"dataflow.ContradictionError.Error", []string{"Contradiction"}, of(func(in *Input) error { return &in.Contradiction })},
		{"dataflow.CycleError.Error", []string{"Cycle"}, of(func(in *Input) error { return &in.Cycle })},
		{"dataflow.OperationError.Error", []string{"Rejected"}, of(rejected)},
		{"dataflow.OperationError.Unwrap", []string{"Rejected"}, unwrap(rejected)},
		{"dataflow.StrandedError.Error", []string{"Stranded"}, of(func(in *Input) error { return &in.Stranded })},
		{"dataflow.UnknownOperationError.Error", []string{"Unknown"}, of(func(in *Input) error { return &in.Unknown })},
	}
}

func ofManifest() []Function {
	decode := func(in *Input) func() []any {
		object := in.Object
		if object == nil {
			object = objectOf(last(in), in)
		}
		return func() []any {
			op, err := manifest.Decode(object)
			all := []any{err}
			if op != nil {
				for _, path := range op.NotLookedAt {
					all = append(all, path)
				}
			}
			return all
		}
	}
	call := func(of func(in *Input) any) func(*Input) func() []any {
		return func(in *Input) func() []any { return func() []any { return []any{of(in)} } }
	}
	return []Function{
		{"manifest.Decode", slices.Concat(everything, []string{"Object", "Labels", "Recorded", "List"}), decode},
		{"manifest.Fault.Error", []string{"Fault"}, call(func(in *Input) any { return error(&in.Fault) })},
		{"manifest.Fault.Problem", []string{"Fault", "Operations[].Ref"}, call(func(in *Input) any { return []dataflow.Problem{in.Fault.Problem(in.Operations[0].Ref)} })},
		{"manifest.Fault.Unwrap", []string{"Fault"}, call(func(in *Input) any { in.Fault.Unwrap(); return nil })},
		{"manifest.KindError.Error", []string{"Kind"}, call(func(in *Input) any { return error(&in.Kind) })},
		{"manifest.KindError.Error: of another kind", []string{"Kind"}, call(func(in *Input) any {
			e := in.Kind
			e.Fault = nil
			return error(&e)
		})},
		{"manifest.KindError.Unwrap", []string{"Kind"}, call(func(in *Input) any { in.Kind.Unwrap(); return nil })},
		{"manifest.OmittedError.Error", []string{"Omitted"}, call(func(in *Input) any { return error(&in.Omitted) })},
	}
}

// objectOf returns an operation as an object of Fluid's API.
func objectOf(op *dataflow.Operation, in *Input) map[string]any {
	labels := map[string]any{}
	for key, value := range in.Labels {
		labels[key] = value
	}
	spec := map[string]any{
		"affinity": untyped(op.Affinity), "nodeSelector": untyped(op.NodeSelector), "tolerations": untyped(op.Tolerations),
		"containers": []any{map[string]any{"resources": map[string]any{"requests": untyped(op.Requests), "limits": untyped(op.Requests)}}},
		"nodeName":   op.NodeName,
	}
	processor := map[string]any{"job": map[string]any{"podSpec": spec}, "podMetadata": map[string]any{"labels": labels}}
	object := map[string]any{
		"apiVersion": "data.fluid.io/v1alpha1", "kind": string(dataflow.DataProcess),
		"metadata": map[string]any{
			"name": op.Ref.Name, "namespace": op.Ref.Namespace, "labels": labels,
			"annotations": map[string]any{topology.LabelsAnnotation: strings.Join(append(op.Exposes, in.List), ",")},
		},
		"spec":   map[string]any{"processor": processor},
		"status": map[string]any{"phase": "Complete", "nodeAffinity": untyped(in.Recorded)},
	}
	if after := op.RunAfter; after != nil {
		s, _ := untyped(after.Strategy).(map[string]any)
		if after.DependOn != nil {
			s["dependOn"] = untyped(after.DependOn)
		}
		runAfter, _ := untyped(after.Ref).(map[string]any)
		runAfter["affinityStrategy"] = s
		object["spec"].(map[string]any)["runAfter"] = runAfter
	}
	return object
}

// untyped returns a value as encoding/json reads it.
func untyped(v any) any {
	data, _ := json.Marshal(v)
	var raw any
	_ = json.Unmarshal(data, &raw)
	return raw
}
