// Package typo guesses which of the accepted words a rejected one was meant to be.
package typo

import "strings"

// Nearest returns the candidate that word most resembles, and whether any
// resembles it enough to be offered: up to a third of the letters may differ, and
// case may differ everywhere. Of equally near candidates the first is returned.
func Nearest(word string, candidates ...string) (string, bool) {
	nearest, best := "", len(word)/3+1
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate), best); d < best {
			nearest, best = candidate, d
		}
	}
	return nearest, nearest != ""
}

// Hint returns `; typo of "x"?` for the nearest candidate, or nothing.
func Hint(word string, candidates ...string) string {
	nearest, ok := Nearest(word, candidates...)
	if !ok {
		return ""
	}
	return `; typo of "` + nearest + `"?`
}

// distance returns the number of bytes to insert, delete or replace that make a
// into b, or any number of at least limit if it takes that many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
