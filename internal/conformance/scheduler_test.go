package conformance_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/kubernetes/pkg/apis/core"
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

const nodesPerInput = 8

// Law X1, and the oracle of the test kits. What kube-apiserver's validation rejects of a node selector or a term is an error
// of Compile with its path; else the verdict and the score are the scheduler's.
func TestMatcherAgreesWithTheScheduler(t *testing.T) {
	compare(t, func(d *draw) error {
		selector, own := d.anyNodeSelector(), d.anyAffinity()
		d.inspect(own)
		m, err := affinity.Compile(selector, own)
		faults := rejected(selector, own)
		if (err == nil) != (len(faults) == 0) {
			return disagreement("malformed?", selector, own, text(err), text(faults.ToAggregate()))
		}
		if d.Hit("Compile: error", err != nil) {
			d.Cases++
			if got, want := rejectedAt(dataflow.Faults(err)), rejectedAt(faults.ToAggregate().Errors()); !sameRejections(got, want) {
				return disagreement("path", selector, own, text(err), text(faults.ToAggregate()))
			}
			return nil
		}
		satisfiable := m.Satisfiable()
		d.Hit("Compile: unsatisfiable", !satisfiable)
		s := verdictsOf(selector, own)
		d.Hit("preferred: the scheduler fails", s.preferredErr != nil)
		for range nodesPerInput {
			node := d.node(topology.LabelSet{})
			if d.Hit("node: without a name", d.oneIn(32)) {
				node.Name = ""
			}
			d.inspectNode(own, node)
			d.Cases++
			want := s.matches(node)
			if got := m.Match(node); got != want {
				return disagreement("Match", selector, own, node, got, want)
			}
			if got, want := m.Score(node), s.score(node); got != want {
				return disagreement("Score", own, node, got, want)
			}
			if want && !satisfiable && node.Name != "" {
				return disagreement("Satisfiable", selector, own, node)
			}
			// The oracle of the test kits.
			withSelector := want == (affinitytest.Match(own, node) && labels.SelectorFromSet(selector).Matches(labels.Set(node.Labels)))
			if !withSelector || affinitytest.Score(own, node) != s.score(node) {
				return disagreement("the oracle", selector, own, node, affinitytest.Match(own, node), affinitytest.Score(own, node), want, s.score(node))
			}
			if want && node.Name != "" && affinitytest.FindMatch(own, selector) == nil {
				return disagreement("FindMatch", selector, own, node)
			}
			d.Hit("Match: true", want)
			d.Hit("Match: false", !want)
			d.Hit("Score: not 0", s.score(node) > 0)
		}
		return nil
	}, slices.Concat(affinityCorners, malformedCorners, nodeCorners, []string{
		noTerms, "preferred: weight 0", "preferred: the scheduler fails", "node selector", "node: without a name",
		"Compile: error", "Compile: unsatisfiable", "Match: true", "Match: false", "Score: not 0",
	})...)
}

