package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/internal/yaml"
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
		{"foreseen", sound, []string{"-f", "testdata/fixtures/stranding.yaml", "--nodes", "testdata/fixtures/nodes.yaml"}},
		{"stranded", unsound, []string{"-f", "testdata/fixtures/stranding.yaml", "--nodes", "testdata/fixtures/nodes.yaml", "--ran", "DataLoad/default/download=cpu-a1"}},
		{"foreseen-mistakes", unsound, []string{"-f", "testdata/mistakes.yaml", "--nodes", "testdata/fixtures/nodes.yaml"}},
		{"foreseen-live", unsound, []string{"-f", "testdata/live.yaml", "--nodes", "testdata/fixtures/nodes.yaml"}},
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

// Every code of the library is met in one of these, with its place.
func TestEveryCodeIsReportedWithItsPlace(t *testing.T) {
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	_, table, _ := strings.Cut(string(page), "<!-- codes:")
	table, _, _ = strings.Cut(table, "<!-- end of codes -->")
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		missing[row[1]] = true
	}
	if len(missing) == 0 {
		t.Fatal("CONTRIBUTING.md lists no codes")
	}
	const fixtures = "testdata/fixtures/"
	for _, args := range [][]string{
		{"-f", "testdata/mistakes.yaml"},
		{"-f", "testdata/mistakes.yaml", "--nodes", fixtures + "nodes.yaml"},
		{"-f", fixtures + "stranding.yaml", "--nodes", fixtures + "nodes.yaml"},
		{"-f", fixtures + "stranding.yaml", "--nodes", fixtures + "nodes.yaml", "--ran", "DataLoad/default/download=cpu-a1"},
	} {
		_, stdout, _ := plan("", append(args, "-o", "json")...)
		var r struct {
			Problems []struct {
				Code   string
				Places []struct {
					File string
					Line int
				}
			}
		}
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			delete(missing, p.Code)
			if len(p.Places) == 0 || p.Places[0].Line < 2 || p.Code == "Duplicate" && len(p.Places) != 2 {
				t.Errorf("%v: %s stands at %v", args, p.Code, p.Places)
			}
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
		{"only other objects", "no DataLoad, DataMigrate, DataProcess or DataBackup in the input", []string{"-f", "testdata/fixtures/nodes.yaml"}},
		{"no node", "other.yaml: no Node in there", []string{"-f", flow, "--nodes", write("other.yaml", "apiVersion: v1\nkind: Pod\n")}},
		{"nodes without a name", "nodes[0].metadata.name: Required value", []string{"-f", flow, "--nodes", write("nodes.yaml", "apiVersion: v1\nkind: Node\n")}},
		{"--ran twice", "it ran on gpu-a1 already", []string{"-f", flow, "--nodes", "testdata/fixtures/nodes.yaml", "--ran", "DataLoad/default/download=gpu-a1", "--ran", "DataLoad/default/download=gpu-b1"}},
		{"no file", "nothing to read", nil},
		{"an argument", `unexpected argument "flow.yaml": name files with -f`, []string{"flow.yaml"}},
		{"an unknown flag", "flag provided but not defined: -x", []string{"-x"}},
		{"a misspelt flag", `not defined: -node; typo of "nodes"?; -h explains`, []string{"--node", "x"}},
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
	if status != unsound || stderr != "" || !strings.Contains(stdout, "in 4 flows") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestHelp(t *testing.T) {
	status, stdout, stderr := plan("", "-h")
	if status != sound || stderr != "" || !strings.Contains(stdout, "Exit status") || !strings.Contains(stdout, "kubectl get") || !strings.Contains(stdout, "-nodes") {
		t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
	}
}

func TestTerminals(t *testing.T) {
	var out, err bytes.Buffer
	args := []string{"-f", "testdata/mistakes.yaml"}
	for i := range 25 {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i, ".yaml"))
		if err := os.WriteFile(file, []byte(load(fmt.Sprint("op-", i))), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", file)
	}
	run(args, nil, &out, &err, terminals{out: true, err: true})
	if !strings.Contains(out.String(), "\x1b[31mError\x1b[0m") || !strings.Contains(out.String(), "\x1b[33mWarning\x1b[0m") {
		t.Error("a terminal gets no colour")
	}
	if !strings.Contains(err.String(), "\rreading 26 of 26 files\n") {
		t.Errorf("a terminal sees no progress: %q", err.String())
	}
}

