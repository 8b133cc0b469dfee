package slipstream_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

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
