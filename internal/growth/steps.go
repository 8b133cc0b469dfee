package growth

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime/coverage"
	"sync"
)

// CountsSteps reports whether the program counts steps. A program does that if it is built with
// -cover -covermode=atomic, which instruments the packages of -coverpkg. A test does not, because the
// testing package keeps the counters for itself.
var CountsSteps = sync.OnceValue(func() bool {
	return coverage.WriteCounters(io.Discard) == nil && coverage.ClearCounters() == nil
})

func clearSteps() {
	if CountsSteps() {
		coverage.ClearCounters()
	}
}

// steps returns the sum of all counters. The form of the counters is that of package
// internal/coverage, version 1: a header, the head of a segment, its strings and arguments, and
// for each function the number of its counters, its package, its own number and the counters.
func steps() (sum uint64) {
	if !CountsSteps() {
		return 0
	}
	const header, head = 32, 16
	var b bytes.Buffer
	coverage.WriteCounters(&b)
	data := b.Bytes()
	functions := binary.LittleEndian.Uint64(data[header:])
	strings, arguments := binary.LittleEndian.Uint32(data[header+8:]), binary.LittleEndian.Uint32(data[header+12:])
	data = data[(header+head+int(strings+arguments)+3)&^3:]
	number := func() uint64 {
		n, length := binary.Uvarint(data)
		data = data[length:]
		return n
	}
	for range functions {
		counters := number()
		number()
		number()
		for range counters {
			sum += number()
		}
	}
	return sum
}
