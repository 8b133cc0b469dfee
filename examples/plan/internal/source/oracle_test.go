package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	kubejson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// theirs is what kubectl makes of a source: its objects, and the error at which it stops. It is
// mixed if something else follows JSON objects.
type theirs struct {
	objects []any
	err     error
	mixed   bool
}

// kubectl reads a source with apimachinery's decoder and what kubectl does before and after it.
func kubectl(text []byte) (t theirs) {
	text, _ = io.ReadAll(transform.NewReader(bytes.NewReader(text), unicode.BOMOverride(unicode.UTF8.NewDecoder())))
	var decoder interface{ Decode(any) error } = kubeyaml.NewYAMLToJSONDecoder(bytes.NewReader(text))
	if kubeyaml.IsJSONBuffer(text[:min(len(text), 4096)]) {
		objects := json.NewDecoder(bytes.NewReader(text))
		for n := 0; ; n++ {
			var raw json.RawMessage
			if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
				return t
			} else if err != nil {
				// No more than one object may be followed by YAML.
				if t.mixed = n > 0; n > 1 {
					t.err = err
					return t
				}
				rest := text[objects.InputOffset():]
				blank := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
				if i := bytes.IndexByte(rest[:blank], '\n'); i >= 0 {
					blank = i + 1
				}
				decoder = kubeyaml.NewYAMLToJSONDecoder(bytes.NewReader(rest[blank:]))
				break
			}
			if t.err = t.add(raw); t.err != nil {
				t.mixed = n > 0
				return t
			}
		}
	}
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return t
		} else if err != nil {
			t.err = err
			return t
		}
		if t.err = t.add(raw); t.err != nil {
			return t
		}
	}
}

// add adds an object, or the items of a List.
func (t *theirs) add(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var value any
	if err := kubejson.Unmarshal(raw, &value); err != nil {
		return err
	}
	root, _ := value.(map[string]any)
	kind, _ := root["kind"].(string)
	version, _ := root["apiVersion"].(string)
	var flatten func(value any, depth int) error
	flatten = func(value any, depth int) error {
		m, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("not an object: %v", value)
		}
		items, isList := m["items"]
		if list, ok := items.([]any); isList && (ok || items == nil) {
			for _, item := range list {
				if err := flatten(item, depth+1); err != nil {
					return err
				}
			}
			return nil
		} else if isList {
			return fmt.Errorf("not a list: %v", items)
		}
		k, _ := m["kind"].(string)
		v, _ := m["apiVersion"].(string)
		if of := strings.TrimSuffix(kind, "List"); depth == 1 && k == "" && v == "" && of != "" {
			m["kind"], m["apiVersion"] = of, version
		}
		t.objects = append(t.objects, m)
		return nil
	}
	return flatten(value, 0)
}

// read returns the objects of a source, and its faults.
func read(t fataler, text []byte) (objects []any, faults []*source.Fault) {
	for o, err := range source.Read("f", bytes.NewReader(text)) {
		var fault *source.Fault
		switch {
		case err == nil && o != nil:
			objects = append(objects, o.Object)
			faults = append(faults, o.Faults...)
		case errors.As(err, &fault) && o == nil:
			faults = append(faults, fault)
		default:
			t.Fatalf("a step with %v and %v", o, err)
		}
	}
	return objects, faults
}

type fataler interface{ Fatalf(string, ...any) }

func isDuplicate(f *source.Fault) bool {
	var err *field.Error
	var unplaced *source.DocumentError
	return errors.As(f, &err) && err.Type == field.ErrorTypeDuplicate || errors.As(f, &unplaced) && strings.HasPrefix(unplaced.Message, "duplicate field")
}

// disagreement says how Read and kubectl differ on a source. Repeated keys, and what kubectl passes
// over in silence, empty sources included, are faults that it does not have. Of the keys 1 and 1.0,
// and the like, kubectl takes either at random, so it is asked again.
func disagreement(t fataler, text []byte) (d string) {
	got, faults := read(t, text)
	for range 50 {
		if d = difference(kubectl(text), got, faults); d == "" || !slices.ContainsFunc(faults, isDuplicate) {
			break
		}
	}
	return d
}

func difference(want theirs, got []any, faults []*source.Fault) string {
	serious := slices.DeleteFunc(slices.Clone(faults), isDuplicate)
	repeated := len(serious) < len(faults)
	switch {
	case want.mixed:
		return ""
	case want.err != nil && len(serious) == 0:
		return fmt.Sprintf("kubectl says %v; there is no fault", want.err)
	case want.err != nil:
		return ""
	}
	for _, f := range serious {
		var err *field.Error
		// What a repeated key replaces does not matter to kubectl.
		if !strings.Contains(f.Error(), "kubectl ignores") && !errors.Is(f, source.ErrEmpty) && !(repeated && errors.As(f, &err)) {
			return fmt.Sprintf("kubectl reads it; there is %v", f)
		}
	}
	return cmp.Diff(want.objects, got)
}

const root = 4 // the depth of a document's root

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
			n.Content = append(n.Content, k, anyNode(t, depth-1, anchors))
		}
		if len(*anchors) > 0 && rapid.IntRange(0, 3).Draw(t, "merge") == 0 {
			if a := rapid.SampledFrom(*anchors).Draw(t, "anchor"); a.Kind == yaml.MappingNode {
				merge := []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!merge", Value: "<<"}, {Kind: yaml.AliasNode, Value: a.Anchor, Alias: a}}
				if rapid.Bool().Draw(t, "first") {
					n.Content = append(merge, n.Content...)
				} else {
					n.Content = append(n.Content, merge...)
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

var (
	// awkward are texts that mean something in YAML, or nearly so.
	awkward = []string{
		"", "a", "b", "kind", "items", "metadata", "yes", "No", "on", "OFF", "y", "N", "true", "False", "null", "~", "Null", "1", "0", "-1", "+1", "007", "08", "0x1F", "0b11",
		"0o17", "1_000", "-0", "1.0", "1.5", "1e3", "1e21", "1e-7", "-1.5e300", "1e400", "1.", ".5", "0.1", ".inf", "-.INF", ".nan", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "18446744073709551616", "-9223372036854775809", "2001-01-01", "2001-12-14t21:59:43.10Z", "12:30:45", "<<", "=", "a: b", "- a", "#a", "a #b", "'", "\"",
		"a\nb", "a\n", "\n", "\n a", " a", "a ", "\ta", "é", "\u2028", "\u0085", "\u00a0", "😀", "\x7f", "\x01", "{", "[a]", "&a", "*a", "!a", "%a", "@a", "`a", "?", "-", "---", "...",
		"|", ">", "a\n---\nb", "\r", "a\r\nb", "\ufeff", "aGk=", "/w==",
	}
	tagged = [][2]string{
		{"!!int", "1"}, {"!!int", "0x1f"}, {"!!float", "1"}, {"!!float", "1.5"}, {"!!bool", "yes"}, {"!!bool", "true"}, {"!!null", ""}, {"!!null", "~"}, {"!!timestamp", "2001-01-01"},
		{"!!binary", "aGk="}, {"!!binary", "/w=="}, {"!a", "b"}, {"!!set", "c"}, {"!!str", "1"}, {"!!str", "yes"},
	}
	styles = []yaml.Style{0, 0, 0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle, yaml.TaggedStyle}
)

func anyScalar(t *rapid.T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Style: rapid.SampledFrom(styles).Draw(t, "style")}
	n.Value = rapid.OneOf(rapid.SampledFrom(awkward), rapid.SampledFrom(awkward), rapid.StringN(0, 8, -1), rapid.StringMatching(`[0-9.eE_+-]{1,6}`)).Draw(t, "value")
	switch {
	case n.Style != yaml.TaggedStyle:
	case rapid.IntRange(0, 3).Draw(t, "right") > 0:
		right := rapid.SampledFrom(tagged).Draw(t, "tagged")
		n.Tag, n.Value = right[0], right[1]
		n.Style |= rapid.SampledFrom([]yaml.Style{0, 0, yaml.DoubleQuotedStyle, yaml.LiteralStyle}).Draw(t, "and")
	default:
		n.Tag = rapid.SampledFrom(tagged).Draw(t, "tag")[0]
	}
	return n
}

// encode prints a document, unless the encoder cannot.
func encode(t *rapid.T, n *yaml.Node) (text []byte) {
	defer func() { _ = recover() }()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(rapid.SampledFrom([]int{2, 4, 1}).Draw(t, "indent"))
	if err := errors.Join(e.Encode(n), e.Close()); err != nil {
		return nil
	}
	return b.Bytes()
}

// A tag decides what a scalar is, and so does the way in which it is written.
func TestReadAgreesWithKubectlOnTags(t *testing.T) {
	tags := strings.Fields("! !<!> !a !<a> !<!a> !!a !!str !!null !!int !!bool !!float !<tag:yaml.org,2002:int> !<tag:yaml.org,2002:null> !<!!int> !!map !!seq !!binary !!timestamp !!merge !!value &b&c")
	values := []string{"", "1", "null", "~", "true", "yes", "1.5", `""`, `"1"`, "'yes'", "|\n  x", "{}", "[]", "<<", "2001-01-01", "é", "a!"}
	for _, tag := range tags {
		for _, value := range values {
			for _, text := range []string{"%s %s", "a: %s %s", "%s %s : b", "[{b: &a %s %s }]", "{é: %s &a %s\n}", "\n- &a\n  %s %s"} {
				text = fmt.Sprintf(text+"\n", tag, value)
				if d := disagreement(t, []byte(text)); d != "" {
					t.Errorf("%q: %s", text, d)
				}
			}
		}
	}
}

// Sources in YAML, in every style that the node tree can print, are read as kubectl reads them.
func TestReadAgreesWithKubectlOnYAML(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for i := range rapid.IntRange(1, 3).Draw(t, "documents") {
			var anchors []*yaml.Node
			d := encode(t, anyNode(t, root, &anchors))
			if d == nil {
				t.Skip("cannot be encoded")
			}
			if i > 0 {
				text = append(text, rapid.SampledFrom([]string{"---\n", "---\n", "--- # c\n", "---\t\n", "...\n---\n", "---\n---\n"}).Draw(t, "separator")...)
			}
			text = append(text, d...)
		}
		switch rapid.IntRange(0, 19).Draw(t, "bytes") {
		case 0:
			text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		case 1:
			text = bytes.TrimSuffix(text, []byte("\n"))
		case 2:
			text, _ = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(text)
		case 3:
			text = append([]byte("\ufeff"), text...)
		case 4:
			text = append(text, "# \xe9\n"...)
		}
		if kubectl(text).err == nil {
			accepted++
		} else {
			refused++
		}
		if d := disagreement(t, text); d != "" {
			t.Fatalf("%s\n%q\n%s", text, text, d)
		}
	})
	t.Logf("kubectl reads %d of the sources, and refuses %d", accepted, refused)
}

