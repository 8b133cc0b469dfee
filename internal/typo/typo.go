// Package typo guesses which of the accepted words a rejected one was meant to be.
package typo

import (
	"slices"
	"strings"
)

// Nearest returns the candidate that word most resembles, and whether any
// resembles it enough to be offered: up to a third of the letters may differ, and
// case may differ everywhere. Of equally near candidates the first is returned. Words
// longer than any name in Kubernetes resemble nothing.
func Nearest(word string, candidates ...string) (string, bool) {
	const longest = 512
	if len(word) > longest {
		return "", false
	}
	nearest, best := "", len(word)/3+1
	word = strings.ToLower(word)
	for _, candidate := range candidates {
		if d := distance(word, strings.ToLower(candidate), best); d < best {
			nearest, best = candidate, d
		}
	}
	return nearest, nearest != ""
}

// Hint returns `; typo of "x"?` for the nearest candidate, or nothing.
func Hint[S ~string](word S, candidates ...S) string {
	words := make([]string, len(candidates))
	for i := range candidates {
		words[i] = string(candidates[i])
	}
	nearest, ok := Nearest(string(word), words...)
	if !ok {
		return ""
	}
	return `; typo of "` + nearest + `"?`
}

// KeyHint is Hint for label keys. It goes by what stands behind the slash: that is what
// a person remembers, and keys that are the same before it only resemble each other
// without meaning the same.
func KeyHint(key string, candidates ...string) string {
	names := make([]string, len(candidates))
	for i, candidate := range candidates {
		names[i] = keyName(candidate)
	}
	name := keyName(key)
	if !slices.Contains(names, name) {
		name, _ = Nearest(name, names...)
	}
	if name == "" {
		return "" // also beside a malformed key, of which nothing stands there
	}
	return `; typo of "` + candidates[slices.Index(names, name)] + `"?`
}

// keyName returns what stands behind the slash of a label key.
func keyName(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// distance returns the number of bytes to insert, delete or replace, or of neighbours to
// swap, that make a into b, or any number of at least limit if it takes that many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var few [3][64]int
	above, row, below := few[0][:], few[1][:], few[2][:] // of the last byte but one of a, the last, and this
	if len(b) >= len(row) {
		above, row, below = make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	}
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		below[0] = i + 1
		least := below[0]
		for j := range len(b) {
			edits := min(below[j], row[j+1], row[j]) + 1
			if a[i] == b[j] {
				edits = row[j]
			} else if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				edits = min(edits, above[j-1]+1)
			}
			below[j+1] = edits
			least = min(least, edits)
		}
		if least >= limit {
			return limit // it never gets less, nor by a swap: what was above had one less at most
		}
		above, row, below = row, below, above
	}
	return row[len(b)]
}
