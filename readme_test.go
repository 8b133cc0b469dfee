package slipstream_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// The manifests of the README are read without a fault, and make a flow without a problem.
func TestReadmeManifestsAreSound(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Error("the README shows no manifest")
	}
	for _, block := range blocks {
		read, err := manifest.Read("README.md", strings.NewReader(block[1]))
		if err != nil {
			t.Error(err)
		}
		var ops []dataflow.Operation
		for _, op := range read.Operations {
			ops = append(ops, op.Operation)
		}
		if problems := dataflow.Check(ops...); len(ops) < 2 || problems != nil {
			t.Errorf("%d operations, problems %v", len(ops), problems)
		}
	}
}

// Every Go snippet of the README stands, line for line, in an Example that runs.
func TestReadmeSnippetsAreExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	unindented := regexp.MustCompile(`(?m)^\s+`)
	text := unindented.ReplaceAllString(string(examples), "")
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) == 0 {
		t.Error("the README shows no Go code")
	}
	for _, snippet := range snippets {
		if !strings.Contains(text, unindented.ReplaceAllString(snippet[1], "")) {
			t.Errorf("no Example has this snippet of the README:\n%s", snippet[1])
		}
	}
}

// What the README shows of plan's tables is what plan prints: its golden files have it, up to what the README leaves out (…).
func TestReadmeTablesAreWhatPlanPrints(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("examples/plan/testdata/*.table.golden")
	var printed []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, "\n"+string(text))
	}
	tables := regexp.MustCompile("(?s)```\n((?:FLOW|NODES).*?\n)```").FindAllStringSubmatch(string(readme), -1)
	if len(tables) < 2 {
		t.Errorf("the README shows %d tables", len(tables))
	}
	for _, table := range tables {
		for _, piece := range strings.Split(table[1], "…\n") {
			piece = "\n" + strings.ReplaceAll(piece, "examples/plan/testdata", "testdata")
			if !slices.ContainsFunc(printed, func(text string) bool { return strings.Contains(text, piece) }) {
				t.Errorf("plan does not print this:%s", piece)
			}
		}
	}
}
