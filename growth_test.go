package slipstream_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fluid-cloudnative/slipstream/internal/growth/cases"
	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Every exported function and method of the library is a case.
func TestLawG1EveryFunctionIsMeasured(t *testing.T) {
	var exported, measured []string
	for _, folder := range []string{"topology", "affinity", "dataflow", "dataflow/manifest"} {
		exported = append(exported, exportedFunctions(t, folder)...)
	}
	for _, f := range cases.Functions() {
		name, _, _ := strings.Cut(f.Name, ":")
		measured = append(measured, name)
	}
	slices.Sort(exported)
	slices.Sort(measured)
	if diff := cmp.Diff(exported, slices.Compact(measured)); diff != "" {
		t.Errorf("functions, -exported +in internal/growth/cases:\n%s", diff)
	}
}

// exportedFunctions returns the exported functions of a package and the methods of its types.
func exportedFunctions(t *testing.T, folder string) []string {
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no package in ", folder, err)
	}
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				receiver := f.Recv.List[0].Type
				if pointer, ok := receiver.(*ast.StarExpr); ok {
					receiver = pointer.X
				}
				of := receiver.(*ast.Ident)
				if !of.IsExported() {
					continue
				}
				name = of.Name + "." + name
			}
			names = append(names, file.Name.Name+"."+name)
		}
	}
	return names
}

// The cost of every exported function grows with every dimension of its input by at most n log n:
// the allocations and the allocated bytes. The program internal/growth/table counts steps too.
func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // half of the time is spent on collecting garbage otherwise
	const n = 100
	functions := cases.Functions()
	for _, d := range cases.Dimensions() {
		if d.Slow {
			continue
		}
		kept := map[int]*cases.Input{}
		for _, f := range functions {
			if !f.On(d) {
				continue
			}
			if s, grows := f.Run(n, d, kept); grows {
				t.Errorf("%s × %s: %s", f.Name, d.Name, s.String())
			}
		}
	}
}

// No message is longer than 4 KiB, and none has a character of the input that is not printable.
func TestLawG1Messages(t *testing.T) {
	functions := cases.Functions()
	for i, d := range cases.Dimensions() {
		n := 100
		if d.Group == "length of names" {
			n = message.Limit / 4
		}
		if testing.Short() && (d.Group != "length of names" || i%4 > 0) {
			continue
		}
		in := d.Make(n)
		for _, f := range functions {
			if !f.On(d) {
				continue
			}
			for _, text := range cases.Texts(f.Prepare(in)()) {
				if at := strings.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }); at >= 0 || !utf8.ValidString(text) || len(text) > message.Limit {
					t.Errorf("%s × %s: a text of %d bytes, not printable at %d: %.300q", f.Name, d.Name, len(text), at, text)
					break
				}
			}
		}
	}
}
