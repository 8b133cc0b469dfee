package labelsyntax_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/labelsyntax"
)

// nearMisses are the strings on which a hand-written scanner goes wrong first.
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
		t.Errorf("IsKey(%q) = %v, apimachinery says %v", s, got, want)
	}
	if got, want := labelsyntax.IsSubdomain(s), len(validation.IsDNS1123Subdomain(s)) == 0; got != want {
		t.Errorf("IsSubdomain(%q) = %v, apimachinery says %v", s, got, want)
	}
	if got, want := labelsyntax.IsValue(s), len(validation.IsValidLabelValue(s)) == 0; got != want {
		t.Errorf("IsValue(%q) = %v, apimachinery says %v", s, got, want)
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

func FuzzAgreesWithApimachinery(f *testing.F) {
	for _, s := range nearMisses() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}
