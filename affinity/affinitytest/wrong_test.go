package affinitytest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// right is slipstream's own function.
func right(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
	result, err := affinity.Inherit(own, s, from)
	return result.Affinity, err
}

// instead returns the right function, except that changed computes the affinity where the right one has
// no error and the policy is p.
func instead(p affinity.Policy, changed func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) *corev1.Affinity) affinitytest.InheritFunc {
	return func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		result, err := right(own, s, from)
		if err == nil && s.Policy == p {
			result = changed(own, s, from)
		}
		return result, err
	}
}

// plain is a plain way to require, and to prefer, with places for mistakes. Each of its fields replaces
// a step that is right if the field is nil.
type plain struct {
	keys    func(s affinity.Strategy, from topology.LabelSet) []string
	value   func(from topology.LabelSet, key string) (string, bool)
	terms   func(own, inherited []corev1.NodeSelectorTerm) []corev1.NodeSelectorTerm
	addTo   func(i int, own, inherited []corev1.NodeSelectorRequirement) []corev1.NodeSelectorRequirement
	isEmpty func(t corev1.NodeSelectorTerm) bool
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func isSame(a, b corev1.NodeSelectorRequirement) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func addMissing(own, inherited []corev1.NodeSelectorRequirement) []corev1.NodeSelectorRequirement {
	for _, e := range inherited {
		if !slices.ContainsFunc(own, func(o corev1.NodeSelectorRequirement) bool { return isSame(o, e) }) {
			own = append(own, *e.DeepCopy())
		}
	}
	return own
}

func (p plain) require(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) *corev1.Affinity {
	keys := s.Keys()
	if p.keys != nil {
		keys = p.keys(s, from)
	}
	get := topology.LabelSet.Get
	if p.value != nil {
		get = p.value
	}
	var inherited []corev1.NodeSelectorRequirement
	for _, key := range keys {
		if value, ok := get(from, key); ok {
			inherited = append(inherited, in(key, value))
		}
	}
	a := own.DeepCopy()
	if len(inherited) == 0 {
		return a
	}
	if a == nil {
		a = &corev1.Affinity{}
	}
	if a.NodeAffinity == nil {
		a.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		required = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: inherited}}}
		a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = required
		return a
	}
	if p.terms != nil {
		required.NodeSelectorTerms = p.terms(required.NodeSelectorTerms, []corev1.NodeSelectorTerm{{MatchExpressions: inherited}})
		return a
	}
	for i, t := range required.NodeSelectorTerms {
		isEmpty := len(t.MatchExpressions)+len(t.MatchFields) == 0
		if p.isEmpty != nil {
			isEmpty = p.isEmpty(t)
		}
		switch {
		case isEmpty:
		case p.addTo != nil:
			required.NodeSelectorTerms[i].MatchExpressions = p.addTo(i, t.MatchExpressions, inherited)
		default:
			required.NodeSelectorTerms[i].MatchExpressions = addMissing(t.MatchExpressions, inherited)
		}
	}
	return a
}

func requires(p plain) affinitytest.InheritFunc { return instead(affinity.Require, p.require) }

// preferring returns a function that adds the preferences of a list.
func preferring(list func(own []corev1.PreferredSchedulingTerm, s affinity.Strategy, from topology.LabelSet) []corev1.PreferredSchedulingTerm) affinitytest.InheritFunc {
	return instead(affinity.Prefer, func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) *corev1.Affinity {
		a := own.DeepCopy()
		var had []corev1.PreferredSchedulingTerm
		if a != nil && a.NodeAffinity != nil {
			had = a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
		}
		if len(s.Prefers) == 0 {
			s.Prefers = []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 100}}
		}
		has := list(had, s, from)
		if len(has) == len(had) {
			return a
		}
		if a == nil {
			a = &corev1.Affinity{}
		}
		if a.NodeAffinity == nil {
			a.NodeAffinity = &corev1.NodeAffinity{}
		}
		a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = has
		return a
	})
}

func preference(weight int32, key, value string) corev1.PreferredSchedulingTerm {
	return corev1.PreferredSchedulingTerm{Weight: weight, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{in(key, value)}}}
}

// failing returns the right function, with its errors changed.
func failing(change func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet, a *corev1.Affinity, err error) (*corev1.Affinity, error)) affinitytest.InheritFunc {
	return func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		a, err := right(own, s, from)
		return change(own, s, from, a, err)
	}
}

