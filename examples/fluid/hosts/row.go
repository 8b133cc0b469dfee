package main

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// variant is what a row of the table of hosts is about.
type variant struct {
	kind     dataflow.Kind
	parallel bool   // of a DataMigrate: its parallelism is above 1
	policy   string // spec.policy
}

// variants returns one variant for each row.
func variants() (all []variant) {
	for _, kind := range dataflow.Kinds() {
		for _, parallel := range []bool{false, true}[:1+btoi(kind == dataflow.DataMigrate)] {
			for _, policy := range []string{"Once", "Cron", "OnEvent"} {
				all = append(all, variant{kind, parallel, policy})
			}
		}
	}
	return all
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (v variant) String() string {
	if v.parallel {
		return fmt.Sprintf("%s (parallel), %s", v.kind, v.policy)
	}
	return fmt.Sprintf("%s, %s", v.kind, v.policy)
}

// operation returns an operation of the variant.
func (v variant) operation(name string) dataflow.Operation {
	return dataflow.Operation{
		Ref:         dataflow.Ref{Kind: v.kind, Namespace: "default", Name: name},
		Distributed: v.parallel, Recurring: v.policy == "Cron", OnEvent: v.policy == "OnEvent",
	}
}

// row is what Fluid does with the operations of a variant. Whether it records, inherits and
// expires is false if its pods never run.
type row struct {
	fails    dataflow.Code // Crashes or NeverStarts; empty if it completes
	rejected []string      // the constraints with which it never starts
	records  bool
	inherits bool
	expires  bool // it is deleted after its TTL
	longest  int  // the characters of the longest name with which it starts, if it starts at all
	dots     bool // it starts with a dot in its name
	digits   bool // it starts with a name that begins with a digit
}

func (r row) String() string {
	return fmt.Sprintf("fails=%q rejected=%q records=%t inherits=%t expires=%t longest=%d dots=%t digits=%t",
		string(r.fails), r.rejected, r.records, r.inherits, r.expires, r.longest, r.dots, r.digits)
}

func (r row) equal(other row) bool {
	return r.fails == other.fails && slices.Equal(r.rejected, other.rejected) &&
		r.records == other.records && r.inherits == other.inherits && r.expires == other.expires &&
		r.longest == other.longest && r.dots == other.dots && r.digits == other.digits
}

// tryNames finds out which names an operation may have.
func (r *row) tryNames(accepts func(name string) bool) {
	for r.longest = 63; r.longest > 0 && !accepts(strings.Repeat("a", r.longest)); r.longest-- {
	}
	r.dots, r.digits = accepts("a.b"), accepts("1a")
}

// general is what Fluid does with the operations of every variant.
type general struct {
	losesRequired   bool   // U1: it loses what Require adds to a required affinity of one's own
	recordedPrefix  string // U14: what stands before a label key in the annotation that records it
	panicsOnRoots   bool   // U17: it panics on an operation without runAfter that has the name of a waiting one
	deletesAtOnce   bool   // U20: it deletes an operation with TTL 0 as soon as it is complete
	lookSeconds     int    // U20: how often it looks whether a predecessor is complete
	recordsByGate   bool   // recording is off by default
	needsPodSpec    bool   // U26: it panics on a job processor without a podSpec
	rightsByLiteral bool   // the chart gives fluidapp rights on nodes only for the literal DataflowAffinity=true
}

// constraints are the fields with which a CronJob may be rejected.
var constraints = []string{"affinity", "nodeSelector", "tolerations"}

// constrain sets a constraint of an operation.
func constrain(op *dataflow.Operation, constraint string) {
	switch constraint {
	case "affinity":
		op.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}}
	case "nodeSelector":
		op.NodeSelector = map[string]string{"disk": "ssd"}
	case "tolerations":
		op.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
}

