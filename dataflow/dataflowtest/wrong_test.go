package dataflowtest_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

type view = dataflowtest.View

// decide is a controller that keeps nothing.
type decide func(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error)

func (d decide) Decide(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
	return d(ref, v)
}

// always starts controllers that are the same.
func always(d decide) func() dataflowtest.Controller {
	return func() dataflowtest.Controller { return d }
}

// resolve decides as slipstream does, without a forecast.
func resolve(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
	f, err := dataflow.New(v.Operations...)
	if err != nil {
		return "", nil, err
	}
	d, err := f.Resolve(ref, v.Seen)
	return d.State, d.Affinity, err
}

// foresee decides as slipstream does, with the affinities of a forecast.
func foresee(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
	f, err := dataflow.New(v.Operations...)
	if err != nil {
		return "", nil, err
	}
	nodes, err := dataflow.IndexNodes(v.Cluster.Nodes, v.Cluster.Used)
	if err != nil {
		return "", nil, err
	}
	forecast, err := f.Forecast(nodes, dataflow.ForecastOptions{Seen: v.Seen})
	if err != nil {
		return "", nil, err
	}
	if forecast.Completable() {
		f = forecast.Flow()
	}
	d, err := f.Resolve(ref, v.Seen)
	return d.State, d.Affinity, err
}

// With a forecast it keeps L3 as well: see package dataflow.
func TestSlipstreamWithoutAForecast(t *testing.T) {
	dataflowtest.TestController(t, always(resolve), dataflowtest.Skip(dataflowtest.L3))
}

// seeing changes what a controller sees.
func seeing(change func(v *view)) func() dataflowtest.Controller {
	return always(func(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
		change(&v)
		return resolve(ref, v)
	})
}

// each changes every operation that a controller sees.
func each(change func(op *dataflow.Operation)) func() dataflowtest.Controller {
	return seeing(func(v *view) {
		for i := range v.Operations {
			change(&v.Operations[i])
		}
	})
}

// deciding changes what a controller decides.
func deciding(change func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error)) func() dataflowtest.Controller {
	return always(func(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
		state, a, err := resolve(ref, v)
		i := slices.IndexFunc(v.Operations, func(op dataflow.Operation) bool { return op.Ref == ref })
		return change(v.Operations[i], v, state, a, err)
	})
}

// remembering is a controller that keeps decisions.
type remembering struct {
	waiting bool // whether an operation waited, or else its affinity
	kept    map[dataflow.Ref]*corev1.Affinity
}

func (r remembering) Decide(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
	state, a, err := resolve(ref, v)
	kept, ok := r.kept[ref]
	switch {
	case ok && r.waiting:
		return dataflow.Waiting, nil, nil
	case ok && state == dataflow.Ready:
		return state, kept, nil
	case err == nil && (state == dataflow.Waiting) == r.waiting && (state == dataflow.Ready) != r.waiting:
		r.kept[ref] = a
	}
	return state, a, err
}

// mistake is a wrong controller. The law must fail, and no law must fail that is not among laws.
type mistake struct {
	name  string
	law   dataflowtest.Law
	also  string
	start func() dataflowtest.Controller
}

