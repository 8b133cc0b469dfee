package conformance_test

import (
	"fmt"
	"slices"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/internal/comparison"
)

// draw draws inputs.
type draw struct{ *comparison.Draw }

func (d *draw) oneIn(n int) bool { return d.IntN(n) == 0 }

func oneOf[E any](d *draw, choices ...E) E { return choices[d.IntN(len(choices))] }

// several draws up to n elements; none is nil or empty, as often as not. Spare capacity is
// left behind the elements at times, where an append would land.
func several[E any](d *draw, n int, draw func() E) []E {
	count := d.IntN(n + 1)
	if count == 0 && d.oneIn(2) {
		return nil
	}
	elements := make([]E, count, count+2*d.IntN(2))
	for i := range elements {
		elements[i] = draw()
	}
	return elements
}

// The alphabets are those of the root's tests.
var keys, values, nodeNames = affinitytest.Keys(), affinitytest.Values(), affinitytest.Names()

func (d *draw) key() string   { return oneOf(d, keys...) }
func (d *draw) value() string { return oneOf(d, values...) }

// labels draws the labels of a node, or those that an operation exposes.
func (d *draw) labels() map[string]string {
	labels := map[string]string{}
	for _, key := range keys {
		if d.oneIn(2) {
			labels[key] = d.value()
		}
	}
	return labels
}

func requirement(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: operator, Values: values}
}

func (d *draw) equality() corev1.NodeSelectorRequirement {
	return requirement(d.key(), corev1.NodeSelectorOpIn, d.value())
}

var operators = []corev1.NodeSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}

func (d *draw) expression() corev1.NodeSelectorRequirement {
	if d.oneIn(3) {
		return d.equality()
	}
	e := requirement(d.key(), oneOf(d, operators...))
	switch e.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		e.Values = append(several(d, 2, d.value), d.value())
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		e.Values = []string{oneOf(d, "2", "3", "4", "003", "9223372036854775807")}
	}
	return e
}

func (d *draw) term() corev1.NodeSelectorTerm {
	term := corev1.NodeSelectorTerm{MatchExpressions: several(d, 3, d.expression)}
	if d.oneIn(4) {
		term.MatchFields = several(d, 2, func() corev1.NodeSelectorRequirement {
			return requirement(metav1.ObjectNameField, oneOf(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn), oneOf(d, nodeNames...))
		})
	}
	return term
}

// weight has few values, one of them the default, so that weights collide too.
func (d *draw) weight() int32 { return oneOf[int32](d, 1, 7, 100) }

// preference draws weighted terms, half of them like those that are inherited.
func (d *draw) preference() corev1.PreferredSchedulingTerm {
	p := corev1.PreferredSchedulingTerm{Weight: d.weight(), Preference: d.term()}
	if d.oneIn(2) {
		p.Preference = corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{d.equality()}}
	}
	return p
}

// affinity draws an own affinity, as an API server accepts it, but that its required part
// may have no terms.
func (d *draw) affinity() *corev1.Affinity {
	if d.oneIn(8) {
		return nil
	}
	a := &corev1.Affinity{}
	if !d.oneIn(8) {
		a.NodeAffinity = &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: several(d, 3, d.preference)}
		if !d.oneIn(3) {
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: several(d, 3, d.term)}
		}
	}
	if d.oneIn(4) {
		a.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: several(d, 1, d.podTerm)}
	}
	if d.oneIn(4) {
		a.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: several(d, 1, d.podTerm)}
	}
	return a
}

func (d *draw) podTerm() corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{
		TopologyKey: d.key(), LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": d.value()}},
	}
}

var affinityCorners = append([]string{
	"own: nil", "own: no node affinity", "own: nothing required", "own: required, terms nil", "own: required, terms empty",
	"own: several terms", "own: empty term", "own: fields", "own: preferences", "own: pod affinity",
}, func() (corners []string) {
	for _, o := range operators {
		corners = append(corners, "own: operator "+string(o))
	}
	return corners
}()...)

