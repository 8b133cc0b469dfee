package affinitytest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Law is the number of a law in slipstream's LAWS.md.
type Law string

// The laws of inheriting, in the order in which they are tested.
const (
	R1 Law = "R1"
	R2 Law = "R2"
	P1 Law = "P1"
	P2 Law = "P2"
	N1 Law = "N1"
	N2 Law = "N2"
	I2 Law = "I2"
	I3 Law = "I3"
	I4 Law = "I4"
	C1 Law = "C1"
	B1 Law = "B1"
	I1 Law = "I1"
)

// law is a law, what it demands in one sentence, the inputs that it speaks of, and a test of one of
// them. The test returns what was seen instead, or "", and a node that shows it.
type law struct {
	name   Law
	demand string
	binds  func(in Input) bool
	check  func(s *subject, in Input) (seen string, node *corev1.Node)
	fresh  bool // the inputs are made different from those of earlier calls, whose results may have been kept
}

func valid(policies ...affinity.Policy) func(Input) bool {
	return func(in Input) bool { return slices.Contains(policies, in.Strategy.Policy) && len(in.faults()) == 0 }
}

func laws() []law {
	whichever := valid(affinity.Require, affinity.Prefer, affinity.None)
	return []law{
		{R1, "With policy Require, a node matches the result exactly if it matches the own affinity and has the exposed value of every required label that the source exposes.",
			valid(affinity.Require), (*subject).checkRequire, false},
		{R2, "Require leaves the score of every node, the pod affinity and the pod anti-affinity as they were.",
			valid(affinity.Require), (*subject).checkRequireLeaves, false},
		{P1, "Prefer succeeds, and leaves which nodes match, the pod affinity and the pod anti-affinity as they were.",
			valid(affinity.Prefer), (*subject).checkPreferLeaves, false},
		{P2, "Prefer adds to the score of a node the weight of each preferred label that the node has with the exposed value, unless the own affinity holds the same preference to the letter.",
			valid(affinity.Prefer), (*subject).checkPrefer, false},
		{N1, "With the empty policy, the result equals the own affinity.",
			valid(affinity.None), (*subject).checkUnchanged, false},
		{N2, "If there is nothing to add, the result equals the own affinity: nil stays nil, and no empty part is made.",
			func(in Input) bool {
				return valid(affinity.Require, affinity.Prefer)(in) && in.nothingToAdd()
			}, (*subject).checkUnchanged, false},
		{I2, "Equal arguments give the same bytes; own expressions keep their order and come first, and inherited ones follow in the order of the strategy, each key once.",
			whichever, (*subject).checkOrder, false},
		{I3, "Inheriting again by the same strategy changes nothing.",
			whichever, (*subject).checkTwice, false},
		{I4, "Requiring some labels and then others matches the same nodes as requiring all of them at once, in either order.",
			func(in Input) bool { return valid(affinity.Require)(in) && len(in.Strategy.Requires) > 1 }, (*subject).checkSteps, false},
		{C1, "A *affinity.ConflictError is returned exactly if some node matches the own affinity and none of these has the inherited labels; it names, for each term that some node matches, an inherited label and the expression that refuses it.",
			whichever, (*subject).checkConflict, false},
		{B1, "An invalid strategy gives a nil result and an error that holds a *field.Error with the path of every faulty field, and no other.",
			func(in Input) bool { return len(in.faults()) > 0 }, (*subject).checkInvalid, false},
		// The last one, because it writes to results, which a function may have kept.
		{I1, "The arguments are the same before and after a call and after later calls, and the result shares no memory with them nor with another result.",
			whichever, (*subject).checkPurity, true},
	}
}

// conflicting reports whether no node can match, although some node matches own.
func conflicting(in Input) bool {
	return in.Strategy.Policy == affinity.Require && FindMatch(in.Own, nil) != nil && FindMatch(in.Own, in.inherited()) == nil
}

func (s *subject) checkRequire(in Input) (string, *corev1.Node) {
	got := s.call(in)
	if got.err != nil {
		if node := FindMatch(in.Own, in.inherited()); node != nil {
			return "the call returns " + got.text, node
		}
		return "", nil // an error counts as a result that matches no node
	}
	inherited := in.inherited()
	for _, p := range s.placesOf(in) {
		want := p.matches(in.Own) && p.has(inherited)
		if is := p.matches(got.result); is != want {
			return fmt.Sprintf("match is %v, want %v, with %s", is, want, excerpt(got.result)), p.node()
		}
	}
	return "", nil
}

func (p place) has(labels map[string]string) bool {
	for key, value := range labels {
		if got, present := p.labels[key]; !present || got != value {
			return false
		}
	}
	return true
}

