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
	golden.Compare(t, *update, "testdata/quickstart.golden", got.Bytes())
}
