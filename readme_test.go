package slipstream_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// The manifests of the README have no faults, and their flow has no problems.
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
		var ops []dataflow.Operation
		for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(block[1]), 4096); ; {
			var object map[string]any
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			op, err := manifest.Decode(object)
			if err != nil {
				t.Fatal(err)
			}
			ops = append(ops, op.Operation)
		}
		if problems := dataflow.Check(ops...); len(ops) < 2 || problems != nil {
			t.Errorf("%d operations, problems %v", len(ops), problems)
		}
	}
}

// Every Go snippet of the README is, line for line, in an Example or a test that runs.
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

// The README's tables are in plan's golden files, except for the parts that it leaves out (…).
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
	tables := regexp.MustCompile("(?s)```\n((?:#  |NODES).*?\n)```").FindAllStringSubmatch(string(readme), -1)
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
