package source

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// decoder makes the value of a document of its nodes, by the rules of kubectl's decoder.
type decoder struct {
	*reader
	*document
	found  []*Fault // with paths from the root
	failed bool     // the whole document

	aliases, visits, aliased int // around the node; nodes so far, and those of them in aliases

	literal map[[2]int]bool // lines and columns of literal tags
}

// path leads to a node, by a key or, if that is "", by an index.
type path struct {
	up    *path // nil at the root
	key   string
	index int
	depth int
}

func (p *path) add(key string, index int) *path { return &path{p, key, index, p.depth + 1} }

var identifier = regexp.MustCompile(`^[A-Za-z_][0-9A-Za-z_-]*$`)

func (p *path) field() *field.Path {
	switch {
	case p.up == nil:
		return nil
	case p.key == "":
		return p.up.field().Index(p.index)
	case identifier.MatchString(p.key):
		return p.up.field().Child(p.key)
	}
	return p.up.field().Key(p.key)
}

// fault records a fault. What comes out of an alias has it at the anchor.
func (d *decoder) fault(n *yaml.Node, p *path, kind field.ErrorType, value, detail string) {
	if d.aliases > 0 {
		return
	}
	if d.faults++; d.faults <= MaxFaults {
		err := &field.Error{Type: kind, Field: message.Cut(p.field().String(), 1<<10), BadValue: message.Cut(value, 64), Detail: detail}
		d.found = append(d.found, &Fault{d.place(n.Line, n.Column), false, err})
	}
}

// decode returns the value of a node.
func (d *decoder) decode(n *yaml.Node, p *path) (value any) {
	d.visits, d.aliased = d.visits+1, d.aliased+min(d.aliases, 1)
	most := 0.99 - 0.89*float64(min(max(d.visits, 400_000), 4_000_000)-400_000)/3_600_000 // as in kubectl's parser
	var err error
	switch {
	case d.failed:
		return nil
	case p.depth >= MaxDepth && n.Kind != yaml.ScalarNode:
		err = &LimitError{"mappings and lists within each other", MaxDepth}
	case d.aliased > 100 && d.visits > 1000 && float64(d.aliased) > most*float64(d.visits):
		err = &DocumentError{"an alias is within its own anchor, or aliases make the document too large; write some of them out"}
	case n.Kind == yaml.AliasNode:
		d.aliases++
		value = d.decode(n.Alias, p)
		d.aliases--
	case n.Kind == yaml.MappingNode:
		value = d.mapping(n, p)
	case n.Kind == yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			items[i] = d.decode(item, p.add("", i))
		}
		value = items
	default:
		var err error
		if value, err = d.scalar(n); err != nil {
			d.fault(n, p, field.ErrorTypeInvalid, n.Value, err.Error())
		}
	}
	if err != nil {
		d.failed = true
		d.reader.fault(d.place(n.Line, n.Column), true, err)
	}
	return value
}

// mapping returns the value of a mapping.
func (d *decoder) mapping(n *yaml.Node, p *path) map[string]any {
	m, merged := make(map[string]any, len(n.Content)/2), map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key, err := keyOf(k)
		if d.isLiteral(k) {
			key, err = k.Value, nil
		}
		at := p.add(cmp.Or(key, k.Value, "?"), 0)
		_, repeated := m[key]
		switch {
		case isMerge(k):
			for _, source := range slices.Backward(sources(v)) {
				values, ok := d.decode(source, p).(map[string]any)
				if !ok && !d.failed {
					d.fault(k, at, field.ErrorTypeInvalid, key, "must be a mapping, an alias of one, or a list of them")
				}
				for _, key := range slices.Sorted(maps.Keys(values)) {
					if _, before := m[key]; before && !merged[key] {
						d.fault(k, p.add(key, 0), field.ErrorTypeDuplicate, key, "a merge replaces it in kubectl, though not in YAML; put << first")
					}
					m[key], merged[key] = values[key], true
				}
			}
			continue
		case err != nil:
			d.fault(k, at, field.ErrorTypeInvalid, k.Value, err.Error())
			continue
		case repeated && !merged[key]:
			d.fault(k, at, field.ErrorTypeDuplicate, key, "only the last value of a key counts")
		}
		delete(merged, key)
		m[key] = d.decode(v, at)
	}
	return m
}

// literalTag matches the tags that make a string of each scalar and are lost in the nodes: !, and one
// that is written out and starts with !, with the anchor before them.
var literalTag = regexp.MustCompile(`(?:&[^\s,\[\]{}]+\s+)?!(?:<![^>\s]*>)?(?:[\s,\]}]|$)`)

// isLiteral reports whether a node is a scalar with a literal tag.
func (d *decoder) isLiteral(n *yaml.Node) bool {
	if d.literal == nil {
		d.literal = map[[2]int]bool{}
		at, rest := document{line: 1}, d.text
		for tag := literalTag.FindIndex(rest); tag != nil; tag = literalTag.FindIndex(rest) {
			at.advance(rest[:tag[0]])
			d.literal[[2]int{at.line, at.column + 1}] = true
			next := max(tag[0]+1, tag[1]-1)
			at.advance(rest[tag[0]:next])
			rest = rest[next:]
		}
	}
	return n.Kind == yaml.ScalarNode && d.literal[[2]int{n.Line, n.Column}]
}

func isMerge(key *yaml.Node) bool { return key.Tag == "!!merge" && key.Value == "<<" }

// sources returns the nodes that a merge names. kubectl adds the last one first.
func sources(v *yaml.Node) []*yaml.Node {
	if v.Kind == yaml.SequenceNode {
		return v.Content
	}
	return []*yaml.Node{v}
}

// words are the bools of YAML 1.1, and so of kubectl, that YAML 1.2 does not have.
var words = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

// resolve returns what a scalar is in YAML: nil, or a string, bool, int, int64, uint64 or float64.
func resolve(n *yaml.Node) (value any, err error) {
	tagged, plain := n.Style&yaml.TaggedStyle != 0, n.Style == 0
	word, isWord := words[n.Value[:min(len("off")+1, len(n.Value))]]
	switch {
	case isWord && (plain && n.Tag == "!!str" || tagged && n.Tag == "!!bool"):
		return word, nil
	case n.Tag == "!!str":
		return n.Value, nil
	case n.Decode(&value) != nil:
		return nil, errors.New("must be a value of its tag, " + strconv.Quote(message.Cut(n.Tag, 64)))
	case n.Tag == "!!timestamp":
		return n.Value, nil
	case n.Tag == "!!binary": // which need not be UTF-8
		return string([]rune(fmt.Sprint(value))), nil
	}
	return value, nil
}

// scalar returns what a scalar is in an object. kubectl makes JSON of YAML, and integers of the whole
// numbers in that, however they are written.
func (d *decoder) scalar(n *yaml.Node) (any, error) {
	if d.isLiteral(n) {
		return n.Value, nil
	}
	value, err := resolve(n)
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case uint64:
		return float64(v), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, errors.New("must be a number that JSON has")
		}
		if i, err := strconv.ParseInt(strconv.FormatFloat(v, 'f', -1, 64), 10, 64); err == nil {
			return i, nil
		}
	}
	return value, err
}

// keyOf returns what a key is in an object.
func keyOf(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", errors.New("a key must not be a mapping or a list; if this is a template, render it first")
	}
	value, err := resolve(n)
	switch v := value.(type) {
	case string:
		return v, nil
	case bool, int, int64:
		return fmt.Sprint(v), nil
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 32)
		return cmp.Or(map[string]string{"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}[s], s), nil
	}
	return "", cmp.Or(err, errors.New("a key must not be null, or so large a number"))
}
