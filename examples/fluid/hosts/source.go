package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// readSource reads in a work tree of Fluid what it does with each variant.
func readSource(fsys fs.FS) (map[variant]row, error) {
	rows := map[variant]row{}
	for _, v := range variants() {
		r, err := readRow(fsys, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v, err)
		}
		rows[v] = r
	}
	return rows, nil
}

func readRow(fsys fs.FS, v variant) (r row, err error) {
	hasPolicy, err := hasPolicy(fsys, v.kind)
	if err != nil {
		return r, err
	}
	if !hasPolicy {
		v.policy = "Once"
	}
	handler, err := readHandler(fsys, v)
	if err != nil {
		return r, err
	}
	injects, err := readInjection(fsys, v.kind)
	if err != nil {
		return r, err
	}
	chart, err := readCharts(fsys, v)
	if err != nil {
		return r, err
	}
	switch {
	case handler.panics:
		r.fails = dataflow.CodeCrashes
	case !chart.runs:
		r.fails = dataflow.CodeNeverStarts
	default:
		r.rejected = chart.rejected
	}
	if chart.runs {
		r.inherits = injects && chart.takesAffinity
		r.records = handler.records && chart.recorded
		r.expires = handler.expires && r.fails == ""
	}
	format, err := releaseName(fsys, v.kind)
	r.tryNames(func(name string) bool {
		return !slices.ContainsFunc(charts(fsys, v.kind), func(chart string) bool {
			_, err := install(fsys, chart, fmt.Sprintf(format, name), values(v, corev1.PodSpec{}, false))
			return rejectsName(v, err)
		})
	})
	return r, err
}

// rejectsName reports whether an operation does not start because of its name. Whether there are
// pods for it matters only if its Job runs.
func rejectsName(v variant, err error) bool {
	return errors.Is(err, errRejectedName) || v.policy == "Once" && errors.Is(err, errNoPods)
}

// releaseName returns the format in which the name of an operation becomes that of its release.
func releaseName(fsys fs.FS, kind dataflow.Kind) (string, error) {
	s, err := parseDir(fsys, "pkg/utils")
	if err != nil {
		return "", err
	}
	name := "Get" + string(kind) + "ReleaseName"
	f, ok := s.functions[name]
	if !ok {
		return "", fmt.Errorf("there is no %s", name)
	}
	formats := find[*ast.BasicLit](f)
	if len(formats) != 1 {
		return "", fmt.Errorf("%s has %d literals, not one format", name, len(formats))
	}
	return strconv.Unquote(formats[0].Value)
}

// source is the functions, methods and types of a package, without its tests.
type source struct {
	functions map[string]*ast.FuncDecl // methods by "Receiver.Name"
	structs   map[string]*ast.StructType
	constants map[string]string // those with a literal text
	values    []ast.Expr        // of constants and variables
	imports   []string
}

func parse(fsys fs.FS, files ...string) (source, error) {
	s := source{functions: map[string]*ast.FuncDecl{}, structs: map[string]*ast.StructType{}, constants: map[string]string{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return s, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return s, err
		}
		for _, i := range file.Imports {
			s.imports = append(s.imports, strings.Trim(i.Path.Value, `"`))
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				s.functions[receiver(d)+d.Name.Name] = d
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s.add(spec)
				}
			}
		}
	}
	return s, nil
}

// add keeps a type, constants or variables.
func (s *source) add(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if t, ok := spec.Type.(*ast.StructType); ok {
			s.structs[spec.Name.Name] = t
		}
	case *ast.ValueSpec:
		s.values = append(s.values, spec.Values...)
		for i, value := range spec.Values {
			if l, ok := value.(*ast.BasicLit); ok && l.Kind == token.STRING {
				s.constants[spec.Names[i].Name], _ = strconv.Unquote(l.Value)
			}
		}
	}
}

func parseDir(fsys fs.FS, dir string) (source, error) {
	files, err := fs.Glob(fsys, path.Join(dir, "*.go"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return source{}, err
	}
	return parse(fsys, files...)
}

// receiver returns "Type." for a method, and "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return lastName(t) + "."
}