// load is a DataLoad in JSON, with more in its spec.
func load(name string, spec ...string) string {
	return fmt.Sprintf(`{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": {"name": %q}, "spec": {%s}}`+"\n", name, strings.Join(spec, ", "))
}

const afterA = `"runAfter": {"kind": "DataLoad", "name": "a", "affinityStrategy": {"policy": "Require"}}`

// states returns the state of each operation, by name.
func states(t *testing.T, stdin string, args ...string) map[string]string {
	t.Helper()
	_, stdout, stderr := plan(stdin, append(args, "-o", "json")...)
	var r struct {
		Operations []struct{ Name, State, Phase string }
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err, stderr)
	}
	states := map[string]string{}
	for _, o := range r.Operations {
		states[o.Name] = o.State + o.Phase
	}
	return states
}

// problems returns each problem's code, operation and number of places.
func problems(t *testing.T, stdin string, args ...string) []string {
	t.Helper()
	_, stdout, stderr := plan(stdin, append(args, "-o", "json")...)
	var r struct {
		Problems []struct {
			Code      string
			Operation struct{ Name string }
			Places    []any
		}
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err, stderr)
	}
	got := []string{}
	for _, p := range r.Problems {
		got = append(got, fmt.Sprintf("%s %s %d", p.Code, p.Operation.Name, len(p.Places)))
	}
	return got
}

// A name can be anything; a terminal must not obey it, nor a picture break.
func TestControlCharactersAreWrittenOut(t *testing.T) {
	const name = "a\x1b[2J\nb"
	text := strings.ReplaceAll(load(name), `\x1b`, `\u001b`)
	_, stdout, _ := plan(text, "-f", "-")
	if strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, `a\x1b[2J\nb`) {
		t.Errorf("%q", stdout)
	}
	_, stdout, _ = plan(text+text, "-f", "-", "-o", "mermaid")
	if want := `  op0["DataLoad default/a#27;#91;2J#10;b<br/>Duplicate<br/>InvalidName"]:::error` + "\n"; !strings.Contains(stdout, want) {
		t.Errorf("%q", stdout)
	}
	_, _, stderr := plan("", "-f", "no\x1b[2J\xff")
	if strings.Contains(stderr, "\x1b") || strings.Contains(stderr, "\xff") {
		t.Errorf("%q", stderr)
	}
}

func TestWhatIsAtFaultIsNotResolvedNorWhatComesAfter(t *testing.T) {
	const misspelt = `"runAfter": {"kind": "DataLoad", "name": "a", "affinityStrategy": {"policy": "Require", "dependsOn": {"kind": "DataLoad", "name": "x"}}}`
	text := load("a") + load("b", misspelt) + load("c", strings.Replace(afterA, `"a"`, `"b"`, 1)) + load("d", afterA)
	got := states(t, text, "-f", "-")
	if want := map[string]string{"a": "Ready", "b": "", "c": "", "d": "Waiting"}; !cmp.Equal(got, want) {
		t.Errorf("states %v", got)
	}
	if got := problems(t, text, "-f", "-"); !cmp.Equal(got, []string{"UnknownField b 1"}) {
		t.Errorf("problems %v", got)
	}
	_, table, _ := plan(text, "-f", "-")
	if strings.Count(table, "unresolved\n") != 2 {
		t.Errorf("%s", table)
	}
}

