package dataflow_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity/affinitytest"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// roundTrip encodes a value and decodes it. Nil and empty lists and maps have the same form.
func roundTrip[T any](t *rapid.T, in T) {
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("Marshal(%+v): %v", in, err)
	}
	var out T
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("Unmarshal(%s): %v", data, err)
	}
	if diff := cmp.Diff(in, out, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s, -in +out:\n%s", data, diff)
	}
	again, err := json.Marshal(out)
	if err != nil || string(again) != string(data) {
		t.Fatalf("encoded again %s, %v; want %s", again, err, data)
	}
}

func TestJSONRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, op := range operations().Draw(t, "operations") {
			op = placeable(t, op)
			if rapid.Bool().Draw(t, "TTL") {
				ttl := rapid.Int32().Draw(t, "seconds")
				op.TTLSecondsAfterFinished = &ttl
			}
			op.OnEvent = rapid.Bool().Draw(t, "on event")
			roundTrip(t, op)
		}
		roundTrip(t, full())
		roundTrip(t, affinitytest.LabelSets().Draw(t, "labels"))
		roundTrip(t, started(clusters().Draw(t, "cluster").nodes).Draw(t, "observation"))
		ops := operations().Draw(t, "operations")
		for _, p := range dataflow.Check(ops...) {
			roundTrip(t, p)
		}
		w := worlds().Draw(t, "world")
		fc := w.forecast(t)
		roundTrip(t, fc.Problems())
		roundTrip(t, fc.Groups())
		for _, op := range w.ops {
			roundTrip(t, fc.Strands(op.Ref))
		}
	})
}

func TestJSONForms(t *testing.T) {
	load := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "default", Name: "a"}
	for want, value := range map[string]any{
		`{"kind":"DataLoad","namespace":"default","name":"a"}`:         load,
		`{"ref":{"kind":"DataLoad","namespace":"default","name":"a"}}`: dataflow.Operation{Ref: load},
		`{"labels":{}}`: dataflow.Observation{},
		`{"phase":"Complete","labels":{"zone":"east"},"node":"n1"}`: dataflow.Observation{Phase: dataflow.Complete, Labels: topology.NewLabelSet(map[string]string{"zone": "east"}), Node: "n1"},
		`{"code":"Cycle","severity":"Error","operation":{"kind":"DataLoad","namespace":"default","name":"a"},"field":"spec.runAfter","message":"remove one"}`: dataflow.Problem{Code: dataflow.CodeCycle, Severity: dataflow.SeverityError, Operation: load, Field: "spec.runAfter", Message: "remove one"},
		`{"state":"Waiting","cause":{"kind":"DataLoad","namespace":"default","name":"a"},"inherited":{}}`:                                                     dataflow.Decision{State: dataflow.Waiting, Cause: load},
		`{"node":"n1","blocks":{"kind":"DataLoad","namespace":"default","name":"a"}}`:                                                                         dataflow.Strand{Node: "n1", Blocks: load},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("%T: got  %s, %v\nwant %s", value, got, err, want)
		}
	}
	var o dataflow.Observation
	if err := json.Unmarshal([]byte(`{"phase":"Complete","labels":["zone"]}`), &o); err == nil || !strings.Contains(err.Error(), "labels must be an object of strings") {
		t.Errorf("a list of labels: %+v, %v", o, err)
	}
}