func (s *subject) checkRequireLeaves(in Input) (string, *corev1.Node) {
	got := s.call(in)
	if got.err != nil {
		return "", nil // law R1
	}
	for _, p := range s.placesOf(in) {
		if want, is := p.score(in.Own), p.score(got.result); is != want {
			return fmt.Sprintf("score is %d, want %d, with %s", is, want, excerpt(got.result)), p.node()
		}
	}
	return differentPods(in, got), nil
}

// differentPods compares the parts of an affinity that are about other pods.
func differentPods(in Input, got outcome) string {
	pods := func(a *corev1.Affinity) string {
		if a == nil {
			a = &corev1.Affinity{}
		}
		return encode(corev1.Affinity{PodAffinity: a.PodAffinity, PodAntiAffinity: a.PodAntiAffinity})
	}
	if want, is := pods(in.Own), pods(got.result); want != is {
		return fmt.Sprintf("pod affinity and anti-affinity are %s, want %s", message.Excerpt(is), message.Excerpt(want))
	}
	return ""
}

func (s *subject) checkPreferLeaves(in Input) (string, *corev1.Node) {
	got := s.call(in)
	if got.err != nil {
		return "the call returns " + got.text, nil
	}
	for _, p := range s.placesOf(in) {
		if want, is := p.matches(in.Own), p.matches(got.result); is != want {
			return fmt.Sprintf("match is %v, want %v, with %s", is, want, excerpt(got.result)), p.node()
		}
	}
	return differentPods(in, got), nil
}

func (s *subject) checkPrefer(in Input) (string, *corev1.Node) {
	got := s.call(in)
	if got.err != nil {
		return "", nil // law P1
	}
	missing := in.missingPreferences()
	for _, p := range s.placesOf(in) {
		want := p.score(in.Own)
		for _, added := range missing {
			if p.matchesTerm(added.Preference) {
				want += int64(added.Weight)
			}
		}
		if is := p.score(got.result); is != want {
			return fmt.Sprintf("score is %d, want %d, with %s", is, want, excerpt(got.result)), p.node()
		}
	}
	return "", nil
}

func (s *subject) checkUnchanged(in Input) (string, *corev1.Node) {
	got := s.call(in)
	switch {
	case got.err != nil:
		return "the call returns " + got.text, nil
	case encode(got.result) != encode(in.Own):
		return fmt.Sprintf("the result is %s, want %s", excerpt(got.result), excerpt(in.Own)), nil
	}
	return "", nil
}

func (s *subject) checkPurity(in Input) (string, *corev1.Node) {
	given := in.clone()
	spare(reflect.ValueOf(&given.Own).Elem())
	spare(reflect.ValueOf(&given.Strategy).Elem())
	before := encode(given)
	one := s.callWith(given)
	if is := encode(given); is != before {
		return fmt.Sprintf("the arguments are %s after the call, and were %s", message.Excerpt(is), message.Excerpt(before)), nil
	}
	result := encode(one.result)
	s.call(Input{Strategy: affinity.Strategy{Policy: affinity.Require}, From: topology.NewLabelSet(map[string]string{topology.Hostname: "another"})})
	if is := encode(one.result); is != result {
		return fmt.Sprintf("the result is %s after another call, and was %s", message.Excerpt(is), message.Excerpt(result)), nil
	}
	other := s.call(in)
	if is := encode(given); is != before {
		return fmt.Sprintf("the arguments are %s after another call, and were %s", message.Excerpt(is), message.Excerpt(before)), nil
	}
	overwrite(reflect.ValueOf(&given.Own).Elem())
	overwrite(reflect.ValueOf(&given.Strategy).Elem())
	if is := encode(one.result); is != result {
		return fmt.Sprintf("writing to the arguments changes the result from %s to %s", message.Excerpt(result), message.Excerpt(is)), nil
	}
	before, second := encode(given), encode(other.result)
	overwrite(reflect.ValueOf(&one.result).Elem())
	if is := encode(given); is != before {
		return fmt.Sprintf("writing to the result changes the arguments from %s to %s", message.Excerpt(before), message.Excerpt(is)), nil
	}
	if is := encode(other.result); is != second {
		return fmt.Sprintf("writing to the result changes that of another call from %s to %s", message.Excerpt(second), message.Excerpt(is)), nil
	}
	if after := s.call(in); encode(after.result) != second {
		return fmt.Sprintf("writing to the result changes that of the next call from %s to %s", message.Excerpt(second), excerpt(after.result)), nil
	}
	return "", nil
}

