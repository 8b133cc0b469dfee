package manifest

import (
	"bytes"
	"encoding/json"
	"iter"
)

// raw is one well-formed JSON value, with no blanks around it. Values inside it
// share its memory.
type raw []byte

// null reports whether r is null, or was never set.
func (r raw) null() bool { return len(r) == 0 || r[0] == 'n' }

// isObject, isArray and isString report of which type r is.
func (r raw) isObject() bool { return len(r) > 0 && r[0] == '{' }
func (r raw) isArray() bool  { return len(r) > 0 && r[0] == '[' }
func (r raw) isString() bool { return len(r) > 0 && r[0] == '"' }

// text returns what the string r says.
func (r raw) text() []byte {
	if bytes.IndexByte(r, '\\') < 0 {
		return r[1 : len(r)-1]
	}
	var s string
	_ = json.Unmarshal(r, &s) // r is well-formed
	return []byte(s)
}

// members ranges over the keys, which are strings, and the values of the object r.
func (r raw) members() iter.Seq2[raw, raw] {
	return func(yield func(key, value raw) bool) {
		for rest := skip(r[1:]); rest[0] != '}'; rest = skip(rest) {
			key := first(rest)
			rest = skip(rest[len(key):])
			value := first(rest)
			rest = rest[len(value):]
			if !yield(key, value) {
				return
			}
		}
	}
}

// elements ranges over the array r.
func (r raw) elements() iter.Seq2[int, raw] {
	return func(yield func(index int, element raw) bool) {
		i := 0
		for rest := skip(r[1:]); rest[0] != ']'; rest = skip(rest) {
			element := first(rest)
			rest = rest[len(element):]
			if !yield(i, element) {
				return
			}
			i++
		}
	}
}

// keys returns how many keys all objects in r have together.
func (r raw) keys() int {
	n := 0
	for i := 0; i < len(r); i++ {
		switch r[i] {
		case '"':
			i += len(first(r[i:])) - 1
		case ':':
			n++
		}
	}
	return n
}

// offset returns how far into r the value inside it starts.
func (r raw) offset(inside raw) int { return cap(r) - cap(inside) }

// skip drops the blanks, commas and colons at the start of b.
func skip(b raw) raw {
	for i, c := range b {
		if !isBlank(c) && c != ',' && c != ':' {
			return b[i:]
		}
	}
	return nil
}

// first returns the value at the start of b, which something must follow if it is a
// number or a word.
func first(b raw) raw {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth < 0 { // after a number or word
				return b[:i]
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return b[:i]
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return b[:i+1]
		}
	}
}
