package nodeindex

import "sync"

// A Memo keeps what was made for each key. It is safe for use by several goroutines at once;
// the zero value is empty.
type Memo[T any] struct {
	mu   sync.Mutex
	kept map[string]*made[T]
}

type made[T any] struct {
	once  sync.Once
	value T
}

// Get returns what was made for the key, or makes it. It is made once, however many ask for
// it at the same time, and nobody waits for what is made for another key.
func (m *Memo[T]) Get(key []byte, make func() T) T {
	m.mu.Lock()
	of, ok := m.kept[string(key)]
	if !ok {
		if m.kept == nil {
			m.kept = map[string]*made[T]{}
		}
		of = new(made[T])
		m.kept[string(key)] = of
	}
	m.mu.Unlock()
	of.once.Do(func() { of.value = make() })
	return of.value
}