// spare gives every slice that can be reached from v spare capacity, to which an append would write.
func spare(v reflect.Value) {
	walk(v, func(v reflect.Value) {
		if v.Kind() == reflect.Slice && !v.IsNil() {
			v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()+2), v))
		}
	})
}

// overwrite writes to all memory that can be reached from v: through pointers, into slices up to their
// capacity, and into maps.
func overwrite(v reflect.Value) {
	walk(v, func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Slice:
			for i := v.Len(); i < v.Cap(); i++ {
				overwrite(v.Slice(0, v.Cap()).Index(i))
			}
		case reflect.Map:
			if !v.IsNil() {
				v.SetMapIndex(reflect.ValueOf("new key"), reflect.ValueOf("new value"))
			}
		case reflect.String:
			v.SetString(v.String() + "!")
		case reflect.Int32:
			v.SetInt(v.Int() + 1)
		}
	})
}

// walk calls do for v and all that can be reached from it, except the elements of maps. All maps of an
// affinity have strings as keys and values.
func walk(v reflect.Value, do func(v reflect.Value)) {
	do(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), do)
		}
	}
}

// repeats is how often a call is repeated with equal arguments. A function that ranges over a map of two
// keys gives the same order eight times in a row once in three tries; there are many inputs.
const repeats = 8

func (s *subject) checkOrder(in Input) (string, *corev1.Node) {
	first := s.call(in)
	for range repeats {
		if again := s.call(in); encode(again.result) != encode(first.result) || (again.err == nil) != (first.err == nil) {
			return fmt.Sprintf("one call returns %s, %s, another one %s, %s", excerpt(first.result), first.text, excerpt(again.result), again.text), nil
		}
	}
	if first.err != nil {
		return "", nil
	}
	wrong := func(what string, own, added, got any) string {
		return fmt.Sprintf("%s are %s, want %s, and then some of %s in this order", what, excerpt(got), excerpt(own), excerpt(added))
	}
	preferred, inherited := preferredOf(first.result), []corev1.PreferredSchedulingTerm{}
	if in.Strategy.Policy == affinity.Prefer {
		inherited = in.missingPreferences()
	}
	if !extends(preferred, preferredOf(in.Own), inherited) {
		return wrong("preferences", preferredOf(in.Own), inherited, preferred), nil
	}
	terms := []corev1.NodeSelectorTerm{{}} // an absent required part is one term that every node matches
	if required := requiredOf(in.Own); required != nil {
		terms = required.NodeSelectorTerms
	}
	got := []corev1.NodeSelectorTerm{{}}
	if required := requiredOf(first.result); required != nil {
		got = required.NodeSelectorTerms
	}
	if len(got) != len(terms) {
		return wrong("terms", terms, nil, got), nil
	}
	for i, term := range terms {
		var inherited []corev1.NodeSelectorRequirement
		if in.Strategy.Policy == affinity.Require {
			inherited = in.missingExpressions(term)
		}
		if !extends(got[i].MatchExpressions, term.MatchExpressions, inherited) || encode(got[i].MatchFields) != encode(term.MatchFields) {
			return wrong(fmt.Sprintf("the expressions of term %d", i), term, inherited, got[i]), nil
		}
	}
	return "", nil
}

// extends reports whether a list starts with own, and what follows is some of added, in its order.
func extends[E any](list, own, added []E) bool {
	if len(list) < len(own) || encode(append([]E{}, list[:len(own)]...)) != encode(append([]E{}, own...)) {
		return false
	}
	rest := list[len(own):]
	for _, e := range added {
		if len(rest) > 0 && encode(rest[0]) == encode(e) {
			rest = rest[1:]
		}
	}
	return len(rest) == 0
}

func (s *subject) checkTwice(in Input) (string, *corev1.Node) {
	once := s.call(in)
	if once.err != nil {
		return "", nil
	}
	again := in
	again.Own = once.result
	switch twice := s.call(again); {
	case twice.err != nil:
		return "the second time returns " + twice.text, nil
	case encode(twice.result) != encode(once.result):
		return fmt.Sprintf("once gives %s, twice %s", excerpt(once.result), excerpt(twice.result)), nil
	}
	return "", nil
}

