// Package readmap has a map for what each token looks up and what is written
// seldom: reading takes no lock.
package readmap

import (
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Map is a sync.Map with types and a length. Like that it is safe for concurrent
// use; who must not write between another's reading and writing needs a lock of
// their own. The zero Map is empty. The look-ups of a V that is a pointer allocate
// nothing.
type Map[K comparable, V any] struct {
	m sync.Map
	n atomic.Int64
}

// Get returns what is stored under k, or the zero V.
func (m *Map[K, V]) Get(k K) V {
	v, _ := m.m.Load(k)
	found, _ := v.(V)
	return found
}

// Set stores v under k.
func (m *Map[K, V]) Set(k K, v V) {
	if _, replaced := m.m.Swap(k, v); !replaced {
		m.n.Add(1)
	}
}

// Delete drops what is stored under k, if there is anything.
func (m *Map[K, V]) Delete(k K) {
	if _, was := m.m.LoadAndDelete(k); was {
		m.n.Add(-1)
	}
}

// Len is the number of keys.
func (m *Map[K, V]) Len() int { return int(m.n.Load()) }

// MakeRoom deletes any entries of a map that has limit entries or more, so that
// one more keeps it within that.
func (m *Map[K, V]) MakeRoom(limit int) {
	if m.Len() < limit {
		return
	}
	for k := range m.FromAnywhere() {
		if m.Delete(k); m.Len() < limit {
			return
		}
	}
}

// FromAnywhere is All, but begins at any entry, for who wants to delete some. All
// has the same ones first each time.
func (m *Map[K, V]) FromAnywhere() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		first := rand.IntN(max(m.Len(), 1))
		i := 0
		for k, v := range m.All() {
			if i++; i > first && !yield(k, v) {
				return
			}
		}
		i = 0
		for k, v := range m.All() {
			if i++; i > first || !yield(k, v) {
				return
			}
		}
	}
}

// All ranges over the entries in no order, as sync.Map.Range does: what is written
// meanwhile may be among them.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.m.Range(func(k, v any) bool { return yield(k.(K), v.(V)) })
	}
}
