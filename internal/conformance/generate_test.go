package conformance_test

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/internal/comparison"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// draw draws inputs from an alphabet.
type draw struct {
	*comparison.Draw
	alphabet
}

func (d *draw) oneIn(n int) bool { return d.IntN(n) == 0 }

func oneOf[E any](d *draw, choices ...E) E { return choices[d.IntN(len(choices))] }

// several draws up to n elements; none is nil or empty, as often as not.
func several[E any](d *draw, n int, draw func() E) []E {
	count := d.IntN(n + 1)
	if count == 0 && d.oneIn(2) {
		return nil
	}
	return exactly(count, draw)
}

func exactly[E any](n int, draw func() E) []E {
	elements := make([]E, n)
	for i := range elements {
		elements[i] = draw()
	}
	return elements
}

// An alphabet is what one case is drawn from. It is small, so that a node often has what an
// affinity asks for. It is that of the root's tests, or drawn from all that the API allows.
type alphabet struct {
	keys, values, names    []string // of labels, and of nodes
	taintKeys, taintValues []string
	resources              []corev1.ResourceName
}

func (d *draw) newAlphabet() alphabet {
	a := alphabet{
		keys: affinitytest.Keys(), values: affinitytest.Values(), names: affinitytest.Names(),
		taintKeys:   []string{"dedicated", "example.com/gpu", corev1.TaintNodeUnschedulable},
		taintValues: []string{"", "a", "3", "03", "-3", "-0", "+3", "9223372036854775808"},
		resources:   d.anyResources(),
	}
	if d.oneIn(2) {
		a.keys, a.names = exactly(4, d.anyKey), exactly(2, d.anyName)
		a.values = append(exactly(4, d.anyValue), "", "3")
		a.taintKeys = append(exactly(2, d.anyKey), corev1.TaintNodeUnschedulable)
		a.taintValues = append(exactly(3, d.anyValue), "", strconv.FormatInt(d.Int64()-d.Int64(), 10))
	}
	for _, name := range a.resources { // which the admission plugin ExtendedResourceToleration tolerates
		a.taintKeys = append(a.taintKeys, string(name))
	}
	return a
}

func (d *draw) key() string   { return oneOf(d, d.keys...) }
func (d *draw) value() string { return oneOf(d, d.values...) }

const alphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"

// word draws up to n characters: the first and the last alphanumeric, and the others from
// inner too.
func (d *draw) word(n int, alphanumeric, inner string) string {
	length := oneOf(d, 1, 1+d.IntN(8), 1+d.IntN(n), n)
	word := make([]byte, length)
	for i := range word {
		from := alphanumeric + inner
		if i == 0 || i == length-1 {
			from = alphanumeric
		}
		word[i] = from[d.IntN(len(from))]
	}
	return string(word)
}

// anyName draws a DNS subdomain, at times of the greatest length.
func (d *draw) anyName() string {
	if d.oneIn(8) {
		return strings.Repeat(strings.Repeat("n", 63)+".", 3) + d.word(61, alphanumeric, "-")
	}
	return strings.Join(exactly(1+d.IntN(3), func() string { return d.word(63, alphanumeric, "-") }), ".")
}

// anyKey draws the key of a label.
func (d *draw) anyKey() string {
	name := d.word(63, alphanumeric+strings.ToUpper(alphanumeric), "-_.")
	switch d.IntN(4) {
	case 0:
		return name
	case 1:
		return oneOf(d, corev1.LabelHostname, corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelOSStable, corev1.LabelArchStable,
			corev1.LabelInstanceTypeStable, corev1.LabelFailureDomainBetaZone, "node-role.kubernetes.io/control-plane", metav1.ObjectNameField)
	default:
		return d.anyName() + "/" + name
	}
}

// anyValue draws the value of a label.
func (d *draw) anyValue() string {
	switch d.IntN(4) {
	case 0:
		return strconv.FormatInt(d.Int64(), 10)
	case 1:
		return oneOf(d, "", "0", "007", "9223372036854775807", "9223372036854775808", strings.Repeat("9", 63))
	default:
		return d.word(63, alphanumeric+strings.ToUpper(alphanumeric), "-_.")
	}
}

// garbage draws what is mostly neither a key nor a value.
func (d *draw) garbage() string {
	characters := []rune("aZ09-_./ +*%:,é\x00")
	return strings.Join(exactly(d.IntN(8), func() string {
		if d.oneIn(16) {
			return strings.Repeat("x", 64)
		}
		return string(characters[d.IntN(len(characters))])
	}), "")
}

