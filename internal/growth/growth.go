// Package growth checks in tests how the cost of a function grows with its input (law G1).
package growth

import (
	"runtime"
	"testing"
)

// Check fails the test if doubling the input multiplies the allocated bytes, or the number of
// allocations, by more than 2.6, as more than n log n does. prepare returns the call to measure
// for an input of the given size. It is called for n, 2n and 4n. No other goroutine may allocate.
func Check(t *testing.T, n int, prepare func(n int) (call func())) {
	t.Helper()
	const limit = 2.6
	before := measure(prepare(n))
	for range 2 {
		n *= 2
		after := measure(prepare(n))
		t.Logf("%8d: %9d allocations, %11d bytes", n, after.allocations, after.bytes)
		if float64(after.bytes) > limit*float64(before.bytes) || float64(after.allocations) > limit*float64(before.allocations) {
			t.Errorf("from %d to %d: %d allocations and %d bytes become %d and %d", n/2, n, before.allocations, before.bytes, after.allocations, after.bytes)
		}
		before = after
	}
}

type cost struct{ allocations, bytes uint64 }

// measure returns the least cost of a few calls.
func measure(call func()) cost {
	least := cost{1 << 62, 1 << 62}
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		least.allocations = min(least.allocations, after.Mallocs-before.Mallocs)
		least.bytes = min(least.bytes, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
