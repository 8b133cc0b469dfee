package affinitytest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/internal/goliteral"
	"github.com/fluid-cloudnative/slipstream/internal/guard"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// InheritFunc computes the affinity of an operation that has the affinity own, and that inherits by
// strategy s from an operation that exposes the labels from. own may be nil.
type InheritFunc = func(own *corev1.Affinity, s affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error)

// Option changes what TestInherit and CheckInherit test.
type Option func(*subject)

// Skip leaves out laws that the function does not claim to keep. TestInherit prints them as skipped. A
// function that reports no conflicts skips [C1], and one that does not validate strategies [B1].
func Skip(laws ...Law) Option {
	return func(s *subject) { s.skipped = append(s.skipped, laws...) }
}

// Limit sets how long a single call may take, instead of ten seconds. A call that takes longer counts as
// one that never returns.
func Limit(limit time.Duration) Option {
	return func(s *subject) { s.guard.Limit = limit }
}

// Failure is a law that does not hold, with an input that shows it.
type Failure struct {
	Law    Law    // the law
	Demand string // what it demands, in one sentence
	Seen   string // what was seen instead
	Input  Input  // the smallest input that was found

	// Node is a node on which it shows, or nil if it needs none.
	Node *corev1.Node

	unknown bool // Skip names the law, and it is none
}

// Error names the law, what it demands and what was seen, and ends with Code.
func (f *Failure) Error() string {
	if f.unknown {
		return fmt.Sprintf("%q is no law of inheriting; Skip accepts %v", f.Law, Laws())
	}
	return fmt.Sprintf("law %s does not hold.\n%s\nInstead, %s\n\n%s", f.Law, f.Demand, f.Seen, f.Code())
}

// Code returns the input as Go code, for a test that has the function as inherit. It uses the packages
// affinity, topology and affinitytest of slipstream, and corev1 and metav1 of Kubernetes.
func (f *Failure) Code() string {
	lines := []string{
		goliteral.Assign("own", f.Input.Own),
		goliteral.Assign("strategy", f.Input.Strategy),
		goliteral.Assign("from", f.Input.From),
		"got, err := inherit(own, strategy, from)",
		"t.Log(got, err)",
	}
	if f.Node != nil {
		lines = append(lines, goliteral.Assign("node", f.Node),
			"t.Log(affinitytest.Match(own, node), affinitytest.Match(got, node))",
			"t.Log(affinitytest.Score(own, node), affinitytest.Score(got, node))")
	}
	return goliteral.Format(lines...)
}

// TestInherit tests a function against the laws of inheriting: R1, R2, P1, P2, N1, N2, I2 to I4, C1, B1
// and I1, each in a subtest of that name. A failure is that of [CheckInherit].
//
// A function that panics, does not return, keeps or changes its arguments, or depends on the order of a
// map fails a law; the test goes on, except after a call that did not return. Only what ends the whole
// process cannot be caught: os.Exit, a stack overflow, and maps that several goroutines write to.
func TestInherit(t *testing.T, inherit InheritFunc, options ...Option) {
	s := newSubject(inherit, options)
	failures := s.failures()
	for _, l := range s.laws() {
		t.Run(string(l.name), func(t *testing.T) { s.report(t, l, failures) })
	}
}

// reporter is the part of testing.TB that reports use.
type reporter interface {
	Error(args ...any)
	Skip(args ...any)
}

// report reports a law as failed, skipped or passed.
func (s *subject) report(t reporter, l law, failures []*Failure) {
	for _, f := range failures {
		if f.Law == l.name {
			t.Error(f)
		}
	}
	switch {
	case slices.Contains(s.skipped, l.name):
		t.Skip("not claimed: " + l.demand)
	case slices.Contains(s.untested, l.name):
		t.Skip("not tested, because a call did not return")
	}
}

// CheckInherit is [TestInherit] without a testing.T. It returns the failures in this order, and nil if
// all laws hold: of each law at most three, whose inputs differ in more than their keys and values.
//
// It tries inputs that implementations are known to get wrong, the same ones each time, and then as many
// drawn ones as rapid draws for a property (the flags -rapid.checks and -rapid.seed; fewer with
// -short). An input that fails is made smaller as long as it fails.
//
// A call that panics or does not return is a failure of the first law that speaks of its input. The
// other laws pass over such inputs.
func CheckInherit(inherit InheritFunc, options ...Option) []*Failure {
	return newSubject(inherit, options).failures()
}

// subject is the function under test.
type subject struct {
	inherit InheritFunc
	skipped []Law
	guard   guard.Guard

	crashed  Law    // the law that reports calls that panic
	hung     bool   // a call did not return: there are no more calls
	untested []Law  // the laws that were to be tested after that
	wrong    string // what went wrong with a call of the present test
	places   []place
}

