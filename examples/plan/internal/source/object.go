package source

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kubejson "sigs.k8s.io/json"
)

// Object is one object of a source.
type Object struct {
	Object map[string]any // of map[string]any, []any, string, bool, int64, float64 and nil
	Faults []*Fault       // inside the object: repeated keys, and values that kubectl refuses, which are nil here

	document *document
	path     string // from the root of the document: items[3], or ""
}

// document hands over the objects and the faults of a document with this text, which it copies.
func (r *reader) document(d document, text []byte) {
	if r.stopped {
		return
	}
	d.text = bytes.Clone(text)
	dec := &decoder{reader: r, document: &d}
	value, line, err := dec.value()
	if !dec.failed {
		r.objects(&d, value, dec.found)
	}
	if err != nil {
		r.fault(d.place(line, 0), true, err)
	}
}

// value returns the value of the document, and what is wrong with it in which line. kubectl's decoder
// reads JSON, and says whether there are repeated keys; the nodes say where.
func (d *decoder) value() (value any, line int, err error) {
	if !d.json {
		root, line, err := d.parse()
		if line == 0 && err != nil {
			return d.explain(err)
		} else if root != nil {
			value = d.decode(root, nil)
		}
		return value, line, err
	}
	if err := d.checkCost(); err != nil {
		return nil, 1, err
	}
	repeated, err := kubejson.UnmarshalStrict(d.text, &value, kubejson.DisallowDuplicateFields)
	if err != nil {
		return nil, 1, &DocumentError{err.Error()}
	} else if len(repeated) == 0 {
		return value, 1, nil
	} else if root, _, _ := d.parse(); root != nil {
		d.decode(root, nil)
		return value, 1, nil
	}
	return value, 1, &DocumentError{clip(errors.Join(repeated...).Error(), 1<<10)}
}

var (
	itemPrefix = regexp.MustCompile(`^(items\[\d+\]\.?)*`)

	// identity has the fields that say which objects there are.
	identity = []string{"apiVersion", "kind", "items", "metadata", "metadata.name", "metadata.namespace"}
)

// objects hands over the objects of a value, and the faults that were found in it.
func (r *reader) objects(d *document, value any, found []*Fault) {
	l := list{document: d, byPath: map[string]*Object{}}
	l.add(value, "", "", "")
	var others []*Fault
	for _, f := range found {
		err := f.Err.(*field.Error)
		prefix := itemPrefix.FindString(err.Field)
		if o := l.byPath[strings.TrimSuffix(prefix, ".")]; o != nil {
			err.Field = err.Field[len(prefix):]
			o.Faults = append(o.Faults, f)
		} else {
			others = append(others, f)
		}
		f.Lost = slices.Contains(identity, err.Field)
	}
	for _, o := range l.objects {
		r.step(o, nil)
	}
	for _, f := range others {
		r.step(nil, f)
	}
	for i, at := range Locate(l.wrong...) {
		r.fault(at, true, &DocumentError{l.why[i]})
	}
}

// list has the objects of a document, and the fields that should be objects or lists of them.
type list struct {
	document *document
	objects  []*Object
	byPath   map[string]*Object
	wrong    []Field
	why      []string
}

func (l *list) reject(path, why string) {
	l.wrong = append(l.wrong, Field{&Object{document: l.document}, path})
	l.why = append(l.why, strings.TrimPrefix(path+": "+why, ": "))
}

// add adds an object, or the items of a List. An item that has neither apiVersion nor kind gets the
// given ones.
func (l *list) add(value any, path, apiVersion, kind string) {
	m, isObject := value.(map[string]any)
	word := func(key string) string { s, _ := m[key].(string); return s }
	items, isList := m["items"]
	switch {
	case value == nil && path == "":
	case !isObject:
		l.reject(path, "must be an object, with apiVersion, kind and metadata")
	case !isList:
		if word("apiVersion") == "" && word("kind") == "" && kind != "" {
			m["apiVersion"], m["kind"] = apiVersion, kind
		}
		o := &Object{Object: m, document: l.document, path: path}
		l.objects, l.byPath[path] = append(l.objects, o), o
	default:
		if apiVersion, kind = "", ""; path == "" { // kubectl does it for the outermost List only
			apiVersion, kind = word("apiVersion"), strings.TrimSuffix(word("kind"), "List")
		}
		path = join(path, "items")
		values, ok := items.([]any)
		if !ok && items != nil {
			l.reject(path, "must be a list")
		}
		for i, item := range values {
			l.add(item, path+"["+strconv.Itoa(i)+"]", apiVersion, kind)
		}
	}
}
