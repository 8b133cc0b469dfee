package manifest

import (
	"bytes"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// node is a step of the way to a place in YAML: a key, or an item of a list.
type node struct {
	column int    // of the key, or of the item's dash
	key    []byte // nil for an item
	index  int    // of an item
}

// is reports whether n is the field, map key or item of that name.
func (n node) is(name string) bool {
	if n.key == nil {
		var digits [20]byte
		return string(strconv.AppendInt(digits[:0], int64(n.index), 10)) == name
	}
	return string(n.key) == name
}

// name returns what stands for n in a path.
func (n node) name() string {
	if n.key == nil {
		return strconv.Itoa(n.index)
	}
	return string(n.key)
}

// fieldPath returns way as field.Path prints it. A key that no field can have is
// printed as that of a map.
func fieldPath(way []node) string {
	var path *field.Path
	for _, n := range way {
		switch {
		case n.key == nil:
			path = path.Index(n.index)
		case bytes.ContainsAny(n.key, "./"):
			path = path.Key(excerpt(string(n.key)))
		default:
			path = path.Child(excerpt(string(n.key)))
		}
	}
	return path.String()
}

// outline visits every key and every list item of an object in block-style YAML,
// outer before inner, until visit returns false or the object ends. It gives the
// way there, valid during the visit only, the line, counted from the first one of
// the object, and the text from the key or dash on.
//
// It knows just enough of YAML to find its way around, and passes over what is in
// flow style and over quoted, folded and literal text. The text has been parsed
// before, so that it need not tell what is malformed. It reports whether it visited
// every key of what it went through: whether what it passed over has none.
func outline(t text, visit func(way []node, line int, from text) bool) bool {
	const none = -1
	whole := true
	way := make([]node, 0, 16)
	value := none // lines deeper than this column belong to a value that was passed over
	rest, column := t.bytes, t.column
	for line := 0; len(rest) > 0; {
		after := rest // what comes after this line, or after the value that starts in it
		if !blank(rest) && (value == none || column <= value) {
			if column < t.column {
				return whole
			}
			value = none
			parent := column
			for here := rest; !blank(here); {
				name, length := cutKey(here)
				switch {
				case isDash(here):
					way, length = enterItem(way, column), 1
				case length > 0:
					way = enterKey(way, column, name)
				default:
					value = parent
					after = here[valueLength(here):]
					whole = whole && len(here) < len(rest) && isKeyless(here[:len(here)-len(after)], here[0])
				}
				if value != none {
					break
				}
				if !visit(way, line, text{here, column}) {
					return whole
				}
				parent = column
				length += propertiesLength(here[length:])
				here, column = here[length:], column+length
			}
		}
		after = nextLine(after)
		line += bytes.Count(rest[:len(rest)-len(after)], []byte("\n"))
		column = indentation(after)
		rest = after[column:]
	}
	return whole
}

// isKeyless reports whether a value that starts with the given character certainly
// has no keys; inline is all of it if it is in flow style.
func isKeyless(inline []byte, start byte) bool {
	switch start {
	case '*', '?':
		return false
	case '[', '{':
		return !bytes.ContainsAny(inline, ":?") && bytes.Count(inline, []byte("{")) == bytes.Count(inline, []byte("{}"))
	}
	return true
}

// enterItem returns the way to the next item whose dash is in the given column.
func enterItem(way []node, column int) []node {
	for len(way) > 0 && way[len(way)-1].column > column {
		way = way[:len(way)-1]
	}
	if last := len(way) - 1; last >= 0 && way[last].key == nil && way[last].column == column {
		way[last].index++
		return way
	}
	return append(way, node{column: column})
}

// enterKey returns the way to a key in the given column.
func enterKey(way []node, column int, key []byte) []node {
	for len(way) > 0 && way[len(way)-1].column >= column {
		way = way[:len(way)-1]
	}
	return append(way, node{column: column, key: key})
}

// nextLine returns what comes after the line at the start of b.
func nextLine(b []byte) []byte {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil
	}
	return b[i+1:]
}

// indentation returns how many spaces b starts with.
func indentation(b []byte) int {
	for i, c := range b {
		if c != ' ' {
			return i
		}
	}
	return len(b)
}

// blank reports whether nothing but a comment stands in the rest of the line.
func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' {
			return c == '\n' || c == '#'
		}
	}
	return true
}

// endsWord reports whether b starts with what may follow a dash or a colon.
func endsWord(b []byte) bool { return len(b) == 0 || isBlank(b[0]) }

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func isDash(b []byte) bool { return b[0] == '-' && endsWord(b[1:]) }

// cutKey returns the key at the start of b, and its length including the colon,
// which is 0 if there is none.
func cutKey(b []byte) (key []byte, length int) {
	switch b[0] {
	case '"', '\'':
		length = quotedLength(b)
		key = b[1:max(1, length-1)]
		length += indentation(b[length:])
		if length == len(b) || b[length] != ':' || !endsWord(b[length+1:]) {
			return nil, 0
		}
		return key, length + 1
	case '[', '{', '|', '>', '&', '*', '!', '#', ':':
		return nil, 0
	case '?':
		if endsWord(b[1:]) {
			return nil, 0
		}
	}
	for i, c := range b {
		switch {
		case c == ':' && endsWord(b[i+1:]):
			return bytes.TrimRight(b[:i], " \t"), i + 1
		case c == '\n', c == '#' && isBlank(b[i-1]):
			return nil, 0
		}
	}
	return nil, 0
}

// propertiesLength returns the length of the blanks, anchors and tags that stand
// before a value.
func propertiesLength(b []byte) int {
	i := 0
	for inWord := false; i < len(b) && b[i] != '\n'; i++ {
		switch {
		case isBlank(b[i]):
			inWord = false
		case b[i] == '&' || b[i] == '!':
			inWord = true
		case !inWord:
			return i
		}
	}
	return i
}

// valueLength returns the length of the quoted text or flow-style value at the
// start of b, and 0 for any other value.
func valueLength(b []byte) int {
	switch b[0] {
	case '"', '\'':
		return quotedLength(b)
	case '[', '{':
		return flowLength(b)
	}
	return 0
}

// quotedLength returns the length of the quoted text at the start of b.
func quotedLength(b []byte) int {
	quote := b[0]
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && quote == '"':
			i++
		case b[i] == quote && quote == '\'' && i+1 < len(b) && b[i+1] == quote:
			i++
		case b[i] == quote:
			return i + 1
		}
	}
	return len(b)
}

// flowLength returns the length of the flow-style value at the start of b.
func flowLength(b []byte) int {
	depth := 0
	before := byte(',') // the last character that was no blank
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
			if depth == 0 {
				return i + 1
			}
		case (c == '"' || c == '\'') && strings.IndexByte("[{,:", before) >= 0:
			i += quotedLength(b[i:]) - 1
		case c == '#' && isBlank(b[i-1]):
			i += len(b[i:]) - len(nextLine(b[i:])) - 1
			continue
		}
		if !isBlank(c) {
			before = c
		}
	}
	return len(b)
}
