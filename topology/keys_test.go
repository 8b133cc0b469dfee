package topology_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawE5ParseKeys(t *testing.T) {
	wellFormed := rapid.SampledFrom([]string{"a", "b", "Tier", "example.com/gpu", topology.Hostname, topology.Zone, strings.Repeat("a", 36)})
	malformed := rapid.SampledFrom([]string{"-a", "a b", "/a", "a/", "a/b/c", "A.com/x", "é", strings.Repeat("a", 64), strings.Repeat("a", 37)})
	anything := rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune("ab/.- A\t")), 0, 8, -1), strings.TrimSpace)
	blank := rapid.SampledFrom([]string{"", " ", "\t", "\n  "})
	rapid.Check(t, func(t *rapid.T) {
		item := wellFormed
		if rapid.Bool().Draw(t, "malformed items") {
			item = rapid.OneOf(wellFormed, malformed, anything)
		}
		var items, keys, reported []string
		for range rapid.IntRange(0, 6).Draw(t, "items") {
			key := rapid.OneOf(item, rapid.Just("")).Draw(t, "item")
			items = append(items, blank.Draw(t, "before")+key+blank.Draw(t, "after"))
			switch {
			case key == "":
			case len(validation.IsQualifiedName(key)) > 0, len(validation.IsQualifiedName(strings.ToLower(topology.RecordedPrefix+key))) > 0:
				reported = append(reported, key)
			default:
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		if keys = slices.Compact(keys); len(reported) > 0 {
			keys = nil
		}
		got, err := topology.ParseKeys(strings.Join(items, ","))
		mustEqual(t, "keys", keys, got)
		var bad []string
		for _, fault := range fieldErrors(t, err) {
			mustEqual(t, "path", "metadata.annotations[affinity.dataflow.fluid.io/labels]", fault.Field)
			bad = append(bad, fault.BadValue.(string))
		}
		mustEqual(t, "reported keys", reported, bad)
	})
}

func TestParseKeys(t *testing.T) {
	const at = `metadata.annotations[affinity.dataflow.fluid.io/labels]: Invalid value: `
	const name = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character ` +
		`(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`
	for _, c := range []struct {
		annotation   string
		keys, faults []string
	}{
		{"", nil, nil},
		{" , ,,\t", nil, nil},
		{"gpu", []string{"gpu"}, nil},
		{" gpu ,example.com/a", []string{"example.com/a", "gpu"}, nil},
		{"b,a,b", []string{"a", "b"}, nil},
		{"a\nb", nil, []string{at + `"a\nb": not a label key: ` + name}},
		{strings.Repeat("a", 37) + ",gpu," + strings.Repeat("a", 223) + ".com/gpu", nil, []string{
			at + `"` + strings.Repeat("a", 37) + `": must have at most 36 characters if it has no slash, so that Fluid can record the label in an annotation; it has 37`,
			at + `"` + strings.Repeat("a", 223) + `.com/gpu": must have at most 226 characters before the slash, so that Fluid can record the label in an annotation; it has 227`,
		}},
		{"gpu, no key, a, no key, /x", nil, []string{
			at + `"no key": not a label key: ` + name,
			at + `"no key": not a label key: ` + name,
			at + `"/x": not a label key: prefix part must be non-empty`,
		}},
	} {
		got, err := topology.ParseKeys(c.annotation)
		mustEqual(t, "keys in "+c.annotation, c.keys, got)
		mustEqual(t, "faults in "+c.annotation, c.faults, faults(t, err))
	}
}

// An API server validates the name of an annotation in lower case.
func TestLawE5RecordableKeysMakeAnnotationNames(t *testing.T) {
	check := func(t tester, key string) {
		t.Helper()
		recordable := len(validation.IsQualifiedName(strings.ToLower(topology.RecordedPrefix+key))) == 0
		if fault := topology.CheckRecordable(nil, key); (fault == nil) != recordable {
			t.Fatalf("CheckRecordable(%q) = %v; recordable: %v", key, fault, recordable)
		}
		if keys, err := topology.ParseKeys(key); (err == nil) != recordable || recordable && !slices.Equal(keys, []string{key}) {
			t.Fatalf("ParseKeys(%q) = %v, %v; recordable: %v", key, keys, err, recordable)
		}
	}
	for key, want := range map[string]bool{
		strings.Repeat("a", 36):                                  true,
		strings.Repeat("A", 36):                                  true,
		strings.Repeat("a", 37):                                  false,
		strings.Repeat("a", 63):                                  false,
		"a/" + strings.Repeat("B", 63):                           true,
		strings.Repeat("a", 226) + "/b":                          true,
		strings.Repeat("a", 226) + "/" + strings.Repeat("b", 63): true,
		strings.Repeat("a", 227) + "/b":                          false,
		strings.Repeat("a", 253) + "/b":                          false,
		topology.Hostname:                                        true,
	} {
		check(t, key)
		if fault := topology.CheckRecordable(nil, key); (fault == nil) != want {
			t.Errorf("CheckRecordable(%q) = %v", key, fault)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		key := strings.Repeat("a", rapid.IntRange(1, 63).Draw(t, "name"))
		if prefix := rapid.IntRange(0, 253).Draw(t, "prefix"); prefix > 0 {
			key = strings.Repeat("b", prefix) + "/" + key
		}
		check(t, key)
	})
}

func TestLawG1MessagesAreShort(t *testing.T) {
	long := strings.Repeat("\x1b", 1<<20)
	for _, annotation := range []string{long, strings.Repeat("no key,", 10_000), strings.Repeat("a", 1<<20), strings.Repeat("a", 1<<20) + "/b"} {
		checkMessages(t, annotation)
	}
	affinity := recorded(make([]corev1.NodeSelectorTerm, 10_000)...)
	for i := range affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i] = term(in("a"), in("b", "c", "d"))
	}
	exists := corev1.NodeSelectorRequirement{Key: long, Operator: corev1.NodeSelectorOperator(long), Values: []string{long, long}}
	for _, a := range []*corev1.NodeAffinity{affinity, recorded(term(in(long, "1"), in(long, "1"))), recorded(term(exists))} {
		_, err := topology.FromNodeAffinity(a)
		checkMessage(t, err)
	}
	_, err := topology.FromAnnotations(map[string]string{topology.InjectAnnotation: "true", topology.RecordedPrefix: long})
	checkMessage(t, err)
	var s topology.LabelSet
	checkMessage(t, json.Unmarshal([]byte(`{"`+strings.Repeat("a", 1<<20)+`":null}`), &s))
	checkMessage(t, json.Unmarshal([]byte(`{"\u202e":null}`), &s))
}

func checkMessages(t *testing.T, annotation string) {
	t.Helper()
	_, err := topology.ParseKeys(annotation)
	checkMessage(t, err)
	for _, fault := range fieldErrors(t, err) {
		checkMessage(t, fault)
	}
}

// checkMessage fails the test if a message is long, or has characters that are not printable.
func checkMessage(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	if i := strings.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }); i >= 0 || len(text) > message.Limit {
		t.Errorf("%d bytes, not printable at %d: %.500q", len(text), i, text)
	}
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	keys := func(n int) []string {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprint("key-", i*7919%n)
		}
		return keys
	}
	labels := func(n int) map[string]string {
		labels := map[string]string{}
		for _, key := range keys(n) {
			labels[key] = "value"
		}
		return labels
	}
	for name, prepare := range map[string]func(n int) func(){
		"ParseKeys": func(n int) func() {
			annotation := strings.Join(keys(n), ", ")
			return func() { topology.ParseKeys(annotation) }
		},
		"ParseKeys of malformed keys": func(n int) func() {
			annotation := strings.Repeat("no key,", n)
			return func() {
				_, err := topology.ParseKeys(annotation)
				_ = err.Error()
			}
		},
		"Expose": func(n int) func() {
			labels, keys := labels(n), keys(n)
			return func() { topology.Expose(labels, keys...) }
		},
		"Only": func(n int) func() {
			s, keys := topology.NewLabelSet(labels(n)), keys(n)
			return func() { s.Only(keys...) }
		},
		"NodeAffinity and back": func(n int) func() {
			s := topology.NewLabelSet(labels(n))
			return func() { topology.FromNodeAffinity(s.NodeAffinity()) }
		},
		"Annotations and back": func(n int) func() {
			s := topology.NewLabelSet(labels(n))
			return func() { topology.FromAnnotations(s.Annotations()) }
		},
		"JSON and back": func(n int) func() {
			s := topology.NewLabelSet(labels(n))
			return func() {
				encoded, _ := json.Marshal(s)
				json.Unmarshal(encoded, &s)
			}
		},
		"String": func(n int) func() {
			s := topology.NewLabelSet(labels(n))
			return func() { _ = s.String() }
		},
		"FromNodeAffinity of faults": func(n int) func() {
			a := recorded(term(slices.Repeat([]corev1.NodeSelectorRequirement{in("a")}, n)...))
			return func() {
				_, err := topology.FromNodeAffinity(a)
				_ = err.Error()
			}
		},
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, 1000, prepare) })
	}
}