// labels draws the labels of a node, or those that an operation exposes.
func (d *draw) labels() map[string]string {
	labels := map[string]string{}
	for _, key := range d.keys {
		if d.oneIn(2) {
			labels[key] = d.value()
		}
	}
	return labels
}

// The corners of own affinities that every comparison must hit, and those that are hit
// only where malformed ones are drawn too.
var (
	affinityCorners = []string{
		"affinity: nil", "affinity: no node affinity", "required: none", "required: several terms",
		"term: empty", "term: a key twice", "matchFields", "values: the empty one", "values: more than eight",
		"operator In", "operator NotIn", "operator Exists", "operator DoesNotExist", "operator Gt", "operator Lt", "operator Gt or Lt: a word",
		"preferred: empty", "preferred: several",
	}
	noTerms          = "required: no terms"
	malformedCorners = func() (corners []string) {
		for _, f := range faults {
			corners = append(corners, f.corner)
		}
		return corners
	}()
)

// affinity draws an own affinity as an API server accepts it, but that its required
// part may have no terms.
func (d *draw) affinity() *corev1.Affinity {
	if d.oneIn(16) {
		return nil
	}
	a := &corev1.Affinity{}
	if !d.oneIn(16) {
		a.NodeAffinity = &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: several(d, 3, d.preference)}
		if !d.oneIn(8) {
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: several(d, 3, d.term)}
		}
	}
	if d.oneIn(4) {
		a.PodAffinity = &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: several(d, 2, d.podTerm)}
	}
	if d.oneIn(4) {
		a.PodAntiAffinity = &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: several(d, 2, func() corev1.WeightedPodAffinityTerm {
			return corev1.WeightedPodAffinityTerm{Weight: d.weight(), PodAffinityTerm: d.podTerm()}
		})}
	}
	return a
}

func (d *draw) term() corev1.NodeSelectorTerm {
	term := corev1.NodeSelectorTerm{MatchExpressions: several(d, 3, d.expression)}
	if d.oneIn(4) {
		term.MatchFields = several(d, 2, func() corev1.NodeSelectorRequirement {
			return requirement(metav1.ObjectNameField, oneOf(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn), oneOf(d, d.names...))
		})
	}
	return term
}

// preference draws weighted terms, half of them like those that are inherited.
func (d *draw) preference() corev1.PreferredSchedulingTerm {
	if d.oneIn(2) {
		return corev1.PreferredSchedulingTerm{Weight: d.weight(), Preference: d.term()}
	}
	return corev1.PreferredSchedulingTerm{Weight: d.weight(), Preference: corev1.NodeSelectorTerm{
		MatchExpressions: []corev1.NodeSelectorRequirement{d.equality()},
	}}
}

// weight has few values, one of them the default, so that weights collide too.
func (d *draw) weight() int32 { return oneOf[int32](d, 1, 7, 100) }

func (d *draw) equality() corev1.NodeSelectorRequirement {
	return requirement(d.key(), corev1.NodeSelectorOpIn, d.value())
}

func (d *draw) expression() corev1.NodeSelectorRequirement {
	if d.oneIn(3) {
		return d.equality()
	}
	e := requirement(d.key(), oneOf(d, operatorsOfNodes...))
	switch e.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		e.Values = append(several(d, 2, d.value), d.value())
		if d.oneIn(8) { // as long as a list of racks or hosts
			for range 9 {
				e.Values = append(e.Values, strconv.Itoa(d.IntN(100)))
			}
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		e.Values = []string{oneOf(d, "2", "3", "4", "003", "0", "9223372036854775807", d.value())} // also a word
	default:
		e.Values = several(d, 0, d.value)
	}
	return e
}

func (d *draw) podTerm() corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{
		TopologyKey:   d.key(),
		Namespaces:    several(d, 1, func() string { return "other" }),
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": d.value()}},
	}
}

// anyAffinity draws an own affinity that may be malformed.
func (d *draw) anyAffinity() *corev1.Affinity {
	a := d.affinity()
	if d.oneIn(4) {
		d.spoil(a)
	}
	return a
}

