package inspect_test

import (
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/inspect"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// checkLength holds the length of a description against that of what it
// describes.
func checkLength(t *testing.T, n inspect.Node, b []byte) {
	if text := n.String(); len(text) > 4096+20*len(b) {
		t.Errorf("%d octets give %d octets of text", len(b), len(text))
	}
}

func FuzzToken(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(apReq("\x01\x00", krbmsg.APMutualRequired))
	f.Add(apRep())
	f.Add(negInit(&spnego.NegTokenInit{MechTypes: []gss.OID{gss.MechKRB5, gss.MechNTLM}, MechToken: apReq("\x01\x00", 0)}))
	f.Add(negResp(&spnego.NegTokenResp{HasState: true, ResponseToken: apRep()}))
	f.Add([]byte("NTLMSSP\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { checkLength(t, inspect.Token(b), b) })
}

func FuzzMessage(f *testing.F) {
	tgs := principal.TGS("X.TEST", "X.TEST")
	f.Add([]byte(nil))
	f.Add((&krbmsg.KDCReq{Type: krbmsg.TypeASReq, Body: krbmsg.KDCReqBody{
		Options: krbmsg.OptForwardable, Client: principal.New("X.TEST", "alice"), Realm: "X.TEST", Server: tgs, ETypes: []int32{18},
	}}).Append(nil))
	f.Add((&krbmsg.KDCRep{Type: krbmsg.TypeTGSRep, Client: principal.New("X.TEST", "alice"), Ticket: web, Enc: web.Enc}).Append(nil))
	f.Add(krbErr(&krbmsg.KRBError{Code: krbmsg.ErrPreauthRequired, Server: tgs}))
	f.Fuzz(func(t *testing.T, b []byte) { checkLength(t, inspect.Message(b), b) })
}
