package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// reader reads one stream.
type reader struct {
	file      string
	manifests Manifests
	documents int     // how many there were
	decoder   decoder // of every operation
	faults    []placed
	unlisted  int // how many further faults there were
}

type placed struct {
	Place
	error
}

func newReader(file string) *reader {
	return &reader{file: file, decoder: decoder{structs: map[reflect.Type]*structure{}}}
}

// readAll reads every document. The error is that of r.
func (in *reader) readAll(r io.Reader) error {
	split, ahead := newSplitter(r), newAhead()
	defer ahead.end()
	for {
		d, err := split.next()
		if err != nil {
			for p := range ahead.rest() {
				in.document(p)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for p := range ahead.add(d) {
			in.document(p)
		}
	}
}

// fault records an error.
func (in *reader) fault(place Place, err error) {
	if len(in.faults) == maxErrors {
		in.unlisted++
		return
	}
	in.faults = append(in.faults, placed{place, err})
}

func (in *reader) reject(place Place, err error) { in.fault(place, &DocumentError{place, err}) }

// sortedErrors returns the recorded errors by their places.
func (in *reader) sortedErrors() []error {
	slices.SortStableFunc(in.faults, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.Document, b.Document), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, len(in.faults))
	for i, f := range in.faults {
		errs[i] = f.error
	}
	return errs
}

// begin starts the next document and returns its place.
func (in *reader) begin(line int) Place {
	in.documents++
	return Place{in.file, in.documents, line}
}

func (in *reader) document(p *parsed) {
	d := &p.document
	if p.done == nil { // else it was checked already
		if err := checkText(d); err != nil {
			in.reject(in.begin(d.line+err.line), err)
			return
		}
	}
	var notJSON *syntaxError
	if d.bytes[d.start] == '{' {
		if elements(d.bytes, ",", "[", "{") > maxJSONElements {
			in.reject(in.begin(d.line), fmt.Errorf("more than %d elements in one document; split it", maxJSONElements))
			return
		}
		if notJSON = in.json(d); notJSON == nil {
			return
		}
	}
	value, twice, err := p.fromYAML()
	place := in.begin(d.line + lines(d.bytes[:d.start]))
	switch {
	case err == nil:
		in.yaml(d, place, value, twice)
	case notJSON != nil && looksLikeJSON(d.bytes[d.start:]):
		place.Line = d.line + notJSON.line
		in.reject(place, notJSON)
	default:
		place.Line = d.line + err.line
		in.reject(place, err)
	}
}

// checkText rejects a document that cannot be read as text, or of which the YAML
// parser would see another one in it and read neither.
func checkText(d *document) *syntaxError {
	if d.tooLarge {
		return &syntaxError{0, fmt.Sprintf("larger than %d MiB; split it into documents, with --- between them", MaxSize>>20)}
	}
	if !utf8.Valid(d.bytes) {
		rest := d.bytes
		for r, n := utf8.DecodeRune(rest); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(rest) {
			rest = rest[n:]
		}
		message := "not text in UTF-8"
		if bytes.HasPrefix(d.bytes, []byte("\xff\xfe")) || bytes.HasPrefix(d.bytes, []byte("\xfe\xff")) {
			message += ", but in UTF-16"
		}
		return &syntaxError{lines(d.bytes[:len(d.bytes)-len(rest)]), message}
	}
	for _, boundary := range []string{"---", "..."} {
		if !bytes.Contains(d.bytes, []byte(boundary)) {
			continue
		}
		for _, lineBreak := range []string{"\r", "\u0085", "\u2028", "\u2029"} {
			if i := bytes.Index(d.bytes, []byte(lineBreak+boundary)); i >= 0 {
				return &syntaxError{lines(d.bytes[:i]), fmt.Sprintf("the line break before %s is %+q; use a line feed", boundary, lineBreak)}
			}
		}
	}
	return nil
}

// looksLikeJSON tells JSON from a flow-style mapping of YAML by the first key.
func looksLikeJSON(b []byte) bool {
	b = skip(b[1:])
	return len(b) > 0 && (b[0] == '"' || b[0] == '}')
}

// json reads the objects that follow each other in a document. It returns an error,
// and has read nothing, if the first one is not JSON.
func (in *reader) json(d *document) *syntaxError {
	content := d.bytes[d.start:]
	decoder := json.NewDecoder(bytes.NewReader(content))
	line, end := d.line+lines(d.bytes[:d.start]), 0 // line is where end is
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			at := len(content)
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
				at = int(syntax.Offset)
			}
			fault := &syntaxError{line + lines(content[end:at]) - d.line, "not JSON: " + err.Error()}
			if end == 0 {
				return fault
			}
			in.reject(in.begin(d.line+fault.line), fault)
			return nil
		}
		next := int(decoder.InputOffset())
		object := content[next-len(value) : next]
		line += lines(content[end : next-len(value)])
		in.objects(in.begin(line), text{bytes: object}, object)
		line += lines(object)
		end = next
	}
}