// find returns the nodes of a type below a node.
func find[N ast.Node](below ast.Node) (found []N) {
	ast.Inspect(below, func(n ast.Node) bool {
		if n, ok := n.(N); ok {
			found = append(found, n)
		}
		return true
	})
	return found
}

// lastName returns the last name of x, a.x and a.b.x.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}

// hasPolicy reports whether the spec of a kind has a policy.
func hasPolicy(fsys fs.FS, kind dataflow.Kind) (bool, error) {
	s, err := parse(fsys, "api/v1alpha1/"+strings.ToLower(string(kind))+"_types.go")
	if err != nil {
		return false, err
	}
	spec, ok := s.structs[string(kind)+"Spec"]
	if !ok {
		return false, fmt.Errorf("there is no %sSpec", kind)
	}
	return slices.ContainsFunc(spec.Fields.List, func(f *ast.Field) bool {
		return len(f.Names) == 1 && f.Names[0].Name == "Policy"
	}), nil
}

// handler is what a status handler does when it is asked.
type handler struct {
	panics  bool // it panics, or returns nil, with which its caller panics
	records bool // it copies the place into the status
	expires bool // the operation has a TTL
}

func readHandler(fsys fs.FS, v variant) (h handler, err error) {
	s, err := parseDir(fsys, "pkg/controllers/v1alpha1/"+strings.ToLower(string(v.kind)))
	if err != nil {
		return h, err
	}
	var chosen *ast.CompositeLit
	for name, f := range s.functions {
		switch {
		case strings.HasSuffix(name, ".GetStatusHandler"):
			for _, made := range find[*ast.CompositeLit](branch(f, v.policy)) {
				chosen = made
			}
		case strings.HasSuffix(name, ".GetTTL"):
			h.expires = slices.ContainsFunc(find[*ast.SelectorExpr](branch(f, v.policy)), func(e *ast.SelectorExpr) bool {
				return e.Sel.Name == "TTLSecondsAfterFinished"
			})
		}
	}
	if chosen == nil {
		return h, errors.New("no status handler found")
	}
	name := lastName(chosen.Type)
	f, t := s.functions[name+".GetOperationStatus"], s.structs[name]
	if f == nil || t == nil {
		return h, fmt.Errorf("%s has no GetOperationStatus", name)
	}
	for _, field := range t.Fields.List {
		_, isPointer := field.Type.(*ast.StarExpr)
		isSet := len(field.Names) == 0 || slices.ContainsFunc(chosen.Elts, func(e ast.Expr) bool {
			set, ok := e.(*ast.KeyValueExpr)
			return ok && lastName(set.Key) == field.Names[0].Name
		})
		h.panics = h.panics || isPointer && !isSet
	}
	returns := find[*ast.ReturnStmt](f)
	h.panics = h.panics || !slices.ContainsFunc(returns, func(r *ast.ReturnStmt) bool {
		return len(r.Results) != 2 || lastName(r.Results[0]) != "nil" || lastName(r.Results[1]) != "nil"
	})
	onlyOne := slices.ContainsFunc(find[*ast.BinaryExpr](f), func(b *ast.BinaryExpr) bool {
		one, ok := b.Y.(*ast.BasicLit)
		return b.Op == token.EQL && lastName(b.X) == "Parallelism" && ok && one.Value == "1"
	})
	h.records = s.reaches(f, "GenerateNodeAffinity", map[*ast.FuncDecl]bool{}) && !(v.parallel && onlyOne)
	return h, nil
}

// branch returns the part of a function that runs for a policy: a clause of its switch, or all
// of it if it has none.
func branch(f *ast.FuncDecl, policy string) ast.Node {
	for _, s := range find[*ast.SwitchStmt](f) {
		clauses := s.Body.List
		at := slices.IndexFunc(clauses, func(clause ast.Stmt) bool {
			return slices.ContainsFunc(clause.(*ast.CaseClause).List, func(e ast.Expr) bool { return lastName(e) == policy })
		})
		if at < 0 { // default
			at = slices.IndexFunc(clauses, func(clause ast.Stmt) bool { return clause.(*ast.CaseClause).List == nil })
		}
		for at >= 0 && len(find[*ast.BranchStmt](clauses[at])) > 0 { // fallthrough
			at++
		}
		if at >= 0 {
			return clauses[at]
		}
	}
	return f
}