// Laws R1 and R2, P1 and P2, N1, and of C1 that no node refutes a conflict: for every
// own affinity, also a malformed one, of which the scheduler passes over the malformed
// terms. Conflicts are left alone where only the API server finds fault, as with a node
// name Node_A: no such affinity gets as far as the scheduler, which would take it.
func TestInheritAgreesWithTheScheduler(t *testing.T) {
	compare(t, func(d *draw) error {
		own, s, exposed := d.anyAffinity(), d.anyStrategy(), topology.NewLabelSet(d.labels())
		d.inspect(own)
		valid := d.inspectStrategy(s)
		result, err := affinity.Inherit(own, s, exposed)
		var conflict *affinity.ConflictError
		conflicts := d.Hit("Inherit: conflict", errors.As(err, &conflict))
		if (err == nil || conflicts) != valid {
			return disagreement("valid?", s, text(err))
		}
		if !valid {
			d.Cases++
			return nil
		}
		d.Hit("Inherit: exposed nothing", exposed.Len() == 0)
		d.Hit("Inherit: a missing label", result.Missing != nil)
		d.Hit("Inherit: several labels", result.Inherited.Len() > 1)
		before, after := verdictsOf(nil, own), verdictsOf(nil, result.Affinity)
		unseen := d.Hit("own: a fault of fields", apiFault(own) != nil)
		if !conflicts && !apiequality.Semantic.DeepEqual(podParts(own), podParts(result.Affinity)) {
			return disagreement("pod affinity", own, s, exposed.String(), result.Affinity)
		}
		if !conflicts && (before.preferredErr == nil) != (after.preferredErr == nil) {
			return disagreement("a malformed preference", own, s, exposed.String(), result.Affinity)
		}
		for range nodesPerInput {
			node := d.node(exposed)
			d.inspectNode(own, node)
			d.Cases++
			want := before.matches(node)
			if s.Policy == affinity.Require {
				want = want && agrees(node, s, exposed)
			}
			d.Hit("match: true", want)
			d.Hit("match: no more", before.matches(node) && !want)
			if conflicts {
				if want && !unseen {
					return disagreement("a conflict that a node refutes", own, s, exposed.String(), node, text(err))
				}
				continue
			}
			if got := after.matches(node); got != want {
				return disagreement("match", own, s, exposed.String(), node, result.Affinity, got, want)
			}
			if before.preferredErr != nil {
				continue
			}
			gain := int64(0)
			if s.Policy == affinity.Prefer {
				gain = gainOf(d, own, s, exposed, node)
			}
			if got, want := after.score(node), before.score(node)+gain; got != want {
				return disagreement("score", own, s, exposed.String(), node, result.Affinity, got, want)
			}
			d.Hit("score: more", gain > 0)
		}
		return nil
	}, slices.Concat(affinityCorners, malformedCorners, nodeCorners, strategyCorners, invalidStrategyCorners, []string{
		noTerms, "Inherit: conflict", "Inherit: exposed nothing", "Inherit: a missing label", "Inherit: several labels",
		"Inherit: preferred already", "match: true", "match: no more", "score: more",
	})...)
}

// agrees reports whether a node has the exposed value of every key that s requires.
func agrees(node *corev1.Node, s affinity.Strategy, exposed topology.LabelSet) bool {
	required := s.Requires
	if len(required) == 0 {
		required = []affinity.RequiredLabel{{Key: corev1.LabelHostname}}
	}
	for _, r := range required {
		want, follows := exposed.Get(r.Key)
		got, present := node.Labels[r.Key]
		if follows && !(present && got == want) {
			return false
		}
	}
	return true
}

// gainOf returns what s adds to the score of a node: the weights of the preferences that
// own does not hold to the letter, each time that s lists them, where the node has the
// exposed value.
func gainOf(d *draw, own *corev1.Affinity, s affinity.Strategy, exposed topology.LabelSet, node *corev1.Node) int64 {
	preferred := s.Prefers
	if len(preferred) == 0 {
		preferred = []affinity.PreferredLabel{{Key: corev1.LabelHostname, Weight: 100}}
	}
	gain := int64(0)
	for _, p := range preferred {
		want, follows := exposed.Get(p.Key)
		got, present := node.Labels[p.Key]
		if !follows || d.Hit("Inherit: preferred already", holds(own, p, want)) {
			continue
		}
		if present && got == want {
			gain += int64(p.Weight)
		}
	}
	return gain
}

func holds(own *corev1.Affinity, p affinity.PreferredLabel, value string) bool {
	term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{requirement(p.Key, corev1.NodeSelectorOpIn, value)}}
	if own == nil || own.NodeAffinity == nil {
		return false
	}
	return slices.ContainsFunc(own.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution, func(t corev1.PreferredSchedulingTerm) bool {
		return apiequality.Semantic.DeepEqual(t, corev1.PreferredSchedulingTerm{Weight: p.Weight, Preference: term})
	})
}

// verdicts are the scheduler's on what a pod asks of its node.
type verdicts struct {
	required     nodeaffinity.RequiredNodeAffinity
	preferred    []*nodeaffinity.PreferredSchedulingTerms
	preferredErr error
}

