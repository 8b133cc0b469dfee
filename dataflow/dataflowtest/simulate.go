package dataflowtest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// scenario is a flow, a cluster, and what chance decides in a run.
type scenario struct {
	operations []dataflow.Operation
	cluster    Cluster
	calm       bool  // nothing fails, is deleted or changes, and reads are not stale
	tape       []int // each choice is the next number, modulo the number of possibilities; 0 after the last
}

func scenarios() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		return scenario{
			operations: Flows().Draw(t, "flow"),
			cluster:    Clusters().Draw(t, "cluster"),
			calm:       rapid.Bool().Draw(t, "calm"),
			tape:       tape(rapid.Uint64().Draw(t, "chance")),
		}
	})
}

// tape returns the same numbers for the same seed.
func tape(seed uint64) []int {
	chance := rand.New(rand.NewPCG(seed, 0))
	tape := make([]int, 80)
	for i := range tape {
		tape[i] = chance.IntN(48)
	}
	return tape
}

// run is a flow that runs in a cluster.
type run struct {
	*subject
	controller Controller
	scenario   scenario
	position   int // in the tape

	now     View
	before  []View // what was true at each earlier step
	labels  map[dataflow.Ref]map[string]string
	history []string
	over    bool // the controller did not start
	failed  map[Law]*Failure
}

// choose returns one of n possibilities.
func (r *run) choose(n int) int {
	if n == 0 || r.position >= len(r.scenario.tape) {
		return 0
	}
	r.position++
	return r.scenario.tape[r.position-1] % n
}

func (r *run) note(format string, args ...any) {
	r.history = append(r.history, fmt.Sprintf(format, args...))
}

func (r *run) fail(law Law, seen string, ref dataflow.Ref, view View) {
	if r.failed[law] == nil && !r.skips(law) {
		reached := r.scenario
		reached.tape = reached.tape[:min(r.position, len(reached.tape))]
		r.failed[law] = &Failure{
			Law: law, Demand: law.demand(), Seen: message.Cut(seen, message.Limit),
			Operation: ref, View: view, History: slices.Clone(r.history), scenario: reached,
		}
	}
}

// play runs a scenario, and returns the first failure of each law.
func (s *subject) play(of scenario) map[Law]*Failure {
	r := &run{subject: s, scenario: of, labels: map[dataflow.Ref]map[string]string{}, failed: map[Law]*Failure{}}
	r.now = View{Operations: of.operations, Seen: map[dataflow.Ref]dataflow.Observation{}, Cluster: of.cluster}.clone()
	r.restart()
	for of.calm && !r.over {
		r.stepCalmly()
	}
	for !of.calm && !r.over {
		r.step()
		r.over = r.over || r.position >= len(r.scenario.tape)
	}
	return r.failed
}

// restart makes a new controller, which knows nothing of what the one before saw.
func (r *run) restart() {
	wrong, hung := r.guard.Call(func() { r.controller = r.start() })
	if wrong != "" || r.controller == nil {
		r.over, r.hung = true, hung
		r.fail(F4, "start gives no controller: "+cmp.Or(wrong, "it returns nil"), dataflow.Ref{}, r.now)
	}
}

// decide asks the controller for a decision on each operation of a view, checks them, and returns the
// affinities of those that are Ready.
func (r *run) decide(view View) map[dataflow.Ref]*corev1.Affinity {
	ready := map[dataflow.Ref]*corev1.Affinity{}
	for _, op := range view.Operations {
		d := r.ask(r.controller, op.Ref, view)
		if law, seen := view.wrong(op, d); law != "" {
			r.fail(law, seen, op.Ref, view)
		}
		if r.hung {
			r.over = true
			return nil
		}
		if d.err == nil && d.wrong == "" && d.state == dataflow.Ready {
			ready[op.Ref] = d.affinity
		}
	}
	return ready
}

// step asks for decisions, and does one of the things that happen in a cluster.
func (r *run) step() {
	r.before = append(r.before, r.now.clone())
	view := r.now.clone()
	if r.choose(4) == 3 {
		i := r.choose(len(r.before))
		view = r.before[i].clone()
		r.note("the controller reads what was true at step %d", i)
	}
	ready := r.decide(view)
	switch r.choose(16) {
	default:
		r.startOne(view, ready)
	case 5, 6, 7, 8:
		r.endOne(dataflow.Complete)
	case 9:
		r.endOne(dataflow.Failed)
	case 10:
		r.deleteOne()
	case 11, 12:
		r.relabelOne()
	case 13:
		r.note("the controller is restarted")
		r.restart()
	case 14, 15:
		r.runAgain()
	}
}

// startOne starts an operation that is Ready on a node that the scheduler chooses. One that exists no
// longer, or has started already, cannot be started: the API server refuses its pod.
func (r *run) startOne(view View, ready map[dataflow.Ref]*corev1.Affinity) {
	var startable []dataflow.Operation
	for _, op := range r.now.Operations {
		if _, ok := ready[op.Ref]; ok && r.now.Seen[op.Ref].Phase == "" {
			startable = append(startable, op)
		}
	}
	if len(startable) == 0 {
		return
	}
	op := startable[r.choose(len(startable))]
	nodes := r.admitting(op, ready[op.Ref])
	if len(nodes) == 0 {
		r.note("%s is pending", op.Ref)
		return
	}
	r.place(view, op, nodes[r.choose(len(nodes))])
}

