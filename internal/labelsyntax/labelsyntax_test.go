package labelsyntax_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// nearMisses returns strings that are barely valid or barely not.
func nearMisses() []string {
	return []string{
		"", "a", "A", "9", "-", "_", ".", "a-", "-a", "a.", ".a", "a_b", "a.b", "a..b", "a-.b", "a.-b", "é", "a b", "a\n", "\x00",
		"/", "a/", "/a", "a/b", "A/b", "a/B", "a/b/c", "a_b/c", "a.b/c", "a..b/c", ".a/b", "a./b", "-a/b", "a-/b", "a-b/c", "a.-b/c", "a-.b/c",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253) + "/b", strings.Repeat("a", 254) + "/b",
		"a/" + strings.Repeat("b", 63), "a/" + strings.Repeat("b", 64), "kubernetes.io/hostname", "topology.kubernetes.io/zone",
	}
}

func check(t interface{ Errorf(string, ...any) }, s string) {
	if got, want := labelsyntax.IsKey(s), len(validation.IsQualifiedName(s)) == 0; got != want {
		t.Errorf("IsKey(%q) = %v, want %v as in apimachinery", s, got, want)
	}
	if got, want := labelsyntax.IsSubdomain(s), len(validation.IsDNS1123Subdomain(s)) == 0; got != want {
		t.Errorf("IsSubdomain(%q) = %v, want %v as in apimachinery", s, got, want)
	}
	if got, want := labelsyntax.IsValue(s), len(validation.IsValidLabelValue(s)) == 0; got != want {
		t.Errorf("IsValue(%q) = %v, want %v as in apimachinery", s, got, want)
	}
}

func TestAgreesWithApimachinery(t *testing.T) {
	for _, s := range nearMisses() {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringOfN(rapid.SampledFrom([]rune("aZ0-_./é ")), 0, 12, -1).Draw(t, "s"))
	})
}

func TestKeyFault(t *testing.T) {
	for key, want := range map[string]string{
		"a/":                       `k: Invalid value: "a/": not a label key: name part must be non-empty; name part must consist of`,
		"a\nb/c":                   `k: Invalid value: "a\nb/c": not a label key: prefix part a lowercase RFC 1123 subdomain`,
		strings.Repeat("é", 1<<20): `k: Invalid value: "ééé`,
	} {
		if got := labelsyntax.KeyFault(field.NewPath("k"), key).Error(); !strings.HasPrefix(got, want) || len(got) > 1000 {
			t.Errorf("%d bytes: %s", len(got), got[:min(len(got), 1000)])
		}
	}
}

func FuzzAgreesWithApimachinery(f *testing.F) {
	for _, s := range nearMisses() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}
