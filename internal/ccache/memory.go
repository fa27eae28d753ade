package ccache

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"sync"
)

// Memory holds caches of type MEMORY by name. They live as long as it does, and
// nobody else sees them. The zero Memory is empty and ready for use.
type Memory struct {
	mu     sync.Mutex
	caches map[string]*Cache
	change int
}

// Store returns the cache of that name, which need not exist.
func (m *Memory) Store(name string) Store { return memoryStore{m, name} }

// memoryStore is one cache of a Memory. Its contents are never changed, only
// replaced, so that readers may keep them.
type memoryStore struct {
	m    *Memory
	name string
}

func (s memoryStore) String() string { return "MEMORY:" + s.name }

// Version is the cache's identity: each change makes another one.
func (s memoryStore) Version(ctx context.Context) (Version, error) {
	_, v, err := s.Read(ctx)
	return v, err
}

func (s memoryStore) Read(context.Context) (*Cache, Version, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.read()
}

// read is called with mu held.
func (s memoryStore) read() (*Cache, Version, error) {
	c := s.m.caches[s.name]
	if c == nil {
		return nil, Version{}, fmt.Errorf("credential cache %s: %w", s, fs.ErrNotExist)
	}
	return c, c.version, nil
}

func (s memoryStore) Add(_ context.Context, cred Credential) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	c, _, err := s.read()
	if err != nil {
		return err
	}
	if !c.Principal.Equal(cred.Client) {
		return fmt.Errorf("credential cache %s: %w", s, otherClient(c, cred))
	}
	next := *c
	next.Creds = append(slices.Clip(c.Creds), cred.clone())
	s.set(&next)
	return nil
}

func (s memoryStore) Replace(_ context.Context, c *Cache) error {
	next := *c
	next.config = slices.Clone(c.config)
	next.Creds = nil
	for _, cred := range c.Creds {
		next.Creds = append(next.Creds, cred.clone())
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.set(&next)
	return nil
}

// set is called with mu held.
func (s memoryStore) set(c *Cache) {
	s.m.change++
	c.version = TextVersion(strconv.Itoa(s.m.change))
	if s.m.caches == nil {
		s.m.caches = make(map[string]*Cache)
	}
	s.m.caches[s.name] = c
}

// clone returns a copy that shares no octets that somebody might wipe.
func (c Credential) clone() Credential {
	c.Key, c.Ticket, c.SecondTicket = bytes.Clone(c.Key), bytes.Clone(c.Ticket), bytes.Clone(c.SecondTicket)
	return c
}
