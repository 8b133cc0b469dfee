package manifest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// decoder decodes JSON into Go values, strictly: a field that the Go type does not
// have, a value of another type and a key that stands twice are faults. What is
// faulty stays zero, and the rest is decoded.
//
// It knows what the types of kinds.go and those of corev1 below them are made of:
// pointers, structs, slices, maps of strings to strings, strings and signed
// integers, and interfaces that hold a pointer.
type decoder struct {
	structs map[reflect.Type]*structure
	kind    dataflow.Kind // of the operation

	rest    raw    // what is still to be decoded
	path    []step // to there
	faults  []*field.Error
	dropped int // how many faults there were beyond maxErrors
}

// step is one part of the path to a field.
type step struct {
	name  string // of a field, or a key if the field is in a map
	inMap bool
	index int // of an item, if there is no name
}

// open marks a struct that has more fields than those that are read. They are
// passed over, unless they are misspellings of those.
type open struct{}

// foreign marks a struct that others write. It is open, and a field that it does not
// have is never a fault: a newer release may have it.
type foreign struct{}

// keyed marks a map of which some keys are read. It is open too.
type keyed struct{}

// structure is what a decoder knows of a struct type.
type structure struct {
	open, foreign, keyed bool
	names                []string        // JSON names, at most 64
	index                [][]int         // where each stands in the struct
	others               map[string]bool // some of the names that it may have beside them
}

// maxOthers is how many names of a struct's other fields are remembered: more than
// Fluid's have, but not what a hostile manifest can make up.
const maxOthers = 64

func structureOf(t reflect.Type) *structure {
	s := &structure{others: map[string]bool{}}
	for _, f := range reflect.VisibleFields(t) {
		switch f.Type {
		case reflect.TypeFor[open]():
			s.open = true
		case reflect.TypeFor[foreign]():
			s.foreign = true
		case reflect.TypeFor[keyed]():
			s.open, s.keyed = true, true
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			s.names, s.index = append(s.names, name), append(s.index, f.Index)
		}
	}
	return s
}

func (d *decoder) structure(t reflect.Type) *structure {
	s, ok := d.structs[t]
	if !ok {
		s = structureOf(t)
		d.structs[t] = s
	}
	return s
}

// begin makes d ready to decode r, an operation of a kind.
func (d *decoder) begin(r raw, kind dataflow.Kind) {
	d.kind, d.rest, d.path, d.faults, d.dropped = kind, r, d.path[:0], nil, 0
}

func (d *decoder) reject(fault *field.Error) {
	if len(d.faults) == maxErrors {
		d.dropped++
		return
	}
	d.faults = append(d.faults, fault)
}

// faultyIn reports whether a fault was found at the path or below it.
func (d *decoder) faultyIn(path *field.Path) bool {
	return len(d.faults) > 0 && slices.ContainsFunc(d.faults, func(fault *field.Error) bool {
		return fielderror.Within(fault.Field, path.String())
	})
}

// at returns the path to what is being decoded.
func (d *decoder) at() *field.Path {
	var path *field.Path
	for _, s := range d.path {
		switch {
		case s.inMap:
			path = path.Key(excerpt(s.name))
		case s.name != "":
			path = path.Child(excerpt(s.name))
		default:
			path = path.Index(s.index)
		}
	}
	return path
}

// take returns the value that comes next.
func (d *decoder) take() raw {
	value := first(d.rest)
	d.rest = d.rest[len(value):]
	return value
}

// more reports whether anything comes before the given end of a list or object,
// which it takes.
func (d *decoder) more(end byte) bool {
	d.rest = skip(d.rest)
	if d.rest[0] != end {
		return true
	}
	d.rest = d.rest[1:]
	return false
}

// opens takes the given start of a list or object of type t. If something else comes
// next, that is a fault, except for null.
func (d *decoder) opens(start byte, t reflect.Type) bool {
	if d.rest[0] != start {
		d.wrongType(t)
		return false
	}
	d.rest = d.rest[1:]
	return true
}

