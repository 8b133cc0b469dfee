package affinitytest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Match is kube-scheduler's verdict on a node for a pod with the affinity, as LAWS.md defines it: the
// required node affinity only. A nil affinity, and one without a required part, match every node. A
// required part without terms, and an empty term, match no node. A nil node has no name and no labels.
// It is exact for affinities that an API server accepts.
func Match(a *corev1.Affinity, node *corev1.Node) bool {
	return placeOf(node).matches(a)
}

// Score is the sum of the weights of the preferred node affinity that match a node. An empty preference
// matches nothing, and neither does one with a value that no label can have: an API server accepts it, and
// the scheduler cannot parse it.
func Score(a *corev1.Affinity, node *corev1.Node) int64 {
	return placeOf(node).score(a)
}

// place is what a node affinity looks at.
type place struct {
	name   string
	labels map[string]string
}

func placeOf(node *corev1.Node) place {
	if node == nil {
		return place{}
	}
	return place{node.Name, node.Labels}
}

func (p place) node() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: p.name, Labels: p.labels}}
}

func (p place) matches(a *corev1.Affinity) bool {
	required := requiredOf(a)
	return required == nil || slices.ContainsFunc(required.NodeSelectorTerms, p.matchesTerm)
}

func (p place) score(a *corev1.Affinity) int64 {
	sum := int64(0)
	for _, term := range preferredOf(a) {
		if p.matchesTerm(term.Preference) {
			sum += int64(term.Weight)
		}
	}
	return sum
}

func (p place) matchesTerm(term corev1.NodeSelectorTerm) bool {
	for _, e := range term.MatchExpressions {
		if value, present := p.labels[e.Key]; !meets(e, value, present) || slices.ContainsFunc(e.Values, isNoValue) {
			return false
		}
	}
	for _, e := range term.MatchFields {
		// The scheduler looks at no field of a node that has no name.
		if e.Key != metav1.ObjectNameField || p.name != "" && !meets(e, p.name, true) {
			return false
		}
	}
	return !isEmpty(term)
}

// meets reports whether a value, or its absence, meets a requirement.
func meets(e corev1.NodeSelectorRequirement, value string, present bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return present && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !present || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return present
	case corev1.NodeSelectorOpDoesNotExist:
		return !present
	}
	bound, ok := boundOf(e)
	number, err := strconv.ParseInt(value, 10, 64)
	if !ok || !present || err != nil {
		return false
	}
	return e.Operator == corev1.NodeSelectorOpGt && number > bound || e.Operator == corev1.NodeSelectorOpLt && number < bound
}

// isNoValue reports whether a string is not a label value: more than 63 characters, or others than
// letters, digits, '-', '_' and '.', the last three not at an end.
func isNoValue(s string) bool {
	inner := strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-_.", r) })
	return len(s) > 63 || inner >= 0 || s != "" && !(isAlphanumeric(rune(s[0])) && isAlphanumeric(rune(s[len(s)-1])))
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// boundOf returns the bound of Gt or Lt.
func boundOf(e corev1.NodeSelectorRequirement) (bound int64, ok bool) {
	if len(e.Values) != 1 {
		return 0, false
	}
	bound, err := strconv.ParseInt(e.Values[0], 10, 64)
	return bound, err == nil
}

// FindMatch returns a node that an affinity matches and that has the given labels, or nil if there is
// none among all that Kubernetes allows. Nil labels ask for nothing.
func FindMatch(a *corev1.Affinity, labels map[string]string) *corev1.Node {
	terms := []corev1.NodeSelectorTerm{{}}
	required := requiredOf(a)
	if required != nil {
		terms = required.NodeSelectorTerms
	}
	for _, term := range terms {
		if required != nil && isEmpty(term) {
			continue
		}
		if found, ok := findPlace(term, labels); ok {
			return found.node()
		}
	}
	return nil
}

// findPlace returns a place that meets the requirements of a term and has the labels. Keys do not depend
// on each other, so each is tried by itself.
func findPlace(term corev1.NodeSelectorTerm, labels map[string]string) (found place, ok bool) {
	found = place{labels: map[string]string{}}
	for key, value := range labels {
		if !isLabel(key, value) {
			return place{}, false
		}
		found.labels[key] = value
	}
	for key, expressions := range byKey(term.MatchExpressions) {
		value, given := labels[key]
		states := statesOf(expressions)
		if given {
			states = []state{{value, true}}
		}
		i := slices.IndexFunc(states, func(s state) bool { return s.meetsAll(expressions) })
		switch {
		case i < 0:
			return place{}, false
		case states[i].present:
			found.labels[key] = states[i].value
		}
	}
	names := []string{"node"}
	for _, e := range term.MatchFields {
		names = append(names, e.Values...)
	}
	for _, found.name = range names {
		if len(term.MatchFields) == 0 || found.matchesTerm(corev1.NodeSelectorTerm{MatchFields: term.MatchFields}) {
			return found, true
		}
	}
	return place{}, false
}

// isLabel reports whether Kubernetes allows a label.
func isLabel(key, value string) bool {
	return len(validation.IsQualifiedName(key)) == 0 && len(validation.IsValidLabelValue(value)) == 0
}

func byKey(expressions []corev1.NodeSelectorRequirement) map[string][]corev1.NodeSelectorRequirement {
	of := map[string][]corev1.NodeSelectorRequirement{}
	for _, e := range expressions {
		of[e.Key] = append(of[e.Key], e)
	}
	return of
}

// state is what a node can have for a key: a value, or no label.
type state struct {
	value   string
	present bool
}

func (s state) meetsAll(expressions []corev1.NodeSelectorRequirement) bool {
	return !slices.ContainsFunc(expressions, func(e corev1.NodeSelectorRequirement) bool { return !meets(e, s.value, s.present) })
}

// statesOf returns every state of a key that can make a difference for requirements on it: absent; each
// value that occurs; each number that occurs and its neighbours, in one spelling more than there are
// values, so that they cannot exclude all; and a word that does not occur.
func statesOf(expressions []corev1.NodeSelectorRequirement) []state {
	values, zeros := map[string]bool{}, ""
	for _, e := range expressions {
		for _, value := range e.Values {
			values[value] = true
			zeros += "0"
		}
	}
	for value := range maps.Clone(values) {
		if number, err := strconv.ParseInt(value, 10, 64); err == nil {
			for _, near := range []int64{number - 1, number, number + 1} {
				for n := range len(zeros) + 1 {
					values[zeros[:n]+strconv.FormatInt(near, 10)] = true
				}
			}
		}
	}
	word := "other"
	for values[word] {
		word += "r"
	}
	values[word] = true
	states := []state{{}}
	for _, value := range slices.SortedFunc(maps.Keys(values), shorterFirst) {
		if len(validation.IsValidLabelValue(value)) == 0 {
			states = append(states, state{value, true})
		}
	}
	return states
}

func shorterFirst(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

func requiredOf(a *corev1.Affinity) *corev1.NodeSelector {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	return a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

func preferredOf(a *corev1.Affinity) []corev1.PreferredSchedulingTerm {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	return a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
}

func isEmpty(term corev1.NodeSelectorTerm) bool {
	return len(term.MatchExpressions)+len(term.MatchFields) == 0
}

func equal(key, value string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
}
