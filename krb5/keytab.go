package krb5

import (
	"errors"
	"io/fs"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// keytabFile is a keytab as it was read last, with its keys ready for use and
// the tickets that they have opened.
type keytabFile struct {
	stamp  keytab.Stamp
	table  keyTable
	weak   principal.Name // of a key that is not permitted, being RC4; zero: none is
	opened *openedTickets
}

type keyTable []serviceKey

type serviceKey struct {
	principal principal.Name
	kvno      uint32
	key       *etype.Key
}

func (t keyTable) has(match func(principal.Name) bool) bool {
	for i := range t {
		if match(t[i].principal) {
			return true
		}
	}
	return false
}

// keysOf returns the keys of a keytab file, reading it if it has changed.
func (p *Provider) keysOf(op, path string) (*keytabFile, error) {
	stamp, err := filestamp.Stat(path)
	if err != nil {
		return nil, noKeytab(op, path, err)
	}
	f := p.keytabs.Get(path)
	if f != nil && f.stamp == stamp {
		return f, nil
	}
	kt, stamp, err := keytab.ReadFile(path)
	if err != nil {
		return nil, noKeytab(op, path, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f = p.keytabs.Get(path); f != nil && f.stamp == stamp { // another goroutine was faster
		return f, nil
	}
	if stamp.Exposed() {
		p.log.Warn("the keytab can be read by every user of this machine: chmod o= it", "keytab", path)
	}
	f = &keytabFile{stamp: stamp, table: p.keyTable(kt), weak: p.weakKey(kt), opened: newOpenedTickets()}
	p.keytabs.MakeRoom(maxFiles)
	p.keytabs.Set(path, f)
	return f, nil
}

// keyTable makes the keys of permitted encryption types ready.
func (p *Provider) keyTable(kt *keytab.Keytab) keyTable {
	var t keyTable
	for _, e := range kt.Entries {
		if !p.permitted(e.KeyType) {
			continue
		}
		if key, err := etype.NewKey(etype.ID(e.KeyType), e.Key); err == nil {
			t = append(t, serviceKey{e.Principal, e.KVNO, key})
		}
	}
	return t
}

// weakKey finds the principal of a key that is not permitted, being RC4.
func (p *Provider) weakKey(kt *keytab.Keytab) principal.Name {
	for _, e := range kt.Entries {
		if p.forbidden(e.KeyType) {
			return e.Principal
		}
	}
	return principal.Name{}
}

func noKeytab(op, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return failure(gss.ErrNoCred, op, "there is no keytab %s: export the service's key to it (kadmin: ktadd -k %s HTTP/host), or set KRB5_KTNAME", path, path)
	}
	return failure(gss.ErrNoCred, op, "the keytab %s cannot be read: %w", path, err)
}

// maxTried bounds how many keys of other names than a ticket's are tried.
const maxTried = 64

// open decrypts a ticket, with the key that it names or else another of the same
// service: a version number may be missing, cut to 8 bits or renumbered. The
// ticket's name is not protected and may be an alias that the keytab does not
// have, so that the other keys come last: whichever opens the ticket is the one
// that the KDC has made it for.
func (t keyTable) open(dst []byte, ticket *krbmsg.Ticket, match func(principal.Name) bool) (plain []byte, by *serviceKey, code krbmsg.ErrorCode) {
	code = krbmsg.ErrNotUs
	for i := range t {
		if match(t[i].principal) && t[i].principal.Equal(ticket.Server) {
			code = krbmsg.ErrNoKey
		}
	}
	tried := 0
	for _, round := range [...]struct{ sameName, sameVersion bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		for i := range t {
			k := &t[i]
			if int32(k.key.Type()) != ticket.Enc.EType || (k.kvno == ticket.Enc.KVNO) != round.sameVersion ||
				k.principal.Equal(ticket.Server) != round.sameName || !match(k.principal) {
				continue
			}
			if !round.sameName {
				if tried++; tried > maxTried {
					return nil, nil, code
				}
			}
			if plain, err := k.key.AppendDecrypt(dst, krbmsg.UsageTicket, ticket.Enc.Cipher); err == nil {
				return plain, k, 0
			}
			if round.sameName {
				code = krbmsg.ErrModified
			}
		}
	}
	return nil, nil, code
}
