package source

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place in a source.
type Position struct {
	File         string
	Line, Column int // from 1, columns in characters; 0 is the whole line, or the whole source
}

// String returns file:line:column, without what is 0.
func (p Position) String() string {
	s := p.File
	for _, n := range []int{p.Line, p.Column} {
		if n > 0 {
			s += ":" + strconv.Itoa(n)
		}
	}
	return s
}

// Fault is something that cannot be read, or that kubectl refuses or ignores.
type Fault struct {
	Position Position
	Lost     bool  // whether objects may be missing, or have another kind, namespace or name
	Err      error // a *field.Error with the path from the object, a *DocumentError, a *LimitError, or an error of a file
}

// Error starts with the position. It is no longer than 4 KiB.
func (f *Fault) Error() string { return clip(f.Position.String()+": "+f.Err.Error(), 4<<10) }

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// DocumentError says why a source, or a part of it, cannot be read.
type DocumentError struct{ Message string }

func (e *DocumentError) Error() string { return e.Message }

// LimitError says that a document has more than Most of What.
type LimitError struct {
	What string
	Most int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("more than %d %s; divide it into documents, with --- between them", e.Most, e.What)
}

// clip shortens a text to so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len("…")], "") + "…"
}
