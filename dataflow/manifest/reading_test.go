package manifest_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/internal/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// load is a DataLoad in YAML, with more lines of spec.
func load(name string, spec ...string) string {
	text := "apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata:\n  name: " + name + "\n"
	if len(spec) > 0 {
		text += "spec:\n"
	}
	for _, line := range spec {
		text += "  " + line + "\n"
	}
	return text
}

const jsonLoad = `{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": {"name": "a"}}`

// summary prints what was read, short enough to compare by eye.
func summary(m *manifest.Manifests, err error) string {
	var b strings.Builder
	for _, op := range m.Operations {
		fmt.Fprintf(&b, "  %s at %s", op.Ref, op.Place)
		if predecessor, ok := op.Predecessor(); ok {
			fmt.Fprintf(&b, ", after %s", predecessor)
			if s := op.RunAfter.Strategy; s.Policy != "" {
				fmt.Fprintf(&b, " %s %v", s.Policy, s.Keys())
			}
			if op.RunAfter.DependOn != nil {
				fmt.Fprintf(&b, " of %s", op.RunAfter.DependOn)
			}
		}
		if op.Exposes != nil {
			fmt.Fprintf(&b, ", exposes %v", op.Exposes)
		}
		if op.NodeSelector != nil {
			fmt.Fprintf(&b, ", selects %v", op.NodeSelector)
		}
		if op.Affinity != nil {
			text, _ := yaml.Marshal(op.Affinity)
			fmt.Fprintf(&b, ", affinity of %d lines", strings.Count(string(text), "\n"))
		}
		for _, toleration := range op.Tolerations {
			fmt.Fprintf(&b, ", tolerates %s", toleration.Key)
		}
		if op.Distributed {
			b.WriteString(", distributed")
		}
		if op.Recurring {
			b.WriteString(", recurring")
		}
		if op.Observation.Phase != "" || op.Observation.Labels.Len() > 0 {
			fmt.Fprintf(&b, ", %s on %s", op.Observation.Phase, op.Observation.Labels)
		}
		if op.Faulty {
			b.WriteString(", faulty")
		}
		b.WriteString("\n")
	}
	for _, node := range m.Nodes {
		fmt.Fprintf(&b, "  node %s %v\n", node.Name, node.Labels)
	}
	if m.Skipped > 0 {
		fmt.Fprintf(&b, "  %d skipped\n", m.Skipped)
	}
	if m.Lists > 0 {
		fmt.Fprintf(&b, "  %d lists\n", m.Lists)
	}
	for _, err := range parts(err) {
		text := err.Error()
		if len(text) > 400 {
			text = text[:400] + "…"
		}
		fmt.Fprintf(&b, "  %T %s\n", err, text)
	}
	if b.Len() == 0 {
		return "  nothing\n"
	}
	return b.String()
}

func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

