package topology_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/topology"
)

func TestLawE5ParseKeysReadsAnyList(t *testing.T) {
	wellFormed := rapid.SampledFrom([]string{"a", "b", "Tier", "example.com/gpu", topology.Hostname, topology.Zone})
	malformed := rapid.SampledFrom([]string{"-a", "a b", "/a", "a/", "a/b/c", "A.com/x", "é", strings.Repeat("a", 64)})
	anything := rapid.Map(rapid.StringOfN(rapid.SampledFrom([]rune("ab/.- A\t")), 0, 8, -1), strings.TrimSpace)
	blank := rapid.SampledFrom([]string{"", " ", "\t", "\n  "})
	rapid.Check(t, func(t *rapid.T) {
		item := wellFormed
		if rapid.Bool().Draw(t, "also malformed ones") {
			item = rapid.OneOf(wellFormed, malformed, anything)
		}
		var items, keys, reported []string
		for range rapid.IntRange(0, 6).Draw(t, "items") {
			key := rapid.OneOf(item, rapid.Just("")).Draw(t, "item")
			items = append(items, blank.Draw(t, "before")+key+blank.Draw(t, "after"))
			switch {
			case key == "":
			case len(validation.IsQualifiedName(key)) > 0:
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
		{"gpu, no key, a, no key, /x", nil, []string{
			at + `"no key": not a label key: ` + name,
			at + `"no key": not a label key: ` + name,
			at + `"/x": not a label key: prefix part must be non-empty`,
		}},
	} {
		got, err := topology.ParseKeys(c.annotation)
		mustEqual(t, "keys of "+c.annotation, c.keys, got)
		mustEqual(t, "faults of "+c.annotation, c.faults, faults(t, err))
	}
}
