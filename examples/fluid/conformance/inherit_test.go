package conformance_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
)

// The defects of Fluid that TestInheritAgreesWithFluid meets, each asserted of the real one
// wherever an input meets it.
const (
	u1Lost         = "U1: the requirement is lost with an own one"
	u2InPlace      = "U2: the own affinity is changed in place"
	u2Twice        = "U2: a preference that is there already is listed again"
	u3Panic        = "U3: Prefer panics at a status without a required part"
	u5Silent       = "U5: a label that is not exposed is skipped without a word"
	u6Lost         = "U6: an empty list of own terms counts as terms"
	u8Policy       = "U8: an unknown policy is accepted where nothing was recorded"
	u8Key          = "U8: a malformed label key is accepted"
	u8Weight       = "U8: a weight out of bounds is accepted"
	u9Alias        = "U9: the status shares memory with the result"
	beyondConflict = "beyond: what no node can meet is no error in Fluid (B4)"
	beyondNilTerms = "beyond: own required terms that are nil count as nothing required (R1)"
	beyondTwice    = "beyond: a label listed twice is required twice (I2)"
	beyondNoTerms  = "beyond: a recorded list without terms is an error in Fluid (E4)"
	beyondStatus   = "beyond: a status that Fluid does not write is taken as it is (E4)"
)

// follower is an operation that is about to start.
type follower struct {
	runAfter  *datav1alpha1.OperationRef
	namespace string
	own       *corev1.Affinity
	source    *datav1alpha1.OperationStatus // of what it inherits from; nil if that is not there
	others    []client.Object               // with names like the source's, in vain
}

// outcome is what a function did with a follower.
type outcome struct {
	affinity *corev1.Affinity
	err      error
	panicked bool
	changed  bool // the own affinity that it was given
	shares   bool // memory of the status that it read
}

// follower draws operations that follow another one.
func (d *draw) follower() follower {
	f := follower{namespace: oneOf(d, namespaces...), own: d.affinity()}
	if d.oneIn(32) {
		return f
	}
	ref := func(name string) datav1alpha1.ObjectRef {
		return datav1alpha1.ObjectRef{Kind: oneOf(d, kinds...), Name: name, Namespace: oneOf(d, append(namespaces, "")...)}
	}
	f.runAfter = &datav1alpha1.OperationRef{ObjectRef: ref("before"), AffinityStrategy: d.strategy()}
	if d.oneIn(3) {
		on := ref("earlier")
		f.runAfter.AffinityStrategy.DependOn = &on
	}
	if d.oneIn(64) {
		f.reference().Kind = oneOf(d, "Job", "dataload", "")
	}
	if !d.oneIn(32) {
		status := d.status()
		f.source = &status
	}
	for range d.IntN(3) {
		if other := operation(oneOf(d, kinds...), oneOf(d, namespaces...), oneOf(d, "before", "earlier"), nil, d.status()); !f.isSource(other) {
			f.others = append(f.others, other)
		}
	}
	return f
}

// reference returns what names the source. The follower runs after something.
func (f follower) reference() *datav1alpha1.ObjectRef {
	if on := f.runAfter.AffinityStrategy.DependOn; on != nil {
		return on
	}
	return &f.runAfter.ObjectRef
}

// sourceNamespace returns where the source is.
func (f follower) sourceNamespace() string {
	if namespace := f.reference().Namespace; namespace != "" {
		return namespace
	}
	return f.namespace
}

func (f follower) isSource(o client.Object) bool {
	kind := reflect.TypeOf(o).Elem().Name()
	return kind == f.reference().Kind && o.GetNamespace() == f.sourceNamespace() && o.GetName() == f.reference().Name
}

// apply gives a copy of the follower, but of own instead of its own affinity, to inject.
func (f follower) apply(own *corev1.Affinity, inject func(client.Client, *datav1alpha1.OperationRef, string, *corev1.Affinity) (*corev1.Affinity, error)) (o outcome) {
	given := own.DeepCopy()
	c := newCluster(f.others...)
	var recorded *corev1.NodeAffinity
	if f.source != nil && slices.Contains(kinds, f.reference().Kind) {
		status := *f.source.DeepCopy()
		recorded = status.NodeAffinity
		c.put(operation(f.reference().Kind, f.sourceNamespace(), f.reference().Name, nil, status))
	}
	defer func() {
		if reason := recover(); reason != nil {
			o.panicked, o.err = true, fmt.Errorf("panic: %v", reason)
		}
		o.changed = !reflect.DeepEqual(given, own)
		o.shares = sharesMemory(o.affinity, recorded)
	}()
	o.affinity, o.err = inject(c, f.runAfter.DeepCopy(), f.namespace, given)
	return o
}