// tableRow returns what the table says of a variant, as [dataflow.Flow.HostProblems] shows it.
func tableRow(h dataflow.Host, v variant) row {
	problems := func(name string, operations ...dataflow.Operation) []dataflow.Problem {
		flow, err := dataflow.New(operations...)
		if err != nil {
			panic(err) // none of them is invalid
		}
		return slices.DeleteFunc(flow.HostProblems(h), func(p dataflow.Problem) bool { return p.Operation.Name != name })
	}
	codes := func(name string, operations ...dataflow.Operation) (codes []dataflow.Code) {
		for _, p := range problems(name, operations...) {
			codes = append(codes, p.Code)
		}
		return codes
	}
	after := func(op, source dataflow.Operation) dataflow.Operation {
		op.RunAfter = &dataflow.RunAfter{Ref: source.Ref, Strategy: affinity.Strategy{Policy: affinity.Require}}
		return op
	}
	load := func(name string) dataflow.Operation { return variant{dataflow.DataLoad, false, "Once"}.operation(name) }

	var r row
	zero := int32(0)
	op, brief := v.operation("b"), v.operation("b")
	brief.TTLSecondsAfterFinished = &zero
	for _, code := range codes("b", op) {
		r.fails = code
	}
	for _, constraint := range constraints {
		constrained := op
		constrain(&constrained, constraint)
		if r.fails == "" && slices.Contains(codes("b", constrained), dataflow.CodeNeverStarts) {
			r.rejected = append(r.rejected, constraint)
		}
	}
	inheriting := codes("b", load("a"), after(op, load("a")))
	followed := codes("c", op, after(load("c"), op))
	switch {
	case r.fails != "" && v.kind != dataflow.DataBackup: // its pods never run
	case v.parallel:
		r.inherits = slices.Contains(inheriting, dataflow.CodeInheritsAnyway)
	default:
		r.inherits = !slices.Contains(inheriting, dataflow.CodeInheritsNothing)
		r.records = !slices.Contains(followed, dataflow.CodeRecordsNothing)
		if v.policy == "Cron" {
			r.records = slices.Contains(followed, dataflow.CodeInheritsAnyway)
		}
	}
	r.expires = slices.Contains(codes("c", brief, after(load("c"), brief)), dataflow.CodeNeverStarts)
	r.tryNames(func(name string) bool {
		return !slices.ContainsFunc(problems(name, v.operation(name)), func(p dataflow.Problem) bool { return p.Field == "metadata.name" })
	})
	return r
}

// tableGeneral returns what the table of a host says of every variant.
func tableGeneral(h dataflow.Host) general {
	load := func(name string) dataflow.Operation { return variant{dataflow.DataLoad, false, "Once"}.operation(name) }
	has := func(code dataflow.Code, operations ...dataflow.Operation) bool {
		flow, err := dataflow.New(operations...)
		if err != nil {
			panic(err) // none of them is invalid
		}
		return slices.ContainsFunc(flow.HostProblems(h), func(p dataflow.Problem) bool { return p.Code == code })
	}
	a, b := load("a"), load("b")
	b.RunAfter = &dataflow.RunAfter{Ref: a.Ref, Strategy: affinity.Strategy{Policy: affinity.Require}}
	own := b
	own.Affinity = anyAffinity()
	root := variant{dataflow.DataProcess, false, "Once"}.operation("b")
	bare := variant{dataflow.DataProcess, false, "Once"}.operation("c")
	bare.NoPodSpec = true
	brief := a
	brief.TTLSecondsAfterFinished = new(int32)
	c := general{
		losesRequired: has(dataflow.CodeInheritsNothing, a, own),
		panicsOnRoots: has(dataflow.CodeCrashes, a, b, root),
		needsPodSpec:  has(dataflow.CodeCrashes, bare),
		deletesAtOnce: has(dataflow.CodeNeverStarts, brief, b),
		// These are in comments and messages, and in README.md.
		lookSeconds: 5, recordsByGate: true, rightsByLiteral: true,
	}
	// An annotation's name has at most 63 characters without a prefix.
	for n := 1; n <= 63; n++ {
		exposing := a
		exposing.Exposes = []string{strings.Repeat("a", n)}
		if has(dataflow.CodeStaysExecuting, exposing) && c.recordedPrefix == "" && len(topology.RecordedPrefix) == 64-n {
			c.recordedPrefix = topology.RecordedPrefix
		}
	}
	return c
}

// compare returns where the table of a host says otherwise than what was read.
func compare(h dataflow.Host, read map[variant]row, all general) (differences []string) {
	if says := tableGeneral(h); says != all {
		differences = append(differences, fmt.Sprintf("%s\n  Fluid: %+v\n  the table: %+v", h, all, says))
	}
	for _, v := range variants() {
		if says := tableRow(h, v); !says.equal(read[v]) {
			differences = append(differences, strings.Join([]string{string(h), v.String(), "Fluid: " + read[v].String(), "the table: " + says.String()}, "\n  "))
		}
	}
	return differences
}
