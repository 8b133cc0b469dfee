package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// object returns what apimachinery makes of an object in YAML.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\n"), "\t", "  ")
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}

// of returns an object of a kind with a name and a spec in YAML.
func of(t *testing.T, kind dataflow.Kind, spec string) map[string]any {
	t.Helper()
	o := object(t, spec)
	return map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": string(kind), "metadata": map[string]any{"name": "op", "namespace": "ns"}, "spec": o}
}

// listed returns the faults of an error, each as "code field: message".
func listed(t *testing.T, err error) []string {
	t.Helper()
	var all []string
	for _, err := range dataflow.Faults(err) {
		var fault *manifest.Fault
		var fieldError *field.Error
		if !errors.As(err, &fault) || !errors.As(err, &fieldError) || fieldError != fault.Err || err.Error() != fault.Err.Error() {
			t.Fatalf("%v is not a fault", err)
		}
		all = append(all, fmt.Sprintf("%s %s: %s", fault.Code, fault.Err.Field, fault.Err.ErrorBody()))
	}
	return all
}

// diff compares operations. Empty lists and maps are nil ones.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }),
		cmp.Comparer(func(a, b topology.LabelSet) bool { return a.String() == b.String() }))
}

// Every field that the dataflow reads, of every kind.
func TestEveryKindIsRead(t *testing.T) {
	ttl := int32(60)
	seconds := int64(5)
	runAfter := `
runAfter:
	kind: DataLoad
	name: first
	apiVersion: data.fluid.io/v1alpha1
	affinityStrategy:
		policy: Require
		dependOn: {kind: DataBackup, namespace: other, name: earlier, apiVersion: x}
		requires: [{name: zone}]
		prefers: [{name: rack, weight: 7}]
ttlSecondsAfterFinished: 60
`
	placement := `
affinity:
	nodeAffinity:
		requiredDuringSchedulingIgnoredDuringExecution:
			nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: In, values: [a, b]}], matchFields: [{key: metadata.name, operator: In, values: [node-a]}]}]
		preferredDuringSchedulingIgnoredDuringExecution: [{weight: 5, preference: {matchExpressions: [{key: ssd, operator: Exists}]}}]
	podAffinity:
		requiredDuringSchedulingIgnoredDuringExecution:
		- topologyKey: zone
			namespaces: [a]
			matchLabelKeys: [b]
			mismatchLabelKeys: [c]
			labelSelector: {matchLabels: {app: a}, matchExpressions: [{key: k, operator: In, values: [v]}]}
			namespaceSelector: {}
nodeSelector: {ssd: "true"}
tolerations: [{key: dedicated, operator: Equal, value: a, effect: NoExecute, tolerationSeconds: 5}]
`
	after := &dataflow.RunAfter{
		Ref:      dataflow.Ref{Kind: dataflow.DataLoad, Name: "first"},
		DependOn: &dataflow.Ref{Kind: dataflow.DataBackup, Namespace: "other", Name: "earlier"},
		Strategy: affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "zone"}}, Prefers: []affinity.PreferredLabel{{Key: "rack", Weight: 7}}},
	}
	own := &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "gpu", Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b"}}},
				MatchFields:      []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-a"}}},
			}}},
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 5, Preference: corev1.NodeSelectorTerm{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "ssd", Operator: corev1.NodeSelectorOpExists}},
			}}},
		},
		PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: "zone", Namespaces: []string{"a"}, MatchLabelKeys: []string{"b"}, MismatchLabelKeys: []string{"c"},
			LabelSelector: &metav1.LabelSelector{
				MatchLabels:      map[string]string{"app": "a"},
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "k", Operator: metav1.LabelSelectorOpIn, Values: []string{"v"}}},
			},
			NamespaceSelector: &metav1.LabelSelector{},
		}}},
	}
	placed := func(op dataflow.Operation) dataflow.Operation {
		op.RunAfter, op.TTLSecondsAfterFinished = after, &ttl
		op.Affinity, op.NodeSelector = own, map[string]string{"ssd": "true"}
		op.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "a", Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds}}
		return op
	}
	indented := func(text string) string {
		return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n\t\t\t")
	}
	cpu := func(q string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(q)}
	}
	for name, test := range map[string]struct {
		kind        dataflow.Kind
		spec        string
		want        dataflow.Operation
		notLookedAt []string
	}{
		"DataLoad": {dataflow.DataLoad, runAfter + placement + "resources: {requests: {cpu: 2}}\npolicy: Cron\nschedule: 0 3 * * *",
			placed(dataflow.Operation{Recurring: true, Requests: cpu("2")}), []string{"spec.affinity.podAffinity"}},
		"DataMigrate": {dataflow.DataMigrate, runAfter + placement + "resources: {limits: {cpu: 500m}, claims: [{name: a}]}\npolicy: OnEvent\nparallelism: 2\nschedulerName: other",
			placed(dataflow.Operation{Distributed: true, OnEvent: true, Requests: cpu("500m")}), []string{"spec.affinity.podAffinity", "spec.resources.claims", "spec.schedulerName"}},
		"one pod":      {dataflow.DataMigrate, "parallelism: 1\npolicy: Once\nschedulerName: default-scheduler", dataflow.Operation{}, nil},
		"a job":        {dataflow.DataProcess, "processor:\n\tjob:\n\t\tpodSpec:" + indented(placement+"nodeName: node-a") + runAfter, placed(dataflow.Operation{NodeName: "node-a"}), []string{"spec.processor.job.podSpec.affinity.podAffinity"}},
		"a script":     {dataflow.DataProcess, "processor: {script: {source: x, resources: {requests: {cpu: 1}}, volumes: [{name: a, emptyDir: {}}, {name: v, hostPath: {path: /}}]}}\npolicy: Cron", dataflow.Operation{Recurring: true, Script: true, Requests: cpu("1")}, []string{"spec.processor.script.volumes[1]"}},
		"no pod spec":  {dataflow.DataProcess, "processor: {job: {}}", dataflow.Operation{NoPodSpec: true}, nil},
		"no processor": {dataflow.DataProcess, "dataset: {name: a, namespace: b}", dataflow.Operation{}, nil},
		"DataBackup":   {dataflow.DataBackup, runAfter, dataflow.Operation{RunAfter: after, TTLSecondsAfterFinished: &ttl}, nil},
		"no spec":      {dataflow.DataBackup, "{}", dataflow.Operation{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := manifest.Decode(of(t, test.kind, test.spec))
			if err != nil {
				t.Fatal(err)
			}
			test.want.Ref = dataflow.Ref{Kind: test.kind, Namespace: "ns", Name: "op"}
			if d := diff(&manifest.Operation{Operation: test.want, NotLookedAt: test.notLookedAt}, op); d != "" {
				t.Error(d)
			}
		})
	}
}

