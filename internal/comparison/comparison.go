// Package comparison compares slipstream with other code on generated inputs.
package comparison

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Draw draws inputs, and counts the cases and the corners that they hit. A corner is recognized by what
// an input looks like, not by how it was drawn.
type Draw struct {
	*rand.Rand
	Cases   int
	corners map[string]int
}

// Hit counts a corner if the condition holds, and returns the condition.
func (d *Draw) Hit(corner string, condition bool) bool {
	if condition {
		d.corners[corner]++
	}
	return condition
}

// Uncounted draws from the same random source. What it counts is dropped.
func (d *Draw) Uncounted() *Draw { return &Draw{Rand: d.Rand, corners: map[string]int{}} }

// Run calls check, which draws inputs, checks them and counts them as Cases, until there were enough
// cases. The test fails with the shortest disagreement, and if one of the corners was never hit.
//
// The inputs are drawn in chunks with a random source each, so that they do not depend on how many
// processors there are.
func Run(t *testing.T, cases int, seed uint64, check func(*Draw) error, corners ...string) {
	const chunkSize = 1000
	chunks := int64((cases + chunkSize - 1) / chunkSize)
	var (
		next     atomic.Int64
		workers  sync.WaitGroup
		mutex    sync.Mutex
		total    = Draw{corners: map[string]int{}}
		failures []error
	)
	work := func() {
		defer workers.Done()
		for chunk := next.Add(1) - 1; chunk < chunks; chunk = next.Add(1) - 1 {
			d := &Draw{Rand: rand.New(rand.NewPCG(seed, uint64(chunk))), corners: map[string]int{}}
			var failure error
			for d.Cases < chunkSize && failure == nil {
				failure = check(d)
			}
			mutex.Lock()
			total.Cases += d.Cases
			for corner, n := range d.corners {
				total.corners[corner] += n
			}
			if failure != nil {
				failures = append(failures, failure)
			}
			mutex.Unlock()
		}
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go work()
	}
	workers.Wait()

	t.Logf("seed %d: %d cases, %d disagreements", seed, total.Cases, len(failures))
	for _, corner := range slices.Sorted(maps.Keys(total.corners)) {
		t.Logf("%10d %s", total.corners[corner], corner)
	}
	if len(failures) > 0 {
		shortest := slices.MinFunc(failures, func(a, b error) int { return len(a.Error()) - len(b.Error()) })
		t.Errorf("%d disagreements; the shortest: %v", len(failures), shortest)
	}
	for _, corner := range corners {
		if total.corners[corner] == 0 {
			t.Errorf("never hit: %s", corner)
		}
	}
}

// Disagreement is an error that shows the inputs.
func Disagreement(what string, inputs ...any) error {
	var b strings.Builder
	b.WriteString(what)
	for _, input := range inputs {
		shown, err := json.Marshal(input)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "\n  %s", shown)
	}
	return fmt.Errorf("%s", b.String())
}