// refusing returns the right function, with the refusals of its conflicts changed.
func refusing(change func(r *affinity.Refusal)) affinitytest.InheritFunc {
	return func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
		a, err := right(own, s, from)
		var conflict *affinity.ConflictError
		if errors.As(err, &conflict) {
			for i := range conflict.Refusals {
				change(&conflict.Refusals[i])
			}
		}
		return a, err
	}
}

func requiredTerms(a *corev1.Affinity) []corev1.NodeSelectorTerm {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// mistake is a wrong implementation. The law must fail, and no law must fail that is not among laws.
type mistake struct {
	name    string
	law     affinitytest.Law
	also    string // other laws that can fail
	inherit affinitytest.InheritFunc
}

func mistakes(blocked chan time.Time) []mistake {
	type (
		A  = *corev1.Affinity
		S  = affinity.Strategy
		L  = topology.LabelSet
		Es = []corev1.NodeSelectorRequirement
		Ts = []corev1.NodeSelectorTerm
		Ps = []corev1.PreferredSchedulingTerm
	)
	isConflict := func(err error) bool {
		var conflict *affinity.ConflictError
		return errors.As(err, &conflict)
	}
	isFault := func(err error) bool {
		var fault *field.Error
		return errors.As(err, &fault)
	}
	cache := map[string]*corev1.Affinity{}
	buffer := []corev1.NodeSelectorRequirement{}
	var kept []*corev1.Affinity

	return []mistake{
		{"requires in the first term only", affinitytest.R1, "I4", requires(plain{addTo: func(i int, own, inherited Es) Es {
			if i > 0 {
				return own
			}
			return addMissing(own, inherited)
		}})},
		{"adds to a copy of each term", affinitytest.R1, "I4", requires(plain{terms: func(own, inherited Ts) Ts {
			for _, t := range own {
				t.MatchExpressions = append(t.MatchExpressions, inherited[0].MatchExpressions...)
			}
			return own
		}})},
		{"adds to empty terms", affinitytest.R1, "N2 I2 I4", requires(plain{isEmpty: func(corev1.NodeSelectorTerm) bool { return false }})},
		{"takes a term of fields for empty", affinitytest.R1, "I4", requires(plain{isEmpty: func(t corev1.NodeSelectorTerm) bool { return len(t.MatchExpressions) == 0 }})},
		{"replaces the own terms", affinitytest.R1, "N2 I2 I4", requires(plain{terms: func(own, inherited Ts) Ts { return inherited }})},
		{"adds a term instead of expressions", affinitytest.R1, "N2 I2 I3 I4", requires(plain{terms: func(own, inherited Ts) Ts { return append(own, inherited...) }})},
		{"replaces a required part without terms", affinitytest.R1, "N2 I2 I4", requires(plain{terms: func(own, inherited Ts) Ts {
			if len(own) == 0 {
				return inherited
			}
			for i := range own {
				if len(own[i].MatchExpressions)+len(own[i].MatchFields) > 0 {
					own[i].MatchExpressions = addMissing(own[i].MatchExpressions, inherited[0].MatchExpressions)
				}
			}
			return own
		}})},
		{"takes the empty value for absent", affinitytest.R1, "I4", requires(plain{value: func(from L, key string) (string, bool) {
			value, _ := from.Get(key)
			return value, value != ""
		}})},
		{"takes an absent label for the empty value", affinitytest.R1, "N2 I2 I4", requires(plain{value: func(from L, key string) (string, bool) {
			value, _ := from.Get(key)
			return value, true
		}})},
		{"has no default", affinitytest.R1, "", requires(plain{keys: func(s S, _ L) []string {
			if len(s.Requires) == 0 {
				return nil
			}
			return s.Keys()
		}})},
		{"requires the last label only", affinitytest.R1, "I4", requires(plain{keys: func(s S, _ L) []string { return s.Keys()[len(s.Keys())-1:] }})},
		{"requires everything that is exposed", affinitytest.R1, "N2 I2 I3 I4", requires(plain{keys: func(_ S, from L) []string { return slices.Collect(keysOf(from)) }})},
		{"loses the fields of terms", affinitytest.R1, "N2 I2 I4", requires(plain{terms: func(own, inherited Ts) Ts {
			for i, t := range own {
				if len(t.MatchExpressions)+len(t.MatchFields) > 0 {
					own[i] = corev1.NodeSelectorTerm{MatchExpressions: addMissing(t.MatchExpressions, inherited[0].MatchExpressions)}
				}
			}
			return own
		}})},
		{"rejects what another list has", affinitytest.R1, "P1 N1 N2 C1", failing(func(own A, s S, from L, a A, err error) (A, error) {
			for i, p := range s.Prefers {
				if p.Weight < 1 && err == nil {
					return nil, field.Invalid(field.NewPath("prefers").Index(i).Child("weight"), p.Weight, "")
				}
			}
			return a, err
		})},
		{"ends the test of its caller", affinitytest.R1, "C1", func(A, S, L) (A, error) { runtime.Goexit(); return nil, nil }},

		{"drops preferences when it requires", affinitytest.R2, "N2 I2", instead(affinity.Require, func(own A, s S, from L) A {
			a := plain{}.require(own, s, from)
			if a != nil && a.NodeAffinity != nil {
				a.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution}
			}
			return a
		})},
		{"drops pod anti-affinity when it requires", affinitytest.R2, "N2", instead(affinity.Require, func(own A, s S, from L) A {
			a := plain{}.require(own, s, from)
			if a != nil {
				a = &corev1.Affinity{NodeAffinity: a.NodeAffinity, PodAffinity: a.PodAffinity}
			}
			return a
		})},
		{"also prefers what it requires", affinitytest.R2, "N2 I2 I3", instead(affinity.Require, func(own A, s S, from L) A {
			a := plain{}.require(own, s, from)
			for key, value := range from.Only(s.Keys()...).All() {
				if a.NodeAffinity != nil {
					a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = append(a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution, preference(1, key, value))
				}
			}
			return a
		})},

		{"requires what it should prefer", affinitytest.P1, "P2 N2 I2", instead(affinity.Prefer, plain{}.require)},
		{"drops pod affinity when it prefers", affinitytest.P1, "N2", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if s.Policy == affinity.Prefer && a != nil {
				a.PodAffinity = nil
			}
			return a, err
		})},
		{"panics without a node affinity", affinitytest.P1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if s.Policy == affinity.Prefer {
				_ = own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
			}
			return a, err
		})},
		{"takes a preference for a requirement that can conflict", affinitytest.C1, "P1 N2", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if s.Policy == affinity.Prefer && err == nil {
				if conflict := affinity.FindConflict(nil, own, from.Only(s.Keys()...)); conflict != nil {
					return nil, conflict
				}
			}
			return a, err
		})},
		{"never returns", affinitytest.P1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if s.Policy == affinity.Prefer {
				blocked <- time.Time{}
				select {}
			}
			return a, err
		})},

		{"has another default weight", affinitytest.P2, "N2 I2 I3", instead(affinity.Prefer, func(own A, s S, from L) A {
			if len(s.Prefers) == 0 {
				s.Prefers = []affinity.PreferredLabel{{Key: topology.Hostname, Weight: 1}}
			}
			a, _ := right(own, s, from)
			return a
		})},
		{"prefers each label once", affinitytest.P2, "", preferring(func(own Ps, s S, from L) Ps {
			seen := map[string]bool{}
			for _, p := range s.Prefers {
				if value, ok := from.Get(p.Key); ok && !seen[p.Key] && !holds(own, preference(p.Weight, p.Key, value)) {
					own = append(own, preference(p.Weight, p.Key, value))
				}
				seen[p.Key] = true
			}
			return own
		})},
		{"prefers all labels in one term", affinitytest.P2, "N2 I2 I3", preferring(func(own Ps, s S, from L) Ps {
			all := corev1.PreferredSchedulingTerm{Weight: s.Prefers[0].Weight}
			for _, p := range s.Prefers {
				if value, ok := from.Get(p.Key); ok {
					all.Preference.MatchExpressions = append(all.Preference.MatchExpressions, in(p.Key, value))
				}
			}
			if len(all.Preference.MatchExpressions) == 0 || holds(own, all) {
				return own
			}
			return append(own, all)
		})},
		{"takes a preference of another weight for the same", affinitytest.P2, "", preferring(func(own Ps, s S, from L) Ps {
			had := own
			for _, p := range s.Prefers {
				value, ok := from.Get(p.Key)
				similar := slices.ContainsFunc(had, func(o corev1.PreferredSchedulingTerm) bool {
					return len(o.Preference.MatchFields) == 0 && len(o.Preference.MatchExpressions) == 1 && isSame(o.Preference.MatchExpressions[0], in(p.Key, value))
				})
				if ok && !similar {
					own = append(own, preference(p.Weight, p.Key, value))
				}
			}
			return own
		})},
		{"replaces own preferences", affinitytest.P2, "N2 I2", instead(affinity.Prefer, func(own A, s S, from L) A {
			a := own.DeepCopy()
			if a != nil && a.NodeAffinity != nil {
				a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = nil
			}
			a, _ = right(a, s, from)
			return a
		})},
		{"prefers again what is preferred already", affinitytest.P2, "N2 I2 I3", preferring(func(own Ps, s S, from L) Ps {
			for _, p := range s.Prefers {
				if value, ok := from.Get(p.Key); ok {
					own = append(own, preference(p.Weight, p.Key, value))
				}
			}
			return own
		})},

		{"drops the own affinity without a policy", affinitytest.N1, "I2", instead(affinity.None, func(A, S, L) A { return nil })},
		{"makes an empty affinity without a policy", affinitytest.N1, "", instead(affinity.None, func(own A, _ S, _ L) A {
			if own == nil {
				return &corev1.Affinity{}
			}
			return own.DeepCopy()
		})},
		{"makes an empty node affinity", affinitytest.N2, "", instead(affinity.Require, func(own A, s S, from L) A {
			a := plain{}.require(own, s, from)
			if a == nil {
				a = &corev1.Affinity{}
			}
			if a.NodeAffinity == nil {
				a.NodeAffinity = &corev1.NodeAffinity{}
			}
			return a
		})},
		{"makes a required part of an empty term", affinitytest.N2, "R1 I2 I3 I4", instead(affinity.Require, func(own A, s S, from L) A {
			if from.Only(s.Keys()...).Len() == 0 && own == nil {
				return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: Ts{{}}}}}
			}
			return plain{}.require(own, s, from)
		})},

		{"writes to the own affinity", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if own != nil && a != nil {
				*own = *a
			}
			return a, err
		})},
		{"copies only the outermost part", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if own != nil && a != nil {
				a.PodAntiAffinity = own.PodAntiAffinity
			}
			return a, err
		})},
		{"appends to the slices of the own affinity", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if terms := requiredTerms(own); err == nil && s.Policy == affinity.Require {
				for i, t := range requiredTerms(a) {
					if i < len(terms) && len(t.MatchExpressions) > 0 {
						requiredTerms(a)[i].MatchExpressions = append(terms[i].MatchExpressions, t.MatchExpressions[len(terms[i].MatchExpressions):]...)
					}
				}
			}
			return a, err
		})},
		{"returns what is left of a slice of the own affinity", affinitytest.I1, "R2 P2 N1 N2 I2 I3", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if own != nil && own.NodeAffinity != nil && a != nil {
				a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[:0]
			}
			return a, err
		})},
		{"returns what it has cached", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			key := fmt.Sprint(encode(own), s, from)
			if cached, ok := cache[key]; ok && err == nil {
				return cached, nil
			}
			cache[key] = a
			return a, err
		})},
		{"returns the original of what it has cached", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			key := fmt.Sprint(encode(own), s, from)
			if cached, ok := cache[key]; ok && err == nil {
				return cached.DeepCopy(), nil
			}
			cache[key] = a
			return a, err
		})},
		{"uses one buffer for all calls", affinitytest.I1, "R1 R2 N2 I2 I3 I4", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if terms := requiredTerms(a); len(terms) > 0 {
				buffer = append(buffer[:0], terms[0].MatchExpressions...)
				terms[0].MatchExpressions = buffer
			}
			return a, err
		})},
		{"keeps its arguments and writes to them later", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			for _, earlier := range kept {
				earlier.PodAffinity = nil
			}
			if kept = nil; own != nil && own.PodAffinity != nil {
				kept = append(kept, own)
			}
			return a, err
		})},
		{"writes to the list of the strategy", affinitytest.I1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			slices.SortFunc(s.Requires, func(a, b affinity.RequiredLabel) int { return strings.Compare(a.Key, b.Key) })
			return a, err
		})},

		{"ranges over a map", affinitytest.I2, "I1 N2 I3", requires(plain{keys: func(s S, from L) []string {
			var keys []string
			for key := range maps.Collect(from.Only(s.Keys()...).All()) {
				keys = append(keys, key)
			}
			return keys
		}})},
		{"sorts the labels", affinitytest.I2, "", requires(plain{keys: func(s S, from L) []string { return slices.Collect(keysOf(from.Only(s.Keys()...))) }})},
		{"puts inherited expressions first", affinitytest.I2, "N2 I3", requires(plain{addTo: func(_ int, own, inherited Es) Es {
			var missing Es
			for _, e := range inherited {
				if !slices.ContainsFunc(own, func(o corev1.NodeSelectorRequirement) bool { return isSame(o, e) }) {
					missing = append(missing, e)
				}
			}
			return append(missing, own...)
		}})},
		{"puts inherited preferences first", affinitytest.I2, "N2 I3", preferring(func(own Ps, s S, from L) Ps {
			var added Ps
			for _, p := range s.Prefers {
				if value, ok := from.Get(p.Key); ok && !holds(own, preference(p.Weight, p.Key, value)) {
					added = append(added, preference(p.Weight, p.Key, value))
				}
			}
			return append(added, own...)
		})},
		{"removes empty terms", affinitytest.I2, "N2", requires(plain{terms: func(own, inherited Ts) Ts {
			left := Ts{}
			for _, t := range own {
				if len(t.MatchExpressions)+len(t.MatchFields) > 0 {
					t.MatchExpressions = addMissing(t.MatchExpressions, inherited[0].MatchExpressions)
					left = append(left, t)
				}
			}
			return left
		}})},
		{"requires a repeated label twice", affinitytest.I2, "I3", requires(plain{keys: func(s S, _ L) []string {
			if len(s.Requires) == 0 {
				return s.Keys()
			}
			var keys []string
			for _, r := range s.Requires {
				keys = append(keys, r.Key)
			}
			return keys
		}, addTo: func(_ int, own, inherited Es) Es {
			var missing Es
			for _, e := range inherited {
				if !slices.ContainsFunc(own, func(o corev1.NodeSelectorRequirement) bool { return isSame(o, e) }) {
					missing = append(missing, e)
				}
			}
			return append(own, missing...)
		}})},
		{"takes its own result for a conflict", affinitytest.I3, "R1 N2 I4", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if terms := requiredTerms(own); err == nil && s.Policy == affinity.Require && len(terms) > 0 && slices.ContainsFunc(terms[0].MatchExpressions, func(e corev1.NodeSelectorRequirement) bool { return e.Key == topology.Hostname }) {
				return nil, errors.New("the own affinity has a hostname already")
			}
			return a, err
		})},
		{"requires again what is required already", affinitytest.I3, "N2 I2", requires(plain{addTo: func(_ int, own, inherited Es) Es { return append(own, inherited...) }})},
		{"takes a term that has one of the labels for one that has all", affinitytest.I4, "R1", requires(plain{addTo: func(_ int, own, inherited Es) Es {
			if slices.ContainsFunc(own, func(o corev1.NodeSelectorRequirement) bool {
				return slices.ContainsFunc(inherited, func(e corev1.NodeSelectorRequirement) bool { return e.Key == o.Key })
			}) {
				return own
			}
			return addMissing(own, inherited)
		}})},

		{"finds no conflict", affinitytest.C1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isConflict(err) {
				return plain{}.require(own, s, from), nil
			}
			return a, err
		})},
		{"finds a conflict in one of several terms", affinitytest.C1, "R1 N2 I3 I4", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if s.Policy == affinity.Require && err == nil {
				for _, t := range requiredTerms(own) {
					one := &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: Ts{t}}}}
					if conflict := affinity.FindConflict(nil, one, from.Only(s.Keys()...)); conflict != nil {
						return nil, conflict
					}
				}
			}
			return a, err
		})},
		{"finds a conflict where no node matches anyway", affinitytest.C1, "N2", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if err == nil && s.Policy == affinity.Require && affinitytest.FindMatch(own, nil) == nil {
				return nil, &affinity.ConflictError{}
			}
			return a, err
		})},
		{"returns a nil pointer as an error", affinitytest.C1, "R1 P1 N1 N2", failing(func(own A, s S, from L, a A, err error) (A, error) {
			var conflict *affinity.ConflictError
			if err != nil && !errors.As(err, &conflict) {
				return nil, err
			}
			return a, conflict
		})},
		{"names no refusal", affinitytest.C1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isConflict(err) {
				return nil, &affinity.ConflictError{}
			}
			return a, err
		})},
		{"names the first expression", affinitytest.C1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			var conflict *affinity.ConflictError
			if errors.As(err, &conflict) {
				for i, r := range conflict.Refusals {
					if r.By == affinity.ByTerm {
						conflict.Refusals[i].Expression = requiredTerms(own)[r.Term].MatchExpressions[0]
					}
				}
			}
			return a, err
		})},

		{"returns a nil conflict", affinitytest.C1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isConflict(err) {
				return nil, (*affinity.ConflictError)(nil)
			}
			return a, err
		})},
		{"names the value that is required", affinitytest.C1, "", refusing(func(r *affinity.Refusal) { r.Value = fmt.Sprint(r.Expression.Values) })},
		{"takes a refused label for a malformed one", affinitytest.C1, "", refusing(func(r *affinity.Refusal) { r.By = affinity.ByLabelSyntax })},
		{"counts terms from one", affinitytest.C1, "", refusing(func(r *affinity.Refusal) { r.Term++ })},

		{"validates nothing", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isFault(err) {
				return own.DeepCopy(), nil
			}
			return a, err
		})},
		{"returns the own affinity with an error", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isFault(err) && own != nil {
				return own.DeepCopy(), err
			}
			return a, err
		})},
		{"returns the first fault", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			var fault *field.Error
			if errors.As(err, &fault) {
				return a, fault
			}
			return a, err
		})},
		{"returns faults without a field", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isFault(err) {
				return a, errors.New(err.Error())
			}
			return a, err
		})},
		{"also validates the list that is not read", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isFault(err) && s.Policy == affinity.Require {
				return a, errors.Join(err, field.Invalid(field.NewPath("prefers").Index(0).Child("weight"), 0, ""))
			}
			return a, err
		})},
		{"names a list instead of its entry", affinitytest.B1, "", failing(func(own A, s S, from L, a A, err error) (A, error) {
			if isFault(err) {
				return a, field.Invalid(field.NewPath("spec", "requires"), "", err.Error())
			}
			return a, err
		})},
	}
}

