package dataflow

import "fmt"

// Problem is something about an operation that a person should know before it runs.
type Problem struct {
	Code      Code
	Severity  Severity
	Operation Ref
	Field     string // its path in the operation's manifest
	Message   string // what is wrong and what to do
}

// String returns "Error NotExposed: DataLoad default/b: spec.…: message".
func (p Problem) String() string {
	return fmt.Sprintf("%s %s: %s: %s: %s", p.Severity, p.Code, p.Operation, p.Field, p.Message)
}

// Severity says how bad a problem is.
type Severity string

// The severities of problems.
const (
	SeverityError   Severity = "Error"   // it cannot work
	SeverityWarning Severity = "Warning" // it will not do what it says
)

// Code is the stable name of a kind of problem.
type Code string

// The problems that [Flow.Problems] finds.
const (
	// CodeUnknownPredecessor: runAfter names an operation that is not there, so that
	// this one waits for ever. Example: runAfter names "load-a", but only "loada"
	// exists. Mend the name, or add the operation.
	CodeUnknownPredecessor Code = "UnknownPredecessor"

	// CodeNotAnAncestor: dependOn names an operation that this one does not run after,
	// not even through others. Example: b runs after a and depends on c. It would
	// follow a stranger, or wait for ever. Name one that comes before it.
	CodeNotAnAncestor Code = "NotAnAncestor"

	// CodeNotExposed: a followed label is not exposed by the source. Example: requires
	// names example.com/disk, and the source's annotation does not. The label would
	// be left out, so that Require demands less than it says. Add the key to the
	// annotation affinity.dataflow.fluid.io/labels of the source.
	CodeNotExposed Code = "NotExposed"

	// CodeDistributedSource: the operation to follow runs as several pods and exposes
	// nothing. Example: it runs after a DataMigrate with parallelism 4 and policy
	// Require. Follow another operation by dependOn, or drop the policy.
	CodeDistributedSource Code = "DistributedSource"

	// CodeDistributedTarget: the operation runs as several pods and inherits nothing.
	// Example: a DataMigrate with parallelism 4 has policy Require. Drop the policy.
	CodeDistributedTarget Code = "DistributedTarget"

	// CodeRecurringSource: the operation to follow runs by a schedule, on another node
	// each time, and exposes nothing. Example: it runs after a DataLoad with policy
	// Cron and requires its node. Follow another operation, or drop the policy.
	CodeRecurringSource Code = "RecurringSource"

	// CodeIgnoredList: the policy does not read a list that is there. Example: policy
	// Require beside prefers. Move the entries to the other list, or change the policy.
	CodeIgnoredList Code = "IgnoredList"

	// CodeNoPolicy: something is to be inherited, and there is no policy. Example:
	// dependOn without policy. Set policy to Require or Prefer.
	CodeNoPolicy Code = "NoPolicy"

	// CodeContradiction: no node can satisfy what the operation asks for, by itself or
	// together with what those that it must follow ask for, or with where they ran.
	// Example: the source requires zone In [a], this one requires the zone of its
	// source and zone In [b]. Change one of the two.
	CodeContradiction Code = "Contradiction"

	// CodeInvalidName: an API server rejects the name or the namespace. Example: loadA,
	// which has an upper-case letter. Rename the operation.
	CodeInvalidName Code = "InvalidName"

	// CodeInvalid: a field has a value that cannot be. Example: a weight of 0, or
	// operator Near in a node affinity.
	CodeInvalid Code = "Invalid"
)

// The problems that [New] finds, and that reading a manifest may find. [Check]
// reports them.
const (
	// CodeCycle: operations run after each other in a circle. Example: a runs after b,
	// and b after a. Remove one runAfter.
	CodeCycle Code = "Cycle"

	// CodeDuplicate: an operation is there twice. Example: two files hold the same
	// DataLoad. Remove one of them, or rename it.
	CodeDuplicate Code = "Duplicate"

	// CodeUnknownField: a field does not exist. Example: require instead of requires.
	// Mend its name.
	CodeUnknownField Code = "UnknownField"
)

// The problems that [Forecast.Problems] finds, on the nodes of the forecast.
const (
	// CodeImpossible: no node lets the operation run such that whoever must follow it can
	// run as well. Example: it ran on a node without a GPU, and one that must run
	// there needs a GPU. Change what one of them asks for, or add such a node.
	CodeImpossible Code = "Impossible"

	// CodeStranding: on some of the nodes that admit the operation, the flow would come to
	// a stop. Example: it may run anywhere, and one that must run where it ran needs a
	// GPU. Give it the affinity of the forecast, or of Lookahead.
	CodeStranding Code = "Stranding"

	// CodeNoSuchLabel: a label that is to be followed is on none of the nodes, so that
	// nothing is required by it. Example: requires names example.com/rack, and no node
	// has a rack. Mend the name, or label the nodes.
	CodeNoSuchLabel Code = "NoSuchLabel"
)
