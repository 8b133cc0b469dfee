package conformance_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/apis/batch"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// A schedule is rejected exactly if kube-apiserver rejects a CronJob with it.
func TestSchedulesAgreeWithTheAPIServer(t *testing.T) {
	seen := map[bool]int{}
	check := func(t interface{ Fatalf(string, ...any) }, schedule string) {
		_, err := manifest.Decode(map[string]any{
			"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"policy": "Cron", "schedule": schedule},
		})
		rejected := false
		for _, fault := range batchvalidation.ValidateCronJobCreate(&batch.CronJob{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "default"}, Spec: batch.CronJobSpec{Schedule: schedule},
		}, corevalidation.PodValidationOptions{}) {
			rejected = rejected || fault.Field == "spec.schedule"
		}
		if rejected != (err != nil) {
			t.Fatalf("%q: kube-apiserver rejects it: %t; Decode: %v", schedule, rejected, err)
		}
		seen[rejected]++
	}
	for _, schedule := range []string{
		"", " ", "@", "@daily", "@Daily", "@reboot", "@every 1h", "@every 1h ", "@every -1h", "@every", "@every  1h", " @daily", "@daily ", "0 3 * *", "0 3 * * * *",
		"TZ=UTC 0 3 * * *", "0 3 * * * TZ", "CRON_TZ=", "0\t3\n* * *", ", , , , ,", "*-x */1 ?-1-2/3 * *", "+1 * * * *", "-1 * * * *", "99999999999999999999 * * * *",
	} {
		check(t, schedule)
	}
	number := rapid.OneOf(rapid.StringMatching(`[0-9]{1,2}`), rapid.SampledFrom([]string{"*", "?", "", "jan", "DEC", "mon", "Sat", "may", "x", "60", "24", "31", "32", "12", "13", "6", "7", "-1", "+3", "00"}))
	span := rapid.Custom(func(t *rapid.T) string {
		item := number.Draw(t, "from")
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(t, "hyphens") {
			item += "-" + number.Draw(t, "to")
		}
		for range rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(t, "slashes") {
			item += "/" + number.Draw(t, "step")
		}
		return item
	})
	rapid.Check(t, func(t *rapid.T) {
		parts := []string{"0", "0", "1", "1", "0"}
		for range rapid.IntRange(1, 2).Draw(t, "parts") {
			parts[rapid.IntRange(0, 4).Draw(t, "part")] = strings.Join(rapid.SliceOfN(span, 1, 2).Draw(t, "items"), ",")
		}
		check(t, strings.Join(parts, " "))
	})
	if min(seen[true], seen[false]) == 0 {
		t.Errorf("rejected and accepted: %v", seen)
	}
}
