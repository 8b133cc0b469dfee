package message_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                        "",
		"zone=a b":                "zone=a b",
		"Übergröße":               "Übergröße",
		"a\nb":                    `"a\nb"`,
		"\x1b[31m":                `"\x1b[31m"`,
		"\u202eabc":               `"\u202eabc"`,
		"\xff":                    `"\xff"`,
		`say "no"`:                `"say \"no\""`,
		strings.Repeat("a", 400):  strings.Repeat("a", 400),
		strings.Repeat("a", 401):  strings.Repeat("a", 397) + "…",
		strings.Repeat("é", 201):  strings.Repeat("é", 198) + "…",
		strings.Repeat("\n", 401): `"` + strings.Repeat(`\n`, 397) + `…"`,
	} {
		if got := message.Printable(s); got != want {
			t.Errorf("Printable(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"":                         "",
		`zone In ["", "é"]`:        `zone In ["", "é"]`,
		"a\nb\x1b\u202e'c":         `a\nb\x1b\u202e'c`,
		"a\xffb":                   "a\ufffdb",
		strings.Repeat("a", 5000):  strings.Repeat("a", 4093) + "…",
		strings.Repeat("\n", 5000): strings.Repeat(`\n`, 2046) + `\…`,
	} {
		if got := message.Text(s); got != want {
			t.Errorf("Text(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestCutKeepsTheLimitAndWholeCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringN(0, 40, -1).Draw(t, "s")
		limit := rapid.IntRange(3, 50).Draw(t, "limit")
		got := message.Cut(s, limit)
		switch {
		case len(s) <= limit && got != s, len(got) > max(limit, len(s)), len(got) > limit, !utf8.ValidString(got):
			t.Fatalf("Cut(%q, %d) = %q", s, limit, got)
		case len(s) > limit && !strings.HasPrefix(s, strings.TrimSuffix(got, "…")):
			t.Fatalf("Cut(%q, %d) = %q", s, limit, got)
		}
	})
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		items []string
		limit int
		want  string
	}{
		{nil, 50, ""},
		{[]string{"a"}, 50, "a"},
		{[]string{"a", "b"}, 50, "a, b"},
		{strings.Split("abcdefghijklmnopqrstuvwxyz", ""), 40, "a, b, c, d, e, f, g, h, i, and 17 more"},
		{[]string{strings.Repeat("a", 100)}, 40, strings.Repeat("a", 23) + "…"},
		{[]string{strings.Repeat("a", 100), "b"}, 40, strings.Repeat("a", 23) + "…, and 1 more"},
	} {
		got := message.List(len(c.items), func(i int) string { return c.items[i] }, ", ", c.limit)
		if got != c.want || len(got) > c.limit {
			t.Errorf("List(%q) = %q, want %q", c.items, got, c.want)
		}
	}
	for n := range 2000 {
		if got := message.List(n, func(i int) string { return fmt.Sprint(i) }, " and ", 100); len(got) > 100 {
			t.Fatalf("the list of %d items has %d bytes", n, len(got))
		}
	}
}