func newSubject(inherit InheritFunc, options []Option) *subject {
	s := &subject{inherit: inherit, guard: guard.Guard{Limit: 10 * time.Second}}
	for _, option := range options {
		option(s)
	}
	return s
}

// Laws returns the laws that are tested, in their order.
func Laws() []Law {
	var names []Law
	for _, l := range laws() {
		names = append(names, l.name)
	}
	return names
}

// laws returns the laws of inheriting, and a law that fails for every skipped law that is none of them.
func (s *subject) laws() []law {
	all := laws()
	for _, name := range s.skipped {
		if !slices.ContainsFunc(all, func(l law) bool { return l.name == name }) {
			all = append(all, law{name: name})
		}
	}
	return all
}

func (s *subject) failures() []*Failure {
	all := awkwardInputs()
	rapid.Check(quiet{}, func(t *rapid.T) { all = append(all, inputs().Draw(t, "input").clone()) })
	var failures []*Failure
	for _, l := range s.laws() {
		switch {
		case l.check == nil:
			failures = append(failures, &Failure{Law: l.name, unknown: true})
		case slices.Contains(s.skipped, l.name):
		case s.hung:
			s.untested = append(s.untested, l.name)
		default:
			failures = append(failures, s.failuresOf(l, all)...)
		}
	}
	return failures
}

// How many failures of a law are returned, and how many inputs that fail are made smaller to find them.
const (
	maxFailures = 3
	maxSmaller  = 8
)

// failuresOf returns the failures of a law whose smallest inputs have different shapes.
func (s *subject) failuresOf(l law, inputs []Input) []*Failure {
	var failures []*Failure
	shapes := map[string]bool{}
	failed := 0
	for i, in := range inputs {
		if l.fresh {
			in.From = withLabel(in.From, "example.com/unused", strconv.Itoa(i))
		}
		if s.hung || failed == maxSmaller || len(failures) == maxFailures {
			break
		}
		f := s.try(l, in)
		if f == nil {
			continue
		}
		failed++
		f = s.smallest(l, f)
		if shape := f.Input.shape(); !shapes[shape] {
			shapes[shape] = true
			failures = append(failures, f)
		}
	}
	return failures
}

// smallest makes the input of a failure smaller as long as it fails.
func (s *subject) smallest(l law, f *Failure) *Failure {
	for _, in := range f.Input.smaller() {
		if s.hung {
			break
		}
		if smaller := s.try(l, in); smaller != nil {
			return s.smallest(l, smaller)
		}
	}
	return f
}

// try tests a law with an input. A call that panics, or does not return, is a failure of the first law
// that meets one.
func (s *subject) try(l law, in Input) *Failure {
	if !l.binds(in) {
		return nil
	}
	s.wrong, s.places = "", nil
	seen, node := l.check(s, in)
	if s.wrong != "" {
		if seen, node = s.wrong, nil; s.crashed == "" {
			s.crashed = l.name
		}
		if s.crashed != l.name && !s.hung {
			return nil
		}
	}
	if seen == "" {
		return nil
	}
	return &Failure{Law: l.name, Demand: l.demand, Seen: message.Cut(seen, message.Limit), Input: in, Node: node}
}

// placesOf returns in.places() of the input that is tested.
func (s *subject) placesOf(in Input) []place {
	if s.places == nil {
		s.places = in.places()
	}
	return s.places
}

// outcome is what a call returned.
type outcome struct {
	result    *corev1.Affinity
	err       error
	text      string                  // the error, for a message
	conflicts bool                    // the error is a conflict
	conflict  *affinity.ConflictError // perhaps nil
	fields    []string                // the paths of the field errors in the error
}

// call calls the function with copies of the arguments.
func (s *subject) call(in Input) outcome { return s.callWith(in.clone()) }

// callWith calls the function with the arguments themselves. A call that panics or does not return
// counts as one that returns an error.
func (s *subject) callWith(in Input) outcome {
	if s.hung {
		return outcome{err: errors.New("not called")}
	}
	var o outcome
	wrong, hung := s.guard.Call(func() {
		o.result, o.err = s.inherit(in.Own, in.Strategy, in.From)
		if o.text = "no error"; o.err != nil {
			o.text = "error " + message.Printable(fmt.Sprint(o.err))
			o.conflicts = errors.As(o.err, &o.conflict)
			o.fields = fieldsOf(o.err)
		}
	})
	if wrong != "" {
		s.wrong, s.hung = wrong, hung
		return outcome{err: errors.New(wrong), text: wrong}
	}
	return o
}

// quiet draws without a test. Drawing inputs does not fail.
type quiet struct{ rapid.TB }

func (quiet) Helper()             {}
func (quiet) Name() string        { return "" }
func (quiet) Logf(string, ...any) {}
func (quiet) Failed() bool        { return false }
