package dataflowtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/goliteral"
	"github.com/fluid-cloudnative/slipstream/internal/guard"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Controller is what makes the decisions of a controller.
type Controller interface {
	// Decide returns the state of an operation of the view and, if it is Ready, the affinity of its
	// pods: its own affinity and what it inherits. The node selector and the other constraints of the
	// operation reach its pods as they are. An operation that is Ready, and that no node can run with
	// what it must inherit, is a *affinity.ConflictError.
	Decide(op dataflow.Ref, view View) (dataflow.State, *corev1.Affinity, error)
}

// Option changes what TestController and CheckController test.
type Option func(*subject)

// Skip leaves out laws that the controller does not claim to keep. TestController prints them as
// skipped. A controller that does not look ahead skips [L3].
func Skip(laws ...Law) Option {
	return func(s *subject) { s.skipped = append(s.skipped, laws...) }
}

// Limit sets how long a single call may take, instead of ten seconds. A call that takes longer counts as
// one that never returns.
func Limit(limit time.Duration) Option {
	return func(s *subject) { s.guard.Limit = limit }
}

// Failure is a law that does not hold, with a run that shows it.
type Failure struct {
	Law       Law          // the law
	Demand    string       // what it demands, in one sentence
	Seen      string       // what was seen instead
	Operation dataflow.Ref // for which operation
	View      View         // what the controller saw
	History   []string     // what had happened before

	scenario scenario
}

// Error names the law, what it demands and what was seen, and what had happened. It ends with Code.
func (f *Failure) Error() string {
	if f.Demand == "" {
		return fmt.Sprintf("%q is no law of whole flows; Skip accepts %v", f.Law, Laws())
	}
	history := ""
	if len(f.History) > 0 {
		history = "What had happened:\n- " + strings.Join(f.History, "\n- ") + "\n\n"
	}
	subject := ""
	if f.Operation != (dataflow.Ref{}) {
		subject = "for " + f.Operation.String() + ", "
	}
	return fmt.Sprintf("law %s does not hold.\n%s\nInstead, %s%s\n\n%s%s", f.Law, f.Demand, subject, f.Seen, history, f.Code())
}

// Code returns the view as Go code, for a test that has the function start. It uses the packages
// dataflow, dataflowtest, affinity and topology of slipstream, and corev1, metav1 and resource of
// Kubernetes.
func (f *Failure) Code() string {
	return goliteral.Format(
		goliteral.Assign("view", f.View),
		fmt.Sprintf("state, a, err := start().Decide(%s, view)", goliteral.Of(f.Operation)),
		"t.Log(state, a, err)",
	)
}

// TestController runs whole flows against a controller, which start creates for each run and each
// restart, and tests the laws F4, F5, F6, F7 and L3, each in a subtest of that name. A failure is that
// of [CheckController].
//
// A controller that panics or does not return fails a law, and a controller that writes to a view
// changes nothing but its own copy. Only what ends the whole process cannot be caught: os.Exit, a stack
// overflow, and maps that several goroutines write to.
func TestController(t *testing.T, start func() Controller, options ...Option) {
	s := newSubject(start, options)
	failures := s.failures()
	for _, law := range slices.Concat(Laws(), s.unknown()) {
		t.Run(string(law), func(t *testing.T) { s.report(t, law, failures) })
	}
}

// reporter is the part of testing.TB that reports use.
type reporter interface {
	Error(args ...any)
	Skip(args ...any)
}

// report reports a law as failed, skipped or passed.
func (s *subject) report(t reporter, law Law, failures []*Failure) {
	i := slices.IndexFunc(failures, func(f *Failure) bool { return f.Law == law })
	switch {
	case i >= 0:
		t.Error(failures[i])
	case s.skips(law):
		t.Skip("not claimed: " + law.demand())
	case s.hung:
		t.Skip("not tested to the end, because a call did not return")
	}
}

// CheckController is [TestController] without a testing.T. It returns at most one failure for each law,
// in this order, and nil if all of them hold.
//
// It runs the same scenarios each time, and then as many drawn ones as rapid draws for a property (the
// flags -rapid.checks and -rapid.seed; fewer with -short). A scenario that fails is made smaller as
// long as it fails.
func CheckController(start func() Controller, options ...Option) []*Failure {
	return newSubject(start, options).failures()
}

// fixed is the number of drawn scenarios that are the same each time.
const fixed = 100

// subject is the controller under test.
type subject struct {
	start   func() Controller
	skipped []Law
	guard   guard.Guard
	hung    bool // a call did not return: there are no more calls
}

func newSubject(start func() Controller, options []Option) *subject {
	s := &subject{start: start, guard: guard.Guard{Limit: 10 * time.Second}}
	for _, option := range options {
		option(s)
	}
	return s
}

func (s *subject) skips(law Law) bool { return slices.Contains(s.skipped, law) }

// unknown returns the skipped laws that are no laws.
func (s *subject) unknown() []Law {
	return slices.DeleteFunc(slices.Clone(s.skipped), func(law Law) bool { return slices.Contains(Laws(), law) })
}

func (s *subject) failures() []*Failure {
	all := awkwardScenarios()
	for seed := range fixed {
		all = append(all, scenarios().Example(seed))
	}
	rapid.Check(quiet{}, func(t *rapid.T) { all = append(all, scenarios().Draw(t, "scenario")) })
	failed := map[Law]*Failure{}
	claimed := slices.DeleteFunc(Laws(), s.skips)
	for _, of := range all {
		if s.hung || len(failed) == len(claimed) {
			break
		}
		for law, f := range s.play(of) {
			if failed[law] == nil {
				failed[law] = s.smallest(f)
			}
		}
	}
	var failures []*Failure
	for _, law := range Laws() {
		if f := failed[law]; f != nil {
			failures = append(failures, f)
		}
	}
	for _, law := range s.unknown() {
		failures = append(failures, &Failure{Law: law})
	}
	return failures
}

// smallest makes the scenario of a failure smaller as long as the law fails.
func (s *subject) smallest(f *Failure) *Failure {
	for progress := true; progress; {
		progress = false
		for i := 0; !s.hung; i++ {
			candidates := f.scenario.smaller()
			if i >= len(candidates) {
				break
			}
			if smaller := s.play(candidates[i])[f.Law]; smaller != nil {
				f, progress = smaller, true
				i--
			}
		}
	}
	return f
}

// ask asks a controller for a decision. It gives it a copy of the view.
func (s *subject) ask(c Controller, ref dataflow.Ref, view View) decision {
	view = view.clone()
	var d decision
	wrong, hung := s.guard.Call(func() {
		d.state, d.affinity, d.err = c.Decide(ref, view)
		if d.text = "no error"; d.err != nil {
			var conflict *affinity.ConflictError
			d.conflicts = errors.As(d.err, &conflict) && conflict != nil
			d.text = "the error " + message.Printable(fmt.Sprint(d.err))
		}
	})
	if wrong != "" {
		s.hung = hung
		return decision{wrong: wrong}
	}
	return d
}

// quiet draws without a test. Drawing scenarios does not fail.
type quiet struct{ rapid.TB }

func (quiet) Helper()             {}
func (quiet) Name() string        { return "" }
func (quiet) Logf(string, ...any) {}
func (quiet) Failed() bool        { return false }
