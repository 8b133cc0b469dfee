package source

import (
	"maps"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
		if root == nil { // of JSON that is no YAML
			root = &yaml.Node{Line: 1}
		}
		known := locator{}
		for _, i := range of {
			n := known.find(root, join(fields[i].Object.path, fields[i].Path))
			positions[i] = d.place(n.Line, n.Column)
		}
	}
	return positions
}

// join adds a path to another.
func join(path, more string) string {
	if path == "" || more == "" || more[0] == '[' {
		return path + more
	}
	return path + "." + more
}

// locator has the entries of the nodes that were on the way to fields, by their keys or indices.
type locator map[*yaml.Node]map[string]entry

type entry struct{ key, value *yaml.Node }

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
		if ends = ends && (rest == "" || rest[0] == '.' || rest[0] == '['); !ends {
			continue
		}
		if e, ok := entries[name]; ok {
			found, path, entries, end = e.key, strings.TrimPrefix(rest, "."), l.entries(e.value), -1
		}
	}
	return found
}

// entries returns the entries of a node, merged ones included.
func (l locator) entries(n *yaml.Node) map[string]entry {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if known, ok := l[n]; ok {
		return known
	}
	m := make(map[string]entry, len(n.Content))
	l[n] = m
	for i, k := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			m[strconv.Itoa(i)] = entry{k, k}
		case i%2 == 1:
		case isMerge(k):
			for _, source := range sources(n.Content[i+1]) {
				maps.Copy(m, l.entries(source))
			}
		default:
			if key, err := keyOf(k); err == nil {
				m[key] = entry{k, n.Content[i+1]}
			}
		}
	}
	return m
}
