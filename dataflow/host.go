package dataflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Host is a system that runs flows. The zero value is not one of [Hosts].
type Host string

// The known hosts. For Fluid, the feature gate DataflowAffinity is taken to be on. Fluid
// ships it switched off, and then records no place at all.
const (
	// Slipstream is a controller that follows the laws of this module.
	Slipstream Host = "slipstream"

	// Fluid1_0 is Fluid v1.0. Its table is checked against release v1.0.8.
	Fluid1_0 Host = "fluid-1.0"

	// FluidMain is the main branch of Fluid. Its table was last checked against commit
	// a826600a43221c5b99f6185d3ce926a700c37008 of 2026-07-02.
	FluidMain Host = "fluid-main"
)

// Hosts returns the known hosts.
func Hosts() []Host { return []Host{Slipstream, Fluid1_0, FluidMain} }

// hostTable is what a host does with operations (law H1).
type hostTable struct {
	name    string   // for messages
	builtIn []string // the label keys that are recorded without an annotation
	rows    []hostRow
}

// hostRow is what a host does with the operations of one kind and policy.
type hostRow struct {
	kind        Kind
	distributed bool   // of a DataMigrate: its parallelism is above 1
	policy      policy // anyPolicy: the host knows no policy for the kind, and runs it once

	records  bool // it records where it ran
	inherits bool // its pods get what it inherits

	name nameLimit // of a name that is longer it makes nothing

	// rejected is set if it never starts with an affinity, inherited or not, with a node
	// selector, or with tolerations.
	rejected bool

	// fault is why it never completes, whatever its spec. The zero value means that it does.
	fault hostFault
}

// hostFault is one way in which a host fails on an operation.
type hostFault struct {
	code       Code
	field      string
	what, next string // what the host does, after its name; the next step
	afterStart bool   // its pods run all the same
}

// nameLimit is how long the name of an operation may be, since the host makes another one of it.
type nameLimit struct {
	suffix string // what the host appends
	most   int    // the characters that the name may then have
	of     string // the object that it names
}

// starts reports whether the pods of the operation run.
func (f hostFault) starts() bool { return f.code == "" || f.afterStart }

// policy is spec.policy.
type policy string

const (
	anyPolicy policy = ""
	once      policy = "Once"
	cron      policy = "Cron"
	onEvent   policy = "OnEvent"
)

func (o *Operation) policy() policy {
	switch {
	case o.OnEvent:
		return onEvent
	case o.Recurring:
		return cron
	default:
		return once
	}
}

// table returns the table of a version of Fluid. ok is false for every other host.
//
// In comments, U and a number is a defect of Fluid; README.md of examples/fluid lists them.
// Six of them do not depend on kind and policy, and are in the functions below: U1, U14, U17,
// U20, U22, U26. Not in the table is what specs do not tell: a pod or node that is gone before
// it was recorded (U16), a predecessor that failed (U21), a Job that was not seen in time (U24).
func (h Host) table() (t hostTable, ok bool) {
	const restarts = "and again after every restart, so that no operation of the cluster proceeds"
	crashesOnBackup := hostFault{
		code: CodeCrashes, field: "kind", afterStart: true,
		what: "crashes on a DataBackup: dataset-controller panics when it first checks the status, " + restarts,
		next: "remove the DataBackup",
	}
	crashesOnEvent := hostFault{
		code: CodeCrashes, field: "spec.policy",
		what: "never runs an operation with policy OnEvent: it creates no Job, and dataset-controller panics when it first checks the status, " + restarts,
		next: "set the policy to Once or Cron",
	}
	ignoresEvents := hostFault{
		code: CodeNeverStarts, field: "spec.policy",
		what: "never runs an operation with policy OnEvent: it creates no Job, and installs and deletes its Helm release every 20 seconds",
		next: "set the policy to Once or Cron",
	}
	misplacesAffinity := hostFault{
		code: CodeNeverStarts, field: "spec.policy",
		what: "never runs a DataMigrate with policy Cron and parallelism above 1: it always adds an affinity, which its chart indents wrongly, so that the CronJob is rejected",
		next: "set the policy to Once, or parallelism to 1",
	}
	builtIn := []string{topology.Hostname, topology.Region, topology.Zone}

	// What Fluid makes of the name of an operation. 53 is Helm's maxReleaseNameLen, 52 the limit
	// of an API server, and of a StatefulSet what leaves room for a hash in a label of its pods
	// (https://github.com/kubernetes/kubernetes/issues/64023).
	load, loads := nameLimit{"-loader", 53, "a Helm release"}, nameLimit{"-loader-job", 52, "a CronJob"}
	migrate, migrates := nameLimit{"-migrate", 53, "a Helm release"}, nameLimit{"-migrate-migrate", 52, "a CronJob"}
	process, processes := nameLimit{"-processor", 53, "a Helm release"}, nameLimit{"-processor-job", 52, "a CronJob"}
	workers, backup := nameLimit{"-migrate-workers", 52, "a StatefulSet with pods"}, nameLimit{"-charts", 53, "a Helm release"}

	switch h {
	case Fluid1_0:
		return hostTable{"Fluid v1.0.8", builtIn, []hostRow{
			{kind: DataLoad, policy: once, name: load, records: true, inherits: true},
			{kind: DataLoad, policy: cron, name: loads, inherits: true},          // its Job has the label cronjob
			{kind: DataLoad, policy: onEvent, name: load, fault: crashesOnEvent}, // U18
			{kind: DataMigrate, policy: once, name: migrate, records: true, inherits: true},
			{kind: DataMigrate, policy: cron, name: migrates, inherits: true, rejected: true},              // U19
			{kind: DataMigrate, policy: onEvent, name: migrate, fault: crashesOnEvent},                     // U18
			{kind: DataMigrate, distributed: true, policy: once, name: workers, inherits: true},            // U11
			{kind: DataMigrate, distributed: true, policy: cron, name: migrates, fault: misplacesAffinity}, // U19
			{kind: DataMigrate, distributed: true, policy: onEvent, name: migrate, fault: crashesOnEvent},  // U18
			{kind: DataProcess, policy: anyPolicy, name: process, records: true, inherits: true},           // its API has no spec.policy
			{kind: DataBackup, policy: anyPolicy, name: backup, fault: crashesOnBackup /* U12 */},          // U10, U13
		}}, true
	case FluidMain:
		return hostTable{"Fluid main (commit a826600a43)", builtIn, []hostRow{
			{kind: DataLoad, policy: once, name: load, records: true, inherits: true},
			{kind: DataLoad, policy: cron, name: loads, inherits: true},         // its Job has the label cronjob
			{kind: DataLoad, policy: onEvent, name: load, fault: ignoresEvents}, // U18
			{kind: DataMigrate, policy: once, name: migrate, records: true, inherits: true},
			{kind: DataMigrate, policy: cron, name: migrates, inherits: true, rejected: true},              // U19
			{kind: DataMigrate, policy: onEvent, name: migrate, fault: ignoresEvents},                      // U18
			{kind: DataMigrate, distributed: true, policy: once, name: workers, inherits: true},            // U11
			{kind: DataMigrate, distributed: true, policy: cron, name: migrates, fault: misplacesAffinity}, // U19
			{kind: DataMigrate, distributed: true, policy: onEvent, name: migrate, fault: ignoresEvents},   // U18
			{kind: DataProcess, policy: once, name: process, inherits: true},                               // U15
			{kind: DataProcess, policy: cron, name: processes, inherits: true},                             // U15
			{kind: DataProcess, policy: onEvent, name: process, fault: ignoresEvents},                      // U18
			{kind: DataBackup, policy: anyPolicy, name: backup, fault: crashesOnBackup /* U12 */},          // U10, U13
		}}, true
	default:
		return hostTable{}, false
	}
}