// sharesMemory reports whether the values of any two expressions are the same memory.
func sharesMemory(a *corev1.Affinity, recorded *corev1.NodeAffinity) bool {
	of := map[*string]bool{}
	for _, e := range expressionsOf(recorded) {
		if len(e.Values) > 0 {
			of[&e.Values[0]] = true
		}
	}
	if a == nil || len(of) == 0 {
		return false
	}
	return slices.ContainsFunc(expressionsOf(a.NodeAffinity), func(e corev1.NodeSelectorRequirement) bool {
		return len(e.Values) > 0 && of[&e.Values[0]]
	})
}

// expressionsOf returns the expressions of all terms.
func expressionsOf(a *corev1.NodeAffinity) (expressions []corev1.NodeSelectorRequirement) {
	if a == nil {
		return nil
	}
	for _, p := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		expressions = append(expressions, p.Preference.MatchExpressions...)
	}
	if a.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, term := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			expressions = append(expressions, term.MatchExpressions...)
		}
	}
	return expressions
}

func TestInheritAgreesWithFluid(t *testing.T) {
	compare(t, func(d *draw) error {
		f := d.follower()
		theirs := f.apply(f.own, dataflow.InjectAffinityByRunAfterOp)
		var missing []string
		ours := f.apply(f.own, func(c client.Client, runAfter *datav1alpha1.OperationRef, namespace string, own *corev1.Affinity) (*corev1.Affinity, error) {
			before := runAfter.DeepCopy()
			result, err := fluid.Inherit(c, runAfter, namespace, own)
			missing = result.Missing
			if !reflect.DeepEqual(runAfter, before) {
				panic("runAfter was changed")
			}
			return result.Affinity, err
		})
		if ours.panicked || ours.changed || ours.shares {
			return disagreement("not pure: "+text(ours.err), f)
		}
		if again := f.apply(f.own, fluid.InjectAffinityByRunAfterOp); !reflect.DeepEqual(again.affinity, ours.affinity) || text(again.err) != text(ours.err) {
			return disagreement("not what Inherit says", f)
		}
		if what := d.judge(f, theirs, ours, missing); what != "" {
			return disagreement(what, f.runAfter, f.namespace, f.own, f.source, theirs.affinity, text(theirs.err), ours.affinity, text(ours.err), missing)
		}
		return nil
	}, slices.Concat(affinityCorners, strategyCorners, statusCorners, []string{
		"runAfter: nil", "source: not there", "source: of another kind", "source: not complete", "source: in another namespace",
		"the same, to the letter", "the same, nothing to add",
		u1Lost, u2InPlace, u2Twice, u3Panic, u5Silent, u6Lost, u8Policy, u8Key, u8Weight, u9Alias,
		beyondConflict, beyondNilTerms, beyondTwice, beyondNoTerms, beyondStatus,
	})...)
}

