package requirement

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func integerSeeds() []string {
	return []string{
		"", "+", "-", "0", "-0", "+0", "7", "007", "+7", "-3", "--3", "+-3", "3-", " 3", "3 ", "0x3", "1_0", "1e3", "a", "/", ":", "４", "\x00", "\xff",
		"9223372036854775806", "9223372036854775807", "9223372036854775808", "9223372036854775809", "9223372036854775817", "92233720368547758070",
		"-9223372036854775807", "-9223372036854775808", "-9223372036854775809", "+9223372036854775807", "+9223372036854775808",
		"18446744073709551615", "18446744073709551616", "18446744073709551617", "184467440737095516160", "-18446744073709551616",
		strings.Repeat("0", 500) + "7", strings.Repeat("9", 500),
	}
}

func checkParseInt(t interface{ Errorf(string, ...any) }, s string) {
	want, err := strconv.ParseInt(s, 10, 64)
	got, ok := parseInt(s)
	if ok != (err == nil) || ok && got != want {
		t.Errorf("parseInt(%q) = %d, %v; strconv says %d, %v", s, got, ok, want, err)
	}
}

func TestParseIntAgreesWithStrconv(t *testing.T) {
	for _, s := range integerSeeds() {
		checkParseInt(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkParseInt(t, rapid.OneOf(
			rapid.StringMatching(`[-+]?0{0,4}[0-9]{0,21}`),
			rapid.StringMatching(`[-+]?92233720368547758[0-9]{2}`),
			rapid.StringMatching(`[-+]?18446744073709551[0-9]{3}`),
			rapid.String(),
			rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		).Draw(t, "s"))
	})
}

func FuzzParseInt(f *testing.F) {
	for _, s := range integerSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkParseInt(t, s) })
}
