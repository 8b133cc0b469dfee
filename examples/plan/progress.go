package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// progress shows on a terminal what the program does, in one line that it removes at the end.
type progress struct {
	w     io.Writer // nil: not a terminal
	last  time.Time
	shown bool
}

// newProgress returns a progress that shows nothing unless w is a terminal.
func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{w: w}
	}
	return &progress{}
}

// stage shows what begins.
func (p *progress) stage(format string, args ...any) {
	if p.w != nil {
		text := printable(fmt.Sprintf(format, args...))
		fmt.Fprint(p.w, "\r\x1b[K", runewidth.Truncate(text, 78, "…"))
		p.last, p.shown = time.Now(), true
	}
}

// step shows how far it is, ten times a second at most.
func (p *progress) step(format string, args ...any) {
	if p.w != nil && time.Since(p.last) > time.Second/10 {
		p.stage(format, args...)
	}
}

// done removes the line.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