// faults are the ways in which a requirement can be malformed. Where it is about a
// label, key and values are those of an expression, else of a field.
var faults = []struct {
	corner string
	field  bool
	corev1.NodeSelectorRequirement
}{
	{"malformed: Gt -1", false, requirement("tier", "Gt", "-1")},
	{"malformed: Lt +4", false, requirement("tier", "Lt", "+4")},
	{"malformed: Gt with two values", false, requirement("tier", "Gt", "1", "2")},
	{"malformed: Lt without a value", false, requirement("tier", "Lt")},
	{"malformed: In without a value", false, requirement("tier", "In")},
	{"malformed: NotIn without a value", false, requirement("tier", "NotIn")},
	{"malformed: Exists with a value", false, requirement("tier", "Exists", "a")},
	{"malformed: DoesNotExist with a value", false, requirement("tier", "DoesNotExist", "a")},
	{"malformed: value", false, requirement("tier", "NotIn", "a", "not a value")},
	{"malformed: key", false, requirement("not a key", "Exists")},
	{"malformed: no key", false, requirement("", "DoesNotExist")},
	{"malformed: key with two slashes", false, requirement("a/b/c", "In", "a")},
	{"malformed: operator", false, requirement("tier", "Near", "a")},
	{"malformed: no operator", false, requirement("tier", "", "a")},
	{"malformed: field key", true, requirement("metadata.uid", "In", "node-a")},
	{"malformed: field operator", true, requirement("metadata.name", "Exists")},
	{"malformed: field with two values", true, requirement("metadata.name", "In", "node-a", "node-b")},
	{"malformed: field without a value", true, requirement("metadata.name", "NotIn")},
	{"malformed: node name", true, requirement("metadata.name", "NotIn", "Node_A")},
}

var operatorsOfNodes = []corev1.NodeSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}

// isWord reports whether a value is not an integer.
func isWord(value string) bool {
	_, err := strconv.ParseInt(value, 10, 64)
	return err != nil
}

func requirement(key string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: operator, Values: values}
}

// spoil makes one requirement malformed, in a preference of no weight at times.
func (d *draw) spoil(a *corev1.Affinity) {
	fault := oneOf(d, faults...)
	expressions, fields := requirements(a)
	if fault.field {
		expressions = fields
	}
	if len(expressions) == 0 {
		return
	}
	d.Hit(fault.corner, true)
	e := oneOf(d, expressions...)
	e.Key, e.Operator, e.Values = fault.Key, fault.Operator, slices.Clone(fault.Values)
	for range d.IntN(2) * d.IntN(3) { // and in any other way
		switch d.IntN(4) {
		case 0:
			e.Key = oneOf(d, d.garbage(), d.key())
		case 1:
			e.Operator = oneOf(d, corev1.NodeSelectorOperator(d.garbage()), corev1.NodeSelectorOpIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpGt)
		case 2:
			e.Values = append(e.Values, oneOf(d, d.garbage(), d.value()))
		default:
			e.Values = []string{oneOf(d, d.garbage(), d.value())}
		}
	}
	if preferred := a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution; len(preferred) > 0 && d.oneIn(4) {
		preferred[d.IntN(len(preferred))].Weight = 0
	}
}

// terms returns the terms of a node affinity: the required ones, and the preferred.
func terms(a *corev1.Affinity) (required, preferred []*corev1.NodeSelectorTerm) {
	if a == nil || a.NodeAffinity == nil {
		return nil, nil
	}
	if selector := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; selector != nil {
		for i := range selector.NodeSelectorTerms {
			required = append(required, &selector.NodeSelectorTerms[i])
		}
	}
	for i := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		preferred = append(preferred, &a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference)
	}
	return required, preferred
}

// requirements returns all requirements of a node affinity: those on labels and those
// on fields.
func requirements(a *corev1.Affinity) (expressions, fields []*corev1.NodeSelectorRequirement) {
	required, preferred := terms(a)
	for _, term := range append(required, preferred...) {
		for i := range term.MatchExpressions {
			expressions = append(expressions, &term.MatchExpressions[i])
		}
		for i := range term.MatchFields {
			fields = append(fields, &term.MatchFields[i])
		}
	}
	return expressions, fields
}