func TestAFaultHidesOnlyItsConsequences(t *testing.T) {
	// What a exposes is not known, as its annotations are no map.
	faulty := strings.Replace(load("a"), `"name"`, `"annotations": {"affinity.dataflow.fluid.io/labels": 1}, "name"`, 1)
	disk := strings.Replace(afterA, `"Require"`, `"Require", "requires": [{"name": "example.com/disk"}]`, 1)
	if got := problems(t, faulty+load("b", disk), "-f", "-"); !cmp.Equal(got, []string{"Invalid a 1"}) {
		t.Errorf("problems %v", got)
	}
	if got := problems(t, load("a")+load("b", disk), "-f", "-"); !cmp.Equal(got, []string{"NotExposed b 1"}) {
		t.Errorf("problems %v", got)
	}
	// A faulty strategy says nothing of what the operation runs after; a faulty name does.
	unlike := strings.Replace(afterA, `"Require"`, `1`, 1)
	if got := problems(t, load("b", unlike), "-f", "-"); !cmp.Equal(got, []string{"Invalid b 1", "UnknownPredecessor b 1"}) {
		t.Errorf("problems %v", got)
	}
	misspelt := strings.Replace(afterA, `"name"`, `"nmae"`, 1)
	if got := problems(t, load("b", misspelt), "-f", "-"); slices.Contains(got, "UnknownPredecessor b 1") {
		t.Errorf("problems %v", got)
	}
}

// A problem is a consequence of a fault if it rests on the field that was not read, also on one
// of another operation; and of no other fault.
func TestConsequencesRestOnWhatWasNotRead(t *testing.T) {
	after := func(name, strategy string) string {
		return `"runAfter": {"kind": "DataLoad", "name": "` + name + `", "affinityStrategy": {` + strategy + `}}`
	}
	on := func(name string) string {
		return `"policy": "Require", "dependOn": {"kind": "DataLoad", "name": "` + name + `"}`
	}
	misspelt := strings.Replace(after("a", ""), `"name"`, `"nam"`, 1)
	zone := func(value string) string { return `"nodeSelector": {"topology.kubernetes.io/zone": "` + value + `"}` }
	const sameZone = `"policy": "Require", "requires": [{"name": "topology.kubernetes.io/zone"}]`
	for _, c := range []struct {
		text string
		want []string
	}{
		// What c comes after is not known, as b's predecessor is not.
		{load("a") + load("b", misspelt) + load("c", after("b", on("a"))), []string{"UnknownField b 1", "Invalid b 1"}},
		{load("a") + load("b", misspelt) + load("c", after("b", on("a"))) + load("d", after("c", on("a"))), []string{"UnknownField b 1", "Invalid b 1"}},
		// Nothing of this rests on a toleration.
		{load("a") + load("b", `"tolerations": [{"key": "k", "operator": "Exist"}]`, after("a", on("nobody")+`, "prefers": [{"name": "x", "weight": 1}]`)),
			[]string{"Invalid b 1", "NotAnAncestor b 1", "IgnoredList b 1"}},
		{load("a") + load("b", `"tolerations": 1`, after("a", `"policy": "Require", "requires": [{"name": "example.com/disk"}]`)), []string{"Invalid b 1", "NotExposed b 1"}},
		// What was meant by a field that does not exist may be any that is beside it.
		{load("a") + load("b", after("a", "")) + load("c", after("b", `"policy": "Require", "requires": [{"name": "example.com/disk"}], "dependsOn": {"kind": "DataLoad", "name": "a"}`)),
			[]string{"UnknownField c 1"}},
		// Neither the policy is known, nor whether a list is read.
		{load("a") + load("b", after("a", `"policy": 1, "requires": [{"name": "topology.kubernetes.io/zone"}]`)), []string{"Invalid b 1"}},
		// What excludes each other does, whatever b tolerates; but not if some of what a or b asks for is not known.
		{load("a", zone("z1")) + load("b", zone("z2"), `"tolerations": 1`, after("a", sameZone)), []string{"Invalid b 1", "Contradiction b 1"}},
		{load("a", zone("z1")) + load("b", zone("z2"), after("a", sameZone+`, "prefer": []`)), []string{"UnknownField b 1"}},
		{load("a", zone(`z1", "x": 1, "y": "`)) + load("b", zone("z2"), after("a", sameZone)), []string{"Invalid a 1"}},
		{load("a", zone("z1")) + load("b", zone(`z2", "x": 1, "y": "`), after("a", sameZone)), []string{"Invalid b 1"}},
		// How many pods b is, is not known, as it is said twice.
		{load("a") + strings.Replace(load("b", `"parallelism": 4`, `"parallelism": 1`, after("a", `"policy": "Require"`)), "DataLoad", "DataMigrate", 1), []string{"Invalid b 1"}},
		// How many pods a source is, is not known.
		{load("a", `"policy": "Corn"`) + load("b", after("a", `"policy": "Require", "requires": [{"name": "example.com/disk"}]`)), []string{"Invalid a 1"}},
	} {
		got := problems(t, c.text, "-f", "-")
		slices.Sort(got)
		slices.Sort(c.want)
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s\nproblems %v, want %v", c.text, got, c.want)
		}
	}
}

