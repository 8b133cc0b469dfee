package dataflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/message"
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

// Problems returns the problems of the flow from the specs alone, in the flow's order: what
// [New] accepts, but cannot work or does something else than the spec says. It is nil if
// there are none. Of an operation, a hundred problems of each code are listed, and then one says how
// many more there are.
//
// An operation that is not in the flow is taken not to exist. The cost is linear in the
// operations and their specs, except for contradictions: every ORed term of an operation is
// compared with every one of its source.
func (f *Flow) Problems() []Problem {
	if f == nil {
		return nil
	}
	c := checker{flow: f, alternatives: map[int32]nodeselector.Alternatives{}, exposed: f.exposures(), dictionaries: map[int32]*typo.Dictionary{}}
	for i := range f.operations {
		c.op, c.i = &f.operations[i], int32(i)
		c.of(c.op.Ref)
		c.checkName()
		c.checkExposed()
		c.checkConstraints()
		if c.op.RunAfter != nil {
			c.checkPredecessor()
			c.checkStrategy()
			c.checkSource()
		}
	}
	return c.end()
}

// checker checks one operation of a flow after the other.
type checker struct {
	flow         *Flow
	op           *Operation                          // the operation that is checked
	i            int32                               // its index
	alternatives map[int32]nodeselector.Alternatives // of the operations with constraints
	exposed      *exposures
	dictionaries map[int32]*typo.Dictionary // by operation, of the keys that it exposes
	root         []int32                    // for each operation, the index of the root of its chain
	last         []int32                    // and of its last descendant; made when first needed
	listing
}

// report reports a problem of the operation.
func (c *checker) report(code Code, severity Severity, field, format string, args ...any) {
	c.add(code, func() Problem { return c.op.problem(code, severity, field, format, args...) })
}

// reportInvalid reports a fault of the operation.
func (c *checker) reportInvalid(field string, fault *field.Error) {
	c.add(CodeInvalid, func() Problem { return c.op.problem(CodeInvalid, SeverityError, field, "%s", fault.ErrorBody()) })
}

// problem returns a problem of the operation, and on what it rests.
func (o *Operation) problem(code Code, severity Severity, field, format string, args ...any) Problem {
	return Problem{code, severity, o.Ref, message.Text(field), message.Text(fmt.Sprintf(format, args...)), o.basis(code)}
}

// listing lists problems, one operation after the other. Of many problems of an operation with one
// code, it counts the rest.
type listing struct {
	problems []Problem
	at       Ref          // the operation
	found    map[Code]int // how many problems it has
	omitted  []Problem    // the first of each code that is not listed
}

// listedProblems is how many problems of one code are listed for an operation.
const listedProblems = 100

// of begins with an operation, unless it is the present one.
func (l *listing) of(operation Ref) {
	if l.found == nil {
		l.found = map[Code]int{}
	}
	if l.at != operation {
		l.end()
		l.at = operation
	}
}

// add adds a problem, which is made only if it is needed.
func (l *listing) add(code Code, problem func() Problem) {
	l.found[code]++
	switch n := l.found[code]; {
	case n <= listedProblems:
		l.problems = append(l.problems, problem())
	case n == listedProblems+1:
		l.omitted = append(l.omitted, problem())
	}
}

// end adds how many problems of the operation are not listed, and returns all problems.
func (l *listing) end() []Problem {
	for _, p := range l.omitted {
		p.Message = fmt.Sprintf("%d more problems with code %s of this operation are not listed", l.found[p.Code]-listedProblems, p.Code)
		l.problems = append(l.problems, p)
	}
	l.omitted = nil
	clear(l.found)
	return l.problems
}

func (c *checker) checkName() {
	if !labelsyntax.IsSubdomain(c.op.Ref.Name) {
		c.report(CodeInvalidName, SeverityError, "metadata.name", "an API server rejects the name %q: %s", message.Excerpt(c.op.Ref.Name), strings.Join(validation.IsDNS1123Subdomain(c.op.Ref.Name), "; "))
	}
	if ns := c.op.Ref.Namespace; ns != "" && (!labelsyntax.IsSubdomain(ns) || !labelsyntax.IsValue(ns) || strings.Contains(ns, ".")) {
		c.report(CodeInvalidName, SeverityError, "metadata.namespace", "an API server rejects the namespace %q: %s", message.Excerpt(ns), strings.Join(validation.IsDNS1123Label(ns), "; "))
	}
}

func (c *checker) checkExposed() {
	for _, key := range c.op.Exposes {
		if !labelsyntax.IsKey(key) {
			c.reportInvalid(exposesField, labelsyntax.KeyFault(nil, key))
		} else if fault := topology.CheckRecordable(nil, key); fault != nil {
			c.report(CodeUnrecordable, SeverityError, exposesField, "%s", fault.ErrorBody())
		}
	}
}

