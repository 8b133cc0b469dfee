package strict

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// Shape holds the names of the fields that an object has.
type Shape struct {
	Fields []string

	// Read is nil for an object that has no other fields than these. Other objects get new
	// fields in newer releases: there a field that does not exist is a fault only if it is
	// a misspelling of one of these, or belongs elsewhere.
	Read []string
}

// Closed returns the shape of an object that has no other fields than those listed, separated by
// blanks.
func Closed(fields string) *Shape { return &Shape{strings.Fields(fields), nil} }

// Open returns the shape of an object that may have other fields in newer releases.
func Open(fields, read string) *Shape { return &Shape{strings.Fields(fields), strings.Fields(read)} }

// Object checks the fields of an object. It returns false if there is no object, which is a fault
// unless the value is absent.
func (v *Value) Object(s *Shape) bool {
	fields, ok := v.Raw.(map[string]any)
	if !ok {
		accepted := "an object"
		if s.Read == nil && len(s.Fields) < 10 {
			accepted += " with " + strings.Join(s.Fields, ", ")
		}
		if key, _ := v.Raw.(string); s.Fields[0] == "name" && labelsyntax.IsKey(key) {
			accepted += "; write name: " + fielderror.Excerpt(key) // for requires: [zone]
		}
		v.WrongType(accepted)
		return false
	}
	var unknown []string
	for name := range fields {
		if !slices.Contains(s.Fields, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	before := v.Count()
	for _, name := range unknown {
		v.rejectUnknown(s, name)
	}
	v.incomplete = v.Count() > before
	return true
}

// rejectUnknown reports a field that a shape does not have.
func (v *Value) rejectUnknown(s *Shape, name string) {
	if len(v.Faults) == MaxFaults && s.Read == nil {
		v.Omitted++ // its explanation is not listed
		return
	}
	at := v.Get(name)
	detail, ok := "", false
	if v.Explain != nil {
		detail, ok = v.Explain(s, name, at.Raw)
	}
	if !ok && s.Read != nil {
		return
	}
	if !ok {
		detail = "must be one of " + strings.Join(s.Fields, ", ")
	}
	if strings.ContainsAny(name, ".[]") || printable(name) != name {
		at.how = toEntry
	}
	at.Reject(dataflow.CodeUnknownField, field.Forbidden(nil, "no such field; "+detail))
}

// Nearest returns the field that a name probably misspells.
func (s *Shape) Nearest(name string) (meant string, ok bool) {
	if s.Read != nil {
		return typo.Nearest(name, s.Read...)
	}
	return typo.Nearest(name, s.Fields...)
}

// Decode decodes the value into what into points to: structs, whose fields have the names of
// their JSON tags and which have no other fields, pointers, slices, maps of strings, strings and
// integers. Interfaces are left alone. What is faulty stays zero.
func (v Value) Decode(into any) { v.decode(reflect.ValueOf(into).Elem()) }

func (v Value) decode(into reflect.Value) {
	if v.Raw == nil {
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if s := v.shapeOf(into.Type()); v.Object(s) {
			for i, name := range s.Fields {
				v.Get(name).decode(into.Field(i))
			}
		}
	case reflect.Pointer:
		before, target := v.Count(), reflect.New(into.Type().Elem())
		v.decode(target.Elem())
		if _, isObject := v.Raw.(map[string]any); isObject || v.Count() == before {
			into.Set(target)
		}
	case reflect.Slice:
		items, _ := v.Raw.([]any)
		all := reflect.MakeSlice(into.Type(), len(items), len(items))
		if v.Each(func(i int, item Value) { item.decode(all.Index(i)) }) {
			into.Set(all)
		}
	case reflect.Map:
		keys, ok := v.Keys()
		if ok {
			into.Set(reflect.MakeMapWithSize(into.Type(), len(keys)))
		}
		for _, key := range keys {
			before, entry := v.Count(), v.Entry(key)
			if s := entry.Text(); v.Count() == before {
				into.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(s))
			}
		}
	case reflect.String:
		into.SetString(v.Text())
	case reflect.Int32, reflect.Int64:
		n, _ := v.Integer(into.Type().Bits())
		into.SetInt(n)
	}
}

// shapeOf returns the shape of a struct type.
func (r *Reader) shapeOf(t reflect.Type) *Shape {
	s, ok := r.shapes[t]
	if !ok {
		s = &Shape{Fields: make([]string, t.NumField())}
		for i := range s.Fields {
			s.Fields[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
		}
		if r.shapes == nil {
			r.shapes = map[reflect.Type]*Shape{}
		}
		r.shapes[t] = s
	}
	return s
}