// What one that is at fault forces on another does not depend on the faults of a third.
func TestWhatIsAtFaultForcesNothing(t *testing.T) {
	faulty := load("b", `"nodeSelector": {"gpu": "1"}`, `"tolerations": 1`, afterA)
	third := load("c", strings.Replace(afterA, `"Require"`, `"Prefer", "prefers": [{"name": "kubernetes.io/hostname", "weight": 0}]`, 1))
	for _, text := range []string{load("a") + faulty, load("a") + faulty + third} {
		_, stdout, _ := plan(text, "-f", "-", "-o", "json")
		var r struct {
			Operations []struct{ Lookahead any }
		}
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r.Operations[0].Lookahead != nil {
			t.Errorf("a gets %v", r.Operations[0].Lookahead)
		}
	}
}

// A contradiction of the specs is no other one once the source ran.
func TestAContradictionIsReportedOnce(t *testing.T) {
	text := strings.Replace(load("a", `"nodeSelector": {"kubernetes.io/hostname": "n1"}`), `"spec"`, `"status": {"phase": "Complete", "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}]}}}, "spec"`, 1) +
		load("b", `"nodeSelector": {"kubernetes.io/hostname": "n2"}`, afterA)
	if got := problems(t, text, "-f", "-"); !cmp.Equal(got, []string{"Contradiction b 1"}) {
		t.Errorf("problems %v", got)
	}
	if got := states(t, text, "-f", "-"); got["b"] != "Blocked" {
		t.Errorf("states %v", got)
	}
}

func TestCopiesAreOneProblem(t *testing.T) {
	got := problems(t, strings.Repeat(load("a", `"tolerations": 1`), 500), "-f", "-")
	if len(got) != 501 || !slices.Contains(got, "Duplicate a 500") {
		t.Errorf("%d problems, %v", len(got), got[:2])
	}
}

func TestAFileIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "real", "a.yaml")
	if err := os.WriteFile(file, []byte(load("a")), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link.yaml": file, "dir.yaml": filepath.Join(dir, "real"), "circle": dir} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := plan("", "-f", file, "-f", dir, "-f", filepath.Join(dir, "link.yaml"), "-f", filepath.Join(dir, "real"))
	if status != sound || !strings.Contains(stdout, "1 operation in 1 flow") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestAClusterWithoutOperations(t *testing.T) {
	const none = "apiVersion: v1\nkind: List\nitems: []\nmetadata: {resourceVersion: \"\"}\n"
	for format, want := range map[string]string{
		"table":   "0 operations in 0 flows: 0 errors, 0 warnings; 0 other objects passed over\n",
		"json":    "{\n  \"operations\": [],\n  \"problems\": [],\n  \"flows\": 0,\n  \"skipped\": 0\n}\n",
		"yaml":    "flows: 0\noperations: []\nproblems: []\nskipped: 0\n",
		"mermaid": dataflow.Mermaid(nil, nil),
	} {
		if status, stdout, stderr := plan(none, "-f", "-", "-o", format); status != sound || stdout != want || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", format, status, stdout, stderr)
		}
	}
}

