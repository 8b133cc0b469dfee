package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
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

// notYAML has what YAML does not allow in texts of JSON, or takes for a line break.
var notYAML = regexp.MustCompile(`\\(?:u[dD][89a-fA-F]..|.)|[\x7f-\x{9f}\x{2028}\x{2029}\x{fffe}\x{ffff}]`)

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
	if err := d.checkCost(); err != nil {
		return nil, 1, err
	}
	text := d.text
	if d.json { // its places are those of the same text without some characters
		text = notYAML.ReplaceAllFunc(text, func(c []byte) []byte {
			if len(c) == 2 && c[0] == '\\' && c[1] != '/' {
				return c
			}
			return bytes.Repeat([]byte("_"), utf8.RuneCount(c))
		})
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
	elements, comments, directives := 0, 0, bytes.Count(d.text, []byte("\n%"))
	for i, c := range d.text {
		switch c {
		case '#':
			if elements++; i == 0 || d.text[i-1] <= ' ' || d.text[i-1] >= 0x80 {
				comments++
			}
		case '-':
			if i+1 < len(d.text) && d.text[i+1] <= ' ' {
				elements++
			}
		case ',':
			elements += 2 // {a, b} has values
		case ':', '?', '[', '{', '\n', '\r', 0x85, 0xa8, 0xa9: // the last bytes of unusual line breaks, too
			elements++
		}
	}
	if d.json { // which has no values of that kind, and no lines
		elements = bytes.Count(d.text, []byte(",")) + bytes.Count(d.text, []byte(":")) + bytes.Count(d.text, []byte("["))
	}
	const many, few = 1 << 16, 1 << 12
	switch {
	case len(d.text) > MaxSize:
		return &LimitError{"bytes in a document", MaxSize}
	case elements > MaxElements:
		return &LimitError{"elements in a document", MaxElements}
	case comments > many && !d.json:
		return &LimitError{"comments in a document", many}
	case directives > few:
		return &LimitError{"lines in a document that start with %", few}
	}
	return nil
}

// fromZero has errors of the parser, which counts lines from 0. The scanner counts them from 1.
var fromZero = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',' or)|^found (undefined tag handle|duplicate %|incompatible YAML)`)

// parserError returns the line of an error of a YAML parser, or 0, and its message.
func parserError(err error) (line int, message string) {
	_, message, _ = strings.Cut(err.Error(), "yaml: ")
	if _, err := fmt.Sscanf(message, "line %d: ", &line); err == nil {
		_, message, _ = strings.Cut(message, ": ")
	}
	if fromZero.MatchString(message) {
		line++
	}
	return line, clip(message, 256)
}

// explain returns the line in which the text cannot be parsed, and why. kubectl's parser knows the
// line better than the one that this package uses. It may also read an object and ignore the rest.
func (d *document) explain(err error) (value any, line int, why error) {
	kubeErr := kubeyaml.Unmarshal(d.text, &value)
	if kubeErr == nil {
		line, _ = parserError(err)
		return value, max(line, 1), ignored
	}
	line, message := parserError(kubeErr)
	lineAt := func(offset int) int { return 1 + bytes.Count(d.text[:max(0, offset)], []byte("\n")) }
	line = min(max(line, 1), lineAt(len(bytes.TrimRight(d.text, " \t\r\n"))))
	switch {
	case strings.HasPrefix(message, "control characters"):
		line = lineAt(bytes.IndexFunc(d.text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\u0085", r) }))
	case bytes.Contains(d.text, []byte("{{")):
		message += "; if it is a template, render it first"
	case strings.HasPrefix(message, "found character that cannot start"):
		message += "; indent with spaces, and quote a value that starts with @, % or `"
	}
	return nil, line, &DocumentError{message}
}
