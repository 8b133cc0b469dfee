package source_test

import (
	"bytes"
	"errors"
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// loneTag finds what may be a tag of a mark alone, of which the nodes do not tell.
var loneTag = regexp.MustCompile(`!([\s,\[\]{}]|$|\x{85}|\x{2028}|\x{2029})`)

// FuzzRead holds Read against kubectl, and looks for the position of every field.
func FuzzRead(f *testing.F) {
	for _, s := range sources {
		f.Add([]byte(s.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// kubectl writes aliases out, however large the texts are.
		if math.Pow(1.45, float64(bytes.Count(text, []byte("*"))))*float64(len(text)) < 64<<20 && !loneTag.Match(text) {
			if d := disagreement(t, text); d != "" {
				t.Fatalf("%s\n%q\n%s", text, text, d)
			}
		}
		lines := 1 + bytes.Count(text, []byte("\n"))
		check := func(p source.Position) {
			// The parser takes more for line breaks than line feeds.
			if p.File != "f" || p.Line < 1 || p.Line > lines && !bytes.ContainsAny(text, "\r\u0085\u2028\u2029\x00") {
				t.Fatalf("%q: %v", text, p)
			}
		}
		for o, err := range source.Read("f", bytes.NewReader(text)) {
			var fault *source.Fault
			if errors.As(err, &fault) {
				check(fault.Position)
				continue
			}
			var fields []source.Field
			walk(o.Object, "", func(path string, _ any) { fields = append(fields, source.Field{Object: o, Path: path}) })
			for _, p := range source.Locate(fields...) {
				check(p)
			}
		}
	})
}

// walk calls visit with every value below a value, with its path.
func walk(value any, path string, visit func(path string, value any)) {
	visit(path, value)
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			walk(v, path+"["+key+"]", visit)
		}
	case []any:
		for i, v := range value {
			walk(v, path+"["+strconv.Itoa(i)+"]", visit)
		}
	}
}
