package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// goFile is a Go file of a checkout that is edited by its syntax tree. Functions, types,
// fields and calls are found by name, and the text around them stays as it is. The first
// failure is kept, and save returns it.
type goFile struct {
	dir, name string
	source    []byte
	set       *token.FileSet
	file      *ast.File
	edits     []edit
	err       error
}

// edit replaces source[from:to] by text.
type edit struct {
	from, to int
	text     string
}

// NotFoundError is the error that a file does not have what a step changes.
type NotFoundError struct {
	File string
	What string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s: %s not found: this is not the source of Fluid that the step was written for", e.File, e.What)
}

func openGo(dir, name string) *goFile {
	f := &goFile{dir: dir, name: name, set: token.NewFileSet()}
	if f.source, f.err = os.ReadFile(filepath.Join(dir, name)); f.err == nil {
		f.file, f.err = parser.ParseFile(f.set, name, f.source, parser.ParseComments)
	}
	return f
}

func (f *goFile) missing(format string, args ...any) {
	if f.err == nil {
		f.err = &NotFoundError{f.name, fmt.Sprintf(format, args...)}
	}
}

func (f *goFile) splice(from, to token.Pos, text string) {
	f.edits = append(f.edits, edit{f.set.Position(from).Offset, f.set.Position(to).Offset, text})
}

// function returns a function by its name, or a method by "Type.Name". It is nil if there is
// none.
func (f *goFile) function(name string) *ast.FuncDecl {
	if f.err != nil {
		return nil
	}
	receiver, method, isMethod := strings.Cut(name, ".")
	for _, d := range f.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		switch {
		case !ok || fn.Body == nil:
		case !isMethod && fn.Recv == nil && fn.Name.Name == name:
			return fn
		case isMethod && fn.Recv != nil && fn.Name.Name == method && receiverOf(fn) == receiver:
			return fn
		}
	}
	f.missing("func %s", name)
	return nil
}

func receiverOf(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// deleteFunction removes a function with its comment.
func (f *goFile) deleteFunction(name string) {
	fn := f.function(name)
	if fn == nil {
		return
	}
	from := fn.Pos()
	if fn.Doc != nil {
		from = fn.Doc.Pos()
	}
	f.splice(from, fn.End(), "")
}

// addFunctions adds the functions of another file, with their comments, at the end.
func (f *goFile) addFunctions(source string) {
	if f.err != nil {
		return
	}
	set := token.NewFileSet()
	from, err := parser.ParseFile(set, "added.go", source, parser.ParseComments)
	if err != nil {
		f.err = err
		return
	}
	for _, d := range from.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			text := source[set.Position(fn.Doc.Pos()).Offset:set.Position(fn.End()).Offset]
			f.edits = append(f.edits, edit{len(f.source), len(f.source), "\n" + text + "\n"})
		}
	}
}

// replaceBody replaces the statements of a function.
func (f *goFile) replaceBody(name, text string) {
	if fn := f.function(name); fn != nil {
		f.splice(fn.Body.Lbrace+1, fn.Body.Rbrace, "\n"+text+"\n")
	}
}

// atStart adds statements at the start of a function.
func (f *goFile) atStart(name, text string) {
	if fn := f.function(name); fn != nil {
		f.splice(fn.Body.Lbrace+1, fn.Body.Lbrace+1, "\n"+text+"\n")
	}
}

// atEnd adds statements at the end of a function.
func (f *goFile) atEnd(name, text string) {
	if fn := f.function(name); fn != nil {
		f.splice(fn.Body.Rbrace, fn.Body.Rbrace, text+"\n")
	}
}

// statement returns the first statement in the body of a function, at any depth, for which is
// holds of its text; and the list that it is in with its index there.
func (f *goFile) statement(function, what string, is func(ast.Stmt) bool) (list []ast.Stmt, at int) {
	fn := f.function(function)
	if fn == nil {
		return nil, 0
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		block, ok := n.(*ast.BlockStmt)
		if !ok || list != nil {
			return list == nil
		}
		for i, s := range block.List {
			if is(s) {
				list, at = block.List, i
				return false
			}
		}
		return true
	})
	if list == nil {
		f.missing("%s in func %s", what, function)
	}
	return list, at
}

// calling says that a statement itself, outside of blocks in it, calls a function, such as
// "retry.RetryOnConflict".
func calling(name string) func(ast.Stmt) bool {
	return func(s ast.Stmt) (found bool) {
		ast.Inspect(s, func(n ast.Node) bool {
			if _, block := n.(*ast.BlockStmt); block {
				return false
			}
			if call, ok := n.(*ast.CallExpr); ok && dotted(call.Fun) == name {
				found = true
			}
			return !found
		})
		return found
	}
}