// wrongType rejects the value that comes next because it is of no type that t accepts,
// except for null, which an API server takes for nothing.
func (d *decoder) wrongType(t reflect.Type) {
	if value := d.take(); !value.null() {
		detail := "must be " + d.accepted(t) + d.remedy(t, value)
		d.reject(field.TypeInvalid(d.at(), excerpted(excerpt(string(value))), detail))
	}
}

// accepted says what a value of type t must be.
func (d *decoder) accepted(t reflect.Type) string {
	const object, objects = "an object", "a list of objects"
	switch t.Kind() {
	case reflect.Pointer:
		return d.accepted(t.Elem())
	case reflect.Struct:
		if s := d.structure(t); !s.open && !s.foreign {
			return object + " with " + strings.Join(s.names, ", ")
		}
		return object
	case reflect.Map:
		return object
	case reflect.Slice:
		if fields, ok := strings.CutPrefix(d.accepted(t.Elem()), object); ok {
			return objects + fields
		}
		return "a list"
	case reflect.String:
		return "a string"
	}
	return fmt.Sprintf("a whole number of %d bits", t.Bits())
}

// remedy says what to do about a value that should be of type t, if that is plain.
func (d *decoder) remedy(t reflect.Type, value raw) string {
	switch t.Kind() {
	case reflect.Struct:
		// The name comes first where it is a label key, and says most of what is meant.
		key := textOf(value)
		if s := d.structure(t); !s.open && !s.foreign && slices.Index(s.names, "name") == 0 && labelsyntax.IsKey(key) {
			return "; write name: " + key
		}
	case reflect.String:
		switch {
		case value.isObject() || value.isArray():
		case value[0] == 't' || value[0] == 'f':
			return "; quote it (unquoted, YAML takes y, yes, on, n, no and off for true and false)"
		default:
			return "; quote it"
		}
	case reflect.Int32, reflect.Int64:
		if _, err := strconv.ParseInt(textOf(value), 10, t.Bits()); err == nil {
			return "; remove the quotes"
		}
	}
	return ""
}

// decode decodes what comes next into a zero value.
func (d *decoder) decode(into reflect.Value) {
	switch into.Kind() {
	case reflect.Interface:
		d.decode(into.Elem().Elem())
	case reflect.Pointer:
		isStruct := into.Type().Elem().Kind() == reflect.Struct
		if d.rest.null() || isStruct && !d.rest.isObject() {
			d.wrongType(into.Type())
			return
		}
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(into.Elem())
	case reflect.Struct:
		d.decodeStruct(into)
	case reflect.Map:
		d.decodeMap(into)
	case reflect.Slice:
		d.decodeSlice(into)
	case reflect.String:
		if !d.rest.isString() {
			d.wrongType(into.Type())
			return
		}
		into.SetString(string(d.take().text()))
	default:
		value := first(d.rest)
		n, err := strconv.ParseInt(string(value), 10, into.Type().Bits())
		if err != nil {
			d.wrongType(into.Type())
			return
		}
		into.SetInt(n)
		d.take()
	}
}

func (d *decoder) decodeStruct(into reflect.Value) {
	if !d.opens('{', into.Type()) {
		return
	}
	s := d.structure(into.Type())
	var seen uint64 // bit i: names[i]
	depth := len(d.path)
	for d.more('}') {
		name := d.take().text()
		d.rest = skip(d.rest)
		i := slices.IndexFunc(s.names, func(known string) bool { return known == string(name) })
		if i < 0 {
			if value := d.take(); !s.others[string(name)] {
				d.unknown(s, string(name), value)
			}
			continue
		}
		d.path = append(d.path, step{name: s.names[i], inMap: s.keyed})
		if seen&(1<<i) != 0 {
			d.duplicate()
		} else {
			seen |= 1 << i
			d.decode(into.FieldByIndex(s.index[i]))
		}
		d.path = d.path[:depth]
	}
}

