package benchmarks

import (
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krbtest"
)

// stranger is a credential with a ticket that the acceptor has not seen before and
// that has so many octets of authorization data. What no KDC of ours issues is
// made with the service's key.
func (x *bed) stranger(b *testing.B, octets int) gss.Credential {
	b.Helper()
	cache, _, err := ccache.ReadFile(strings.TrimPrefix(x.serviceCCache(b), "FILE:"))
	if err != nil {
		b.Fatal(err)
	}
	key := x.serviceKey(b)
	for i := range cache.Creds {
		if c := &cache.Creds[i]; c.Server.Components[0] == "HTTP" {
			c.Ticket = rewritten(b, key, c.Ticket, octets)
		}
	}
	return must(x.ours.FromCCacheBytes(cache.Marshal()))(b)
}

// strangersToken is the first token of a stranger.
func (x *bed) strangersToken(b *testing.B, octets int) []byte {
	_, token := x.initiate(b, x.stranger(b, octets), gss.FlagMutual)
	return token
}

// serviceCCache is a cache with a ticket for the service, always the same one.
func (x *bed) serviceCCache(b *testing.B) string {
	if x.tickets == "" {
		x.tickets = x.kdc.CCache("alice", krbtest.WithTicket(spn))
	}
	return x.tickets
}

func (x *bed) serviceKey(b *testing.B) *etype.Key {
	kt, _, err := keytab.ReadFile(x.keytab)
	if err != nil {
		b.Fatal(err)
	}
	e := kt.Entries[0]
	return must(etype.NewKey(etype.ID(e.KeyType), e.Key))(b)
}

// rewritten is a ticket with other authorization data, encrypted anew.
func rewritten(b *testing.B, key *etype.Key, ticket []byte, octets int) []byte {
	t := must(krbmsg.ParseTicket(ticket))(b)
	plain := must(key.AppendDecrypt(nil, krbmsg.UsageTicket, t.Enc.Cipher))(b)
	part := must(krbmsg.ParseEncTicketPart(plain))(b)
	if part.AuthData = nil; octets > 0 {
		part.AuthData = []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: make([]byte, octets)}}
	}
	t.Enc.Cipher = must(key.AppendEncrypt(nil, krbmsg.UsageTicket, part.Append(nil)))(b)
	t.Raw = nil
	return t.Append(nil)
}
