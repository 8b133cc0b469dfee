package dataflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The fields that problems are about, by their path in a manifest.
const (
	runAfterField = "spec.runAfter"
	strategyField = "spec.runAfter.affinityStrategy"
	exposesField  = "metadata.annotations[" + topology.LabelsAnnotation + "]"
)

// Problems returns what a person should know before the flow runs, in the flow's
// order: what [New] accepts, but cannot work or will not do what it says. It is nil
// for a flow without problems.
//
// An operation that is not in the flow is taken not to exist. The cost is linear in
// the operations and in what each of them says, but for contradictions, where every
// ORed term of an operation is held against every one of its source.
func (f *Flow) Problems() []Problem {
	c := checker{flow: f, alternatives: map[int32]nodeselector.Alternatives{}, exposed: f.exposures()}
	for i := range f.operations {
		c.op, c.i = &f.operations[i], int32(i)
		c.checkName()
		c.checkExposed()
		c.checkDemands()
		if c.op.RunAfter != nil {
			c.checkPredecessor()
			c.checkStrategy()
			c.checkSource()
		}
	}
	return c.problems
}

// checker goes through a flow, one operation after the other.
type checker struct {
	flow     *Flow
	op       *Operation                          // the one being checked
	i        int32                               // its index
	alternatives     map[int32]nodeselector.Alternatives // of the operations that ask for something: how to meet it
	exposed  *exposures
	root     []int32 // of each operation, the index of the first of its chain, and
	last     []int32 // that of its last descendant; made when first needed
	problems []Problem
}

func (c *checker) report(code Code, severity Severity, field, format string, args ...any) {
	c.problems = append(c.problems, Problem{code, severity, c.op.Ref, field, fmt.Sprintf(format, args...)})
}

func (c *checker) checkName() {
	if !labelsyntax.IsSubdomain(c.op.Name) {
		c.report(CodeInvalidName, SeverityError, "metadata.name", "an API server rejects the name %q: %s", c.op.Name, strings.Join(validation.IsDNS1123Subdomain(c.op.Name), "; "))
	}
	if ns := c.op.Namespace; ns != "" && (!labelsyntax.IsSubdomain(ns) || !labelsyntax.IsValue(ns) || strings.Contains(ns, ".")) {
		c.report(CodeInvalidName, SeverityError, "metadata.namespace", "an API server rejects the namespace %q: %s", ns, strings.Join(validation.IsDNS1123Label(ns), "; "))
	}
}

func (c *checker) checkExposed() {
	for _, key := range c.op.Exposes {
		if !labelsyntax.IsKey(key) {
			c.report(CodeInvalid, SeverityError, exposesField, "%s", labelsyntax.KeyFault(nil, key).ErrorBody())
		}
	}
}

// checkDemands looks at what the operation asks of its node itself.
func (c *checker) checkDemands() {
	if len(c.op.NodeSelector) == 0 && c.op.Affinity == nil {
		return
	}
	podSpec := c.op.Kind.podSpec()
	if _, err := affinity.Compile(c.op.NodeSelector, c.op.Affinity); err != nil {
		for _, err := range err.(utilerrors.Aggregate).Errors() {
			var fault *field.Error
			errors.As(err, &fault)
			path := fault.Field
			if !strings.HasPrefix(path, "nodeSelector") {
				path = "affinity.nodeAffinity." + path
			}
			c.report(CodeInvalid, SeverityError, podSpec+"."+path, "%s", fault.ErrorBody())
		}
		return
	}
	c.alternatives[c.i], _ = alternatives(c.op)
	if len(c.alternatives[c.i]) == 0 {
		c.report(CodeContradiction, SeverityError, podSpec+".affinity", "no node can meet %s; change it, or none will ever be found", impossible(c.op))
	}
}

// impossible says which demands of an operation, for which there is no node, exclude
// each other.
func impossible(op *Operation) string {
	selector, terms, _ := demands(op)
	if len(terms) == 0 {
		return "a required node affinity without terms, or with only empty ones"
	}
	ways := make([]string, len(terms))
	for i, t := range terms {
		ways[i] = t.And(selector).Impossible().String()
	}
	return strings.Join(slices.Compact(ways), ", nor ")
}

func (c *checker) checkPredecessor() {
	predecessor, _ := c.op.Predecessor()
	if c.flow.predecessor[c.i] != none || c.flow.find(predecessor) != none {
		return
	}
	meant, ok := c.flow.nearest(predecessor, c.op.Ref)
	name, hint := reference(predecessor, meant, ok)
	cure := "mend the reference"
	if name == ".name" {
		cure += " or add the operation"
	}
	c.report(CodeUnknownPredecessor, SeverityError, runAfterField+name, "no %s, so this waits for ever; %s%s", predecessor, cure, hint)
}

// reference returns which field of a reference is to be mended, and a hint at what was
// meant, if there is something that could be.
func reference(ref, meant Ref, ok bool) (name, hint string) {
	name = ".name"
	if !slices.Contains(Kinds(), ref.Kind) {
		name, hint = ".kind", fmt.Sprintf("; its kind must be one of %v", Kinds())
		if !ok {
			hint += typo.Hint(ref.Kind, Kinds()...)
		}
	}
	if ok {
		hint += "; typo of " + meant.String() + "?"
	}
	return name, hint
}