// reaches reports whether a function calls another one, by itself or through functions of its
// package. A call with a literal false is taken to switch it off.
func (s source) reaches(f *ast.FuncDecl, name string, visited map[*ast.FuncDecl]bool) bool {
	if f == nil || visited[f] {
		return false
	}
	visited[f] = true
	return slices.ContainsFunc(find[*ast.CallExpr](f), func(call *ast.CallExpr) bool {
		if slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return lastName(e) == "false" }) {
			return false
		}
		return lastName(call.Fun) == name || s.reaches(s.functions[lastName(call.Fun)], name, visited)
	})
}

// generators returns the files that make values for the charts of a kind, with what inherits.
func generators(fsys fs.FS, kind dataflow.Kind) (files []string, err error) {
	visit := func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil || !strings.Contains(string(text), "InjectAffinityByRunAfterOp") {
			return err
		}
		s, err := parse(fsys, name)
		if err != nil {
			return err
		}
		for _, f := range s.functions {
			for _, call := range find[*ast.CallExpr](f) {
				if lastName(call.Fun) != "InjectAffinityByRunAfterOp" {
					continue
				}
				// One argument is object.Spec.RunAfter.
				for _, spec := range find[*ast.SelectorExpr](call) {
					if spec.Sel.Name == "Spec" && strings.EqualFold(lastName(spec.X), string(kind)) && !slices.Contains(files, name) {
						files = append(files, name)
					}
				}
			}
		}
		return nil
	}
	return files, errors.Join(fs.WalkDir(fsys, "pkg/ddc", visit), fs.WalkDir(fsys, "pkg/dataprocess", visit))
}

// readInjection reports whether what an operation inherits gets into the values of its chart,
// under keys that Kubernetes knows: gopkg.in/yaml.v2 writes those of the Go fields.
func readInjection(fsys fs.FS, kind dataflow.Kind) (bool, error) {
	files, err := generators(fsys, kind)
	if err != nil {
		return false, err
	}
	for _, chart := range charts(fsys, kind) {
		made := slices.ContainsFunc(files, func(name string) bool {
			return kind == dataflow.DataProcess || strings.HasPrefix(name, "pkg/ddc/"+path.Base(chart)+"/")
		})
		if !made {
			return false, nil
		}
	}
	for _, name := range files {
		s, err := parse(fsys, name)
		if err != nil {
			return false, err
		}
		if slices.Contains(s.imports, "gopkg.in/yaml.v2") {
			return false, nil
		}
	}
	return len(files) > 0, nil
}

