// Package source reads Kubernetes objects from YAML and JSON, and knows where each field is.
//
// A source is a file, or a stream such as standard input. It holds documents: YAML between lines
// that start with three dashes, or JSON objects that follow each other. A document holds an object
// or a List of objects. [Read] returns the objects, [Locate] the lines and columns of their fields,
// and [Find] the files of a directory.
//
// Read agrees with kubectl. Where kubectl's decoder reads a document, Read returns the same
// objects. Where kubectl refuses a document, or ignores a part of it, Read returns a [Fault] and
// reads on. A repeated key is a Fault; its last value counts, as in kubectl.
package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The limits. They keep a document below a gigabyte of memory.
const (
	MaxSize     = 32 << 20 // bytes in a document
	MaxElements = 2 << 20  // elements in a document: about its lines, colons, commas, dashes and brackets
	MaxDepth    = 10_000   // mappings and lists within each other, as in kubectl
	MaxFaults   = 1000     // faults of a source that are listed
)

// Read returns the objects of r in their order. Each step of the sequence has either an object,
// with the faults inside it, or a [*Fault]: of a document or an item that is not an object, of a
// List, or of r. Faults after the first [MaxFaults] are only counted, in a last Fault.
//
// The file is a name for positions. The sequence can be used once. Read holds one document at a
// time; each object keeps the text of its document.
func Read(file string, r io.Reader) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		// So does kubectl: it goes by the byte order mark, and replaces what is not UTF-8.
		text := transform.NewReader(r, unicode.BOMOverride(unicode.UTF8.NewDecoder()))
		in := &reader{in: bufio.NewReaderSize(text, 1<<16), next: document{file: file, line: 1}, yield: yield}
		in.readJSON()
		if err := in.readYAML(); !errors.Is(err, io.EOF) {
			in.fault(in.next.place(1, 0), true, err)
		}
		if more := in.faults - MaxFaults; more > 0 {
			in.step(nil, &Fault{Position{File: file}, true, &LimitError{fmt.Sprintf("faults, %d of which are not listed", more), MaxFaults}})
		}
	}
}

// reader reads one source.
type reader struct {
	in      *bufio.Reader
	next    document // without text
	faults  int
	yield   func(*Object, error) bool
	stopped bool
}

// step hands over an object or a fault.
func (r *reader) step(o *Object, err error) { r.stopped = r.stopped || !r.yield(o, err) }

// fault hands over a fault that is not inside an object.
func (r *reader) fault(at Position, lost bool, err error) {
	if r.faults++; r.faults <= MaxFaults {
		r.step(nil, &Fault{at, lost, err})
	}
}

// readJSON reads JSON objects that follow each other, until something else comes. As in kubectl,
// that is YAML after no more than one object, and refused after several.
func (r *reader) readJSON() {
	for objects := 0; !r.stopped; objects++ {
		const size = 4096 // as far as kubectl looks
		next, _ := r.in.Peek(size)
		if objects > 0 { // then kubectl passes over blanks
			blanks := len(next) - len(bytes.TrimLeft(next, " \t\r"))
			r.next.advance(next[:blanks])
			next = next[blanks:]
			_, _ = r.in.Discard(blanks)
		}
		next = bytes.TrimLeft(next, " \t\r\n")
		var text []byte
		if bytes.HasPrefix(next, []byte("{")) {
			text = r.braced()
		}
		if !json.Valid(text) {
			other := objects > 0 && json.NewDecoder(bytes.NewReader(next)).Decode(new(any)) == nil
			if other || objects > 1 && len(next) > 0 {
				r.fault(r.next.place(1, 1), true, &DocumentError{"after JSON objects kubectl refuses everything else; write --- between all documents"})
			}
			r.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(text), r.in), 1<<16)
			return
		}
		start := bytes.IndexByte(text, '{')
		r.next.advance(text[:start])
		d := r.next
		d.json = true
		r.document(d, text[start:])
		r.next.advance(text[start:])
	}
}

// braced reads up to the brace that closes the next one, or up to the limit.
func (r *reader) braced() []byte {
	var text bytes.Buffer
	for depth, quoted := 0, false; text.Len() <= MaxSize; {
		c, err := r.in.ReadByte()
		if err != nil {
			break
		}
		text.WriteByte(c)
		switch {
		case quoted && c == '\\':
			c, _ = r.in.ReadByte()
			text.WriteByte(c)
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
			if depth == 0 {
				return text.Bytes()
			}
		}
	}
	return text.Bytes()
}

// readYAML reads documents of YAML up to the error of the source. Like kubectl, it divides them at
// lines that start with three dashes before it parses them: a fault in one does not affect others.
func (r *reader) readYAML() error {
	d, text, separator := r.next, []byte(nil), false
	for start := true; !r.stopped; {
		piece, err := r.in.ReadSlice('\n')
		if more, ok := bytes.CutPrefix(piece, []byte("---")); ok && start {
			r.document(d, text)
			d, separator = r.next, len(text) > 0
			if more = bytes.TrimSpace(more); len(more) > 0 && more[0] != '#' {
				separator = false
				r.fault(d.place(1, 1), false, &DocumentError{"kubectl refuses --- and text in one line; move the text to the next line"})
			}
			text = text[:0]
		}
		if !separator && len(text) <= MaxSize {
			text = append(text, piece...)
		}
		if start = err == nil; start {
			r.next.line++
			r.next.column = 0
			if separator { // it is no part of a document
				d, separator = r.next, false
			}
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			if !bytes.HasSuffix(text, []byte("\n")) {
				text = append(text, '\n') // as in kubectl, for block scalars
			}
			r.document(d, text)
			return err
		}
	}
	return io.EOF
}