// comparing says that a statement is an if, the condition of which compares an expression, such
// as "runAfter.Policy", with another one.
func comparing(left string, op token.Token, right string) func(ast.Stmt) bool {
	return func(s ast.Stmt) bool {
		branch, ok := s.(*ast.IfStmt)
		if !ok {
			return false
		}
		compare, ok := branch.Cond.(*ast.BinaryExpr)
		return ok && compare.Op == op && dotted(compare.X) == left && dotted(compare.Y) == right
	}
}

// dotted returns a name with the names before it, and "" for any other expression.
func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := dotted(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
	}
	return ""
}

// before adds statements before the first one that is as given, and before its comment.
func (f *goFile) before(function, what string, is func(ast.Stmt) bool, text string) {
	list, at := f.statement(function, what, is)
	if list == nil {
		return
	}
	pos := f.startWithComment(list[at])
	f.splice(pos, pos, text+"\n\n")
}

// after adds statements after the first one that is as given.
func (f *goFile) after(function, what string, is func(ast.Stmt) bool, text string) {
	if list, at := f.statement(function, what, is); list != nil {
		f.splice(list[at].End(), list[at].End(), "\n"+text)
	}
}

// replaceFrom replaces the statements from the first one that is as given to the end of the
// list that it is in.
func (f *goFile) replaceFrom(function, what string, is func(ast.Stmt) bool, text string) {
	if list, at := f.statement(function, what, is); list != nil {
		f.splice(f.startWithComment(list[at]), list[len(list)-1].End(), text)
	}
}

// startWithComment returns where a statement, or a comment directly above it, starts.
func (f *goFile) startWithComment(n ast.Node) token.Pos {
	line := f.set.Position(n.Pos()).Line
	for _, c := range f.file.Comments {
		if f.set.Position(c.End()).Line == line-1 {
			return c.Pos()
		}
	}
	return n.Pos()
}

// isStub reports whether a function does nothing but return nil.
func (f *goFile) isStub(name string) bool {
	fn := f.function(name)
	if fn == nil || len(fn.Body.List) != 1 {
		return false
	}
	r, ok := fn.Body.List[0].(*ast.ReturnStmt)
	return ok && len(r.Results) > 0 && dotted(r.Results[0]) == "nil"
}

// replaceArgument replaces an argument of the first call of a function in another one.
func (f *goFile) replaceArgument(function, name string, index int, old, by string) {
	call := f.call(function, name)
	if call == nil {
		return
	}
	if index >= len(call.Args) || dotted(call.Args[index]) != old {
		f.missing("argument %s of %s in func %s", old, name, function)
		return
	}
	f.splice(call.Args[index].Pos(), call.Args[index].End(), by)
}

// atStartOfBranch adds statements at the start of the if that a call of a function decides.
func (f *goFile) atStartOfBranch(function, name, text string) {
	fn := f.function(function)
	if fn == nil {
		return
	}
	for _, s := range fn.Body.List {
		if branch, ok := s.(*ast.IfStmt); ok {
			if call, ok := branch.Cond.(*ast.CallExpr); ok && dotted(call.Fun) == name {
				f.splice(branch.Body.Lbrace+1, branch.Body.Lbrace+1, "\n"+text)
				return
			}
		}
	}
	f.missing("if %s in func %s", name, function)
}

func (f *goFile) call(function, name string) (found *ast.CallExpr) {
	fn := f.function(function)
	if fn == nil {
		return nil
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && dotted(call.Fun) == name {
			found = call
		}
		return found == nil
	})
	if found == nil {
		f.missing("a call of %s in func %s", name, function)
	}
	return found
}

// addField adds fields at the end of a struct.
func (f *goFile) addField(structure, text string) {
	if s := f.structure(structure); s != nil {
		f.splice(s.Fields.Closing, s.Fields.Closing, text+"\n")
	}
}

// narrow adds a condition to the first if of a function that has one already, such as
// "result == nil", and reports whether there is one.
func (f *goFile) narrow(function, condition, by string) (found bool) {
	fn := f.function(function)
	if fn == nil {
		return true
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		branch, ok := n.(*ast.IfStmt)
		if !ok || found {
			return !found
		}
		from, to := f.set.Position(branch.Cond.Pos()).Offset, f.set.Position(branch.Cond.End()).Offset
		if bytes.Contains(f.source[from:to], []byte(condition)) {
			f.splice(branch.Cond.Pos(), branch.Cond.Pos(), by+" && ")
			found = true
		}
		return !found
	})
	return found
}