// inspect counts the corners of an own affinity.
func (d *draw) inspect(a *corev1.Affinity) {
	if d.Hit("affinity: nil", a == nil) || d.Hit("affinity: no node affinity", a.NodeAffinity == nil) {
		return
	}
	required, preferred := terms(a)
	selector := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	d.Hit("required: none", selector == nil)
	d.Hit(noTerms, selector != nil && len(required) == 0)
	d.Hit("required: several terms", len(required) > 1)
	d.Hit("preferred: several", len(preferred) > 1)
	for _, p := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		d.Hit("preferred: empty", len(p.Preference.MatchExpressions)+len(p.Preference.MatchFields) == 0)
		d.Hit("preferred: weight 0", p.Weight == 0)
	}
	for _, term := range required {
		d.Hit("term: empty", len(term.MatchExpressions)+len(term.MatchFields) == 0)
		distinct := map[string]bool{}
		for _, e := range term.MatchExpressions {
			distinct[e.Key] = true
		}
		d.Hit("term: a key twice", len(distinct) < len(term.MatchExpressions))
	}
	expressions, fields := requirements(a)
	d.Hit("matchFields", len(fields) > 0)
	for _, e := range expressions {
		compares := e.Operator == corev1.NodeSelectorOpGt || e.Operator == corev1.NodeSelectorOpLt
		d.Hit("operator "+string(e.Operator), slices.Contains(operatorsOfNodes, e.Operator))
		d.Hit("operator Gt or Lt: a word", compares && slices.ContainsFunc(e.Values, isWord))
		d.Hit("values: the empty one", slices.Contains(e.Values, ""))
		d.Hit("values: more than eight", len(e.Values) > 8)
	}
}

// The corners of the nodes that an affinity is matched with.
var nodeCorners = []string{"node: without labels", "node: a label absent that is asked for", "node: a label empty that is asked for", "node: a word where a number is asked for"}

// node draws a node that has each of the given labels as often as not.
func (d *draw) node(like topology.LabelSet) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: oneOf(d, d.names...), Labels: d.labels()}}
	all := d.oneIn(2)
	for key, value := range like.All() {
		if all || d.oneIn(2) {
			node.Labels[key] = value
		}
	}
	return node
}

// inspectNode counts the corners of a node for which a asks.
func (d *draw) inspectNode(a *corev1.Affinity, node *corev1.Node) {
	d.Hit("node: without labels", len(node.Labels) == 0)
	expressions, _ := requirements(a)
	for _, e := range expressions {
		value, present := node.Labels[e.Key]
		compares := e.Operator == corev1.NodeSelectorOpGt || e.Operator == corev1.NodeSelectorOpLt
		d.Hit("node: a label absent that is asked for", !present)
		d.Hit("node: a label empty that is asked for", present && value == "")
		d.Hit("node: a word where a number is asked for", present && compares && isWord(value))
	}
}

// nodeSelector draws a node selector, of a label at times.
func (d *draw) nodeSelector() map[string]string {
	if d.Hit("node selector", d.oneIn(4)) {
		return map[string]string{d.key(): d.value()}
	}
	return oneOf(d, nil, map[string]string{})
}

// anyNodeSelector draws a node selector that may be malformed.
func (d *draw) anyNodeSelector() map[string]string {
	selector := d.nodeSelector()
	if len(selector) > 0 && d.oneIn(16) {
		selector[oneOf(d, "", "not a key", "tier")] = oneOf(d, "a", "not a value")
	}
	return selector
}

// strategy draws a valid strategy. The list that its policy does not read has no effect,
// and may be malformed.
func (d *draw) strategy() affinity.Strategy {
	s := affinity.Strategy{Policy: oneOf(d, affinity.None, affinity.Require, affinity.Require, affinity.Prefer, affinity.Prefer)}
	s.Requires = several(d, 3, func() affinity.RequiredLabel { return affinity.RequiredLabel{Key: d.key()} })
	s.Prefers = several(d, 3, func() affinity.PreferredLabel { return affinity.PreferredLabel{Key: d.key(), Weight: d.weight()} })
	if s.Policy != affinity.Require && d.oneIn(4) {
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: "not a key"})
	}
	if s.Policy != affinity.Prefer && d.oneIn(4) {
		s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: "tier", Weight: 101})
	}
	return s
}

// anyStrategy draws a strategy that may be invalid.
func (d *draw) anyStrategy() affinity.Strategy {
	s := d.strategy()
	if !d.oneIn(8) {
		return s
	}
	switch name := oneOf(d, "", "not a key", "a/b/c"); d.IntN(4) {
	case 0:
		s.Policy = oneOf[affinity.Policy](d, "require", "Required", "Near")
	case 1:
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: name})
	case 2:
		s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: name, Weight: 1})
	default:
		s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: "tier", Weight: oneOf[int32](d, 0, 101, -1)})
	}
	return s
}

// The corners of strategies, valid ones and invalid.
var (
	strategyCorners        = []string{"policy: none", "policy: Require", "policy: Prefer", "strategy: default", "strategy: a key twice", "strategy: several keys"}
	invalidStrategyCorners = []string{"policy: unknown", "strategy: malformed key", "strategy: weight out of bounds"}
)