// inspectAffinity counts the corners of an own affinity.
func (d *draw) inspectAffinity(a *corev1.Affinity) {
	if d.Hit("own: nil", a == nil) {
		return
	}
	d.Hit("own: pod affinity", a.PodAffinity != nil || a.PodAntiAffinity != nil)
	if d.Hit("own: no node affinity", a.NodeAffinity == nil) {
		return
	}
	d.Hit("own: preferences", len(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0)
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if d.Hit("own: nothing required", required == nil) {
		return
	}
	d.Hit("own: required, terms nil", required.NodeSelectorTerms == nil)
	d.Hit("own: required, terms empty", required.NodeSelectorTerms != nil && len(required.NodeSelectorTerms) == 0)
	d.Hit("own: several terms", len(required.NodeSelectorTerms) > 1)
	for _, term := range required.NodeSelectorTerms {
		d.Hit("own: empty term", isEmpty(term))
		d.Hit("own: fields", len(term.MatchFields) > 0)
		for _, e := range term.MatchExpressions {
			d.Hit("own: operator "+string(e.Operator), true)
		}
	}
}

func isEmpty(term corev1.NodeSelectorTerm) bool {
	return len(term.MatchExpressions)+len(term.MatchFields) == 0
}

// strategy draws a strategy, one in eight of them invalid. The list that its policy does not
// read has no effect, and may be malformed.
func (d *draw) strategy() datav1alpha1.AffinityStrategy {
	s := datav1alpha1.AffinityStrategy{Policy: oneOf(d,
		datav1alpha1.DefaultAffinityStrategy,
		datav1alpha1.RequireAffinityStrategy, datav1alpha1.RequireAffinityStrategy, datav1alpha1.RequireAffinityStrategy,
		datav1alpha1.PreferAffinityStrategy, datav1alpha1.PreferAffinityStrategy, datav1alpha1.PreferAffinityStrategy,
	)}
	s.Requires = several(d, 3, func() datav1alpha1.Require { return datav1alpha1.Require{Name: d.key()} })
	s.Prefers = several(d, 3, func() datav1alpha1.Prefer { return datav1alpha1.Prefer{Name: d.key(), Weight: d.weight()} })
	if !d.oneIn(8) {
		return s
	}
	switch name := oneOf(d, "", "not a key", "a/b/c"); d.IntN(4) {
	case 0:
		s.Policy = oneOf[datav1alpha1.AffinityPolicy](d, "require", "Required", "Near")
	case 1:
		s.Requires = append(s.Requires, datav1alpha1.Require{Name: name})
	case 2:
		s.Prefers = append(s.Prefers, datav1alpha1.Prefer{Name: name, Weight: 1})
	default:
		s.Prefers = append(s.Prefers, datav1alpha1.Prefer{Name: d.key(), Weight: oneOf[int32](d, 0, 101, -1)})
	}
	return s
}

var strategyCorners = []string{
	"policy: none", "policy: Require", "policy: Prefer", "policy: unknown", "strategy: default", "strategy: several labels",
	"strategy: a label twice", "strategy: malformed key", "strategy: weight out of bounds", "strategy: a list that is not read", "dependOn",
}

// inspectStrategy counts the corners of a strategy, and returns the labels that it follows,
// each once, and whether it is valid.
func (d *draw) inspectStrategy(s datav1alpha1.AffinityStrategy) (follows []string, valid bool) {
	valid = true
	d.Hit("dependOn", s.DependOn != nil)
	var listed []string
	switch s.Policy {
	case datav1alpha1.DefaultAffinityStrategy:
		d.Hit("policy: none", true)
		return nil, true
	case datav1alpha1.RequireAffinityStrategy:
		d.Hit("strategy: a list that is not read", len(s.Prefers) > 0)
		for _, r := range s.Requires {
			listed = append(listed, r.Name)
		}
	case datav1alpha1.PreferAffinityStrategy:
		d.Hit("strategy: a list that is not read", len(s.Requires) > 0)
		for _, p := range s.Prefers {
			listed = append(listed, p.Name)
			if d.Hit("strategy: weight out of bounds", p.Weight < 1 || p.Weight > 100) {
				valid = false
			}
		}
	default:
		d.Hit("policy: unknown", true)
		return nil, false
	}
	d.Hit("policy: "+string(s.Policy), true)
	if d.Hit("strategy: default", len(listed) == 0) {
		listed = []string{corev1.LabelHostname}
	}
	d.Hit("strategy: several labels", len(listed) > 1)
	for _, key := range listed {
		if d.Hit("strategy: malformed key", !slices.Contains(keys, key)) {
			valid = false
		}
		if !d.Hit("strategy: a label twice", slices.Contains(follows, key)) {
			follows = append(follows, key)
		}
	}
	return follows, valid
}

// recorded returns labels as Fluid stores them, in any order.
func (d *draw) recorded(labels map[string]string) *corev1.NodeAffinity {
	var expressions []corev1.NodeSelectorRequirement
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			expressions = append(expressions, requirement(key, corev1.NodeSelectorOpIn, value))
		}
	}
	d.Shuffle(len(expressions), func(i, j int) { expressions[i], expressions[j] = expressions[j], expressions[i] })
	return &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: expressions}},
	}}
}

