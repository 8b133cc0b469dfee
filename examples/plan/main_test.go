package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	oldyaml "sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// plan runs the program as a shell would. A report in JSON is validated.
func plan(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &err, false)
	if i := slices.Index(args, "json"); i > 0 && args[i-1] == "-o" && out.Len() > 0 {
		if err := violation(reportSchema(), out.String()); err != nil {
			panic(fmt.Sprintf("plan %v violates schema.json: %v", args, err))
		}
	}
	return status, out.String(), err.String()
}

// compare compares an output with a golden file.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", file, diff)
	}
}

const fixtures = "testdata/fixtures/"

// inputs are arguments of the program, with the exit status.
var inputs = []struct {
	name   string
	status int
	args   []string
}{
	{"demo1", sound, []string{fixtures + "demo1-location.yaml"}},
	{"demo2", sound, []string{fixtures + "demo2-custom-label.yaml"}},
	{"demo3", sound, []string{fixtures + "demo3-depend-on.yaml"}},
	{"demo3-main", sound, []string{fixtures + "demo3-depend-on.yaml", "--host", "fluid-main"}},
	{"stranding", sound, []string{fixtures + "stranding.yaml"}},
	{"stranding-nodes", sound, []string{fixtures + "stranding.yaml", "--nodes", fixtures + "nodes.yaml"}},
	{"stranded", unsound, []string{fixtures + "stranding.yaml", "--nodes", fixtures + "nodes.yaml", "--ran", "DataLoad/default/download=cpu-a1"}},
	{"ran", sound, []string{fixtures + "demo2-custom-label.yaml", "--nodes", fixtures + "nodes.yaml", "--ran", "DataLoad/default/load-a=gpu-b1"}},
	{"mistakes", unsound, []string{"testdata/mistakes.yaml"}},
	{"mistakes-nodes", unsound, []string{"testdata/mistakes.yaml", "--nodes", fixtures + "nodes.yaml"}},
	{"namespaces", unsound, []string{"testdata/namespaces.yaml"}},
	{"thirty", unsound, []string{"testdata/thirty.yaml", "--nodes", fixtures + "nodes.yaml"}},
	{"live", unsound, []string{"testdata/live.yaml"}},
	{"live-nodes", unsound, []string{"testdata/live.yaml", "--nodes", fixtures + "nodes.yaml"}},
}

func TestOutputs(t *testing.T) {
	for _, in := range inputs {
		for _, format := range formats() {
			t.Run(in.name+" as "+format, func(t *testing.T) {
				args := append(slices.Clone(in.args), "-o", format)
				status, stdout, stderr := plan("", args...)
				if status != in.status || stderr != "" {
					t.Errorf("status %d, want %d; standard error %q", status, in.status, stderr)
				}
				if _, again, _ := plan("", args...); again != stdout {
					t.Error("another output the second time")
				}
				if format == "table" || format == "json" && in.name != "thirty" || in.name == "mistakes" {
					compare(t, "testdata/"+in.name+"."+format+".golden", stdout)
				}
			})
		}
	}
}

// JSON and YAML are the same report.
func TestYAMLIsTheJSON(t *testing.T) {
	for _, in := range inputs {
		_, text, _ := plan("", append(slices.Clone(in.args), "-o", "json")...)
		_, yamlText, _ := plan("", append(slices.Clone(in.args), "-o", "yaml")...)
		var fromJSON, fromYAML any
		if err := json.Unmarshal([]byte(text), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(yamlText), &fromYAML); err != nil {
			t.Fatal(in.name, err)
		}
		again, err := json.Marshal(fromYAML)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &fromYAML); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
			t.Errorf("%s, -JSON +YAML:\n%s", in.name, diff)
		}
	}
}