func mistakes(blocked chan time.Time) []mistake {
	const f4, f5, f6, f7, l3 = dataflowtest.F4, dataflowtest.F5, dataflowtest.F6, dataflowtest.F7, dataflowtest.L3
	phases := func(change func(o *dataflow.Observation)) func() dataflowtest.Controller {
		return seeing(func(v *view) {
			for ref, o := range v.Seen {
				change(&o)
				v.Seen[ref] = o
			}
		})
	}
	return []mistake{
		{"starts while the predecessor runs", f4, "F5 F6", phases(func(o *dataflow.Observation) {
			if o.Phase == dataflow.Executing {
				o.Phase = dataflow.Complete
			}
		})},
		{"takes a failure for an end", f4, "F5 F6", phases(func(o *dataflow.Observation) {
			if o.Phase == dataflow.Failed {
				o.Phase = dataflow.Complete
			}
		})},
		{"passes no failure on", f4, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Blocked {
				state = dataflow.Waiting
			}
			return state, a, err
		})},
		{"does not wait for the source", f4, "F5", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if before, ok := op.Predecessor(); ok && state == dataflow.Waiting && v.Seen[before].Phase == dataflow.Complete {
				return dataflow.Ready, op.Affinity, nil
			}
			return state, a, err
		})},
		{"waits for the source only", f4, "F5", each(func(op *dataflow.Operation) {
			if op.RunAfter != nil && op.RunAfter.DependOn != nil {
				op.RunAfter.Ref = *op.RunAfter.DependOn
			}
		})},
		{"waits for a predecessor that was deleted after it completed", f4, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			for _, before := range v.Operations {
				if ref, ok := op.Predecessor(); ok && before.Ref == ref && state == dataflow.Ready {
					grandparent, ok := before.Predecessor()
					if ok && v.Seen[grandparent].Phase != dataflow.Complete {
						return dataflow.Waiting, nil, nil
					}
				}
			}
			return state, a, err
		})},
		{"starts a second time", f4, "F5", phases(func(o *dataflow.Observation) {
			if o.Phase == dataflow.Failed {
				o.Phase = dataflow.Pending
			}
		})},
		{"looks for references without a namespace in the default one", f4, "F5", each(func(op *dataflow.Operation) {
			if op.RunAfter != nil && op.RunAfter.Ref.Namespace == "" {
				op.RunAfter.Ref.Namespace = "default"
			}
		})},
		{"panics if the predecessor is gone", f4, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if ref, ok := op.Predecessor(); ok && !slices.ContainsFunc(v.Operations, func(o dataflow.Operation) bool { return o.Ref == ref }) {
				panic("not found: " + ref.String())
			}
			return state, a, err
		})},
		{"returns an error while it waits", f4, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Waiting {
				return "", nil, errors.New("not complete")
			}
			return state, a, err
		})},
		{"never returns", f4, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Blocked {
				blocked <- time.Time{}
				select {}
			}
			return state, a, err
		})},
		{"does not start", f4, "", func() dataflowtest.Controller { panic("no configuration") }},
		{"is nil", f4, "", func() dataflowtest.Controller { return nil }},
		{"keeps waiting once it waited", f4, "", func() dataflowtest.Controller {
			return remembering{true, map[dataflow.Ref]*corev1.Affinity{}}
		}},
		{"keeps the affinity of an earlier decision", f5, "F6 F7", func() dataflowtest.Controller {
			return remembering{false, map[dataflow.Ref]*corev1.Affinity{}}
		}},

		{"inherits nothing", f5, "F6", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Ready {
				a = op.Affinity
			}
			return state, a, err
		})},
		{"inherits from the predecessor instead of the source", f5, "F6 F7", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if ref, ok := op.Predecessor(); ok && state == dataflow.Ready && !op.Distributed {
				result, err := affinity.Inherit(op.Affinity, op.RunAfter.Strategy, v.Seen[ref].Labels)
				return state, result.Affinity, err
			}
			return state, a, err
		})},
		{"injects into a distributed operation", f7, "F4 F5", each(func(op *dataflow.Operation) { op.Distributed = false })},
		{"follows a recurring operation", f5, "F7", seeing(func(v *view) {
			for i := range v.Operations {
				v.Operations[i].Recurring = false
			}
			for ref, o := range v.Seen {
				if o.Phase == dataflow.Complete && o.Labels.Len() == 0 { // as if it had recorded its place
					for _, n := range v.Cluster.Nodes {
						if n.Name == o.Node {
							o.Labels = topology.Expose(n.Labels)
						}
					}
					v.Seen[ref] = o
				}
			}
		})},
		{"drops the own affinity", f5, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if op.Affinity != nil && op.RunAfter == nil {
				a = nil
			}
			return state, a, err
		})},
		{"drops pod affinity", f5, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if a != nil {
				a = &corev1.Affinity{NodeAffinity: a.NodeAffinity}
			}
			return state, a, err
		})},
		{"requires what it should prefer", f5, "", each(func(op *dataflow.Operation) {
			if op.RunAfter != nil && op.RunAfter.Strategy.Policy == affinity.Prefer {
				s := affinity.Strategy{Policy: affinity.Require}
				for _, p := range op.RunAfter.Strategy.Prefers {
					s.Requires = append(s.Requires, affinity.RequiredLabel{Key: p.Key})
				}
				op.RunAfter.Strategy = s
			}
		})},
		{"prefers with another weight", f5, "", each(func(op *dataflow.Operation) {
			if op.RunAfter != nil && op.RunAfter.Strategy.Policy == affinity.Prefer && len(op.RunAfter.Strategy.Prefers) == 0 {
				op.RunAfter.Strategy.Prefers = []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 1}}
			}
		})},
		{"prefers again what is preferred already", f5, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if source, ok := op.Source(); ok && state == dataflow.Ready && op.RunAfter.Strategy.Policy == affinity.Prefer && op.Affinity != nil {
				added, _ := affinity.Inherit(nil, op.RunAfter.Strategy, v.Seen[source].Labels)
				if added.Affinity != nil && op.Affinity.NodeAffinity != nil {
					a = op.Affinity.DeepCopy()
					a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
						added.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution...)
				}
			}
			return state, a, err
		})},
		{"does not look at the node selector", f5, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			var conflict *affinity.ConflictError
			if source, ok := op.Source(); ok && errors.As(err, &conflict) && op.NodeSelector != nil {
				if result, err := affinity.Inherit(op.Affinity, op.RunAfter.Strategy, v.Seen[source].Labels); err == nil {
					return dataflow.Ready, result.Affinity, nil
				}
			}
			return state, a, err
		})},
		{"takes an error for a conflict", f5, "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Ready && len(op.NodeSelector) > 0 && op.RunAfter != nil {
				return "", nil, errors.New("a node selector beside runAfter")
			}
			return state, a, err
		})},
		{"follows where the node is labelled now", f5, "F6", seeing(func(v *view) {
			for ref, o := range v.Seen {
				for i, op := range v.Operations {
					for _, n := range v.Cluster.Nodes {
						if n.Name == o.Node && op.Ref == ref && o.Phase == dataflow.Complete && !v.Operations[i].Recurring {
							o.Labels = topology.Expose(n.Labels, op.Exposes...)
						}
					}
				}
				v.Seen[ref] = o
			}
		})},
		{"takes the first node that is possible", f5, "F7", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state != dataflow.Ready || err != nil {
				return state, a, err
			}
			for i := range v.Cluster.Nodes {
				node := &v.Cluster.Nodes[i]
				if affinitytest.Match(a, node) && dataflowtest.RefusedBy(op, node, v.Cluster.Used[node.Name]) == "" {
					result, _ := affinity.Inherit(a, affinity.Strategy{Policy: affinity.Require}, topology.Expose(node.Labels))
					return state, result.Affinity, nil
				}
			}
			return state, a, err
		})},
		{"writes to what it sees", "", "", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			clear(v.Seen)
			v.Operations[0].Affinity, v.Cluster.Nodes[0].Labels = nil, nil
			return state, a, err
		})},

		{"lets an operation run anywhere", f6, "F5", deciding(func(op dataflow.Operation, v view, state dataflow.State, a *corev1.Affinity, err error) (dataflow.State, *corev1.Affinity, error) {
			if state == dataflow.Ready && op.RunAfter != nil && op.RunAfter.Strategy.Policy == affinity.Require {
				a = nil
			}
			return state, a, err
		})},
		{"follows all that ran before", f7, "F5 F6", seeing(func(v *view) {
			for _, op := range v.Operations {
				source, ok := op.Source()
				if o := v.Seen[source]; ok && o.Phase == dataflow.Complete {
					labels := map[string]string{}
					for _, other := range slices.SortedFunc(maps.Keys(v.Seen), func(a, b dataflow.Ref) int { return strings.Compare(a.String(), b.String()) }) {
						maps.Copy(labels, maps.Collect(v.Seen[other].Labels.All()))
					}
					maps.Copy(labels, maps.Collect(o.Labels.All()))
					o.Labels = topology.NewLabelSet(labels)
					v.Seen[source] = o
				}
			}
		})},
		{"does not look ahead", l3, "", always(resolve)},
		{"looks ahead at its direct followers", l3, "", always(func(ref dataflow.Ref, v view) (dataflow.State, *corev1.Affinity, error) {
			followers := slices.DeleteFunc(slices.Clone(v.Operations), func(op dataflow.Operation) bool {
				source, ok := op.Source()
				return op.Ref != ref && (!ok || source != ref) && v.Seen[op.Ref].Phase == ""
			})
			near := v
			near.Operations = followers
			if state, _, _ := resolve(ref, v); state != dataflow.Ready {
				return resolve(ref, v)
			}
			return foresee(ref, near)
		})},
	}
}

// Every mistake is found, by the law that it breaks, and no law fails that it does not break.
func TestMistakesAreFound(t *testing.T) {
	for i, m := range mistakes(nil) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			blocked := make(chan time.Time)
			m := mistakes(blocked)[i] // with variables of its own
			options := []dataflowtest.Option{dataflowtest.ExpireBy(blocked)}
			if testing.Short() && m.law != "" {
				options = append(options, dataflowtest.Skip(slices.DeleteFunc(dataflowtest.Laws(),
					func(law dataflowtest.Law) bool { return law == m.law })...))
			} else if m.law != dataflowtest.L3 {
				options = append(options, dataflowtest.Skip(dataflowtest.L3))
			}
			var laws []string
			found := m.law == ""
			for _, f := range dataflowtest.CheckController(m.start, options...) {
				laws = append(laws, string(f.Law))
				found = found || f.Law == m.law
				if f.Law != m.law && !slices.Contains(strings.Fields(m.also), string(f.Law)) {
					t.Errorf("not a mistake by %v", f)
				}
			}
			if !found {
				t.Errorf("law %s does not fail; %s do", m.law, laws)
			}
			t.Log(fmt.Sprint(laws))
		})
	}
}
