package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// fake is a kernel with keys. Its zero value has the caller's keyrings, all
// empty, and no big keys.
type fake struct {
	mu      sync.Mutex
	keys    map[int]*fakeKey
	next    int
	bigKeys bool
	// noSession has the user's session keyring stand for the session's, until
	// somebody writes to that.
	noSession bool
	// noPersistent is a kernel without these.
	noPersistent bool
	// before, if set, is called before each operation, without the lock.
	before func(op string, key int) error
}

type fakeKey struct {
	typ, description string
	payload          []byte
	members          []int
	expires          int // seconds; 0: never
}

const firstPersistent = 1000

func (f *fake) lock(op string, key int) (unlock func(), err error) {
	if f.before != nil {
		if err := f.before(op, key); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	if f.keys == nil {
		f.keys = make(map[int]*fakeKey)
		f.next = 100
		for _, ring := range []int{threadKeyring, sessionKeyring, userKeyring, userSessionKeyring} {
			f.keys[ring] = &fakeKey{typ: typeKeyring}
		}
	}
	return f.mu.Unlock, nil
}

func (f *fake) find(key int) (*fakeKey, error) {
	if key == sessionKeyring && f.noSession {
		key = userSessionKeyring
	}
	if k := f.keys[key]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("key %d: %w", key, fs.ErrNotExist)
}

func (f *fake) euid() int { return 7 }

func (f *fake) persistent(uid int) (int, error) {
	unlock, err := f.lock("persistent", uid)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if f.noPersistent {
		return 0, errors.ErrUnsupported
	}
	ring := firstPersistent + uid
	if f.keys[ring] == nil {
		f.keys[ring] = &fakeKey{typ: typeKeyring}
	}
	return ring, nil
}

func (f *fake) id(ring int) (int, error) {
	if ring == sessionKeyring && f.noSession {
		return userSessionKeyring, nil
	}
	return ring, nil
}

func (f *fake) search(ring int, typ, description string, link int) (int, error) {
	unlock, err := f.lock("search", ring)
	if err != nil {
		return 0, err
	}
	defer unlock()
	r, err := f.find(ring)
	if err != nil {
		return 0, err
	}
	for _, key := range r.members {
		if k := f.keys[key]; k != nil && k.typ == typ && k.description == description {
			if link != 0 {
				f.keys[link].members = append(f.keys[link].members, key)
			}
			return key, nil
		}
	}
	return 0, fmt.Errorf("key %s: %w", description, fs.ErrNotExist)
}

func (f *fake) read(key int) ([]byte, error) {
	unlock, err := f.lock("read", key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := f.find(key)
	if err != nil {
		return nil, err
	}
	if k.typ != typeKeyring {
		return bytes.Clone(k.payload), nil
	}
	var b []byte
	for _, m := range k.members {
		b = binary.NativeEndian.AppendUint32(b, uint32(int32(m)))
	}
	return b, nil
}

func (f *fake) describe(key int) (typ, description string, err error) {
	unlock, err := f.lock("describe", key)
	if err != nil {
		return "", "", err
	}
	defer unlock()
	k, err := f.find(key)
	if err != nil {
		return "", "", err
	}
	return k.typ, k.description, nil
}

func (f *fake) add(typ, description string, payload []byte, ring int) (int, error) {
	unlock, err := f.lock("add", ring)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if ring == sessionKeyring {
		f.noSession = false
	}
	r, err := f.find(ring)
	if err != nil {
		return 0, err
	}
	if typ == typeBig && !f.bigKeys {
		return 0, errors.ErrUnsupported
	}
	for _, key := range r.members {
		if k := f.keys[key]; k != nil && k.typ == typ && k.description == description && typ != typeKeyring {
			k.payload = bytes.Clone(payload)
			return key, nil
		}
	}
	f.next++
	f.keys[f.next] = &fakeKey{typ: typ, description: description, payload: bytes.Clone(payload)}
	r.members = append(r.members, f.next)
	return f.next, nil
}

func (f *fake) link(key, ring int) error {
	unlock, err := f.lock("link", key)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := f.find(ring)
	if err == nil && !slices.Contains(r.members, key) {
		r.members = append(r.members, key)
	}
	return err
}

func (f *fake) clear(ring int) error {
	unlock, err := f.lock("clear", ring)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := f.find(ring)
	if err == nil {
		for _, key := range r.members {
			delete(f.keys, key)
		}
		r.members = nil
	}
	return err
}

func (f *fake) expire(key, seconds int) error {
	unlock, err := f.lock("expire", key)
	if err != nil {
		return err
	}
	defer unlock()
	k, err := f.find(key)
	if err == nil {
		k.expires = seconds
	}
	return err
}