func TestReadingReadsWell(t *testing.T) {
	const gpu = "affinity:\n    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n        - matchExpressions:\n          - key: gpu\n            operator: Exists\n"
	list := func(items ...string) string {
		text := "apiVersion: v1\nkind: List\nitems:\n"
		for _, item := range items {
			text += "- " + strings.TrimSuffix(strings.ReplaceAll(item, "\n", "\n  "), "  ")
		}
		return text
	}
	after := func(lines ...string) string {
		return load("b", append([]string{"runAfter:", "  kind: DataLoad", "  name: a"}, lines...)...)
	}
	strategy := func(lines ...string) string {
		all := []string{"  affinityStrategy:"}
		for _, line := range lines {
			all = append(all, "    "+line)
		}
		return after(all...)
	}
	var got bytes.Buffer
	for _, c := range []struct{ what, text string }{
		{"nothing", ""},
		{"blank documents and comments", "\n# only a comment\n---\n---\n# another\n"},
		{"an operation", load("a")},
		{"a byte order mark and line feeds of DOS", "\ufeff" + strings.ReplaceAll(load("a"), "\n", "\r\n")},
		{"several documents", load("a") + "--- # the next\n" + load("b") + "...\n" + load("c")},
		{"a document that begins on the dashes", "--- {apiVersion: data.fluid.io/v1alpha1, kind: DataLoad, metadata: {name: a}}\n"},
		{"a directive", "%YAML 1.1\n---\n" + load("a")},
		{"other kinds, and the kind of another group", "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: other/v1\nkind: DataLoad\nmetadata: {name: a}\n---\n" + load("a")},
		{"another version", strings.Replace(load("a"), "v1alpha1", "v2", 1)},
		{"a namespace", load("a") + "  namespace: ns\n"},
		{"nodes", "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {gpu: 'yes'}}\n"},
		{"a malformed node", "apiVersion: v1\nkind: Node\nmetadata: {name: [n1]}\n"},
		{"JSON", jsonLoad},
		{"JSON objects that follow each other", jsonLoad + "\n" + strings.ReplaceAll(jsonLoad, `"a"`, `"b"`) + jsonLoad},
		{"JSON between documents of YAML", load("a") + "---\n" + jsonLoad + "\n---\n" + load("c")},
		{"a mapping in flow style", "{apiVersion: data.fluid.io/v1alpha1, kind: DataLoad, metadata: {name: a}}\n"},
		{"a mapping in flow style and more", "{apiVersion: data.fluid.io/v1alpha1, kind: DataLoad, metadata: {name: a}}\nb: 1\n"},
		{"JSON in which case matters", strings.ReplaceAll(jsonLoad, `"metadata"`, `"Metadata"`)},
		{"truncated JSON", jsonLoad + "\n" + jsonLoad[:40]},
		{"truncated JSON alone", "\n\n" + jsonLoad[:40]},
		{"malformed JSON", `{"a": "b",` + "\n" + `"c" "d"}`},
		{"an empty object, and an object in JSON without a kind", `{}` + `{"a": 1}`},

		{"a List", list(load("a"), load("b"), "apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n", "apiVersion: v1\nkind: Secret\n")},
		{"a List with comments, quoted keys and text", "# top\napiVersion: v1\nkind: List\nitems:\n# first\n- \"apiVersion\": data.fluid.io/v1alpha1\n  'kind': DataLoad\n  metadata:\n    name: a\n  note: |\n    name: not this\n  folded: >-\n    x: y\n\n- # an item\n  apiVersion: data.fluid.io/v1alpha1\n  kind: DataLoad\n  metadata: {name: b}\n"},
		{"a List of one kind, whose items leave it out", "apiVersion: data.fluid.io/v1alpha1\nkind: DataLoadList\nitems:\n- metadata:\n    name: a\n  spec:\n    policy: Cron\n- metadata:\n    name: b\n"},
		{"a List in JSON", `{"apiVersion": "v1", "kind": "List", "items": [` + "\n" + jsonLoad + ",\n" + jsonLoad + "]}"},
		{"a List in flow style", "apiVersion: v1\nkind: List\nitems: [" + jsonLoad + "]\n"},
		{"an empty List", list()},
		{"a List of null", "apiVersion: v1\nkind: List\nitems:\n- null\n- 1\n"},
		{"a List whose items are no list", "apiVersion: v1\nkind: List\nitems: {a: b}\n"},
		{"a List in a List", list("apiVersion: v1\nkind: List\nitems: []\n", load("a"))},
		{"a kind that only ends in List", "apiVersion: v1\nkind: WishList\n"},
		{"another kind's List", "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: x}\n"},

		{"no object", "just text\n"},
		{"a list without a List", "- a\n- b\n"},
		{"no kind", "metadata: {name: a}\n"},
		{"a kind that is no text", "apiVersion: 1\nkind: [a]\n"},
		{"no apiVersion", "kind: DataLoad\nmetadata: {name: a}\n"},
		{"no name", "apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {generateName: a-}\n"},
		{"null where something could be", load("a", "affinity: null", "runAfter: null", "nodeSelector: ~")},

		{"every field of a DataLoad", load("b", "policy: Cron", "nodeSelector: {disk: ssd}", "tolerations:", "- key: gpu", "  operator: Exists", "  effect: NoExecute", "  tolerationSeconds: 30", gpu[:len(gpu)-1], "runAfter:", "  apiVersion: data.fluid.io/v1alpha1", "  kind: DataMigrate", "  name: a", "  namespace: other", "  affinityStrategy:", "    policy: Prefer", "    prefers:", "    - name: zone", "      weight: 5", "    dependOn:", "      kind: DataLoad", "      name: c")},
		{"a DataMigrate of several pods", strings.Replace(load("a", "parallelism: 2", "policy: Cron"), "DataLoad", "DataMigrate", 1)},
		{"a DataMigrate of one pod", strings.Replace(load("a", "parallelism: 1", "policy: Once"), "DataLoad", "DataMigrate", 1)},
		{"a DataProcess, which has its affinity elsewhere", strings.Replace(load("a", "policy: Cron", "affinity: ignored here", "processor:", "  job:", "    podSpec:", "      nodeSelector: {gpu: 'yes'}", "      containers: []", "runAfter:", "  kind: DataLoad", "  name: x"), "DataLoad", "DataProcess", 1)},
		{"a DataBackup, which asks for nothing", strings.Replace(load("a", "backupPath: pvc://x", "policy: Cron", "runAfter:", "  kind: DataLoad", "  name: x"), "DataLoad", "DataBackup", 1)},
		{"exposed labels", load("a") + "  annotations:\n    affinity.dataflow.fluid.io/labels: \"gpu, disk\"\n    other: x\n"},
		{"malformed exposed labels", load("a") + "  annotations:\n    affinity.dataflow.fluid.io/labels: \"gpu; disk\"\n"},
		{"a misspelt annotation", load("a") + "  annotations:\n    affinity.dataflow.fluid.io/label: gpu\n"},
		{"a status", load("a") + "status:\n  phase: Complete\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n      - matchExpressions:\n        - {key: zone, operator: In, values: [a]}\n"},
		{"a status that nobody wrote", load("a") + "status:\n  phase: Complete\n  nodeAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n      nodeSelectorTerms:\n      - matchExpressions:\n        - key: zone\n          operator: NotIn\n          values: [a]\n"},

		{"an unknown field in runAfter", after("  affinitystrategy:", "    policy: Require")},
		{"an unknown field in the strategy", strategy("policy: Require", "require:", "- name: zone")},
		{"a field that resembles none", strategy("policy: Require", "image: x")},
		{"an unknown field in a list", strategy("policy: Require", "requires:", "- name: zone", "- key: zone")},
		{"an unknown field in dependOn", strategy("policy: Require", "dependOn:", "  kind: DataLoad", "  nam: a")},
		{"an unknown field in an affinity", load("a", "affinity:", "  nodeAffinity:", "    requiredDuringScheduling: {}")},
		{"fields that belong elsewhere", load("b", "affinityStrategy: {policy: Require}", "dependOn: {}", "parallelism: 2", "affinity: {}") + "  runAfter: {kind: DataLoad, name: a}\n  nodeSelector: {}\nrunAfter: {}\ntolerations: null\n"},
		{"fields that a DataProcess has elsewhere", strings.Replace(load("a", "affinity: {}", "nodeSelector: {disk: ssd}", "tolerations:", "- operator: Exists", "processor:", "  script:", "    nodeSelector: {disk: ssd}", "  job:", "    nodeSelector: {disk: ssd}", "    parallelism: 4", "    template: {}"), "DataLoad", "DataProcess", 1)},
		{"a field beside the spec", strings.Replace(load("a"), "DataLoad", "DataMigrate", 1) + "parallelism: 3\n"},
		{"fields that a DataBackup has not", strings.Replace(load("a", "nodeSelector: {disk: ssd}", "affinity: null"), "DataLoad", "DataBackup", 1)},
		{"a strategy beside its place in runAfter", after("  requires: [{name: zone}]")},
		{"fields of a status and annotations that look misplaced", load("a") + "  annotations: {runAfter: x, parallelism: '3'}\nstatus: {phase: Complete, nodeSelector: {}, phases: x}\n"},
		{"a misspelt runAfter", load("b", "runafter:", "  kind: DataLoad", "  name: a")},
		{"a misspelt nodeSelector", load("b", "nodeselectors: {}")},
		{"fields that are Fluid's own", load("b", "target:", "- path: /a", "loadMetadata: true", "options: {}", "podMetadata: {}", "schedule: x")},
		{"a type in a list", strategy("policy: Prefer", "prefers:", "- name: zone", "  weight: heavy")},
		{"a number that is too large", strategy("policy: Prefer", "prefers:", "- name: zone", "  weight: 4294967296")},
		{"types all over", load("b", "policy: [x]", "affinity: 1", "nodeSelector: [a]", "tolerations: {a: b}", "runAfter: text")},
		{"a spec and a strategy that are no objects", load("a") + "spec: text\n---\n" + after("  affinityStrategy: Require")},
		{"a selector's value that is no text", load("b", "nodeSelector:", "  gpu: true", "  \"a.b/c\": 1")},
		{"runAfter without kind and name", load("b", "runAfter:", "  affinityStrategy:", "    policy: Require", "    dependOn: {}")},
		{"items twice", list(load("a")) + "items:\n- kind: Other\n"},
		{"items twice, with an operation in the second", list("kind: Other\n") + "items:\n- " + strings.ReplaceAll(strings.TrimSuffix(load("a"), "\n"), "\n", "\n  ") + "\n"},
		{"items twice, in JSON", `{"apiVersion": "v1", "kind": "List", "items": [` + jsonLoad + `], "items": []}`},
		{"an empty list", "apiVersion: v1\nkind: List\nitems: []\n"},
		{"a misspelt kind", strings.ReplaceAll(load("a"), "DataLoad", "DataLaod")},
		{"a misspelt kind of an object with a namespace, and of one without a name", strings.ReplaceAll(load("a"), "DataLoad", "Databackup") + "  namespace: ns\n---\n" + strings.Replace(load("b"), "data.fluid.io", "fluid.io", 1) + "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataMigrat\n---\napiVersion: data.fluid.io/v1alpha1\nkind: DataMigrat\nmetadata: {name: [a], namespace: 1}\n---\napiVersion: data.fluid.io/v1alpha1\nkind: DataMigrat\nmetadata: a\n"},
		{"versions that are none", strings.Replace(load("a"), "v1alpha1", "v1alpah1", 1) + "---\n" + strings.Replace(load("b"), "v1alpha1", "latest", 1) + "---\n" + strings.Replace(load("c"), "/v1alpha1", "", 1) + "---\n" + strings.Replace(load("d"), "v1alpha1", "v1/x", 1) + "---\n" + strings.Replace(load("e"), "v1alpha1", "v0", 1) + "---\n" + strings.Replace(jsonLoad, "v1alpha1", "V1alpha1", 1)},
		{"versions of Kubernetes", strings.Replace(load("a"), "v1alpha1", "v1", 1) + "---\n" + strings.Replace(load("b"), "v1alpha1", "v2beta3", 1) + "---\n" + strings.Replace(load("c"), "v1alpha1", "v10alpha20", 1)},
		{"other kinds of the group", strings.ReplaceAll(load("a"), "DataLoad", "Dataset") + "---\n" + strings.ReplaceAll(load("a"), "DataLoad", "JuiceFSRuntime")},
		{"a similar kind of another group", strings.ReplaceAll(strings.ReplaceAll(load("a"), "DataLoad", "DataLoads"), "data.fluid.io", "example.com")},
		{"what New checks is passed through", strategy("policy: Must", "prefers:", "- weight: 1000")},

		{"other groups that were probably meant", strings.Replace(load("a"), "data.fluid.io/", "fluid.io/", 1) + "---\n" + strings.Replace(load("a"), "data.fluid.io/", "", 1) + "---\n" + strings.Replace(load("a"), "fluid.io/", "fluid.io.", 1) + "---\n" + strings.Replace(load("a"), "data.fluid", "date.flud", 1)},
		{"a wrong group in a List", list(load("a"), strings.Replace(load("b"), "data.fluid.io", "fluid.io", 1))},
		{"policies that Fluid has not", load("a", "policy: cron") + "---\n" + strings.Replace(load("a", "policy: Never"), "DataLoad", "DataProcess", 1)},
		{"policies that Fluid has", load("a", "policy: Once") + "---\n" + load("b", "policy: OnEvent") + "---\n" + load("c", "policy: Cron") + "---\n" + load("d", "policy: ''")},
		{"fewer pods than one", strings.Replace(load("a", "parallelism: 0"), "DataLoad", "DataMigrate", 1) + "---\n" + strings.Replace(load("a", "parallelism: null"), "DataLoad", "DataMigrate", 1)},
		{"tolerations that no pod can have", load("a", "tolerations:", "- {key: a, operator: Is, effect: NoSched}", "- {value: b}", "- {key: c, operator: Exists, value: d}", "- {key: e, operator: exists, tolerationSeconds: 1}", "- {key: f, value: y}")},
		{"tolerations that pods can have", load("a", "tolerations:", "- operator: Exists", "- {key: a}", "- {key: b, operator: Equal, value: c, effect: NoSchedule}", "- {key: d, operator: Gt, value: '3', effect: PreferNoSchedule}", "- {key: e, operator: Exists, effect: NoExecute, tolerationSeconds: 5}")},
		{"a toleration of a DataProcess", strings.Replace(load("a", "processor: {job: {podSpec: {tolerations: [{key: a, effect: No}]}}}"), "DataLoad", "DataProcess", 1)},
		{"what Fluid does not read, or may have learnt", after("  apiVersion: batch/v1") + "status:\n  phase: Completed\n"},
		{"names that are no text", load("123") + "---\n" + load("on") + "---\n" + load("1e3") + "---\n" + load("[a]") + "---\n" + load("b", "runAfter: {kind: yes, name: 1}")},
		{"a number, and a list of text", strategy("policy: Require", "requires: [zone]") + "---\n" + strategy("policy: Prefer", "prefers: [{name: zone, weight: '50'}]")},
		{"a misspelt kind in JSON", strings.ReplaceAll(strings.ReplaceAll(jsonLoad, "DataLoad", "DataLaod"), ", ", ",\n")},
		{"a template", load("{{ .Release.Name }}-load")},
		{"a template in a value that is quoted", load("'{{ .Release.Name }}'")},
		{"characters that start no token", load("@a") + "---\n" + load("a", "x: `b`")},
		{"a tab after a colon, and one in the indentation", load("a", "policy:\tOnce", "runAfter:", "\tkind: DataLoad")},

		{"a key twice", strategy("policy: Require", "requires:", "- name: zone", "requires:", "- name: disk")},
		{"a key twice in flow style", load("b", "runAfter: {kind: DataLoad, name: a, name: c}")},
		{"a key twice in JSON", strings.Replace(jsonLoad, `"kind"`, `"spec": {"nodeSelector": {"a": "1", "a": "2"}}, "kind"`, 1)},
		{"a key twice in a list, with an alias", list(load("a", "x: &x {a: 1}", "y: *x", "policy: Cron", "policy: Once"))},
		{"a key twice in a List in flow style, of one of its operations", "apiVersion: v1\nkind: List\nitems: [" + strings.Replace(jsonLoad, `"name": "a"`, `"name": "a", "name": "b"`, 1) + ", " + jsonLoad + ",\n" + jsonLoad + "]\n"},
		{"a key twice in another kind", "apiVersion: v1\nkind: Secret\na: 1\na: 2\n"},
		{"a merged mapping", load("a", "x: &x {gpu: 'yes'}", "nodeSelector:", "  <<: *x", "  disk: ssd")},
		{"a number and a word as keys, twice", load("a", "1: a", "1: b", "true: a", "true: b")},

		{"text with a key in it", load("a", "note: \"x: y", "    z: 'q'\"", "other: plain text", "  with more", "policy: Cron")},
		{"flow style over several lines", load("a", "x: {a: [1,", "  'it''s', \"q\\\"\"], # comment", "  b: c}", "runafter: x")},
		{"anchors and tags", load("a", "x: &anchor !!str", "  text", "runafter: &b x", "y: !tag [a]")},
		{"a complex key", load("a", "? a", ": b", "runafter: x")},
		{"values on dashes", load("a", "x:", "- - a: 1", "    b: 2", "  - c", "- - d", "runafter: x")},
		{"a list below its key", load("a", "runAfter:", "  kind: DataLoad", "  name: x", "  affinityStrategy:", "    policy: Require", "    requires:", "      - name: a", "      -", "        nam: b")},

		{"a tab", "kind: DataLoad\n\tmetadata: x\n"},
		{"truncated YAML", "kind: DataLoad\nmetadata:\n  name: [a,\n"},
		{"a mapping where none may be", "kind: DataLoad\nmetadata: a: b\n"},
		{"what the scanner and the parser find on the way", "kind: x\na: \"\\q\"\nb: c\n---\nkind: x\na: b\n - c\nd: e\nf: g\n---\nkind: x\na: [b\nc: d\ne: f\n"},
		{"a directive that matters", "%TAG !f! tag:yaml.org,2002:\n---\n" + load("!f!str a")},
		{"an escaped quote, and what is no key after it", load("a", "x: \"a\\\"", "runafter: no key\"", "runafter: x")},
		{"a List whose items stand twice", list(load("a")) + "items:\n- " + strings.ReplaceAll(load("b"), "\n", "\n  ")},
		{"an undefined tag", "kind: !x!y DataLoad\n"},
		{"an unknown alias", "kind: *nobody\n"},
		{"less indented than it began", "  kind: DataLoad\nmetadata: x\n"},
		{"binary", "\x7fELF\x00\xff\xfe"},
		{"control characters", "kind: \x01\n"},
		{"UTF-16", "\xff\xfek\x00i\x00"},
		{"another encoding", "# caf\xe9\n\nkind: DataLoad\n"},
		{"a line break of another kind before dashes", "kind: DataLoad\r---\rkind: DataLoad\n"},
		{"deep lists", strings.Repeat("[", 20000)},
		{"deep objects", strings.Repeat("{", 20000)},
		{"an alias bomb", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"},
		{"a large text that is repeated", "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a, ", 200) + "]\n"},
		{"null", "null\n---\n~\n"},
		{"a document that is indented", "  apiVersion: data.fluid.io/v1alpha1\n  kind: DataLoad\n  metadata: {name: a}\n"},
		{"two values in flow style", "{apiVersion: data.fluid.io/v1alpha1, kind: DataLoad, metadata: {name: a}}\n- {c: d}\n"},
		{"escapes in JSON", strings.ReplaceAll(jsonLoad, `"a"`, `"\u0061\"b"`)},
		{"a field twice in JSON", strings.Replace(jsonLoad, `"kind"`, `"spec": {"runAfter": {"kind": "DataLoad", "name": "a", "name": "b"}}, "kind"`, 1)},
		{"a key of a map twice", load("a", "nodeSelector:", "  a.b/c: x", "  a.b/c: y")},
		{"as many keys in flow style as are dropped", load("a", "x: {a: b}", "policy: Cron", "policy: Once")},
		{"an alias, and a key twice", load("a", "x: &x 1", "y: *x", "z: {c: d, c: e}")},
		{"colons of all kinds, and a key twice", load("a", "x: [\"a\":b]", "policy: Cron", "policy: Once") + "---\n" + load("b", "x: [ :b]", "policy: Cron", "policy: Once") + "---\n" + load("c", "x:\u2028  y", "policy: Cron", "policy: Once") + "---\n" + load("d", "x: a::b", "? y", "policy: Cron", "policy: Once") + "---\n:a: b\n" + load("e", "x: 10:30", "policy: Cron", "policy: Once")},
		{"an alias alone", "x: *x"},
		{"flow style that looks like quotes", load("a", "x: {a: b:'c}", "policy: Cron", "policy: Once")},
		{"no line feed at the end", strings.TrimSuffix(load("a", "policy: Cron", "policy: Once", "x:", "  y"), "\n")},
		{"an alias of a mapping at the end", load("a", "x: &x {a: b}", "nodeSelector: *x")},
		{"one bad object among good ones", load("a") + "---\nkind: [\n---\n" + load("c", "runafter: x") + "---\n" + load("d")},
		{"long names", load(strings.Repeat("x", 100), strings.Repeat("y", 100)+"runAfter: x", "affinity: "+strings.Repeat("z", 100))},
	} {
		m, err := manifest.Read("flow.yaml", strings.NewReader(c.text))
		checkFaulty(t, m, err)
		fmt.Fprintf(&got, "%s\n%s\n", c.what, summary(m, err))
	}
	golden.Compare(t, *update, "testdata/reading.golden", got.Bytes())
}