func TestAMisspeltNameOrKindIsAProblem(t *testing.T) {
	for text, want := range map[string]string{
		`{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": {"nam": "x"}}`:  `typo of "name"?`,
		`{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLaod", "metadata": {"name": "x"}}`: `typo of "DataLoad"?`,
	} {
		status, stdout, stderr := plan(text, "-f", "-")
		if status != unsound || !strings.Contains(stdout, want) || !strings.Contains(stdout, "standard input:1") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
	}
}

// An object that was probably meant to be an operation is named, with the field at fault, and
// is no other object that was passed over. What is sound beside it stays so.
func TestWhatIsProbablyAnOperationIsNamed(t *testing.T) {
	wrong := strings.Replace(load("a"), "DataLoad", "Databackup", 1) + strings.Replace(load("a"), "data.fluid.io", "fluid.io", 1)
	text := load("a") + load("b", afterA) + wrong + `{"apiVersion": "v1", "kind": "Secret"}`
	status, stdout, _ := plan(text, "-f", "-")
	for _, want := range []string{"    Databackup default/a: kind\n", "    DataLoad default/a: apiVersion\n", "2 errors, 0 warnings; 1 other object passed over\n"} {
		if status != unsound || !strings.Contains(stdout, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, stdout)
		}
	}
	if got := states(t, text, "-f", "-"); !cmp.Equal(got, map[string]string{"a": "Ready", "b": "Waiting"}) {
		t.Errorf("states %v", got)
	}
	if status, stdout, stderr := plan(wrong, "-f", "-"); status != unsound || stderr != "" || !strings.Contains(stdout, "0 operations in 0 flows: 2 errors") {
		t.Errorf("alone: status %d\n%s%s", status, stdout, stderr)
	}
}

