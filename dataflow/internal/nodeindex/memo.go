package nodeindex

import "sync"

// A Memo keeps one value for each key. It is safe for use by several goroutines at once. The
// zero value is empty.
type Memo[T any] struct {
	mu     sync.Mutex
	values map[string]func() T
}

// Get returns the value for a key, which it makes if there is none. It calls make once for
// each key, and does not wait for the value of another key.
func (m *Memo[T]) Get(key []byte, make func() T) T {
	m.mu.Lock()
	kept, ok := m.values[string(key)]
	if !ok {
		if m.values == nil {
			m.values = map[string]func() T{}
		}
		kept = sync.OnceValue(make)
		m.values[string(key)] = kept
	}
	m.mu.Unlock()
	return kept()
}