// checkStrategy looks for what in a strategy has no effect.
func (c *checker) checkStrategy() {
	s, dependsOn := c.op.RunAfter.Strategy, c.op.RunAfter.DependOn != nil
	if s.Policy == affinity.None {
		if len(s.Requires) > 0 || len(s.Prefers) > 0 || dependsOn {
			c.report(CodeNoPolicy, SeverityWarning, strategyField+".policy", "nothing is inherited without a policy; set it to Require or Prefer")
		}
		return
	}
	if s.Policy == affinity.Require && len(s.Prefers) > 0 {
		c.report(CodeIgnoredList, SeverityWarning, strategyField+".prefers", "policy Require does not read prefers; move its entries to requires, or set policy to Prefer")
	}
	if s.Policy == affinity.Prefer && len(s.Requires) > 0 {
		c.report(CodeIgnoredList, SeverityWarning, strategyField+".requires", "policy Prefer does not read requires; move its entries to prefers, or set policy to Require")
	}
	if c.op.Distributed {
		c.report(CodeDistributedTarget, SeverityWarning, strategyField+".policy", "an operation of several pods inherits nothing; remove the policy, or run it as one pod")
	}
}

// checkSource looks at what is to be inherited from where.
func (c *checker) checkSource() {
	ref, ok := c.op.Source()
	if !ok {
		return
	}
	if c.op.RunAfter.DependOn != nil && !c.isAncestor(ref) {
		c.reportNotAncestor(ref)
		return
	}
	i := c.flow.predecessor[c.i]
	if c.op.RunAfter.DependOn != nil || i == none {
		i = c.flow.find(ref)
	}
	if i == none {
		return // reported as an unknown predecessor, of this operation or of its first ancestor
	}
	source := &c.flow.operations[i]
	switch {
	case source.Distributed:
		c.report(CodeDistributedSource, SeverityWarning, strategyField, "%s runs as several pods and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	case source.Recurring:
		c.report(CodeRecurringSource, SeverityWarning, strategyField, "%s runs by a schedule and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	default:
		c.checkKeys(i)
		if c.op.RunAfter.Strategy.Policy == affinity.Require {
			c.checkTogether(i)
		}
	}
}

// reportNotAncestor says that ref, on which the operation depends, does not come before it.
func (c *checker) reportNotAncestor(ref Ref) {
	meant, ok := c.flow.nearestAncestor(ref, c.i)
	if !ok {
		meant, ok = c.flow.nearest(ref, c.op.Ref)
		ok = ok && c.isAncestor(meant)
	}
	name, hint := reference(ref, meant, ok)
	what := "this does not run after " + ref.String() + ", neither directly nor through others"
	if c.flow.find(ref) == none {
		what = ref.String() + " is not in the flow, so this does not run after it"
	}
	c.report(CodeNotAnAncestor, SeverityError, strategyField+".dependOn"+name, "%s; name an operation that comes before it in its chain%s", what, hint)
}

// isAncestor reports whether the operation runs after ref, directly or not. ref need
// not be in the flow: the first operation of a chain may run after a stranger. Where a
// cycle was cut open, whoever comes after the cut may come before it as well.
func (c *checker) isAncestor(ref Ref) bool {
	if c.last == nil {
		c.root, c.last = chainBounds(c.flow.predecessor)
	}
	root := c.root[c.i]
	before, ok := c.flow.operations[root].Predecessor()
	i := c.flow.find(ref)
	switch {
	case i == none:
		return ok && before == ref
	case i < c.i && c.i <= c.last[i]:
		return true
	}
	return ok && c.root[i] == root && c.flow.find(before) != none
}

// checkKeys looks for labels that are to be followed and that the source does not
// expose. The hostname, which is followed if none is named, always is.
func (c *checker) checkKeys(source int32) {
	s := c.op.RunAfter.Strategy
	check := func(severity Severity, list string, i int, key string) {
		if c.exposed.have(source, key) || !labelsyntax.IsKey(key) {
			return
		}
		cure := "; add it to the annotation " + topology.LabelsAnnotation + " there"
		if hint := typo.KeyHint(key, c.exposed.of(source)...); hint != "" {
			cure = hint + " If not, add it to the annotation " + topology.LabelsAnnotation + " there"
		}
		c.report(CodeNotExposed, severity, fmt.Sprintf("%s.%s[%d].name", strategyField, list, i), "%s does not expose %s, so it is not inherited%s", c.flow.operations[source].Ref, key, cure)
	}
	switch s.Policy {
	case affinity.Require:
		for i, r := range s.Requires {
			check(SeverityError, "requires", i, r.Key)
		}
	case affinity.Prefer:
		for i, p := range s.Prefers {
			check(SeverityWarning, "prefers", i, p.Key)
		}
	}
}

// checkTogether looks for a source that can only run where the operation, which must
// follow it, cannot. A source that may run on a node without a followed label forces
// nothing on it.
func (c *checker) checkTogether(source int32) {
	there, here := c.alternatives[source], c.alternatives[c.i]
	if len(there) == 0 || len(here) == 0 {
		return // nothing asked for, or nothing possible, which is reported by itself
	}
	keys := c.exposed.among(c.op.RunAfter.Strategy.Keys(), source)
	if refusing, refused, ok := there.Conflict(here.Project(keys)); ok {
		c.report(CodeContradiction, SeverityError, strategyField, "this must run where %s ran, but they exclude each other: %s there, and %s here; change one of the two, or follow another label",
			c.flow.operations[source].Ref, refusing, refused)
	}
}
