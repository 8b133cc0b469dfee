package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubejson "sigs.k8s.io/json"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// document is one document of YAML, or one object in JSON.
type document struct {
	file   string
	line   int // of its first character
	column int // characters before that
	text   []byte
	json   bool
}

// place returns the position of a place in the text.
func (d *document) place(line, column int) Position {
	if line == 1 && column > 0 {
		column += d.column
	}
	return Position{d.file, d.line + line - 1, column}
}

// advance moves the document behind a text.
func (d *document) advance(text []byte) {
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		d.line += bytes.Count(text, []byte("\n"))
		d.column, text = 0, text[i+1:]
	}
	d.column += utf8.RuneCount(text)
}

// document hands over the objects and the faults of a document with this text, which it keeps.
func (r *reader) document(d document, text []byte, isJSON bool) {
	d.text, d.json = text, isJSON
	dec := &decoder{reader: r, document: &d}
	value, line, err := dec.value()
	if !dec.failed {
		r.objects(&d, value, dec.found)
	}
	if err != nil {
		last := 1 + bytes.Count(bytes.TrimRight(d.text, " \t\r\n"), []byte("\n"))
		r.fault(d.place(min(max(line, 1), last), 0), true, err)
	}
}

// value returns the value of the document, and what is wrong with it in which line. kubectl's decoder
// reads JSON, and says whether there are repeated keys; the nodes say where.
func (d *decoder) value() (value any, line int, err error) {
	if err := d.checkCost(); err != nil {
		return nil, 1, err
	}
	if !d.json {
		root, line, err := d.parse()
		if root != nil {
			value = d.decode(root, &path{})
		} else if line == 0 && err != nil && d.faults < MaxFaults {
			return d.explain(err)
		}
		return value, line, err
	}
	repeated, err := kubejson.UnmarshalStrict(d.text, &value, kubejson.DisallowDuplicateFields)
	if err != nil {
		return nil, 1, &DocumentError{err.Error()}
	}
	if len(repeated) > 0 {
		if root, _, _ := d.parse(); root != nil {
			d.decode(root, &path{})
		}
		if d.found == nil { // a key is written in several ways
			err = &DocumentError{errors.Join(repeated...).Error()}
		}
	}
	return value, 1, err
}

var (
	itemPrefix = regexp.MustCompile(`^(items\[\d+\]\.?)*`)

	// identity has the fields that say which objects there are.
	identity = regexp.MustCompile(`^((apiVersion|kind|items|metadata(\.name|\.namespace)?)(\[|$)|\[<<\])`)
)

// objects hands over the objects of a value, and the faults that were found in it.
func (r *reader) objects(d *document, value any, found []*Fault) {
	var objects []*Object
	byPath := map[string]*Object{}
	var own []*Fault // of no object
	var wrong []Field
	reject := func(path, reason string) {
		if r.faults++; r.faults <= MaxFaults {
			wrong = append(wrong, Field{&Object{document: d}, path})
			own = append(own, &Fault{Lost: true, Err: &DocumentError{strings.TrimPrefix(path+": "+reason, ": ")}})
		}
	}
	// An item that has neither apiVersion nor kind gets the given ones.
	var add func(value any, path, apiVersion, kind string)
	add = func(value any, path, apiVersion, kind string) {
		m, isObject := value.(map[string]any)
		word := func(key string) string { s, _ := m[key].(string); return s }
		items, isList := m["items"]
		switch {
		case value == nil && path == "":
		case !isObject:
			reject(path, "must be an object, with apiVersion, kind and metadata")
		case !isList:
			if word("apiVersion") == "" && word("kind") == "" && kind != "" {
				m["apiVersion"], m["kind"] = apiVersion, kind
			}
			byPath[path] = &Object{Object: m, document: d, path: path}
			objects = append(objects, byPath[path])
		default:
			if apiVersion, kind = "", ""; path == "" { // kubectl does it for the outermost List only
				apiVersion, kind = word("apiVersion"), strings.TrimSuffix(word("kind"), "List")
			}
			path = join(path, "items")
			list, ok := items.([]any)
			if !ok && items != nil {
				reject(path, "must be a list")
			}
			for i, item := range list {
				add(item, path+"["+strconv.Itoa(i)+"]", apiVersion, kind)
			}
		}
	}
	add(value, "", "", "")
	r.holds = r.holds || value != nil
	for i, at := range Locate(wrong...) {
		own[i].Position = at
	}
	for _, f := range found {
		err := f.Err.(*field.Error)
		prefix := itemPrefix.FindString(err.Field)
		if o := byPath[strings.TrimSuffix(prefix, ".")]; o != nil {
			err.Field = err.Field[len(prefix):]
			o.Faults = append(o.Faults, f)
		} else {
			own = append(own, f)
		}
		f.Lost = identity.MatchString(err.Field)
	}
	for _, o := range objects {
		r.step(o, nil)
	}
	for _, f := range own {
		r.step(nil, f)
	}
}

