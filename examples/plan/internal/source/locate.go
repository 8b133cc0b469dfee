package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// Position is a place in a source.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`   // from 1; 0 is the whole source
	Column int    `json:"column"` // from 1, in characters, as YAML counts them; 0 is the whole line
}

// String returns file:line:column, without what is 0 at the end.
func (p Position) String() string {
	s := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	return strings.TrimSuffix(strings.TrimSuffix(s, ":0"), ":0")
}

// Compare orders positions by file, line and column.
func (p Position) Compare(q Position) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Fault is something that cannot be read, or that kubectl refuses or ignores.
type Fault struct {
	Position Position
	Lost     bool  // whether objects may be missing, or have another kind, namespace or name
	Err      error // a *field.Error with the path from the object, a *DocumentError, a *LimitError, or an error of a file
}

// Error starts with the position. It is no longer than 4 KiB.
func (f *Fault) Error() string { return message.Cut(f.Position.String()+": "+f.Err.Error(), 4<<10) }

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// DocumentError says why a source, or a part of it, cannot be read.
type DocumentError struct{ Message string }

func (e *DocumentError) Error() string { return e.Message }

// LimitError says that a document has more than Most of What.
type LimitError struct {
	What string
	Most int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s; divide it into documents, with --- between them", e.Most, e.What)
}

// Field is a field of an object. The path is that of a *field.Error, or "" for the object itself.
type Field struct {
	Object *Object
	Path   string
}

// Locate returns the positions of fields: of the key, or of the item of a list. A field that is not
// there has the position of the nearest one around it. What comes out of an alias or a merge has
// the position where it is written.
//
// It parses each document once more, whatever the number of its fields. So ask for all at once.
func Locate(fields ...Field) []Position {
	positions := make([]Position, len(fields))
	indices := map[*document][]int{}
	for i, f := range fields {
		indices[f.Object.document] = append(indices[f.Object.document], i)
	}
	for d, of := range indices {
		root, _, _ := d.parse()
		root, known := cmp.Or(root, &yaml.Node{Line: 1}), locator{} // there may be JSON that is not YAML
		for _, i := range of {
			n := known.find(root, join(fields[i].Object.path, fields[i].Path))
			positions[i] = d.place(n.Line, n.Column)
		}
	}
	return positions
}

// join adds a path to another.
func join(path, more string) string {
	if path != "" && more != "" && more[0] != '[' {
		path += "."
	}
	return path + more
}

// locator has the entries of the nodes that were on the way to fields, by their keys or indices.
type locator map[*yaml.Node]map[string][2]*yaml.Node

// find returns the key or the item at a path, or the nearest one around it. A key may have dots and
// brackets in it.
func (l locator) find(n *yaml.Node, path string) (found *yaml.Node) {
	found = n
	const longest = 4 << 10
	for end, entries := 0, l.entries(n); end <= min(len(path), longest); end++ {
		name, bracketed := strings.CutPrefix(path[:end], "[")
		rest, ends := path[end:], true
		if bracketed {
			rest, ends = strings.CutPrefix(rest, "]")
		}
		ends = ends && (rest == "" || rest[0] == '.' || rest[0] == '[')
		if e, ok := entries[name]; ok && ends {
			found, path, entries, end = e[0], strings.TrimPrefix(rest, "."), l.entries(e[1]), -1
		}
	}
	return found
}

// entries returns the entries of a node, merged ones included.
func (l locator) entries(n *yaml.Node) map[string][2]*yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if known, ok := l[n]; ok {
		return known
	}
	m := make(map[string][2]*yaml.Node, len(n.Content))
	l[n] = m
	for i, k := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			m[strconv.Itoa(i)] = [2]*yaml.Node{k, k}
		case i%2 == 1:
		case isMerge(k):
			for _, source := range slices.Backward(sources(n.Content[i+1])) {
				maps.Copy(m, l.entries(source))
			}
		default:
			if key, err := keyOf(k); err == nil {
				m[key] = [2]*yaml.Node{k, n.Content[i+1]}
			}
		}
	}
	return m
}