// addToMap adds entries to the map literal that is the value of a field in a function.
func (f *goFile) addToMap(function, field, text string) {
	fn := f.function(function)
	if fn == nil {
		return
	}
	var found *ast.CompositeLit
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if entry, ok := n.(*ast.KeyValueExpr); ok && found == nil && dotted(entry.Key) == field {
			found, _ = entry.Value.(*ast.CompositeLit)
		}
		return found == nil
	})
	if found == nil {
		f.missing("field %s in func %s", field, function)
		return
	}
	f.splice(found.Rbrace, found.Rbrace, text+"\n")
}

// dropArguments removes all but the first argument of the call of a function that is the value
// of a variable of the package, if there are more.
func (f *goFile) dropArguments(name string) {
	if f.err != nil {
		return
	}
	for _, d := range f.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, value := range g.Specs[0].(*ast.ValueSpec).Values {
			if call, ok := value.(*ast.CallExpr); ok && dotted(call.Fun) == name {
				f.splice(call.Args[0].End(), call.Rparen, "")
				return
			}
		}
	}
	f.missing("a call of %s", name)
}

// retag replaces the tag of a field of a struct.
func (f *goFile) retag(structure, name, tag string) {
	s := f.structure(structure)
	if s == nil {
		return
	}
	for _, field := range s.Fields.List {
		if field.Tag != nil && len(field.Names) == 1 && field.Names[0].Name == name {
			f.splice(field.Tag.Pos(), field.Tag.End(), "`"+tag+"`")
			return
		}
	}
	f.missing("field %s of type %s", name, structure)
}

func (f *goFile) structure(name string) *ast.StructType {
	if f.err != nil {
		return nil
	}
	for _, d := range f.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok && t.Name.Name == name {
				if s, ok := t.Type.(*ast.StructType); ok {
					return s
				}
			}
		}
	}
	f.missing("type %s struct", name)
	return nil
}

// afterConstant adds constants after the one with the given name.
func (f *goFile) afterConstant(name, text string) {
	if f.err != nil {
		return
	}
	for _, d := range f.file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, spec := range g.Specs {
				if slices.ContainsFunc(spec.(*ast.ValueSpec).Names, func(id *ast.Ident) bool { return id.Name == name }) {
					f.splice(spec.End(), spec.End(), "\n\n"+text)
					return
				}
			}
		}
	}
	f.missing("const %s", name)
}

// addImport adds an import, which may have a name: to the last group, before the first one
// that sorts after it, or to the first group if it is of the standard library.
func (f *goFile) addImport(name, of string) {
	if f.err != nil {
		return
	}
	text := strconv.Quote(of)
	if name != "" {
		text = name + " " + text
	}
	for _, i := range f.file.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); p == of {
			return
		}
	}
	if len(f.file.Imports) == 0 {
		f.missing("an import")
		return
	}
	group := f.file.Imports[f.lastGroup():]
	if !strings.Contains(of, ".") { // of the standard library
		group = f.file.Imports[:1]
	}
	for _, i := range group {
		if p, _ := strconv.Unquote(i.Path.Value); p > of {
			f.splice(i.Pos(), i.Pos(), text+"\n")
			return
		}
	}
	last := group[len(group)-1]
	f.splice(last.End(), last.End(), "\n"+text)
}

func (f *goFile) lastGroup() int {
	for i := len(f.file.Imports) - 1; i > 0; i-- {
		if f.set.Position(f.file.Imports[i].Pos()).Line > f.set.Position(f.file.Imports[i-1].End()).Line+1 {
			return i
		}
	}
	return 0
}

// save writes the file with all edits, formatted as gofmt does.
func (f *goFile) save() error {
	if f.err != nil {
		return f.err
	}
	text, err := applied(f.source, f.edits)
	if err == nil {
		text, err = format.Source(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return os.WriteFile(filepath.Join(f.dir, f.name), text, 0o644)
}

// applied returns the source with the edits, which must not overlap. Those at one place are
// made in the order in which they were added.
func applied(source []byte, edits []edit) ([]byte, error) {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.from < at {
			return nil, fmt.Errorf("two edits overlap at offset %d", e.from)
		}
		out.Write(source[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(source[at:])
	return out.Bytes(), nil
}
