package kdcclient_test

import (
	"errors"
	"testing"

	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// The KDC's realm answers for itself.
func TestOtherRealmsReply(t *testing.T) {
	b := newRealm(t, "B.TEST")
	for _, user := range []string{"alice", "trusting"} {
		for _, options := range []uint32{0, krbmsg.OptCanonicalize} {
			// B gets A's requests, and takes them for its own. The keys are the same.
			w := &wire{realms: map[string]*kdc.Realm{"A.TEST": b}}
			w.request = func(req []byte) []byte {
				m, err := krbmsg.ParseKDCReq(req)
				if err != nil {
					t.Error(err)
				}
				m.RawBody, m.Body.Realm = nil, "B.TEST"
				m.Body.Client.Realm, m.Body.Server = "B.TEST", principal.TGS("B.TEST", "B.TEST")
				return m.Append(nil)
			}
			r := asRequest(user)
			r.Options = options
			got, err := w.client().AS(t.Context(), r)
			if !errors.Is(err, kdcclient.ErrBadReply) || got != nil {
				t.Errorf("%s, options %x: got %v, %v", user, options, got, err)
			}
		}
	}
}

// Where the KDC may replace the client's name, it may not replace its realm.
func TestOtherRealmsClient(t *testing.T) {
	w := realmA(t)
	alter(func(rep *krbmsg.KDCRep) { rep.Client = principal.New("EVIL.TEST", "alice") })(w)
	r := asRequest("alice")
	r.Options = krbmsg.OptCanonicalize
	if got, err := w.client().AS(t.Context(), r); !errors.Is(err, kdcclient.ErrBadReply) || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
