package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// forecast is where an operation can run. It is worked out when it is printed: for
// many operations on many nodes it is long.
type forecast struct {
	of  *dataflow.Forecast
	ref dataflow.Ref
}

type strand struct {
	Node  string       `json:"node"`
	Dooms dataflow.Ref `json:"dooms"`
}

// MarshalJSON returns the nodes that are feasible, those that strand a follower, and the
// affinity that is narrowed to the former; null if there is none.
func (f *forecast) MarshalJSON() ([]byte, error) {
	printed := struct {
		Nodes    []string         `json:"nodes"`
		Strands  []strand         `json:"strands"`
		Affinity *corev1.Affinity `json:"affinity"`
		Reason   string           `json:"reason"` // why the flow fails here
	}{append([]string{}, f.of.Nodes(f.ref)...), []strand{}, nil, f.of.Reason(f.ref)}
	for _, s := range f.of.Strands(f.ref) {
		printed.Strands = append(printed.Strands, strand{s.Node, s.Blocks})
	}
	printed.Affinity, _ = f.of.Affinity(f.ref)
	return json.Marshal(printed)
}

// lookahead reports what followers force on operations, which stand at the given places
// of the report, and where they contradict each other over more than one step:
// Flow.Problems looks at one.
func (r *reporter) lookahead(f *dataflow.Flow, at []int32) {
	byName := map[string]dataflow.Ref{}
	i := 0
	for foresight := range f.LookaheadAll() {
		r.Operations[at[i]].Lookahead = foresight.Affinity
		i++
		var conflict *affinity.ConflictError
		if !errors.As(foresight.Err, &conflict) || r.contradicting[conflict.Foreseen.Follower] || r.contradicting[conflict.Source] {
			continue
		}
		if len(byName) == 0 {
			for _, i := range at {
				byName[r.Operations[i].String()] = r.Operations[i].Ref
			}
		}
		r.contradicting[conflict.Foreseen.Follower] = true
		r.found(dataflow.Problem{
			Code: dataflow.CodeContradiction, Severity: dataflow.SeverityError, Operation: byName[conflict.Foreseen.Follower],
			Field:   strategyField,
			Message: conflict.Error() + "; change one of them, or follow another label",
		})
	}
}

// nodes is what is known of the nodes beside their index.
type nodes struct {
	byHostname map[string]string // the names
}

func newNodes(all []corev1.Node) *nodes {
	n := &nodes{map[string]string{}}
	for i := range all {
		if hostname, ok := all[i].Labels[topology.Hostname]; ok {
			n.byHostname[hostname] = all[i].Name
		}
	}
	return n
}

// forecast reports where the operations of a flow can run, and where they ran. There is nothing to say of a
// flow of which some operations are at fault: what they demand is not known.
func (r *reporter) forecast(f *dataflow.Flow, operations []operation, faulty bool) (*dataflow.Forecast, map[dataflow.Ref]string) {
	if r.nodes == nil {
		return nil, nil
	}
	failed := slices.ContainsFunc(operations, func(o operation) bool { return o.Phase == dataflow.Failed })
	if faulty || failed {
		r.incompletable()
		return nil, nil
	}
	ran := r.places(f)
	fc, err := f.ForecastOn(r.in.indexed, dataflow.ForecastOptions{Ran: ran})
	if err != nil { // a malformed demand or a circle of sources, reported as a problem already
		r.incompletable()
		return nil, nil
	}
	if !fc.Completable() {
		r.incompletable()
	}
	for _, p := range fc.Problems() {
		if p.Code != dataflow.CodeImpossible || !r.contradicting[p.Operation.String()] { // no nodes would help
			r.found(p)
		}
	}
	for i := range operations {
		operations[i].Forecast = &forecast{fc, operations[i].Ref}
	}
	return fc, ran
}

func (r *reporter) incompletable() {
	if r.Completable != nil {
		*r.Completable = false
	}
}

// places returns where operations ran: on the node that --ran says, or on the one with the
// hostname that was recorded. Nobody knows where one ran that is complete but for which none
// was recorded.
func (r *reporter) places(f *dataflow.Flow) map[dataflow.Ref]string {
	ran := map[dataflow.Ref]string{}
	for op := range f.Operations() {
		if name, ok := r.in.ran[op.Ref]; ok {
			ran[op.Ref] = name
		} else if seen := r.seen[op.Ref]; seen.Phase == dataflow.Complete {
			ran[op.Ref] = ""
			if hostname, ok := seen.Labels.Get(topology.Hostname); ok {
				ran[op.Ref] = cmp.Or(r.nodes.byHostname[hostname], hostname)
			}
		}
	}
	return ran
}