// A fault is reported with its code, its path and what to do.
func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		kind dataflow.Kind
		spec string
		want []string
	}{
		// Fields that do not exist.
		"dependsOn":            {dataflow.DataLoad, "dependsOn: {kind: DataLoad, name: a}", []string{"UnknownField spec.dependsOn: Forbidden: no such field; to run after another operation, write spec.runAfter; to inherit from another one than that, spec.runAfter.affinityStrategy.dependOn"}},
		"after":                {dataflow.DataBackup, "after: a", []string{"UnknownField spec.after: Forbidden: no such field; to run after another operation, write spec.runAfter; to inherit from another one than that, spec.runAfter.affinityStrategy.dependOn"}},
		"runafter":             {dataflow.DataLoad, "runafter: {}", []string{`UnknownField spec.runafter: Forbidden: no such field; typo of "runAfter"?`}},
		"affinitystrategy":     {dataflow.DataLoad, "affinitystrategy: {policy: Require}", []string{`UnknownField spec.affinitystrategy: Forbidden: no such field; typo of "spec.runAfter.affinityStrategy"?`}},
		"affinityStrategy":     {dataflow.DataLoad, "affinityStrategy: {policy: Require}", []string{"UnknownField spec.affinityStrategy: Forbidden: no such field; it belongs in spec.runAfter.affinityStrategy"}},
		"affinityStategy":      {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, affinityStategy: {}}", []string{`UnknownField spec.runAfter.affinityStategy: Forbidden: no such field; typo of "affinityStrategy"?`}},
		"policy in runAfter":   {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, policy: Require}", []string{"UnknownField spec.runAfter.policy: Forbidden: no such field; it belongs in spec.runAfter.affinityStrategy.policy"}},
		"policy of a backup":   {dataflow.DataBackup, "policy: Require", []string{`UnknownField spec.policy: Forbidden: no such field; it belongs in spec.runAfter.affinityStrategy.policy`}},
		"a misspelt one":       {dataflow.DataBackup, "policy: prefr", []string{`UnknownField spec.policy: Forbidden: no such field; it belongs in spec.runAfter.affinityStrategy.policy`}},
		"schedule of a backup": {dataflow.DataBackup, "policy: Cron", []string{`UnknownField spec.policy: Forbidden: no such field; a DataBackup has none`}},
		"any of a backup":      {dataflow.DataBackup, "policy: 5", []string{`UnknownField spec.policy: Forbidden: no such field; a DataBackup has none`}},
		"a schedule inside":    {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, policy: once}", []string{`UnknownField spec.runAfter.policy: Forbidden: no such field; it belongs in spec.policy`}},
		"of a backup inside":   {dataflow.DataBackup, "runAfter: {kind: DataLoad, name: a, policy: Cron}", []string{`UnknownField spec.runAfter.policy: Forbidden: no such field; a DataBackup has none`}},
		"any policy inside":    {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, policy: x}", []string{`UnknownField spec.runAfter.policy: Forbidden: no such field; it belongs in spec.runAfter.affinityStrategy.policy`}},
		"polcy of a strategy":  {dataflow.DataProcess, "polcy: Require", []string{`UnknownField spec.polcy: Forbidden: no such field; typo of "spec.runAfter.affinityStrategy.policy"?`}},
		"polcy of a schedule":  {dataflow.DataProcess, "polcy: Cron", []string{`UnknownField spec.polcy: Forbidden: no such field; typo of "policy"?`}},
		"polcy of a backup":    {dataflow.DataBackup, "polcy: Cron", []string{`UnknownField spec.polcy: Forbidden: no such field; must be one of backupPath, dataset, runAfter, runAs, ttlSecondsAfterFinished`}},
		"require":              {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, affinityStrategy: {require: []}}", []string{`UnknownField spec.runAfter.affinityStrategy.require: Forbidden: no such field; typo of "requires"?`}},
		"nmae":                 {dataflow.DataLoad, "runAfter: {kind: DataLoad, nmae: a}", []string{`UnknownField spec.runAfter.nmae: Forbidden: no such field; typo of "name"?`}},
		"in an entry":          {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, affinityStrategy: {requires: [{name: zone, weight: 3}], prefers: [{key: zone, name: a}]}}", []string{"UnknownField spec.runAfter.affinityStrategy.requires[0].weight: Forbidden: no such field; must be one of name", "UnknownField spec.runAfter.affinityStrategy.prefers[0].key: Forbidden: no such field; must be one of name, weight"}},
		"in dependOn":          {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, affinityStrategy: {dependOn: {kind: DataLoad, name: b, uid: x}}}", []string{"UnknownField spec.runAfter.affinityStrategy.dependOn.uid: Forbidden: no such field; must be one of kind, name, namespace, apiVersion"}},
		"elsewhere":            {dataflow.DataProcess, "nodeSelector: {a: b}\nnodeName: x", []string{"UnknownField spec.nodeName: Forbidden: no such field; it belongs in spec.processor.job.podSpec.nodeName", "UnknownField spec.nodeSelector: Forbidden: no such field; it belongs in spec.processor.job.podSpec.nodeSelector"}},
		"podMetadata":          {dataflow.DataProcess, "podMetadata: {}\nresources: {}", []string{"UnknownField spec.podMetadata: Forbidden: no such field; it belongs in spec.processor.podMetadata", "UnknownField spec.resources: Forbidden: no such field; it belongs in spec.processor.script, or in the containers of spec.processor.job.podSpec"}},
		"of other kinds":       {dataflow.DataBackup, "affinity: {}\nparallelism: 3", []string{"UnknownField spec.affinity: Forbidden: no such field; a DataBackup has none", "UnknownField spec.parallelism: Forbidden: no such field; a DataBackup has none"}},
		"misspelt, of other":   {dataflow.DataBackup, "tolerationss: []", []string{"UnknownField spec.tolerationss: Forbidden: no such field; must be one of backupPath, dataset, runAfter, runAs, ttlSecondsAfterFinished"}},
		"parallelism":          {dataflow.DataLoad, "Parallelism: 3", []string{"UnknownField spec.Parallelism: Forbidden: no such field; must be one of affinity, dataset, loadMetadata, nodeSelector, options, podMetadata, policy, resources, runAfter, schedule, schedulerName, target, tolerations, ttlSecondsAfterFinished"}},
		"of a script":          {dataflow.DataProcess, "processor: {script: {source: a, tolerations: []}}", []string{"UnknownField spec.processor.script.tolerations: Forbidden: no such field; it belongs in spec.processor.job.podSpec.tolerations"}},
		"of a job":             {dataflow.DataProcess, "processor: {job: {template: {}}}", []string{"UnknownField spec.processor.job.template: Forbidden: no such field; it belongs in spec.processor.job.podSpec"}},
		"of a processor":       {dataflow.DataProcess, "processor: {jobs: {}}", []string{`UnknownField spec.processor.jobs: Forbidden: no such field; typo of "job"?`}},
		"of a pod spec":        {dataflow.DataProcess, "processor: {job: {podSpec: {nodeselector: {}, runAfter: {}, futureField: {}, containers: [{resource: {}, futureField: {}}]}}}", []string{`UnknownField spec.processor.job.podSpec.nodeselector: Forbidden: no such field; typo of "nodeSelector"?`, "UnknownField spec.processor.job.podSpec.runAfter: Forbidden: no such field; it belongs in spec.runAfter", `UnknownField spec.processor.job.podSpec.containers[0].resource: Forbidden: no such field; typo of "resources"?`}},
		"in an affinity":       {dataflow.DataLoad, "affinity: {nodeAffinity: {required: {}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpression: []}}]}}", []string{"UnknownField spec.affinity.nodeAffinity.required: Forbidden: no such field; must be one of requiredDuringSchedulingIgnoredDuringExecution, preferredDuringSchedulingIgnoredDuringExecution", `UnknownField spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpression: Forbidden: no such field; typo of "matchExpressions"?`}},
		"in tolerations":       {dataflow.DataMigrate, "tolerations: [{}, {efect: NoSchedule}]", []string{`UnknownField spec.tolerations[1].efect: Forbidden: no such field; typo of "effect"?`}},
		"in resources":         {dataflow.DataLoad, "resources: {request: {cpu: 1}}", []string{`UnknownField spec.resources.request: Forbidden: no such field; typo of "requests"?`}},
		"odd names":            {dataflow.DataLoad, `{"a.b": 1, "": 2, "c\nd": 3, "ключ": 4}`, []string{`UnknownField spec[""]: Forbidden: no such field; must be one of affinity`, `UnknownField spec[a.b]: `, `UnknownField spec["c\nd"]: `, `UnknownField spec["ключ"]: `}},

		// Values of the wrong type.
		"a word":         {dataflow.DataLoad, "runAfter: fetch", []string{`Invalid spec.runAfter: Invalid value: "fetch": must be an object with kind, name, namespace, apiVersion, affinityStrategy`}},
		"a list":         {dataflow.DataLoad, "runAfter: []", []string{`Invalid spec.runAfter: Invalid value: "array": must be an object with kind, `}},
		"an object":      {dataflow.DataLoad, "tolerations: {}", []string{`Invalid spec.tolerations: Invalid value: "object": must be a list`}},
		"a label key":    {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: a, affinityStrategy: {requires: [example.com/rack], prefers: ['a b']}}", []string{`Invalid spec.runAfter.affinityStrategy.requires[0]: Invalid value: "example.com/rack": must be an object with name; write name: example.com/rack`, `Invalid spec.runAfter.affinityStrategy.prefers[0]: Invalid value: "a b": must be an object with name, weight`}},
		"a bool":         {dataflow.DataLoad, "nodeSelector: {example.com/ssd: yes}", []string{`Invalid spec.nodeSelector[example.com/ssd]: Invalid value: true: must be a string; quote it (unquoted, YAML reads y,`}},
		"a number":       {dataflow.DataLoad, "runAfter: {kind: DataLoad, name: 5}", []string{`Invalid spec.runAfter.name: Invalid value: 5: must be a string; quote it`}},
		"quoted":         {dataflow.DataMigrate, "parallelism: '4'", []string{`Invalid spec.parallelism: Invalid value: "4": must be a whole number of 32 bits; remove the quotes`}},
		"no number":      {dataflow.DataMigrate, "parallelism: many\nttlSecondsAfterFinished: 1.5", []string{`Invalid spec.ttlSecondsAfterFinished: Invalid value: 1.5: must be a whole number of 32 bits`, `Invalid spec.parallelism: Invalid value: "many": must be a whole number of 32 bits`}},
		"too large":      {dataflow.DataLoad, "ttlSecondsAfterFinished: 3000000000\ntolerations: [{tolerationSeconds: 1e30}]", []string{`Invalid spec.ttlSecondsAfterFinished: Invalid value: 3000000000: must be a whole number of 32 bits`, `Invalid spec.tolerations[0].tolerationSeconds: Invalid value: 1e+30: must be a whole number of 64 bits`}},
		"null items":     {dataflow.DataLoad, "tolerations: [null, {key: a}]", []string{`Invalid spec.tolerations[0]: Invalid value: "null": must not be null; remove the item`}},
		"containers":     {dataflow.DataProcess, "processor: {job: {podSpec: {containers: {name: a}, initContainers: [a]}}}", []string{`Invalid spec.processor.job.podSpec.containers: Invalid value: "object": must be a list`, `Invalid spec.processor.job.podSpec.initContainers[0]: Invalid value: "a": must be an object`}},
		"annotations":    {dataflow.DataLoad, "podMetadata: {annotations: [a], labels: b}", []string{`Invalid spec.podMetadata.annotations: Invalid value: "array": must be an object`, `Invalid spec.podMetadata.labels: Invalid value: "b": must be an object`}},
		"nested":         {dataflow.DataProcess, "processor: a", []string{`Invalid spec.processor: Invalid value: "a": must be an object with job, podMetadata, script, serviceAccountName`}},
		"null is absent": {dataflow.DataLoad, "runAfter: null\nnodeSelector: {a: null}\ntolerations: null\naffinity: null\nresources: {requests: {cpu: null}}\npolicy: null\nttlSecondsAfterFinished: null", nil},

		// Missing fields and values that are not accepted.
		"no reference":   {dataflow.DataLoad, "runAfter: {affinityStrategy: {policy: Require, dependOn: {name: ''}}}", []string{"Invalid spec.runAfter.kind: Required value: the kind of an operation, such as DataLoad", "Invalid spec.runAfter.name: Required value: the name of an operation", "Invalid spec.runAfter.affinityStrategy.dependOn.kind: Required value", "Invalid spec.runAfter.affinityStrategy.dependOn.name: Required value"}},
		"a policy":       {dataflow.DataLoad, "policy: cron", []string{`Invalid spec.policy: Unsupported value: "cron": supported values: "Once", "Cron", "OnEvent"; typo of "Cron"?`}},
		"no policy":      {dataflow.DataMigrate, "policy: ''", []string{`Invalid spec.policy: Unsupported value: "": supported values: "Once", "Cron", "OnEvent"`}},
		"of a strategy":  {dataflow.DataProcess, "policy: Prefer", []string{`Invalid spec.policy: Unsupported value: "Prefer": supported values: "Once", "Cron", "OnEvent"; Prefer belongs in spec.runAfter.affinityStrategy.policy`}},
		"no schedule":    {dataflow.DataLoad, "policy: Cron", []string{`Invalid spec.schedule: Required value: a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron`}},
		"an empty one":   {dataflow.DataMigrate, "policy: Cron\nschedule: ''", []string{`Invalid spec.schedule: Required value: a schedule`}},
		"a blank one":    {dataflow.DataMigrate, "policy: Cron\nschedule: ' '", []string{`Invalid spec.schedule: Invalid value: " ": must be a schedule`}},
		"six parts":      {dataflow.DataLoad, "policy: Cron\nschedule: 0 0 3 * * *", []string{`Invalid spec.schedule: Invalid value: "0 0 3 * * *": must be a schedule of five parts, such`}},
		"a wrong type":   {dataflow.DataLoad, "policy: Cron\nschedule: 5", []string{`Invalid spec.schedule: Invalid value: 5: must be a string; quote it`}},
		"misspelt":       {dataflow.DataLoad, "policy: Cron\nschedul: '@daily'", []string{`UnknownField spec.schedul: Forbidden: no such field; typo of "schedule"?`}},
		"named":          {dataflow.DataLoad, "policy: Cron\nschedule: '@daily'", nil},
		"every":          {dataflow.DataLoad, "policy: Cron\nschedule: '@every 1h30m'", nil},
		"items":          {dataflow.DataLoad, "policy: Cron\nschedule: '0,30/5,1-9/2,*/1 ?/3 1,, Jan-mar mon-FRI'", nil},
		"every what":     {dataflow.DataLoad, "policy: Cron\nschedule: '@every day'", []string{`Invalid spec.schedule: Invalid value: "@every day": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "day" is not a duration such as 1h30m`}},
		"at boot":        {dataflow.DataLoad, "policy: Cron\nschedule: '@reboot'", []string{`Invalid spec.schedule: Invalid value: "@reboot": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; the named ones are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, and @every with a duration`}},
		"with a zone":    {dataflow.DataLoad, "policy: Cron\nschedule: 'TZ=UTC 0 3 * * *'", []string{`Invalid spec.schedule: Invalid value: "TZ=UTC 0 3 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; a CronJob accepts no TZ in a schedule`}},
		"with cron's":    {dataflow.DataLoad, "policy: Cron\nschedule: 'CRON_TZ=UTC 0 3 * * *'", []string{`Invalid spec.schedule: Invalid value: "CRON_TZ=UTC 0 3 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; a CronJob accepts no TZ in a schedule`}},
		"another Sunday": {dataflow.DataLoad, "policy: Cron\nschedule: '0 3 * * 7'", []string{`Invalid spec.schedule: Invalid value: "0 3 * * 7": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "7" is not among the days of a week, 0 to 6`}},
		"midnight":       {dataflow.DataLoad, "policy: Cron\nschedule: '0 24 * * *'", []string{`Invalid spec.schedule: Invalid value: "0 24 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "24" is not among the hours, 0 to 23`}},
		"no step":        {dataflow.DataLoad, "policy: Cron\nschedule: '*/0 * * * *'", []string{`Invalid spec.schedule: Invalid value: "*/0 * * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "*/0" is not among the minutes, 0 to 59`}},
		"backwards":      {dataflow.DataLoad, "policy: Cron\nschedule: '0 3 9-1 * *'", []string{`Invalid spec.schedule: Invalid value: "0 3 9-1 * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "9-1" is not among the days of a month, 1 to 31`}},
		"half a range":   {dataflow.DataLoad, "policy: Cron\nschedule: '1-x 3 * * *'", []string{`Invalid spec.schedule: Invalid value: "1-x 3 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "1-x" is not among the minutes`}},
		"words":          {dataflow.DataLoad, "policy: Cron\nschedule: 'x 3 * * *'", []string{`Invalid spec.schedule: Invalid value: "x 3 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "x" is not among the minutes`}},
		"a word first":   {dataflow.DataLoad, "policy: Cron\nschedule: 'x-5 3 * * *'", []string{`Invalid spec.schedule: Invalid value: "x-5 3 * * *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "x-5" is not among the minutes`}},
		"not a name":     {dataflow.DataLoad, "policy: Cron\nschedule: '0 3 1 jan-mai *'", []string{`Invalid spec.schedule: Invalid value: "0 3 1 jan-mai *": must be a schedule of five parts, such as "0 3 * * *", or one such as @daily: the operation has policy Cron; "jan-mai" is not among the months, 1 to 12`}},
		"of a pod": {dataflow.DataLoad, "podMetadata: {labels: {team: data platform, a/b/c: x, version: 1, ok: ''}, annotations: {not a key: x, Example.com/A: any text, size: 5}}", []string{
			`Invalid spec.podMetadata.annotations[not a key]: Invalid value: "not a key": not a label key`, `Invalid spec.podMetadata.annotations[size]: Invalid value: 5: must be a string; quote it`,
			`Invalid spec.podMetadata.labels[a/b/c]: Invalid value: "a/b/c": not a label key`, `Invalid spec.podMetadata.labels[team]: Invalid value: "data platform": a valid label must be`,
			`Invalid spec.podMetadata.labels[version]: Invalid value: 1: must be a string; quote it`}},
		"not needed":     {dataflow.DataLoad, "policy: Once\nschedule: x", nil},
		"of no effect":   {dataflow.DataProcess, "policy: Cron", nil},
		"none":           {dataflow.DataMigrate, "parallelism: 0", []string{"Invalid spec.parallelism: Invalid value: 0: must be at least 1"}},
		"two processors": {dataflow.DataProcess, "processor: {job: {podSpec: {}}, script: {resources: {requests: {cpu: 1}}}}", []string{`Invalid spec.processor: Invalid value: "job and script": must have only one of job and script`}},

		// Resources.
		"quantities":        {dataflow.DataLoad, "resources: {requests: {cpu: lots, memory: -1Gi, ephemeral-storage: true}, limits: {cpu: 1.5}}", []string{`Invalid spec.resources.requests[cpu]: Invalid value: "lots": must be a quantity, such as 2, "0.5", "500m" or "16Gi"`, `Invalid spec.resources.requests[ephemeral-storage]: Invalid value: true: must be a quantity`, `Invalid spec.resources.requests[memory]: Invalid value: "-1Gi": must not be negative`, `Invalid spec.resources.limits[cpu]: Invalid value: 1.5: must be a quantity`}},
		"hostile":           {dataflow.DataLoad, "resources: {requests: {cpu: 1e999999999, memory: '" + strings.Repeat("9", 5000) + "'}}", []string{`Invalid spec.resources.requests[cpu]: Invalid value: "1e999999999"`, `Invalid spec.resources.requests[memory]: Invalid value: "99`}},
		"names":             {dataflow.DataLoad, "resources: {requests: {gpu: 1, nvidia.com.gpu: 1, a b/c: 1}}", []string{`Invalid spec.resources.requests[a b/c]: Invalid value: "a b/c": not a resource that can be requested here; must be cpu,`, `Invalid spec.resources.requests[gpu]: `, `Invalid spec.resources.requests[nvidia.com.gpu]: `}},
		"halves":            {dataflow.DataLoad, "resources: {limits: {nvidia.com/gpu: 500m, hugepages-2Mi: 3Mi, cpu: 1}}", []string{`Invalid spec.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": must be a multiple of the page size`, `Invalid spec.resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be a whole number`}},
		"beyond limits":     {dataflow.DataLoad, "resources: {requests: {cpu: 2, memory: 1Gi, nvidia.com/gpu: 1, amd.com/gpu: 1}, limits: {cpu: 1, memory: 1Gi, amd.com/gpu: 2}}", []string{`Invalid spec.resources.requests[amd.com/gpu]: Invalid value: "1": must be equal to the limit, 2`, `Invalid spec.resources.requests[cpu]: Invalid value: "2": must not be greater than the limit, 1`, `Invalid spec.resources.requests[nvidia.com/gpu]: Invalid value: "1": needs a limit of the same quantity`}},
		"only huge pages":   {dataflow.DataLoad, "resources: {limits: {hugepages-2Mi: 4Mi}}", []string{"Invalid spec.resources: Forbidden: huge pages need cpu or memory in addition"}},
		"below a container": {dataflow.DataProcess, "processor: {job: {podSpec: {resources: {limits: {cpu: 1}}, containers: [{resources: {requests: {cpu: 500m}, limits: {cpu: 2}}}]}}}", []string{`Invalid spec.processor.job.podSpec.resources.limits[cpu]: Invalid value: "1": must not be less than the limit of a container, 2`}},
		"of the pod":        {dataflow.DataProcess, "processor: {job: {podSpec: {resources: {requests: {cpu: 1, nvidia.com/gpu: 1}}, containers: [{resources: {requests: {cpu: 2}}}], overhead: {cpu: x}}}}", []string{`Invalid spec.processor.job.podSpec.resources.requests[nvidia.com/gpu]: Invalid value: "nvidia.com/gpu": not a resource`, `Invalid spec.processor.job.podSpec.resources.requests[cpu]: Invalid value: "1": must not be less than what the containers request, 2`, `Invalid spec.processor.job.podSpec.overhead[cpu]: `}},
	} {
		t.Run(name, func(t *testing.T) {
			o := of(t, test.kind, test.spec)
			op, err := manifest.Decode(o)
			got := listed(t, err)
			if op == nil || op.Faulty != (len(test.want) > 0) {
				t.Fatalf("%+v, %v", op, err)
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("faults\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}

// What says which operation it is, and what was recorded.
func TestFaultsOfTheWholeObject(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"no name":          {"kind: DataLoad\napiVersion: data.fluid.io/v1alpha1", []string{"Invalid metadata.name: Required value: a name that later operations can run after"}},
		"an empty name":    {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: '', generateName: ''}}", []string{"Invalid metadata.name: Required value"}},
		"nmae":             {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {nmae: a, futureField: b}}", []string{`UnknownField metadata.nmae: Forbidden: no such field; typo of "name"?`}},
		"a number":         {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: 5}}", []string{"Invalid metadata.name: Invalid value: 5: must be a string; quote it"}},
		"no metadata":      {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: a}", []string{`Invalid metadata: Invalid value: "a": must be an object`}},
		"a generateName":   {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {generateName: Warm-}}", []string{`InvalidName metadata.generateName: Invalid value: "Warm-": a lowercase RFC 1123 subdomain`}},
		"no apiVersion":    {"{kind: DataLoad, metadata: {name: a}}", []string{"Invalid apiVersion: Required value: data.fluid.io/v1alpha1"}},
		"a version":        {"{kind: DataLoad, apiVersion: v1alpha1, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "v1alpha1": supported values: "data.fluid.io/v1alpha1"`}},
		"no version":       {"{kind: DataLoad, apiVersion: data.fluid.io/1, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "data.fluid.io/1"`}},
		"no group":         {"{kind: DataLoad, apiVersion: /v1, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "/v1"`}},
		"another group":    {"{kind: DataLoad, apiVersion: data.fluid.oi/v1alpha1, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "data.fluid.oi/v1alpha1"`}},
		"Fluid's":          {"{kind: DataLoad, apiVersion: fluid.cncf/v1, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "fluid.cncf/v1"`}},
		"a list for it":    {"{kind: DataLoad, apiVersion: [a], metadata: {name: a}}", []string{`Invalid apiVersion: Invalid value: "array": must be a string`}},
		"another version":  {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha2, metadata: {name: a}}", []string{`Invalid apiVersion: Unsupported value: "data.fluid.io/v1alpha2": supported values: "data.fluid.io/v1alpha1"`}},
		"a kind":           {"{kind: Dataload, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}}", []string{`Invalid kind: Unsupported value: "Dataload": supported values: "DataLoad", "DataMigrate", "DataProcess", "DataBackup"; typo of "DataLoad"?`}},
		"at the top":       {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, runAfter: {}, specs: {}, x-anchors: {}}", []string{"UnknownField runAfter: Forbidden: no such field; it belongs in spec.runAfter", `UnknownField specs: Forbidden: no such field; typo of "spec"?`}},
		"metdata":          {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metdata: {name: a}}", []string{`UnknownField metdata: Forbidden: no such field; typo of "metadata"?`}},
		"no spec":          {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, spec: []}", []string{`Invalid spec: Invalid value: "array": must be an object`}},
		"no status":        {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, status: done}", []string{`Invalid status: Invalid value: "done": must be an object`}},
		"of the status":    {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, status: {phase: 1, nodeAffinity: {requierd: {}}, policy: x}}", []string{`Invalid status.phase: Invalid value: 1: must be a string; quote it`, `UnknownField status.nodeAffinity.requierd: `}},
		"read or recorded": {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, status: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: 5, values: [b]}]}]}}}}", []string{`Invalid status.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Invalid value: 5: must be a string`}},
		"no host wrote it": {"{kind: DataLoad, apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}, status: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}]}}}}", []string{`Invalid status.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: Unsupported value: "NotIn"`}},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := manifest.Decode(object(t, test.text))
			got := listed(t, err)
			if op == nil || op.Faulty != (len(test.want) > 0) || op.Ref.Kind != dataflow.DataLoad {
				t.Fatalf("%+v, %v", op, err)
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("faults\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}

// What is right is kept.
func TestWhatIsRightIsKept(t *testing.T) {
	op, err := manifest.Decode(of(t, dataflow.DataLoad, `
runAfter:
	kind: DataLoad
	name: first
	affinityStrategy: {policy: [Require], requires: [{name: zone}, rack], dependOn: {kind: DataLoad, name: 3}}
nodeSelector: {a: b, c: 4}
tolerations: [{key: a, operator: 1}, {tolerationSeconds: x}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b, 5]}], x: y}]}}, podAffinity: a}
resources: {requests: {cpu: 1, memory: x}}
`))
	if n := len(dataflow.Faults(err)); n != 10 || !op.Faulty {
		t.Errorf("%d faults: %v", n, err)
	}
	want := dataflow.Operation{
		Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "ns", Name: "op"},
		RunAfter: &dataflow.RunAfter{
			Ref:      dataflow.Ref{Kind: dataflow.DataLoad, Name: "first"},
			Strategy: affinity.Strategy{Requires: []affinity.RequiredLabel{{Key: "zone"}, {}}},
			DependOn: &dataflow.Ref{Kind: dataflow.DataLoad},
		},
		NodeSelector: map[string]string{"a": "b"},
		Tolerations:  []corev1.Toleration{{Key: "a"}, {}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "a", Operator: corev1.NodeSelectorOpIn, Values: []string{"b", ""}}}}},
		}}},
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
	}
	if d := diff(want, op.Operation); d != "" {
		t.Error(d)
	}
}

