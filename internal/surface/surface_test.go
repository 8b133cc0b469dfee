// Package surface holds what the module exports against a listing, so that none of it
// changes by accident.
package surface

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/internal/golden"
)

var update = flag.Bool("update", false, "write the listing again")

// A name that goes, or changes, breaks whoever uses it: it is for the changelog, and after
// v1 for a new major version. Run with -update to write the listing again.
func TestWhatIsExportedIsAsListed(t *testing.T) {
	var listing strings.Builder
	for _, folder := range []string{"topology", "affinity", "affinity/affinitytest", "dataflow", "dataflow/dataflowtest", "dataflow/manifest"} {
		listing.WriteString("package " + folder + "\n\n")
		for _, line := range exported(t, filepath.Join("..", "..", filepath.FromSlash(folder))) {
			listing.WriteString(line + "\n")
		}
		listing.WriteString("\n")
	}
	golden.Compare(t, *update, filepath.Join("testdata", "surface.golden"), []byte(listing.String()))
}

// exported returns the exported declarations of a package, sorted, without comments and
// bodies, and without what in them is not exported.
func exported(t *testing.T, folder string) []string {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no package in ", folder, err)
	}
	fset := token.NewFileSet()
	var lines []string
	list := func(declaration ast.Node) {
		var text bytes.Buffer
		if err := format.Node(&text, fset, declaration); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.ReplaceAll(text.String(), "\n\n", "\n")) // gaps are left by comments
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(file)
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || ast.IsExported(receiver(d)) {
					d.Body = nil
					list(d)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
						v.Values = nil // what it is set to is nobody's business
					}
					list(&ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{spec}})
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// receiver returns the name of the type that a method belongs to.
func receiver(method *ast.FuncDecl) string {
	t := method.Recv.List[0].Type
	if pointer, ok := t.(*ast.StarExpr); ok {
		t = pointer.X
	}
	return t.(*ast.Ident).Name
}
