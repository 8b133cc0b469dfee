package manifest

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
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
	path := parsePath(fieldPath)
	place := o.Place
	if o.kept == nil {
		place.Line += o.text.find(path)
	} else {
		place.Line += o.kept.of(o.text).find(path)
	}
	return place
}

// kept is the index of a large object, made when its first place is asked for. Copies of an
// operation share it.
type kept struct {
	once sync.Once
	*index
}

// minKept is the size from which on an object has an index, so that many places can be
// asked for. In a smaller one there are few, but there may be a million of those.
const minKept = 4 << 10

func newKept(t text) *kept {
	if len(t.bytes) < minKept || len(t.bytes) > maxObject {
		return nil
	}
	return new(kept)
}

func (k *kept) of(t text) *index {
	k.once.Do(func() { k.index = newIndex(t) })
	return k.index
}

// text is an object as it stands in a stream; or empty, if that is not known.
type text struct {
	bytes  []byte // from its first key, or from its brace if it is JSON
	column int    // of its first key
}

// isJSON reports whether t is JSON: no key of YAML in block style starts so.
func (t text) isJSON() bool { return len(t.bytes) > 0 && t.bytes[0] == '{' }

// walk visits every field of the object, key of a map and item of a list, outer before
// inner, until visit returns false. It gives how deep that is, from 1, its name, and the
// line, counted from the first one of the object.
func (t text) walk(visit func(depth int, at node, line int) bool) {
	if !t.isJSON() {
		outline(t, func(way []node, line int, _ text) bool { return visit(len(way), way[len(way)-1], line) })
		return
	}
	line, last := 0, raw(t.bytes)
	walkJSON(1, last, func(depth int, at node, here raw) bool {
		line += lines(before(last, here))
		last = here
		return visit(depth, at, line)
	})
}

// walkJSON visits what is in the value at the start of rest. It gives the text from there
// on, and returns what follows the value, or nil if visit returned false. It goes through
// the text once, however deep it is.
func walkJSON(depth int, rest raw, visit func(depth int, at node, here raw) bool) raw {
	if !rest.isObject() && !rest.isArray() {
		return rest[len(first(rest)):]
	}
	end := rest[0] + '}' - '{' // as far as ] is from [
	isList := rest.isArray()
	i := 0
	for rest = skip(rest[1:]); rest[0] != end; rest = skip(rest) {
		at, value := node{index: i}, rest
		if !isList {
			key := first(rest)
			at, value = node{key: key.text()}, skip(rest[len(key):])
		}
		if !visit(depth, at, rest) {
			return nil
		}
		if rest = walkJSON(depth+1, value, visit); rest == nil {
			return nil
		}
		i++
	}
	return rest[1:]
}

// find returns how many lines below the start of t the field stands, or else the
// innermost thing around it that can be told. A large object is not searched.
func (t text) find(path []string) int {
	if len(t.bytes) > maxObject {
		return 0
	}
	found, most := 0, 0
	inside := 0 // how many names of the path lead to what is visited
	t.walk(func(depth int, at node, line int) bool {
		inside = min(inside, depth-1)
		if inside == depth-1 && inside < len(path) && at.is(path[inside]) {
			inside = depth
			if depth > most {
				found, most = line, depth
			}
		}
		return most < len(path)
	})
	return found
}

// index is where the fields of an object stand. They are numbered: the object itself is
// 0, and what is in a field has a greater number.
type index struct {
	numbers map[member]int
	lines   []int // of each, below the start of the object
}

// member names a field by what it is in.
type member struct {
	in   int
	name string
}

func newIndex(t text) *index {
	x := &index{map[member]int{}, []int{0}}
	numbers := []int{0} // of the way to what is visited
	t.walk(func(depth int, at node, line int) bool {
		m := member{numbers[depth-1], at.name()}
		n, again := x.numbers[m]
		if !again {
			n = len(x.lines)
			x.numbers[m], x.lines = n, append(x.lines, line)
		}
		numbers = append(numbers[:depth], n)
		return true
	})
	return x
}

// find returns the same as text.find of the object.
func (x *index) find(path []string) int {
	n := 0
	for _, name := range path {
		inner, ok := x.numbers[member{n, name}]
		if !ok {
			break
		}
		n = inner
	}
	return x.lines[n]
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
		if len(way) == 1 || string(way[0].key) != "items" || way[1].key != nil {
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
