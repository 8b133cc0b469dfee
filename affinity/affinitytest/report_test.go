package affinitytest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// recorder records what is reported to it.
type recorder struct{ text string }

func (r *recorder) Error(args ...any) { r.text = "failed: " + fmt.Sprint(args...) }
func (r *recorder) Skip(args ...any)  { r.text = "skipped: " + fmt.Sprint(args...) }

// A law is reported as failed, not claimed, not tested after a call that does not return, or passed.
func TestReport(t *testing.T) {
	reports := func(policy affinity.Policy, skipped ...Law) map[Law]string {
		blocked := make(chan time.Time)
		s := newSubject(func(own *corev1.Affinity, strategy affinity.Strategy, from topology.LabelSet) (*corev1.Affinity, error) {
			if strategy.Policy == policy {
				blocked <- time.Time{}
				select {}
			}
			result, err := affinity.Inherit(own, strategy, from)
			return result.Affinity, err
		}, []Option{Skip(skipped...), ExpireBy(blocked)})
		failures := s.failures()
		got := map[Law]string{}
		for _, l := range s.laws() {
			r := &recorder{}
			s.report(r, l, failures)
			got[l.name], _, _ = strings.Cut(r.text, "\n\n")
		}
		return got
	}
	const (
		n1    = "failed: law N1 does not hold.\nWith the empty policy, the result equals the own affinity.\nInstead, it does not return within 10s"
		later = "skipped: not tested, because a call did not return"
	)
	for got, want := range map[*map[Law]string]map[Law]string{
		ref(reports(affinity.None, P1)): {R1: "", P2: "", N1: n1, I1: later,
			P1: "skipped: not claimed: Prefer succeeds, and leaves which nodes match, the pod affinity and the pod anti-affinity as they were."},
		ref(reports(affinity.None, R1, R2, P1, P2, N1, N2)): {I2: "failed: law I2 does not hold.\nEqual arguments give the same bytes; own expressions keep their order and come first, " +
			"and inherited ones follow in the order of the strategy, each key once.\nInstead, it does not return within 10s", I3: later},
	} {
		for name := range want {
			if (*got)[name] != want[name] {
				t.Errorf("%s: got %q\nwant %q", name, (*got)[name], want[name])
			}
		}
	}
}

func ref[T any](v T) *T { return &v }
