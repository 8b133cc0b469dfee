package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// plan runs the program as a shell would.
func plan(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &err, terminals{})
	return status, out.String(), err.String()
}

func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		args   []string
	}{
		{"demo1", unsound, []string{"-f", "testdata/fixtures/demo1-location.yaml"}}, // an API server rejects loadA
		{"demo2", unsound, []string{"-f", "testdata/fixtures/demo2-custom-label.yaml"}},
		{"demo3", sound, []string{"-f", "testdata/fixtures/demo3-depend-on.yaml"}},
		{"stranding", sound, []string{"-f", "testdata/fixtures/stranding.yaml"}},
		{"ran", unsound, []string{"-f", "testdata/fixtures/demo2-custom-label.yaml", "--nodes", "testdata/fixtures/nodes.yaml", "--ran", "DataLoad/default/loadA=gpu-b1"}},
		{"mistakes", unsound, []string{"-f", "testdata/mistakes.yaml"}},
		{"namespaces", sound, []string{"-f", "testdata/namespaces.yaml"}},
		{"live", unsound, []string{"-f", "testdata/live.yaml"}},
	} {
		for _, format := range []string{"table", "json", "yaml", "mermaid"} {
			t.Run(c.name+" as "+format, func(t *testing.T) {
				args := append(c.args, "-o", format)
				status, stdout, stderr := plan("", args...)
				if status != c.status || stderr != "" {
					t.Errorf("status %d, want %d; standard error %q", status, c.status, stderr)
				}
				golden.Compare(t, *update, "testdata/"+c.name+"."+format+".golden", []byte(stdout))
				if _, again, _ := plan("", args...); again != stdout {
					t.Error("another output the second time")
				}
			})
		}
	}
}

