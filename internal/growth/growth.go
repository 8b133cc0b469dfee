// Package growth checks in tests how the cost of a function grows with its input (law G1).
package growth

import (
	"fmt"
	"math"
	"runtime"
	"testing"
)

// Limit is the greatest factor by which doubling an input may multiply a cost: n log n has a
// lower one, and n² has 4.
const Limit = 2.6

// Check fails the test if doubling the input multiplies the allocated bytes, or the number of
// allocations, by more than [Limit]. prepare returns the call to measure for an input of the
// given size. It is called for n, 2n and 4n. No other goroutine may allocate.
func Check(t *testing.T, n int, prepare func(n int) (call func())) {
	t.Helper()
	before := least(prepare(n))
	for range 2 {
		n *= 2
		after := least(prepare(n))
		t.Logf("%8d: %9d allocations, %11d bytes", n, after.Allocations, after.Bytes)
		if float64(after.Bytes) > Limit*float64(before.Bytes) || float64(after.Allocations) > Limit*float64(before.Allocations) {
			t.Errorf("from %d to %d: %d allocations and %d bytes become %d and %d", n/2, n, before.Allocations, before.Bytes, after.Allocations, after.Bytes)
		}
		before = after
	}
}

// least returns the least cost of a few calls.
func least(call func()) Cost {
	return Measure(call).least(Measure(call)).least(Measure(call))
}

// Cost is what a call costs.
type Cost struct {
	Allocations, Bytes uint64

	// Steps is the number of basic blocks that were executed in the packages that are
	// instrumented. It is 0 in a program that is not: see [CountsSteps].
	Steps uint64
}

func (c Cost) least(d Cost) Cost {
	return Cost{min(c.Allocations, d.Allocations), min(c.Bytes, d.Bytes), min(c.Steps, d.Steps)}
}

// Measure returns the cost of a call. No other goroutine may allocate.
func Measure(call func()) Cost {
	var before, after runtime.MemStats
	clearSteps()
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return Cost{after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc, steps()}
}

// A Series holds the cost of a call for inputs that double in size.
type Series struct {
	Sizes []int
	Costs []Cost
	empty Cost // of an input of size 2
}

// Costs that are lower are noise: the growth of the runtime's own tables, and what a call costs
// with an input of any size.
var negligible = Cost{Allocations: 100, Bytes: 32 << 10, Steps: 2000}

// Run measures inputs of size n, 2n and 4n, and as long as the cost grows too much, larger ones up to
// 64n: a cost that is bounded, such as that of comparing up to 64 terms with each other, may grow
// faster below its bound. prepare returns a new call each time, so that what a value keeps from one
// call to the next is measured.
func Run(n int, prepare func(n int) (call func())) Series {
	s := Series{empty: Measure(prepare(2))}
	for most := n << 6; n <= most; n *= 2 {
		s.Sizes, s.Costs = append(s.Sizes, n), append(s.Costs, Measure(prepare(n)))
		last := len(s.Costs) - 1
		for again := 0; again < 3 && last > 0 && s.factor(last) > Limit; again++ { // the garbage collector empties pools
			s.Costs[last-1] = s.Costs[last-1].least(Measure(prepare(n / 2)))
			s.Costs[last] = s.Costs[last].least(Measure(prepare(n)))
		}
		if last >= 2 && (!s.Grows() || s.Costs[last].Bytes > 1<<30) {
			break
		}
	}
	return s
}

// Factor returns by how much each of the last two doublings multiplied the cost that depends on the
// size, as a geometric mean, because buffers grow in leaps: the greatest of the factors of
// allocations, bytes and steps. It is 0 if the cost is negligible.
func (s *Series) Factor() float64 {
	last := len(s.Costs) - 1
	if before := s.factor(last - 1); before > 0 {
		return math.Sqrt(before * s.factor(last))
	}
	return s.factor(last)
}

// factor returns by how much a doubling multiplied the cost.
func (s *Series) factor(i int) float64 {
	before, after := s.Costs[i-1], s.Costs[i]
	of := func(empty, before, after, negligible uint64) float64 {
		if after < empty+negligible {
			return 0
		}
		return float64(after-empty) / float64(max(before, empty+negligible/4)-empty)
	}
	return max(
		of(s.empty.Allocations, before.Allocations, after.Allocations, negligible.Allocations),
		of(s.empty.Bytes, before.Bytes, after.Bytes, negligible.Bytes),
		of(s.empty.Steps, before.Steps, after.Steps, negligible.Steps),
	)
}

// Grows reports whether the cost grows by more than [Limit] a doubling.
func (s *Series) Grows() bool { return s.Factor() > Limit }

// String returns the sizes and costs.
func (s *Series) String() string {
	text := ""
	for i, n := range s.Sizes {
		c := s.Costs[i]
		text += fmt.Sprintf("; %d: %d allocations, %d bytes", n, c.Allocations, c.Bytes)
		if CountsSteps() {
			text += fmt.Sprintf(", %d steps", c.Steps)
		}
	}
	return text[2:]
}
