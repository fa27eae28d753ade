package kdc

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// What of a request the fuzzer writes. What is encrypted is encrypted rightly,
// so that the fuzzer gets to what lies behind.
const (
	fuzzMessage = iota
	fuzzTimestamp
	fuzzTicket
	fuzzAuthenticator
	fuzzAuthData
	fuzzForUser
	fuzzX509User
	fuzzEvidence
	fuzzParts
)

// fuzzRealm is a realm whose keys are known, so that messages stay valid.
func fuzzRealm(t testing.TB) *Realm {
	t.Helper()
	r := newRealm(t)
	add(t, r, "alice", "secret")
	add(t, r, "HTTP/front.a.test", "secret", func(p *Policy) {
		p.OKToAuthAsDelegate, p.DelegateTo = true, []string{"HTTP/db.a.test"}
	})
	add(t, r, "HTTP/db.a.test", "secret")
	add(t, r, "krbtgt/B.TEST", "secret")
	for _, err := range []error{
		r.Rekey(r.tgs.String(), "secret"), r.Forget(r.tgs.String()), r.MapDomain("b.test", "B.TEST"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// fuzzer makes requests out of parts.
type fuzzer struct {
	r        *Realm
	tgt      held
	evidence held
	user     *etype.Key
}

func newFuzzer(t testing.TB) *fuzzer {
	t.Helper()
	z := &fuzzer{r: fuzzRealm(t)}
	z.tgt = login(t, z.r, "HTTP/front.a.test", options(krbmsg.OptForwardable|krbmsg.OptRenewable))
	z.evidence, _ = get(t, z.r, login(t, z.r, "alice", options(krbmsg.OptForwardable)), "HTTP/front.a.test", krbmsg.OptForwardable)
	z.user = z.r.lookup(z.evidence.client).current().strongest()
	return z
}

// message puts a part into an otherwise valid request.
func (z *fuzzer) message(t testing.TB, part int, data []byte) []byte {
	t.Helper()
	sealed := func(key *etype.Key, usage uint32) krbmsg.EncryptedData {
		cipher, err := key.AppendEncrypt(nil, usage, data)
		if err != nil {
			t.Fatal(err)
		}
		return krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher}
	}
	q := newTGSReq(t, z.r, z.tgt, "HTTP/front.a.test")
	switch part {
	case fuzzMessage:
		return data
	case fuzzTimestamp:
		as := asReq(z.r, "alice")
		value := krbmsg.AppendEncryptedData(nil, sealed(z.user, krbmsg.UsageASReqTimestamp))
		as.PAData = []krbmsg.PAData{{Type: krbmsg.PAEncTimestamp, Value: value}}
		return as.Append(nil)
	case fuzzTicket:
		q.with.ticket = krbmsg.Ticket{Server: z.r.tgs, Enc: sealed(z.r.lookup(z.r.tgs).current().strongest(), krbmsg.UsageTicket)}
	case fuzzAuthenticator:
		m := q.seal(t)
		ap := krbmsg.APReq{Ticket: z.tgt.ticket, Authenticator: sealed(z.tgt.key, krbmsg.UsageTGSReqAuthenticator)}
		m.PAData[0].Value = ap.Append(nil)
		return m.Append(nil)
	case fuzzAuthData:
		enc := sealed(q.subkey, krbmsg.UsageTGSReqAuthDataSub)
		q.Body.AuthData = &enc
	case fuzzForUser:
		q.PAData = []krbmsg.PAData{{Type: krbmsg.PAForUser, Value: data}}
	case fuzzX509User:
		q.PAData = []krbmsg.PAData{{Type: krbmsg.PAS4UX509User, Value: data}}
	case fuzzEvidence:
		front := z.r.lookup(z.tgt.client)
		q.Body.Server.Components = []string{"HTTP", "db.a.test"}
		q.Body.Options = krbmsg.OptCNameInAddlTkt
		q.Body.AddTickets = []krbmsg.Ticket{{Server: front.name, Enc: sealed(front.current().strongest(), krbmsg.UsageTicket)}}
	}
	return q.seal(t).Append(nil)
}

// seeds are valid parts of each kind.
func (z *fuzzer) seeds(t testing.TB) [fuzzParts][][]byte {
	t.Helper()
	tgs := func(server string, o uint32) []byte {
		q := newTGSReq(t, z.r, z.tgt, server)
		q.Body.Options = o
		return q.seal(t).Append(nil)
	}
	ticket := inside(t, z.r, z.tgt.ticket)
	foreign := ticket
	foreign.Transited = []byte(`X.TEST,\\Y\,.`)
	evidence := inside(t, z.r, z.evidence.ticket)
	withUser := newTGSReq(t, z.r, z.tgt, "HTTP/front.a.test")
	forUser(withUser, "alice")
	x := krbmsg.S4UX509User{ID: krbmsg.S4UUserID{Nonce: nonce, User: evidence.Client}, Checksum: krbmsg.Checksum{Type: 16, Sum: make([]byte, 12)}}
	return [fuzzParts][][]byte{
		fuzzMessage: {
			asReq(z.r, "alice").Append(nil),
			tgs("HTTP/db.a.test", 0), tgs("HTTP/x.b.test", krbmsg.OptCanonicalize), tgs("krbtgt/A.TEST", krbmsg.OptRenew),
			tgs("krbtgt/A.TEST", krbmsg.OptForwarded|krbmsg.OptForwardable),
		},
		fuzzTimestamp:     {krbmsg.AppendPAEncTSEnc(nil, noon)},
		fuzzTicket:        {ticket.Append(nil), foreign.Append(nil)},
		fuzzAuthenticator: {(&krbmsg.Authenticator{Client: z.tgt.client, Time: noon, Checksum: krbmsg.Checksum{Type: 16, Sum: make([]byte, 12)}}).Append(nil)},
		fuzzAuthData:      {krbmsg.AppendTypedData(nil, []krbmsg.TypedData{{Type: 1, Data: []byte("x")}})},
		fuzzForUser:       {withUser.PAData[0].Value},
		fuzzX509User:      {x.Append(nil)},
		fuzzEvidence:      {evidence.Append(nil)},
	}
}

// FuzzHandle lets the fuzzer be a client. Whatever it sends, the answer is a
// message or nothing.
func FuzzHandle(f *testing.F) {
	z := newFuzzer(f)
	for part, seeds := range z.seeds(f) {
		for _, seed := range seeds {
			f.Add(byte(part), seed)
		}
	}
	f.Fuzz(func(t *testing.T, part byte, data []byte) {
		reply := z.r.Handle(UDP, z.message(t, int(part)%fuzzParts, data))
		if len(reply) == 0 {
			return
		}
		if _, err := krbmsg.ParseKRBError(reply); err == nil {
			return
		}
		for _, typ := range []int{krbmsg.TypeASRep, krbmsg.TypeTGSRep} {
			if _, err := krbmsg.ParseKDCRep(typ, reply); err == nil {
				return
			}
		}
		t.Errorf("the answer is no message: %x", reply)
	})
}

var update = flag.Bool("update", false, "write the seeds of FuzzHandle anew")

// TestSeeds sees to it that the fuzzer begins behind the first check.
func TestSeeds(t *testing.T) {
	z := newFuzzer(t)
	for part, seeds := range z.seeds(t) {
		for i, seed := range seeds {
			want := krbmsg.ErrNone
			switch {
			case part == fuzzMessage && i == 0:
				want = krbmsg.ErrPreauthRequired
			case part == fuzzAuthenticator, part == fuzzX509User:
				want = krbmsg.ErrModified // the checksum is left to the fuzzer
			}
			reply := z.r.Handle(TCP, z.message(t, part, seed))
			got := krbmsg.ErrNone
			if e, err := krbmsg.ParseKRBError(reply); err == nil {
				got = e.Code
			}
			if got != want || reply == nil {
				t.Errorf("part %d, seed %d: %s, want %s", part, i, got.Name(), want.Name())
			}
			if *update {
				writeSeed(t, fmt.Sprintf("part%d-%d", part, i), byte(part), seed)
			}
		}
	}
}

func writeSeed(t *testing.T, name string, part byte, seed []byte) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", "FuzzHandle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("go test fuzz v1\nbyte(%q)\n[]byte(%q)\n", part, seed)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