// Every fixture, and live objects, read as they are meant.
func TestFixturesReadWell(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := manifest.Read(filepath.Base(file), bytes.NewReader(text))
		fmt.Fprintf(&got, "%s\n%s\n", filepath.Base(file), summary(m, err))
	}
	golden.Compare(t, *update, "testdata/fixtures.golden", got.Bytes())
}

// A manifest says the same in YAML and in JSON, and with its documents in a List.
func TestYAMLAndJSONReadEqual(t *testing.T) {
	documents := manyOperations(20)
	stream := strings.Join(documents, "---\n")
	var asJSON strings.Builder
	for _, d := range documents {
		text, err := utilyaml.ToJSON([]byte(d))
		if err != nil {
			t.Fatal(err)
		}
		asJSON.Write(text)
	}
	want := operations(t, stream)
	if len(want) != 20 {
		t.Fatalf("%d operations", len(want))
	}
	for name, text := range map[string]string{"JSON": asJSON.String(), "a List": asList(documents), "DOS": strings.ReplaceAll(stream, "\n", "\r\n")} {
		if diff := cmp.Diff(want, operations(t, text)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func operations(t *testing.T, text string) []dataflow.Operation {
	t.Helper()
	m, err := manifest.Read("x", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var ops []dataflow.Operation
	for _, op := range m.Operations {
		ops = append(ops, op.Operation)
	}
	return ops
}

func TestPlaceOf(t *testing.T) {
	yaml := `# a comment
apiVersion: v1
kind: List
items:
- apiVersion: data.fluid.io/v1alpha1
  kind: DataLoad
  metadata:
    name: a
- apiVersion: data.fluid.io/v1alpha1
  kind: DataLoad
  metadata:
    annotations:
      affinity.dataflow.fluid.io/labels: gpu
    name: b
  spec:
    runAfter:
      kind: DataLoad
      # another
      name: a
      affinityStrategy:
        policy: Require
        requires:
        - name: x
        - name: y
        prefers: [{name: z, weight: 1}]
`
	json := `{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad",
 "metadata": {"annotations": {
   "affinity.dataflow.fluid.io/labels": "gpu"}, "name": "b"},
 "spec": {"runAfter": {"kind": "DataLoad", "name": "a",
   "affinityStrategy": {
     "requires": [{"name": "x"},
       {"name": "y"}]}}}}`
	for _, c := range []struct {
		text, path string
		want       int
	}{
		{yaml, "", 9},
		{yaml, "spec", 15},
		{yaml, "spec.runAfter.name", 19},
		{yaml, "spec.runAfter.affinityStrategy.policy", 21},
		{yaml, "spec.runAfter.affinityStrategy.requires[1].name", 24},
		{yaml, "spec.runAfter.affinityStrategy.requires[2].name", 22},
		{yaml, "spec.runAfter.affinityStrategy.prefers[0].weight", 25},
		{yaml, "spec.runAfter.affinityStrategy.dependOn.name", 20},
		{yaml, "metadata.annotations[affinity.dataflow.fluid.io/labels]", 13},
		{yaml, "status.phase", 9},
		{json, "", 1},
		{json, "metadata.annotations[affinity.dataflow.fluid.io/labels]", 3},
		{json, "spec.runAfter.affinityStrategy.requires[1].name", 7},
		{json, "spec.runAfter.affinityStrategy.requires[1].name.x", 7},
		{json, "spec.runAfter.affinityStrategy.requires[7]", 6},
		{json, "spec.nodeSelector[a]", 4},
		{`{"apiVersion": "v1", "kind": "List", "items": [` + "\n" + json + "]}", "spec.runAfter.affinityStrategy.requires[1].name", 8},
		{strings.ReplaceAll(yaml, "kind: List\n", "") + "kind: List\n", "status.phase", 8},
		{"x: 1\n---\n" + strings.ReplaceAll(load("b"), "\n", " #\n"), "metadata.name", 6},
		{"{apiVersion: data.fluid.io/v1alpha1, kind: DataLoad,\n metadata: {name: b}}", "metadata.name", 1},
	} {
		m, _ := manifest.Read("f.yaml", strings.NewReader(c.text))
		op := m.Operations[len(m.Operations)-1]
		if got := op.PlaceOf(c.path); got.Line != c.want || got.File != "f.yaml" || got.Document != op.Place.Document {
			t.Errorf("%s stands at %s, want line %d of\n%s", c.path, got, c.want, c.text)
		}
	}
}

func TestLargeObjectsAreNotSearched(t *testing.T) {
	m, err := manifest.Read("f.yaml", strings.NewReader(load("a", "x: "+strings.Repeat("y", 3<<20), "policy: Cron")))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Operations[0].PlaceOf("spec.policy"); got.Line != 1 {
		t.Errorf("spec.policy stands at %s", got)
	}
}

func TestDeepJSONIsRejected(t *testing.T) {
	m, err := manifest.Read("f.yaml", strings.NewReader(strings.Repeat(`{"a":`, 20000)))
	if len(m.Operations) > 0 || err == nil || !strings.Contains(err.Error(), "exceeded max depth") {
		t.Errorf("Read = %v, %v", m, err)
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
	}{
		{"a large document", load("a", "x: "+strings.Repeat("y", manifest.MaxSize)) + "---\n" + load("b"), "f.yaml:1 (document 1): larger than 32 MiB; split it into documents, with --- between them"},
		{"a large document of many lines", load("a") + strings.Repeat("# "+strings.Repeat("y", 1000)+"\n", manifest.MaxSize/1000) + "---\n" + load("b"), "f.yaml:1 (document 1): larger than 32 MiB; split it into documents, with --- between them"},
		{"many elements", "kind: x\na: [" + strings.Repeat("1,", manifest.MaxElements) + "1]\n---\n" + load("b"), "f.yaml:1 (document 1): more than 1048576 lines and elements in one document; split it, or write it as JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := manifest.Read("f.yaml", strings.NewReader(c.text))
			var fault *manifest.DocumentError
			if !errors.As(err, &fault) || err.Error() != c.want || errors.Unwrap(fault).Error() == "" {
				t.Errorf("%v, want %s", err, c.want)
			}
			if len(m.Operations) != 1 || m.Operations[0].Name != "b" {
				t.Errorf("the rest is %v", m.Operations)
			}
		})
	}
}

func TestReadErrorsOfTheStreamComeLast(t *testing.T) {
	broken := errors.New("broken pipe")
	m, err := manifest.Read("f.yaml", io.MultiReader(strings.NewReader(load("a", "runafter: x")+"---\n"+load("b")), iotest.ErrReader(broken)))
	if len(m.Operations) != 1 || !errors.Is(err, broken) {
		t.Errorf("%d operations, %v", len(m.Operations), err)
	}
	all := parts(err)
	if last := all[len(all)-1]; len(all) != 2 || last.Error() != "f.yaml: broken pipe" {
		t.Errorf("%q", all)
	}
}

func TestFieldErrorsAreTyped(t *testing.T) {
	_, err := manifest.Read("f.yaml", strings.NewReader(load("a", "runafter: x", "nodeSelector: 1")))
	var faults []string
	for _, err := range parts(err) {
		var fault *manifest.FieldError
		var cause *field.Error
		if !errors.As(err, &fault) || !errors.As(err, &cause) {
			t.Fatalf("%T: %v", err, err)
		}
		faults = append(faults, fmt.Sprint(fault.Operation.Name, " ", cause.Field, " ", cause.Type, " ", fault.Unknown()))
	}
	want := []string{"a spec.runafter Forbidden true", "a spec.nodeSelector Invalid value false"}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Error(diff)
	}
}

// A value of a wrong type is told what is accepted, and what to do if that is plain.
func TestWrongTypesSayWhatIsAccepted(t *testing.T) {
	strategy := func(line string) string {
		return load("b", "runAfter:", "  kind: DataLoad", "  name: a", "  affinityStrategy:", "    "+line)
	}
	for text, want := range map[string]string{
		strategy("requires: {name: zone}"):              "must be a list of objects with name",
		strategy("requires: zone"):                      "must be a list of objects with name",
		strategy("requires: [example.com/rack]"):        "must be an object with name; write name: example.com/rack",
		strategy("prefers: [zone]"):                     "must be an object with name, weight; write name: zone",
		strategy("requires: [not a key]"):               "must be an object with name",
		strategy("requires: ['']"):                      "must be an object with name",
		strategy("requires: [[zone]]"):                  "must be an object with name",
		strategy("requires: [1]"):                       "must be an object with name",
		strategy("dependOn: load"):                      "must be an object with kind, name, namespace, apiVersion",
		strategy("prefers: [{name: a, weight: '50'}]"):  "must be a whole number of 32 bits; remove the quotes",
		strategy("prefers: [{name: a, weight: 5 0}]"):   "must be a whole number of 32 bits",
		strategy("prefers: [{name: a, weight: '5e9'}]"): "must be a whole number of 32 bits",
		strategy("prefers: [{name: a, weight: 50.5}]"):  "must be a whole number of 32 bits",
		strategy("prefers: [{name: a, weight: [50]}]"):  "must be a whole number of 32 bits",
		load("a", "runAfter: b"):                        "must be an object with kind, name, namespace, apiVersion, affinityStrategy",
		load("a", "affinity: [b]"):                      "must be an object with nodeAffinity, podAffinity, podAntiAffinity",
		load("a", "nodeSelector: b"):                    "must be an object",
		load("a", "nodeSelector: {b: [c]}"):             "must be a string",
		load("a", "nodeSelector: {b: 1}"):               "must be a string; quote it",
		load("a", "tolerations: b"):                     "must be a list of objects with key, operator, value, effect, tolerationSeconds",
		load("a", "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: b}]}]}}}"): "must be a list",
		load("a") + "spec: x\n":                                                      "must be an object",
		load("a") + "status: x\n":                                                    "must be an object",
		strings.Replace(jsonLoad, `{"name": "a"}`, `a`, 1):                           "must be an object",
		strings.Replace(load("a", "parallelism: '2'"), "DataLoad", "DataMigrate", 1): "must be a whole number of 32 bits; remove the quotes",
	} {
		text = strings.ReplaceAll(text, `"metadata": a`, `"metadata": "a"`)
		_, err := manifest.Read("f.yaml", strings.NewReader(text))
		var fault *manifest.FieldError
		if !errors.As(err, &fault) || fault.Fault.Detail != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestThousandsOfErrorsAreCounted(t *testing.T) {
	one := strings.Repeat("---\nmetadata: {}\n", 1500)
	_, err := manifest.Read("f.yaml", strings.NewReader(one))
	all := parts(err)
	var unlisted *manifest.UnlistedError
	if len(all) != 1001 || !errors.As(all[1000], &unlisted) || unlisted.Count != 500 {
		t.Errorf("%d errors, the last %v", len(all), all[len(all)-1])
	}
	fields := make([]string, 0, 1500)
	for i := range 1500 {
		fields = append(fields, fmt.Sprintf("  x%d: 1", i))
	}
	_, err = manifest.Read("f.yaml", strings.NewReader(load("a", append([]string{"runAfter:", "  kind: DataLoad", "  name: a"}, fields...)...)))
	if all = parts(err); len(all) != 1001 || !strings.Contains(all[1000].Error(), "500") {
		t.Errorf("%d errors, the last %v", len(all), all[len(all)-1])
	}
}

// checkFaulty makes sure that an operation is marked as faulty if one of its fields is, and,
// if all faults are listed, that no other is.
func checkFaulty(t *testing.T, m *manifest.Manifests, err error) {
	t.Helper()
	type object struct {
		document int
		dataflow.Ref
	}
	faulty := map[object]bool{}
	listed := true
	for _, err := range parts(err) {
		var fault *manifest.FieldError
		mistaken := errors.As(err, &fault) && fault.Fault.Field == "apiVersion" && fault.Fault.Type == field.ErrorTypeNotSupported
		if fault != nil && !mistaken { // else it is of an object that is no operation
			faulty[object{fault.Place.Document, fault.Operation}] = true
		}
		listed = listed && !errors.As(err, new(*manifest.UnlistedError))
	}
	sound := map[manifest.Place]bool{} // what starts there, in flow style several operations
	for _, op := range m.Operations {
		sound[op.Place] = true
	}
	for _, op := range m.Operations {
		if faulty[object{op.Place.Document, op.Ref}] {
			sound[op.Place] = false
		}
	}
	for _, op := range m.Operations {
		if !op.Faulty && !sound[op.Place] && !slices.ContainsFunc(m.Operations, func(other manifest.Operation) bool {
			return other.Place.Document == op.Place.Document && other.Ref == op.Ref && other.Faulty
		}) {
			t.Errorf("%s at %s has a fault, and is not marked as faulty: %v", op.Ref, op.Place, err)
		}
		if op.Faulty && sound[op.Place] && listed {
			t.Errorf("%s at %s is marked as faulty without a fault: %v", op.Ref, op.Place, err)
		}
	}
}

// A fault that is not listed, because there are too many, marks its operation too.
func TestAMisreadOperationIsFaultyHoweverManyAre(t *testing.T) {
	for what, fault := range map[string]string{
		"an unknown field":           load("x", "runafter: x"),
		"a key twice":                load("x", "policy: Cron", "policy: Once"),
		"a key twice, in flow style": load("x", "runAfter: {kind: DataLoad, name: a, name: b}"),
	} {
		const n = 1200
		documents := slices.Repeat([]string{fault, load("sound")}, n)
		for _, text := range []string{strings.Join(documents, "---\n"), asList(documents)} {
			m, err := manifest.Read("f.yaml", strings.NewReader(text))
			if all := parts(err); len(all) != 1001 || len(m.Operations) != 2*n {
				t.Fatalf("%s: %d errors, %d operations", what, len(all), len(m.Operations))
			}
			for _, op := range m.Operations {
				if op.Faulty != (op.Name == "x") {
					t.Fatalf("%s: %s at %s is faulty: %v", what, op.Ref, op.Place, op.Faulty)
				}
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, seed := range []string{
		"", "---\n", "{", "[[[[", "\ufeff{}", jsonLoad, jsonLoad + jsonLoad, "kind: [\n", "\t", "a: &a [*a]\n", load("a", "runafter: x"),
		load("a", "runAfter: {kind: DataLoad, name: b, name: c}"), "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(load("a"), "\n", "\n  "),
		`{"kind":"List","items":[` + jsonLoad + `]}`, "%YAML 1.1\n---\na: |\n  b\n...\n", "? a\n: b\n", "\"a\": 'b'\n", "x: !!str y # z\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := manifest.Read("f", bytes.NewReader(text))
		again, errAgain := manifest.Read("f", bytes.NewReader(text))
		if summary(m, err) != summary(again, errAgain) {
			t.Errorf("read twice:\n%s\n%s", summary(m, err), summary(again, errAgain))
		}
		checkFaulty(t, m, err)
		lines := bytes.Count(text, []byte("\n")) + 1
		for _, op := range m.Operations {
			for _, path := range []string{"", "metadata.name", "spec.runAfter.affinityStrategy.requires[0].name"} {
				if place := op.PlaceOf(path); place.Line < 1 || place.Line > lines || place.Document < 1 {
					t.Errorf("%s of %s stands at %s of %d lines", path, op.Ref, place, lines)
				}
			}
		}
	})
}

func ExampleRead() {
	manifests, err := manifest.Read("flow.yaml", strings.NewReader(`
apiVersion: data.fluid.io/v1alpha1
kind: DataLoad
metadata:
  name: warm-up
spec:
  runAfter:
    kind: DataLoad
    name: download
    affinityStrategy:
      policy: Require
      require:
      - name: topology.kubernetes.io/zone
---
apiVersion: data.fluid.io/v1alpha1
kind: DataLoad
metadata:
  name: train
spec:
  runAfter:
    kind: DataLoad
    name: warm-up
`))
	if err != nil {
		fmt.Println(err)
	}
	for _, op := range manifests.Operations {
		if op.Faulty {
			fmt.Println(op.Ref, "must not run: it may have been meant otherwise")
			continue
		}
		predecessor, _ := op.Predecessor()
		fmt.Println(op.Ref, "runs after", predecessor)
	}
	// Output:
	// flow.yaml:12 (document 1): DataLoad default/warm-up: spec.runAfter.affinityStrategy.require: Forbidden: no such field; must be one of policy, dependOn, requires, prefers; typo of "requires"?
	// DataLoad default/warm-up must not run: it may have been meant otherwise
	// DataLoad default/train runs after DataLoad default/warm-up
}

// However large or faulty they are, and whatever they are written in, documents are read in
// their order.
func TestDocumentsAreReadInOrder(t *testing.T) {
	var stream strings.Builder
	var want []string
	line := 1
	for i := range 400 {
		name := fmt.Sprint("op-", i)
		text := fmt.Sprintf("apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata:\n  name: %s\n", name)
		read := fmt.Sprintf("DataLoad default/%s, document %d, line %d", name, i+1, line)
		switch i % 7 {
		case 1:
			text = fmt.Sprintf(`{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": {"name": %q}}`+"\n", name)
		case 2:
			text += "  annotations:\n    more: " + strings.Repeat("x", 70_000) + "\n"
		case 3:
			text, read = text+"\ttab: 1\n", fmt.Sprintf("error in document %d, line %d", i+1, line+4)
		case 4:
			text += "spec:\n  dataset: &d {name: d}\n  options: " + strings.Repeat("*d ", 1) + "\n"
		case 5:
			text, read = "- a\n", fmt.Sprintf("error in document %d, line %d", i+1, line)
		}
		want = append(want, read)
		stream.WriteString(text + "---\n")
		line += strings.Count(text, "\n") + 1
	}
	m, err := manifest.Read("f", strings.NewReader(stream.String()))
	got := make([]string, len(want))
	for _, op := range m.Operations {
		got[op.Place.Document-1] += fmt.Sprintf("%s, document %d, line %d", op.Ref, op.Place.Document, op.Place.Line)
	}
	last := 0
	for _, err := range parts(err) {
		var fault *manifest.DocumentError
		if errors.As(err, &fault) {
			got[fault.Place.Document-1] += fmt.Sprintf("error in document %d, line %d", fault.Place.Document, fault.Place.Line)
			if fault.Place.Document <= last {
				t.Errorf("document %d after %d", fault.Place.Document, last)
			}
			last = fault.Place.Document
		}
	}
	if diff := cmp.Diff(want[:100], got[:100]); diff != "" { // so many faults are listed at most
		t.Error(diff)
	}
	if !slices.IsSortedFunc(m.Operations, func(a, b manifest.Operation) int { return a.Place.Document - b.Place.Document }) {
		t.Error("not in order")
	}
	// What cannot be read further hides nothing of what could.
	broken := io.MultiReader(strings.NewReader(stream.String()), iotest.ErrReader(errors.New("broken")))
	again, _ := manifest.Read("f", broken)
	if len(again.Operations) != len(m.Operations) {
		t.Errorf("%d operations, and %d before what is broken", len(m.Operations), len(again.Operations))
	}
}
