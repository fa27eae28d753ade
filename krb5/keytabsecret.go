package krb5

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// keytabSecret is a principal's keys in a keytab.
type keytabSecret struct {
	file      string
	client    principal.Name
	permitted []int32
}

func (s *keytabSecret) String() string { return "the keytab " + s.file }

func (s *keytabSecret) hint() string { return "the key was changed in the KDC: export it again" }

// accepted does nothing: the keytab is read at each login, and no key is kept.
func (s *keytabSecret) accepted() {}

func (s *keytabSecret) wipe() {}

func (s *keytabSecret) read() (*keytab.Keytab, error) {
	kt, _, err := keytab.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no keytab %s: export the key to it (kadmin: ktadd -k %s PRINCIPAL), or set KRB5_CLIENT_KTNAME", s.file, s.file)
	}
	return kt, err
}

func (s *keytabSecret) etypes() ([]int32, error) {
	kt, err := s.read()
	if err != nil {
		return nil, err
	}
	newest := kt.Newest(s.client)
	var ids []int32
	for _, id := range s.permitted {
		if slices.ContainsFunc(newest, func(e keytab.Entry) bool { return e.KeyType == id }) {
			ids = append(ids, id)
		}
	}
	isRC4 := func(e keytab.Entry) bool { return e.KeyType == int32(etype.RC4HMAC) }
	switch {
	case len(ids) == 0 && slices.ContainsFunc(newest, isRC4):
		return nil, fmt.Errorf("%s has no key of %s of a permitted encryption type, only %s: %s; then export the keytab again", s, s.client, etype.RC4HMAC, needsAES(s.client))
	case len(ids) == 0:
		return nil, fmt.Errorf("%s has no key of %s of a permitted encryption type: export it again, or mend permitted_enctypes in krb5.conf", s, s.client)
	}
	return ids, nil
}

func (s *keytabSecret) key(id etype.ID, _ string, _ []byte) (*etype.Key, error) {
	kt, err := s.read()
	if err != nil {
		return nil, err
	}
	for _, e := range kt.Newest(s.client) {
		if e.KeyType == int32(id) {
			return etype.NewKey(id, e.Key)
		}
	}
	return nil, fmt.Errorf("%s has no %s key of %s", s, id, s.client)
}
