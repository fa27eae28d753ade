package krb5

import (
	"errors"
	"fmt"
	"sync"

	"github.com/go-negotiate/negotiate/internal/etype"
)

// passwordSecret is a password until the KDC has accepted it, and then the keys
// that were derived from it.
type passwordSecret struct {
	permitted []int32

	mu     sync.Mutex
	text   []byte // nil: wiped
	keys   map[derivation]*etype.Key
	closed bool
}

// derivation is what a key is made of besides the password.
type derivation struct {
	id     etype.ID
	salt   string
	params string
}

// maxDerivations bounds the keys of a password; the KDC names the salts.
const maxDerivations = 8

func newPasswordSecret(password string, permitted []int32) *passwordSecret {
	return &passwordSecret{permitted: permitted, text: append([]byte{}, password...)}
}

func (s *passwordSecret) String() string { return "the password" }

// GoString is String.
func (s *passwordSecret) GoString() string { return s.String() }

func (s *passwordSecret) hint() string { return "check the password" }

func (s *passwordSecret) etypes() ([]int32, error) { return s.permitted, nil }

var (
	errClosed      = errors.New("the credential was closed, and cannot log in any more")
	errOtherSecret = errors.New("the KDC asks for a key that was not derived while the password was known, as it does after a change of the password: make a new credential")
)

// key derives a key, or finds the one derived before: deriving is slow by design.
func (s *passwordSecret) key(id etype.ID, salt string, params []byte) (*etype.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := derivation{id, salt, string(params)}
	switch k := s.keys[d]; {
	case k != nil:
		return k, nil
	case s.closed:
		return nil, errClosed
	case s.text == nil:
		return nil, fmt.Errorf("%s: %w", id, errOtherSecret)
	}
	k, err := etype.StringToKey(id, string(s.text), salt, params)
	if err != nil {
		return nil, err
	}
	if s.keys == nil || len(s.keys) >= maxDerivations {
		s.keys = make(map[derivation]*etype.Key)
	}
	s.keys[d] = k
	return k, nil
}

// accepted wipes the password: its key does from now on.
func (s *passwordSecret) accepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipeText()
}

// wipe forgets the password and its keys.
func (s *passwordSecret) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipeText()
	s.keys, s.closed = nil, true
}

func (s *passwordSecret) wipeText() {
	clear(s.text)
	s.text = nil
}