// nodeAffinity draws what the status of an operation records, at times as no Fluid writes it.
func (d *draw) nodeAffinity() *corev1.NodeAffinity {
	if d.oneIn(10) {
		return nil
	}
	a := d.recorded(d.labels())
	required := a.RequiredDuringSchedulingIgnoredDuringExecution
	term := &required.NodeSelectorTerms[0]
	if !d.oneIn(4) {
		return a
	}
	switch d.IntN(10) {
	case 0:
		a.RequiredDuringSchedulingIgnoredDuringExecution = nil
	case 1:
		required.NodeSelectorTerms = nil
	case 2:
		required.NodeSelectorTerms = []corev1.NodeSelectorTerm{}
	case 3:
		*term = corev1.NodeSelectorTerm{}
	case 4:
		required.NodeSelectorTerms = append(required.NodeSelectorTerms, d.term())
	case 5:
		a.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{d.preference()}
	case 6:
		term.MatchFields = []corev1.NodeSelectorRequirement{requirement(metav1.ObjectNameField, corev1.NodeSelectorOpIn, oneOf(d, nodeNames...))}
	default:
		term.MatchExpressions = append(term.MatchExpressions, d.expression())
	}
	return a
}

var statusCorners = []string{
	"status: nil", "status: nothing required", "status: terms nil", "status: terms empty", "status: empty term", "status: several terms",
	"status: preferences", "status: fields", "status: a label twice", "status: another operator", "status: several values", "status: as Fluid writes it",
}

// labelsIn counts the corners of what a status records. It returns the labels and whether
// Fluid writes such a status.
func (d *draw) labelsIn(a *corev1.NodeAffinity) (labels map[string]string, sound bool) {
	if d.Hit("status: nil", a == nil) {
		return nil, true
	}
	sound = !d.Hit("status: preferences", len(a.PreferredDuringSchedulingIgnoredDuringExecution) > 0)
	required := a.RequiredDuringSchedulingIgnoredDuringExecution
	if d.Hit("status: nothing required", required == nil) {
		return nil, sound
	}
	d.Hit("status: terms nil", required.NodeSelectorTerms == nil)
	d.Hit("status: terms empty", required.NodeSelectorTerms != nil && len(required.NodeSelectorTerms) == 0)
	labels = map[string]string{}
	for i, term := range required.NodeSelectorTerms {
		d.Hit("status: empty term", isEmpty(term))
		sound = !d.Hit("status: several terms", i > 0) && sound
		sound = !d.Hit("status: fields", len(term.MatchFields) > 0) && sound
		for _, e := range term.MatchExpressions {
			_, twice := labels[e.Key]
			sound = !d.Hit("status: a label twice", twice) && sound
			sound = !d.Hit("status: another operator", e.Operator != corev1.NodeSelectorOpIn) && sound
			sound = !d.Hit("status: several values", len(e.Values) > 1) && sound
			if len(e.Values) == 1 {
				labels[e.Key] = e.Values[0]
			}
		}
	}
	d.Hit("status: as Fluid writes it", sound && len(labels) > 0)
	return labels, sound
}

var (
	kinds      = []string{"DataLoad", "DataMigrate", "DataProcess", "DataBackup"}
	namespaces = []string{"default", "other"}
)

// operation returns an object of Fluid's API.
func operation(kind, namespace, name string, runAfter *datav1alpha1.OperationRef, status datav1alpha1.OperationStatus) client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	switch kind {
	case "DataLoad":
		return &datav1alpha1.DataLoad{ObjectMeta: meta, Spec: datav1alpha1.DataLoadSpec{RunAfter: runAfter}, Status: status}
	case "DataMigrate":
		return &datav1alpha1.DataMigrate{ObjectMeta: meta, Spec: datav1alpha1.DataMigrateSpec{RunAfter: runAfter, Parallelism: 1}, Status: status}
	case "DataProcess":
		return &datav1alpha1.DataProcess{ObjectMeta: meta, Spec: datav1alpha1.DataProcessSpec{RunAfter: runAfter}, Status: status}
	case "DataBackup":
		return &datav1alpha1.DataBackup{ObjectMeta: meta, Spec: datav1alpha1.DataBackupSpec{RunAfter: runAfter}, Status: status}
	}
	panic(fmt.Sprintf("no kind of operation: %q", kind))
}

// status draws the status of an operation that is complete, most of the time.
func (d *draw) status() datav1alpha1.OperationStatus {
	phase := common.PhaseComplete
	if d.oneIn(12) {
		phase = oneOf(d, common.PhaseNone, common.PhasePending, common.PhaseExecuting, common.PhaseFailed)
	}
	return datav1alpha1.OperationStatus{Phase: phase, NodeAffinity: d.nodeAffinity()}
}
