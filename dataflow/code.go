package dataflow

import (
	"fmt"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Problem is something that is wrong with an operation.
type Problem struct {
	Code      Code     `json:"code"`
	Severity  Severity `json:"severity"`
	Operation Ref      `json:"operation"`
	Field     string   `json:"field"`   // the path of the field in Fluid's API
	Message   string   `json:"message"` // what is wrong, and the next step

	// RestsOn holds the fields on which the problem rests, in addition to Field. If one
	// of them could not be read, the problem may be only a consequence.
	RestsOn []Basis `json:"restsOn,omitempty"`
}

// String returns "Error NotExposed: DataLoad default/b: spec.…: message".
func (p Problem) String() string {
	return message.Text(fmt.Sprintf("%s %s: %s: %s: %s", p.Severity, p.Code, p.Operation, p.Field, p.Message))
}

// Severity says how serious a problem is.
type Severity string

// The severities of problems.
const (
	SeverityError   Severity = "Error"   // it cannot work
	SeverityWarning Severity = "Warning" // it does something else than the spec says
)

// Code is the stable name of a kind of problem.
type Code string

// The problems that [Flow.Problems] finds.
const (
	// CodeUnknownPredecessor: runAfter names an operation that does not exist, so this
	// one waits without limit. Example: runAfter names "load-a", but only "loada"
	// exists. Fix the name, or add the operation.
	CodeUnknownPredecessor Code = "UnknownPredecessor"

	// CodeNotAnAncestor: dependOn names an operation that is not an ancestor of this one.
	// Example: b runs after a and depends on c. It would wait for an operation that may
	// never run. Name an ancestor.
	CodeNotAnAncestor Code = "NotAnAncestor"

	// CodeNotExposed: the source does not expose a label of the strategy. Example:
	// requires names example.com/disk, and the source's annotation does not. The label
	// would be left out, so Require would require less than it says. Add the key to the
	// annotation affinity.dataflow.fluid.io/labels of the source.
	CodeNotExposed Code = "NotExposed"

	// CodeDistributedSource: the source runs as several pods and exposes nothing.
	// Example: the operation runs after a DataMigrate with parallelism 4 and policy
	// Require. Name another source in dependOn, or remove the policy.
	CodeDistributedSource Code = "DistributedSource"

	// CodeDistributedTarget: the operation runs as several pods and inherits nothing.
	// Example: a DataMigrate with parallelism 4 has policy Require. Remove the policy.
	CodeDistributedTarget Code = "DistributedTarget"

	// CodeRecurringSource: the source runs on a schedule, each time perhaps on another
	// node, and exposes nothing. Example: the operation runs after a DataLoad with
	// policy Cron and requires its node. Name another source, or remove the policy.
	CodeRecurringSource Code = "RecurringSource"

	// CodeIgnoredList: the policy does not read a list that is set. Example: policy
	// Require with prefers. Move the entries to the other list, or change the policy.
	CodeIgnoredList Code = "IgnoredList"

	// CodeNoPolicy: a strategy has lists or dependOn, and no policy. Example: dependOn
	// without policy. Set policy to Require or Prefer.
	CodeNoPolicy Code = "NoPolicy"

	// CodeContradiction: no node can meet the constraints of the operation, alone or
	// together with those of the operations that it must follow, or with the place
	// where these ran. Example: the source requires zone In [a], this one requires the
	// zone of its source and zone In [b]. Change one of the two.
	CodeContradiction Code = "Contradiction"

	// CodeInvalidName: an API server rejects the name or the namespace. Example: loadA,
	// which has an upper-case letter. Rename the operation.
	CodeInvalidName Code = "InvalidName"

	// CodeInvalid: a field has an invalid value. Example: a weight of 0, or operator
	// Near in a node affinity. Use an accepted value.
	CodeInvalid Code = "Invalid"

	// CodeUnrecordable: an exposed label key is too long for the annotation in which
	// Fluid records the label. Example: a key of 40 characters without a slash. The
	// operation would stay Executing. Expose a shorter key.
	CodeUnrecordable Code = "Unrecordable"

	// CodeExpires: an operation has ttlSecondsAfterFinished, and an operation that runs
	// later than its direct successor inherits from it. Example: c runs after b, b after
	// a, and c depends on a, which has a TTL of 60 seconds. If a is deleted before c
	// starts, c waits without limit. Remove the TTL, or make it long enough.
	CodeExpires Code = "Expires"

	// CodeNeverMatches: no node can match one of several ORed terms, or a preference.
	// Example: a term with operator Gt and a value that is not an integer. Fix or remove
	// the term.
	CodeNeverMatches Code = "NeverMatches"

	// CodeNodeNameConflict: the pod is bound to a node by its name, and the kubelet
	// refuses it there because of its affinity. Example: nodeName is n-1, and the
	// operation must run where its source does, whose nodeName is n-2. Remove nodeName,
	// or change the affinity.
	CodeNodeNameConflict Code = "NodeNameConflict"
)

// The problems that [New] finds, and that package manifest finds. [Check] reports the
// former.
const (
	// CodeCycle: operations run after each other in a cycle. Example: a runs after b, and
	// b after a. Remove one runAfter.
	CodeCycle Code = "Cycle"

	// CodeDuplicate: two operations have the same reference, or a field is repeated.
	// Example: two files hold the same DataLoad. Remove or rename one.
	CodeDuplicate Code = "Duplicate"

	// CodeUnknownField: a field does not exist in Fluid's API. Example: require instead
	// of requires. Fix its name.
	CodeUnknownField Code = "UnknownField"

	// CodeWrongKey: a key looks like the annotation affinity.dataflow.fluid.io/labels and is
	// not, so that nothing reads it. Example: data-operation.fluid.io/affinity.labels, or the
	// right key in metadata.labels. Write the annotation.
	CodeWrongKey Code = "WrongKey"
)

// The problems that [Forecast.Problems] finds, on the nodes of the forecast.
const (
	// CodeImpossible: the operation failed, or on no node can it run such that its
	// followers can run as well. Example: its source ran on a node without a GPU, and
	// the operation needs a GPU. Change its constraints, or add such a node.
	CodeImpossible Code = "Impossible"

	// CodeStranding: on some of the nodes that admit the operation, it leaves no node for
	// a follower. Example: it may run anywhere, and an operation that must run where it
	// ran needs a GPU. Give it the affinity of the forecast, or of Lookahead.
	CodeStranding Code = "Stranding"

	// CodeNoSuchLabel: no node has a label of the strategy, so nothing is required by it.
	// Example: requires names example.com/rack, and no node has a rack. Fix the key, or
	// label the nodes.
	CodeNoSuchLabel Code = "NoSuchLabel"
)

// The problems that [Flow.LiveProblems] finds.
const (
	// CodeNotRecorded: a label that the operation requires was not recorded by its
	// source, so nothing is required by it. Example: the source completed while Fluid's
	// feature gate DataflowAffinity was off. Run the source again, or require another
	// label.
	CodeNotRecorded Code = "NotRecorded"

	// CodeBlocked: an ancestor or the source of the operation failed, so it can never
	// start. Example: b runs after a, and a failed. Run a again.
	CodeBlocked Code = "Blocked"

	// CodeGone: the predecessor or the source does not exist any more and was not
	// complete for this operation. Example: a was deleted by its TTL before b started.
	// Create it again, or change the reference.
	CodeGone Code = "Gone"
)

// The problems that [Flow.HostProblems] finds. NodeNameConflict is one of them too.
const (
	// CodeRecordsNothing: the host does not record where the source of the operation runs,
	// so nothing is inherited. Example: on Fluid's main branch, the operation follows a
	// DataProcess. Name another operation in dependOn, or remove the policy.
	CodeRecordsNothing Code = "RecordsNothing"

	// CodeInheritsNothing: the host injects nothing into the operation. Example: a
	// DataBackup has policy Require, or in Fluid any operation has policy Require and a
	// required node affinity of its own. Remove the policy, or move the affinity to
	// nodeSelector.
	CodeInheritsNothing Code = "InheritsNothing"

	// CodeInheritsAnyway: the host injects into the operation although it should inherit
	// nothing. Example: in Fluid, a DataMigrate with parallelism 4 has policy Require, so
	// all its pods share one node. Remove the policy.
	CodeInheritsAnyway Code = "InheritsAnyway"

	// CodeNeverStarts: the host never runs the operation. Example: policy OnEvent on Fluid's
	// main branch, a DataMigrate with policy Cron and a nodeSelector, or a name of 50
	// characters. Change the policy or the name, or remove the field.
	CodeNeverStarts Code = "NeverStarts"

	// CodeCrashes: a controller of the host crashes on the operation, again after every
	// restart, so that no operation of the cluster proceeds. Example: any DataBackup in
	// Fluid. Remove or rename the operation.
	CodeCrashes Code = "Crashes"

	// CodeStaysExecuting: the host accepts the operation and never completes it. Example: it
	// exposes a label key that Fluid cannot record. Expose a shorter key.
	CodeStaysExecuting Code = "StaysExecuting"
)
