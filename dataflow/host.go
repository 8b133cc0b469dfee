package dataflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

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