// addsAffinity reports whether a parallel operation of a kind has an affinity, whatever its spec.
func addsAffinity(fsys fs.FS, kind dataflow.Kind) (bool, error) {
	files, err := generators(fsys, kind)
	if err != nil {
		return false, err
	}
	s, err := parse(fsys, files...)
	if err != nil {
		return false, err
	}
	for _, f := range s.functions {
		for _, branch := range find[*ast.IfStmt](f) {
			above, ok := branch.Cond.(*ast.BinaryExpr)
			if !ok || above.Op != token.GTR || lastName(above.X) != "Parallelism" {
				continue
			}
			for _, call := range find[*ast.CallExpr](branch.Body) {
				if strings.Contains(lastName(call.Fun), "AntiAffinity") {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// charts returns the charts of a kind, one for each engine.
func charts(fsys fs.FS, kind dataflow.Kind) []string {
	dir := map[dataflow.Kind]string{
		dataflow.DataLoad: "fluid-dataloader", dataflow.DataMigrate: "fluid-datamigrate",
		dataflow.DataProcess: "fluid-dataprocess", dataflow.DataBackup: "fluid-databackup",
	}[kind]
	all, _ := fs.Glob(fsys, "charts/"+dir+"/*/templates")
	for i := range all {
		all[i] = path.Dir(all[i])
	}
	return all
}

// chartFacts is what the charts of a kind make of a variant.
type chartFacts struct {
	runs          bool     // they make a workload that an API server accepts
	rejected      []string // the constraints with which an API server rejects it
	takesAffinity bool     // an affinity reaches the pod
	recorded      bool     // fluidapp records where the Job ran
}

func readCharts(fsys fs.FS, v variant) (facts chartFacts, err error) {
	all := charts(fsys, v.kind)
	if len(all) == 0 {
		return facts, errors.New("it has no charts")
	}
	var seen []chartFacts
	for _, chart := range all {
		for _, script := range []bool{false, true}[:1+btoi(v.kind == dataflow.DataProcess)] {
			facts, err := readChart(fsys, chart, v, script)
			if err != nil {
				return facts, fmt.Errorf("%s: %w", chart, err)
			}
			seen = append(seen, facts)
		}
	}
	facts = seen[0]
	for _, other := range seen {
		// A script has no constraints of its own, and so none that are rejected.
		if other.runs != facts.runs || other.recorded != facts.recorded {
			return facts, fmt.Errorf("its charts do not agree: %+v", seen)
		}
		facts.takesAffinity = facts.takesAffinity && other.takesAffinity
	}
	return facts, nil
}

func readChart(fsys fs.FS, chart string, v variant, script bool) (facts chartFacts, err error) {
	adds, err := addsAffinity(fsys, v.kind)
	if err != nil {
		return facts, err
	}
	try := func(constraint string) (*workload, error) {
		spec := corev1.PodSpec{}
		if v.parallel && adds {
			spec.Affinity = anyAffinity()
		}
		switch constraint {
		case "affinity":
			spec.Affinity = anyAffinity()
		case "nodeSelector":
			spec.NodeSelector = map[string]string{"disk": "ssd"}
		case "tolerations":
			spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
		}
		return install(fsys, chart, "release", values(v, spec, script))
	}
	w, err := try("")
	switch {
	case errors.Is(err, errRejected), err == nil && w == nil:
		return facts, nil
	case err != nil:
		return facts, err
	}
	facts.runs = true
	if facts.recorded, err = isRecorded(fsys, w); err != nil {
		return facts, err
	}
	for _, constraint := range constraints {
		w, err := try(constraint)
		if errors.Is(err, errRejected) {
			facts.rejected = append(facts.rejected, constraint)
			// What is rejected has been injected before.
			facts.takesAffinity = facts.takesAffinity || constraint == "affinity"
			continue
		}
		if err != nil {
			return facts, err
		}
		if constraint == "affinity" {
			facts.takesAffinity = w.pod.Affinity != nil && w.pod.Affinity.NodeAffinity != nil
		}
	}
	return facts, nil
}

// isRecorded reports whether fluidapp records where a Job ran: it skips those with the labels
// that JobShouldInQueue looks at.
func isRecorded(fsys fs.FS, w *workload) (bool, error) {
	if w.job == nil {
		return false, nil
	}
	s, err := parse(fsys, "pkg/ctrl/watch/op_job.go")
	if err != nil {
		return false, err
	}
	f, ok := s.functions["JobShouldInQueue"]
	if !ok {
		return false, errors.New("there is no JobShouldInQueue")
	}
	var skips []string
	for _, l := range find[*ast.BasicLit](f) {
		if text, err := strconv.Unquote(l.Value); err == nil {
			skips = append(skips, text)
		}
	}
	_, cron := w.job.Labels["cronjob"]
	pods, parallel := w.job.Labels["parallelism"]
	return !(cron && slices.Contains(skips, "cronjob")) && !(parallel && pods != "1" && slices.Contains(skips, "parallelism")), nil
}

func anyAffinity() *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpExists}}}},
	}}}
}

