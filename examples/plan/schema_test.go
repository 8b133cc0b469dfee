package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compile compiles a JSON schema. With strict, objects have no field that the schema does not name:
// users of the schema accept fields that are new to them, and tests do not.
func compile(file string, strict bool) *jsonschema.Schema {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	if strict {
		closed(schema)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(file, schema); err != nil {
		panic(err)
	}
	return c.MustCompile(file)
}

// closed closes every object of a schema whose properties are listed.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if _, ok := s["properties"].(map[string]any); ok {
			s["additionalProperties"] = false
		}
		for _, value := range s {
			closed(value)
		}
	case []any:
		for _, value := range s {
			closed(value)
		}
	}
}

var reportSchema = sync.OnceValue(func() *jsonschema.Schema { return compile("schema.json", true) })

// violation says where a text violates a schema, or is no JSON.
func violation(schema *jsonschema.Schema, text string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func TestSchemaRejects(t *testing.T) {
	_, stdout, _ := plan("", "testdata/mistakes.yaml", "--nodes", fixtures+"nodes.yaml", "-o", "json")
	for _, change := range []struct{ from, to string }{
		{`"version": 2`, `"version": 3`},
		{`"state": "Ready"`, `"state": "ready"`},
		{`"severity": "Error"`, `"severity": "error"`},
		{`"id": "op0"`, `"id": 0`},
		{`"flow": 1`, `"flow": 0`},
		{`"skipped": 0`, `"skiped": 0`},
		{`"column": 1`, `"column": -1`},
		{`"places": [`, `"place": [], "places": [`},
	} {
		changed := strings.Replace(stdout, change.from, change.to, 1)
		if changed == stdout {
			t.Errorf("the report has no %s", change.from)
		} else if violation(reportSchema(), changed) == nil {
			t.Errorf("accepted with %s", change.to)
		}
	}
}

// The README names every field of the schema.
func TestReadmeNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]any
		Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	fields := slices.Collect(maps.Keys(schema.Properties))
	for name, of := range schema.Defs {
		if name != "affinity" {
			fields = append(fields, slices.Collect(maps.Keys(of.Properties))...)
		}
	}
	_, table, _ := strings.Cut(string(page), "## JSON")
	for _, field := range fields {
		if !regexp.MustCompile("`[a-z.\\[\\]]*" + field + "(\\[\\])?`").MatchString(table) {
			t.Errorf("the README does not name %s", field)
		}
	}
}

// codes.json is the table of CONTRIBUTING.md.
func TestCodesAreThoseOfContributing(t *testing.T) {
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- codes:")
	table, _, _ = strings.Cut(table, "<!-- end of codes -->")
	meanings := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		meanings[row[1]] = row[2]
	}
	if len(meanings) == 0 {
		t.Fatal("CONTRIBUTING.md lists no codes")
	}
	text, err := encodeJSON(meanings, "")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "codes.json", string(text))
}

// SARIF is valid by the schema of OASIS, also for an input without problems, and says the same as
// the report in JSON.
func TestSARIFIsValid(t *testing.T) {
	schema := compile("testdata/schemas/sarif-schema-2.1.0.json", false)
	if violation(schema, `{"version": "2.1.0", "runs": [{}]}`) == nil {
		t.Fatal("the schema accepts a run without a tool")
	}
	for _, in := range allInputs(t) {
		_, stdout, _ := plan("", append(slices.Clone(in), "-o", "sarif")...)
		if err := violation(schema, stdout); err != nil {
			t.Errorf("%v: %v", in, err)
			continue
		}
		var log struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID, Name string } }
				}
				Results []struct {
					RuleID    string
					RuleIndex int
					Level     string
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn int }
						}
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(stdout), &log); err != nil {
			t.Fatal(err)
		}
		r := reportOf(t, in...)
		if len(log.Runs[0].Results) != len(r.Problems) {
			t.Errorf("%v: %d results, %d problems", in, len(log.Runs[0].Results), len(r.Problems))
			continue
		}
		for i, result := range log.Runs[0].Results {
			p := &r.Problems[i]
			rule := log.Runs[0].Tool.Driver.Rules[result.RuleIndex]
			if result.RuleID != string(p.Code) || rule.ID != result.RuleID || result.Level != strings.ToLower(string(p.Severity)) || len(result.Locations) != len(p.Places) {
				t.Errorf("%v: %+v is not %+v", in, result, p)
			}
			for l, at := range result.Locations {
				if region := at.PhysicalLocation.Region; region.StartLine != p.Places[l].Line || region.StartColumn != p.Places[l].Column {
					t.Errorf("%v: a result at %+v, a problem at %v", in, region, p.Places[l])
				}
			}
		}
	}
}

