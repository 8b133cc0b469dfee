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

// Object is one object of a source.
type Object struct {
	Object map[string]any // of map[string]any, []any, string, bool, int64, float64 and nil
	Faults []*Fault       // inside the object: repeated keys, and values that kubectl refuses, which are nil here

	document *document
	path     string // from the root of the document: items[3], or ""
}

// ErrEmpty is the error of a source that has no document, or empty ones only. kubectl passes over it.
var ErrEmpty = &DocumentError{"is empty: it holds no object"}

// Live returns an object that comes from no text. The position of each of its fields is the file,
// without a line.
func Live(file string, object map[string]any) *Object {
	return &Object{Object: object, document: &document{file: file}}
}

// Read returns the objects of r in their order. Each step of the sequence has either an object,
// with the faults inside it, or a [*Fault]: of a document or an item that is not an object, of a
// List, or of r; a source without any document is one ([ErrEmpty]), and an empty List is not. Faults after the first [MaxFaults] are only counted, in a last Fault.
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
		if !in.holds && in.faults == 0 {
			in.fault(Position{File: file, Line: 1}, false, ErrEmpty)
		}
		if more := in.faults - MaxFaults; more > 0 {
			in.step(nil, &Fault{Position{File: file}, true, &LimitError{fmt.Sprintf("faults; %d are not listed", more), MaxFaults}})
		}
	}
}

// reader reads one source.
type reader struct {
	in      *bufio.Reader
	next    document // without text
	faults  int
	holds   bool // a document that is not empty
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

// readJSON reads JSON objects that follow each other, until something else comes. In kubectl, that is
// YAML after no more than one object, and refused after several.
func (r *reader) readJSON() {
	for objects := 0; !r.stopped; objects++ {
		peeked, _ := r.in.Peek(4096) // as far as kubectl looks
		var text []byte
		next := bytes.TrimLeft(peeked, " \t\r\n")
		ignored := peeked[:len(peeked)-len(next)] // by kubectl: null, and blanks that are not followed by YAML
		isNull := bytes.HasPrefix(next, []byte("null"))
		if isNull {
			ignored = peeked[:len(ignored)+len("null")]
		}
		if objects > 0 && len(ignored) > 0 && (isNull || len(next) == 0) {
			r.next.advance(ignored)
			_, _ = r.in.Discard(len(ignored))
			continue
		}
		if bytes.HasPrefix(next, []byte("{")) {
			text = r.braced()
		}
		if !json.Valid(text) {
			if objects > 1 && len(next) > 0 {
				r.fault(r.next.place(1, 1), true, &DocumentError{"after several JSON objects kubectl refuses everything else; write --- between all documents"})
			}
			r.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(text), r.in), 1<<16)
			return
		}
		start := bytes.IndexByte(text, '{')
		r.next.advance(text[:start])
		r.document(r.next, text[start:], true)
		r.next.advance(text[start:])
	}
}

// braced reads up to the brace that closes the next one, or up to the limit.
func (r *reader) braced() []byte {
	var text bytes.Buffer
	depth, quoted, escaped := 0, false, false
	for text.Len() <= MaxSize {
		piece, err := r.in.ReadSlice('}')
		text.Write(piece)
		for _, c := range piece {
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped, quoted = c == '\\', c != '"'
			case c == '"':
				quoted = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			}
		}
		if depth == 0 || err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
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
			r.document(d, bytes.Clone(text), false)
			d, separator = r.next, len(text) > 0 // an empty document has its separator
			if more = bytes.TrimSpace(more); len(more) > 0 && more[0] != '#' {
				separator = false
				r.fault(d.place(1, 1), false, &DocumentError{"kubectl refuses --- and text in one line; move the text to the next line"})
			}
			text = text[:0]
		}
		if !separator && len(text) <= MaxSize {
			if text = append(text, piece...); bytes.HasSuffix(text, []byte("\r\n")) {
				text = append(text[:len(text)-2], '\n') // so does kubectl
			}
		}
		if start = err == nil; start {
			r.next.line, r.next.column = r.next.line+1, 0
			if separator {
				d, separator = r.next, false
			}
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			if !bytes.HasSuffix(text, []byte("\n")) {
				text = append(text, '\n') // as in kubectl, for block scalars
			}
			r.document(d, bytes.Clone(text), false)
			return err
		}
	}
	return io.EOF
}
