package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	kubejson "k8s.io/apimachinery/pkg/util/json"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"
)

// kubectl returns what kubectl makes of a source: its objects, and the error at which it stops.
func kubectl(text []byte) (objects []any, err error) {
	text, _ = io.ReadAll(transform.NewReader(bytes.NewReader(text), unicode.BOMOverride(unicode.UTF8.NewDecoder())))
	var decoder interface{ Decode(any) error } = kubeyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	inJSON := kubeyaml.IsJSONBuffer(text[:min(len(text), 4096)])
	for n, end := 0, int64(0); ; n++ {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if err != nil && !errors.Is(err, io.EOF) && inJSON && n <= 1 {
			// So does kubectl since v1.33.
			inJSON = false
			rest := text[end:]
			blank := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
			if i := bytes.IndexByte(rest[:blank], '\n'); i >= 0 {
				blank = i + 1
			}
			decoder = kubeyaml.NewYAMLToJSONDecoder(bytes.NewReader(rest[blank:]))
			err = decoder.Decode(&raw)
		}
		if errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return objects, err
		}
		if inJSON {
			d := json.NewDecoder(bytes.NewReader(text[end:]))
			var skip json.RawMessage
			_ = d.Decode(&skip)
			end += d.InputOffset()
		}
		if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
			continue
		}
		var value any
		if err := kubejson.Unmarshal(raw, &value); err != nil {
			return objects, err
		}
		m, ok := value.(map[string]any)
		if !ok {
			return objects, fmt.Errorf("not an object: %s", raw)
		}
		items, isList := m["items"]
		if !isList {
			objects = append(objects, m)
			continue
		}
		list, ok := items.([]any)
		if !ok && items != nil {
			return objects, fmt.Errorf("items: %v", items)
		}
		kind, _ := m["kind"].(string)
		version, _ := m["apiVersion"].(string)
		var flatten func(list []any, outermost bool) error
		flatten = func(list []any, outermost bool) error {
			for _, item := range list {
				o, ok := item.(map[string]any)
				if !ok {
					return fmt.Errorf("item: %v", item)
				}
				if inner, ok := o["items"]; ok {
					list, ok := inner.([]any)
					if !ok && inner != nil {
						return fmt.Errorf("items: %v", inner)
					}
					if err := flatten(list, false); err != nil {
						return err
					}
					continue
				}
				k, _ := o["kind"].(string)
				v, _ := o["apiVersion"].(string)
				if of := strings.TrimSuffix(kind, "List"); outermost && k == "" && v == "" && of != "" {
					o["kind"], o["apiVersion"] = of, version
				}
				objects = append(objects, o)
			}
			return nil
		}
		if err := flatten(list, true); err != nil {
			return objects, err
		}
	}
}

// ours returns the objects of a source, and its faults.
func ours(text []byte) (objects []any, faults []*Fault) {
	for o, err := range Read("f", bytes.NewReader(text)) {
		if err != nil {
			faults = append(faults, err.(*Fault))
			continue
		}
		objects = append(objects, o.Object)
		faults = append(faults, o.Faults...)
	}
	return objects, faults
}

// disagreement says how Read and kubectl differ on a source. Repeated keys are faults that kubectl
// does not have.
func disagreement(text []byte) string {
	theirs, err := kubectl(text)
	objects, faults := ours(text)
	var serious []*Fault
	for _, f := range faults {
		if !strings.Contains(f.Error(), "Duplicate value") {
			serious = append(serious, f)
		}
	}
	switch {
	case err == nil && len(serious) > 0:
		for _, f := range serious {
			// What a repeated key replaces does not matter to kubectl.
			if !strings.Contains(f.Error(), "kubectl ignores") && (len(serious) == len(faults) || !strings.Contains(f.Error(), "Invalid value")) {
				return fmt.Sprintf("kubectl reads it; we find %v", f)
			}
		}
	case err != nil && len(serious) == 0:
		return fmt.Sprintf("kubectl says %v; we find no fault", err)
	case err != nil:
		if len(objects) > len(theirs) {
			objects = objects[:len(theirs)]
		}
		return ""
	}
	diff := cmp.Diff(theirs, objects)
	for i := 0; diff != "" && len(serious) < len(faults) && i < 50; i++ {
		// Of 1 and 1.0, and the like, kubectl takes either.
		theirs, _ = kubectl(text)
		diff = cmp.Diff(theirs, objects)
	}
	return diff
}

const root = 4 // the depth of a document

