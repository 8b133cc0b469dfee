package dataflow

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// HostProblems returns what a host does not carry out of the flow, from the specs alone, in
// the flow's order (law H2). It is nil if there is nothing, as always for [Slipstream], whose
// laws are those of this module.
//
// An operation is reported if the host never runs it, never completes it, or crashes on it.
// Operations that wait for it are not reported for that. An operation with a policy is
// reported if the host makes it inherit where the laws do not, or does not where they do. An
// operation that is not in the flow is taken not to exist.
//
// For a host that is not one of [Hosts], the result is a single problem with CodeInvalid,
// which has no operation. The cost is linear in the flow.
func (f *Flow) HostProblems(h Host) []Problem {
	if h == Slipstream {
		return nil
	}
	table, ok := h.table()
	if !ok {
		return []Problem{{CodeInvalid, SeverityError, Ref{}, "host", fmt.Sprintf("unknown host %.64q; must be one of %q%s", h, Hosts(), typo.Hint(h, Hosts()...)), nil}}
	}
	if f == nil {
		return nil
	}
	c := hostChecker{flow: f, host: table, roots: map[Ref]int32{}, recorded: map[int32]sets.Set[string]{}}
	for i := range f.operations {
		if op := &f.operations[i]; op.RunAfter == nil {
			c.roots[withoutKind(op.Ref)] = int32(i)
		}
	}
	for i := range f.operations {
		c.op, c.row = &f.operations[i], table.row(&f.operations[i])
		c.predecessor, c.source = f.predecessor[i], f.hostSource(int32(i))
		starts := c.checkStart()
		c.checkEqualNames()
		c.checkTTL()
		if starts {
			c.checkRecording()
			c.checkStrategy()
		}
	}
	return c.problems
}

// withoutKind returns the namespace and the name of a reference.
func withoutKind(ref Ref) Ref { return Ref{Namespace: ref.Namespace, Name: ref.Name} }

// hostSource returns the index of the operation from which Fluid lets an operation inherit,
// or none. Unlike in law F3, an operation of several pods has one too.
func (f *Flow) hostSource(i int32) int32 {
	op := f.operations[i]
	op.Distributed = false
	if ref, ok := op.Source(); ok {
		return f.find(ref)
	}
	return none
}

// hostChecker goes through a flow, one operation after the other.
type hostChecker struct {
	flow     *Flow
	host     hostTable
	roots    map[Ref]int32              // by namespace and name, an operation without runAfter
	recorded map[int32]sets.Set[string] // the keys of sources that record their place
	problems []Problem

	// Of the operation that is checked:
	op                  *Operation
	row                 *hostRow
	predecessor, source int32
}

// report reports a problem of the operation. The message begins with the host.
func (c *hostChecker) report(code Code, severity Severity, field, format string, args ...any) {
	inheriting := *c.op
	inheriting.Distributed = false // as in hostSource
	c.problems = append(c.problems, inheriting.problem(code, severity, field, "%s %s", c.host.name, fmt.Sprintf(format, args...)))
}

// checkStart reports an operation that never starts or never completes, whatever others do. It
// returns whether its pods start.
func (c *hostChecker) checkStart() bool {
	if fault := c.host.fault(c.op); fault.code != "" {
		c.report(fault.code, SeverityError, fault.field, "%s; %s", fault.what, fault.next)
		return fault.starts()
	}
	field, what := c.constraint()
	if !c.row.rejected || field == "" {
		return true
	}
	c.report(CodeNeverStarts, SeverityError, field,
		"never runs a DataMigrate with policy Cron and %s: its chart indents the field wrongly, so that the CronJob is rejected; remove it, or set the policy to Once", what)
	return false
}

// constraint returns a field that constrains the nodes of the operation, and what it is. They
// are empty if there is none.
func (c *hostChecker) constraint() (field, what string) {
	podSpec := c.op.podSpec()
	switch {
	case c.op.Affinity != nil && *c.op.Affinity != corev1.Affinity{}:
		return podSpec + ".affinity", "an affinity"
	case len(c.op.NodeSelector) > 0:
		return podSpec + ".nodeSelector", "a nodeSelector"
	case len(c.op.Tolerations) > 0:
		return podSpec + ".tolerations", "tolerations"
	case c.source != none && c.row.inherits && c.sourceRecords() && len(c.keys()) > 0:
		return strategyField + ".policy", "an inherited affinity"
	default:
		return "", ""
	}
}

// checkEqualNames reports an operation that waits while one of another kind has its name and does
// not. Fluid looks at all of that name, and takes each to have a runAfter (U17).
func (c *hostChecker) checkEqualNames() {
	root, ok := c.roots[withoutKind(c.op.Ref)]
	if !ok || c.op.RunAfter == nil {
		return
	}
	c.report(CodeCrashes, SeverityError, "metadata.name",
		"crashes on an operation with runAfter if one of another kind has the same name and none: dataset-controller panics as soon as this one waits, and again after every restart, because of %s; rename one of the two",
		c.flow.operations[root].Ref)
}

// checkRecording reports an operation that cannot complete because of labels that Fluid
// cannot record (U14).
func (c *hostChecker) checkRecording() {
	if !c.row.records {
		return
	}
	var keys []string
	for _, key := range c.op.Exposes {
		if labelsyntax.IsKey(key) && topology.CheckRecordable(nil, key) != nil {
			keys = append(keys, key)
		}
	}
	if len(keys) > 0 {
		c.report(CodeStaysExecuting, SeverityError, exposesField,
			"cannot record %s: the key is too long for an annotation, so that the operation stays Executing on a node that has the label; expose a shorter key", listNames(keys, len(keys)))
	}
}

