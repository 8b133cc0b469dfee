// Package strict reads objects of the Kubernetes API in their untyped form, as
// unstructured.Unstructured.Object holds them, and reports every fault with its path.
//
// An object is made of string, bool, int64, float64, nil, []any and map[string]any; numbers may
// also be int, int32 and json.Number. It is never written to. A value that is not read is not
// traversed either, so that the depth of an object does not matter.
package strict

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

// Fault is one fault of an object.
type Fault struct {
	Code dataflow.Code
	Path []string // names of fields, keys of maps, and indices of lists in decimal
	Err  *field.Error
}

// MaxFaults is how many faults of one object a Reader lists.
const MaxFaults = 100

// Reader collects the faults of one object.
type Reader struct {
	Faults  []*Fault
	Omitted int // the number of faults beyond MaxFaults

	// Explain, if it is not nil, says what to do about a field, with its value, that an
	// object of a shape does not have. ok is false if it does not know, which is a fault
	// only in an object that has no other fields.
	Explain func(s *Shape, name string, value any) (detail string, ok bool)

	shapes map[reflect.Type]*Shape
}

// Count returns how many faults there are.
func (r *Reader) Count() int { return len(r.Faults) + r.Omitted }

// Value is a value in an object, and where it is. Its path becomes a string only if there is a
// fault.
type Value struct {
	*Reader
	Raw any // nil if the value is absent

	parent     *Value // nil for the object itself
	how        access
	name       string // of a field, or the key of an entry
	index      int    // of an item
	incomplete bool   // an object with fields that do not exist: what is missing may be one of these
}

// access says what leads from the parent to a value.
type access byte

const (
	toField access = iota // of an object
	toEntry               // of a map
	toItem                // of a list
)

// Read returns an object as a value.
func Read(object map[string]any) Value { return Value{Reader: &Reader{}, Raw: object} }

// Get returns a field of an object.
func (v *Value) Get(name string) Value { return v.child(toField, name) }

// Entry returns an entry of a map.
func (v *Value) Entry(key string) Value { return v.child(toEntry, key) }

func (v *Value) child(how access, name string) Value {
	fields, _ := v.Raw.(map[string]any)
	return Value{Reader: v.Reader, Raw: fields[name], parent: v, how: how, name: name}
}

// Item returns an item of a list.
func (v *Value) Item(i int) Value {
	item := Value{Reader: v.Reader, parent: v, how: toItem, index: i}
	if items, _ := v.Raw.([]any); i < len(items) {
		item.Raw = items[i]
	}
	return item
}

// Path returns the path in both of its forms. Odd keys are quoted in the second.
func (v *Value) Path() ([]string, *field.Path) {
	if v.parent == nil {
		return nil, nil
	}
	tokens, path := v.parent.Path()
	switch v.how {
	case toField:
		return append(tokens, v.name), path.Child(v.name)
	case toEntry:
		return append(tokens, v.name), path.Key(printable(v.name))
	default:
		return append(tokens, strconv.Itoa(v.index)), path.Index(v.index)
	}
}

// Reject reports a fault of the value. It sets the Field of the fault, and shortens its BadValue.
func (v Value) Reject(code dataflow.Code, fault *field.Error) {
	if len(v.Faults) == MaxFaults {
		v.Omitted++
		return
	}
	tokens, path := v.Path()
	fault.Field = path.String()
	fielderror.Shorten(fault)
	v.Faults = append(v.Faults, &Fault{code, tokens, fault})
}

// Invalid reports a value that is not accepted.
func (v Value) Invalid(bad any, detail string) {
	v.Reject(dataflow.CodeInvalid, field.Invalid(nil, bad, detail))
}

// WrongType reports a value that is not of the accepted type. An absent value is no fault.
func (v Value) WrongType(accepted string) {
	bad := v.Raw
	switch v.Raw.(type) {
	case nil:
		return
	case map[string]any:
		bad = "object"
	case []any:
		bad = "array"
	case bool, string, json.Number, int, int32, int64, float64:
	default:
		bad = fmt.Sprintf("%T", v.Raw)
	}
	v.Reject(dataflow.CodeInvalid, field.TypeInvalid(nil, bad, "must be "+accepted))
}

// Require reports a string that is absent or empty.
func (v Value) Require(meaning string) {
	if (v.Raw == nil || v.Raw == "") && !v.parent.incomplete {
		v.Reject(dataflow.CodeInvalid, field.Required(nil, meaning))
	}
}

// Text returns a string, and "" if there is none.
func (v Value) Text() string {
	s, ok := v.Raw.(string)
	if ok {
		return s
	}
	accepted := "a string"
	switch v.Raw.(type) {
	case bool:
		accepted += "; quote it (unquoted, YAML reads y, yes, on, n, no and off as true and false)"
	case int, int32, int64, float64, json.Number:
		accepted += "; quote it"
	}
	v.WrongType(accepted)
	return ""
}

// Integer returns a whole number of so many bits. ok is false if there is none.
func (v Value) Integer(bits int) (n int64, ok bool) {
	if n, ok = Whole(v.Raw); ok && n>>(bits-1) == n>>63 {
		return n, true
	}
	accepted := fmt.Sprintf("a whole number of %d bits", bits)
	s, _ := v.Raw.(string)
	if _, err := strconv.ParseInt(s, 10, bits); err == nil {
		accepted += "; remove the quotes"
	}
	v.WrongType(accepted)
	return 0, false
}

// Whole returns a whole number. ok is false if raw is none.
func Whole(raw any) (n int64, ok bool) {
	switch raw := raw.(type) {
	case int:
		return int64(raw), true
	case int32:
		return int64(raw), true
	case int64:
		return raw, true
	case float64:
		return int64(raw), raw == math.Trunc(raw) && math.Abs(raw) < 1<<63
	case json.Number:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// Each ranges over the items of a list. It returns false if there is no list.
func (v Value) Each(do func(i int, item Value)) bool {
	items, ok := v.Raw.([]any)
	if !ok {
		v.WrongType("a list")
	}
	for i := range items {
		if item := v.Item(i); item.Raw == nil {
			item.Invalid("null", "must not be null; remove the item")
		} else {
			do(i, item)
		}
	}
	return ok
}

// Keys returns the keys of a map that have a value, sorted. ok is false if there is no map.
func (v Value) Keys() (keys []string, ok bool) {
	fields, ok := v.Raw.(map[string]any)
	if !ok {
		v.WrongType("an object")
		return nil, false
	}
	keys = make([]string, 0, len(fields))
	for key, raw := range fields {
		if raw != nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, true
}

// printable returns a key as it is, or if it cannot be shown or is longer than a label key can
// be, an excerpt in quotes.
func printable(key string) string {
	isOdd := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == '[' || r == ']' }
	if key == "" || len(key) > 317 || strings.ContainsFunc(key, isOdd) {
		return strconv.Quote(fielderror.Excerpt(key))
	}
	return key
}