// anyNode draws a node of a document, in any style that the encoder prints.
func anyNode(t *rapid.T, depth int, anchors *[]*yaml.Node) *yaml.Node {
	n := &yaml.Node{}
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	switch {
	case depth == root || kind < 3 && depth > 0:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		keys := map[string]bool{}
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			k := anyScalar(t)
			if rapid.IntRange(0, 9).Draw(t, "plain") > 0 {
				k = &yaml.Node{Kind: yaml.ScalarNode, Value: rapid.SampledFrom([]string{"a", "b", "c", "kind", "metadata", "items", "yes", "1", "1.5", "true", "d e", "f"}).Draw(t, "key")}
			}
			if keys[k.Value] && rapid.IntRange(0, 3).Draw(t, "repeat") > 0 {
				continue
			}
			keys[k.Value] = true
			v := anyNode(t, depth-1, anchors)
			n.Content = append(n.Content, k, v)
		}
		if len(*anchors) > 0 && rapid.IntRange(0, 3).Draw(t, "merge") == 0 {
			a := rapid.SampledFrom(*anchors).Draw(t, "anchor")
			if a.Kind == yaml.MappingNode {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!merge", Value: "<<"}, &yaml.Node{Kind: yaml.AliasNode, Value: a.Anchor, Alias: a})
				if rapid.Bool().Draw(t, "first") {
					c := n.Content
					n.Content = append(append([]*yaml.Node{}, c[len(c)-2:]...), c[:len(c)-2]...)
				}
			}
		}
	case kind < 5 && depth > 0:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			n.Content = append(n.Content, anyNode(t, depth-1, anchors))
		}
	case kind == 5 && len(*anchors) > 0:
		a := rapid.SampledFrom(*anchors).Draw(t, "anchor")
		return &yaml.Node{Kind: yaml.AliasNode, Value: a.Anchor, Alias: a}
	default:
		n = anyScalar(t)
	}
	if n.Kind != yaml.ScalarNode {
		n.Style = rapid.SampledFrom([]yaml.Style{0, 0, 0, yaml.FlowStyle, yaml.TaggedStyle, yaml.TaggedStyle | yaml.FlowStyle}).Draw(t, "style")
	}
	if rapid.IntRange(0, 9).Draw(t, "comments") == 0 {
		n.HeadComment = rapid.SampledFrom([]string{"", "# head", "# two\n# lines", "# a\n\n# b"}).Draw(t, "head")
		n.LineComment = rapid.SampledFrom([]string{"", "# line"}).Draw(t, "line")
		n.FootComment = rapid.SampledFrom([]string{"", "# foot"}).Draw(t, "foot")
	}
	if rapid.IntRange(0, 5).Draw(t, "anchored") == 0 {
		n.Anchor = fmt.Sprint("a", len(*anchors))
		*anchors = append(*anchors, n)
	}
	return n
}

var awkward = []string{"", "a", "b", "kind", "items", "metadata", "yes", "No", "on", "OFF", "y", "N", "true", "False", "null", "~", "Null", "1", "0", "-1", "+1", "007", "08", "0x1F", "0b11", "0o17", "1_000", "-0", "1.0", "1.5", "1e3", "1e21", "1e-7", "-1.5e300", "1e400", "1.", ".5", "0.1", ".inf", "-.INF", ".nan", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "2001-01-01", "2001-12-14t21:59:43.10Z", "12:30:45", "<<", "=", "a: b", "- a", "#a", "a #b", "'", "\"", "a\nb", "a\n", "\n", "\n a", " a", "a ", "\ta", "é", "\u2028", "\u0085", "\u00a0", "😀", "\x7f", "\x01", "{", "[a]", "&a", "*a", "!a", "%a", "@a", "`a", "?", "-", "---", "...", "|", ">", "a\n---\nb", "\r", "a\r\nb", "\ufeff", "aGk=", "/w=="}

func anyScalar(t *rapid.T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Value = rapid.OneOf(rapid.SampledFrom(awkward), rapid.SampledFrom(awkward), rapid.StringN(0, 8, -1), rapid.StringMatching(`[0-9.eE_+-]{1,6}`)).Draw(t, "value")
	n.Style = rapid.SampledFrom([]yaml.Style{0, 0, 0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle, yaml.TaggedStyle}).Draw(t, "style")
	if n.Style == yaml.TaggedStyle && rapid.IntRange(0, 3).Draw(t, "right") > 0 {
		right := rapid.SampledFrom([][2]string{{"!!int", "1"}, {"!!int", "0x1f"}, {"!!float", "1"}, {"!!float", "1.5"}, {"!!bool", "yes"}, {"!!bool", "true"}, {"!!null", ""}, {"!!null", "~"}, {"!!timestamp", "2001-01-01"}, {"!!binary", "aGk="}, {"!!binary", "/w=="}, {"!a", "b"}, {"!!set", "c"}, {"!!str", "1"}, {"!!str", "yes"}}).Draw(t, "tagged")
		n.Tag, n.Value = right[0], right[1]
		n.Style |= rapid.SampledFrom([]yaml.Style{0, 0, yaml.DoubleQuotedStyle, yaml.LiteralStyle}).Draw(t, "and")
	} else if n.Style == yaml.TaggedStyle {
		n.Tag = rapid.SampledFrom([]string{"!!str", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!a", "!!set"}).Draw(t, "tag")
	}
	return n
}

func encode(t *rapid.T, n *yaml.Node) (text []byte, ok bool) {
	defer func() { _ = recover() }()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(rapid.SampledFrom([]int{2, 4, 1}).Draw(t, "indent"))
	if err := e.Encode(n); err != nil {
		return nil, false
	}
	if err := e.Close(); err != nil {
		return nil, false
	}
	return b.Bytes(), true
}

func TestReadAgreesWithKubectl(t *testing.T) {
	read, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for i := range rapid.IntRange(1, 3).Draw(t, "documents") {
			var anchors []*yaml.Node
			n := anyNode(t, root, &anchors)
			d, ok := encode(t, n)
			if !ok {
				t.Skip("cannot be encoded")
			}
			if i > 0 {
				text = append(text, rapid.SampledFrom([]string{"---\n", "---\n", "--- # c\n", "---\t\n", "...\n---\n", "---\n---\n"}).Draw(t, "separator")...)
			}
			text = append(text, d...)
		}
		if rapid.IntRange(0, 9).Draw(t, "dos") == 0 {
			text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		}
		if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		if _, err := kubectl(text); err == nil {
			read++
		} else {
			refused++
		}
		if d := disagreement(text); d != "" {
			t.Fatalf("%s\n%q\n%s", text, text, d)
		}
	})
	t.Logf("kubectl reads %d of these sources, and refuses %d", read, refused)
}
