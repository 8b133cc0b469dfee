package main

import (
	"errors"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const small = `package small

import (
	"fmt"

	"example.com/b"
)

const (
	One = "One"
)

var _ = b.Suite(1, 60)

// S is a struct.
type S struct {
	A int ` + "`json:\"a\"`" + `
}

// F is a function.
func F(a int) error {
	// the only test
	if a == b.B {
		return fmt.Errorf("%d", a)
	}

	// twice
	b.Call(a, nil)
	return nil
}

func (s *S) M() error {
	return nil
}

func (s S) N() map[string]int {
	if b.Is(s) {
		return nil
	}
	x := 1
	return T{Entries: map[string]int{"x": x}}.Entries
}
`

// Each edit changes what it names and nothing else.
func TestEdits(t *testing.T) {
	tests := map[string]struct {
		edit func(f *goFile)
		old  string
		new  string
	}{
		"deleteFunction": {func(f *goFile) { f.deleteFunction("S.M") }, "func (s *S) M() error {\n\treturn nil\n}\n\n", ""},
		"addFunctions": {func(f *goFile) { f.addFunctions("package x\n\n// G is new.\nfunc G() {}\n") },
			".Entries\n}\n", ".Entries\n}\n\n// G is new.\nfunc G() {}\n"},
		"replaceBody":   {func(f *goFile) { f.replaceBody("S.M", "return b.Err") }, "M() error {\n\treturn nil", "M() error {\n\treturn b.Err"},
		"atStart":       {func(f *goFile) { f.atStart("S.M", "b.Call(1, nil)") }, "M() error {\n", "M() error {\n\tb.Call(1, nil)\n"},
		"atEnd":         {func(f *goFile) { f.atEnd("S.M", "b.Call(1, nil)") }, "nil\n}\n\nfunc (s S)", "nil\n\tb.Call(1, nil)\n}\n\nfunc (s S)"},
		"before":        {func(f *goFile) { f.before("F", "a call", calling("b.Call"), "b.Ready()") }, "\t// twice", "\tb.Ready()\n\n\t// twice"},
		"after":         {func(f *goFile) { f.after("F", "a call", calling("b.Call"), "b.Done()") }, "nil)\n\treturn", "nil)\n\tb.Done()\n\treturn"},
		"after, inside": {func(f *goFile) { f.after("F", "a call", calling("fmt.Errorf"), "b.Done()") }, "a)\n\t}", "a)\n\t\tb.Done()\n\t}"},
		"replaceFrom": {func(f *goFile) { f.replaceFrom("F", "a test", comparing("a", token.EQL, "b.B"), "return nil") },
			"\t// the only test\n\tif a == b.B {\n\t\treturn fmt.Errorf(\"%d\", a)\n\t}\n\n\t// twice\n\tb.Call(a, nil)\n", ""},
		"replaceArgument": {func(f *goFile) { f.replaceArgument("F", "b.Call", 1, "nil", "b.C") }, "b.Call(a, nil)", "b.Call(a, b.C)"},
		"atStartOfBranch": {func(f *goFile) { f.atStartOfBranch("S.N", "b.Is", "b.Done()") }, "if b.Is(s) {\n", "if b.Is(s) {\n\t\tb.Done()\n"},
		"declaring":       {func(f *goFile) { f.after("S.N", "x", declaring("x"), "x++") }, "x := 1\n", "x := 1\n\tx++\n"},
		"narrow":          {func(f *goFile) { f.narrow("F", "a == b.B", "b.On") }, "if a == b.B", "if b.On && a == b.B"},
		"addToMap":        {func(f *goFile) { f.addToMap("S.N", "Entries", `, "y": 2,`) }, `"x": x}`, `"x": x, "y": 2}`},
		"dropArguments":   {func(f *goFile) { f.dropArguments("b.Suite") }, "(1, 60)", "(1)"},
		"retag":           {func(f *goFile) { f.retag("S", "A", `json:"-"`) }, `json:"a"`, `json:"-"`},
		"addField":        {func(f *goFile) { f.addField("S", "B int") }, "\"a\"`\n", "\"a\"`\n\tB int\n"},
		"afterConstant":   {func(f *goFile) { f.afterConstant("One", `Two = "Two"`) }, "\"One\"\n", "\"One\"\n\n\tTwo = \"Two\"\n"},
		"addImport":       {func(f *goFile) { f.addImport("c", "example.com/a") }, "\t\"example.com/b\"", "\tc \"example.com/a\"\n\t\"example.com/b\""},
		"of the library":  {func(f *goFile) { f.addImport("", "slices") }, "\t\"fmt\"\n", "\t\"fmt\"\n\t\"slices\"\n"},
		"there already":   {func(f *goFile) { f.addImport("", "fmt") }, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := openSmall(t)
			test.edit(f)
			if err := f.save(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(f.dir, f.name))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(small, test.old) {
				t.Fatalf("%q is not in the source", test.old)
			}
			if want := strings.Replace(small, test.old, test.new, 1); squeezed(string(got)) != squeezed(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// squeezed leaves out blanks, which gofmt decides.
func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }

// A source that is not as expected is an error that names the file and what is not there, and
// nothing is written.
func TestSourceIsNotAsExpected(t *testing.T) {
	edits := map[string]func(f *goFile){
		"func G":                        func(f *goFile) { f.deleteFunction("G") },
		"func T.M":                      func(f *goFile) { f.replaceBody("T.M", "") },
		"the call in func F":            func(f *goFile) { f.before("F", "the call", calling("b.Other"), "") },
		"a call of b.Other in func F":   func(f *goFile) { f.replaceArgument("F", "b.Other", 0, "nil", "") },
		"argument a of b.Call in func":  func(f *goFile) { f.replaceArgument("F", "b.Call", 1, "a", "") },
		"if b.Other in func F":          func(f *goFile) { f.atStartOfBranch("F", "b.Other", "") },
		"field Other in func S.N":       func(f *goFile) { f.addToMap("S.N", "Other", "") },
		"type T struct":                 func(f *goFile) { f.addField("T", "") },
		"field B of type S":             func(f *goFile) { f.retag("S", "B", "") },
		"a call of b.Other":             func(f *goFile) { f.dropArguments("b.Other") },
		"const Two":                     func(f *goFile) { f.afterConstant("Two", "") },
		"func G, although F is changed": func(f *goFile) { f.atStart("F", "b.Done()"); f.atStart("G", "") },
	}
	for what, edit := range edits {
		t.Run(what, func(t *testing.T) {
			f := openSmall(t)
			edit(f)
			err := save(openSmall(t), f)
			var missing *NotFoundError
			what, _, _ := strings.Cut(what, ",")
			if !errors.As(err, &missing) || missing.File != "small.go" || !strings.HasPrefix(missing.What, what) {
				t.Errorf("err = %v", err)
			}
			if got, err := os.ReadFile(filepath.Join(f.dir, f.name)); err != nil || string(got) != small {
				t.Errorf("the file has changed: %v", err)
			}
		})
	}
	if err := save(openGo(t.TempDir(), "none.go")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

func openSmall(t *testing.T) *goFile {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "small.go"), []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	return openGo(dir, "small.go")
}

func TestTextEdits(t *testing.T) {
	const text = "metadata:\n  name: a\nspec:\n  name: b\n"
	tests := map[string]struct {
		edit func(dir string) error
		want string
	}{
		"replaceWord": {func(dir string) error { return replaceWord(dir, "x.yaml", "name", "named") }, "metadata:\n  named: a\nspec:\n  named: b\n"},
		"appendText":  {func(dir string) error { return appendText(dir, "x.yaml", "more\n") }, text + "more\n"},
		"beforeKey":   {func(dir string) error { return beforeKey(dir, "x.yaml", "spec:", "  kind: c\n") }, "metadata:\n  name: a\n  kind: c\nspec:\n  name: b\n"},
		"no word":     {func(dir string) error { return replaceWord(dir, "x.yaml", "other", "") }, ""},
		"no key":      {func(dir string) error { return beforeKey(dir, "x.yaml", "status:", "") }, ""},
		"two keys":    {func(dir string) error { return beforeKey(dir, "x.yaml", "  name:", "") }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "x.yaml")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := test.edit(dir)
			var missing *NotFoundError
			if errors.As(err, &missing) != (test.want == "") {
				t.Fatalf("err = %v", err)
			}
			if test.want == "" {
				test.want = text
			}
			if got, err := os.ReadFile(file); err != nil || string(got) != test.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
