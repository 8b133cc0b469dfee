// Package typo finds the accepted word that a rejected one was meant to be.
package typo

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/message"
)

// A Dictionary finds, for a rejected word, the accepted word that resembles it most. Up to a
// third of the letters may differ, up to four in all, and every letter may differ in case.
// Swapping two neighbours is one difference.
//
// Building a dictionary of n words takes n log n time. A lookup takes log n: the word is
// compared only with its neighbours in the order of the words and in the order of the
// reversed words, because one mistake leaves the beginning or the end as it is. A
// Dictionary is immutable.
type Dictionary struct {
	words    []string
	compared func(word string) string // the part of a word that is compared
	forward  []entry                  // sorted
	backward []entry                  // sorted
}

// maxEdits is the greatest number of differences.
const maxEdits = 4

// entry is the compared part of a word, in lower case, in backward order reversed.
type entry struct {
	text string
	word int // the index of the word
}

// NewDictionary returns the dictionary of the given words. Of words that resemble a rejected
// one equally, the first is found. The empty word is never found.
func NewDictionary(words []string) *Dictionary {
	return newDictionary(words, func(word string) string { return word })
}

// NewKeyDictionary returns the dictionary of the given label keys. Only the names after the
// slash are compared: keys with the same prefix resemble each other, but differ in meaning.
// A key without a name is never found.
func NewKeyDictionary(keys []string) *Dictionary {
	return newDictionary(keys, func(key string) string { return key[strings.LastIndexByte(key, '/')+1:] })
}

func newDictionary(words []string, compared func(string) string) *Dictionary {
	d := &Dictionary{words: words, compared: compared}
	for i, word := range words {
		if text := strings.ToLower(compared(word)); text != "" {
			d.forward, d.backward = append(d.forward, entry{text, i}), append(d.backward, entry{reversed(text), i})
		}
	}
	byText := func(a, b entry) int { return cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.word, b.word)) }
	slices.SortFunc(d.forward, byText)
	slices.SortFunc(d.backward, byText)
	return d
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// Nearest returns the accepted word that resembles word most, other than the excepted ones. ok is
// false if none does.
func (d *Dictionary) Nearest(word string, except ...string) (nearest string, ok bool) {
	text := strings.ToLower(d.compared(word))
	found := candidate{edits: min(len(text)/3, maxEdits), word: len(d.words)}
	accepted := func(e entry) bool { return !slices.Contains(except, d.words[e.word]) }
	found.search(d.forward, text, accepted)
	found.search(d.backward, reversed(text), accepted)
	if found.word == len(d.words) {
		return "", false
	}
	return d.words[found.word], true
}

// candidate is the nearest word so far: of those with the fewest edits, the first.
type candidate struct{ edits, word int }

// search looks for a nearer accepted word next to where text belongs in sorted entries.
func (c *candidate) search(entries []entry, text string, accepted func(entry) bool) {
	const neighbours = 8 // on each side
	at, _ := slices.BinarySearchFunc(entries, text, func(e entry, text string) int { return strings.Compare(e.text, text) })
	for _, e := range entries[max(0, at-neighbours):min(len(entries), at+neighbours)] {
		edits := distance(text, e.text, c.edits)
		if accepted(e) && (edits < c.edits || edits == c.edits && e.word < c.word) {
			*c = candidate{edits, e.word}
		}
	}
}

// Hint returns `; typo of "x"?` for the accepted word that resembles word most, or the empty
// string.
func (d *Dictionary) Hint(word string) string {
	nearest, ok := d.Nearest(word)
	if !ok {
		return ""
	}
	return "; typo of " + strconv.Quote(message.Excerpt(nearest)) + "?"
}

// Nearest returns the candidate that resembles word most, as a [Dictionary] does.
func Nearest[S ~string](word S, candidates ...S) (nearest S, ok bool) {
	found, ok := dictionaryOf(candidates).Nearest(string(word))
	return S(found), ok
}

// Hint returns the hint of the [Dictionary] of the candidates.
func Hint[S ~string](word S, candidates ...S) string {
	return dictionaryOf(candidates).Hint(string(word))
}

func dictionaryOf[S ~string](candidates []S) *Dictionary {
	words := make([]string, len(candidates))
	for i := range candidates {
		words[i] = string(candidates[i])
	}
	return NewDictionary(words)
}

// distance returns the number of bytes to insert, delete or replace, or of neighbours to swap,
// that turn a into b. It returns most+1 if they are more than most, which is at most maxEdits. It
// looks only at the positions in b near that in a, so that it is linear.
func distance(a, b string, most int) int {
	more := most + 1
	if max(len(a)-len(b), len(b)-len(a)) > most {
		return more
	}
	// row[k] is the distance of the first i bytes of a and the first j = i+k-more of b.
	var beforeLast, last, row [2*maxEdits + 3]int
	for k := range row {
		if row[k] = more; k >= more {
			row[k] = min(k-more, more)
		}
	}
	for i := 1; i <= len(a); i++ {
		beforeLast, last = last, row
		least := more
		for k := 1; k <= 2*most+1; k++ {
			j := i + k - more
			switch {
			case j < 0 || j > len(b):
				row[k] = more
			case j == 0:
				row[k] = i
			case a[i-1] == b[j-1]:
				row[k] = last[k]
			case i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1]:
				row[k] = min(last[k], last[k+1], row[k-1], beforeLast[k]) + 1
			default:
				row[k] = min(last[k], last[k+1], row[k-1]) + 1
			}
			least = min(least, row[k])
		}
		if least == more {
			return more // and so is every later row: a swap adds one to a row that has at least most
		}
	}
	return min(row[len(b)-len(a)+more], more)
}
