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

// Check returns everything that is wrong with operations: the faults for which [New]
// rejects them, and the problems of their flow, which is looked at without what is
// at fault. So one mistake does not hide another.
func Check(operations ...Operation) []Problem {
	f, faults := build(operations)
	if len(faults) == 0 {
		return f.Problems()
	}
	f, _ = build(withoutFaults(operations, faults))
	return append(rejections(faults), f.Problems()...)
}

// withoutFaults returns operations that New accepts: without repeated ones and those
// of unknown kinds, without invalid strategies, and each cycle cut open.
func withoutFaults(operations []Operation, faults []error) []Operation {
	operations = slices.Clone(operations)
	drop, cut := make([]bool, len(operations)), map[Ref]bool{}
	for _, fault := range faults {
		var of *OperationError
		var cycle *CycleError
		switch {
		case errors.As(fault, &cycle):
			cut[cycle.Operations[0]] = true
		case errors.As(fault, &of) && strings.HasPrefix(of.Fault.Field, strategyField):
			operations[of.Index].RunAfter = &RunAfter{Ref: operations[of.Index].RunAfter.Ref}
		case errors.As(fault, &of):
			drop[of.Index] = true
		}
	}
	kept := operations[:0]
	for i, op := range operations {
		if cut[op.Ref] {
			op.RunAfter = nil
		}
		if !drop[i] {
			kept = append(kept, op)
		}
	}
	return kept
}

// rejections translates the faults for which New rejects operations.
func rejections(faults []error) []Problem {
	var problems []Problem
	for _, fault := range faults {
		var of *OperationError
		var cycle *CycleError
		switch {
		case errors.As(fault, &cycle):
			problems = append(problems, Problem{Cycle, Error, cycle.Operations[0], runAfterField, cycle.Error() + "; remove one runAfter"})
		case errors.As(fault, &of) && of.Fault.Type == field.ErrorTypeDuplicate:
			problems = append(problems, Problem{Duplicate, Error, of.Operation, of.Fault.Field, "another operation has the same kind, namespace and name; remove or rename one"})
		case errors.As(fault, &of):
			problems = append(problems, Problem{Invalid, Error, of.Operation, of.Fault.Field, of.Fault.ErrorBody()})
		}
	}
	return problems
}

// Problems returns what a person should know before the flow runs, in the flow's
// order: what [New] accepts, but cannot work or will not do what it says. It is nil
// for a flow without problems.
//
// An operation that is not in the flow is taken not to exist. The cost is linear in
// the operations and in what each of them says, but for contradictions, where every
// ORed term of an operation is held against every one of its source.
func (f *Flow) Problems() []Problem {
	c := checker{flow: f, ways: map[int32][]nodeselector.Term{}}
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
	op       *Operation                    // the one being checked
	i        int32                         // its index
	ways     map[int32][]nodeselector.Term // of the operations that ask for something: how to meet it
	root     []int32                       // of each operation, the index of the first of its chain, and
	last     []int32                       // that of its last descendant; made when first needed
	problems []Problem
}

func (c *checker) report(code Code, severity Severity, field, format string, args ...any) {
	c.problems = append(c.problems, Problem{code, severity, c.op.Ref, field, fmt.Sprintf(format, args...)})
}

func (c *checker) checkName() {
	if !labelsyntax.IsSubdomain(c.op.Name) {
		c.report(InvalidName, Error, "metadata.name", "an API server rejects the name %q: %s", c.op.Name, strings.Join(validation.IsDNS1123Subdomain(c.op.Name), "; "))
	}
	if ns := c.op.Namespace; ns != "" && (!labelsyntax.IsSubdomain(ns) || !labelsyntax.IsValue(ns) || strings.Contains(ns, ".")) {
		c.report(InvalidName, Error, "metadata.namespace", "an API server rejects the namespace %q: %s", ns, strings.Join(validation.IsDNS1123Label(ns), "; "))
	}
}