// readGeneral reads in a work tree of Fluid what it does with every variant.
func readGeneral(fsys fs.FS) (c general, err error) {
	pieces := map[string]*source{
		"pkg/utils": nil, "pkg/common": nil, "pkg/controllers/v1alpha1/dataflow": nil, "pkg/ddc/base": nil, "cmd/dataset/app": nil, "pkg/dataflow": nil,
		"pkg/dataprocess": nil, "pkg/controllers/v1alpha1/dataprocess": nil,
	}
	for dir := range pieces {
		s, err := parseDir(fsys, dir)
		if err != nil {
			return c, err
		}
		pieces[dir] = &s
	}
	function := func(dir, name string) *ast.FuncDecl {
		f, ok := pieces[dir].functions[name]
		if !ok && err == nil {
			err = fmt.Errorf("%s has no %s", dir, name)
			f = &ast.FuncDecl{Name: ast.NewIdent(name), Type: &ast.FuncType{Params: &ast.FieldList{}}}
		}
		return f
	}

	// It appends to a field of the copy that a range loop has.
	for _, loop := range find[*ast.RangeStmt](function("pkg/utils", "InjectNodeSelectorRequirements")) {
		for _, set := range find[*ast.AssignStmt](loop.Body) {
			field, ok := set.Lhs[0].(*ast.SelectorExpr)
			c.losesRequired = c.losesRequired || ok && loop.Value != nil && lastName(field.X) == lastName(loop.Value)
		}
	}
	c.recordedPrefix = pieces["pkg/common"].constants["AnnotationDataFlowCustomizedAffinityPrefix"]

	// Nothing compares runAfter with nil.
	c.panicsOnRoots = true
	for _, name := range []string{"reconcileOperationDataFlow", "reconcileDataLoad", "reconcileDataMigrate", "reconcileDataProcess", "reconcileDataBackup"} {
		for _, compared := range find[*ast.BinaryExpr](function("pkg/controllers/v1alpha1/dataflow", name)) {
			if strings.EqualFold(lastName(compared.X), "runAfter") && lastName(compared.Y) == "nil" {
				c.panicsOnRoots = false
			}
		}
	}

	// Nor the podSpec.
	c.needsPodSpec = true
	for _, dir := range []string{"pkg/dataprocess", "pkg/controllers/v1alpha1/dataprocess"} {
		for _, f := range pieces[dir].functions {
			for _, compared := range find[*ast.BinaryExpr](f) {
				if lastName(compared.X) == "PodSpec" && lastName(compared.Y) == "nil" {
					c.needsPodSpec = false
				}
			}
		}
	}

	// reconcileComplete begins with the TTL, and that deletes what has none left.
	for name, f := range pieces["pkg/ddc/base"].functions {
		switch {
		case strings.HasSuffix(name, "reconcileComplete"):
			calls := find[*ast.CallExpr](f)
			first := slices.IndexFunc(calls, func(call *ast.CallExpr) bool { return lastName(call.Fun) == "processTTL" })
			update := slices.IndexFunc(calls, func(call *ast.CallExpr) bool { return lastName(call.Fun) == "UpdateOperationApiStatus" })
			c.deletesAtOnce = first >= 0 && first < update
		}
	}
	for _, call := range find[*ast.CallExpr](function("cmd/dataset/app", "handle")) {
		if lastName(call.Fun) != "NewDataFlowReconciler" {
			continue
		}
		for _, l := range find[*ast.BasicLit](call.Args[len(call.Args)-1]) {
			c.lookSeconds, _ = strconv.Atoi(l.Value)
		}
	}
	c.recordsByGate = pieces["pkg/dataflow"].isOff("DataflowAffinity")
	helpers, readErr := fs.ReadFile(fsys, "charts/fluid/fluid/templates/_helpers.tpl")
	rights, rightsErr := fs.ReadFile(fsys, "charts/fluid/fluid/templates/role/fluidapp/rbac.yaml")
	c.rightsByLiteral = strings.Contains(string(helpers), `(eq $key "DataflowAffinity") (eq $value "true")`) &&
		strings.Contains(string(rights), `include "fluid.dataflowAffinity.enabled"`)
	return c, errors.Join(err, readErr, rightsErr)
}

// isOff reports whether a feature gate is off by default.
func (s source) isOff(gate string) bool {
	return slices.ContainsFunc(s.values, func(value ast.Expr) bool {
		return slices.ContainsFunc(find[*ast.KeyValueExpr](value), func(e *ast.KeyValueExpr) bool {
			return lastName(e.Key) == gate && slices.ContainsFunc(find[*ast.KeyValueExpr](e.Value), func(e *ast.KeyValueExpr) bool {
				return lastName(e.Key) == "Default" && lastName(e.Value) == "false"
			})
		})
	})
}
