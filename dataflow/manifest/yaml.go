package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// MaxElements is how many lines, and elements in flow style, a document in YAML may
// have. Each costs up to a kilobyte while it is parsed.
const MaxElements = 1 << 20

// maxJSONElements is how many objects, lists and commas a document in JSON may have.
// What they are decoded to takes up to a kilobyte, in the case of a Node.
const maxJSONElements = MaxElements * 3 / 2

// maxExpansion is how large aliases may make a document.
const maxExpansion = 64 << 20

// syntaxError is what is wrong with a document, and on which of its lines, from 0.
type syntaxError struct {
	line    int
	message string
}

func (e *syntaxError) Error() string { return e.message }

// repeated is a key that stands twice in one mapping of a document.
type repeated struct {
	line int // of its value, from 0
	key  string
}

// fromYAML returns a document as JSON, and the keys that stand twice in one mapping of it,
// of which only one is left in the JSON.
func fromYAML(d *document) (raw, []repeated, *syntaxError) {
	start := lines(d.bytes[:d.start])
	if err := checkCost(d.bytes); err != nil {
		return nil, nil, &syntaxError{start, err.Error()}
	}
	if line := outdented(d); line > 0 {
		// The parser ignores what follows.
		return nil, nil, &syntaxError{line, "less indented than the first line of the document"}
	}
	value, twice, err := parse(d)
	if err != nil {
		fault := parserError(err, start, lines(bytes.TrimRight(d.bytes, " \t\r\n")))
		fault.message += remedy(d.bytes, fault)
		return nil, nil, fault
	}
	if !d.inBlocks() {
		list := value
		for i, item := range list.elements() {
			if i > 0 {
				return nil, nil, &syntaxError{start, "another value follows the object"}
			}
			value = item
		}
	}
	return value, twice, nil
}

// parse gives a document to the parser: once, if it can be told beforehand, and rightly,
// whether a key stands twice. The strict parser, which rejects those, takes longer.
func parse(d *document) (value raw, twice []repeated, err error) {
	for _, count := range []func(*document) (int, bool){colons, keys} {
		most, ok := count(d)
		if !ok {
			continue
		}
		if value == nil {
			if value, err = yaml.ToJSON(d.yaml()); err != nil {
				return nil, nil, err
			}
		}
		if most == value.keys() {
			return value, nil, nil // none of the keys was dropped
		}
	}
	var strict json.RawMessage
	if err = yaml.UnmarshalStrict(d.yaml(), &strict); err == nil {
		return raw(strict), nil, nil
	}
	twice = repeatedKeys(err)
	if value == nil {
		value, err = yaml.ToJSON(d.yaml())
		return value, twice, err
	}
	return value, twice, nil
}

// yaml returns the document for the parser. If it is not in block style it is made
// the only item of a list: by itself, it would end with its object, and the parser
// would ignore what follows.
func (d *document) yaml() []byte {
	if d.inBlocks() {
		return d.bytes
	}
	return bytes.Join([][]byte{d.bytes[:d.start], d.bytes[d.start:]}, []byte("- "))
}

// outdented returns the first line, from 0, that is less indented than the first
// line of the document's content, or 0 if there is none.
func outdented(d *document) int {
	if d.column <= 0 || !d.inBlocks() {
		return 0
	}
	line := lines(d.bytes[:d.start])
	for rest := nextLine(d.bytes[d.start:]); len(rest) > 0; rest = nextLine(rest) {
		line++
		if !blank(rest) && indentation(rest) < d.column {
			return line
		}
	}
	return 0
}

// repeatedKeys returns the keys that the strict parser found to stand twice.
func repeatedKeys(err error) []repeated {
	var twice []repeated
	for _, match := range regexp.MustCompile(`line (\d+): key (.*) already set in map`).FindAllStringSubmatch(err.Error(), -1) {
		line, _ := strconv.Atoi(match[1])
		key, err := strconv.Unquote(match[2])
		if err != nil {
			key = match[2] // a number or word
		}
		twice = append(twice, repeated{line - 1, key})
	}
	return twice
}

// keys returns how many keys a document has, if its outline shows them all.
func keys(d *document) (n int, ok bool) {
	whole := outline(d.text(), func(way []node, _ int, _ text) bool {
		if way[len(way)-1].key != nil {
			n++
		}
		return true
	})
	return n, whole && n > 0
}

