package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// Whether a key stands twice is what apimachinery's strict parser says, however the YAML is
// written: the reader looks for it only in documents that could have one.
func TestAKeyStandsTwiceWhenTheStrictParserSaysSo(t *testing.T) {
	repeated := 0
	rapid.Check(t, func(t *rapid.T) {
		lines := []string{"apiVersion: data.fluid.io/v1alpha1", "kind: DataLoad", "metadata:", "  name: a"}
		pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
		keys := []string{"x", `"x"`, "'x'", "y", `"a: b"`, "'a: b'", "a b", "x:y", `"x:"`, "x#y", "1", "~", "ä", `"\u0078"`, "? x\n  "}
		values := []string{"1", "", "|\n      x: 1\n      y: 2", ">-\n      a: b", "{}", "{x: 1}", "{x: 1, y: 2}", "{x: 1, x: 2}", "[]", "[x: 1]", "[{x: 1}, {y: 1}]",
			`"b: c"`, "'it''s: x'", "a:b", "&anchor 1", "*anchor", "!!str x", "# x: 1", `{"x":1}`, `{"x":1,"x":2}`, `["x":1]`, `["x":1, "y":2]`, "\n    x: 1\n    y: 1", "\n    - x: 1\n    - x: 1", "\n    x: 1\n    x: 2"}
		for range rapid.IntRange(1, 3).Draw(t, "blocks") {
			lines = append(lines, pick("block", "metadata:", "spec:", "status:", "other:"))
			for range rapid.IntRange(1, 4).Draw(t, "fields") {
				switch rapid.IntRange(0, 9).Draw(t, "what") {
				case 0:
					lines = append(lines, pick("comment", "  # x: 1", "# : ", ""))
				default:
					lines = append(lines, "  "+pick("key", keys...)+":"+pick("blank", " ", "  ", "\t")+pick("value", values...))
				}
			}
		}
		text := strings.Join(lines, pick("line break", "\n", "\n", "\r\n")) + "\n"
		if _, err := utilyaml.ToJSON([]byte(text)); err != nil {
			return // no YAML
		}
		var object any
		strict := utilyaml.UnmarshalStrict([]byte(text), &object)
		want := strict != nil && strings.Contains(strict.Error(), "already set in map")
		m, err := manifest.Read("f", strings.NewReader(text))
		if len(m.Operations) == 0 {
			return // a repeated kind or metadata took it away
		}
		got := false
		for _, err := range parts(err) {
			var fault *manifest.FieldError
			got = got || errors.As(err, &fault) && fault.Fault.Type == field.ErrorTypeDuplicate
		}
		if got != want {
			t.Fatalf("%s\nstrict: %v\nread: %v", text, strict, err)
		}
		if want {
			repeated++
		}
	})
	if repeated == 0 {
		t.Error("no key stood twice")
	}
}
