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
	var tested []string
	forEachFile(t, "_test.go", func(_, text string) {
		tested = append(tested, numbers(`(?m)^func TestLaw([A-Z]\d+)`, text)...)
	})
	slices.Sort(tested)
	if diff := cmp.Diff(statedLaws(t), slices.Compact(tested)); diff != "" {
		t.Errorf("laws, -stated +tested:\n%s", diff)
	}
}

// Every law that a comment or a document cites is stated.
func TestEveryCitedLawIsStated(t *testing.T) {
	stated := statedLaws(t)
	for _, suffix := range []string{".go", ".md"} {
		forEachFile(t, suffix, func(path, text string) {
			for _, citation := range regexp.MustCompile(`\b[Ll]aws? [A-Z]\d+(( ?,| and| to|,? or)?\s+(// )?[A-Z]\d+)*`).FindAllString(text, -1) {
				for _, law := range numbers(`([A-Z]\d+)`, citation) {
					if !slices.Contains(stated, law) {
						t.Errorf("%s cites law %s, which LAWS.md does not state", path, law)
					}
				}
			}
		})
	}
}

func statedLaws(t *testing.T) []string {
	laws, err := os.ReadFile("LAWS.md")
	if err != nil {
		t.Fatal(err)
	}
	return numbers(`(?m)^\| ([A-Z]\d+) \|`, string(laws))
}

// forEachFile calls do for every file of the repository with the suffix.
func forEachFile(t *testing.T, suffix string, do func(path, text string)) {
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		do(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
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
