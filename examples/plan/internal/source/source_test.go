package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sources are read by TestRead, and are where FuzzRead starts.
var sources = []struct{ what, text string }{
	{"nothing", ""},
	{"comments and empty documents", "# a\n---\n\n---\n# b\n--- # c\n"},
	{"null", "null\n---\n~\n---\n!!null\n"},
	{"a document", "a: 1\nb: {c: d}\n"},
	{"documents", "a: 1\n---\nb: 2\n--- # c\nc: 3\n---\t\nd: 4\n---\r\ne: 5\n---#f\nf: 6\n"},
	{"a separator first, and several", "---\na: 1\n---\n---\nb: 2\n---\n"},
	{"a separator that is a comment first", "---#a\na: 1\n"},
	{"text behind a separator", "--- {a: 1}\n--- &root\nb: 2\n--- !!map\nc: 3\n--- |\n  d\n---e: 5\n"},
	{"a key between dashes", "a: |\n  -----BEGIN\n-----BEGIN\n"},
	{"dots", "a: 1\n...\n---\nb: 2\n...\n# c\n...\n"},
	{"more behind dots", "a: 1\n...\nb: 2\n---\nc: 3\n"},
	{"less indented than it began", "  a: 1\n\nb: 2\n"},
	{"more behind flow style", "{a: 1}\nb: 2\n---\n{a: 1} x\n---\n\"a\"\nb\n"},
	{"more that cannot be scanned", "a: 1\n...\n@\n"},
	{"directives", "%YAML 1.1\n---\na: 1\n"},
	{"byte order marks", "\ufeffa: 1\n---\n\ufeffb: 2\n"},
	{"a byte order mark and JSON", "\ufeff{\"a\": \"\\/\"}\n"},
	{"line feeds of DOS", "a: 1\r\nb: |\r\n  c\r\n---\r\nd: 'e\r\n  f'\r\n"},
	{"UTF-16", "\xff\xfea\x00:\x00 \x001\x00\n\x00-\x00-\x00-\x00\n\x00b\x00:\x00 \x00[\x00\n\x00"},
	{"another encoding", "a: 1 # caf\xe9\nb: caf\xe9\n"},
	{"no line feed at the end", "a: |\n  b\nc: |\n  d"},
	{"words of YAML 1.1", "a: [y, Y, yes, on, true, TRUE]\nb: [n, no, Off, false]\nc: [yEs, 'yes', \"on\", yess, ~, null, Null]\nyes: 1\n"},
	{"numbers", "a: [1, -1, +1, 0x1F, 0b11, 0o17, 017, 08, 1_000, 1.0, 1.5, 1e3, 1e21, -0.0, 9223372036854775808, 18446744073709551616, 12:30, 1.2.3]\n"},
	{"dates", "a: [2001-01-01, 2001-12-14t21:59:43.10Z]\n2001-01-01: b\n"},
	{"tags", "a: !!str 1\nb: !!int \"2\"\nc: !!float 3\nd: !!bool yes\ne: !!null ''\nf: !!binary aGk=\ng: !!binary /w==\nh: !x 1\ni: !!set {j}\nk: !!timestamp 2001-01-01\n"},
	{"tags that do not fit", "a: !!int x\nb: !!bool 1\nc: !!binary '-'\nd: !!null x\ne: !!timestamp x\nf: !!float x\n"},
	{"numbers that JSON does not have", "a: .inf\nb: [-.Inf, .nan]\n"},
	{"keys that are not text", "1: a\n1.5: b\ntrue: c\n.inf: d\n-.inf: d\n.nan: d\n0x10: e\n1e10: f\n16777217.5: f\n!!binary aGk=: g\n"},
	{"keys that cannot be", "~: a\n[b]: c\n? {d: e}\n: f\n18446744073709551615: g\n!!int x: h\ni: j\n"},
	{"anchors and aliases", "a: &x {b: &y 1}\nc: *x\nd: [*y, *x]\n*y : e\n"},
	{"merges", "a: &x {b: 1, c: 2}\nd: &y {c: 3, e: 4}\nf: {<<: *x, b: 5}\ng: {<<: [*x, *y], h: 6}\ni:\n  <<: {j: 7}\n  k: 8\n\"<<\": l\n"},
	{"merges that replace", "a: &x {b: 1, c: 2}\nd: {b: 3, c: 4, <<: *x}\ne: {<<: *x, b: 5, b: 6}\n"},
	{"merges that cannot be", "a: {<<: b}\nc: {<<: [1, {d: 2}]}\n"},
	{"repeated keys", "kind: a\nmetadata: {name: b, name: c}\nspec:\n  x: [{y: 1, 'y': 2, \"y\": 3}]\n  a.b/c: 1\n  a.b/c: 2\nkind: d\nmetadata: {name: e}\n"},
	{"repeated keys in an anchor", "a: &x {b: 1, b: 2}\nc: *x\nd: {<<: *x}\n"},
	{"keys that are the same as text", "1: a\n\"1\": b\nyes: c\ntrue: d\n"},
	{"repeated keys in JSON", "{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2},\n \"a\": [{\"d\": 1, \"d\": 2}]}\n"},
	{"keys that are repeated by escapes", "{\"a\\/b\": 1,\n \"a/b\": 2}\n{\"c\": \"\\/\", \"c\": \"\\ud83d\\ude00\"}\n"},
	{"repeated keys behind what only JSON can have", "{\"a\": \"\x7f\u2028é\", \"a\": 1,\n \"b\": \"\u2029\",\n \"b\": 2}\n"},
	{"a List", "apiVersion: v1\nkind: List\nitems:\n- a: 1\n- apiVersion: v1\n  kind: b\n"},
	{"a List of one kind", "kind: DataLoadList\nitems:\n- metadata: {name: a}\n- kind: b\n- apiVersion: c\n- {kind: '', apiVersion: ~}\napiVersion: data.fluid.io/v1alpha1\n"},
	{"a List in JSON", "{\"items\": [{\"a\": 1},\n  {\"b\": 2, \"b\": 3}], \"kind\": \"DataLoadList\",\n \"apiVersion\": \"v1\", \"kind\": \"List\"}\n"},
	{"Lists in a List", "kind: AList\nitems:\n- kind: BList\n  items:\n  - a: 1\n  - {b: 2, b: 3}\n- items: []\n- {c: 4, c: 5}\n"},
	{"a List with aliases", "x: &x [{a: 1}, &y {b: 2, b: 3}]\nitems: *x\n---\nitems: [&z {a: 1}, *z, {items: [*z]}]\n"},
	{"a List without items", "kind: List\n---\nitems: ~\n---\nitems: []\n"},
	{"a List whose items are not a list", "items: {a: b}\n---\nitems:\n  c\n"},
	{"a List whose items are not objects", "items:\n- a: 1\n- ~\n- 2\n- [b]\n- items: 3\n"},
	{"a List with repeated items", "items:\n- a: 1\nitems:\n- b: 2\nkind: c\nkind: d\n"},
	{"no object", "text\n---\n- a: 1\n---\n5\n---\n!!str\n"},
	{"an anchor and a tag at the root", "&a\nb: 1\n---\n!!map\nc: 2\n---\n!x {d: 3}\n"},
	{"JSON", "{\"a\": 1.0, \"b\": 1e3, \"c\": [true, null, \"\\u00e9\\ud83d\\ude00\\/\\ud800\"],\t\"d\": 123456789012345678901234567890}\n"},
	{"objects in JSON that follow each other", "{\"a\": 1}{\"b\": 2}\n\n {\"c\":\n 3} {\"d\": 4}\n"},
	{"JSON that only JSON can have", "{\"a\u2028\": \"\x7f\", \"" + strings.Repeat("long", 300) + "\": 1,\n \"b\"\n: 2}"},
	{"JSON documents", "{\"a\": 1}\n---\n{\"b\": 2.0}\n---\n"},
	{"a comment behind JSON", "{\"a\": 1}\n# b\n"},
	{"comments around JSON", "# a\n{\"b\": 1}\n# c\n"},
	{"a separator behind several objects in JSON", "{\"a\": 1}{\"b\": 2}\n---\n{\"c\": 3}\n"},
	{"numbers that are too large for JSON", "{}\n\n {\"a\":\n 1e999}\n"},
	{"truncated JSON", "{\"a\": 1}\n{\"b\": [1,\n2"},
	{"JSON with a comma too many", "{\"a\": 1,}\n"},
	{"flow style that is no JSON", "{a: 1,\n b: 'c}'}\n---\n{d: 2}\n"},
	{"a null and a list in JSON", "{\"a\": 1}\nnull\n[1]\n"},
	{"a syntax error between objects", "a: 1\n---\nb: [\n---\nc: 3\n---\nd: e: f\n---\ng: 4\n"},
	{"what the parser says", "kind: x\na: \"\\q\"\n---\na: b\n - c\nd: e\n---\na:\n  b: [c\n  d: e\n---\na: 'b\nc: d\n---\n!x!y a\n---\na\n---\n\tb: c\n---\na: @b\n---\na: *b\n---\na: b: c\n"},
	{"an unknown anchor", "a: 1\nb: c*x\nc: *x\n"},
	{"a template", "metadata:\n  name: {{ .Release.Name }}-copy\n---\nmetadata:\n  name: {{ .Values.name }}\n"},
	{"control characters", "a: b\nc: \x01\n---\na: \x7f\n---\na: \u0085b\n"},
	{"a line break of another kind before dashes", "a: 1\r---\rb: 2\n"},
	{"another document in the text of one", "a: 1\n# b\r---\rc: 2\n"},
	{"an anchor in itself", "a: &a [1, *a]\n---\nb: &b {<<: *b}\n---\nitems: &c [{items: *c}]\n---\nd: 1\n"},
	{"aliases without end", bomb},
	{"long texts in messages", strings.Repeat("k", 2000) + ": {" + strings.Repeat("k", 2000) + ": 1, " + strings.Repeat("k", 2000) + ": 2}\n"},
}

const bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"

// summary prints what is read.
func summary(t *testing.T, text string) string {
	var b strings.Builder
	print := func(indent string, f *source.Fault) {
		lost := ""
		if f.Lost {
			lost = " (lost)"
		}
		if len(f.Error()) > 4<<10 {
			t.Errorf("a message of %d bytes", len(f.Error()))
		}
		message := f.Error()
		if len(message) > 200 {
			message = message[:200] + "…"
		}
		fmt.Fprintf(&b, "%s%T %s%s\n", indent, f.Err, message, lost)
	}
	for o, err := range source.Read("f", strings.NewReader(text)) {
		var fault *source.Fault
		if errors.As(err, &fault) {
			print("  ", fault)
			continue
		}
		object, err := json.Marshal(o.Object)
		if err != nil {
			t.Error(err)
		}
		if len(object) > 200 {
			object = append(object[:200], "…"...)
		}
		fmt.Fprintf(&b, "  %s %s\n", source.Locate(source.Field{Object: o})[0], object)
		for _, f := range o.Faults {
			print("    ", f)
		}
	}
	if b.Len() == 0 {
		return "  nothing\n"
	}
	return b.String()
}

func TestRead(t *testing.T) {
	var got bytes.Buffer
	for _, s := range sources {
		fmt.Fprintf(&got, "%s\n%s\n", s.what, summary(t, s.text))
		if d := disagreement(t, []byte(s.text)); d != "" {
			t.Errorf("%s: %s", s.what, d)
		}
	}
	golden.Compare(t, *update, "testdata/read.golden", got.Bytes())
}

