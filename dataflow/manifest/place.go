package manifest

import (
	"bytes"
	"strconv"
	"strings"
)

// Place is where something stands in a stream. It is comparable.
type Place struct {
	File     string
	Document int // from 1; documents that hold nothing do not count
	Line     int // from 1
}

// String returns "flow.yaml:12 (document 2)", of which editors understand the
// first part.
func (p Place) String() string {
	return p.File + ":" + strconv.Itoa(p.Line) + " (document " + strconv.Itoa(p.Document) + ")"
}

// maxObject is the size up to which an object is searched for its fields. An API
// server stores none that is larger.
const maxObject = 2 << 20

// PlaceOf returns where a field of the operation stands, given its path as
// field.Path prints it: spec.runAfter.affinityStrategy.requires[0].name. It is the
// place of the nearest thing around the field that can be told if the field is not
// there, or is written in YAML's flow style ({…} or […]), and the object's own if
// nothing else is known.
func (o *Operation) PlaceOf(fieldPath string) Place {
	place := o.Place
	place.Line += o.text.lineOf(fieldPath)
	return place
}

// lineOf returns how many lines below the start of t a field stands, or what can be
// told instead.
func (t text) lineOf(fieldPath string) int {
	if len(t.bytes) > maxObject {
		return 0
	}
	return t.find(parsePath(fieldPath))
}

// text is an object as it stands in a stream; or empty, if that is not known.
type text struct {
	bytes  []byte // from its first key, or from its brace if it is JSON
	column int    // of its first key
}

// isJSON reports whether t is JSON: no key of YAML in block style starts so.
func (t text) isJSON() bool { return len(t.bytes) > 0 && t.bytes[0] == '{' }

// find returns how many lines below the start of t the field stands, or else the
// innermost thing around it that can be told.
func (t text) find(path []string) int {
	if t.isJSON() {
		return lines(t.bytes[:t.findJSON(path)])
	}
	found, depth := 0, 0
	outline(t, func(at []node, line int, _ text) bool {
		if n := len(at); n > depth && n <= len(path) && matches(at, path) {
			found, depth = line, n
		}
		return depth < len(path)
	})
	return found
}

// findJSON returns the offset of the field's key, or of the innermost thing around
// it that is there.
func (t text) findJSON(path []string) int {
	inside, found := raw(t.bytes), 0
	for _, name := range path {
		next := raw(nil)
		switch {
		case inside.isObject():
			for key, value := range inside.members() {
				if string(key.text()) == name {
					next, found = value, raw(t.bytes).offset(key)
					break
				}
			}
		case inside.isArray():
			for i, element := range inside.elements() {
				if strconv.Itoa(i) == name {
					next, found = element, raw(t.bytes).offset(element)
					break
				}
			}
		}
		if next == nil {
			break
		}
		inside = next
	}
	return found
}

// lines returns how many line breaks b has.
func lines(b []byte) int { return bytes.Count(b, []byte("\n")) }

// parsePath splits a path into the names of fields, the keys of maps and the
// positions in lists.
func parsePath(path string) []string {
	var names []string
	for path != "" {
		var name string
		if inner, ok := strings.CutPrefix(path, "["); ok {
			name, path, _ = strings.Cut(inner, "]")
			path = strings.TrimPrefix(path, ".")
		} else if i := strings.IndexAny(path, ".["); i >= 0 {
			name, path = path[:i], strings.TrimPrefix(path[i:], ".")
		} else {
			name, path = path, ""
		}
		names = append(names, name)
	}
	return names
}

// itemStart is where an item of a List starts.
type itemStart struct {
	line int // below the List's first
	text text
}

// items returns where the items of a List in YAML start, or nil if that cannot be
// told of each.
func (t text) items(items raw) []itemStart {
	var starts []itemStart
	outline(t, func(way []node, line int, from text) bool {
		if len(way) == 1 || !way[0].is("items") || way[1].key != nil {
			return true
		}
		last := len(starts) - 1
		switch {
		case len(way) == 2: // the dash
			if last >= 0 {
				starts[last].text.bytes = before(starts[last].text.bytes, from.bytes)
			}
			starts = append(starts, itemStart{line: line})
		case len(way) == 3 && starts[last].text.bytes == nil: // the first key
			starts[last] = itemStart{line, from}
		}
		return true
	})
	n := 0
	for range items.elements() {
		n++
	}
	if n != len(starts) {
		return nil
	}
	return starts
}

// before returns b up to where its tail begins.
func before(b, tail []byte) []byte { return b[:len(b)-min(len(b), len(tail))] }