func TestTooManyFaultsToList(t *testing.T) {
	var text strings.Builder
	for i := range 1200 {
		text.WriteString(load(fmt.Sprint("op-", i), `"tolerations": 1`))
	}
	status, stdout, stderr := plan(text.String(), "-f", "-")
	if status != unsound || !strings.Contains(stderr, "200 more errors are not listed") || strings.Contains(stdout, "Ready") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// Those of a file that are sound are not held back by faults of others that are not listed.
func TestFaultsThatAreNotListedAreOfOperationsThatAreKnown(t *testing.T) {
	text := load("sound")
	for i := range 1200 {
		text += load(fmt.Sprint("op-", i), `"tolerations": 1`)
	}
	got := states(t, text+load("last", afterA)+load("a"), "-f", "-")
	misspelt := strings.Repeat(load("b", `"runAfter": {"kind": "DataLoad", "nam": "a"}`), 1200)
	for i := range 1200 {
		misspelt = strings.Replace(misspelt, `"name": "b"`, fmt.Sprintf(`"name": "b-%d"`, i), 1)
	}
	if found := problems(t, load("a")+misspelt, "-f", "-"); slices.ContainsFunc(found, func(p string) bool { return strings.HasPrefix(p, "UnknownPredecessor") }) {
		t.Error("what is not listed has consequences")
	}
	if got["sound"] != "Ready" || got["a"] != "Ready" || got["last"] != "Waiting" || got["op-1199"] != "" {
		t.Errorf("states of sound %q, a %q, last %q, and of one at fault %q", got["sound"], got["a"], got["last"], got["op-1199"])
	}
}

// What an operation at fault would inherit is not known, and is not drawn.
func TestThePictureHasNoInheritanceThatIsMisread(t *testing.T) {
	misspelt := strings.Replace(afterA, `"Require"`, `"Require", "require": [{"name": "zone"}]`, 1)
	_, stdout, _ := plan(load("a")+load("b", misspelt)+load("c", strings.Replace(afterA, `"a"`, `"b"`, 1)), "-f", "-", "-o", "mermaid")
	if !strings.Contains(stdout, "op1 -- runAfter --> op0") || strings.Contains(stdout, "op1 -.") || !strings.Contains(stdout, "op2 -. ") {
		t.Errorf("%s", stdout)
	}
}

func TestWhatHasStartedHasNothingToWaitFor(t *testing.T) {
	for _, phase := range []dataflow.Phase{"", dataflow.Pending, dataflow.Executing, dataflow.Complete, dataflow.Failed} {
		text := strings.TrimSuffix(strings.TrimSpace(load("b", afterA)), "}") + fmt.Sprintf(`, "status": {"phase": %q}}`, phase)
		want := []string{}
		if phase == "" || phase == dataflow.Pending {
			want = append(want, "UnknownPredecessor b 1")
		}
		if got := problems(t, text, "-f", "-"); !cmp.Equal(got, want) {
			t.Errorf("phase %q: problems %v, want %v: its predecessor may have been cleaned up", phase, got, want)
		}
		if _, table, _ := plan(text, "-f", "-"); phase != "" && phase != dataflow.Pending && !strings.Contains(table, string(phase)) {
			t.Errorf("%s", table)
		}
	}
}

// What was meant is looked for in all flows: a reference to nothing makes a flow of its own.
func TestHintsReachAcrossFlows(t *testing.T) {
	after := func(kind, name string) string {
		return fmt.Sprintf(`"runAfter": {"kind": %q, "name": %q}`, kind, name)
	}
	text := load("download-model") + load("convert", after("DataLoad", "downlaod-model")) + load("serve", after("DataProcess", "download-model"))
	_, stdout, _ := plan(text, "-f", "-")
	if strings.Count(stdout, "typo of DataLoad default/download-model?") != 2 || !strings.Contains(stdout, "3 operations in 3 flows") {
		t.Errorf("%s", stdout)
	}
	_, stdout, _ = plan(load("download-model")+load("convert", `"runAfter": {"kind": "DataLoad", "name": "download-model", "affinityStrategy": {"policy": "Require", "dependOn": {"kind": "DataLoad", "name": "downlaod-model"}}}`), "-f", "-")
	if !strings.Contains(stdout, "typo of DataLoad default/download-model?") {
		t.Errorf("%s", stdout)
	}
}

// A reference keeps its kind unless that is the kind of the one operation of that name.
func TestAReferenceToNothingKeepsItsKind(t *testing.T) {
	text := load("a") + load("b", `"runAfter": {"kind": "DataBackup", "name": "a"}`) + load("c", afterA) + load("a")
	_, stdout, _ := plan(text, "-f", "-")
	for _, line := range []string{"DataLoad b  DataBackup a  ", "DataLoad c  a             "} {
		if !strings.Contains(stdout, line) {
			t.Errorf("no %q in\n%s", line, stdout)
		}
	}
}

func TestALongNameWidensNoOtherRow(t *testing.T) {
	long := strings.Repeat("long-", 1000)
	_, stdout, _ := plan(load("a")+load(long)+load("b", afterA), "-f", "-")
	if !strings.Contains(stdout, "DataLoad a  -           -                 Ready\n") || !strings.Contains(stdout, "DataLoad "+long+"  -           -                 Ready\n") {
		t.Errorf("%.500s", stdout)
	}
}

func TestWhatNewRejectsHidesOnlyWhatComesAfter(t *testing.T) {
	after := func(name string) string { return strings.Replace(afterA, `"a"`, fmt.Sprintf("%q", name), 1) }
	weightless := strings.Replace(after("mid"), `"Require"`, `"Prefer", "prefers": [{"name": "zone", "weight": 0}]`, 1)
	for _, c := range []struct {
		what, text string
		want       map[string]string
	}{
		{"a weight", load("last", after("leaf")) + load("leaf", weightless) + load("root") + load("mid", after("root")),
			map[string]string{"root": "Ready", "mid": "Waiting", "leaf": "", "last": ""}},
		{"a copy", load("root") + load("mid", after("root")) + load("mid") + load("leaf", after("mid")) + load("other", after("root")),
			map[string]string{"root": "Ready", "mid": "", "leaf": "", "other": "Waiting"}},
		{"a cycle", load("root", after("leaf")) + load("mid", after("root")) + load("leaf", after("mid")) + load("other", after("mid")),
			map[string]string{"root": "", "mid": "", "leaf": "", "other": ""}},
		{"beside a cycle", load("root") + load("mid", after("root")) + load("x", `"runAfter": {"kind": "DataLoad", "name": "y", "affinityStrategy": {"policy": "Require", "dependOn": {"kind": "DataLoad", "name": "mid"}}}`) + load("y", after("x")),
			map[string]string{"root": "Ready", "mid": "Waiting", "x": "", "y": ""}},
	} {
		if got := states(t, c.text, "-f", "-"); !cmp.Equal(got, c.want) {
			t.Errorf("%s: states %v, want %v", c.what, got, c.want)
		}
		_, stdout, _ := plan(c.text, "-f", "-", "-o", "mermaid")
		for name := range c.want {
			if !strings.Contains(stdout, "DataLoad default/"+name+`"]`) && !strings.Contains(stdout, "DataLoad default/"+name+"<br/>") {
				t.Errorf("%s: %s is not in the picture\n%s", c.what, name, stdout)
			}
		}
	}
}

// Every problem stands in the picture, whoever found it: New, the reader, the checks or a forecast.
func TestThePictureMarksEveryProblem(t *testing.T) {
	for _, args := range [][]string{
		{"-f", "testdata/mistakes.yaml"},
		{"-f", "testdata/fixtures/stranding.yaml", "--nodes", "testdata/fixtures/nodes.yaml"},
		{"-f", "testdata/live.yaml", "--nodes", "testdata/fixtures/nodes.yaml"},
	} {
		_, stdout, _ := plan("", append(args, "-o", "mermaid")...)
		if !strings.HasPrefix(stdout, "flowchart BT\n") || strings.Count(stdout, "flowchart") != 1 {
			t.Errorf("%v: not one picture\n%s", args, stdout)
		}
		var r struct {
			Problems []struct {
				Code      string
				Operation dataflow.Ref
			}
		}
		_, text, _ := plan("", append(args, "-o", "json")...)
		if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.Problems) == 0 {
			t.Fatal(err, text)
		}
		for _, p := range r.Problems {
			marked := false
			for _, line := range strings.Split(stdout, "\n") {
				marked = marked || strings.Contains(line, p.Operation.String()+"<br/>") && strings.Contains(line, "<br/>"+p.Code)
			}
			if !marked {
				t.Errorf("%v: %s of %s is not marked", args, p.Code, p.Operation)
			}
		}
	}
}

