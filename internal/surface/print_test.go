package surface

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Printing a value with %+v, and encoding it as JSON, shows every exported field of it. A
// type with a text form of its own shows the values of the fields.
func TestExportedStructsCanBePrinted(t *testing.T) {
	samples := map[string]any{}
	for _, sample := range []any{
		topology.LabelSet{},
		affinity.ConflictError{}, affinity.Matcher{}, affinity.PreferredLabel{}, affinity.Refusal{}, affinity.RequiredLabel{},
		affinity.Result{}, affinity.Strategy{},
		dataflow.Basis{}, dataflow.ContradictionError{}, dataflow.CycleError{}, dataflow.Decision{}, dataflow.ForecastOptions{},
		dataflow.Group{}, dataflow.LookaheadResult{}, dataflow.Observation{}, dataflow.Operation{}, dataflow.OperationError{},
		dataflow.Problem{}, dataflow.Ref{}, dataflow.Resolution{}, dataflow.RunAfter{}, dataflow.Strand{},
		dataflow.StrandedError{}, dataflow.UnknownOperationError{},
	} {
		samples[fmt.Sprintf("%T", sample)] = sample
	}
	for _, name := range exportedStructs(t, "topology", "affinity", "dataflow") {
		switch name {
		case "dataflow.Flow", "dataflow.Forecast", "dataflow.NodeIndex":
			continue // no exported fields, and no copies: they hold locks
		}
		sample, ok := samples[name]
		if !ok {
			t.Errorf("%s is not among the samples", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			value := reflect.New(reflect.TypeOf(sample)).Elem()
			number := 0
			fill(value, &number)
			checkPrinted(t, value)
			checkJSON(t, value)
		})
	}
}

// exportedStructs returns the exported struct types of packages.
func exportedStructs(t *testing.T, packages ...string) []string {
	var names []string
	for _, name := range packages {
		files, err := filepath.Glob(filepath.Join("..", "..", name, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal("no package in ", name, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
					if _, ok := spec.Type.(*ast.StructType); ok {
						names = append(names, name+"."+spec.Name.Name)
					}
				}
				return true
			})
		}
	}
	return names
}

// fill sets the exported fields of a value, and of the values in it, to values that differ
// from each other and from zero. It leaves the types of Kubernetes as they are.
func fill(v reflect.Value, number *int) {
	*number++
	switch set := v.Addr().Interface().(type) {
	case *topology.LabelSet:
		*set = topology.NewLabelSet(map[string]string{fmt.Sprint("key-", *number): "v"})
		return
	case *error:
		*set = fmt.Errorf("error-%d", *number)
		return
	case **field.Error:
		*set = field.Invalid(field.NewPath("spec"), "v", "invalid")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text-", *number))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(1000 + *number))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), number)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), number)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, number)
		fill(elem, number)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		if strings.HasPrefix(v.Type().PkgPath(), "k8s.io/") {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), number)
			}
		}
	}
}

// fields calls visit for each exported field of a struct, and of the structs embedded in it.
func fields(v reflect.Value, visit func(f reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		switch f := v.Type().Field(i); {
		case f.Anonymous && f.Tag.Get("json") == "":
			fields(v.Field(i), visit)
		case f.IsExported():
			visit(f, v.Field(i))
		}
	}
}

func checkPrinted(t *testing.T, v reflect.Value) {
	text := fmt.Sprintf("%+v", v.Interface())
	_, hasText := v.Interface().(fmt.Stringer)
	fields(v, func(f reflect.StructField, v reflect.Value) {
		switch {
		case !hasText && !strings.Contains(text, f.Name+":"):
			t.Errorf("%%+v does not show %s: %s", f.Name, text)
		case hasText && v.Kind() == reflect.String && !strings.Contains(text, v.String()):
			t.Errorf("%%+v does not show the value of %s: %s", f.Name, text)
		}
	})
}

func checkJSON(t *testing.T, v reflect.Value) {
	data, err := json.Marshal(v.Interface())
	if _, ok := v.Interface().(dataflow.ForecastOptions); ok {
		// JSON has no map with structs as keys. An error, whose type differs between releases of
		// Go, is better than a field that is lost.
		if err == nil {
			t.Errorf("JSON of ForecastOptions: %s", data)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	fields(v, func(f reflect.StructField, v reflect.Value) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if _, ok := object[name]; !ok && v.Kind() != reflect.Func {
			t.Errorf("JSON does not show %s as %q: %s", f.Name, name, data)
		}
	})
}
