package nodeindex_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
)

func TestMemoMakesEachValueOnce(t *testing.T) {
	var m nodeindex.Memo[int]
	var made [3]atomic.Int32
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := i % 3
			if got := m.Get([]byte{byte(key)}, func() int { made[key].Add(1); return 10 + key }); got != 10+key {
				t.Errorf("the value for %d is %d", key, got)
			}
		}()
	}
	wg.Wait()
	for key := range made {
		if n := made[key].Load(); n != 1 {
			t.Errorf("made %d times for %d", n, key)
		}
	}
}

func TestMemoDoesNotWaitForOtherKeys(t *testing.T) {
	var m nodeindex.Memo[int]
	got := m.Get([]byte("a"), func() int { return 1 + m.Get([]byte("b"), func() int { return 1 }) })
	if got != 2 {
		t.Errorf("got %d", got)
	}
}
