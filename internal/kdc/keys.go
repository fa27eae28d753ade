package kdc

import (
	"slices"
	"sync"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// keyVersion is one version of a principal's keys: a key of each encryption
// type, made when it is first asked for.
type keyVersion struct {
	kvno     uint32
	enctypes []etype.ID // preferred first
	password string     // "": random
	salt     string

	mu   sync.Mutex
	keys []*etype.Key // as enctypes; nil: not made yet
}

// key returns the key of the given type, or nil if there is none.
func (v *keyVersion) key(id etype.ID) *etype.Key {
	i := slices.Index(v.enctypes, id)
	if i < 0 {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys[i] == nil {
		// The type is supported and the password valid, so nothing can fail;
		// if it did, the principal would have no such key.
		v.keys[i], _ = v.make(id)
	}
	return v.keys[i]
}

func (v *keyVersion) make(id etype.ID) (*etype.Key, error) {
	if v.password == "" {
		return etype.RandomKey(id)
	}
	return etype.StringToKey(id, v.password, v.salt, nil)
}

// strongest returns the preferred key.
func (v *keyVersion) strongest() *etype.Key { return v.key(v.enctypes[0]) }

// first returns the first of the offered types that there is a key of.
func (v *keyVersion) first(offered []int32) (etype.ID, bool) {
	for _, id := range offered {
		if slices.Contains(v.enctypes, etype.ID(id)) {
			return etype.ID(id), true
		}
	}
	return 0, false
}
