package manifest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// A large object in JSON is one however it ends.
func TestLargeJSONEndsAnyhow(t *testing.T) {
	object := strings.Replace(jsonLoad, `"kind"`, `"x": "`+strings.Repeat("y", 2<<20)+`", "kind"`, 1)
	for _, end := range []string{"", "\n", "\r\n", "\n\n", "\n---\n", "\n" + object, "\n\n" + object + "\n"} {
		m, err := manifest.Read("f.json", strings.NewReader(object+end))
		if want := 1 + strings.Count(end, "DataLoad"); err != nil || len(m.Operations) != want {
			t.Errorf("%.5q: %d operations, want %d: %v", end, len(m.Operations), want, err)
		}
	}
}

// A stream of JSON is not cut within an object that is too large.
func TestTooLargeJSONIsOneError(t *testing.T) {
	padded := func(size int) string {
		return strings.Replace(jsonLoad, `"kind"`, `"x": "`+strings.Repeat("y", size)+`", "kind"`, 1) + "\n"
	}
	m, err := manifest.Read("f.json", strings.NewReader(padded(2<<20)+padded(manifest.MaxSize)))
	if want := "f.json:1 (document 1): larger than 32 MiB; split it into documents, with --- between them"; err == nil || err.Error() != want || len(m.Operations) > 0 {
		t.Errorf("%d operations, %v, want %s", len(m.Operations), err, want)
	}
}

// JSON is decoded without being parsed to values first, so that more of it may stand
// in one document; but not without an end.
func TestJSONHasItsLimitToo(t *testing.T) {
	tolerations := strings.Repeat("{},", 1<<20) + "{}"
	text := strings.Replace(jsonLoad, `"kind"`, `"spec": {"tolerations": [`+tolerations+`]}, "kind"`, 1)
	m, err := manifest.Read("f.json", strings.NewReader(text+"\n---\n"+jsonLoad))
	if want := "f.json:1 (document 1): more than 1572864 elements in one document; split it"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if len(m.Operations) != 1 || m.Operations[0].Place.Document != 2 {
		t.Errorf("%d operations beside it", len(m.Operations))
	}
}

// What is wrong is shown as it stands, also by releases of apimachinery that would
// rather show it as JSON.
func TestValuesAreShownAsTheyStand(t *testing.T) {
	_, err := manifest.Read("f.yaml", strings.NewReader(load("a", "tolerations: heavy")))
	var fault *manifest.FieldError
	if !errors.As(err, &fault) || !strings.Contains(err.Error(), `Invalid value: "heavy": must be a list`) {
		t.Fatal(err)
	}
	if text, err := json.Marshal(fault.Fault.BadValue); err == nil {
		t.Errorf("as JSON it would be shown as %s", text)
	}
}