// Readers of YAML 1.1 read the same as those of YAML 1.2, in keys and values.
func TestYAMLForOldReaders(t *testing.T) {
	_, text, _ := plan("", "testdata/live.yaml", "-o", "yaml")
	if !strings.Contains(text, "\n  \"on\":") {
		t.Errorf("the key on is not quoted in\n%s", text)
	}
	words := map[string]any{}
	for _, word := range []string{"on", "On", "ON", "off", "OFF", "y", "Y", "n", "yes", "Yes", "no", "NO", "=", "1:30", "-12:59:00.5", "1_0:10", "~", "null", "true", "<<", "1e3", "0x1f", "012", "1_000", "2001-01-01", "on-a", "12:75", "a:1"} {
		words[word] = word
	}
	encoded, err := encodeYAML(words)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(encoded), "\"=\": \"=\"\n") { // which some readers of YAML 1.1 refuse
		t.Errorf("= is not quoted in\n%s", encoded)
	}
	for name, unmarshal := range map[string]func([]byte, any) error{
		"1.1": func(text []byte, v any) error { return oldyaml.Unmarshal(text, v) },
		"1.2": yaml.Unmarshal,
	} {
		got := map[string]any{}
		if err := unmarshal(encoded, &got); err != nil {
			t.Errorf("YAML %s: %v", name, err)
		}
		if diff := cmp.Diff(words, got); diff != "" {
			t.Errorf("YAML %s, -want +got:\n%s", name, diff)
		}
	}
	for _, in := range inputs {
		_, text, _ := plan("", append(slices.Clone(in.args), "-o", "json")...)
		_, yamlText, _ := plan("", append(slices.Clone(in.args), "-o", "yaml")...)
		asJSON, err := oldyaml.YAMLToJSONStrict([]byte(yamlText))
		if err != nil {
			t.Fatal(in.name, err)
		}
		var fromJSON, fromYAML any
		if err := errors.Join(json.Unmarshal([]byte(text), &fromJSON), json.Unmarshal(asJSON, &fromYAML)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
			t.Errorf("%s, -JSON +YAML:\n%s", in.name, diff)
		}
	}
}

// Each case is an input that went wrong once. The golden file holds, for each, the exit
// status, the problems, and the state of each operation with the nodes where it can run.
func TestCases(t *testing.T) {
	table, err := os.ReadFile("testdata/cases/cases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, line := range strings.Split(string(table), "\n") {
		cells := strings.Split(line, "\t")
		if len(cells) < 4 || strings.HasPrefix(line, "#") || strings.Contains(line, "{tmp}") {
			continue // TestFiles makes what cannot be in a folder
		}
		args := strings.Fields(cells[2])
		for i, arg := range args {
			if strings.HasPrefix(arg, cells[0]) {
				args[i] = "testdata/cases/" + arg
			}
			if i > 0 && args[i-1] == "-o" {
				args[i] = "json"
			}
		}
		status, stdout, _ := plan("", args...)
		fmt.Fprintf(&got, "%s: plan %s: status %d\n%s\n", cells[0], cells[2], status, facts(t, stdout))
	}
	compare(t, "testdata/cases.golden", got.String())
}

