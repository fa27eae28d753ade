package kdcclient_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

var front = principal.Service("A.TEST", "HTTP", "front.a.test")

// frontTGT adds the service front, which may go to the service of the realm in
// users' names, and logs it in.
func frontTGT(t *testing.T, w *wire) *kdcclient.Ticket {
	t.Helper()
	r := w.realms["A.TEST"]
	if err := r.Add(kdc.Entry{Name: front.Text(), Policy: kdc.Policy{OKToAuthAsDelegate: true, DelegateTo: []string{service}}}); err != nil {
		t.Fatal(err)
	}
	c, err := r.Ticket(front.Text(), kdc.TicketOptions{Flags: krbmsg.FlagForwardable})
	if err != nil {
		t.Fatal(err)
	}
	key, err := etype.NewKey(etype.ID(c.KeyType), c.Key)
	if err != nil {
		t.Fatal(err)
	}
	return &kdcclient.Ticket{Client: c.Client, Server: c.Server, Raw: c.Ticket, Key: key, Flags: c.Flags, AuthTime: c.AuthTime, EndTime: c.EndTime}
}

func selfRequest(tgt *kdcclient.Ticket) kdcclient.TGSRequest {
	return kdcclient.TGSRequest{TGT: tgt, Server: front, ETypes: allTypes, Options: krbmsg.OptForwardable | krbmsg.OptCanonicalize}
}

func TestS4U(t *testing.T) {
	for _, id := range []etype.ID{etype.AES256SHA1, etype.AES128SHA2, etype.RC4HMAC} {
		w := realmA(t, id)
		tgt := frontTGT(t, w)
		alice := principal.New("A.TEST", "alice")
		self := selfRequest(tgt)
		self.ETypes = []int32{int32(id)}
		evidence, err := w.client().S4U2Self(t.Context(), self, alice)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if !evidence.Client.Equal(alice) || !evidence.Server.Equal(front) {
			t.Errorf("%s: the evidence is of %s for %s", id, evidence.Client, evidence.Server)
		}
		r := kdcclient.TGSRequest{TGT: tgt, Server: principal.Service("", "HTTP", "web.a.test"), ETypes: self.ETypes}
		got, err := w.client().S4U2Proxy(t.Context(), r, evidence)
		if err != nil || !got.Client.Equal(alice) || got.Server.Text() != service {
			t.Errorf("%s: got %+v, %v", id, got, err)
		}
	}
}

// Whoever stands between cannot have the service take another's ticket for the
// user's.
func TestS4UAltered(t *testing.T) {
	changePAData := func(change func(*krbmsg.S4UX509User)) func(*wire) {
		return alter(func(rep *krbmsg.KDCRep) {
			for i := range rep.PAData {
				if rep.PAData[i].Type == krbmsg.PAS4UX509User {
					s, err := krbmsg.ParseS4UX509User(rep.PAData[i].Value)
					if err != nil {
						t.Error(err)
					}
					change(&s)
					rep.PAData[i].Value = s.Append(nil)
				}
			}
		})
	}
	for _, test := range []struct {
		name   string
		tamper func(*wire)
		text   string
	}{
		{"another user", alter(otherClient), "for mallory@A.TEST, not for alice@A.TEST"},
		{"the service", alter(func(rep *krbmsg.KDCRep) { rep.Client = front }), "does not know S4U2Self"},
		{"another nonce", changePAData(func(s *krbmsg.S4UX509User) { s.ID.Nonce++ }), "PA-S4U-X509-USER"},
		{"another name", changePAData(func(s *krbmsg.S4UX509User) { s.ID.User = principal.New("A.TEST", "mallory") }), "PA-S4U-X509-USER"},
		{"another checksum", changePAData(func(s *krbmsg.S4UX509User) { s.Checksum.Sum = make([]byte, len(s.Checksum.Sum)) }), "PA-S4U-X509-USER"},
		{"another type of checksum", changePAData(func(s *krbmsg.S4UX509User) { s.Checksum.Type = 1 }), "PA-S4U-X509-USER"},
		{"garbage", alter(func(rep *krbmsg.KDCRep) {
			for i := range rep.PAData {
				rep.PAData[i].Value = []byte("garbage")
			}
		}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := realmA(t)
			tgt := frontTGT(t, w)
			test.tamper(w)
			got, err := w.client().S4U2Self(t.Context(), selfRequest(tgt), principal.New("A.TEST", "alice"))
			if !errors.Is(err, kdcclient.ErrBadReply) || got != nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, %v, want ErrBadReply with %q", got, err, test.text)
			}
		})
	}
	// A KDC that answers PA-FOR-USER only is taken at its word.
	w := realmA(t)
	tgt := frontTGT(t, w)
	alter(func(rep *krbmsg.KDCRep) { rep.PAData = nil })(w)
	evidence, err := w.client().S4U2Self(t.Context(), selfRequest(tgt), principal.New("A.TEST", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	alter(otherClient)(w)
	r := kdcclient.TGSRequest{TGT: tgt, Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}
	if got, err := w.client().S4U2Proxy(t.Context(), r, evidence); !errors.Is(err, kdcclient.ErrBadReply) || got != nil {
		t.Errorf("got %v, %v, want ErrBadReply", got, err)
	}
}

// A user is found whatever the case of his name, as in directories, and by an
// enterprise name.
func TestS4UNames(t *testing.T) {
	w := realmA(t)
	tgt := frontTGT(t, w)
	enterprise := principal.Name{Type: principal.TypeEnterprise, Realm: "A.TEST", Components: []string{"alice@A.TEST"}}
	got, err := w.client().S4U2Self(t.Context(), selfRequest(tgt), enterprise)
	if err != nil || !got.Client.Equal(principal.New("A.TEST", "alice")) {
		t.Errorf("got %v, %v", got, err)
	}
	alter(func(rep *krbmsg.KDCRep) { rep.Client = principal.New("A.TEST", "Alice") })(w)
	if _, err := w.client().S4U2Self(t.Context(), selfRequest(tgt), principal.New("A.TEST", "alice")); err != nil {
		t.Error(err)
	}
	alter(func(rep *krbmsg.KDCRep) { rep.Client = front })(w)
	if _, err := w.client().S4U2Self(t.Context(), selfRequest(tgt), enterprise); !errors.Is(err, kdcclient.ErrBadReply) {
		t.Errorf("the service is taken for the user: %v", err)
	}
}