// checkConstraints checks the operation's own constraints.
func (c *checker) checkConstraints() {
	podSpec := c.op.podSpec()
	for _, fault := range validatePlacement(c.op) {
		c.reportInvalid(podSpec+"."+fault.Field, fault)
	}
	if len(c.op.NodeSelector) == 0 && c.op.Affinity == nil && c.op.NodeName == "" {
		return
	}
	_, err := affinity.Compile(c.op.NodeSelector, c.op.Affinity)
	malformed := false
	for _, err := range Faults(err) {
		var fault *field.Error
		errors.As(err, &fault)
		path := fault.Field
		if !strings.HasPrefix(path, "nodeSelector") {
			path = "affinity.nodeAffinity." + path
		}
		c.reportInvalid(podSpec+"."+path, fault)
		malformed = malformed || !strings.HasPrefix(fault.Field, "preferred")
	}
	c.checkPreferences()
	if malformed {
		return
	}
	withoutName, _ := alternatives(&Operation{NodeSelector: c.op.NodeSelector, Affinity: c.op.Affinity})
	c.alternatives[c.i] = withoutName
	if c.op.NodeName != "" && len(validateNodeName(c.op)) == 0 {
		c.alternatives[c.i], _ = alternatives(c.op)
	}
	c.checkTerms()
	switch {
	case len(withoutName) == 0:
		c.report(CodeContradiction, SeverityError, podSpec+".affinity", "no node can meet %s; change it", impossible(c.op))
	case len(c.alternatives[c.i]) == 0:
		c.report(CodeNodeNameConflict, SeverityError, podSpec+".nodeName", "nodeName binds the pod to node %q, and its affinity requires another node; remove one of the two", c.op.NodeName)
	}
}

// checkTerms looks for ORed terms that no node can match, if another one can be matched.
func (c *checker) checkTerms() {
	required := nodeselector.Required(c.op.Affinity)
	if required == nil || len(c.alternatives[c.i]) == 0 {
		return
	}
	path := field.NewPath(c.op.podSpec()).Child("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	for i, t := range required.NodeSelectorTerms {
		reason := "it is empty"
		if !nodeselector.IsEmpty(t) {
			parsed, _ := nodeselector.ParseTerm(t, nil)
			impossible := parsed.Impossible()
			if impossible == nil {
				continue
			}
			reason = "no node can meet " + impossible.String()
		}
		c.report(CodeNeverMatches, SeverityWarning, path.Index(i).String(), "this term matches no node: %s; fix or remove it", reason)
	}
}

// checkPreferences looks for preferences with a value that an API server accepts and
// kube-scheduler cannot read.
func (c *checker) checkPreferences() {
	if c.op.Affinity == nil || c.op.Affinity.NodeAffinity == nil {
		return
	}
	path := field.NewPath(c.op.podSpec()).Child("affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
	for i, p := range c.op.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		t, _ := nodeselector.ParsePreference(p.Preference, nil)
		for _, r := range t {
			if r.Never() {
				c.report(CodeNeverMatches, SeverityWarning, path.Index(i).String(),
					"kube-scheduler cannot read the value of label %s here, and fails to place the pod if several nodes are left; fix or remove this preference", r.Key())
				break
			}
		}
	}
}

// impossible says which of an operation's own constraints exclude each other, if no node
// can meet them.
func impossible(op *Operation) string {
	selector, terms, _ := constraints(op)
	if len(terms) == 0 {
		return "a required node affinity without terms, or with only empty ones"
	}
	var texts []string
	for _, t := range terms {
		if text := t.ImpossibleWith(selector).String(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		if len(texts) > listedNames {
			break
		}
	}
	return strings.Join(texts, ", nor ")
}

func (c *checker) checkPredecessor() {
	predecessor, _ := c.op.Predecessor()
	if c.flow.predecessor[c.i] != none || c.flow.find(predecessor) != none {
		return
	}
	nearest, ok := c.flow.nearest(predecessor, c.op.Ref)
	name, hint := reference(predecessor, nearest, ok)
	step := "fix the reference"
	if name == ".name" {
		step += " or add the operation"
	}
	c.report(CodeUnknownPredecessor, SeverityError, runAfterField+name, "no %s exists, so this operation waits without limit; %s%s", predecessor, step, hint)
}

// reference returns the field of a reference that is wrong, and a hint at the nearest
// operation, if ok.
func reference(ref, nearest Ref, ok bool) (name, hint string) {
	name = ".name"
	if !slices.Contains(Kinds(), ref.Kind) {
		name, hint = ".kind", fmt.Sprintf("; its kind must be one of %v", Kinds())
		if !ok {
			hint += typo.Hint(ref.Kind, Kinds()...)
		}
	}
	if ok {
		hint += "; typo of " + nearest.String() + "?"
	}
	return name, hint
}

// checkStrategy looks for parts of a strategy without effect.
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
		c.report(CodeDistributedTarget, SeverityWarning, strategyField+".policy", "an operation with several pods inherits nothing; remove the policy, or run it as one pod")
	}
}

// checkSource checks the source, and what is inherited from it.
func (c *checker) checkSource() {
	ref, ok := c.op.Source()
	if !ok {
		return
	}
	if c.op.RunAfter.DependOn != nil && !c.isAncestor(ref) {
		c.reportNotAncestor(ref)
		return
	}
	i := c.flow.sourceOf(c.i, ref)
	if i == none {
		return // reported as the unknown predecessor of this operation or of its root
	}
	source := &c.flow.operations[i]
	switch {
	case source.Distributed:
		c.report(CodeDistributedSource, SeverityWarning, strategyField, "%s runs as several pods and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	case source.Recurring:
		c.report(CodeRecurringSource, SeverityWarning, strategyField, "%s runs on a schedule and exposes nothing, so nothing is inherited; name another operation in dependOn, or remove the policy", ref)
	default:
		c.checkTTL(i)
		c.checkKeys(i)
		if c.op.RunAfter.Strategy.Policy == affinity.Require {
			c.checkWithSource(i)
		}
	}
}

// reportNotAncestor reports that ref, the dependOn of the operation, is not an ancestor.
func (c *checker) reportNotAncestor(ref Ref) {
	nearest, ok := c.flow.nearestAncestor(ref, c.i)
	if !ok {
		nearest, ok = c.flow.nearest(ref, c.op.Ref)
		ok = ok && c.isAncestor(nearest)
	}
	name, hint := reference(ref, nearest, ok)
	what := ref.String() + " is not an ancestor of this operation"
	if c.flow.find(ref) == none {
		what = "no " + ref.String() + " exists"
	}
	c.report(CodeNotAnAncestor, SeverityError, strategyField+".dependOn"+name, "%s; name an operation that this one runs after, directly or through others%s", what, hint)
}

// isAncestor reports whether ref is an ancestor of the operation. ref need not be in the
// flow: the root of a chain may run after an unknown operation. If a cycle was cut at the
// root, every operation of the chain is an ancestor of every other.
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

// checkTTL reports a source with a TTL that is not the predecessor: it may be deleted before
// the operation starts. A recurring operation is never deleted.
func (c *checker) checkTTL(source int32) {
	if ttl := c.flow.operations[source].TTLSecondsAfterFinished; ttl != nil && source != c.flow.predecessor[c.i] {
		ref := c.flow.operations[source].Ref
		c.report(CodeExpires, SeverityWarning, strategyField+".dependOn",
			"%s is deleted %d seconds after it finished, perhaps before this operation starts, which then waits without limit; remove its ttlSecondsAfterFinished, or make it long enough", ref, *ttl)
	}
}

// checkKeys looks for label keys of the strategy that the source does not expose.
func (c *checker) checkKeys(source int32) {
	s := c.op.RunAfter.Strategy
	check := func(severity Severity, list string, i int, key string) {
		if c.exposed.have(source, key) || !labelsyntax.IsKey(key) {
			return
		}
		step := "; add it to the annotation " + topology.LabelsAnnotation + " there"
		if hint := c.hints(source).Hint(key); hint != "" {
			step = hint + " If not, add it to the annotation " + topology.LabelsAnnotation + " there"
		}
		c.report(CodeNotExposed, severity, fmt.Sprintf("%s.%s[%d].name", strategyField, list, i), "%s does not expose %s, so it is not inherited%s", c.flow.operations[source].Ref, key, step)
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

// hints returns the dictionary of the keys that a source exposes.
func (c *checker) hints(source int32) *typo.Dictionary {
	if c.dictionaries[source] == nil {
		c.dictionaries[source] = typo.NewKeyDictionary(c.exposed.of(source))
	}
	return c.dictionaries[source]
}

// checkWithSource looks for a source that can run only where the operation, which must run
// where it does, cannot. A source that may run on a node without an inherited label
// constrains nothing.
func (c *checker) checkWithSource(sourceIndex int32) {
	there, here := c.alternatives[sourceIndex], c.alternatives[c.i]
	if len(there) == 0 || len(here) == 0 {
		return // without constraints, or impossible, which is reported by itself
	}
	keys := c.exposed.among(c.op.RunAfter.Strategy.Keys(), sourceIndex)
	source := &c.flow.operations[sourceIndex]
	if c.op.NodeName != source.NodeName && c.op.NodeName != "" && source.NodeName != "" && slices.Contains(keys, topology.Hostname) {
		c.report(CodeNodeNameConflict, SeverityError, c.op.podSpec()+".nodeName",
			"this operation must run on the node of %s, but nodeName is %q here and %q there; remove one of the two, or inherit another label", source.Ref, c.op.NodeName, source.NodeName)
	} else if sourceRequires, requires, ok := there.Conflict(here.Project(keys)); ok {
		c.report(CodeContradiction, SeverityError, strategyField,
			"this operation must run where %s runs, but they exclude each other: %s requires %s, and this operation requires %s; change one of the two, or inherit another label",
			source.Ref, source.Ref, sourceRequires, requires)
	}
}
