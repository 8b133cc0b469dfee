package slipstream_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every law has a test that names it, and no test names another one.
func TestEveryLawHasATest(t *testing.T) {
	laws, err := os.ReadFile("LAWS.md")
	if err != nil {
		t.Fatal(err)
	}
	stated := numbers(`(?m)^\| ([A-Z]\d+) \|`, string(laws))
	var tested []string
	err = fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tested = append(tested, numbers(`(?m)^func TestLaw([A-Z]\d+)`, string(text))...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tested)
	if diff := cmp.Diff(stated, slices.Compact(tested)); diff != "" {
		t.Errorf("laws, -stated +tested:\n%s", diff)
	}
}

// numbers returns what the first group of the expression matches, sorted.
func numbers(expression, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}
