package source

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var loneTag = regexp.MustCompile(`!(\s|$|\xc2\x85|\xe2\x80[\xa8\xa9])`)

// FuzzRead holds Read against kubectl.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/cases/*/*.*")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if len(text) < 2000 {
			f.Add(text)
		}
	}
	for _, text := range []string{
		"a: 1\n...\nb: 2\n", "--- {a: 1}\n", "  a: 1\nb: 2\n", "{\"a\": 1}\n---\n{\"b\": 2}\n---\n", "{}{}\n---\na: 1\n", "a: *x\n", "a: \x01\n", "x\n", "- a\n", "null\n", "# c\n", "a: &a [*a]\n", "a: .inf\n~: 1\n[a]: 2\n",
		"kind: XList\napiVersion: v2\nitems:\n- a: 1\n- null\n- 3\n- kind: List\n  items:\n  - b: 1\n  - &x {b: 2, b: 3}\n  - *x\n", "items: 3\n", "items: ~\n",
		"a: {b: 1}\nc:\n  d: 1\n  <<: {d: 2}\n", "a: [\nb: 1\n", "{\"a\": [1, 2,\n 3}", "{\"a\": 1}\n{\"b\": 1.0, \"c\":1e999}{\"b\":{\"c\":1,\"c\":2}} # x\n", "a: \"x\ny: 2\n", "---x\na: 1\n",
		"a: >-\n  x\n\n  y\nb: |2\n    z\n? c\n: d\n", "a: 'it''s'\nb: \"\\u00e9\\n\\\n  x\"\n", "%YAML 1.1\n---\na: 1\n", "%TAG !e! tag:e,2000:\n---\n!e!x a: 1\n", "a: !!binary aGk=\nb: !!float 1\nc: !<tag:yaml.org,2002:str> 1\n", "&a a: &b\n  - *a\n  - <<: [*b]\n", "\ufeffa: 1\n---\n\ufeffb: 2\n", "a:\t1\n\tb: 2\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if loneTag.Match(text) {
			t.Skip("the parser does not tell about a tag of a mark alone")
		}
		if d := disagreement(text); d != "" {
			t.Fatalf("%s\n%q\n%s", text, text, d)
		}
	})
}