// colons returns a number of keys that a document has at most: that of its colons
// before blanks. It can tell only if each key has such a colon, and no alias adds
// keys: in flow style and after a question mark a key may have none.
func colons(d *document) (n int, ok bool) {
	document := d.bytes
	if bytes.ContainsAny(document, "?*") || bytes.Count(document, []byte("{")) != bytes.Count(document, []byte("{}")) {
		return 0, false
	}
	before := byte(' ') // what the rest starts after
	for rest := document; ; {
		i := bytes.IndexByte(rest, ':')
		if i < 0 {
			return n, true
		}
		if i > 0 {
			before = rest[i-1]
		}
		rest = rest[i+1:]
		switch {
		case endsWord(rest):
			n++
		case strings.IndexByte("\"' \t\r\n[],", before) >= 0 || rest[0] >= utf8.RuneSelf:
			return 0, false // ["key":value], or a line break of another kind
		}
		before = ':'
	}
}

// parserError makes an error of the YAML parser, or of the conversion to JSON, one
// that tells its line. Without one it is about the whole document, from start on.
func parserError(err error, start, last int) *syntaxError {
	message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	message = strings.TrimPrefix(message, "yaml: ")
	match := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message)
	if match == nil {
		return &syntaxError{start, message}
	}
	message = strings.TrimPrefix(message, match[0])
	line, _ := strconv.Atoi(match[1])
	// The scanner counts lines from 1, the parser behind it from 0.
	if !regexp.MustCompile(`expected (key|node content|'-' indicator|',' or|<document start>)|undefined tag handle`).MatchString(message) {
		line--
	}
	return &syntaxError{min(line, last), message}
}

// remedy returns what to do about the most common causes of a syntax error, if one of
// them is seen in the document.
func remedy(document []byte, fault *syntaxError) string {
	at := document
	for range fault.line {
		at = nextLine(at)
	}
	at = at[:len(at)-len(nextLine(at))]
	switch {
	case bytes.Contains(document, []byte("{{")) && bytes.Contains(document, []byte("}}")):
		return "; it looks like a template, which must be rendered first"
	case !strings.HasPrefix(fault.message, "found character that cannot start any token"):
		return ""
	case bytes.IndexByte(at, '\t') >= 0:
		return "; indent with spaces, not with tabs"
	}
	return "; quote a value that starts with a character such as @, % or `"
}

// checkCost rejects a document that would take more memory than it is worth.
func checkCost(document []byte) error {
	if elements(document, "\n", ",", "[", "{", "- ", "? ") > MaxElements {
		return fmt.Errorf("more than %d lines and elements in one document; split it, or write it as JSON", MaxElements)
	}
	if expansion(document) > maxExpansion {
		return errors.New("its aliases could make the document too large; write some of them out")
	}
	return nil
}

// elements returns how often one of the separators, each of which starts or ends an
// element, stands in the document.
func elements(document []byte, separators ...string) int {
	if len(document) <= MaxElements {
		return 0 // too few to matter
	}
	n := 0
	for _, separator := range separators {
		n += bytes.Count(document, []byte(separator))
	}
	return n
}

// expansion returns a size that the document does not exceed by more than twice
// once its aliases are replaced by what they stand for.
//
// The parser's own protection counts values, not their size: a large text that is
// repeated often passes it.
func expansion(document []byte) float64 {
	if bytes.IndexByte(document, '*') < 0 || bytes.IndexByte(document, '&') < 0 {
		return 0
	}
	// Whatever looks like an anchor or an alias counts as one.
	anchors := map[string]int{} // those of a name that have not been used
	levels, aliases := 0, 0     // used anchors, and uses
	for _, match := range regexp.MustCompile(`([&*])([0-9A-Za-z_-]+)`).FindAllSubmatch(document, -1) {
		name := string(match[2])
		unused, known := anchors[name]
		switch {
		case match[1][0] == '&':
			anchors[name]++
		case known:
			aliases++
			levels += unused
			anchors[name] = 0
		}
	}
	// The worst are anchors within each other, the uses shared evenly among them.
	factor := 1.0
	for level := 1; level <= min(levels, aliases); level++ {
		factor = max(factor, math.Pow(float64(aliases)/float64(level), float64(level)))
	}
	const most = 400_000 // values out of aliases, by the parser's own limit
	return min(factor, most) * float64(len(document))
}
