package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// Every form of the output is in both READMEs.
func TestEveryFormIsInTheREADMEs(t *testing.T) {
	for _, path := range []string{"README.md", "../../README.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range formats() {
			if !strings.Contains(strings.ToLower(string(text)), form) {
				t.Errorf("%s does not name the form %s", path, form)
			}
		}
	}
}

// The schema lists the hosts of the library.
func TestTheSchemaListsTheHosts(t *testing.T) {
	text, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Host struct{ Enum []dataflow.Host }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	got, want := schema.Properties.Host.Enum, dataflow.Hosts()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