// yaml reads the object of a document in YAML, some keys of which may stand twice.
func (in *reader) yaml(d *document, place Place, value raw, twice []repeated) {
	before, lists := len(in.manifests.Operations), in.manifests.Lists
	in.objects(place, d.text(), value)
	if len(twice) == 0 {
		return
	}
	for i := range twice {
		twice[i].line += d.line
		if twice[i].key == "items" && in.manifests.Lists > lists {
			place.Line = twice[i].line
			in.reject(place, errors.New(itemsTwice))
			return
		}
	}
	operations := in.manifests.Operations[before:]
	slices.SortStableFunc(twice, func(a, b repeated) int { return cmp.Compare(a.line, b.line) })
	for len(operations) > 0 {
		// Those of a List in flow style are in one place, and cannot be told apart.
		n, end := 1, math.MaxInt
		for n < len(operations) && operations[n].Place == operations[0].Place {
			n++
		}
		if n < len(operations) {
			end = operations[n].Place.Line
		}
		if in.twice(&operations[n-1], twice, end) {
			for i := range n {
				operations[i].Faulty = true
			}
		}
		operations = operations[n:]
	}
}

const itemsTwice = "items stands twice; only the objects of the last are read"

// twice records the keys that stand twice in one mapping of an operation, which
// ends before the given line, and reports whether there are any. The parser names them, but tells neither their path
// nor exactly their line, and takes for repeated what stands beside a merged
// mapping (<<).
func (in *reader) twice(o *Operation, named []repeated, end int) bool {
	first := map[string]int{}
	found := false
	outline(o.text, func(way []node, line int, _ text) bool {
		if way[len(way)-1].key == nil {
			return true
		}
		path := fieldPath(way)
		if at, ok := first[path]; ok {
			found = true
			in.repeated(o, o.Place.Line+line, path, fmt.Sprintf("first in line %d", o.Place.Line+at))
		} else {
			first[path] = line
		}
		return true
	})
	if found || bytes.Contains(o.text.bytes, []byte("<<")) {
		return found
	}
	from, _ := slices.BinarySearchFunc(named, o.Place.Line, func(key repeated, line int) int { return cmp.Compare(key.line, line) })
	for _, key := range named[from:] {
		if key.line >= end {
			break
		}
		in.repeated(o, key.line, excerpt(key.key), "")
		found = true
	}
	return found
}

func (in *reader) repeated(o *Operation, line int, path, detail string) {
	place := o.Place
	place.Line = line
	name := path[strings.LastIndexByte(path, '.')+1:]
	if strings.HasSuffix(path, "]") {
		name = strings.TrimSuffix(path[strings.LastIndexByte(path, '[')+1:], "]")
	}
	in.fault(place, &FieldError{place, o.Ref, &field.Error{Type: field.ErrorTypeDuplicate, Field: path, BadValue: name, Detail: detail}})
}

// objects reads an object, or those of a list.
func (in *reader) objects(place Place, t text, value raw) {
	if value.null() {
		return
	}
	if !value.isObject() {
		in.reject(place, fmt.Errorf("%s is no Kubernetes object", excerpt(string(value))))
		return
	}
	list := headerOf(value)
	if !list.isList() {
		in.object(place, t, value, list)
		return
	}
	in.manifests.Lists++
	if list.itemsTwice {
		in.reject(place, errors.New(itemsTwice))
	}
	if !list.items.null() && !list.items.isArray() {
		in.reject(place, errors.New("items must be a list"))
		return
	}
	if list.items.null() {
		return
	}
	var starts []itemStart
	if !t.isJSON() {
		starts = t.items(list.items)
	}
	root, at := place, 0
	for i, item := range list.items.elements() {
		var inside text
		switch {
		case t.isJSON():
			start := raw(t.bytes).offset(item)
			place.Line += lines(t.bytes[at:start])
			at, inside = start, text{bytes: item}
		case starts != nil:
			place.Line = root.Line + starts[i].line
			inside = starts[i].text
		}
		if !item.isObject() {
			in.reject(place, fmt.Errorf("%s is no Kubernetes object", excerpt(string(item))))
			continue
		}
		header := headerOf(item)
		if header.isList() {
			in.reject(place, errors.New("a list in a list"))
			continue
		}
		in.object(place, inside, item, header.or(list))
	}
}

// object reads one object.
func (in *reader) object(place Place, t text, value raw, is header) {
	switch {
	case is.kind == "":
		in.reject(place, errors.New("an object without a kind"))
	case is.kind == "Node" && is.apiVersion == "v1":
		var node corev1.Node
		if err := utiljson.Unmarshal(value, &node); err != nil {
			in.reject(place, fmt.Errorf("not a Node: %w", err))
			return
		}
		in.manifests.Nodes = append(in.manifests.Nodes, node)
	case isOperation(is.apiVersion, is.kind):
		in.operation(place, t, value, is)
	default:
		fault := mistaken(is)
		if fault == nil {
			in.manifests.Skipped++
			return
		}
		place.Line += t.find(parsePath(fault.Field))
		in.fault(place, &FieldError{place, in.decoder.refOf(value, is.kind), fault})
	}
}

func (in *reader) operation(place Place, t text, value raw, is header) {
	d := &in.decoder
	o := Operation{Place: place, text: t, kept: newKept(t)}
	o.Operation, o.Observation = d.operation(value, is)
	o.Faulty = len(d.faults) > 0 // and some may have been dropped
	if o.Name != "" {
		in.manifests.Operations = append(in.manifests.Operations, o)
	}
	for _, fault := range d.faults {
		place := o.PlaceOf(fault.Field)
		in.fault(place, &FieldError{place, o.Ref, fault})
	}
	in.unlisted += d.dropped
}
