package typo_test

import (
	"strings"
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
		{"knid", "kind"},
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
	if got, ok := typo.Nearest(strings.Repeat("a", 1000), strings.Repeat("a", 1000)+"b"); ok {
		t.Errorf("a word that is no name resembles %q", got)
	}
	if got, ok := typo.Nearest(strings.Repeat("ab", 50), strings.Repeat("ab", 49)+"xy"); !ok {
		t.Errorf("a long word is not recognized: %q", got)
	}
	if got := typo.Hint("require", fields...); got != `; typo of "requires"?` {
		t.Errorf("Hint = %q", got)
	}
	if got := typo.Hint("image", fields...); got != "" {
		t.Errorf("Hint = %q, want none", got)
	}
}

func TestKeyHint(t *testing.T) {
	keys := []string{"example.com/disk", "kubernetes.io/hostname", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"}
	for key, want := range map[string]string{
		"zone":                        "topology.kubernetes.io/zone",
		"kubernetes.io/zone":          "topology.kubernetes.io/zone",
		"toplogy.kubernetes.io/zone":  "topology.kubernetes.io/zone",
		"topology.kubernetes.io/zon":  "topology.kubernetes.io/zone",
		"failure-domain.beta/Zone":    "topology.kubernetes.io/zone",
		"topology.kubernetes.io/zoen": "topology.kubernetes.io/zone",
		"hostnam":                     "kubernetes.io/hostname",
		"example.com/disc":            "example.com/disk",
		"topology.kubernetes.io/rack": "",
		"example.com/gpu":             "",
		"gpu":                         "",
		"":                            "",
	} {
		if want != "" {
			want = `; typo of "` + want + `"?`
		}
		if got := typo.KeyHint(key, keys...); got != want {
			t.Errorf("KeyHint(%q) = %q, want %q", key, got, want)
		}
	}
}

// Nobody means a key that is malformed, whatever stands beside it.
func TestKeyHintOffersNoNamelessKey(t *testing.T) {
	for key, want := range map[string]string{"x": "", "zone": "", "x/": "", "": "", "/": "", "example.com/rack": "", "dis": `; typo of "a/disk"?`} {
		for _, malformed := range []string{"", "x/", "/"} {
			if got := typo.KeyHint(key, malformed, "a/disk"); got != want {
				t.Errorf("KeyHint(%q) beside %q = %q, want %q", key, malformed, got, want)
			}
		}
	}
}

// edits is the recursive definition of the distance.
func edits(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	least := 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))
	if a[0] == b[0] {
		least = min(least, edits(a[1:], b[1:]))
	}
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		least = min(least, 1+edits(a[2:], b[2:]))
	}
	return least
}

func TestNearestIsWithinAThird(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, word, candidate string) {
		if _, ok := typo.Nearest(word, candidate); ok != (edits(word, candidate) <= len(word)/3) {
			t.Fatalf("Nearest(%q, %q) = %v at %d edits", word, candidate, ok, edits(word, candidate))
		}
	}
	words := []string{""}
	for i := 0; len(words[i]) < 6; i++ {
		words = append(words, words[i]+"a", words[i]+"b")
	}
	for _, word := range words {
		for _, candidate := range words[1:] {
			check(t, word, candidate)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`[abcd]{0,7}`).Draw(t, "word"), rapid.StringMatching(`[abcd]{1,7}`).Draw(t, "candidate"))
	})
}

func TestLongWords(t *testing.T) {
	for _, n := range []int{60, 61, 62, 63, 64, 65, 66, 126, 127, 128, 508, 509, 510} {
		// Differences at both ends, so that nothing in between can be left out.
		word, candidate := "x"+strings.Repeat("a", n)+"y", "p"+strings.Repeat("a", n)+"q"
		if _, ok := typo.Nearest(word, candidate); !ok {
			t.Errorf("of %d letters, 2 of them different, none resembles the other", n+2)
		}
		word = strings.Repeat("x", n/3+2) + strings.Repeat("a", n-n/3-1) + "y"
		if _, ok := typo.Nearest(word, strings.Repeat("a", n-1)+"qq"); ok {
			t.Errorf("of %d letters, more than a third of them different, each resembles the other", n+2)
		}
	}
	if _, ok := typo.Nearest(strings.Repeat("a", 513), strings.Repeat("a", 513)); ok {
		t.Error("a word of 513 letters resembles another")
	}
}
