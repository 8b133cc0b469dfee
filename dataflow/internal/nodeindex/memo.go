package nodeindex

import "sync"

// A Memo keeps one value for each key. It is safe for use by several goroutines at once. The
// zero value is empty.
type Memo[T any] struct {
	mu     sync.Mutex
	values map[string]*memoized[T]
}

type memoized[T any] struct {
	once  sync.Once
	value T
}

// Get returns the value for a key, which it makes if there is none. It calls make once for
// each key, and does not wait for the value of another key.
func (m *Memo[T]) Get(key []byte, make func() T) T {
	m.mu.Lock()
	kept, ok := m.values[string(key)]
	if !ok {
		if m.values == nil {
			m.values = map[string]*memoized[T]{}
		}
		kept = new(memoized[T])
		m.values[string(key)] = kept
	}
	m.mu.Unlock()
	kept.once.Do(func() { kept.value = make() })
	return kept.value
}
