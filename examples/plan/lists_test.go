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

// Every form of the output is in both READMEs, and what it is for is in that of plan.
func TestEveryFormIsInTheREADMEs(t *testing.T) {
	for _, form := range formats() {
		if !strings.Contains(strings.ToLower(readFile(t, "../../README.md")), form) {
			t.Errorf("README.md of the root does not name the form %s", form)
		}
		own := readFile(t, "README.md")
		if !strings.Contains(own, "`"+form+"`") || form != "table" && !strings.Contains(own, "| `"+form+"` |") && !strings.Contains(own, "`-o "+form+"`") {
			t.Errorf("README.md does not list the form %s, or does not say what it is for", form)
		}
	}
}

// Every host is in both READMEs. Every kind is in the rights that plan's README asks for, and in
// the message about an input without any.
func TestEveryHostAndKindIsNamed(t *testing.T) {
	_, message, _ := plan("{apiVersion: v1, kind: Service, metadata: {name: a}}", "-")
	for _, path := range []string{"README.md", "../../README.md"} {
		for _, host := range dataflow.Hosts() {
			if !strings.Contains(readFile(t, path), "`"+string(host)+"`") {
				t.Errorf("%s does not name the host %s", path, host)
			}
		}
	}
	for _, kind := range dataflow.Kinds() {
		if !strings.Contains(readFile(t, "README.md"), strings.ToLower(string(kind))) || !strings.Contains(message, string(kind)) {
			t.Errorf("README.md, or the message %q, does not name %s", message, kind)
		}
	}
}

func readFile(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The schema lists the hosts of the library.
func TestTheSchemaListsTheHosts(t *testing.T) {
	var schema struct {
		Properties struct {
			Host struct{ Enum []dataflow.Host }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	got, want := schema.Properties.Host.Enum, dataflow.Hosts()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
