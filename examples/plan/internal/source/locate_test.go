package source_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

func TestLocate(t *testing.T) {
	const list = `# a comment
apiVersion: v1
kind: List
items:
- metadata: {name: a}
-
  metadata:
    annotations:
      affinity.dataflow.fluid.io/labels: gpu
      "a].b[0]": x
      a: {b: y}
      a.b: z
  spec:
    runAfter:
      # another
      name: a
      affinityStrategy:
        requires:
        - name: x
        - name: y
        prefers: [{name: z, weight: 1}]
`
	const aliases = `base: &base
  a: &one
    b: 1
  c: 2
d: *base
e:
  <<: [{c: 3}, *base]
  f: 4
g: [*one]
`
	const inJSON = `{"apiVersion": "v1", "kind": "List", "items": [
 {"metadata": {"annotations": {"é": 1, "😀\/": 2, "x": 3}}},  {"spec":
	{"requires": [{"name": "x"},
  {"name": "y"}], "requires": [1,
   {"name": "z"}]}}]} {"a": {"b": 1}}`
	for _, c := range []struct {
		text  string
		index int
		path  string
		want  string
	}{
		{list, 0, "", "5:3"},
		{list, 0, "metadata.name", "5:14"},
		{list, 0, "spec.runAfter", "5:3"},
		{list, 1, "", "7:3"},
		{list, 1, "metadata.annotations[affinity.dataflow.fluid.io/labels]", "9:7"},
		{list, 1, "metadata.annotations.affinity.dataflow.fluid.io/labels", "9:7"},
		{list, 1, "metadata.annotations[other]", "8:5"},
		{list, 1, "metadata.annotations[a].b[0]]", "11:11"}, // as if it was a field of a
		{list, 1, "metadata.annotations[a].b", "11:11"},
		{list, 1, "metadata.annotations[a.b]", "12:7"},
		{list, 1, "metadata[annotations][a]", "11:7"},
		{list, 1, "spec.runAfter.name", "16:7"},
		{list, 1, "spec.runAfter.affinityStrategy.requires[0]", "19:11"},
		{list, 1, "spec.runAfter.affinityStrategy.requires[1].name", "20:11"},
		{list, 1, "spec.runAfter.affinityStrategy.requires[1].nam", "20:11"},
		{list, 1, "spec.runAfter.affinityStrategy.requires[2].name", "18:9"},
		{list, 1, "spec.runAfter.affinityStrategy.requires[-1]", "18:9"},
		{list, 1, "spec.runAfter.affinityStrategy.requires.name", "18:9"},
		{list, 1, "spec.runAfter.affinityStrategy.prefers[0].weight", "21:29"},
		{list, 1, "spec.runAfter.name.x[0]", "16:7"},
		{list, 1, "spec.run", "13:3"},
		{list, 1, "]", "7:3"},
		{list, 1, "[", "7:3"},
		{list, 1, "..", "7:3"},

		{aliases, 0, "base.a.b", "3:5"},
		{aliases, 0, "d", "5:1"},
		{aliases, 0, "d.a.b", "3:5"},
		{aliases, 0, "e.a.b", "3:5"},
		{aliases, 0, "e.c", "7:9"},
		{aliases, 0, "e.f", "8:3"},
		{aliases, 0, "g[0]", "9:5"},
		{aliases, 0, "g[0].b", "3:5"},

		{inJSON, 0, "metadata.annotations[é]", "2:32"},
		{inJSON, 0, "metadata.annotations.x", "2:50"},
		{inJSON, 1, "", "2:62"},
		{inJSON, 1, "spec", "2:63"},
		{inJSON, 1, "spec.requires", "4:19"},
		{inJSON, 1, "spec.requires[1].name", "5:5"},
		{inJSON, 2, "", "5:23"},
		{inJSON, 2, "a.b", "5:30"},

		{"a: 1\n---\n\n  b: 2\n", 1, "b", "4:3"},
		{"--- &x\na: 1\n--- {b: {c: 2}}\n", 0, "", "1:5"},
		{"--- &x\na: 1\n--- {b: {c: 2}}\n", 1, "b.c", "3:10"},
		{"{\"a\": 1} # x\nb: 2\n", 1, "b", "2:1"},
		{"\ufeffa: 1\n", 0, "a", "1:1"},
		{"? a\n: b\n? c\n: d\n", 0, "c", "3:3"},
		{"1: {yes: 2}\n", 0, "[1].true", "1:5"},
		{"{\"a\": 1}\n{\"b\"\n: {\"c\": 2}}\n", 1, "b.c", "2"}, // which the parser of YAML does not take
		{"{\"é\": \"\\u00e9\u2028\", \"b\": 2} {\"c\": 3}\n", 0, "b", "1:18"},
		{"{\"é\": \"\\u00e9\u2028\", \"b\": 2} {\"c\": 3}\n", 1, "c", "1:27"},
		{"a: 1\n...\n@\n", 0, "a", "1"}, // nor this, though kubectl's does
	} {
		var objects []*source.Object
		for o, err := range source.Read("f", strings.NewReader(c.text)) {
			if err == nil {
				objects = append(objects, o)
			}
		}
		if got := source.Locate(source.Field{Object: objects[c.index], Path: c.path})[0].String(); got != "f:"+c.want {
			t.Errorf("%s of object %d is at %s, not %s, of\n%s", c.path, c.index, got, c.want, c.text)
		}
	}
}