// inspectStrategy counts the corners of a strategy, and returns whether it is valid.
func (d *draw) inspectStrategy(s affinity.Strategy) (valid bool) {
	var follows []string
	valid = true
	switch s.Policy {
	case affinity.Require:
		for _, r := range s.Requires {
			follows = append(follows, r.Key)
		}
	case affinity.Prefer:
		for _, p := range s.Prefers {
			follows = append(follows, p.Key)
			if d.Hit("strategy: weight out of bounds", p.Weight < 1 || p.Weight > 100) {
				valid = false
			}
		}
	case affinity.None:
		d.Hit("policy: none", true)
		return true
	default:
		d.Hit("policy: unknown", true)
		return false
	}
	for i, key := range follows {
		if d.Hit("strategy: malformed key", len(validation.IsQualifiedName(key)) > 0) {
			valid = false
		}
		d.Hit("strategy: a key twice", slices.Contains(follows[:i], key))
	}
	d.Hit("strategy: several keys", len(follows) > 1)
	d.Hit("strategy: default", len(follows) == 0)
	d.Hit("policy: "+string(s.Policy), true)
	return valid
}

// The effects of taints and the operators of tolerations. Lt and Gt compare the value of a
// taint as a number.
var (
	effects   = []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute, corev1.TaintEffectPreferNoSchedule}
	operators = []corev1.TolerationOperator{"", corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpLt, corev1.TolerationOpGt}
)

var taintCorners = []string{
	"taint NoSchedule", "taint NoExecute", "taint PreferNoSchedule", "taint: no value", "taint: several",
	"cordoned", "cordoned: with its taint", "cordoned: by its taint alone",
	"toleration: none", "toleration: any taint", "toleration: any effect", "toleration: operator empty", "toleration: operator Equal",
	"toleration: operator Exists", "toleration: operator Lt", "toleration: operator Gt", "toleration: of cordons", "toleration: for some time",
}

// taint gives a node taints and cordons it, each at times.
func (d *draw) taint(node *corev1.Node) {
	for range max(0, d.IntN(6)-3) {
		taint := corev1.Taint{Key: oneOf(d, d.taintKeys...), Value: oneOf(d, d.taintValues...), Effect: oneOf(d, effects...)}
		d.Hit("taint "+string(taint.Effect), true)
		d.Hit("taint: no value", taint.Value == "")
		node.Spec.Taints = append(node.Spec.Taints, taint)
	}
	d.Hit("taint: several", len(node.Spec.Taints) > 1)
	node.Spec.Unschedulable = d.Hit("cordoned", d.oneIn(8))
	if node.Spec.Unschedulable && d.oneIn(2) || d.oneIn(16) {
		d.Hit("cordoned: with its taint", node.Spec.Unschedulable)
		d.Hit("cordoned: by its taint alone", !node.Spec.Unschedulable)
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
}

// tolerations draws up to three tolerations. An API server accepts most of them.
func (d *draw) tolerations() []corev1.Toleration {
	var tolerations []corev1.Toleration
	for range d.IntN(4) {
		t := corev1.Toleration{Key: oneOf(d, d.taintKeys...), Operator: oneOf(d, operators...), Effect: oneOf(d, append(effects, "", "")...)}
		if t.Operator != corev1.TolerationOpExists || d.oneIn(32) {
			t.Value = oneOf(d, d.taintValues...)
		} else if d.oneIn(4) {
			t.Key = ""
		}
		if t.Effect == corev1.TaintEffectNoExecute && d.Hit("toleration: for some time", d.oneIn(4)) {
			seconds := d.Int64N(100)
			t.TolerationSeconds = &seconds
		}
		d.Hit("toleration: operator empty", t.Operator == "")
		d.Hit("toleration: operator "+string(t.Operator), t.Operator != "")
		d.Hit("toleration: any taint", t.Key == "" && t.Operator == corev1.TolerationOpExists)
		d.Hit("toleration: any effect", t.Effect == "")
		d.Hit("toleration: of cordons", t.Key == corev1.TaintNodeUnschedulable)
		tolerations = append(tolerations, t)
	}
	d.Hit("toleration: none", tolerations == nil)
	return tolerations
}

// podWith returns a pod that asks for a node.
func podWith(selector map[string]string, a *corev1.Affinity, tolerations ...corev1.Toleration) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "default"},
		Spec:       corev1.PodSpec{NodeSelector: selector, Affinity: a, Tolerations: tolerations},
	}
}
