package readmap

import (
	"maps"
	"sync"
	"testing"
)

type pair struct{ a, b string }

func TestMap(t *testing.T) {
	var m Map[pair, *int]
	one, two := 1, 2
	if m.Get(pair{"x", "y"}) != nil || m.Len() != 0 {
		t.Error("an empty map has something")
	}
	m.Set(pair{"x", "y"}, &one)
	m.Set(pair{"x", "y"}, &two)
	m.Set(pair{"xy", ""}, &one)
	if *m.Get(pair{"x", "y"}) != 2 || *m.Get(pair{"xy", ""}) != 1 || m.Len() != 2 {
		t.Errorf("it has %v", maps.Collect(m.All()))
	}
	m.Delete(pair{"x", "y"})
	m.Delete(pair{"x", "y"})
	if m.Get(pair{"x", "y"}) != nil || m.Len() != 1 {
		t.Errorf("it has %v after a deletion", maps.Collect(m.All()))
	}
	for k, v := range m.All() {
		if k != (pair{"xy", ""}) || v != &one {
			t.Errorf("it has %v: %v", k, *v)
		}
	}
}

func TestMakeRoom(t *testing.T) {
	var m Map[int, *int]
	for i := range 300 {
		m.MakeRoom(100)
		m.Set(i, &i)
		if m.Len() > 100 || m.Get(i) == nil {
			t.Fatalf("%d entries, and the newest is %v", m.Len(), m.Get(i))
		}
	}
	if m.Len() != 100 {
		t.Errorf("%d entries, want 100", m.Len())
	}
}

// The length is right whatever happens at once.
func TestLenConcurrently(t *testing.T) {
	var m Map[int, *int]
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				m.Set(i%50, &i)
				if (i+g)%3 == 0 {
					m.Delete(i % 50)
				}
			}
		})
	}
	wg.Wait()
	if n := len(maps.Collect(m.All())); n != m.Len() {
		t.Errorf("%d entries, Len is %d", n, m.Len())
	}
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	var m Map[pair, *int]
	one := 1
	m.Set(pair{"x", "y"}, &one)
	if n := testing.AllocsPerRun(100, func() { m.Get(pair{"x", "y"}); m.Get(pair{"none", ""}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What nobody uses any more does not stay for ever, with all that is new taking one
// and the same place.
func TestMakeRoomDropsAny(t *testing.T) {
	const limit = 100
	var m Map[int, *int]
	for i := range 50 * limit {
		m.MakeRoom(limit)
		m.Set(i, &i)
	}
	for k := range m.All() {
		if k < 25*limit {
			t.Errorf("%d is there still", k)
		}
	}
}

// Each entry comes once, also where those that came are deleted.
func TestFromAnywhere(t *testing.T) {
	for range 100 {
		var m Map[int, *int]
		for i := range 20 {
			m.Set(i, &i)
		}
		seen := make(map[int]bool)
		for k := range m.FromAnywhere() {
			if m.Delete(k); seen[k] {
				t.Fatalf("%d came twice", k)
			}
			seen[k] = true
		}
		if len(seen) != 20 || m.Len() != 0 {
			t.Fatalf("%d came, and %d are left", len(seen), m.Len())
		}
		for k := range m.FromAnywhere() {
			t.Fatalf("an empty map has %d", k)
		}
	}
}
