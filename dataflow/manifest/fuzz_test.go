package manifest_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// No JSON makes Decode panic or write to the object, and every fault has a path.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{"apiVersion":"data.fluid.io/v1alpha1","kind":"DataLoad","metadata":{"name":"a","annotations":{"affinity.dataflow.fluid.io/labels":"rack"}},"spec":{"runAfter":{"kind":"DataLoad","name":"b","affinityStrategy":{"policy":"Require","requires":[{"name":"zone"}],"dependOn":{"kind":"DataLoad","name":"c"}}},"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}]}}},"nodeSelector":{"a":"b"},"tolerations":[{"key":"a","tolerationSeconds":5}],"resources":{"requests":{"cpu":1,"memory":"1Gi"}},"policy":"Cron","ttlSecondsAfterFinished":5}}`,
		`{"apiVersion":"data.fluid.io/v1alpha1","kind":"DataProcess","metadata":{"generateName":"a-"},"spec":{"processor":{"podMetadata":{"labels":{"serverless.fluid.io/inject":"true"}},"job":{"podSpec":{"nodeName":"n","containers":[{"resources":{"limits":{"nvidia.com/gpu":"1"}},"ports":[{"hostPort":80}]}],"initContainers":[{"restartPolicy":"Always"}],"volumes":[{"hostPath":{}}],"overhead":{"cpu":"1m"},"resources":{"limits":{"cpu":"1e3"}}}}}}}`,
		`{"apiVersion":"data.fluid.io/v1alpha1","kind":"DataMigrate","metadata":{"name":"a","labels":{"fluid.io/affinity.labels":"a"}},"spec":{"parallelism":4,"dependsOn":{}},"status":{"phase":"Complete","nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}]}}}}`,
		`{"apiVersion":"v1","kind":"Node"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var o map[string]any
		if utiljson.Unmarshal(text, &o) != nil {
			return
		}
		before := copied(o)
		op, err := manifest.Decode(o)
		if d := cmp.Diff(before, any(o)); d != "" && o != nil {
			t.Fatal(d)
		}
		check(t, o, op, err)
		if again, errAgain := manifest.Decode(o); diff(op, again) != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("%v, and then %v", err, errAgain)
		}
	})
}
