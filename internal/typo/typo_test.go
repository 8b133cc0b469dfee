package typo_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

func TestNearest(t *testing.T) {
	fields := []string{"affinityStrategy", "apiVersion", "dependOn", "kind", "name", "namespace", "policy", "prefers", "requires", "weight"}
	for _, c := range []struct{ word, want string }{
		{"require", "requires"},
		{"dependsOn", "dependOn"},
		{"DependOn", "dependOn"},
		{"prefer", "prefers"},
		{"affinitystrategy", "affinityStrategy"},
		{"namspace", "namespace"},
		{"nam", "name"},
		{"image", ""},
		{"x", ""},
		{"", ""},
	} {
		if got, ok := typo.Nearest(c.word, fields...); got != c.want || ok != (c.want != "") {
			t.Errorf("Nearest(%q) = %q, %v; want %q", c.word, got, ok, c.want)
		}
	}
	if got, _ := typo.Nearest("bat", "cat", "hat"); got != "cat" {
		t.Errorf("of equally near candidates Nearest returns %q, want the first", got)
	}
	if got := typo.Hint("require", fields...); got != `; typo of "requires"?` {
		t.Errorf("Hint = %q", got)
	}
	if got := typo.Hint("image", fields...); got != "" {
		t.Errorf("Hint = %q, want none", got)
	}
}

// The oracle is the recursive definition of the edit distance.
func TestNearestIsWithinAThird(t *testing.T) {
	var edits func(a, b string) int
	edits = func(a, b string) int {
		switch {
		case a == "" || b == "":
			return len(a) + len(b)
		case a[0] == b[0]:
			return edits(a[1:], b[1:])
		default:
			return 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab]{0,6}`).Draw(t, "word")
		candidate := rapid.StringMatching(`[ab]{1,6}`).Draw(t, "candidate")
		if _, ok := typo.Nearest(word, candidate); ok != (edits(word, candidate) <= len(word)/3) {
			t.Fatalf("Nearest(%q, %q) = %v at %d edits", word, candidate, ok, edits(word, candidate))
		}
	})
}
