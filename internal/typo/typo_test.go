package typo_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
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
	if got, _ := typo.Nearest("bat", "hat", "cat"); got != "hat" {
		t.Errorf("of equally near candidates Nearest returns %q, want the first", got)
	}
	if got, ok := typo.Nearest("kind"); ok {
		t.Errorf("without candidates Nearest returns %q", got)
	}
}

func TestHint(t *testing.T) {
	type word string
	for w, want := range map[word]string{
		"require":                       `; typo of "requires"?`,
		"image":                         "",
		"a\nbcdee":                      `; typo of "a\nbcdef"?`,
		word(strings.Repeat("a", 1000)): `; typo of "` + strings.Repeat("a", 397) + `…"?`,
	} {
		if got := typo.Hint(w, "prefers", "requires", "a\nbcdef", word(strings.Repeat("a", 1001))); got != want {
			t.Errorf("Hint(%q) = %q, want %q", w, got, want)
		}
	}
}

func TestKeyDictionary(t *testing.T) {
	keys := typo.NewKeyDictionary([]string{"example.com/disk", "kubernetes.io/hostname", "topology.kubernetes.io/region", "topology.kubernetes.io/zone"})
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
		if got, ok := keys.Nearest(key); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, want %q", key, got, want)
		}
	}
}

// A malformed key without a name is among the exposed ones at times.
func TestKeysWithoutANameAreNotFound(t *testing.T) {
	for key, want := range map[string]string{"x": "", "zone": "", "x/": "", "": "", "/": "", "example.com/rack": "", "dis": `; typo of "a/disk"?`} {
		for _, malformed := range []string{"", "x/", "/"} {
			if got := typo.NewKeyDictionary([]string{malformed, "a/disk"}).Hint(key); got != want {
				t.Errorf("Hint(%q) with %q = %q, want %q", key, malformed, got, want)
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
	words, longest := []string{""}, 6
	if testing.Short() {
		longest = 4
	}
	for i := 0; len(words[i]) < longest; i++ {
		words = append(words, words[i]+"a", words[i]+"b")
	}
	for _, word := range words {
		for _, candidate := range words[1:] {
			check(t, word, candidate)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.StringMatching(`[abcd]{0,8}`).Draw(t, "word"), rapid.StringMatching(`[abcd]{1,8}`).Draw(t, "candidate"))
	})
}

func TestNearestIsWithinFourEdits(t *testing.T) {
	for _, n := range []int{20, 63, 64, 510, 10_000} {
		letters := make([]byte, n)
		for i := range letters {
			letters[i] = byte('a' + i*i*7919%26)
		}
		word := string(letters)
		for differences := range 7 {
			for name, candidate := range map[string]string{
				"replaced": strings.Repeat("0", differences) + word[differences:],
				"inserted": word[:n/2] + strings.Repeat("0", differences) + word[n/2:],
				"deleted":  word[:n/2] + word[n/2+differences:],
			} {
				if _, ok := typo.Nearest(word, candidate); ok != (differences <= 4) {
					t.Errorf("a word of %d letters, %d of them %s: found is %v", n, differences, name, ok)
				}
			}
		}
	}
}

// One mistake is found among many words, wherever it is.
func TestOneMistakeIsFoundAmongMany(t *testing.T) {
	var words []string
	for i := range 1000 {
		words = append(words, fmt.Sprintf("load-%08d-eu", i*7919%100_000_000))
	}
	dictionary := typo.NewDictionary(words)
	for i, word := range words {
		at := i % len(word)
		for _, mistake := range []string{word[:at] + word[at+1:], word[:at] + "x" + word[at:], word[:at] + "x" + word[at+1:]} {
			got, ok := dictionary.Nearest(mistake)
			if !ok || edits1(mistake, got) > 1 {
				t.Fatalf("Nearest(%q) = %q, %v; want %q", mistake, got, ok, word)
			}
		}
	}
}

// A word with a mistake at each end has other neighbours, so a lookup that compared all words
// would find it.
func TestLawG1OnlyNeighboursAreCompared(t *testing.T) {
	var words []string
	for i := range 1000 {
		var word []byte
		for n := uint64(i+1) * 1_000_003; len(word) < 12; n = n*31 + 7 {
			word = append(word, byte('a'+n>>8%26))
		}
		words = append(words, string(word))
	}
	mistaken := "0" + words[500][1:11] + "0"
	if got, ok := typo.NewDictionary(words).Nearest(mistaken); ok {
		t.Errorf("found %q", got)
	}
	if got, _ := typo.NewDictionary(words[496:504]).Nearest(mistaken); got != words[500] {
		t.Errorf("among few words, found %q", got)
	}
}

// edits1 returns 1 if one insertion, deletion or replacement turns a into b, 0 if they are
// equal, and else 2.
func edits1(a, b string) int {
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	for len(a) > start && len(b) > start && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return max(len(a), len(b)) - start
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	word := func(i, length int) string { return fmt.Sprintf("%0*d", length, i*7919%999_983) }
	for name, lookup := range map[string]func(n int) func(){
		"words": func(n int) func() {
			words := make([]string, n)
			for i := range words {
				words[i] = word(i, 60)
			}
			return func() {
				dictionary := typo.NewKeyDictionary(words)
				for i := range n {
					dictionary.Hint(word(i+n, 60))
				}
			}
		},
		"length": func(n int) func() {
			return func() { typo.Hint(word(1, n), word(2, n), word(3, n), word(4, n)) }
		},
		"equal words": func(n int) func() {
			words := make([]string, n)
			for i := range words {
				words[i] = "zone"
			}
			return func() {
				dictionary := typo.NewDictionary(words)
				for range n {
					dictionary.Hint("zoen")
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, 500, lookup) })
	}
}