// JUnit counts what it holds. The step plan of .ci/run validates it against junit-10.xsd as well.
func TestJUnitCounts(t *testing.T) {
	for _, in := range allInputs(t) {
		_, stdout, _ := plan("", append(slices.Clone(in), "-o", "junit")...)
		var suite junitSuite
		if err := xml.Unmarshal([]byte(stdout), &suite); err != nil {
			t.Errorf("%v: %v", in, err)
			continue
		}
		failures, lines := 0, 0
		for _, c := range suite.Cases {
			if c.Failure != nil {
				failures++
				lines += strings.Count(c.Failure.Text, "\n")
			}
			lines += strings.Count(c.Output, "\n")
		}
		if r := reportOf(t, in...); suite.Tests != len(suite.Cases) || suite.Failures != failures || lines != len(r.Problems) {
			t.Errorf("%v: %d tests, %d failures, %d lines for %d problems", in, suite.Tests, suite.Failures, lines, len(r.Problems))
		}
	}
}

// The forms of lines have one line for each problem, whatever is in the input; GitHub's are workflow
// commands, with what it escapes in data and in properties.
func TestLinesAreOnePerProblem(t *testing.T) {
	hostile := t.TempDir() + "/a,b:c%d\n::stop-commands::x.yaml"
	writeFile(t, hostile, "apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata:\n  name: \"a\\r\\n::error::b%0A|x\\e[31m\"\n")
	command := regexp.MustCompile(`^::(error|warning) file=[^,:\r\n]*,line=\d+,col=\d+,title=\w+::[^\r\n]*$`)
	escapes := regexp.MustCompile(`%(25|0D|0A|3A|2C)`)
	for _, in := range append(allInputs(t), []string{hostile}) {
		r := reportOf(t, in...)
		for _, format := range []string{"lines", "github"} {
			_, stdout, _ := plan("", append(slices.Clone(in), "-o", format)...)
			lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			if stdout == "" {
				lines = nil
			}
			if len(lines) != len(r.Problems) {
				t.Errorf("%v: %d lines of %s, %d problems", in, len(lines), format, len(r.Problems))
			}
			for _, line := range lines {
				if format == "github" && (!command.MatchString(line) || strings.Contains(escapes.ReplaceAllString(line, ""), "%")) {
					t.Errorf("%v: %s", in, line)
				}
			}
		}
	}
	_, stdout, _ := plan("", hostile, "-o", "github")
	if want := `a%2Cb%3Ac%25d\n%3A%3Astop-commands%3A%3Ax.yaml,line=4,col=3,title=InvalidName::`; !strings.Contains(stdout, want) {
		t.Errorf("%q is not in %q", want, stdout)
	}
}

// The summary of a step is below GitHub's limit, whatever the number of problems, and text of the
// input is no markup in it.
func TestMarkdown(t *testing.T) {
	var manifests strings.Builder
	for i := range 5000 {
		manifests.WriteString(load("default", fmt.Sprintf("op-%d", i), "runAfter: {kind: DataLoad, name: none}"))
	}
	_, stdout, _ := plan(manifests.String(), "-", "-o", "markdown")
	if !regexp.MustCompile(`\n\| \| \| \| \d+ more problems not listed \|\n$`).MatchString(stdout) || len(stdout) > 1<<20 {
		t.Errorf("%d bytes: %s", len(stdout), stdout[max(0, len(stdout)-200):])
	}
	_, stdout, _ = plan(load("default", `"<b>|[a](https://example.com)**&amp;![x](y)\n# @me"`, ""), "-", "-o", "markdown")
	if want := `\<b\>\|\[a\](https\://example.com)\*\*\&amp;\!\[x\](y)\\n\# \@me`; !strings.Contains(stdout, want) {
		t.Errorf("%s is not in %s", want, stdout)
	}
	if _, stdout, _ := plan("", fixtures+"demo1-location.yaml", "-o", "markdown", "--quiet"); stdout != "" {
		t.Errorf("without problems: %q", stdout)
	}
}

// allInputs are the arguments of all inputs of the tests.
func allInputs(t *testing.T) (all [][]string) {
	t.Helper()
	for _, in := range inputs {
		all = append(all, in.args)
	}
	table, err := os.ReadFile("testdata/cases/cases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(table), "\n") {
		if cells := strings.Split(line, "\t"); len(cells) >= 4 && !strings.HasPrefix(line, "#") && !strings.Contains(line, "{tmp}") {
			all = append(all, []string{"testdata/cases/" + cells[0] + "/flow.yaml"})
		}
	}
	return slices.DeleteFunc(all, func(args []string) bool { _, err := os.Stat(args[0]); return err != nil })
}

// reportOf is the report of an input.
func reportOf(t *testing.T, args ...string) *report {
	t.Helper()
	_, stdout, stderr := plan("", append(slices.Clone(args), "-o", "json")...)
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, stdout, stderr)
	}
	return &r
}

// Encoded again, a report is the same: the Go types and the schema have the same fields.
func TestReportRoundTrips(t *testing.T) {
	_, stdout, _ := plan("", "testdata/live.yaml", "--nodes", fixtures+"nodes.yaml", "-o", "json")
	var again bytes.Buffer
	w := bufio.NewWriter(&again)
	if err := errors.Join(printJSON(w, reportOf(t, "testdata/live.yaml", "--nodes", fixtures+"nodes.yaml")), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stdout, again.String()); diff != "" {
		t.Error(diff)
	}
}