func (d *decoder) decodeMap(into reflect.Value) {
	if !d.opens('{', into.Type()) {
		return
	}
	m := map[string]string{}
	into.Set(reflect.ValueOf(m))
	depth := len(d.path)
	for d.more('}') {
		key := string(d.take().text())
		d.rest = skip(d.rest)
		d.path = append(d.path, step{name: key, inMap: true})
		if _, ok := m[key]; ok {
			d.duplicate()
		} else {
			var value string
			d.decode(reflect.ValueOf(&value).Elem())
			m[key] = value
		}
		d.path = d.path[:depth]
	}
}

func (d *decoder) decodeSlice(into reflect.Value) {
	if !d.opens('[', into.Type()) {
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), 0, 1))
	depth := len(d.path)
	for i := 0; d.more(']'); i++ {
		d.path = append(d.path, step{index: i})
		into.Grow(1)
		into.SetLen(i + 1)
		d.decode(into.Index(i))
		d.path = d.path[:depth]
	}
}

// duplicate rejects what comes next because its key has stood before.
func (d *decoder) duplicate() {
	d.reject(field.Duplicate(d.at(), excerpted(excerpt(string(d.take())))))
}

// misspells reports whether an unknown name was probably meant to be one that s has:
// up to two letters, in words that are not short, and any cases may differ. It is
// stricter than [typo.Nearest], because in an open struct the name may well be right.
func (s *structure) misspells(name string) bool {
	for _, known := range s.names {
		if len(name)-len(known) <= 2 && len(known)-len(name) <= 2 && withinEdits(strings.ToLower(name), strings.ToLower(known), 2) {
			_, ok := typo.Nearest(name, known)
			return ok
		}
	}
	return false
}

// withinEdits reports whether a and b differ by at most so many inserted, deleted or
// replaced bytes. Two neighbours that are swapped are two, while [typo.Nearest] counts
// one: it would take more of the other fields for misspellings.
func withinEdits(a, b string, edits int) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case a == "" || b == "":
		return len(a)+len(b) <= edits
	case edits == 0:
		return false
	}
	return withinEdits(a[1:], b, edits-1) || withinEdits(a, b[1:], edits-1) || withinEdits(a[1:], b[1:], edits-1)
}

// unknownField is the value of every fault that is about a field that does not
// exist: the field itself is the mistake.
const unknownField = excerpted("unknown field")

// unknown rejects a field that s does not have, unless s may have it, and it is
// neither a misspelling nor one that belongs elsewhere.
func (d *decoder) unknown(s *structure, name string, value raw) {
	if s.foreign {
		return
	}
	belongs, known := home(d.kind, name)
	misplaced := known && !s.keyed && !(s.open && value.null())
	if s.open && !misplaced && !s.misspells(name) {
		if len(s.others) < maxOthers && !known {
			s.others[name] = true
		}
		return
	}
	path := d.at().Child(excerpt(name))
	if s.keyed {
		path = d.at().Key(excerpt(name))
	}
	fault := field.Forbidden(path, "no such field")
	fault.BadValue = unknownField
	switch {
	case misplaced && belongs != "":
		fault.Detail += "; it belongs in " + belongs
	case misplaced:
		fault.Detail += "; a " + string(d.kind) + " has none"
	default:
		if !s.open {
			fault.Detail += "; must be one of " + strings.Join(s.names, ", ")
		}
		fault.Detail += typo.Hint(name, s.names...)
	}
	d.reject(fault)
}

// excerpted is a piece of a manifest, which errors print as it is.
type excerpted string

func (e excerpted) String() string { return string(e) }

// MarshalJSON fails: newer releases of apimachinery print a value as JSON if they can, and
// would quote what is quoted already.
func (e excerpted) MarshalJSON() ([]byte, error) { return nil, errors.New("an excerpt is no JSON") }

// excerpt shortens s to what an error can show.
func excerpt(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
