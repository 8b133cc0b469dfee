package main

import (
	"bytes"
	"flag"
	"testing"

	"github.com/fluid-cloudnative/slipstream/internal/golden"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestQuickstartPrintsTheGuidesDemos(t *testing.T) {
	var got bytes.Buffer
	if err := run(&got); err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(got.Bytes(), []byte("\n")); lines > 60 {
		t.Errorf("%d lines, want no more than a screen", lines)
	}
	golden.Compare(t, *update, "testdata/quickstart.golden", got.Bytes())
}