// Of two processors, Fluid's charts run the job.
func TestOfTwoProcessorsTheJobCounts(t *testing.T) {
	op, err := manifest.Decode(of(t, dataflow.DataProcess, "processor: {job: {podSpec: {nodeName: a}}, script: {resources: {requests: {cpu: 1}}}}"))
	if err == nil || op.NodeName != "a" || op.Requests != nil {
		t.Errorf("%+v, %v", op, err)
	}
}

// The structured path leads to the field, also through keys with dots and slashes.
func TestPathsLeadToTheField(t *testing.T) {
	o := of(t, dataflow.DataProcess, "processor: {podMetadata: {annotations: {affinity.dataflow.fluid.io/labels: 5}}, job: {podSpec: {tolerations: [{}, {key: true}], nodeSelector: {a.b/c: 1}}}}")
	_, err := manifest.Decode(o)
	want := map[string]any{
		"spec.processor.podMetadata.annotations[affinity.dataflow.fluid.io/labels]": int64(5),
		"spec.processor.job.podSpec.tolerations[1].key":                             true,
		"spec.processor.job.podSpec.nodeSelector[a.b/c]":                            int64(1),
	}
	for _, err := range dataflow.Faults(err) {
		fault := err.(*manifest.Fault)
		if got := follow(o, fault.Path); got != want[fault.Err.Field] {
			t.Errorf("%q leads to %v, want %v of %s", fault.Path, got, want[fault.Err.Field], fault.Err.Field)
		}
		delete(want, fault.Err.Field)
		op := dataflow.Ref{Kind: dataflow.DataLoad, Name: "a"}
		if p := fault.Problem(op); !cmp.Equal(p, dataflow.Problem{Code: fault.Code, Severity: dataflow.SeverityError, Operation: op, Field: fault.Err.Field, Message: fault.Err.ErrorBody()}) {
			t.Error(p)
		}
	}
	if len(want) > 0 {
		t.Error("no fault at ", want)
	}
}

