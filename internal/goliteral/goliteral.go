// Package goliteral writes values of Kubernetes' and slipstream's types as Go code, for failures of the
// test kits that people paste into a test.
package goliteral

import (
	"fmt"
	"go/format"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// names are the names by which packages are imported, where that is not the last part of the path.
var names = map[string]string{
	"k8s.io/api/core/v1":                   "corev1",
	"k8s.io/apimachinery/pkg/apis/meta/v1": "metav1",
}

// Assign returns the statement that declares a variable with a value. A nil pointer, map or slice is
// declared by its type.
func Assign(name string, value any) string {
	v := reflect.ValueOf(value)
	if isNil(v) {
		return "var " + name + " " + typeName(v.Type())
	}
	return name + " := " + Of(value)
}

// Of returns the Go expression of a value. Fields that are zero are left out. It is for structs, slices,
// maps, pointers, strings, numbers and bools; it does not look for cycles.
func Of(value any) string { return write(reflect.ValueOf(value), false) }

// Format formats statements as gofmt does.
func Format(statements ...string) string {
	code := strings.Join(statements, "\n") + "\n"
	if formatted, err := format.Source([]byte(code)); err == nil {
		return string(formatted)
	}
	return code
}

// write writes a value. In a list the type of an element is known, and elided.
func write(v reflect.Value, elided bool) string {
	switch known := v.Interface().(type) {
	case topology.LabelSet:
		if known.Len() == 0 {
			return "topology.LabelSet{}"
		}
		return "topology.NewLabelSet(" + Of(maps.Collect(known.All())) + ")"
	case resource.Quantity:
		return fmt.Sprintf("resource.MustParse(%q)", known.String())
	}
	name := ""
	if !elided {
		name = typeName(v.Type())
	}
	var elements []string
	switch v.Kind() {
	case reflect.Pointer:
		switch {
		case v.IsNil():
			return "nil"
		case v.Elem().Kind() != reflect.Struct:
			return fmt.Sprintf("func() %s { v := %s(%s); return &v }()", typeName(v.Type()), typeName(v.Type().Elem()), Of(v.Elem().Interface()))
		case elided:
			return write(v.Elem(), true)
		}
		return "&" + write(v.Elem(), false)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				elements = append(elements, v.Type().Field(i).Name+": "+write(f, false))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return "nil"
		}
		for i := range v.Len() {
			elements = append(elements, write(v.Index(i), true))
		}
	case reflect.Map:
		if v.IsNil() {
			return "nil"
		}
		for entries := v.MapRange(); entries.Next(); {
			elements = append(elements, write(entries.Key(), true)+": "+write(entries.Value(), true))
		}
		slices.Sort(elements)
	case reflect.String:
		return strconv.Quote(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
	return name + list(elements)
}

// list returns the elements of a composite literal: on one line if they are short, else each on a line
// of its own.
func list(elements []string) string {
	all := strings.Join(elements, ", ")
	if len(elements) > 1 && (len(all) > 80 || strings.Contains(all, "\n")) {
		all = "\n" + strings.Join(elements, ",\n") + ",\n"
	}
	return "{" + all + "}"
}

func isNil(v reflect.Value) bool {
	kind := v.Kind()
	return (kind == reflect.Pointer || kind == reflect.Map || kind == reflect.Slice) && v.IsNil()
}

// typeName returns the name of a type as a file writes it that imports its package.
func typeName(t reflect.Type) string {
	switch {
	case t.Name() != "" && t.PkgPath() == "":
		return t.Name()
	case t.Name() != "":
		name, ok := names[t.PkgPath()]
		if !ok {
			name = path.Base(t.PkgPath())
		}
		return name + "." + t.Name()
	case t.Kind() == reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + typeName(t.Elem())
	}
	return "*" + typeName(t.Elem()) // the kits have no other types without a name
}