// facts are the parts of a report in JSON that matter for a case.
func facts(t *testing.T, stdout string) string {
	if !strings.HasPrefix(stdout, "{") {
		return stdout
	}
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err, stdout)
	}
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  %s %s %s %s: %s\n", p.at(), p.Severity, p.Code, p.subject(), p.Message)
	}
	for _, o := range r.Operations {
		fmt.Fprintf(&b, "  %q %s exposes %v", o.Ref.String(), o.State, o.Exposes)
		if len(o.Missing) > 0 {
			fmt.Fprintf(&b, ", misses %v", o.Missing)
		}
		if o.Forecast != nil {
			fmt.Fprintf(&b, ", runs on %v", o.Forecast.Nodes)
		}
		if len(o.NotLookedAt) > 0 {
			fmt.Fprintf(&b, ", not looked at %v", o.NotLookedAt)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Every code is reported with its place by one of the inputs.
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
	var args [][]string
	for _, in := range inputs {
		args = append(args, in.args)
	}
	cases, _ := filepath.Glob("testdata/cases/*/flow.yaml")
	for _, file := range cases {
		args = append(args, []string{file})
	}
	args = append(args, []string{"testdata/hosts.yaml"}, []string{"testdata/hosts.yaml", "--host", "fluid-main"})
	for _, args := range args {
		_, stdout, _ := plan("", append(slices.Clone(args), "-o", "json")...)
		var r report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Problems {
			delete(missing, string(p.Code))
			if len(p.Places) == 0 || p.Places[0].Line < 1 {
				t.Errorf("%v: %s is at %v", args, p.Code, p.Places)
			}
			if len(p.Message) > 4096 {
				t.Errorf("%v: a message of %d bytes", args, len(p.Message))
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("not reported: %v", missing)
	}
}

// Of a source that the laws take for recurring and that the host runs once, only what the host
// does is reported.
func TestRecurringSourceThatRunsOnce(t *testing.T) {
	for host, want := range map[string]string{"slipstream": "RecurringSource", "fluid-1.0": "InheritsAnyway", "fluid-main": "RecurringSource"} {
		_, stdout, _ := plan("", "testdata/hosts.yaml", "--host", host, "-o", "json")
		var r report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Problems {
			if p.Operation.Name == "after-nightly" {
				got = append(got, string(p.Code))
			}
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %v, want %s", host, got, want)
		}
	}
}

func TestFlags(t *testing.T) {
	flow := fixtures + "demo3-depend-on.yaml"
	for _, c := range []struct {
		args   string
		status int
		want   string // in the output or on standard error
	}{
		{"-h", sound, "Exit status: 0"},
		{"--help", sound, "--fail-on"},
		{"--version", sound, "plan (devel)\n"},
		{"nowhere.yaml", unusable, "no such file"},
		{"--nods x", unusable, `typo of "nodes"?`},
		{flow + " -o jsn", unusable, `typo of "json"?`},
		{flow + " --host fluid", unusable, "must be one of slipstream, fluid-1.0, fluid-main"},
		{flow + " --fail-on warnings", unusable, `typo of "warning"?`},
		{flow + " --ignore Strandin", unusable, `typo of "Stranding"?`},
		{flow + " --ignore Stranding,Gon", unusable, `--ignore "Gon": must be one of`},
		{"testdata/mistakes.yaml --ignore UnknownField,Duplicate --ignore InvalidName", unsound, ": 8 errors,"},
		{"-h", sound, "repeat the flag"},
		{"- --nodes -", unusable, "plan: FILE - and --nodes -: standard input can be read only once\n"},
		{flow + " --nodes - --pods -", unusable, "plan: --nodes - and --pods -: standard input can be read only once\n"},
		{"- - --nodes " + fixtures + "nodes.yaml", unusable, "standard input"}, // which is empty, and read once
		{"completion bash", sound, "__start_plan"},
		{"completion zsh", sound, "#compdef plan"},
		{"completion fish", sound, "complete -c plan"},
		{"completion", sound, "plan completion [command]"},
		{"help", unusable, "stat help: no such file"},
		{"__complete --output ma", sound, "markdown"},
		{"__complete --ignore Str", sound, "Stranding"},
		{flow + " -A", unusable, "is a file"},
		{"-A -n x", unusable, "exclude each other"},
		{flow + " --pods x", unusable, "--pods needs --nodes"},
		{flow + " --ran DataLoad/a", unusable, "must be Kind/namespace/name=node"},
		{flow + " --ran DataLoad/default/nobody=n", unusable, "the input has no DataLoad default/nobody"},
		{flow + " --ran DataLoad/default/step3-warmup-cache=n", unusable, "no nodes are known"},
		{flow + " --nodes " + fixtures + "nodes.yaml --ran DataLoad/default/step3-warmup-cache=cpu-a9", unusable, `typo of "cpu-a1"?`},
		{flow + " --nodes " + fixtures + "nodes.yaml --ran DataLoad/default/step3-warmup-cache=cpu-a1 --ran DataLoad/default/step3-warmup-cache=cpu-a2", unusable, "ran on \"cpu-a1\" already"},
		{flow + " --quiet", sound, ""},
		{"testdata/live.yaml --fail-on never", sound, "Error"},
		{fixtures + "nodes.yaml", unusable, "8 Nodes; did you mean --nodes?"},
		{fixtures + "nodes.yaml -o github", unusable, "::error file=testdata/fixtures/nodes.yaml,"},
		{fixtures + "nodes.yaml -o lines", unusable, "testdata/fixtures/nodes.yaml: error Unreadable: "},
		{fixtures + "nodes.yaml -o sarif", unusable, `"uri": "testdata/fixtures/nodes.yaml"`},
		{flow + " --nodes " + flow, unusable, "Unreadable  " + flow + "\n    --nodes: no Node"},
		{flow + " --nodes " + fixtures + "nodes.yaml --pods " + fixtures + "nodes.yaml", unusable, "Unreadable  " + fixtures + "nodes.yaml\n    --pods: no Pod"},
	} {
		status, stdout, stderr := plan("", strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("plan %s: status %d, want %d; %q is not in\n%s%s", c.args, status, c.status, c.want, stdout, stderr)
		}
	}
}

// The version is that of the module, and the commit where the program was built in a checkout.
func TestVersion(t *testing.T) {
	vcs := func(settings ...string) (all []debug.BuildSetting) {
		for i := 0; i < len(settings); i += 2 {
			all = append(all, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return all
	}
	const revision = "ebec2b5c0ffee1234567890123456789abcdef01"
	for _, c := range []struct {
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		{"v0.1.0", nil, "v0.1.0"},
		{"", vcs("GOOS", "linux"), "(devel)"},
		{"(devel)", vcs("vcs", "git", "vcs.revision", revision, "vcs.modified", "false"), "(devel) ebec2b5c0ffe"},
		{"(devel)", vcs("vcs.modified", "true", "vcs.revision", revision), "(devel) ebec2b5c0ffe, modified"},
		{"v0.1.1-0.20261126210911-ebec2b5c0ffe+dirty", vcs("vcs.revision", revision, "vcs.modified", "true"), "v0.1.1-0.20261126210911-ebec2b5c0ffe+dirty"},
		{"v0.1.0", vcs("vcs.revision", "abc"), "v0.1.0 abc"},
	} {
		if got := versionOf(&debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.module, c.settings, got, c.want)
		}
	}
}

// Nodes and pods among the operations are not used without --nodes and --pods, and a note says so
// in each form of the output, or on standard error.
func TestNotes(t *testing.T) {
	nodes, err := os.ReadFile(fixtures + "nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pod := "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n"
	input := load("default", "a", "") + string(nodes) + pod
	notes := []string{"8 Nodes in the input are not used; name the file with --nodes", "1 Pod in the input is not used; name the file with --pods"}
	for _, format := range formats() {
		status, stdout, stderr := plan(input, "-", "-o", format, "--fail-on", "warning")
		text, other := stdout, stderr
		if slices.Contains([]string{"lines", "junit", "mermaid"}, format) {
			text, other = stderr, stdout
		}
		for _, note := range notes {
			if status != sound || strings.Count(text, note) != 1 || strings.Contains(other, note) {
				t.Errorf("%s: status %d, %q is not in %q, or in %q", format, status, note, text, other)
			}
		}
		if format == "sarif" {
			if err := violation(compile("testdata/schemas/sarif-schema-2.1.0.json", false), stdout); err != nil {
				t.Error(err)
			}
		}
	}
	for _, c := range []struct {
		args    string
		skipped int
		notes   []string
	}{
		{"", 9, notes},
		{"--ran DataLoad/default/a=cpu-a1", 1, notes[1:]}, // which uses the nodes
		{"--nodes " + fixtures + "stranding.yaml", 3, notes[1:]},
	} {
		_, stdout, _ := plan(input, append([]string{"-", "-o", "json"}, strings.Fields(c.args)...)...)
		var r report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.notes, r.Notes); diff != "" || r.Skipped != c.skipped {
			t.Errorf("%s: %d skipped, want %d; notes, -want +got:\n%s", c.args, r.Skipped, c.skipped, diff)
		}
	}
	if _, stdout, stderr := plan(input, "-", "-q"); stdout+stderr != "" {
		t.Errorf("in spite of -q: %q%q", stdout, stderr)
	}
	if _, stdout, _ := plan(pod, "-"); !strings.Contains(stdout, "1 Pod; did you mean --pods?") || !strings.Contains(stdout, "Unreadable  standard input\n") {
		t.Error(stdout)
	}
	if _, stdout, _ := plan(string(nodes)+"---\n"+string(nodes), fixtures+"stranding.yaml", "--nodes", "-", "-o", "lines"); !strings.HasPrefix(stdout, "standard input: error Unreadable: ") {
		t.Error(stdout)
	}
	if status, stdout, _ := plan("apiVersion: v1\nkind: List\nitems: []\n", fixtures+"stranding.yaml", "--nodes", fixtures+"nodes.yaml", "--pods", "-"); status != sound {
		t.Error("an empty List of pods:", stdout)
	}
}

// In JUnit, a problem fails its test case if it fails the program: an error always, and a warning with
// --fail-on warning.
func TestJUnitFailsWithTheProgram(t *testing.T) {
	deleting := t.TempDir() + "/nodes.yaml"
	writeFile(t, deleting, "apiVersion: v1\nkind: Node\nmetadata: {name: node-1, deletionTimestamp: 2026-11-26T21:09:11Z}\n")
	for _, c := range []struct {
		args     string
		status   int
		failures []string // by the code in them
	}{
		{fixtures + "demo1-location.yaml --fail-on warning", sound, nil},
		{fixtures + "stranding.yaml --nodes " + fixtures + "nodes.yaml", sound, nil},
		{fixtures + "stranding.yaml --nodes " + fixtures + "nodes.yaml --fail-on never", sound, nil},
		{fixtures + "stranding.yaml --nodes " + fixtures + "nodes.yaml --fail-on warning", unsound, []string{"Stranding", "InheritsNothing"}},
		{fixtures + "stranding.yaml --nodes " + fixtures + "nodes.yaml --fail-on warning --ignore Stranding,InheritsNothing", sound, nil},
		{fixtures + "demo1-location.yaml --nodes " + deleting, sound, nil},
		{fixtures + "demo1-location.yaml --nodes " + deleting + " --fail-on warning --ignore NoSuchLabel", unsound, []string{"NodeDeleting"}},
		{"testdata/namespaces.yaml", unsound, []string{"Crashes"}},
		{"testdata/namespaces.yaml --fail-on never", sound, []string{"Crashes"}},
		{"testdata/namespaces.yaml --fail-on warning", unsound, []string{"Crashes"}},
	} {
		status, stdout, _ := plan("", append(strings.Fields(c.args), "-o", "junit")...)
		var suite junitSuite
		if err := xml.Unmarshal([]byte(stdout), &suite); err != nil {
			t.Fatal(err)
		}
		var failures []string
		for _, test := range suite.Cases {
			if test.Failure != nil {
				failures = append(failures, test.Failure.Type)
				if !strings.Contains(test.Failure.Text, ": "+test.Failure.Type+": ") || test.Failure.Message == "" {
					t.Errorf("%s: %+v", c.args, test.Failure)
				}
			}
		}
		if status != c.status || !slices.Equal(failures, c.failures) || suite.Failures != len(failures) {
			t.Errorf("%s: status %d, failures %v of %d, want %v", c.args, status, failures, suite.Failures, c.failures)
		}
	}
}

// Nodes that are being deleted are named in one warning, if a forecast counts them.
func TestNodesBeingDeleted(t *testing.T) {
	text, err := os.ReadFile(fixtures + "nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	deleted := func(name string) func(string) string {
		return func(text string) string {
			return strings.Replace(text, "      name: "+name+"\n", "      name: "+name+"\n      deletionTimestamp: 2026-11-26T21:09:11Z\n", 1)
		}
	}
	one := deleted("gpu-a1")(string(text))
	two := deleted("cpu-b1")(one)
	if one == string(text) || two == one {
		t.Fatal("the nodes are written in another way now")
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "apiVersion: v1\nkind: Node\nmetadata: {name: node-%04d, deletionTimestamp: 2026-11-26T21:09:11Z}\n---\n", i)
	}
	for _, c := range []struct {
		nodes, args string
		status      int
		want        string // at the start of the message
		places      int
	}{
		{string(text), "", sound, "", 0},
		{one, "", sound, "1 of 8 nodes is being deleted: gpu-a1; ", 1},
		{two, "--fail-on warning", unsound, "2 of 8 nodes are being deleted: gpu-a1, cpu-b1; ", 2},
		{two, "--ignore NodeDeleting --fail-on warning", sound, "", 0},
		{many.String(), "", sound, "1000 of 1000 nodes are being deleted: node-0000, node-0001, ", 20},
	} {
		file := t.TempDir() + "/nodes.yaml"
		writeFile(t, file, c.nodes)
		args := append([]string{fixtures + "demo1-location.yaml", "--nodes", file, "-o", "json"}, strings.Fields(c.args)...)
		status, stdout, _ := plan("", args...)
		var r report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		r.Problems = slices.DeleteFunc(r.Problems, func(p problem) bool { return p.Code != "NodeDeleting" })
		if status != c.status || len(r.Problems) != min(len(c.want), 1) {
			t.Errorf("%s: status %d, %+v", c.args, status, r.Problems)
		}
		for _, p := range r.Problems {
			if p.Severity != "Warning" || p.Operation != nil || p.Field != "metadata.deletionTimestamp" || !strings.HasPrefix(p.Message, c.want) ||
				len(p.Message) > 2000 || len(p.Places) != c.places || p.Places[0].File != file || p.Places[0].Line == 0 {
				t.Errorf("%s: %+v, want %s", c.args, p, c.want)
			}
		}
	}
	if _, stdout, _ := plan(load("default", "a", "")+two, "-"); strings.Contains(stdout, "deleted") {
		t.Errorf("without a forecast: %s", stdout)
	}
}

// writeFile writes a file.
func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(fixtures + "demo3-depend-on.yaml")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "flow.yaml"), string(text))
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := plan("", dir); status != sound || !strings.Contains(stdout, "4 operations in 1 flow") {
		t.Errorf("a directory: status %d, %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := plan(string(text), "-"); status != sound || !strings.Contains(stdout, "4 operations in 1 flow") {
		t.Errorf("standard input: status %d, %s%s", status, stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "kustomization.yaml"), "resources: [flow.yaml]\n")
	if status, stdout, _ := plan("", dir); status != unusable || !strings.Contains(stdout, "kubectl kustomize") {
		t.Errorf("a directory for Kustomize: status %d, %s", status, stdout)
	}
}

// An error of the output is an error of the program, once, also if the output is longer than its buffer.
func TestOutputFails(t *testing.T) {
	for _, format := range formats() {
		for file, stdin := range map[string]string{"testdata/live.yaml": "", "-": chain(300, "  nonsense: 1\n")} {
			var stderr bytes.Buffer
			status := run([]string{file, "-o", format}, strings.NewReader(stdin), failing{}, &stderr, true)
			if status != unusable || stderr.String() != "plan: the disk is full\n" {
				t.Errorf("%s of %s: status %d, %q", format, file, status, stderr.String())
			}
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }
