package strict_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
)

// faults returns the faults, as their paths and messages.
func faults(r *strict.Reader) []string {
	var all []string
	for _, fault := range r.Faults {
		all = append(all, strings.Join(fault.Path, "|")+" "+fault.Err.Error())
	}
	return all
}

func expect(t *testing.T, r *strict.Reader, want ...string) {
	t.Helper()
	if got := faults(r); !slices.Equal(got, want) {
		t.Errorf("faults\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestPathsHaveTwoForms(t *testing.T) {
	root := strict.Read(map[string]any{"a": []any{nil, map[string]any{"b.c": 1}}})
	list := root.Get("a")
	item := list.Item(1)
	entry := item.Entry("b.c")
	absent := entry.Get("d")
	for _, v := range []strict.Value{entry, absent, list.Item(7), item.Entry("x\ny"), item.Entry(""), item.Entry(strings.Repeat("k", 400)), item.Entry("a]b")} {
		v.Invalid("v", "no")
	}
	expect(t, root.Reader,
		`a|1|b.c a[1][b.c]: Invalid value: "v": no`,
		`a|1|b.c|d a[1][b.c].d: Invalid value: "v": no`,
		`a|7 a[7]: Invalid value: "v": no`,
		"a|1|x\ny a[1][\"x\\ny\"]: Invalid value: \"v\": no",
		`a|1| a[1][""]: Invalid value: "v": no`,
		`a|1|`+strings.Repeat("k", 400)+` a[1]["`+strings.Repeat("k", 80)+`…"]: Invalid value: "v": no`,
		`a|1|a]b a[1]["a]b"]: Invalid value: "v": no`)
}

func TestDecodeIsStrict(t *testing.T) {
	var into struct {
		Text   string            `json:"text"`
		Number *int64            `json:"number,omitempty"`
		Short  int32             `json:"short"`
		Map    map[string]string `json:"map"`
		List   []string          `json:"list"`
		Inner  *struct {
			A string `json:"a"`
		} `json:"inner"`
		Ignored any `json:"ignored"`
	}
	root := strict.Read(map[string]any{"in": map[string]any{
		"text": 1, "number": json.Number("x"), "short": int64(1) << 31, "map": map[string]any{"a": "b", "c": true, "d": nil}, "list": []any{"a", nil, 2},
		"inner": map[string]any{"a": "x", "b": "y"}, "ignored": 5, "Text": "", "é": nil,
	}})
	root.Get("in").Decode(&into)
	expect(t, root.Reader,
		"in|Text in.Text: Forbidden: no such field; must be one of text, number, short, map, list, inner, ignored",
		`in|é in["é"]: Forbidden: no such field; must be one of text, number, short, map, list, inner, ignored`,
		"in|text in.text: Invalid value: 1: must be a string; quote it",
		`in|number in.number: Invalid value: "x": must be a whole number of 64 bits`,
		"in|short in.short: Invalid value: 2147483648: must be a whole number of 32 bits",
		"in|map|c in.map[c]: Invalid value: true: must be a string; quote it (unquoted, YAML reads y, yes, on, n, no and off as true and false)",
		`in|list|1 in.list[1]: Invalid value: "null": must not be null; remove the item`,
		"in|list|2 in.list[2]: Invalid value: 2: must be a string; quote it",
		"in|inner|b in.inner.b: Forbidden: no such field; must be one of a")
	if into.Number != nil || into.Short != 0 || len(into.Map) != 1 || len(into.List) != 3 || into.Inner == nil || into.Inner.A != "x" || into.Ignored != nil {
		t.Errorf("%+v", into)
	}
}

func TestExplainSaysWhatToDo(t *testing.T) {
	root := strict.Read(map[string]any{"nmae": 1, "x": 2, "y": 3})
	root.Explain = func(s *strict.Shape, name string, value any) (string, bool) {
		meant, ok := s.Nearest(name)
		return fmt.Sprintf("typo of %s, with %v", meant, value), ok
	}
	root.Object(strict.Open("kind name", "name"))
	root.Object(strict.Closed("name"))
	root.Get("name").Require("a name") // one of the unknown fields may be it
	expect(t, root.Reader,
		"nmae nmae: Forbidden: no such field; typo of name, with 1",
		"nmae nmae: Forbidden: no such field; typo of name, with 1",
		"x x: Forbidden: no such field; must be one of name",
		"y y: Forbidden: no such field; must be one of name")
}

func TestTheRestIsCounted(t *testing.T) {
	root := strict.Read(map[string]any{})
	for range strict.MaxFaults + 5 {
		root.Get("a").Reject(dataflow.CodeInvalid, field.Required(nil, ""))
	}
	if len(root.Faults) != strict.MaxFaults || root.Omitted != 5 || root.Count() != strict.MaxFaults+5 {
		t.Error(len(root.Faults), root.Omitted)
	}
}

func TestKeysAreSorted(t *testing.T) {
	fields := map[string]any{"none": nil}
	var want []string
	for i := range 26 {
		key := string(rune('a' + i))
		fields[key], want = i, append(want, key)
	}
	root := strict.Read(map[string]any{"labels": fields, "list": []any{}})
	if keys, ok := root.Get("labels").Keys(); !ok || !slices.Equal(keys, want) {
		t.Errorf("Keys() = %v, %v", keys, ok)
	}
	if keys, ok := root.Get("list").Keys(); ok || keys != nil {
		t.Errorf("of a list, Keys() = %v, %v", keys, ok)
	}
	expect(t, root.Reader, `list list: Invalid value: "array": must be an object`)
}

// What is accepted is listed if it is short, and an item that is a label key is shown as it should be.
func TestWrongTypesSayWhatIsAccepted(t *testing.T) {
	nine, ten := strict.Closed("name b c d e f g h i"), strict.Closed("a b c d e f g h i j")
	root := strict.Read(map[string]any{"text": "zone", "words": "two words", "number": 1, "channel": make(chan int), "list": []any{1}})
	for _, shape := range []*strict.Shape{nine, ten, strict.Open("name b", "name")} {
		value := root.Get("number")
		value.Object(shape)
	}
	for _, name := range []string{"text", "words", "channel"} {
		value := root.Get(name)
		value.Object(ten)
		value.Object(nine)
	}
	list := root.Get("list")
	beyond := list.Item(1)
	beyond.Object(nine) // it is absent
	const nineFields = "must be an object with name, b, c, d, e, f, g, h, i"
	expect(t, root.Reader,
		`number number: Invalid value: 1: `+nineFields,
		`number number: Invalid value: 1: must be an object`,
		`number number: Invalid value: 1: must be an object`,
		`text text: Invalid value: "zone": must be an object`,
		`text text: Invalid value: "zone": `+nineFields+`; write name: zone`,
		`words words: Invalid value: "two words": must be an object`,
		`words words: Invalid value: "two words": `+nineFields,
		`channel channel: Invalid value: "chan int": must be an object`,
		`channel channel: Invalid value: "chan int": `+nineFields)
}

// The longest label key is shown as it is.
func TestLongKeysInPaths(t *testing.T) {
	longest := strings.Repeat("k", 317)
	root := strict.Read(map[string]any{})
	for _, key := range []string{longest, longest + "k"} {
		root.Entry(key).Invalid("v", "no")
	}
	expect(t, root.Reader,
		longest+" ["+longest+`]: Invalid value: "v": no`,
		longest+`k ["`+longest[:80]+`…"]: Invalid value: "v": no`)
}
