package dataflow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// A nil Flow and the zero value have no operations.
func TestNilAndZeroFlow(t *testing.T) {
	empty := mustFlow(t)
	for name, f := range map[string]*dataflow.Flow{"nil": nil, "zero": {}, "empty": empty} {
		t.Run(name, func(t *testing.T) {
			for op := range f.Operations() {
				t.Errorf("Operations has %v", op)
			}
			for r := range f.ResolveAll(map[dataflow.Ref]dataflow.Observation{ref("a"): {Phase: dataflow.Failed}}) {
				t.Errorf("ResolveAll has %v", r)
			}
			for r := range f.LookaheadAll() {
				t.Errorf("LookaheadAll has %v", r)
			}
			if op, ok := f.Operation(ref("a")); ok {
				t.Errorf("Operation = %v", op)
			}
			var unknown *dataflow.UnknownOperationError
			if _, err := f.Resolve(ref("a"), nil); !errors.As(err, &unknown) || unknown.Nearest != nil {
				t.Errorf("Resolve: %v", err)
			}
			if _, err := f.Lookahead(ref("a")); !errors.As(err, &unknown) || unknown.Nearest != nil {
				t.Errorf("Lookahead: %v", err)
			}
			if problems := f.Problems(); problems != nil {
				t.Errorf("Problems = %v", problems)
			}
			if problems := f.LiveProblems(nil); problems != nil {
				t.Errorf("LiveProblems = %v", problems)
			}
			for _, host := range dataflow.Hosts() {
				if problems := f.HostProblems(host); problems != nil {
					t.Errorf("HostProblems(%s) = %v", host, problems)
				}
			}
			fc, err := f.Forecast(nil, dataflow.ForecastOptions{})
			if err != nil || !fc.Completable() || fc.Impossible() != nil || fc.Problems() != nil {
				t.Errorf("Forecast = %v, %v", fc, err)
			}
			for op := range fc.Flow().Operations() {
				t.Errorf("the flow of the forecast has %v", op)
			}
		})
	}
}

// A nil Forecast and the zero value are those of an empty flow.
func TestNilAndZeroForecast(t *testing.T) {
	for name, fc := range map[string]*dataflow.Forecast{
		"nil": nil, "zero": {}, "of an empty flow": mustForecast(t, mustFlow(t), nil, dataflow.ForecastOptions{}),
	} {
		t.Run(name, func(t *testing.T) {
			if !fc.Completable() || fc.Impossible() != nil || fc.Problems() != nil || fc.Groups() != nil {
				t.Error("it is not that of an empty flow")
			}
			if fc.Nodes(ref("a")) != nil || fc.Strands(ref("a")) != nil || fc.Reason(ref("a")) != "" {
				t.Error("it has something about an unknown operation")
			}
			if fc.Verdict(ref("a"), "n") != dataflow.VerdictUnknown || fc.Why(ref("a"), "n") != "no DataLoad default/a in the flow" || fc.Label(ref("a"), "n") != "unknown" {
				t.Errorf("Verdict = %s, Why = %q", fc.Verdict(ref("a"), "n"), fc.Why(ref("a"), "n"))
			}
			var unknown *dataflow.UnknownOperationError
			if _, err := fc.Affinity(ref("a")); !errors.As(err, &unknown) || unknown.Operation != ref("a") {
				t.Errorf("Affinity: %v", err)
			}
			for op := range fc.Flow().Operations() {
				t.Errorf("Flow has %v", op)
			}
		})
	}
}

func TestNilAndZeroErrors(t *testing.T) {
	for want, err := range map[string]error{
		" ":                         &dataflow.OperationError{},
		"cycle of runAfter: ":       &dataflow.CycleError{},
		"cycle of dependOn: ":       &dataflow.CycleError{Sources: true},
		"no   in the flow":          &dataflow.UnknownOperationError{},
		"no node is feasible for  ": &dataflow.StrandedError{},
		"  cannot run anywhere: no node can meet ": &dataflow.ContradictionError{},
	} {
		if err.Error() != want {
			t.Errorf("%T: %q, want %q", err, err.Error(), want)
		}
		if wrapped := errors.Unwrap(err); wrapped != nil {
			t.Errorf("%T wraps %v", err, wrapped)
		}
		var fault *field.Error
		if errors.As(err, &fault) {
			t.Errorf("%T holds %v", err, fault)
		}
	}
	var operation *dataflow.OperationError
	if operation.Unwrap() != nil {
		t.Error("a nil OperationError wraps something")
	}
	for want, err := range map[string]error{
		" ":                         operation,
		"cycle of runAfter: ":       (*dataflow.CycleError)(nil),
		"no   in the flow":          (*dataflow.UnknownOperationError)(nil),
		"no node is feasible for  ": (*dataflow.StrandedError)(nil),
		"  cannot run anywhere: no node can meet ": (*dataflow.ContradictionError)(nil),
	} {
		if err.Error() != want {
			t.Errorf("nil %T: %q, want %q", err, err.Error(), want)
		}
	}
}