// row returns the row of an operation. Every operation that [New] accepts has one.
func (t *hostTable) row(op *Operation) *hostRow {
	i := slices.IndexFunc(t.rows, func(r hostRow) bool {
		return r.kind == op.Ref.Kind && (r.distributed == op.Distributed || r.kind != DataMigrate) &&
			(r.policy == anyPolicy || r.policy == op.policy())
	})
	return &t.rows[i]
}

// fault returns why the host never completes an operation, whatever others do. The zero value
// means that it does.
func (t *hostTable) fault(op *Operation) hostFault {
	if op.NoPodSpec { // U26
		return hostFault{
			code: CodeCrashes, field: op.podSpec(),
			what: "crashes on a job processor without a podSpec: dataset-controller panics when it validates the operation, and again after every restart, so that no operation of the cluster proceeds",
			next: "add the podSpec, or remove the operation",
		}
	}
	row := t.row(op)
	if what, next := row.nameFault(op.Ref.Name); what != "" {
		return hostFault{code: CodeNeverStarts, field: "metadata.name", what: "never runs it: " + what, next: next}
	}
	return row.fault
}

// nameFault says why operations of the row cannot have a name, and what to do. It is empty for
// a name that they can have.
func (r *hostRow) nameFault(name string) (what, next string) {
	switch {
	case len(name)+len(r.name.suffix) > r.name.most:
		return fmt.Sprintf("its name with %s has %d characters, and the name of %s at most %d", r.name.suffix, len(name)+len(r.name.suffix), r.name.of, r.name.most),
			fmt.Sprintf("shorten it to at most %d characters", r.name.most-len(r.name.suffix))
	case r.writesName() && !isYAMLString(name):
		return fmt.Sprintf("its chart writes the name without quotes, and YAML does not read %q as a string", name), "put a word before it"
	case r.distributed && strings.Contains(name, "."):
		return "it makes a Service of the name, and an API server accepts no dot there", "replace the dot"
	case r.distributed && strings.IndexAny(name, "0123456789") == 0:
		return "it makes a Service of the name, and before Kubernetes 1.36 that has to begin with a letter", "put a word before it"
	}
	return "", ""
}

// writesName reports whether the chart writes the name itself, as that of an owner: a DataBackup's does
// not, and with policy OnEvent only that of workers does.
func (r *hostRow) writesName() bool {
	return r.kind != DataBackup && (r.policy != onEvent || r.distributed)
}

// isYAMLString reports whether Helm reads a name that is not quoted as a string: YAML 1.1 takes
// some names for numbers, truth values or null.
func isYAMLString(name string) bool {
	if slices.Contains([]string{"y", "yes", "on", "true", "n", "no", "off", "false", "null"}, name) {
		return false
	}
	_, notInt := strconv.ParseInt(name, 0, 64) // also 0x1f
	_, notUint := strconv.ParseUint(name, 0, 64)
	_, notFloat := strconv.ParseFloat(name, 64)
	hasOtherLetters := strings.Trim(name, "0123456789.e-") != "" // of inf, and of hexadecimal floats
	return notInt != nil && notUint != nil && (notFloat != nil || hasOtherLetters)
}

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