// judge holds what slipstream did against what Fluid did, and returns what is wrong.
func (d *draw) judge(f follower, theirs, ours outcome, missing []string) (wrong string) {
	d.inspectAffinity(f.own)
	if d.Hit("runAfter: nil", f.runAfter == nil) {
		return d.judgeNothing(f, theirs, ours)
	}
	follows, valid := d.inspectStrategy(f.runAfter.AffinityStrategy)
	if f.runAfter.AffinityStrategy.Policy == datav1alpha1.DefaultAffinityStrategy {
		return d.judgeNothing(f, theirs, ours)
	}
	unknown := d.Hit("source: of another kind", !slices.Contains(kinds, f.reference().Kind))
	absent := d.Hit("source: not there", !unknown && f.source == nil)
	d.Hit("source: in another namespace", !absent && f.sourceNamespace() != f.namespace)
	if unknown || absent || d.Hit("source: not complete", f.source.Phase != common.PhaseComplete) {
		return onlyIf("both fail", theirs.err != nil && ours.err != nil && !theirs.panicked && ours.affinity == nil)
	}

	policy, recorded := f.runAfter.AffinityStrategy.Policy, f.source.NodeAffinity
	known := policy == datav1alpha1.RequireAffinityStrategy || policy == datav1alpha1.PreferAffinityStrategy
	labels, sound := d.labelsIn(recorded)
	if d.Hit(u3Panic, policy == datav1alpha1.PreferAffinityStrategy && recorded != nil && recorded.RequiredDuringSchedulingIgnoredDuringExecution == nil) {
		if !theirs.panicked {
			return u3Panic
		}
		if valid && sound {
			return onlyIf("nothing is inherited", reflect.DeepEqual(ours.affinity, f.own) && slices.Equal(missing, follows))
		}
		return onlyIf("ours fails", ours.err != nil)
	}
	if theirs.panicked {
		return "Fluid panics"
	}
	noTerms := recorded != nil && recorded.RequiredDuringSchedulingIgnoredDuringExecution != nil && len(recorded.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 0
	if noTerms && policy == datav1alpha1.RequireAffinityStrategy && recorded.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms == nil {
		noTerms = false // which it passes over
	}
	switch {
	case !known:
		if d.Hit(u8Policy, recorded == nil) && theirs.err != nil {
			return u8Policy
		}
		return onlyIf("an unknown policy fails", ours.err != nil && (recorded == nil || theirs.err != nil))
	case !valid:
		if ours.err == nil {
			return "an invalid strategy is accepted"
		}
		if noTerms {
			return onlyIf("Fluid fails", theirs.err != nil)
		}
		malformed := slices.ContainsFunc(follows, func(key string) bool { return !slices.Contains(keys, key) })
		if d.Hit(u8Key, malformed) || d.Hit(u8Weight, true) {
			return onlyIf("U8", theirs.err == nil)
		}
	case !sound:
		if ours.err == nil {
			return "a status that Fluid does not write is read"
		}
		if !noTerms && d.Hit(beyondStatus, true) && theirs.err != nil {
			return beyondStatus
		}
		return ""
	case d.Hit(beyondNoTerms, noTerms):
		if theirs.err == nil {
			return beyondNoTerms
		}
		return onlyIf("nothing is inherited", ours.err == nil && reflect.DeepEqual(ours.affinity, f.own) && slices.Equal(missing, follows))
	}

	if theirs.err != nil {
		return "Fluid fails"
	}
	if d.Hit(u2InPlace, theirs.changed) != (f.own != nil && !reflect.DeepEqual(theirs.affinity, f.own)) {
		return u2InPlace
	}
	// What Fluid injects where there is no own affinity is what is to be inherited.
	injected := f.apply(nil, dataflow.InjectAffinityByRunAfterOp).affinity
	visible := injected != nil && !reflect.DeepEqual(theirs.affinity, f.own)
	if d.Hit(u9Alias, visible) != theirs.shares {
		return u9Alias
	}
	if !slices.Equal(missing, absentIn(labels, follows)) && ours.err == nil {
		return "missing"
	}
	d.Hit(u5Silent, missing != nil)
	if d.Hit("the same, nothing to add", injected == nil) {
		return d.judgeNothing(f, theirs, ours)
	}
	if policy == datav1alpha1.PreferAffinityStrategy {
		return d.judgePrefer(f, theirs, ours, injected.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return d.judgeRequire(f, theirs, ours, injected.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions)
}

// onlyIf is a complaint, unless it is as it should be.
func onlyIf(what string, holds bool) string {
	if holds {
		return ""
	}
	return "does not hold: " + what
}

func absentIn(labels map[string]string, follows []string) (absent []string) {
	for _, key := range follows {
		if _, ok := labels[key]; !ok {
			absent = append(absent, key)
		}
	}
	return absent
}

// judgeNothing is for what inherits nothing.
func (d *draw) judgeNothing(f follower, theirs, ours outcome) string {
	return onlyIf("the own affinity stays", theirs.err == nil && ours.err == nil &&
		reflect.DeepEqual(theirs.affinity, f.own) && reflect.DeepEqual(ours.affinity, f.own))
}

// judgePrefer is for what inherits preferences. Fluid appends them, and slipstream those that
// are not there yet.
func (d *draw) judgePrefer(f follower, theirs, ours outcome, injected []corev1.PreferredSchedulingTerm) string {
	var there []corev1.PreferredSchedulingTerm
	if f.own != nil && f.own.NodeAffinity != nil {
		there = f.own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	}
	added := slices.DeleteFunc(slices.Clone(injected), func(p corev1.PreferredSchedulingTerm) bool {
		return slices.ContainsFunc(there, func(own corev1.PreferredSchedulingTerm) bool { return samePreference(own, p) })
	})
	if !reflect.DeepEqual(theirs.affinity, withPreferences(f.own, injected)) {
		return "Fluid does not append the preferences"
	}
	if !d.Hit(u2Twice, len(added) < len(injected)) {
		d.Hit("the same, to the letter", true)
		return onlyIf("the same", ours.err == nil && reflect.DeepEqual(ours.affinity, theirs.affinity))
	}
	return onlyIf("only new preferences", ours.err == nil && reflect.DeepEqual(ours.affinity, withPreferences(f.own, added)))
}

// samePreference takes no fields and an empty list of fields for the same.
func samePreference(a, b corev1.PreferredSchedulingTerm) bool {
	if len(a.Preference.MatchFields)+len(b.Preference.MatchFields) > 0 {
		return false
	}
	return a.Weight == b.Weight && reflect.DeepEqual(a.Preference.MatchExpressions, b.Preference.MatchExpressions)
}

func withPreferences(own *corev1.Affinity, added []corev1.PreferredSchedulingTerm) *corev1.Affinity {
	if len(added) == 0 {
		return own
	}
	a := own.DeepCopy()
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	preferred := &a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	*preferred = append(*preferred, added...)
	return a
}

// judgeRequire is for what inherits requirements. Without a required part of its own, Fluid
// does as slipstream.
func (d *draw) judgeRequire(f follower, theirs, ours outcome, injected []corev1.NodeSelectorRequirement) string {
	var required *corev1.NodeSelector
	if f.own != nil && f.own.NodeAffinity != nil {
		required = f.own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	once := without(injected, nil)
	switch {
	case required == nil:
		if d.Hit(beyondTwice, len(once) < len(injected)) {
			if !reflect.DeepEqual(theirs.affinity, withTerm(f.own, injected)) {
				return beyondTwice
			}
		} else {
			d.Hit("the same, to the letter", true)
			if !reflect.DeepEqual(ours.affinity, theirs.affinity) {
				return "not the same"
			}
		}
		return onlyIf("each label once", ours.err == nil && reflect.DeepEqual(ours.affinity, withTerm(f.own, once)))
	case d.Hit(beyondNilTerms, required.NodeSelectorTerms == nil):
		if !reflect.DeepEqual(theirs.affinity, withTerm(f.own, injected)) {
			return beyondNilTerms
		}
		return onlyIf("what matches nothing still does", ours.err == nil && reflect.DeepEqual(ours.affinity, f.own))
	case d.Hit(u6Lost, len(required.NodeSelectorTerms) == 0):
		if !reflect.DeepEqual(theirs.affinity, f.own) {
			return u6Lost
		}
		return onlyIf("what matches nothing still does", ours.err == nil && reflect.DeepEqual(ours.affinity, f.own))
	}
	if d.Hit(u1Lost, true) && !reflect.DeepEqual(theirs.affinity, f.own) {
		return u1Lost
	}
	var conflict *affinity.ConflictError
	if d.Hit(beyondConflict, errors.As(ours.err, &conflict)) {
		return d.judgeConflict(f, once)
	}
	want := f.own.DeepCopy()
	terms := want.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for i := range terms {
		if !isEmpty(terms[i]) {
			terms[i].MatchExpressions = append(terms[i].MatchExpressions, without(injected, terms[i].MatchExpressions)...)
		}
	}
	return onlyIf("every term gets what it lacks", ours.err == nil && reflect.DeepEqual(ours.affinity, want))
}

// judgeConflict looks for nodes that have the inherited labels and that the own affinity
// matches all the same. The matcher is itself held against the scheduler's, elsewhere.
func (d *draw) judgeConflict(f follower, inherited []corev1.NodeSelectorRequirement) string {
	m, err := affinity.Compile(nil, f.own)
	if err != nil {
		return "a malformed affinity was drawn: " + err.Error()
	}
	for range 4 {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: oneOf(d, nodeNames...), Labels: d.labels()}}
		for _, e := range inherited {
			node.Labels[e.Key] = e.Values[0]
		}
		if m.Match(&node) {
			return fmt.Sprintf("a conflict that the node %s with %v refutes", node.Name, node.Labels)
		}
	}
	return ""
}

// without returns expressions that are not there, each once.
func without(expressions, there []corev1.NodeSelectorRequirement) (rest []corev1.NodeSelectorRequirement) {
	for _, e := range expressions {
		same := func(o corev1.NodeSelectorRequirement) bool { return reflect.DeepEqual(o, e) }
		if !slices.ContainsFunc(there, same) && !slices.ContainsFunc(rest, same) {
			rest = append(rest, e)
		}
	}
	return rest
}

// withTerm returns own with a required part of one term.
func withTerm(own *corev1.Affinity, expressions []corev1.NodeSelectorRequirement) *corev1.Affinity {
	a := own.DeepCopy()
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: expressions}},
	}
	return a
}
