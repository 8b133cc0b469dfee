package fielderror_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
)

func TestExcerptIsShortAndValid(t *testing.T) {
	for _, s := range []string{"", "a", strings.Repeat("a", 80)} {
		if got := fielderror.Excerpt(s); got != s {
			t.Errorf("Excerpt(%q) = %q", s, got)
		}
	}
	for _, s := range []string{strings.Repeat("a", 81), strings.Repeat("é", 60), strings.Repeat("日本", 1000), "a" + strings.Repeat("日", 50)} {
		got := fielderror.Excerpt(s)
		if !utf8.ValidString(got) || len(got) > 84 || !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Errorf("Excerpt(%q) = %q", s, got)
		}
	}
}

func TestShortenShortensStringsOfAnyType(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, test := range []struct{ bad, want any }{
		{long, long[:80] + "…"},
		{corev1.NodeSelectorOperator(long), long[:80] + "…"},
		{"abc", "abc"},
		{int32(7), int32(7)},
		{nil, nil},
	} {
		fault := field.Invalid(nil, test.bad, "")
		if fielderror.Shorten(fault); fault.BadValue != test.want {
			t.Errorf("%v becomes %v, want %v", test.bad, fault.BadValue, test.want)
		}
	}
}
