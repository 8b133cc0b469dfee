package dataflowtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// recorder records what is reported to it.
type recorder struct{ text string }

func (r *recorder) Error(args ...any) { r.text = "failed: " + fmt.Sprint(args...) }
func (r *recorder) Skip(args ...any)  { r.text = "skipped: " + fmt.Sprint(args...) }

type hanging chan time.Time

func (h hanging) Decide(dataflow.Ref, View) (dataflow.State, *corev1.Affinity, error) {
	h <- time.Time{}
	select {}
}

// A law is reported as failed, not claimed, not tested to the end after a call that does not return, or
// passed.
func TestReport(t *testing.T) {
	blocked := make(chan time.Time)
	s := newSubject(func() Controller { return hanging(blocked) }, []Option{Skip(L3), Limit(time.Minute), func(s *subject) { s.guard.Expired = blocked }})
	failures := s.failures()
	for law, want := range map[Law]string{
		F4: "failed: law F4 does not hold.\n",
		F5: "skipped: not tested to the end, because a call did not return",
		L3: "skipped: not claimed: " + L3.demand(),
	} {
		r := &recorder{}
		s.report(r, law, failures)
		if !strings.HasPrefix(r.text, want) {
			t.Errorf("%s: got %q", law, r.text)
		}
	}
	if !strings.Contains(failures[0].Seen, "it does not return within 1m0s") {
		t.Errorf("got %s", failures[0])
	}
}

func TestUnknownLawsAreReported(t *testing.T) {
	failures := CheckController(func() Controller { return nil }, Skip("X9", F4))
	if len(failures) != 1 || failures[0].Error() != `"X9" is no law of whole flows; Skip accepts [F4 F5 F6 F7 L3]` {
		t.Errorf("got %v", failures)
	}
}