// The position of a field is that of its key in the source, whatever the style, and whatever other
// fields are asked for.
func TestEveryFieldIsLocated(t *testing.T) {
	fields := 0
	rapid.Check(t, func(t *rapid.T) {
		keys := 0
		type place struct{ path, token string }
		var want []place
		var value func(path, indent string, depth int, flow bool) string
		value = func(path, indent string, depth int, flow bool) string {
			size := rapid.IntRange(1, 3).Draw(t, "size")
			kind := rapid.SampledFrom([]string{"scalar", "mapping", "mapping", "list", "flow mapping", "flow list"}).Draw(t, "kind")
			if depth == 0 {
				kind = "scalar"
			}
			if flow && kind != "scalar" {
				kind = "flow " + strings.TrimPrefix(kind, "flow ")
			}
			if kind == "scalar" {
				keys++
				return fmt.Sprintf("v%d", keys)
			}
			var parts []string
			for i := range size {
				keys++
				key, at := fmt.Sprintf("k%d", keys), fmt.Sprintf("%s[%d]", path, i)
				mapping := strings.HasSuffix(kind, "mapping")
				if mapping {
					token := key
					switch rapid.IntRange(0, 3).Draw(t, "quote") {
					case 0:
						key = "x.y/" + key
						token = `"` + key + `"`
					case 1:
						token = "'" + key + "'"
					}
					at = path + "[" + key + "]"
					want = append(want, place{at, token})
					key = token
				}
				inner := value(at, indent+"  ", depth-1, flow || strings.HasPrefix(kind, "flow"))
				switch {
				case mapping:
					parts = append(parts, key+": "+inner)
				default:
					parts = append(parts, inner)
					if strings.HasPrefix(inner, "v") {
						want = append(want, place{at, inner})
					}
				}
			}
			switch kind {
			case "mapping":
				return "\n" + indent + strings.Join(parts, rapid.SampledFrom([]string{"\n", " # c\n", "\n\n", "\n# c\n"}).Draw(t, "between")+indent)
			case "list":
				return "\n" + indent + "- " + strings.Join(parts, "\n"+indent+"- ")
			case "flow list":
				return "[" + strings.Join(parts, ", ") + "]"
			}
			return "{" + strings.Join(parts, ",\n"+indent) + "}"
		}
		text := "root: " + value("root", "  ", 3, false) + "\n"
		var asked []source.Field
		for o, err := range source.Read("f", strings.NewReader(text)) {
			if err != nil || len(o.Faults) > 0 {
				t.Fatalf("%s: %v %v", text, err, o)
			}
			for _, w := range want {
				asked = append(asked, source.Field{Object: o, Path: w.path})
			}
		}
		lines := strings.Split(text, "\n")
		for i, p := range source.Locate(asked...) {
			if got := lines[p.Line-1][p.Column-1:]; !strings.HasPrefix(got, want[i].token) {
				t.Fatalf("%s is at %s, where there is %s, not %s:\n%s", want[i].path, p, got, want[i].token, text)
			}
		}
		fields += len(want)
	})
	t.Logf("%d fields were located", fields)
}