// admitting returns the nodes on which the scheduler runs an operation with an affinity, instead of its
// own one.
func (r *run) admitting(op dataflow.Operation, a *corev1.Affinity) []*corev1.Node {
	op.Affinity = a
	var nodes []*corev1.Node
	for i := range r.now.Cluster.Nodes {
		if n := &r.now.Cluster.Nodes[i]; RefusedBy(op, n, r.now.Cluster.Used[n.Name]) == "" {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (r *run) place(view View, op dataflow.Operation, node *corev1.Node) {
	r.note("%s runs on %s", op.Ref, node.Name)
	if required := view.required(op); !has(node, required) {
		r.fail(F6, fmt.Sprintf("it runs on the node %s with labels %v, and its source recorded %v", node.Name, node.Labels, required), op.Ref, view)
	}
	r.labels[op.Ref] = maps.Clone(node.Labels)
	r.now.Seen[op.Ref] = dataflow.Observation{Phase: dataflow.Executing, Node: node.Name}
}

// with returns the operations whose phase is one of some.
func (r *run) with(phases ...dataflow.Phase) []dataflow.Operation {
	var ops []dataflow.Operation
	for _, op := range r.now.Operations {
		if slices.Contains(phases, r.now.Seen[op.Ref].Phase) {
			ops = append(ops, op)
		}
	}
	return ops
}

// endOne ends an operation that runs. It records the labels that its node had when it started.
func (r *run) endOne(phase dataflow.Phase) {
	running := r.with(dataflow.Executing)
	if len(running) == 0 {
		return
	}
	op := running[r.choose(len(running))]
	o := r.now.Seen[op.Ref]
	if o.Phase = phase; phase == dataflow.Complete {
		o.Labels = topology.NewLabelSet(exposed(op, r.labels[op.Ref]))
	}
	r.now.Seen[op.Ref] = o
	r.note("%s is %s, and recorded %v", op.Ref, phase, o.Labels)
}

// deleteOne deletes an operation that has ended, as its TTL does.
func (r *run) deleteOne() {
	ended := r.with(dataflow.Complete, dataflow.Failed)
	if len(ended) == 0 {
		return
	}
	ref := ended[r.choose(len(ended))].Ref
	r.now.Operations = slices.DeleteFunc(r.now.Operations, func(op dataflow.Operation) bool { return op.Ref == ref })
	delete(r.now.Seen, ref)
	r.note("%s is deleted", ref)
}

// runAgain creates an operation that has ended or was deleted once more.
func (r *run) runAgain() {
	var ended []dataflow.Operation
	for _, op := range r.scenario.operations {
		if _, exists := r.now.operation(op.Ref); !exists || slices.Contains([]dataflow.Phase{dataflow.Complete, dataflow.Failed}, r.now.Seen[op.Ref].Phase) {
			ended = append(ended, op)
		}
	}
	if len(ended) == 0 {
		return
	}
	op := ended[r.choose(len(ended))]
	if _, exists := r.now.operation(op.Ref); !exists {
		r.now.Operations = append(r.now.Operations, op)
	}
	delete(r.now.Seen, op.Ref)
	r.note("%s is created again", op.Ref)
}

// relabelOne changes, adds or removes a label of a node.
func (r *run) relabelOne() {
	nodes := r.now.Cluster.Nodes
	if len(nodes) == 0 {
		return
	}
	node, key := &nodes[r.choose(len(nodes))], keys()[1+r.choose(len(keys())-1)]
	if value := r.choose(3); value == 0 {
		delete(node.Labels, key)
	} else {
		node.Labels[key] = fmt.Sprint(value)
	}
	r.note("%s has the labels %v", node.Name, node.Labels)
}

// stepCalmly starts an operation that can start, on any node, or ends one that runs. The run is over if
// there is neither.
func (r *run) stepCalmly() {
	view := r.now.clone()
	ready := r.decide(view)
	var possible []func()
	waiting := ""
	for _, op := range r.now.Operations {
		if r.now.Seen[op.Ref].Phase != "" {
			continue
		}
		nodes := r.admitting(op, ready[op.Ref])
		if _, ok := ready[op.Ref]; !ok {
			waiting = cmp.Or(waiting, op.Ref.String()+" is never Ready")
		} else if len(nodes) == 0 {
			waiting = op.Ref.String() + " is Ready, and its affinity matches no node that admits it"
		} else {
			possible = append(possible, func() { r.place(view, op, nodes[r.choose(len(nodes))]) })
		}
	}
	if len(r.with(dataflow.Executing)) > 0 {
		possible = append(possible, func() { r.endOne(dataflow.Complete) })
	}
	if len(possible) > 0 && !r.over {
		possible[r.choose(len(possible))]()
		return
	}
	if start := (View{Operations: r.scenario.operations, Cluster: r.scenario.cluster}); waiting != "" && !r.over && start.completable() {
		r.fail(L3, waiting, dataflow.Ref{}, view)
	}
	r.over = true
}

// clone returns a view that shares no memory with v.
func (v View) clone() View {
	v.Operations = slices.Clone(v.Operations)
	for i := range v.Operations {
		v.Operations[i] = v.Operations[i].DeepCopy()
	}
	v.Seen = maps.Clone(v.Seen)
	v.Cluster.Nodes = slices.Clone(v.Cluster.Nodes)
	for i := range v.Cluster.Nodes {
		v.Cluster.Nodes[i] = *v.Cluster.Nodes[i].DeepCopy()
	}
	v.Cluster.Used = maps.Clone(v.Cluster.Used)
	for name, used := range v.Cluster.Used {
		v.Cluster.Used[name] = used.DeepCopy()
	}
	return v
}