func holds(list []corev1.PreferredSchedulingTerm, p corev1.PreferredSchedulingTerm) bool {
	return slices.ContainsFunc(list, func(o corev1.PreferredSchedulingTerm) bool { return fmt.Sprint(o) == fmt.Sprint(p) })
}

func keysOf(s topology.LabelSet) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range s.All() {
			if !yield(key) {
				return
			}
		}
	}
}

// Every mistake is found, by the law that it breaks, and no law fails that it does not break.
func TestMistakesAreFound(t *testing.T) {
	for i, m := range mistakes(nil) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			blocked := make(chan time.Time)
			m := mistakes(blocked)[i] // with variables of its own
			options := []affinitytest.Option{affinitytest.ExpireBy(blocked)}
			if testing.Short() {
				options = append(options, affinitytest.Skip(slices.DeleteFunc(affinitytest.Laws(), func(l affinitytest.Law) bool {
					return l == m.law
				})...))
			}
			failures := affinitytest.CheckInherit(m.inherit, options...)
			var laws []string
			found := false
			for _, f := range failures {
				laws = append(laws, string(f.Law))
				found = found || f.Law == m.law
				if f.Law != m.law && !slices.Contains(strings.Fields(m.also), string(f.Law)) {
					t.Errorf("not a mistake by %v", f)
				}
			}
			if !found {
				t.Errorf("law %s does not fail; %s do", m.law, laws)
			}
			t.Log(laws)
		})
	}
}

func encode(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// The form of an error does not matter, as long as the errors in it can be found.
func TestRightFunctionsKeepAllLaws(t *testing.T) {
	for name, wrap := range map[string]func(error) error{
		"as it is":     func(err error) error { return err },
		"wrapped":      func(err error) error { return fmt.Errorf("wrapped: %w", err) },
		"an Aggregate": func(err error) error { return onlyErrors{err} },
	} {
		t.Run(name, func(t *testing.T) {
			affinitytest.TestInherit(t, func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
				a, err := right(own, s, from)
				var conflict *affinity.ConflictError
				if err == nil || errors.As(err, &conflict) {
					return a, err
				}
				return a, wrap(err)
			}, affinitytest.Limit(time.Minute))
		})
	}
}

// onlyErrors has the method Errors of an Aggregate, and no Unwrap.
type onlyErrors struct{ error }

func (e onlyErrors) Errors() []error { return []error{e.error} }
