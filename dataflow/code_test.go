package dataflow_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// declaredCodes returns the codes that code.go declares, each with its doc comment.
func declaredCodes(t *testing.T) (codes []dataflow.Code, docs []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		code := dataflow.Code(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		if name := spec.Names[0].Name; name != "Code"+string(code) {
			t.Errorf("%s has the value %q", name, code)
		}
		codes, docs = append(codes, code), append(docs, strings.Join(strings.Fields(spec.Doc.Text()), " "))
		return true
	})
	return codes, docs
}

// A golden file shows a problem of every code, unless package manifest reports it.
func TestEveryCodeIsShown(t *testing.T) {
	if *update { // they are being written
		return
	}
	var shown strings.Builder
	for _, name := range []string{"problems", "forecast", "live", "hosts"} {
		text, err := os.ReadFile("testdata/" + name + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	codes, _ := declaredCodes(t)
	ofManifest := []dataflow.Code{dataflow.CodeUnknownField, dataflow.CodeWrongKey}
	for _, code := range codes {
		if !strings.Contains(shown.String(), fmt.Sprintf("r %s: ", code)) && !strings.Contains(shown.String(), fmt.Sprintf("g %s: ", code)) && !slices.Contains(ofManifest, code) {
			t.Errorf("no golden file shows an error or a warning %s", code)
		}
	}
}

// basis.go says of every code on what it rests, unless it is listed here: those of a fault in
// the field of the problem itself, and those of a forecast, which rest on the whole flow.
func TestEveryCodeHasABasis(t *testing.T) {
	listed := []dataflow.Code{
		dataflow.CodeInvalidName, dataflow.CodeInvalid, dataflow.CodeUnrecordable, dataflow.CodeCycle, dataflow.CodeDuplicate, dataflow.CodeUnknownField, dataflow.CodeWrongKey,
		dataflow.CodeImpossible, dataflow.CodeStranding, dataflow.CodeNoSuchLabel,
	}
	resting := codesWithBasis(t)
	codes, _ := declaredCodes(t)
	for _, code := range codes {
		if resting[code] == slices.Contains(listed, code) {
			t.Errorf("%s must either have a case in basis.go or be listed here", code)
		}
	}
}

// codesWithBasis returns the codes that have a case in basis.go.
func codesWithBasis(t *testing.T) map[dataflow.Code]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "basis.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	resting := map[dataflow.Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if clause, ok := n.(*ast.CaseClause); ok {
			for _, expression := range clause.List {
				if name, ok := expression.(*ast.Ident); ok {
					resting[dataflow.Code(strings.TrimPrefix(name.Name, "Code"))] = true
				}
			}
		}
		return true
	})
	return resting
}

// The table of codes in CONTRIBUTING.md holds their doc comments; -update rewrites it. Each
// comment has the meaning of the code, an example, and what to do.
func TestEveryCodeIsInTheTable(t *testing.T) {
	var table strings.Builder
	table.WriteString("| code | meaning |\n|---|---|\n")
	codes, docs := declaredCodes(t)
	for i, code := range codes {
		meaning, ok := strings.CutPrefix(docs[i], "Code"+string(code)+": ")
		if !ok || !strings.Contains(meaning, "Example: ") {
			t.Fatalf("the comment of %s must start with its name, and have an example: %s", code, docs[i])
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", code, strings.ToUpper(meaning[:1])+meaning[1:])
	}

	const page = "../CONTRIBUTING.md"
	const begin, end = "<!-- codes: written by go test ./dataflow -update -->\n", "<!-- end of codes -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	got, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no section for the table", page)
	}
	if got == table.String() {
		return
	}
	if !*update {
		t.Errorf("the table in %s is out of date; run with -update", page)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