// A fault that was reported when it was read is not reported again by a check of what was
// read in its stead.
func TestAFaultIsReportedOnce(t *testing.T) {
	for _, weight := range []string{`"50"`, "50.5", "null"} {
		text := load("a") + load("b", strings.Replace(afterA, `"Require"`, `"Prefer", "prefers": [{"name": "topology.kubernetes.io/zone", "weight": `+weight+`}]`, 1))
		if got := problems(t, text, "-f", "-"); !cmp.Equal(got, []string{"Invalid b 1"}) {
			t.Errorf("weight %s: problems %v", weight, got)
		}
	}
}

// What contradicts itself only over several steps is found as well.
func TestAContradictionFurtherUp(t *testing.T) {
	after := func(name string) string { return strings.Replace(afterA, `"a"`, fmt.Sprintf("%q", name), 1) }
	text := load("a", `"nodeSelector": {"type": "CPU"}`) + load("b", after("a")) + load("c", after("b"), `"nodeSelector": {"type": "GPU"}`) + load("d", after("c"))
	if got := problems(t, text, "-f", "-"); !cmp.Equal(got, []string{"Contradiction c 1"}) {
		t.Errorf("problems %v", got)
	}
}

func TestProgressOfALargeFile(t *testing.T) {
	var out, err bytes.Buffer
	text := strings.Repeat(load("a", `"x": "`+strings.Repeat("y", 1<<20)+`"`), 20)
	run([]string{"-f", "-"}, strings.NewReader(text), &out, &err, terminals{err: true})
	if !strings.Contains(err.String(), "\rstandard input: 16 MiB read\n") {
		t.Errorf("%q", err.String())
	}
}

