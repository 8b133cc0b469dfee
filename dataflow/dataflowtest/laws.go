package dataflowtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Law is the number of a law in slipstream's LAWS.md.
type Law string

// The laws of whole flows.
const (
	F4 Law = "F4"
	F5 Law = "F5"
	F6 Law = "F6"
	F7 Law = "F7"
	L3 Law = "L3"
)

// Laws returns the laws that are tested, in the order in which they are reported.
func Laws() []Law { return []Law{F4, F5, F6, F7, L3} }

// demand returns what a law demands of a controller, in one sentence.
func (l Law) demand() string {
	return map[Law]string{
		F4: "The state is that of what is seen now: Running or Finished by the operation's own phase; else Ready if its predecessor and its source are Complete, Blocked if one of them is Failed or Blocked, and Waiting otherwise.",
		F5: "The affinity of a Ready operation matches and prefers what affinity.Inherit gives for its own affinity and the labels that its source recorded, and excludes no other node from which the flow can complete; an impossible one, node selector included, is a *affinity.ConflictError.",
		F6: "An operation with policy Require runs on a node that has, for every required label that its source recorded, the recorded value.",
		F7: "An operation inherits only what its source recorded, and nothing of the nodes where other operations ran.",
		L3: "A flow that can complete does complete, on whatever node that an affinity matches and the scheduler admits each operation runs.",
	}[l]
}

// decision is what a controller decided for an operation.
type decision struct {
	state     dataflow.State
	affinity  *corev1.Affinity
	err       error
	text      string // the error, for a message
	conflicts bool
	wrong     string // the call panicked, or did not return
}

// wrong returns the law that a decision breaks and what was seen, or "".
func (v View) wrong(op dataflow.Operation, d decision) (Law, string) {
	want := States(v.Operations, v.Seen)[op.Ref]
	switch {
	case d.wrong != "":
		return F4, d.wrong
	case d.err != nil && want != dataflow.Ready:
		return F4, fmt.Sprintf("the decision is %s, want the state %s", d.text, want)
	case d.err == nil && d.state != want:
		return F4, fmt.Sprintf("the state is %s, want %s", message.Printable(string(d.state)), want)
	case want != dataflow.Ready:
		return "", ""
	}
	switch conflicts := v.conflicts(op); {
	case conflicts && !d.conflicts:
		return F5, fmt.Sprintf("no node can have the labels %v, and the decision is %s, with affinity %s", v.required(op), d.text, excerpt(d.affinity))
	case conflicts:
		return "", ""
	case d.err != nil:
		return F5, "the decision is " + d.text
	}
	return v.wrongAffinity(op, d.affinity)
}

// wrongAffinity returns the law that the affinity of an operation that is Ready breaks, or "".
func (v View) wrongAffinity(op dataflow.Operation, a *corev1.Affinity) (Law, string) {
	required := v.required(op)
	expected := func(n *corev1.Node) bool { return affinitytest.Match(op.Affinity, n) && has(n, required) }
	for _, n := range v.nodes(op) {
		if affinitytest.Match(a, n) && !expected(n) {
			return F5, fmt.Sprintf("the affinity %s matches the node %s with labels %v, which does not have what its own affinity and the inherited labels %v ask for", excerpt(a), n.Name, n.Labels, required)
		}
		if got, want := affinitytest.Score(a, n), v.score(op, n); got != want && expected(n) {
			return F5, fmt.Sprintf("the affinity %s gives the node %s with labels %v the score %d, want %d", excerpt(a), n.Name, n.Labels, got, want)
		}
	}
	if got, want := podParts(a), podParts(op.Affinity); got != want {
		return F5, fmt.Sprintf("pod affinity and anti-affinity are %s, want %s", message.Excerpt(got), message.Excerpt(want))
	}
	if !v.completable() {
		return "", "" // no law says how a flow that cannot complete is narrowed
	}
	var excluded []*corev1.Node
	for i := range v.Cluster.Nodes {
		if n := &v.Cluster.Nodes[i]; expected(n) && v.feasible(op, n) && !affinitytest.Match(a, n) {
			excluded = append(excluded, n)
		}
	}
	if len(excluded) == 0 {
		return "", ""
	}
	source, _ := sourceOf(op)
	for _, other := range slices.SortedFunc(maps.Keys(v.Seen), compareRefs) {
		// Does it match with the labels that only this one recorded?
		foreign := maps.Collect(v.Seen[other].Labels.All())
		maps.DeleteFunc(foreign, func(key, value string) bool {
			of, ok := v.Seen[source].Labels.Get(key)
			_, inherited := required[key]
			return inherited || ok && of == value
		})
		if len(foreign) > 0 && !slices.ContainsFunc(excluded, func(n *corev1.Node) bool { return !affinitytest.Match(a, labelled(n, foreign)) }) {
			return F7, fmt.Sprintf("the affinity %s excludes the node %s with labels %v, and would match it with %v, which %s recorded, and that is not the source", excerpt(a), excluded[0].Name, excluded[0].Labels, foreign, other)
		}
	}
	return F5, fmt.Sprintf("the affinity %s excludes the node %s with labels %v, on which the operation can run and the flow complete", excerpt(a), excluded[0].Name, excluded[0].Labels)
}

// nodes returns nodes that can make a difference for the affinity of an operation: those of the cluster,
// and nodes that have what it asks for, with what operations recorded and without.
func (v View) nodes(op dataflow.Operation) []*corev1.Node {
	var nodes []*corev1.Node
	for i := range v.Cluster.Nodes {
		nodes = append(nodes, &v.Cluster.Nodes[i])
	}
	if own := affinitytest.FindMatch(op.Affinity, nil); own != nil {
		nodes = append(nodes, own)
	}
	if both := affinitytest.FindMatch(op.Affinity, v.required(op)); both != nil {
		nodes = append(nodes, both)
	}
	for _, n := range slices.Clone(nodes) {
		for _, labels := range []map[string]string{v.recorded(op), v.required(op)} {
			nodes = append(nodes, labelled(n, labels))
		}
	}
	return nodes
}

// labelled returns a node with the name and the labels of n, and more labels.
func labelled(n *corev1.Node, more map[string]string) *corev1.Node {
	labels := map[string]string{}
	maps.Copy(labels, n.Labels)
	maps.Copy(labels, more)
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: labels}}
}

func compareRefs(a, b dataflow.Ref) int { return cmp.Compare(a.String(), b.String()) }

func podParts(a *corev1.Affinity) string {
	if a == nil {
		a = &corev1.Affinity{}
	}
	return encode(corev1.Affinity{PodAffinity: a.PodAffinity, PodAntiAffinity: a.PodAntiAffinity})
}

func encode(v any) string {
	encoded, _ := json.Marshal(v) // the types of this package have no values that cannot be encoded
	return string(encoded)
}

func excerpt(v any) string { return message.Excerpt(encode(v)) }
