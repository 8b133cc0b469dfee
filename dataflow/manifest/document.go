package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
)

// MaxSize is how many bytes a document may have.
const MaxSize = 32 << 20

// document is one document of a stream of YAML. One that is JSON may hold several
// objects.
type document struct {
	line     int    // of its first byte, from 1
	bytes    []byte // up to start: comments and directives
	start    int    // of the content
	column   int    // of the content; inDashes if it is on their line
	tooLarge bool   // and therefore without bytes
}

const inDashes = -1

// inBlocks reports whether the content is in YAML's block style, as far as its first
// character tells. Otherwise it is in flow style, or an anchor or a tag comes first.
func (d *document) inBlocks() bool { return strings.IndexByte("{&!", d.bytes[d.start]) < 0 }

// text returns where the fields of a document in YAML can be found.
func (d *document) text() text {
	if d.column == inDashes || !d.inBlocks() {
		return text{}
	}
	return text{d.bytes[d.start:], d.column}
}

// splitter splits a stream into its documents. Lines that start with three dashes
// or dots are their boundaries, whatever is around them: so YAML wants it, and in
// JSON there are none.
type splitter struct {
	in   *bufio.Reader
	line int // how many were read

	document
	held      bool // there is content
	directive bool // there is a directive, to which the next dashes belong
}

const byteOrderMark = "\ufeff"

func newSplitter(r io.Reader) *splitter {
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark))
	}
	return &splitter{in: in, document: document{line: 1}}
}

// next returns the next document that holds anything, and io.EOF after the last.
// One that another error cuts off is not returned.
func (s *splitter) next() (document, error) {
	for {
		begin, err := s.readLine()
		if err != nil && !errors.Is(err, io.EOF) {
			return document{}, err
		}
		line := s.bytes[begin:]
		switch {
		case isBoundary(line):
			done, held := s.document, s.held
			if held {
				done.bytes = s.cut(begin)
			}
			s.cross(line)
			if held {
				return done, nil
			}
		case s.held && s.startsObject(begin):
			done := s.document
			done.bytes = s.cut(begin)
			s.document = document{line: s.line, bytes: bytes.Clone(line)}
			return done, nil
		case s.held || blank(line):
		case line[0] == '%':
			s.directive = true
		default:
			s.held = true
			s.column = indentation(line)
			s.start = begin + s.column
		}
		if err != nil {
			done, held := s.document, s.held
			s.held = false
			if held {
				done.bytes = s.cut(len(s.bytes))
				return done, nil
			}
			return document{}, io.EOF
		}
	}
}

// large is the size from which on a document is handed over instead of copied.
const large = 1 << 20

// cut returns the bytes of a document up to the given one. Operations keep them, so
// that they take no more room than they need.
func (s *splitter) cut(end int) []byte {
	if end >= large {
		return s.bytes[:end:end]
	}
	return bytes.Clone(s.bytes[:end])
}

// startsObject reports whether a stream of JSON objects, as kubectl and jq write
// them, is to be cut before the line that begins there, so that its size does not
// matter. Only between objects does a brace follow one without a comma.
func (s *splitter) startsObject(begin int) bool {
	const enough = 1 << 20
	if begin-s.start < enough || s.tooLarge || s.bytes[s.start] != '{' || !raw(s.bytes[begin:]).isObject() {
		return false
	}
	before := bytes.TrimRight(s.bytes[s.start:begin], " \t\r\n")
	return before[len(before)-1] == '}'
}

// readLine appends a line to the document and returns where it begins. Of a
// document that is too large, only the line that is being read is kept, and only
// its beginning if it is too large by itself.
func (s *splitter) readLine() (begin int, err error) {
	if s.tooLarge {
		s.bytes = nil
	}
	begin = len(s.bytes)
	for {
		piece, err := s.in.ReadSlice('\n')
		if len(s.bytes)+len(piece) <= MaxSize {
			if len(s.bytes)+len(piece) > cap(s.bytes) {
				s.bytes = slices.Grow(s.bytes, max(len(s.bytes), len(piece))) // append would copy what is large more often
			}
			s.bytes = append(s.bytes, piece...)
		} else {
			s.tooLarge = true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			s.line++
			return begin, err
		}
	}
}

// isBoundary reports whether a line is one between documents.
func isBoundary(line []byte) bool {
	return (bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("..."))) && endsWord(line[3:])
}

// cross starts a document at a boundary. What stands before it and is no document
// is dropped, but for the directives of the one that the dashes start. Other dashes
// and dots say no more than that a document starts, and are blanked out.
func (s *splitter) cross(boundary []byte) {
	if s.directive && !s.held && boundary[0] == '-' {
		s.directive = false
	} else {
		room := s.bytes[:0]
		if s.held && len(s.bytes)-len(boundary) >= large {
			room = nil // the last document has it
		}
		s.document = document{line: s.line, bytes: append(append(room, "   "...), boundary[3:]...)}
		s.directive = false
		boundary = s.bytes
	}
	rest := bytes.TrimLeft(boundary[3:], " \t")
	s.held = !blank(rest)
	s.start, s.column = len(s.bytes)-len(rest), inDashes
}