func (c *checker) checkExposed() {
	for _, key := range c.op.Exposes {
		if !labelsyntax.IsKey(key) {
			c.report(Invalid, Error, exposesField, "%q is not a label key: %s", key, strings.Join(validation.IsQualifiedName(key), "; "))
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
			if strings.HasPrefix(path, "nodeSelector") {
				// There is no more to a selector's entry in a manifest than the entry.
				path = strings.TrimSuffix(strings.TrimSuffix(path, ".key"), ".values[0]")
			} else {
				path = "affinity.nodeAffinity." + path
			}
			c.report(Invalid, Error, podSpec+"."+path, "%s", fault.ErrorBody())
		}
		return
	}
	selector, terms, _ := demands(c.op)
	for _, t := range terms {
		if both := t.And(selector); both.Satisfiable() {
			c.ways[c.i] = append(c.ways[c.i], both)
		}
	}
	if len(c.ways[c.i]) == 0 {
		c.report(Contradiction, Error, podSpec+".affinity", "no node can meet %s; change it, or none will ever be found", impossible(c.op))
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
	if c.flow.predecessor[c.i] != none {
		return
	}
	predecessor, _ := c.op.Predecessor()
	meant, ok := c.flow.nearest(predecessor, c.op.Ref)
	name, hint := reference(predecessor, meant, ok)
	c.report(UnknownPredecessor, Error, runAfterField+name, "no %s, so this waits for ever; mend the reference or add the operation%s", predecessor, hint)
}

// reference returns which field of a reference is to be mended, and a hint at what was
// meant, if there is something that could be.
func reference(ref, meant Ref, ok bool) (name, hint string) {
	name = ".name"
	if !slices.Contains(Kinds(), ref.Kind) {
		name, hint = ".kind", fmt.Sprintf("; its kind must be one of %v", Kinds())
		if !ok {
			hint += kindHint(ref.Kind)
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
			c.report(NoPolicy, Warning, strategyField+".policy", "nothing is inherited without a policy; set it to Require or Prefer")
		}
		return
	}
	if s.Policy == affinity.Require && len(s.Prefers) > 0 {
		c.report(IgnoredList, Warning, strategyField+".prefers", "policy Require does not read prefers; move its entries to requires, or set policy to Prefer")
	}
	if s.Policy == affinity.Prefer && len(s.Requires) > 0 {
		c.report(IgnoredList, Warning, strategyField+".requires", "policy Prefer does not read requires; move its entries to prefers, or set policy to Require")
	}
	if c.op.Distributed {
		c.report(DistributedTarget, Warning, strategyField+".policy", "an operation of several pods inherits nothing; remove the policy, or run it as one pod")
	}
}

// checkSource looks at what is to be inherited from where.
func (c *checker) checkSource() {
	ref, ok := c.op.Source()
	if !ok {
		return
	}
	if c.op.RunAfter.DependOn != nil && !c.isAncestor(ref) {
		c.reportStranger(ref)
		return
	}
	i := c.flow.predecessor[c.i]
	if c.op.RunAfter.DependOn != nil {
		i = c.flow.find(ref)
	}
	if i == none {
		return // reported as an unknown predecessor, of this operation or of its first ancestor
	}
	source := &c.flow.operations[i]
	switch {
	case source.Distributed:
		c.report(DistributedSource, Warning, strategyField, "%s runs as several pods and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	case source.Recurring:
		c.report(RecurringSource, Warning, strategyField, "%s runs by a schedule and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	default:
		c.checkKeys(source)
		if c.op.RunAfter.Strategy.Policy == affinity.Require {
			c.checkTogether(source, c.ways[i])
		}
	}
}

// reportStranger says that ref, on which the operation depends, does not come before it.
func (c *checker) reportStranger(ref Ref) {
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
	c.report(NotAnAncestor, Error, strategyField+".dependOn"+name, "%s; name an operation that comes before it in its chain%s", what, hint)
}

// isAncestor reports whether the operation runs after ref, directly or not. ref need
// not be in the flow: the first operation of a chain may run after a stranger.
func (c *checker) isAncestor(ref Ref) bool {
	if c.last == nil {
		c.root, c.last = kin(c.flow.predecessor)
	}
	if i := c.flow.find(ref); i != none {
		return i < c.i && c.i <= c.last[i]
	}
	stranger, ok := c.flow.operations[c.root[c.i]].Predecessor()
	return ok && stranger == ref
}

// checkKeys looks for labels that are to be followed and that the source does not
// expose. The hostname, which is followed if none is named, always is.
func (c *checker) checkKeys(source *Operation) {
	s := c.op.RunAfter.Strategy
	if len(s.Requires)+len(s.Prefers) == 0 {
		return
	}
	exposed := topology.ExposedKeys(source.Exposes...)
	check := func(severity Severity, list string, i int, key string) {
		if slices.Contains(exposed, key) {
			return
		}
		cure := "; add it to the annotation " + topology.LabelsAnnotation + " there"
		if hint := typo.KeyHint(key, exposed...); hint != "" {
			cure = hint + " If not, add it to the annotation " + topology.LabelsAnnotation + " there"
		}
		c.report(NotExposed, severity, fmt.Sprintf("%s.%s[%d].name", strategyField, list, i), "%s does not expose %s, so it is not inherited%s", source.Ref, key, cure)
	}
	switch s.Policy {
	case affinity.Require:
		for i, r := range s.Requires {
			check(Error, "requires", i, r.Name)
		}
	case affinity.Prefer:
		for i, p := range s.Prefers {
			check(Warning, "prefers", i, p.Name)
		}
	}
}

// checkTogether looks for a source that can only run where the operation, which
// must follow it, cannot. There is none as long as one way of meeting the source's
// demands goes with one way of meeting the operation's. A source that may run on
// a node without a followed label forces nothing on it.
func (c *checker) checkTogether(source *Operation, forced []nodeselector.Term) {
	ways := c.ways[c.i]
	if len(forced) == 0 || len(ways) == 0 {
		return // nothing asked for, or nothing possible, which is reported by itself
	}
	keys := exposedOf(c.op.RunAfter.Strategy.Keys(), source)
	var refused string
	for _, there := range forced {
		for _, here := range ways {
			key, ok := disagreement(there, here, keys)
			if !ok {
				return
			}
			if refused == "" {
				refused = fmt.Sprintf("%s there, and %s here", there.On(key), here.On(key))
			}
		}
	}
	c.report(Contradiction, Error, strategyField, "this must run where %s ran, but they exclude each other: %s; change one of the two, or follow another label", source.Ref, refused)
}

// disagreement returns a key of which no value meets both terms, and whether there
// is one.
func disagreement(there, here nodeselector.Term, keys []string) (string, bool) {
	for _, key := range keys {
		forced := there.On(key).Set()
		if !forced.Has("", false) && forced.Intersect(here.On(key).Set()).Empty() {
			return key, true
		}
	}
	return "", false
}