// Every repeated key that is planted is found, in its place and with its path, and no other.
func TestRepeatedKeysAreFound(t *testing.T) {
	planted := 0
	rapid.Check(t, func(t *rapid.T) {
		asJSON := rapid.Bool().Draw(t, "JSON")
		var want []string
		line := 1
		var value func(depth int, path string) string
		value = func(depth int, path string) string {
			if depth == 0 {
				return "1"
			}
			var parts []string
			for i := range rapid.IntRange(1, 4).Draw(t, "size") {
				key := fmt.Sprintf("k%d", i)
				line++
				parts = append(parts, fmt.Sprintf("\n%q: %s", key, value(rapid.IntRange(0, depth-1).Draw(t, "depth"), path+key+".")))
				for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "repeat") {
					line++
					want = append(want, fmt.Sprintf("f:%d:1 %s%s", line, path, key))
					parts = append(parts, fmt.Sprintf("\n%q: 2", key))
				}
			}
			return "{" + strings.Join(parts, ",") + "}"
		}
		var text string
		items := rapid.IntRange(0, 3).Draw(t, "items")
		for i := range items {
			text += map[bool]string{true: ",", false: ""}[i > 0] + value(3, "")
		}
		if text = `{"items": [` + text + "]}\n"; items == 0 {
			text = value(3, "") + "\n"
		}
		if !asJSON {
			text = "&a " + text
		}
		var got []string
		for o, err := range source.Read("f", strings.NewReader(text)) {
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for _, f := range o.Faults {
				var err *field.Error
				if !errors.As(f, &err) || err.Type != field.ErrorTypeDuplicate {
					t.Fatalf("%s: %v", text, f)
				}
				got = append(got, f.Position.String()+" "+err.Field)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", text, diff)
		}
		planted += len(want)
	})
	t.Logf("%d repeated keys were planted and found", planted)
}

