package kdc

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/pac"
)

const (
	domainUsers = 513
	// firstRID is the number of the first user that is added.
	firstRID = 1000
	// groupAttributes are mandatory, enabled by default, enabled.
	groupAttributes = 7
)

// DomainSID returns the identifier of the realm as a domain, which its name
// tells: the same in each process.
func (r *Realm) DomainSID() string { return r.domainSID().String() }

func (r *Realm) domainSID() pac.SID {
	h := sha256.Sum256([]byte(r.o.Realm))
	s := pac.SID{Authority: 5, Sub: []uint32{21}} // SECURITY_NT_NON_UNIQUE
	for i := range 3 {
		s.Sub = append(s.Sub, binary.LittleEndian.Uint32(h[4*i:]))
	}
	return s
}

// authorize gives a ticket the PAC of a client that is in groups, and none to
// another, in place of what it has. [Realm.sign] signs it.
func (r *Realm) authorize(t *krbmsg.EncTicketPart, c *record) error {
	t.AuthData = nil
	if len(c.policy.Groups) == 0 {
		return nil
	}
	short, _, _ := strings.Cut(r.o.Realm, ".")
	account := strings.Join(c.name.Components, "/")
	logon := pac.Logon{
		LogonTime: t.AuthTime, EffectiveName: account, LogonServer: "KDC", LogonDomain: short,
		Domain: r.domainSID(), UserID: c.rid, PrimaryGroup: domainUsers,
		Groups: []pac.Group{{RID: domainUsers, Attributes: groupAttributes}},
	}
	for _, rid := range c.policy.Groups {
		if rid != domainUsers {
			logon.Groups = append(logon.Groups, pac.Group{RID: rid, Attributes: groupAttributes})
		}
	}
	client := pac.Client{AuthTime: t.AuthTime, Name: account}
	upn := pac.UPN{
		Name: account + "@" + strings.ToLower(r.o.Realm), DNSDomain: r.o.Realm, Constructed: true,
		Account: account, SID: logon.Domain.With(c.rid),
	}
	key := r.lookup(r.tgs).current().strongest()
	b, err := pac.Marshal([]pac.Buffer{
		{Type: pac.TypeLogon, Data: logon.Append()}, {Type: pac.TypeClient, Data: client.Append()}, {Type: pac.TypeUPN, Data: upn.Append()},
	}, key, key)
	if err != nil {
		return err
	}
	inner := krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: krbmsg.ADWin2KPAC, Data: b}})
	t.AuthData = []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: inner}}
	return nil
}

// sign signs the PAC of a ticket for the service whose key is given. What cannot
// be read is left alone.
func (r *Realm) sign(t *krbmsg.EncTicketPart, server *etype.Key) {
	for i, outer := range t.AuthData {
		if outer.Type != krbmsg.ADIfRelevant {
			continue
		}
		inner, err := krbmsg.ParseTypedData(outer.Data)
		if err != nil || len(inner) != 1 || inner[0].Type != krbmsg.ADWin2KPAC {
			continue
		}
		signed, err := pac.Sign(inner[0].Data, server, r.lookup(r.tgs).current().strongest())
		if err != nil {
			continue
		}
		inner[0].Data = signed
		t.AuthData = slices.Clone(t.AuthData)
		t.AuthData[i].Data = krbmsg.AppendTypedData(nil, inner)
	}
}

// nextRID numbers the principals that are added. It is called with mu held.
func (r *Realm) nextRID() uint32 { return firstRID + uint32(len(r.records)) }

// SID returns the identifier that a principal's PAC has.
func (r *Realm) SID(name string) (string, error) {
	c, err := r.find(name)
	if err != nil {
		return "", err
	}
	return r.domainSID().With(c.rid).String(), nil
}
