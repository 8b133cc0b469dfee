package manifest

import (
	"iter"
	"runtime"
)

// Parsing YAML takes most of the time of reading, and each document can be parsed by itself.
// So the parser runs ahead on all processors, and what it returns is taken in order.

// parsed is a document that is parsed ahead, or will be when it is its turn.
type parsed struct {
	document
	done  chan struct{} // nil if it is not parsed ahead
	value raw
	twice []repeated
	fault *syntaxError
}

// fromYAML returns the document as JSON, and the keys that stand twice.
func (p *parsed) fromYAML() (raw, []repeated, *syntaxError) {
	if p.done == nil {
		return fromYAML(&p.document)
	}
	<-p.done
	return p.value, p.twice, p.fault
}

// ahead are documents that are being parsed, in order.
type ahead struct {
	documents []*parsed
	most      int
	waiting   chan *parsed // for a processor; nil if none was needed yet
}

func newAhead() *ahead { return &ahead{most: 4 * runtime.GOMAXPROCS(0)} }

// small is how large a document may be, in itself and by its aliases, so that several are
// parsed at once: they take a hundred times as much memory meanwhile.
const small = 1 << 16

// add adds a document, and ranges over those whose turn it is.
func (a *ahead) add(d document) iter.Seq[*parsed] {
	p := &parsed{document: d}
	room := a.most - 1
	switch {
	case len(d.bytes) > small || d.tooLarge || expansion(d.bytes) > small:
		room = 0 // alone, after all others
	case d.bytes[d.start] != '{' && checkText(&d) == nil: // no JSON
		p.done = make(chan struct{})
		a.parse(p)
	}
	a.documents = append(a.documents, p)
	return a.beyond(room)
}

// parse hands over a document to the next processor that is free. There is always room, as
// no more than most are ahead.
func (a *ahead) parse(p *parsed) {
	if a.waiting == nil {
		a.waiting = make(chan *parsed, a.most)
		for range runtime.GOMAXPROCS(0) {
			go parseAll(a.waiting) // one goroutine for many documents: its stack has to grow for the first only
		}
	}
	a.waiting <- p
}

func parseAll(waiting <-chan *parsed) {
	for p := range waiting {
		p.value, p.twice, p.fault = fromYAML(&p.document)
		close(p.done)
	}
}

// end lets the processors go. No document can be added any more.
func (a *ahead) end() {
	if a.waiting != nil {
		close(a.waiting)
	}
}

// rest ranges over all that are left.
func (a *ahead) rest() iter.Seq[*parsed] { return a.beyond(0) }

// beyond takes out the first documents until no more than so many are left.
func (a *ahead) beyond(room int) iter.Seq[*parsed] {
	return func(yield func(*parsed) bool) {
		for len(a.documents) > room && yield(a.documents[0]) {
			a.documents[0] = nil
			a.documents = a.documents[1:]
		}
	}
}