// A source is read on while its reader gives anything, and its error is a fault.
func TestReadErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "a: 1\n---\nb: 2\n", "a: 1\n---\nb: [", "{\"a\": 1}\n{\"b\": 2}\n", "{\"a\": 1}\n{\"b\"", "{"} {
		objects, last := 0, error(nil)
		for o, err := range source.Read("f", io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))) {
			if last = err; o != nil {
				objects++
			}
		}
		var fault *source.Fault
		if !errors.Is(last, broken) || !errors.As(last, &fault) || !fault.Lost || objects != strings.Count(text, ": 1")+strings.Count(text, ": 2") {
			t.Errorf("%q: %d objects, %v", text, objects, last)
		}
	}
	objects, _ := read(t, []byte("a: 1\n---\nb: 2\n"))
	var got []any
	for o := range source.Read("f", iotest.OneByteReader(strings.NewReader("a: 1\n---\nb: 2\n"))) {
		got = append(got, o.Object)
	}
	if diff := cmp.Diff(objects, got); diff != "" {
		t.Error(diff)
	}
}

// A caller may stop at any step, and then nothing more is read.
func TestReadStops(t *testing.T) {
	for _, text := range []string{
		"a: 1\n---\nb: 2\n", "a: [\n---\nb: 2\n", "items: [{a: 1}, {b: 2}, 3, 4]\n", "{\"a\": 1}\n{\"b\": 2}\n", "--- x\n", "{}{} x", "a: 1\na: 2\n---\nitems: []\nitems: []\n",
	} {
		steps := 0
		for range source.Read("f", strings.NewReader(text)) {
			steps++
		}
		for stop := range steps {
			left := stop
			for range source.Read("f", strings.NewReader(text)) {
				if left--; left < 0 {
					break
				}
			}
		}
	}
}

// Objects share no memory, also where an alias makes them the same.
func TestObjectsShareNothing(t *testing.T) {
	const text = "items:\n- &a {b: {c: [1]}}\n- *a\n- {<<: *a}\n"
	for i := range 3 {
		objects, _ := read(t, []byte(text))
		objects[i].(map[string]any)["b"].(map[string]any)["c"].([]any)[0] = "changed"
		for j, o := range objects {
			if got := o.(map[string]any)["b"].(map[string]any)["c"].([]any)[0]; j != i && got != int64(1) {
				t.Errorf("object %d has %v of object %d", j, got, i)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	cause := &source.DocumentError{Message: strings.Repeat("é", 5000)}
	fault := &source.Fault{Position: source.Position{File: "f", Line: 2}, Err: cause}
	var found *source.DocumentError
	if !errors.As(error(fault), &found) || found != cause {
		t.Errorf("%v is not in %v", cause, fault)
	}
	if s := fault.Error(); len(s) > 4<<10 || !strings.HasPrefix(s, "f:2: éé") || !strings.HasSuffix(s, "é…") {
		t.Errorf("%d bytes: %s", len(s), s)
	}
	for _, c := range []struct {
		position source.Position
		want     string
	}{
		{source.Position{}, ""},
		{source.Position{File: "f"}, "f"},
		{source.Position{File: "f", Line: 10}, "f:10"},
		{source.Position{File: "f:0", Line: 20, Column: 30}, "f:0:20:30"},
	} {
		if got := c.position.String(); got != c.want {
			t.Errorf("%#v is %s, not %s", c.position, got, c.want)
		}
	}
}
