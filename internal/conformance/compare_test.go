package conformance_test

import (
	"encoding/json"
	"flag"
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

var (
	cases = flag.Int("cases", 100_000, "how many cases each comparison compares")
	seed  = flag.Uint64("seed", 1, "of the generated inputs")
)

// compare draws inputs and checks them until there were enough cases. It fails with the
// shortest disagreement, and if one of the corners was never hit.
//
// The inputs are drawn in chunks with a random source each, so that they do not depend
// on how many processors there are.
func compare(t *testing.T, check func(*draw) error, corners ...string) {
	const chunkSize = 1000
	chunks := int64((*cases + chunkSize - 1) / chunkSize)
	var (
		next     atomic.Int64
		workers  sync.WaitGroup
		mutex    sync.Mutex
		total    = draw{corners: map[string]int{}}
		failures []error
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for chunk := next.Add(1) - 1; chunk < chunks; chunk = next.Add(1) - 1 {
				d := &draw{Rand: rand.New(rand.NewPCG(*seed, uint64(chunk))), corners: map[string]int{}}
				var failure error
				for d.cases < chunkSize && failure == nil {
					d.alphabet = d.newAlphabet()
					failure = check(d)
				}
				mutex.Lock()
				total.cases += d.cases
				for corner, n := range d.corners {
					total.corners[corner] += n
				}
				if failure != nil {
					failures = append(failures, failure)
				}
				mutex.Unlock()
			}
		})
	}
	workers.Wait()

	t.Logf("seed %d: %d cases, %d disagreements", *seed, total.cases, len(failures))
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

// disagreement is an error that shows the inputs.
func disagreement(what string, inputs ...any) error {
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