// checkTTL reports an operation that needs another one that is deleted as soon as it is
// complete. Fluid looks only every 5 seconds whether a predecessor is complete (U20).
func (c *hostChecker) checkTTL() {
	switch {
	case c.deletedAtOnce(c.predecessor):
		c.report(CodeNeverStarts, SeverityError, runAfterField+".name",
			"deletes %s as soon as it is complete, since its ttlSecondsAfterFinished is 0, and does not see that it was complete: this operation waits without limit; raise the TTL",
			c.flow.operations[c.predecessor].Ref)
	case c.source != c.predecessor && c.deletedAtOnce(c.source):
		c.report(CodeStaysExecuting, SeverityError, strategyField+".dependOn.name",
			"deletes %s as soon as it is complete, since its ttlSecondsAfterFinished is 0, and with it what this operation inherits: it stays Executing and runs nothing; raise the TTL",
			c.flow.operations[c.source].Ref)
	}
}

// deletedAtOnce reports whether an operation completes and is then deleted at once. Fluid
// ignores the TTL of policies Cron and OnEvent.
func (c *hostChecker) deletedAtOnce(i int32) bool {
	if i == none {
		return false
	}
	op := &c.flow.operations[i]
	row := c.host.row(op)
	return op.TTLSecondsAfterFinished != nil && *op.TTLSecondsAfterFinished <= 0 &&
		c.host.fault(op).code == "" && (row.policy == once || row.policy == anyPolicy)
}

// checkStrategy reports an operation that inherits where the laws do not, or does not where
// they do.
func (c *hostChecker) checkStrategy() {
	if c.source == none {
		return
	}
	source, keys := &c.flow.operations[c.source], c.keys()
	if len(keys) == 0 || !c.host.fault(source).starts() {
		return
	}
	switch records, inherits := c.sourceRecords(), c.row.inherits && !c.losesRequired(); {
	case !c.op.Distributed && source.exposesPlace():
		if !inherits {
			c.reportInheritsNothing()
		}
		if !records {
			c.report(CodeRecordsNothing, SeverityWarning, strategyField,
				"does not record where a %s runs, so nothing is inherited from %s; name another operation in dependOn, or remove the policy", source.Ref.Kind, source.Ref)
		}
	case records && inherits:
		c.reportInheritsAnyway(source, keys)
	}
}

func (c *hostChecker) reportInheritsNothing() {
	if !c.row.inherits {
		c.report(CodeInheritsNothing, SeverityWarning, strategyField+".policy",
			"injects nothing into a %s: its pod is bound to the node of the cache's master; remove the policy", c.op.Ref.Kind)
		return
	}
	c.report(CodeInheritsNothing, SeverityWarning, strategyField+".policy",
		"loses what policy Require adds to a required node affinity of the operation's own, so nothing is inherited; move the own requirement from %[1]s.affinity to %[1]s.nodeSelector", c.op.podSpec())
}

func (c *hostChecker) reportInheritsAnyway(source *Operation, keys []string) {
	what := "injects into an operation of several pods too, so that each pod"
	switch {
	case source.Recurring:
		what = fmt.Sprintf("runs a %s once, whatever its policy, and records its place, so that this operation", source.Ref.Kind)
	case source.Distributed:
		what = fmt.Sprintf("records a place of %s, although that has several pods, so that this operation", source.Ref)
	}
	verb := "requires"
	if c.op.RunAfter.Strategy.Policy == affinity.Prefer {
		verb = "prefers"
	}
	what = fmt.Sprintf("%s %s %s of %s", what, verb, listNames(keys, len(keys)), source.Ref)
	here, there := c.op.NodeName, source.NodeName
	if verb == "requires" && slices.Contains(keys, topology.Hostname) && here != "" && there != "" && here != there {
		c.report(CodeNodeNameConflict, SeverityError, c.op.podSpec()+".nodeName",
			"%s, which runs on %.64q, while nodeName is %.64q, where the kubelet refuses the pod; change one nodeName, or remove the policy", what, there, here)
		return
	}
	c.report(CodeInheritsAnyway, SeverityWarning, strategyField+".policy", "%s; remove the policy", what)
}

// losesRequired reports whether Fluid loses what the operation must inherit: it adds that to a
// copy of each term of the operation's own (U1). It replaces a list of terms that is nil.
func (c *hostChecker) losesRequired() bool {
	own := c.op.Affinity
	if c.op.RunAfter.Strategy.Policy != affinity.Require || own == nil || own.NodeAffinity == nil {
		return false
	}
	required := own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	return required != nil && required.NodeSelectorTerms != nil
}

// sourceRecords reports whether the operation's source runs, and the host records where.
func (c *hostChecker) sourceRecords() bool {
	source := &c.flow.operations[c.source]
	return c.host.row(source).records && c.host.fault(source).starts()
}

// keys returns the keys of the operation's strategy that the host records of its source, if it
// records a place of that.
func (c *hostChecker) keys() []string {
	recorded, ok := c.recorded[c.source]
	if !ok {
		recorded = sets.New(c.host.builtIn...).Insert(c.flow.operations[c.source].Exposes...)
		c.recorded[c.source] = recorded
	}
	return slices.DeleteFunc(c.op.RunAfter.Strategy.Keys(), func(key string) bool { return !recorded.Has(key) })
}