// Entry by entry the same bytes are written as at once.
func TestEncodingIsThatOfTheWhole(t *testing.T) {
	for _, files := range [][]string{{"testdata/mistakes.yaml"}, {"testdata/live.yaml"}, {"testdata/fixtures/stranding.yaml"}, {}} {
		in := newInput(nil)
		in.readAll(files)
		in.readNodes([]string{"testdata/fixtures/nodes.yaml"})
		seen, err := in.observe(nil)
		if err != nil {
			t.Fatal(err)
		}
		r := newReport(in, seen, true)
		whole, err := encodeJSON(r, "")
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := printJSON(&got, r); err != nil || got.String() != string(whole) {
			t.Errorf("%v: JSON differs: %v\n%s", files, err, cmp.Diff(string(whole), got.String()))
		}
		if whole, err = yaml.Marshal(r); err != nil {
			t.Fatal(err)
		}
		got.Reset()
		if err := printYAML(&got, r); err != nil || got.String() != string(whole) {
			t.Errorf("%v: YAML differs: %v\n%s", files, err, cmp.Diff(string(whole), got.String()))
		}
	}
}

func TestAFullDiskIsAnError(t *testing.T) {
	for _, format := range []string{"table", "json", "yaml", "mermaid"} {
		var stderr bytes.Buffer
		status := run([]string{"-f", "testdata/mistakes.yaml", "-o", format}, nil, full{}, &stderr, terminals{})
		if status != unusable || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: status %d, %s", format, status, &stderr)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// The columns of many nodes are groups, and their names do not fill the screen.
// Few groups of nodes have a column each. Where there are too many, nodes are counted.
func TestManyNodes(t *testing.T) {
	for types, want := range map[int]string{
		12: "NODES OF FLOW 1  A    B    C",
		30: "NODES OF FLOW 1  yes  strands  no  ran  -\n" +
			"DataLoad a       10   0        0   0    290\n",
	} {
		var nodes strings.Builder
		for i := range 300 {
			fmt.Fprintf(&nodes, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-%d", "labels": {"kubernetes.io/hostname": "node-%d", "type": "type-%d"}}}`+"\n", i, i, i%types)
		}
		file := filepath.Join(t.TempDir(), "nodes.json")
		if err := os.WriteFile(file, []byte(nodes.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		text := load("a", `"nodeSelector": {"type": "type-1"}`)
		for i := range types {
			text += load(fmt.Sprint("op-", i), fmt.Sprintf(`"nodeSelector": {"type": "type-%d"}, "runAfter": {"kind": "DataLoad", "name": "a"}`, i))
		}
		status, stdout, stderr := plan(text, "-f", "-", "--nodes", file)
		if status != sound || !strings.Contains(stdout, want) || types == 12 && !strings.Contains(stdout, "\nL: node-107, node-11, ") ||
			types == 12 && !strings.Contains(stdout, " and 17 more\n") {
			t.Errorf("status %d\n%s%s", status, stdout, stderr)
		}
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
