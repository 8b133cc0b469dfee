// Package message keeps text that comes from users short and printable in messages.
package message

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limit is the length in bytes that no message exceeds (law G1).
const Limit = 4 << 10

// Excerpt returns s, or its beginning if it is longer than any name or label in Kubernetes.
func Excerpt(s string) string { return Cut(s, 400) }

// Printable returns the excerpt of s, quoted if it has characters that are not printable,
// such as control characters and bidirectional marks, or that a quoted string escapes.
func Printable(s string) string {
	s = Excerpt(s)
	if isPlain(s) {
		return s
	}
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// isPlain reports whether s has nothing but ASCII characters that a quoted string does not escape.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Text returns a whole message within [Limit]. Characters that are not printable are escaped as in
// a quoted string. Names in it should be quoted already ([Printable]); this is for what was missed.
func Text(s string) string {
	s = Cut(s, Limit)
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // each byte that is not UTF-8 becomes U+FFFD
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return Cut(b.String(), Limit)
}

// Cut returns s, or its beginning and an ellipsis if it is longer than limit bytes.
func Cut(s string, limit int) string {
	const ellipsis = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// Errors is an error that holds others. Its message names as many of them as [Limit] has room for.
type Errors []error

func (e Errors) Error() string {
	return List(len(e), func(i int) string { return e[i].Error() }, "; ", Limit)
}

// Unwrap returns the errors.
func (e Errors) Unwrap() []error { return e }

// List returns the items 0 to n-1 with a separator between them. A list of more than limit
// bytes ends with "and N more"; its first item is cut if it alone is longer than that.
func List(n int, item func(i int) string, separator string, limit int) string {
	const rest = "and %d more"
	room := limit - len(separator) - len(rest) - len(strconv.Itoa(n))
	var b strings.Builder
	for i := range n {
		text := item(i)
		switch {
		case i == 0:
			text = Cut(text, room)
		case b.Len()+len(separator)+len(text) > room:
			return b.String() + separator + fmt.Sprintf(rest, n-i)
		default:
			b.WriteString(separator)
		}
		b.WriteString(text)
	}
	return b.String()
}
