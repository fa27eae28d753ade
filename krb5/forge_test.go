package krb5_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
	"github.com/go-negotiate/negotiate/krbtest"
)

// forgery is an AP-REQ token of which a test can change every part: with the
// service's key it makes what no KDC would issue.
type forgery struct {
	tb testing.TB

	oid     gss.OID
	id      string // of the token
	options uint32
	server  principal.Name // as the ticket names it
	kvno    uint32
	key     *etype.Key // of the ticket
	part    krbmsg.EncTicketPart
	pacKey  *etype.Key // nil: key
	session *etype.Key // of the authenticator
	auth    krbmsg.Authenticator
}

// forge begins with a token that is right.
func forge(tb testing.TB, kdc *krbtest.KDC) *forgery {
	tb.Helper()
	now := time.Now()
	return forgeAt(tb, keysIn(tb, kdc.Keytab(service))[0], now)
}

// keysIn reads a keytab.
func keysIn(tb testing.TB, path string) []keytab.Entry {
	tb.Helper()
	kt, _, err := keytab.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return kt.Entries
}

func newKey(tb testing.TB, id int32, value []byte) *etype.Key {
	tb.Helper()
	key, err := etype.NewKey(etype.ID(id), value)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// fixedKey is a key that is the same in each run.
func fixedKey(tb testing.TB, id etype.ID, b byte) *etype.Key {
	value := make([]byte, id.KeySize())
	for i := range value {
		value[i] = b + byte(i)
	}
	return newKey(tb, int32(id), value)
}

func forgeAt(tb testing.TB, e keytab.Entry, now time.Time) *forgery {
	tb.Helper()
	now = now.UTC().Truncate(time.Microsecond)
	session := fixedKey(tb, etype.ID(e.KeyType), 1)
	alice := principal.New("KRB.TEST", "alice")
	f := &forgery{
		tb: tb, oid: gss.MechKRB5, id: "\x01\x00", options: krbmsg.APMutualRequired,
		server: e.Principal, kvno: e.KVNO, key: newKey(tb, e.KeyType, e.Key), session: session,
		part: krbmsg.EncTicketPart{
			Flags: krbmsg.FlagPreAuth, Client: alice,
			Key:           krbmsg.EncryptionKey{Type: int32(session.Type()), Value: session.Bytes()},
			TransitedType: krbmsg.TransitedX500,
			AuthTime:      now.Truncate(time.Second), EndTime: now.Truncate(time.Second).Add(time.Hour),
		},
		auth: krbmsg.Authenticator{Client: alice, Time: now, HasSeq: true, SeqNumber: 1000},
	}
	f.setChecksum(gss.FlagMutual|gss.FlagIntegrity, nil)
	return f
}

// setChecksum makes the checksum of RFC 4121, section 4.1.1. With FlagDelegate
// it has the KRB-CRED.
func (f *forgery) setChecksum(flags gss.Flags, cred []byte) {
	sum := binary.LittleEndian.AppendUint32(nil, 16)
	sum = append(sum, make([]byte, 16)...)
	sum = binary.LittleEndian.AppendUint32(sum, uint32(flags))
	if cred != nil {
		sum = binary.LittleEndian.AppendUint16(sum, 1)
		sum = binary.LittleEndian.AppendUint16(sum, uint16(len(cred)))
		sum = append(sum, cred...)
	}
	f.auth.Checksum = krbmsg.Checksum{Type: krbmsg.ChecksumGSSAPI, Sum: sum}
}

func (f *forgery) encrypt(key *etype.Key, usage uint32, plain []byte) krbmsg.EncryptedData {
	f.tb.Helper()
	cipher, err := key.AppendEncrypt(nil, usage, plain)
	if err != nil {
		f.tb.Fatal(err)
	}
	return krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher}
}

// ticket makes the ticket alone.
func (f *forgery) ticket() krbmsg.Ticket {
	f.tb.Helper()
	enc := f.encrypt(f.key, krbmsg.UsageTicket, f.part.Append(nil))
	enc.KVNO = f.kvno
	return krbmsg.Ticket{Server: f.server, Enc: enc}
}

// token makes the whole.
func (f *forgery) token() []byte {
	f.tb.Helper()
	req := krbmsg.APReq{
		Options: f.options, Ticket: f.ticket(),
		Authenticator: f.encrypt(f.session, krbmsg.UsageAPReqAuthenticator, f.auth.Append(nil)),
	}
	return spnego.AppendInitialToken(nil, f.oid, req.Append([]byte(f.id)))
}

// ccache writes a credential cache of the ticket's client with the ticket.
func (f *forgery) ccache() string {
	f.tb.Helper()
	ticket := f.ticket()
	c := &ccache.Cache{Principal: f.part.Client, Creds: []ccache.Credential{{
		Client: f.part.Client, Server: f.server, KeyType: f.part.Key.Type, Key: f.part.Key.Value,
		AuthTime: f.part.AuthTime, StartTime: f.part.StartTime, EndTime: f.part.EndTime,
		Flags: f.part.Flags, Ticket: ticket.Append(nil),
	}}}
	path := filepath.Join(f.tb.TempDir(), "cc")
	if err := ccache.WriteFile(path, c); err != nil {
		f.tb.Fatal(err)
	}
	return path
}

// cred is a KRB-CRED with a ticket; with no key it is not encrypted.
func (f *forgery) cred(key *etype.Key, ticket krbmsg.Ticket, info krbmsg.CredInfo) []byte {
	f.tb.Helper()
	part := krbmsg.EncCredPart{Info: []krbmsg.CredInfo{info}}
	enc := krbmsg.EncryptedData{Cipher: part.Append(nil)}
	if key != nil {
		enc = f.encrypt(key, krbmsg.UsageCredPart, enc.Cipher)
	}
	msg := krbmsg.Cred{Tickets: []krbmsg.Ticket{ticket}, Enc: enc}
	return msg.Append(nil)
}