// The zero values of the other types can be used and printed.
func TestZeroValues(t *testing.T) {
	if got := fmt.Sprint(dataflow.Ref{}, dataflow.Problem{}, dataflow.Strand{}, dataflow.Group{}, dataflow.Observation{}, dataflow.Basis{}); got == "" {
		t.Error("nothing is printed")
	}
	var op dataflow.Operation
	if _, ok := op.Predecessor(); ok {
		t.Error("the zero Operation has a predecessor")
	}
	if _, ok := op.Source(); ok {
		t.Error("the zero Operation has a source")
	}
	if got := len(op.ExposedKeys()); got != 3 {
		t.Errorf("the zero Operation exposes %d keys", got)
	}
	if problems := dataflow.Check(op); len(problems) == 0 || problems[0].Field != "kind" {
		t.Errorf("Check of the zero Operation: %v", problems)
	}
	if problems := dataflow.Check(); problems != nil {
		t.Errorf("Check of nothing: %v", problems)
	}
	op = dataflow.Operation{Ref: ref("a"), RunAfter: &dataflow.RunAfter{}}
	f := mustFlow(t, op) // its predecessor has no kind and no name
	if d, err := f.Resolve(op.Ref, nil); err != nil || d.State != dataflow.Waiting {
		t.Errorf("Resolve = %v, %v", d, err)
	}
	if fc := mustForecast(t, f, fleet(2), dataflow.ForecastOptions{}); !fc.Completable() {
		t.Error("an operation after an unknown one has no node")
	}
	if parts := dataflow.Split(dataflow.Operation{}, dataflow.Operation{}); len(parts) != 1 {
		t.Errorf("Split = %v", parts)
	}
	var host dataflow.Host
	if problems := (*dataflow.Flow)(nil).HostProblems(host); len(problems) != 1 || problems[0].Code != dataflow.CodeInvalid {
		t.Errorf("HostProblems of the zero Host: %v", problems)
	}
	if slices.Contains(dataflow.Hosts(), host) || slices.Contains(dataflow.Kinds(), dataflow.Kind("")) {
		t.Error("the zero Host or Kind is listed")
	}
}

func TestFaults(t *testing.T) {
	if got := dataflow.Faults(nil); got != nil {
		t.Errorf("Faults(nil) = %v", got)
	}
	one := errors.New("one")
	if got := dataflow.Faults(one); len(got) != 1 || got[0] != one {
		t.Errorf("Faults of one error = %v", got)
	}
	two := &dataflow.OperationError{}
	if got := dataflow.Faults(errors.Join(one, two)); len(got) != 2 || got[0] != one || got[1] != error(two) {
		t.Errorf("Faults of a joined error = %v", got)
	}
	if got := dataflow.Faults(fmt.Errorf("context: %w", one)); len(got) != 1 {
		t.Errorf("Faults of a wrapped error = %v", got)
	}

	_, err := dataflow.New(load("a"), load("a"), load("b", "b"))
	faults := dataflow.Faults(err)
	var of *dataflow.OperationError
	var cycle *dataflow.CycleError
	if len(faults) != 2 || !errors.As(faults[0], &of) || !errors.As(faults[1], &cycle) {
		t.Errorf("Faults of New: %v", faults)
	}
	_, err = affinity.Inherit(nil, affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{}, {Key: "a/b/c"}}}, completeOn("n").Labels)
	if faults := dataflow.Faults(err); len(faults) != 2 {
		t.Errorf("Faults of Inherit: %v", faults)
	}
	_, err = affinity.Compile(map[string]string{"not a key": "", "k": "not a value"}, nil)
	if faults := dataflow.Faults(err); len(faults) != 2 {
		t.Errorf("Faults of Compile: %v", faults)
	}
}

func TestFlowOperation(t *testing.T) {
	f := mustFlow(t, load("a"), full())
	op, ok := f.Operation(ref("b"))
	if want := full(); !ok || !equalJSON(op, want) {
		t.Errorf("Operation = %+v, %v", op, ok)
	}
	if op, ok := f.Operation(ref("c")); ok || op.Ref != (dataflow.Ref{}) {
		t.Errorf("Operation = %+v, %v", op, ok)
	}
	if _, ok := f.Operation(dataflow.Ref{Kind: dataflow.DataLoad, Name: "b"}); ok {
		t.Error("an empty namespace is taken for another one")
	}
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// The flow of a forecast is that of the forecast with other affinities.
func TestForecastFlow(t *testing.T) {
	a, b := load("a"), changed(load("b", "a"), by(), selecting("type", "GPU"))
	f := mustFlow(t, a, b)
	fc := mustForecast(t, f, []corev1.Node{nodeLike("c"), nodeLike("g", labelled("type", "GPU"))}, dataflow.ForecastOptions{})
	narrowed := fc.Flow()
	first, _ := narrowed.Operation(a.Ref)
	second, _ := narrowed.Operation(b.Ref)
	if oneLine(first.Affinity) != "type In [GPU]" || second.Affinity != nil || names(narrowed) != "a b" {
		t.Errorf("Flow has %s with %s and %v", names(narrowed), oneLine(first.Affinity), second.Affinity)
	}
	terms(first.Affinity)[0].MatchExpressions[0].Values[0] = "scribbled"
	if again, _ := fc.Flow().Operation(a.Ref); oneLine(again.Affinity) != "type In [GPU]" {
		t.Error("the flow of a forecast shares memory with the forecast")
	}
	if own, _ := f.Operation(a.Ref); own.Affinity != nil {
		t.Error("the flow itself is narrowed")
	}
	// A forecast of the narrowed flow changes nothing any more.
	again := mustForecast(t, narrowed, []corev1.Node{nodeLike("c"), nodeLike("g", labelled("type", "GPU"))}, dataflow.ForecastOptions{})
	if again.Problems() != nil {
		t.Errorf("the narrowed flow has problems: %v", again.Problems())
	}
}