// notYAML has what texts of JSON may have and YAML does not allow, or takes for a line break.
var notYAML = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|.)|[\x7f-\x{9f}\x{2028}\x{2029}\x{fffe}\x{ffff}]`)

// ignored is the fault of what follows the first document in the text of one.
var ignored = &DocumentError{"kubectl ignores what follows the end of an object; write --- in the line before"}

// parse returns the root of the document, or nil if it has none, and what is wrong in which line of
// the text. If the parser says it, explain knows more; a panic of the parser is an error, too.
func (d *document) parse() (root *yaml.Node, line int, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	text := d.text
	if d.json { // the places are the same in a text without them
		text = notYAML.ReplaceAllFunc(text, func(c []byte) []byte { return bytes.Repeat([]byte("_"), utf8.RuneCount(c)) })
	}
	parser := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	if err := parser.Decode(&first); errors.Is(err, io.EOF) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	if err := parser.Decode(&second); errors.Is(err, io.EOF) {
		return first.Content[0], 0, nil
	} else if err != nil {
		line, _ = parserError(err)
	} else {
		line = second.Content[0].Line
	}
	return first.Content[0], line, ignored
}

// checkCost rejects a text that takes too much memory or time to parse: by its size, by the number of
// its nodes, which is overestimated, and by what takes the parser quadratic time.
func (d *document) checkCost() error {
	count := func(of ...string) (n int) {
		for _, s := range of {
			n += bytes.Count(d.text, []byte(s))
		}
		return n
	}
	indented, deepest := 0, 0
	for _, c := range d.text {
		if indented++; c != ' ' && c != '-' && c != '?' && c != ':' {
			indented = 0
		}
		deepest = max(deepest, indented)
	}
	elements := count(",", ":", "[", "{")
	if !d.json { // where {a, b} has values
		elements += count(",", "?", "#", "!", "- ", "-\n", "-\t", "-\r", "\n", "\r", "\u0085", "\u2028", "\u2029")
	}
	switch {
	case len(d.text) > MaxSize:
		return &LimitError{"bytes in a document", MaxSize}
	case elements > MaxElements:
		return &LimitError{"elements in a document", MaxElements}
	case !d.json && (deepest*count(" #", "\n#", "\t#", "\r#", "\u0085#", "\u2028#", "\u2029#") > 1<<27 || count("\n%") > 1<<12):
		return &DocumentError{"its comments, with so much indentation, or its lines that start with % take too long to read"}
	}
	return nil
}

// fromZero has errors of the parser, which counts lines from 0. The scanner counts them from 1.
var fromZero = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',' or)|^found (undefined tag handle|duplicate %|incompatible YAML)`)

// parserError returns the line of an error of a YAML parser, or 0, and its message.
func parserError(err error) (line int, reason string) {
	_, reason, _ = strings.Cut(err.Error(), "yaml: ")
	if _, err := fmt.Sscanf(reason, "line %d: ", &line); err == nil {
		_, reason, _ = strings.Cut(reason, ": ")
	}
	if fromZero.MatchString(reason) {
		line++
	}
	return line, message.Cut(reason, 256)
}

// explain returns the line in which the text cannot be parsed, and why. kubectl's parser knows the
// line better than the one that this package uses. It may also read an object and ignore the rest.
func (d *document) explain(err error) (value any, line int, why error) {
	line, reason := parserError(err)
	if math.Pow(1.45, float64(bytes.Count(d.text, []byte("*"))))*float64(len(d.text)) < 64<<20 { // else aliases may make too much of it
		if err := kubeyaml.Unmarshal(d.text, &value); err == nil {
			return value, line, ignored
		} else {
			line, reason = parserError(err)
		}
	}
	lineAt := func(offset int) int { return 1 + bytes.Count(d.text[:max(0, offset)], []byte("\n")) }
	if anchor, ok := strings.CutPrefix(reason, "unknown anchor '"); ok {
		if at := regexp.MustCompile(`[\s\[{,]\*` + regexp.QuoteMeta(strings.TrimSuffix(anchor, "' referenced"))).FindIndex(d.text); at != nil {
			line = lineAt(at[1])
		}
	}
	switch {
	case strings.HasPrefix(reason, "control characters"):
		line = lineAt(bytes.IndexFunc(d.text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) }))
	case bytes.Contains(d.text, []byte("{{")):
		reason += "; if it is a template, render it first"
	}
	return nil, line, &DocumentError{reason}
}
