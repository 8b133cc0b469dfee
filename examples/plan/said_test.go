package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// write writes files into a directory, and returns that.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// object returns a document of the given kind.
func object(kind, metadata, spec, status string) string {
	return "apiVersion: data.fluid.io/v1alpha1\nkind: " + kind + "\nmetadata: " + metadata + "\nspec: " + spec + "\nstatus: " + status + "\n---\n"
}

const (
	eightCPUs  = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {kubernetes.io/hostname: n1}}\nstatus: {allocatable: {cpu: 8, pods: 10}}\n---\n"
	requesting = "{resources: {requests: {cpu: 6}, limits: {cpu: 6}}}"
)

// What a report must and must not say.
func TestWhatIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		input   string
		pods    string
		args    string
		status  int
		says    []string
		saysNot []string
	}{
		"a pod of the operation itself": {
			input: object("DataLoad", "{name: train}", requesting, "{phase: Executing}") + eightCPUs,
			pods:  "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default, labels: {release: train-loader}}\nspec: {nodeName: n1, containers: [{name: a, resources: {requests: {cpu: 6}}}]}\nstatus: {phase: Running}\n",
			args:  "--nodes DIR/in.yaml --pods DIR/pods.yaml", says: []string{"0 errors", "train            ran"}, saysNot: []string{"cannot complete", "room", "not used"},
		},
		"a pod of another operation": {
			input: object("DataLoad", "{name: train}", requesting, "{phase: Executing}") + eightCPUs,
			pods:  "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default, labels: {release: other-loader}}\nspec: {nodeName: n1, containers: [{name: a, resources: {requests: {cpu: 6}}}]}\nstatus: {phase: Running}\n",
			args:  "--nodes DIR/in.yaml --pods DIR/pods.yaml", says: []string{"cannot complete"},
		},
		"a pod of a runtime with the name of a DataBackup": {
			input: object("DataBackup", "{name: hbase}", "{}", "{phase: Executing}") + eightCPUs,
			pods:  "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: default, labels: {release: hbase}}\nspec: {nodeName: n1, containers: []}\nstatus: {phase: Running}\n",
			args:  "--nodes DIR/in.yaml --pods DIR/pods.yaml --host slipstream", says: []string{"hbase            yes"},
		},
		"the nodes of a file that holds operations too": {
			input: object("DataLoad", "{name: a}", "{}", "{}") + eightCPUs, args: "--nodes DIR/./in.yaml", says: []string{"0 errors", "can complete"}, saysNot: []string{"Duplicate"},
		},
		"a name that was misread": {
			input:  object("DataLoad", "{name: 123}", "{}", "{}") + object("DataLoad", "{name: b}", `{runAfter: {kind: DataLoad, name: "123"}}`, "{}"),
			status: unsound, says: []string{"quote it"}, saysNot: []string{"UnknownPredecessor"},
		},
		"a name under a misspelt key": {
			input:  object("DataLoad", "{nmae: a}", "{}", "{}") + object("DataLoad", "{name: b}", "{runAfter: {kind: DataLoad, name: a}}", "{}"),
			status: unsound, says: []string{"UnknownField"}, saysNot: []string{"UnknownPredecessor"},
		},
		"another misspelt key": {
			input:  object("DataLoad", "{name: a, lables: {}}", "{}", "{}") + object("DataLoad", "{name: b}", "{runAfter: {kind: DataLoad, name: c}}", "{}"),
			status: unsound, says: []string{"UnknownPredecessor"},
		},
		"a template": {
			input:  object("DataLoad", "{name: {{ .Values.name }} }", "{}", "{}") + object("DataLoad", "{name: b}", "{runAfter: {kind: DataLoad, name: a}}", "{}"),
			status: unusable, says: []string{"Unreadable", "render it first"}, saysNot: []string{"UnknownPredecessor", "Error Duplicate"},
		},
		"a value that was misread": {
			input: object("DataLoad", "{name: a}", "{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: gen, operator: In, values: [4]}]}]}}}}", "{}") +
				object("DataLoad", "{name: b}", "{nodeSelector: {gen: '4'}, runAfter: {kind: DataLoad, name: a, affinityStrategy: {policy: Require}}}", "{}"),
			status: unsound, says: []string{"quote it"}, saysNot: []string{"Contradiction"},
		},
		"an operation that no longer waits": {
			input: object("DataLoad", "{name: b}", "{runAfter: {kind: DataMigrate, name: gone}}", "{phase: Pending, waitingFor: {operationComplete: false}}"), says: []string{"0 errors"},
		},
		"one that no longer waits, but inherits": {
			input:  object("DataLoad", "{name: b}", "{runAfter: {kind: DataMigrate, name: gone, affinityStrategy: {policy: Require}}}", "{phase: Pending, waitingFor: {operationComplete: false}}"),
			status: unsound, says: []string{"UnknownPredecessor"},
		},
		"one that waits": {
			input:  object("DataLoad", "{name: b}", "{runAfter: {kind: DataMigrate, name: gone}}", "{phase: Pending, waitingFor: {operationComplete: true}}"),
			status: unsound, says: []string{"UnknownPredecessor"},
		},
		"a field that an API server rejects": {
			input:  object("DataLoad", "{name: a}", "{tolerations: [{key: x, operator: Nope}]}", "{}") + object("DataLoad", "{name: b}", "{runAfter: {kind: DataLoad, name: a}}", "{}"),
			status: unsound, says: []string{"a          DataLoad  -           -         unresolved", "b          DataLoad  a           -         unresolved"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"in.yaml": test.input, "pods.yaml": test.pods})
			status, stdout, stderr := plan("", append([]string{dir + "/in.yaml"}, strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))...)...)
			if status != test.status || stderr != "" {
				t.Errorf("status %d, want %d; %s", status, test.status, stderr)
			}
			for _, text := range test.says {
				if !strings.Contains(stdout, text) {
					t.Errorf("no %q in\n%s", text, stdout)
				}
			}
			for _, text := range test.saysNot {
				if strings.Contains(stdout, text) {
					t.Errorf("%q in\n%s", text, stdout)
				}
			}
		})
	}
}

// A policy that is no word reaches no terminal.
func TestPoliciesAreHarmless(t *testing.T) {
	dir := write(t, map[string]string{"in.yaml": object("DataLoad", "{name: a}", "{}", "{}") +
		object("DataLoad", "{name: b}", `{runAfter: {kind: DataLoad, name: a, affinityStrategy: {policy: "R\e[31m\u202e"}}}`, "{}")})
	for _, format := range formats() {
		_, stdout, _ := plan("", dir+"/in.yaml", "-o", format)
		if i := strings.IndexFunc(stdout, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: %q", format, stdout[i:min(i+20, len(stdout))])
		}
	}
}