// follow returns the value that a path leads to, and nil if there is none.
func follow(v any, path []string) any {
	for _, token := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[token]
		case []any:
			v = in[slices.Index(indices(len(in)), token)]
		default:
			return nil
		}
	}
	return v
}

func indices(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return all
}

// Other kinds can be told from objects that were meant to be operations.
func TestWhatIsNotAnOperation(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		ref   dataflow.Ref
		fault string // "" if it can be skipped
		text2 string
	}{
		"nil":               {"null", dataflow.Ref{}, "", "not an operation: the object has no kind"},
		"nothing":           {"{}", dataflow.Ref{}, "", "not an operation: the object has no kind"},
		"another kind":      {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}", dataflow.Ref{Kind: "ConfigMap", Namespace: "b", Name: "a"}, "", `not an operation: kind "ConfigMap" of "v1"`},
		"of another group":  {"{apiVersion: batch.example.com/v1, kind: DataLoad}", dataflow.Ref{Kind: "DataLoad"}, "", `not an operation: kind "DataLoad" of "batch.example.com/v1"`},
		"a dataset":         {"{apiVersion: data.fluid.io/v1alpha1, kind: Dataset}", dataflow.Ref{Kind: "Dataset"}, "", `not an operation: kind "Dataset" of "data.fluid.io/v1alpha1"`},
		"datasets":          {"{apiVersion: data.fluid.io/v1alpha1, kind: DatasetList, items: []}", dataflow.Ref{Kind: "DatasetList"}, "", `not an operation: kind "DatasetList" of "data.fluid.io/v1alpha1"`},
		"no kind":           {"{apiVersion: v1, metadata: {name: 5}, kind: 7}", dataflow.Ref{}, "", "not an operation: the object has no kind"},
		"a list":            {"{apiVersion: data.fluid.io/v1alpha1, kind: DataLoadList}", dataflow.Ref{Kind: "DataLoadList"}, `Invalid kind: Invalid value: "DataLoadList": a list is not an operation; decode each of its items`, ""},
		"not understood":    {"{apiVersion: data.fluid.io/v1alpha1, kind: Job, metadata: {name: a}}", dataflow.Ref{Kind: "Job", Name: "a"}, `Invalid kind: Unsupported value: "Job"`, ""},
		"Fluid's, no kind":  {"{apiVersion: data.fluid.io/v1alpha1, metadata: {name: a}}", dataflow.Ref{Name: "a"}, "Invalid kind: Required value: one of [DataLoad DataMigrate DataProcess DataBackup]", ""},
		"a number for it":   {"{apiVersion: data.fluid.io/v1alpha1, kind: 5}", dataflow.Ref{}, "Invalid kind: Invalid value: 5: must be a string; quote it", ""},
		"with a runAfter":   {"{spec: {runAfter: {}}}", dataflow.Ref{}, "Invalid kind: Required value", ""},
		"with the labels":   {"{metadata: {annotations: {affinity.dataflow.fluid.io/labels: a}}}", dataflow.Ref{}, "Invalid kind: Required value", ""},
		"very long":         {"{apiVersion: v1, kind: " + strings.Repeat("x", 10000) + "}", dataflow.Ref{Kind: dataflow.Kind(strings.Repeat("x", 10000))}, "", `not an operation: kind "` + strings.Repeat("x", 80) + `…" of "v1"`},
		"very long, Fluids": {"{apiVersion: data.fluid.io/v1, kind: " + strings.Repeat("x", 10000) + "}", dataflow.Ref{Kind: dataflow.Kind(strings.Repeat("x", 10000))}, `Invalid kind: Unsupported value: "xx`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := manifest.Decode(object(t, test.text))
			var kind *manifest.KindError
			if op != nil || !errors.As(err, &kind) || len(err.Error()) > 1000 {
				t.Fatalf("%v, %v", op, err)
			}
			if kind.Operation != test.ref {
				t.Errorf("operation %v, want %v", kind.Operation, test.ref)
			}
			var fieldError *field.Error
			if errors.As(err, &fieldError) != (test.fault != "") {
				t.Error(err)
			}
			if test.fault != "" {
				if got := listed(t, kind.Fault); len(got) != 1 || !strings.HasPrefix(got[0], test.fault) {
					t.Errorf("fault %q, want %q", got, test.fault)
				}
				test.text2 = "not an operation: " + fieldError.Error()
			}
			if err.Error() != test.text2 {
				t.Errorf("%q, want %q", err, test.text2)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]manifest.Operation{
		"{name: a}":                           {Operation: dataflow.Operation{Ref: dataflow.Ref{Name: "a"}}},
		"{name: a, namespace: b}":             {Operation: dataflow.Operation{Ref: dataflow.Ref{Namespace: "b", Name: "a"}}},
		"{generateName: warm-}":               {GenerateName: "warm-"},
		"{generateName: warm-, name: warm}":   {Operation: dataflow.Operation{Ref: dataflow.Ref{Name: "warm"}}},
		"{name: Not_Valid, labels: {a: b}}":   {Operation: dataflow.Operation{Ref: dataflow.Ref{Name: "Not_Valid"}}}, // which dataflow.Check reports
		"{name: a, uid: b, clusterName: '' }": {Operation: dataflow.Operation{Ref: dataflow.Ref{Name: "a"}}},
	} {
		o := of(t, dataflow.DataLoad, "{}")
		o["metadata"] = object(t, text)
		want.Ref.Kind = dataflow.DataLoad
		op, err := manifest.Decode(o)
		if d := diff(&want, op); err != nil || d != "" {
			t.Error(text, err, d)
		}
	}
}

// The labels come from the list that Fluid reads.
func TestWhichLabelsAreExposed(t *testing.T) {
	long := strings.Repeat("k", 37)
	const key = "affinity.dataflow.fluid.io/labels"
	for name, test := range map[string]struct {
		kind           dataflow.Kind
		metadata, spec string
		want           []string
		faults         []string
	}{
		"none":               {dataflow.DataLoad, "{}", "{}", nil, nil},
		"own":                {dataflow.DataLoad, "{annotations: {" + key + ": ' rack,, disk , rack'}}", "{}", []string{"disk", "rack"}, nil},
		"the pod's":          {dataflow.DataMigrate, "{}", "{podMetadata: {annotations: {" + key + ": rack}}}", []string{"rack"}, nil},
		"the pod's, process": {dataflow.DataProcess, "{annotations: {other: a}}", "{processor: {podMetadata: {annotations: {" + key + ": rack}}}}", []string{"rack"}, nil},
		"own wins":           {dataflow.DataLoad, "{annotations: {" + key + ": rack}}", "{podMetadata: {annotations: {" + key + ": disk}}}", []string{"rack"}, nil},
		"own wins, empty":    {dataflow.DataLoad, "{annotations: {" + key + ": ''}}", "{podMetadata: {annotations: {" + key + ": disk}}}", nil, nil},
		"null is absent":     {dataflow.DataLoad, "{annotations: {" + key + ": null}}", "{podMetadata: {annotations: {" + key + ": disk}}}", []string{"disk"}, nil},
		"of a DataBackup":    {dataflow.DataBackup, "{annotations: {" + key + ": rack}}", "{}", []string{"rack"}, nil},
		"malformed":          {dataflow.DataLoad, "{annotations: {" + key + ": 'a b,rack,-'}}", "{}", []string{"rack"}, []string{`Invalid metadata.annotations[` + key + `]: Invalid value: "a b": not a label key`, `Invalid metadata.annotations[` + key + `]: Invalid value: "-": not a label key`}},
		"malformed, pod's":   {dataflow.DataLoad, "{}", "{podMetadata: {annotations: {" + key + ": a b}}}", nil, []string{`Invalid spec.podMetadata.annotations[` + key + `]: Invalid value: "a b": not a label key`}},
		"unrecordable":       {dataflow.DataLoad, "{annotations: {" + key + ": 'disk," + long + "'}}", "{}", []string{"disk"}, []string{`Unrecordable metadata.annotations[` + key + `]: Invalid value: "` + long + `": must have at most 36 characters`}},
		"no string":          {dataflow.DataLoad, "{annotations: {" + key + ": [rack]}}", "{podMetadata: {annotations: {" + key + ": disk}}}", nil, []string{`Invalid metadata.annotations[` + key + `]: Invalid value: "array": must be a string`}},
		"no annotations":     {dataflow.DataLoad, "{annotations: [a]}", "{podMetadata: {annotations: {" + key + ": disk}}}", []string{"disk"}, []string{`Invalid metadata.annotations: Invalid value: "array": must be an object`}},

		"an old key":        {dataflow.DataLoad, "{annotations: {data-operation.fluid.io/affinity.labels: 'rack,a b'}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[data-operation.fluid.io/affinity.labels]: Forbidden: "data-operation.fluid.io/affinity.labels" has no effect here; write affinity.dataflow.fluid.io/labels in metadata.annotations`}},
		"an older key":      {dataflow.DataLoad, "{annotations: {fluid.io/affinity.labels: rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[fluid.io/affinity.labels]: `}},
		"another prefix":    {dataflow.DataLoad, "{annotations: {dataflow.fluid.io/labels: rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[dataflow.fluid.io/labels]: `}},
		"another host":      {dataflow.DataLoad, "{annotations: {affinity.dataflow.example.com/Labels: rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[affinity.dataflow.example.com/Labels]: `}},
		"a dot":             {dataflow.DataLoad, "{annotations: {affinity.dataflow.fluid.io.labels: rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[affinity.dataflow.fluid.io.labels]: `}},
		"one label":         {dataflow.DataLoad, "{annotations: {affinity.dataflow.fluid.io/label: rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[affinity.dataflow.fluid.io/label]: `}},
		"as a label":        {dataflow.DataLoad, "{labels: {" + key + ": rack}}", "{}", []string{"rack"}, []string{`WrongKey metadata.labels[` + key + `]: Forbidden: "` + key + `" has no effect here; write ` + key + ` in metadata.annotations`}},
		"as a pod's label":  {dataflow.DataProcess, "{}", "{processor: {podMetadata: {labels: {" + key + ": rack}}}}", []string{"rack"}, []string{`WrongKey spec.processor.podMetadata.labels[` + key + `]: `}},
		"two mistakes, one": {dataflow.DataLoad, "{annotations: {dataflow.fluid.io/labels: rack, fluid.io/affinity.labels: disk}, labels: {" + key + ": zone}}", "{}", []string{"rack"}, []string{`WrongKey metadata.annotations[dataflow.fluid.io/labels]: `}},
		"no string, wrong":  {dataflow.DataLoad, "{annotations: {dataflow.fluid.io/labels: 5}}", "{}", nil, []string{`WrongKey metadata.annotations[dataflow.fluid.io/labels]: `}},
		"and the right one": {dataflow.DataLoad, "{annotations: {" + key + ": rack, fluid.io/affinity.labels: disk}}", "{}", []string{"rack"}, nil},
		"others":            {dataflow.DataLoad, "{annotations: {example.com/labels: a, affinity.dataflow.fluid.io/inject: 'true', labels: b, kubectl.kubernetes.io/last-applied-configuration: '{}', " + strings.Repeat("fluid.", 60) + "labels: x}, labels: {fluid.io/dataset: a}}", "{}", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := of(t, test.kind, test.spec)
			maps.Copy(o["metadata"].(map[string]any), object(t, test.metadata))
			op, err := manifest.Decode(o)
			if got := listed(t, err); !slices.EqualFunc(got, test.faults, strings.HasPrefix) {
				t.Errorf("faults\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.faults, "\n\t"))
			}
			if d := diff(test.want, op.Exposes); d != "" {
				t.Error(d)
			}
		})
	}
}

// What the pod of a DataProcess requests. That the sum is kube-scheduler's is held against
// kube-scheduler in internal/conformance.
func TestRequestsOfAPod(t *testing.T) {
	for name, test := range map[string]struct {
		podSpec string
		want    map[corev1.ResourceName]string
	}{
		"nothing":        {"{containers: [{name: a}]}", nil},
		"containers":     {"{containers: [{resources: {requests: {cpu: 1, memory: 1Gi}}}, {resources: {requests: {cpu: 1500m}}}]}", map[corev1.ResourceName]string{"cpu": "2500m", "memory": "1Gi"}},
		"limits":         {"{containers: [{resources: {limits: {nvidia.com/gpu: 2, cpu: 3}, requests: {cpu: 1}}}]}", map[corev1.ResourceName]string{"cpu": "1", "nvidia.com/gpu": "2"}},
		"init":           {"{containers: [{resources: {requests: {cpu: 1}}}], initContainers: [{resources: {requests: {cpu: 4}}}, {resources: {requests: {cpu: 2, memory: 1Mi}}}]}", map[corev1.ResourceName]string{"cpu": "4", "memory": "1Mi"}},
		"restartable":    {"{containers: [{resources: {requests: {cpu: 1}}}], initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 1}}}, {resources: {requests: {cpu: 2}}}]}", map[corev1.ResourceName]string{"cpu": "3"}},
		"restartable, +": {"{containers: [{resources: {requests: {cpu: 5}}}], initContainers: [{resources: {requests: {cpu: 2}}}, {restartPolicy: Always, resources: {requests: {cpu: 1}}}]}", map[corev1.ResourceName]string{"cpu": "6"}},
		"overhead":       {"{overhead: {cpu: 250m, memory: 1Mi}, containers: [{resources: {requests: {cpu: 1}}}]}", map[corev1.ResourceName]string{"cpu": "1250m", "memory": "1Mi"}},
		"whole":          {"{resources: {requests: {cpu: 5}, limits: {cpu: 6, memory: 1Gi, hugepages-2Mi: 4Mi}}, containers: [{resources: {requests: {cpu: 1}, limits: {nvidia.com/gpu: 1}}}], overhead: {cpu: 1}}", map[corev1.ResourceName]string{"cpu": "6", "memory": "1Gi", "hugepages-2Mi": "4Mi", "nvidia.com/gpu": "1"}},
		"whole, limit":   {"{resources: {limits: {cpu: 6}}, containers: [{resources: {requests: {cpu: 1}}}]}", map[corev1.ResourceName]string{"cpu": "1"}},
		"tiny":           {"{containers: [{resources: {requests: {cpu: 1n}}}, {resources: {requests: {cpu: '1e-9'}}}]}", map[corev1.ResourceName]string{"cpu": "2m"}},
		"own":            {"{containers: [{resources: {requests: {kubernetes.io/batch-cpu: 1500m}}}]}", map[corev1.ResourceName]string{"kubernetes.io/batch-cpu": "1500m"}},
	} {
		t.Run(name, func(t *testing.T) {
			op, err := manifest.Decode(of(t, dataflow.DataProcess, "processor: {job: {podSpec: "+test.podSpec+"}}"))
			if err != nil {
				t.Fatal(err)
			}
			var want corev1.ResourceList
			for name, q := range test.want {
				if want == nil {
					want = corev1.ResourceList{}
				}
				want[name] = resource.MustParse(q)
			}
			if d := diff(want, op.Requests); d != "" {
				t.Error(d)
			}
		})
	}
}

// Numbers may have any of the types that decoders return.
func TestNumbers(t *testing.T) {
	for _, n := range []any{int64(3), int32(3), 3, 3.0, json.Number("3")} {
		o := of(t, dataflow.DataMigrate, "{}")
		o["spec"] = map[string]any{"parallelism": n, "resources": map[string]any{"requests": map[string]any{"cpu": n}}}
		op, err := manifest.Decode(o)
		if err != nil || !op.Distributed || op.Requests.Cpu().Value() != 3 {
			t.Errorf("%T: %+v, %v", n, op, err)
		}
	}
	for _, n := range []any{uint8(3), struct{}{}, 3.5, json.Number("3.5"), json.Number("x")} {
		o := of(t, dataflow.DataMigrate, "{}")
		o["spec"] = map[string]any{"parallelism": n, "runAfter": map[string]any{"kind": n, "name": n}, "resources": map[string]any{"requests": map[string]any{"cpu": n}}}
		if _, err := manifest.Decode(o); len(listed(t, err)) != 4 {
			t.Errorf("%T: %v", n, err)
		}
	}
}

// Fields that can decide where a pod runs are named if they are set.
func TestWhatIsNotLookedAt(t *testing.T) {
	op, err := manifest.Decode(of(t, dataflow.DataProcess, `
processor:
	podMetadata: {labels: {fuse.serverful.fluid.io/inject: "true", serverless.fluid.io/inject: "false", fluid.io/dataset.a.sched: required}}
	job:
		podSpec:
			schedulerName: volcano
			topologySpreadConstraints: [{maxSkew: 1}]
			affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}, podAffinity: {}}
			hostNetwork: true
			runtimeClassName: kata
			resourceClaims: [{name: a}]
			schedulingGates: [{name: a}]
			priorityClassName: high
			priority: 5
			os: {name: linux}
			volumes: [{name: a, configMap: {}}, {name: b, persistentVolumeClaim: {claimName: c}}, {name: d, hostPath: {path: e}}]
			containers: [{ports: [{containerPort: 1}, {hostPort: 0}]}, {ports: [{hostPort: 80}, {hostPort: 81}]}]
			initContainers: [{ports: [{hostPort: 80}]}]
`))
	const podSpec = "spec.processor.job.podSpec."
	want := []string{
		podSpec + "affinity.podAntiAffinity", podSpec + "containers[1].ports[0].hostPort", podSpec + "hostNetwork", podSpec + "os", podSpec + "priority",
		podSpec + "priorityClassName", podSpec + "resourceClaims", podSpec + "runtimeClassName", podSpec + "schedulerName", podSpec + "schedulingGates",
		podSpec + "topologySpreadConstraints", podSpec + "volumes[1]", "spec.processor.podMetadata.labels[fuse.serverful.fluid.io/inject]",
	}
	if d := diff(want, op.NotLookedAt); err != nil || d != "" {
		t.Error(err, d)
	}
	for _, unset := range []string{
		"processor: {job: {podSpec: {schedulerName: '', hostNetwork: false, priority: 0, volumes: [], os: {}, topologySpreadConstraints: [], containers: [{ports: [a]}, b]}}}",
		"processor: {podMetadata: {labels: {serverless.fluid.io/inject: 'true', fluid.io/enable-injection: 'false'}}}",
		"processor: {podMetadata: {labels: {fluid.io/managed-by: fluid}}}",
		"processor: {podMetadata: {labels: {serverless.fluid.io/inject: 'true', done.sidecar.fluid.io/inject: 'true'}}}",
	} {
		if op, _ := manifest.Decode(of(t, dataflow.DataProcess, unset)); op.NotLookedAt != nil {
			t.Error(unset, op.NotLookedAt)
		}
	}
	op, _ = manifest.Decode(of(t, dataflow.DataMigrate, "from: {externalStorage: {uri: 'pvc://local-disk/models'}}\nto: {externalStorage: {uri: 's3://bucket'}}"))
	if d := diff([]string{"spec.from.externalStorage.uri"}, op.NotLookedAt); d != "" {
		t.Error(d)
	}
	op, _ = manifest.Decode(of(t, dataflow.DataLoad, "podMetadata: {labels: {fluid.io/managed-by: team-a, cronjob: nightly}}"))
	if d := diff([]string{"spec.podMetadata.labels[cronjob]", "spec.podMetadata.labels[fluid.io/managed-by]"}, op.NotLookedAt); d != "" {
		t.Error(d)
	}
	op, _ = manifest.Decode(of(t, dataflow.DataProcess, "processor: {job: {podSpec: {initContainers: [{ports: [{hostPort: 80}]}]}}}"))
	if d := diff([]string{podSpec + "initContainers[0].ports[0].hostPort"}, op.NotLookedAt); d != "" {
		t.Error(d)
	}
}

// The status says what happened.
func TestStatusIsTheObservation(t *testing.T) {
	recorded := topology.NewLabelSet(map[string]string{topology.Hostname: "n", "rack": ""})
	nodeAffinity, err := runtime.DefaultUnstructuredConverter.ToUnstructured(recorded.NodeAffinity())
	if err != nil {
		t.Fatal(err)
	}
	for phase, want := range map[any]dataflow.Phase{nil: "", "Pending": dataflow.Pending, "Complete": dataflow.Complete, "Dreaming": "Dreaming"} {
		o := of(t, dataflow.DataLoad, "{}")
		o["status"] = map[string]any{"phase": phase, "nodeAffinity": nodeAffinity, "conditions": 5}
		op, err := manifest.Decode(o)
		if d := diff(dataflow.Observation{Phase: want, Labels: recorded}, op.Observation); err != nil || d != "" {
			t.Error(phase, err, d)
		}
	}
}
