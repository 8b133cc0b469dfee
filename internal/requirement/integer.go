package requirement

import "math"

// parseInt returns what strconv.ParseInt(s, 10, 64) returns, and whether that is
// without an error. An error would have to be allocated, for every node whose
// label is not a number.
func parseInt(s string) (n int64, ok bool) {
	limit, negative := uint64(math.MaxInt64), false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if negative = s[0] == '-'; negative {
			limit++
		}
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	magnitude := uint64(0)
	for i := range len(s) {
		digit := uint64(s[i] - '0')
		if digit > 9 || magnitude > (limit-digit)/10 {
			return 0, false
		}
		magnitude = magnitude*10 + digit
	}
	if negative {
		return int64(-magnitude), true
	}
	return int64(magnitude), true
}