func verdictsOf(selector map[string]string, a *corev1.Affinity) verdicts {
	v := verdicts{required: nodeaffinity.GetRequiredNodeAffinity(podWith(selector, a))}
	var preferred []corev1.PreferredSchedulingTerm
	if a != nil && a.NodeAffinity != nil {
		preferred = a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	}
	for _, term := range preferred {
		parsed, err := nodeaffinity.NewPreferredSchedulingTerms([]corev1.PreferredSchedulingTerm{term})
		if err != nil {
			v.preferredErr = err
			continue
		}
		v.preferred = append(v.preferred, parsed)
	}
	return v
}

// matches passes over errors, as the scheduler's plugin does.
func (v verdicts) matches(node *corev1.Node) bool {
	matches, _ := v.required.Match(node)
	return matches
}

// score passes over preferences that the scheduler cannot parse. For these it fails, where
// several nodes are left to choose from.
func (v verdicts) score(node *corev1.Node) int64 {
	score := int64(0)
	for _, p := range v.preferred {
		score += p.Score(node)
	}
	return score
}

// rejected returns what kube-apiserver's validation rejects of a node selector and of the
// terms of a node affinity, with the paths of [affinity.Compile]. Weights, and whether there
// are terms at all, are not part of it.
func rejected(selector map[string]string, a *corev1.Affinity) field.ErrorList {
	faults := metav1validation.ValidateLabels(selector, field.NewPath("nodeSelector"))
	required, preferred := terms(a)
	check := func(term *corev1.NodeSelectorTerm, anyValue bool, path *field.Path) {
		var internal core.NodeSelectorTerm
		if err := corev1conversion.Convert_v1_NodeSelectorTerm_To_core_NodeSelectorTerm(term, &internal, nil); err != nil {
			panic(err)
		}
		faults = append(faults, validation.ValidateNodeSelectorTerm(internal, anyValue, path)...)
	}
	for i, term := range required {
		check(term, false, field.NewPath("requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms").Index(i))
	}
	for i, term := range preferred {
		check(term, true, field.NewPath("preferredDuringSchedulingIgnoredDuringExecution").Index(i).Child("preference"))
	}
	return faults
}

var anExpression = regexp.MustCompile(`^nodeSelector|^.*match(Expressions|Fields)\[\d+\]`)

// rejectedAt returns the paths of faults, by the path of the expression, or of the whole
// node selector: kube-apiserver does not name its keys.
func rejectedAt(faults []error) map[string][]string {
	paths := map[string][]string{}
	for _, err := range faults {
		var fault *field.Error
		if !errors.As(err, &fault) {
			panic(err)
		}
		path := fault.Field
		if strings.HasPrefix(path, "nodeSelector") {
			path = "nodeSelector"
		}
		paths[anExpression.FindString(path)] = append(paths[anExpression.FindString(path)], path)
	}
	return paths
}

// sameRejections reports whether the same expressions are rejected, each with a path that is
// the same.
func sameRejections(got, want map[string][]string) bool {
	for expression, paths := range want {
		if !slices.ContainsFunc(got[expression], func(path string) bool { return slices.Contains(paths, path) }) {
			return false
		}
	}
	return len(got) == len(want)
}

// apiFault returns what the API server rejects of the fields, which the scheduler hardly
// looks at.
func apiFault(a *corev1.Affinity) error {
	var err error
	required, preferred := terms(a)
	for i, term := range append(required, preferred...) {
		if p := i - len(required); p >= 0 && a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[p].Weight == 0 {
			continue // the scheduler passes over it
		}
		for _, f := range term.MatchFields {
			internal := core.NodeSelectorRequirement{Key: f.Key, Operator: core.NodeSelectorOperator(f.Operator), Values: f.Values}
			err = errors.Join(err, validation.ValidateNodeFieldSelectorRequirement(internal, nil).ToAggregate())
		}
	}
	return err
}

// podParts returns the part of an affinity that is about other pods.
func podParts(a *corev1.Affinity) *corev1.Affinity {
	if a == nil {
		return &corev1.Affinity{}
	}
	return &corev1.Affinity{PodAffinity: a.PodAffinity, PodAntiAffinity: a.PodAntiAffinity}
}

func text(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