// anyJSON draws a text in JSON.
func anyJSON(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n", "\t", "\r\n  "})
	parts := func(part func() string) string {
		var list []string
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			list = append(list, space.Draw(t, "space")+part()+space.Draw(t, "space"))
		}
		return strings.Join(list, ",")
	}
	switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case depth == root || kind < 3 && depth > 0:
		return "{" + parts(func() string {
			return anyText(t) + space.Draw(t, "space") + ":" + space.Draw(t, "space") + anyJSON(t, depth-1)
		}) + "}"
	case kind < 5 && depth > 0:
		return "[" + parts(func() string { return anyJSON(t, depth-1) }) + "]"
	case kind < 7:
		return anyText(t)
	}
	return rapid.OneOf(rapid.SampledFrom([]string{"null", "true", "false", "0", "-0", "1.0", "1e3", "1E-2", "1e400", "-1.5e300", "9223372036854775808", "18446744073709551616", "123456789012345678901234567890"}),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?`)).Draw(t, "number")
}

// anyText draws a string in JSON, with escapes that need not be.
func anyText(t *rapid.T) string {
	var b strings.Builder
	b.WriteByte('"')
	text := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "kind", "items", "metadata"}), rapid.SampledFrom([]string{"a", "b", "kind", "items", "metadata"}), rapid.SampledFrom(awkward), rapid.String()).Draw(t, "text")
	for _, r := range text {
		switch how := rapid.IntRange(0, 19).Draw(t, "escape"); {
		case how == 0 || r < ' ' || r == '"' || r == '\\':
			fmt.Fprintf(&b, `\u%04x`, r&0xffff)
		case r == '/':
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(rapid.SampledFrom([]string{"", "", "", "", `\ud83d\ude00`, `\ud800`, `\n`, `\\`}).Draw(t, "more"))
	b.WriteByte('"')
	return b.String()
}

// Sources in JSON, of objects that follow each other or are divided by separators, are read as
// kubectl reads them.
func TestReadAgreesWithKubectlOnJSON(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		between := rapid.SampledFrom([]string{"", "\n", " ", "\n\n", "\n---\n"}).Draw(t, "between")
		for range rapid.IntRange(1, 4).Draw(t, "objects") {
			text = append(text, anyJSON(t, root)+between...)
		}
		if kubectl(text).err == nil {
			accepted++
		} else {
			refused++
		}
		if d := disagreement(t, text); d != "" {
			t.Fatalf("%s\n%q\n%s", text, text, d)
		}
	})
	t.Logf("kubectl reads %d of the sources, and refuses %d", accepted, refused)
}
