package dataflow_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// The table of codes in CONTRIBUTING.md holds their doc comments; -update rewrites it. Each
// comment has the meaning of the code, an example, and what to do.
func TestEveryCodeIsInTheTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| code | meaning |\n|---|---|\n")
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		name, doc := spec.Names[0].Name, strings.Join(strings.Fields(spec.Doc.Text()), " ")
		meaning, ok := strings.CutPrefix(doc, name+": ")
		code := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if !ok || !strings.Contains(doc, "Example: ") || name != "Code"+code {
			t.Errorf("%s must have the value %q, and a comment that starts with its name and has an example: %s", name, code, doc)
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", code, strings.ToUpper(meaning[:1])+meaning[1:])
		return true
	})

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