func (s *subject) checkSteps(in Input) (string, *corev1.Node) {
	// requiring returns the affinity after one step for each list. An error matches no node.
	requiring := func(lists ...[]affinity.RequiredLabel) (a *corev1.Affinity, ok bool) {
		step := in
		for _, list := range lists {
			step.Strategy.Requires = list
			got := s.call(step)
			if got.err != nil {
				return nil, false
			}
			step.Own = got.result
		}
		return step.Own, true
	}
	all := in.Strategy.Requires
	atOnce, atOnceOK := requiring(all)
	for i := 1; i < len(all); i++ {
		for _, lists := range [][][]affinity.RequiredLabel{{all[:i], all[i:]}, {all[i:], all[:i]}} {
			steps, stepsOK := requiring(lists...)
			for _, p := range s.placesOf(in) {
				want, is := atOnceOK && p.matches(atOnce), stepsOK && p.matches(steps)
				if is != want {
					return fmt.Sprintf("match is %v after requiring %s and then %s, and %v after requiring all at once", is, encode(lists[0]), encode(lists[1]), want), p.node()
				}
			}
		}
	}
	return "", nil
}

func (s *subject) checkConflict(in Input) (string, *corev1.Node) {
	got, want := s.call(in), conflicting(in)
	switch {
	case want && !got.conflicts:
		return fmt.Sprintf("the call returns %s, %s, and no node matches both the own affinity and the inherited labels", excerpt(got.result), got.text), nil
	case !want && got.conflicts:
		return "the call returns the conflict " + got.text, FindMatch(in.Own, in.inherited())
	case !want:
		return "", nil
	case got.conflict == nil:
		return "the error is a nil *affinity.ConflictError", nil
	}
	return wrongRefusals(in, got.conflict), nil
}

// wrongRefusals returns what is wrong with the refusals of a conflict, or "".
func wrongRefusals(in Input, conflict *affinity.ConflictError) string {
	inherited := in.inherited()
	terms, required := []corev1.NodeSelectorTerm{{}}, requiredOf(in.Own)
	if required != nil {
		terms = required.NodeSelectorTerms
	}
	refused := map[int]bool{}
	for _, r := range conflict.Refusals {
		value, ok := inherited[r.Key]
		if !ok || value != r.Value {
			return fmt.Sprintf("the refusal %s names no inherited label", excerpt(r))
		}
		if r.By == affinity.ByLabelSyntax {
			if FindMatch(nil, map[string]string{r.Key: r.Value}) != nil {
				return fmt.Sprintf("a node can have the label of the refusal %s", excerpt(r))
			}
			return "" // it is refused in every term
		}
		if r.Term < 0 || r.Term >= len(terms) || !slices.ContainsFunc(terms[r.Term].MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return encode(e) == encode(r.Expression) }) {
			return fmt.Sprintf("the refusal %s names no own expression", excerpt(r))
		}
		if meets(r.Expression, r.Value, true) {
			return fmt.Sprintf("the expression of the refusal %s does not refuse the label", excerpt(r))
		}
		refused[r.Term] = true
	}
	for i, term := range terms {
		_, possible := findPlace(term, nil)
		if possible = possible && !(required != nil && isEmpty(term)); possible != refused[i] {
			return fmt.Sprintf("term %d: some node matches it: %v, and it has a refusal: %v", i, possible, refused[i])
		}
	}
	return ""
}

func (s *subject) checkInvalid(in Input) (string, *corev1.Node) {
	got, want := s.call(in), in.faults()
	if got.err == nil {
		return fmt.Sprintf("the call returns no error, want faults at %q", want), nil
	}
	if got.result != nil {
		return "the call returns an error and the result " + excerpt(got.result), nil
	}
	for _, path := range want {
		if !slices.ContainsFunc(got.fields, func(field string) bool { return isField(field, path) }) {
			return fmt.Sprintf("no *field.Error has the path %s: %s", path, got.text), nil
		}
	}
	for _, field := range got.fields {
		if !slices.ContainsFunc(want, func(path string) bool { return isField(field, path) }) {
			return fmt.Sprintf("%s is not faulty: %s", message.Printable(field), got.text), nil
		}
	}
	return "", nil
}

// isField reports whether a path, of an object that contains the strategy, ends with a path in the
// strategy.
func isField(field, path string) bool { return field == path || strings.HasSuffix(field, "."+path) }

// fieldsOf returns the paths of the field errors in an error.
func fieldsOf(err error) []string {
	var fields []string
	var visit func(err error)
	visit = func(err error) {
		switch e := err.(type) {
		case nil:
		case *field.Error:
			if e != nil {
				fields = append(fields, e.Field)
			}
		case interface{ Unwrap() []error }:
			for _, part := range e.Unwrap() {
				visit(part)
			}
		case interface{ Errors() []error }: // utilerrors.Aggregate
			for _, part := range e.Errors() {
				visit(part)
			}
		default:
			visit(errors.Unwrap(err))
		}
	}
	visit(err)
	return fields
}

func excerpt(v any) string { return message.Excerpt(encode(v)) }