func TestEveryCodeIsReportedWithItsPlace(t *testing.T) {
	_, stdout, _ := plan("", "-f", "testdata/mistakes.yaml", "-o", "json")
	var r struct {
		Problems []struct {
			Code   dataflow.Code
			Places []struct {
				File string
				Line int
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	missing := map[dataflow.Code]bool{}
	for _, code := range []dataflow.Code{
		dataflow.UnknownPredecessor, dataflow.NotAnAncestor, dataflow.NotExposed, dataflow.DistributedSource, dataflow.DistributedTarget,
		dataflow.RecurringSource, dataflow.IgnoredList, dataflow.NoPolicy, dataflow.Contradiction, dataflow.InvalidName, dataflow.Invalid,
		dataflow.Cycle, dataflow.Duplicate, dataflow.UnknownField,
	} {
		missing[code] = true
	}
	for _, p := range r.Problems {
		delete(missing, p.Code)
		if len(p.Places) == 0 || p.Places[0].Line < 2 || p.Code == dataflow.Duplicate && len(p.Places) != 2 {
			t.Errorf("%s stands at %v", p.Code, p.Places)
		}
	}
	if len(missing) > 0 {
		t.Errorf("not reported: %v", missing)
	}
}

// The object that others read: its fields are what they are.
func TestJSONHasTheDocumentedShape(t *testing.T) {
	_, stdout, _ := plan("", "-f", "testdata/live.yaml", "-o", "json")
	var r map[string]any
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"operations", "problems", "skipped"} {
		if _, ok := r[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	for _, value := range r["operations"].([]any) {
		op := value.(map[string]any)
		for _, key := range []string{"kind", "namespace", "name", "runAfter", "source", "policy", "keys", "exposes", "state", "on", "conflict"} {
			if _, ok := op[key]; !ok {
				t.Errorf("%v has no %s", op["name"], key)
			}
		}
		_, affinity := op["affinity"]
		_, missing := op["missing"]
		if ready := op["state"] == "Ready"; affinity != ready || missing != ready {
			t.Errorf("%v is %v and has an affinity: %v, what is missing: %v", op["name"], op["state"], affinity, missing)
		}
	}
	for _, value := range r["problems"].([]any) {
		for _, key := range []string{"code", "severity", "operation", "field", "message"} {
			if _, ok := value.(map[string]any)[key]; !ok {
				t.Errorf("a problem has no %s", key)
			}
		}
	}
}

func TestWhatCannotBeUsedIsSaid(t *testing.T) {
	write := func(name, content string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	const flow = "testdata/fixtures/stranding.yaml"
	for _, c := range []struct {
		name string
		want string // in standard error
		args []string
	}{
		{"no file", "nothing to read", nil},
		{"an argument", `unexpected argument "flow.yaml": name files with -f`, []string{"flow.yaml"}},
		{"an unknown flag", "flag provided but not defined: -x", []string{"-x"}},
		{"an unknown output", `-o jsn: must be table, json, yaml or mermaid; typo of "json"?`, []string{"-f", flow, "-o", "jsn"}},
		{"a missing file", "no-such.yaml", []string{"-f", "no-such.yaml"}},
		{"a directory without manifests", "no .yaml, .yml or .json file in this directory", []string{"-f", "testdata/empty-dir"}},
		{"an empty file", "holds no object", []string{"-f", write("empty.yaml", "# nothing\n---\n")}},
		{"truncated YAML", "cut.yaml:", []string{"-f", write("cut.yaml", "kind: DataLoad\nmetadata: {name: [\n")}},
		{"tabs", "tabs.yaml:2", []string{"-f", write("tabs.yaml", "kind: DataLoad\n\tmetadata: x\n")}},
		{"an alias bomb", "aliases", []string{"-f", write("bomb.yaml", bomb)}},
		{"binary", "binary.yaml:1", []string{"-f", write("binary.yaml", "\x7fELF\x02\x01\x00\xff")}},
		{"an object without a kind", "kind", []string{"-f", write("kindless.yaml", "a: 1\n")}},
		{"--ran without a node", "must be Kind/namespace/name=node", []string{"-f", flow, "--ran", "DataLoad/default/download"}},
		{"--ran of an unknown operation", "no DataLoad default/downlod in the input; typo of \"DataLoad default/download\"?", []string{"-f", flow, "--ran", "DataLoad/default/downlod=n"}},
		{"--ran without nodes", "no nodes are known", []string{"-f", flow, "--ran", "DataLoad/default/download=gpu-a1"}},
		{"--ran on an unknown node", `no node gpu-a9; typo of "gpu-a1"?`, []string{"-f", flow, "--nodes", "testdata/fixtures/nodes.yaml", "--ran", "DataLoad/default/download=gpu-a9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, _, stderr := plan("", c.args...)
			if status != unusable || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d, standard error %q; want 2 and %q", status, stderr, c.want)
			}
		})
	}
}

// What cannot be read does not hide the rest.
func TestUnreadableInputIsReportedBesideTheRest(t *testing.T) {
	status, stdout, stderr := plan("kind: [\n", "-f", "-", "-f", "testdata/fixtures/stranding.yaml")
	if status != unusable || !strings.Contains(stderr, "standard input:") || !strings.Contains(stdout, "2 operations in 1 flow") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
}

func TestADirectoryAndStandardInput(t *testing.T) {
	text, err := os.ReadFile("testdata/namespaces.yaml")
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := plan(string(text), "-f", "testdata/fixtures", "-f", "-")
	if status != unsound || stderr != "" || !strings.Contains(stdout, "in 5 flows") && !strings.Contains(stdout, "in 4 flows") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestHelp(t *testing.T) {
	status, _, stderr := plan("", "-h")
	if status != sound || !strings.Contains(stderr, "Exit status") || !strings.Contains(stderr, "kubectl get") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

func TestTerminals(t *testing.T) {
	var out, err bytes.Buffer
	args := []string{"-f", "testdata/mistakes.yaml"}
	for i := range 25 {
		_ = i
		args = append(args, "-f", "testdata/namespaces.yaml")
	}
	run(args, nil, &out, &err, terminals{out: true, err: true})
	if !strings.Contains(out.String(), "\x1b[31mError\x1b[0m") || !strings.Contains(out.String(), "\x1b[33mWarning\x1b[0m") {
		t.Error("a terminal gets no colour")
	}
	if !strings.Contains(err.String(), "\rreading 26 of 26 files\n") {
		t.Errorf("a terminal sees no progress: %q", err.String())
	}
}

// A name can be anything; a terminal must not obey it.
func TestControlCharactersAreWrittenOut(t *testing.T) {
	manifest := `{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": {"name": "a\u001b[2J\nb"}}`
	_, stdout, _ := plan(manifest, "-f", "-")
	if strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, `a\x1b[2J\nb`) {
		t.Errorf("%q", stdout)
	}
}

func TestALongCycleIsShortenedInTheTableOnly(t *testing.T) {
	var manifests strings.Builder
	const n = 5000
	for i := range n {
		fmt.Fprintf(&manifests, `{"apiVersion":"data.fluid.io/v1alpha1","kind":"DataLoad","metadata":{"name":"op-%d"},"spec":{"runAfter":{"kind":"DataLoad","name":"op-%d"}}}`+"\n", i, (i+1)%n)
	}
	status, table, _ := plan(manifests.String(), "-f", "-")
	if _, message, _ := strings.Cut(table, "Error Cycle"); status != unsound || len(message) > 2000 {
		t.Errorf("status %d, %d bytes about a cycle", status, len(message))
	}
	if _, whole, _ := plan(manifests.String(), "-f", "-", "-o", "json"); !strings.Contains(whole, "op-2500 → DataLoad default/op-2501") {
		t.Error("JSON has not the whole cycle")
	}
}
