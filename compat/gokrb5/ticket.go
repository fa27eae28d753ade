package spnego

import (
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	negotiation "github.com/go-negotiate/negotiate/internal/spnego"
)

// findAPReq returns the AP-REQ in a token; nil if there is none.
func findAPReq(token []byte) []byte {
	switch kind, _ := negotiation.Sniff(token); kind {
	case negotiation.KindInit:
		init, err := negotiation.ParseInit(token)
		if err != nil {
			return nil
		}
		token = init.MechToken
	case negotiation.KindResp:
		resp, err := negotiation.ParseResp(token)
		if err != nil {
			return nil
		}
		token = resp.ResponseToken
	}
	_, inner, err := negotiation.ParseInitialToken(token)
	if err != nil || len(inner) < 2 || inner[0] != 1 || inner[1] != 0 { // RFC 4121, section 4.1
		return nil
	}
	return inner[2:]
}

// keys are those of a keytab, ready for use.
type keys []serviceKey

type serviceKey struct {
	kvno uint32
	key  *etype.Key
}

func readKeys(b []byte) (keys, error) {
	kt, err := keytab.Parse(b)
	if err != nil {
		return nil, err
	}
	var k keys
	for _, e := range kt.Entries {
		if key, err := etype.NewKey(etype.ID(e.KeyType), e.Key); err == nil {
			k = append(k, serviceKey{e.KVNO, key})
		}
	}
	return k, nil
}

// restrict leaves in a keytab only the keys of a principal, in any realm, unless
// it is nil.
func restrict(b []byte, only *types.PrincipalName) ([]byte, error) {
	if only == nil {
		return b, nil
	}
	kt, err := keytab.Parse(b)
	if err != nil {
		return nil, err
	}
	var chosen keytab.Keytab
	for _, e := range kt.Entries {
		if e.Principal.Equal(principal.New(e.Principal.Realm, only.NameString...)) {
			chosen.Entries = append(chosen.Entries, e)
		}
	}
	if len(chosen.Entries) == 0 {
		return nil, fmt.Errorf("the keytab has no key of %s, the KeytabPrincipal", only.PrincipalNameString())
	}
	return chosen.Marshal()
}

// open decrypts a ticket that package krb5 has decrypted, too.
func (k keys) open(t *krbmsg.Ticket) (krbmsg.EncTicketPart, *etype.Key, error) {
	for _, sameVersion := range [...]bool{true, false} {
		for _, s := range k {
			if int32(s.key.Type()) != t.Enc.EType || (s.kvno == t.Enc.KVNO) != sameVersion {
				continue
			}
			if plain, err := s.key.AppendDecrypt(nil, krbmsg.UsageTicket, t.Enc.Cipher); err == nil {
				part, err := krbmsg.ParseEncTicketPart(plain)
				return part, s.key, err
			}
		}
	}
	return krbmsg.EncTicketPart{}, nil, errors.New("no key opens the ticket")
}

// inspect reads the ticket of a context that is done, checks the address that it
// may be bound to, and makes of it what handlers see of the client.
func (c *acceptor) inspect(from types.HostAddress) (*credentials.Credentials, error) {
	req, err := krbmsg.ParseAPReq(c.apReq)
	if err != nil {
		return nil, err
	}
	part, key, err := c.keys.open(&req.Ticket)
	if err != nil {
		return nil, err
	}
	info := c.Info()
	if info.Initiator.Value != part.Client.String() || info.Initiator.Type == gss.NameNone {
		return nil, fmt.Errorf("the context is of %s and the ticket of %s", info.Initiator.Value, part.Client)
	}
	if err := c.checkAddress(part.Addresses, from); err != nil {
		return nil, err
	}
	creds := credentials.NewFromPrincipalName(types.PrincipalName{NameType: part.Client.Type, NameString: part.Client.Components}, part.Client.Realm)
	creds.SetAuthTime(time.Now().UTC())
	creds.SetAuthenticated(true)
	creds.SetValidUntil(part.EndTime)
	if c.settings.DecodePAC() {
		if err := addPAC(creds, part.AuthData, key); err != nil {
			return nil, err
		}
	}
	return creds, nil
}

// checkAddress refuses a ticket that is bound to other addresses than the
// client's, and one that is bound to none where the settings require it.
func (c *acceptor) checkAddress(bound []krbmsg.TypedData, from types.HostAddress) error {
	if set := c.settings.ClientAddress(); set.AddrType != 0 {
		from = set
	}
	if len(bound) == 0 {
		if c.settings.RequireHostAddr() {
			return errors.New("the ticket is bound to no address, and RequireHostAddr wants one")
		}
		return nil
	}
	var all []types.HostAddress
	for _, a := range bound {
		all = append(all, types.HostAddress{AddrType: a.Type, Address: a.Data})
	}
	if !types.HostAddressesContains(all, from) {
		return errors.New("the ticket is bound to other addresses than the client's")
	}
	return nil
}
