package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// decoder decodes JSON into Go values, strictly: a field that the Go type does not
// have, a value of another type and a key that stands twice are faults. What is
// faulty stays zero, and the rest is decoded.
//
// It knows what the types of kinds.go and those of corev1 below them are made of:
// pointers, structs, slices, maps of strings, strings and signed integers.
type decoder struct {
	structs map[reflect.Type]structure
	faults  []*field.Error // at most maxErrors
	dropped int            // further faults
}

// open marks a struct that has more fields than those that are read. They are
// passed over, unless they are misspellings of those.
type open struct{}

// keyed marks a map of which some keys are read. It is open too.
type keyed struct{}

// structure is what a decoder knows of a struct type.
type structure struct {
	open, keyed bool
	names       []string // JSON names, at most 64
	index       [][]int  // where each stands in the struct
}

func structureOf(t reflect.Type) structure {
	var s structure
	for _, f := range reflect.VisibleFields(t) {
		switch f.Type {
		case reflect.TypeFor[open]():
			s.open = true
		case reflect.TypeFor[keyed]():
			s.open, s.keyed = true, true
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			s.names, s.index = append(s.names, name), append(s.index, f.Index)
		}
	}
	return s
}

// child returns the path of a field of the struct.
func (s structure) child(path *field.Path, name string) *field.Path {
	if s.keyed {
		return path.Key(name)
	}
	return path.Child(name)
}

func (d *decoder) structure(t reflect.Type) structure {
	s, ok := d.structs[t]
	if !ok {
		s = structureOf(t)
		d.structs[t] = s
	}
	return s
}

func (d *decoder) reject(fault *field.Error) {
	if len(d.faults) == maxErrors {
		d.dropped++
		return
	}
	d.faults = append(d.faults, fault)
}

// decode decodes r into a zero value. Null leaves it zero, as an API server does.
func (d *decoder) decode(path *field.Path, r raw, into reflect.Value) {
	if r.null() {
		return
	}
	if into.Type() == reflect.TypeFor[raw]() {
		into.SetBytes(r)
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(path, r, into.Elem())
	case reflect.Struct:
		d.decodeStruct(path, r, into)
	case reflect.Map:
		d.decodeMap(path, r, into)
	case reflect.Slice:
		d.decodeSlice(path, r, into)
	case reflect.String:
		if !r.isString() {
			d.reject(wrongType(path, r, "a string"))
			return
		}
		into.SetString(string(r.text()))
	default: // an integer
		n, err := strconv.ParseInt(string(r), 10, into.Type().Bits())
		if err != nil {
			d.reject(wrongType(path, r, fmt.Sprintf("a whole number of %d bits", into.Type().Bits())))
			return
		}
		into.SetInt(n)
	}
}

func (d *decoder) decodeStruct(path *field.Path, r raw, into reflect.Value) {
	if !r.isObject() {
		d.reject(wrongType(path, r, "an object"))
		return
	}
	s := d.structure(into.Type())
	var seen uint64 // bit i: names[i]
	for key, value := range r.members() {
		name := key.text()
		i := slices.IndexFunc(s.names, func(known string) bool { return known == string(name) })
		switch {
		case i < 0:
			if nearest := s.misspelt(string(name)); !s.open || nearest != "" {
				d.reject(s.unknown(path, string(name)))
			}
		case seen&(1<<i) != 0:
			d.reject(duplicate(s.child(path, s.names[i]), value))
		default:
			seen |= 1 << i
			d.decode(s.child(path, s.names[i]), value, into.FieldByIndex(s.index[i]))
		}
	}
}

func (d *decoder) decodeMap(path *field.Path, r raw, into reflect.Value) {
	if !r.isObject() {
		d.reject(wrongType(path, r, "an object"))
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for key, value := range r.members() {
		name := reflect.ValueOf(string(key.text()))
		path := path.Key(excerpt(name.String()))
		if into.MapIndex(name).IsValid() {
			d.reject(duplicate(path, value))
			continue
		}
		element := reflect.New(into.Type().Elem()).Elem()
		d.decode(path, value, element)
		into.SetMapIndex(name, element)
	}
}

func (d *decoder) decodeSlice(path *field.Path, r raw, into reflect.Value) {
	if !r.isArray() {
		d.reject(wrongType(path, r, "a list"))
		return
	}
	n := 0
	for range r.elements() {
		n++
	}
	into.Set(reflect.MakeSlice(into.Type(), n, n))
	for i, element := range r.elements() {
		d.decode(path.Index(i), element, into.Index(i))
	}
}

// misspelt returns the name that the unknown name was probably meant to be: up to
// two letters, of at least three each, and any cases may differ. It is stricter
// than [typo.Nearest], because in an open struct the name may well be right.
func (s structure) misspelt(name string) string {
	nearest, ok := typo.Nearest(name, s.names...)
	if !ok || !within(strings.ToLower(name), strings.ToLower(nearest), 2) {
		return ""
	}
	return nearest
}

// within reports whether a and b differ by at most so many inserted, deleted or
// replaced bytes.
func within(a, b string, edits int) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case a == "" || b == "":
		return len(a)+len(b) <= edits
	case edits == 0:
		return false
	}
	return within(a[1:], b, edits-1) || within(a, b[1:], edits-1) || within(a[1:], b[1:], edits-1)
}

// unknownField is the value of every fault that is about a field that does not
// exist: the field itself is the mistake.
const unknownField = excerpted("unknown field")

func (s structure) unknown(path *field.Path, name string) *field.Error {
	name = excerpt(name)
	fault := field.Forbidden(s.child(path, name), "")
	fault.BadValue = unknownField
	fault.Detail = "no such field"
	if !s.open {
		fault.Detail += ", but " + strings.Join(s.names, ", ")
	}
	fault.Detail += typo.Hint(name, s.names...)
	return fault
}

func wrongType(path *field.Path, value raw, accepted string) *field.Error {
	return field.TypeInvalid(path, excerpted(excerpt(string(value))), "must be "+accepted)
}

func duplicate(path *field.Path, value raw) *field.Error {
	return field.Duplicate(path, excerpted(excerpt(string(value))))
}

// excerpted is a piece of a manifest, which errors print as it is.
type excerpted string

func (e excerpted) String() string { return string(e) }

// excerpt shortens s to what an error can show.
func excerpt(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
