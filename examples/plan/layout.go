package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// columns is how wide the table is: as wide as a terminal is at least.
const columns = 80

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cells measures text in cells of a terminal, whatever the locale is.
var cells = &runewidth.Condition{}

// columnWidths returns the widths of columns.
func columnWidths(rows [][]string) []int {
	w := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			w[i] = max(w[i], cells.StringWidth(cell))
		}
	}
	return w
}

// gap is between columns.
const gap = 2

// width returns the width of a table.
func width(rows [][]string) int {
	total := -gap
	for _, w := range columnWidths(rows) {
		total += w + gap
	}
	return total
}

// aligned returns rows in columns. If they are too wide, the widest columns are made narrower, and
// their cells have several lines.
func aligned(rows [][]string) string {
	w, excess := columnWidths(rows), width(rows)-columns
	words, least := make([]int, len(w)), make([]int, len(w))
	for i := range w {
		for _, row := range rows {
			for _, word := range strings.Split(row[i], " ") {
				words[i] = max(words[i], cells.StringWidth(word))
			}
		}
		least[i] = min(w[i], 8)
		words[i] = max(words[i], least[i])
	}
	for _, floor := range [][]int{words, least} { // words are broken only if there is no other way
		for ; excess > 0; excess-- {
			widest := -1
			for i := range w {
				if w[i] > floor[i] && (widest < 0 || w[i] > w[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			w[widest]--
		}
	}
	var b strings.Builder
	for _, row := range rows {
		lines, most := make([][]string, len(row)), 1
		for i, cell := range row {
			lines[i] = wrapped(cell, w[i], true)
			most = max(most, len(lines[i]))
		}
		for l := range most {
			line, blanks := "", 0
			for i := range row {
				text := ""
				if l < len(lines[i]) {
					text = lines[i][l]
				}
				if text != "" {
					line += strings.Repeat(" ", blanks) + text
					blanks = 0
				}
				blanks += w[i] - cells.StringWidth(text) + gap
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// requirement is one that can be pasted. It is not broken if it fits in a line.
var requirement = regexp.MustCompile(`\{key: [^{}]*\}`)

// wrapped returns the lines of a text that is broken between words, and if need be within them.
func wrapped(text string, width int, within bool) []string {
	if cells.StringWidth(text) <= width {
		return []string{text}
	}
	const noBreak = "\u2007" // which is not in printable text
	text = requirement.ReplaceAllStringFunc(text, func(r string) string {
		if cells.StringWidth(r) > width {
			return r
		}
		return strings.ReplaceAll(r, " ", noBreak)
	})
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		word = strings.ReplaceAll(word, noBreak, " ")
		if line != "" && cells.StringWidth(line)+1+cells.StringWidth(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for within && cells.StringWidth(word) > width {
			head := cells.Truncate(word, width, "")
			if head == "" {
				break
			}
			if i := strings.LastIndexAny(head, "-./_"); i > 0 {
				head = head[:i+1]
			}
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	return append(lines, line)
}

// paragraph prints text in lines that begin with an indent, by default all but the first.
func paragraph(w io.Writer, indent, text string) {
	const rest = "   "
	for i, line := range wrapped(text, columns-max(len(indent), len(rest)), false) {
		if i == 1 && indent == "" {
			indent = rest
		}
		fmt.Fprintf(w, "%s%s\n", indent, line)
	}
}

// some lists a few names, and the number of the others.
func some(names []string) string {
	const few = 5
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// printable makes text harmless for a terminal, a log and a markup language of lines: control
// characters, marks of direction and invalid text are written as escape sequences.
func printable(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		plain = ' ' <= text[i] && text[i] <= '~'
	}
	if plain || utf8.ValidString(text) && strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) || isControl(c) }) < 0 {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// shortened leaves out the middle of a long text.
func shortened(text string) string {
	const most, each = 1000, 400
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:each], "") + " … " + strings.ToValidUTF8(text[len(text)-each:], "")
}

func coloured(severity dataflow.Severity, colour bool) string {
	switch {
	case !colour:
		return string(severity)
	case severity == dataflow.SeverityError:
		return "\x1b[31m" + string(severity) + "\x1b[0m"
	default:
		return "\x1b[33m" + string(severity) + "\x1b[0m"
	}
}
