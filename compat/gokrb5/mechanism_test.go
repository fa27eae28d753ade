package spnego

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	gokrb5 "github.com/jcmturner/gokrb5/v8/spnego"
)

// mechanism is what SPNEGO and the original's have in common.
type mechanism interface {
	OID() asn1.ObjectIdentifier
	AcquireCred() error
	InitSecContext() (gssapi.ContextToken, error)
	AcceptSecContext(gssapi.ContextToken) (bool, context.Context, gssapi.Status)
	Log(format string, v ...any)
}

var (
	_ mechanism = (*SPNEGO)(nil)
	_ mechanism = (*gokrb5.SPNEGO)(nil)
)

// TestMechanism has both sides of both libraries meet.
func TestMechanism(t *testing.T) {
	kdc := newRealm(t)
	kt := loadKeytab(t, kdc, spn)
	cl := clientOf(t, kdc, "alice")
	for clientName, initiator := range map[string]mechanism{"ours": SPNEGOClient(cl, spn), "original": gokrb5.SPNEGOClient(cl, spn)} {
		for serviceName, acceptor := range map[string]mechanism{"ours": SPNEGOService(kt), "original": gokrb5.SPNEGOService(kt)} {
			t.Run(clientName+" to "+serviceName, func(t *testing.T) {
				if err := initiator.AcquireCred(); err != nil {
					t.Fatal(err)
				}
				made, err := initiator.InitSecContext()
				if err != nil {
					t.Fatal(err)
				}
				b, err := made.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				got := &SPNEGOToken{}
				if err := got.Unmarshal(b); err != nil {
					t.Fatal(err)
				}
				ok, ctx, status := acceptor.AcceptSecContext(got)
				if !ok || status.Code != gssapi.StatusComplete {
					t.Fatalf("%t, %v; want true, complete", ok, status)
				}
				creds, _ := ctx.Value("github.com/jcmturner/gokrb5/v8/ctxCredentials").(*credentials.Credentials)
				if creds == nil || creds.UserName() != "alice" || creds.Domain() != "KRB.TEST" || !creds.Authenticated() {
					t.Errorf("the context has %v, want alice", creds)
				}
				if !initiator.OID().Equal(gokrb5.SPNEGOClient(cl, spn).OID()) {
					t.Errorf("OID is %v", initiator.OID())
				}
			})
		}
	}
}

func TestMechanismRefuses(t *testing.T) {
	kdc := newRealm(t)
	s := SPNEGOService(loadKeytab(t, kdc, spn))
	stranger, err := SPNEGOClient(clientOf(t, newRealm(t), "alice"), spn).InitSecContext()
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]gssapi.ContextToken{
		"no mechanisms, at which the original panics": &SPNEGOToken{Init: true},
		"a response":       &SPNEGOToken{Resp: true},
		"nothing":          &SPNEGOToken{},
		"nil":              (*SPNEGOToken)(nil),
		"another type":     &KRB5Token{},
		"another realm's":  stranger,
		"no token at all ": nil,
	} {
		ok, ctx, status := s.AcceptSecContext(token)
		if ok || ctx != nil || status.Code == gssapi.StatusComplete || status.Message == "" {
			t.Errorf("%s: %t, %v, %v; want a refusal with a reason", name, ok, ctx, status)
		}
	}
}

// TestMechanismOfOtherSide asks a side for what only the other does.
func TestMechanismOfOtherSide(t *testing.T) {
	kdc := newRealm(t)
	service := SPNEGOService(loadKeytab(t, kdc, spn))
	if err := service.AcquireCred(); err == nil {
		t.Error("a service logs in")
	}
	if _, err := service.InitSecContext(); err == nil {
		t.Error("a service initiates")
	}
	client := SPNEGOClient(clientOf(t, kdc, "alice"), spn)
	if ok, _, status := client.AcceptSecContext(&SPNEGOToken{}); ok || status.Code == gssapi.StatusComplete {
		t.Error("a client accepts")
	}
	client.Log("nobody %s", "listens")
}

// TestUnmarshalNegToken takes what the original makes, and neither panics nor
// takes long over anything else.
func TestUnmarshalNegToken(t *testing.T) {
	kdc := newRealm(t)
	cl := clientOf(t, kdc, "alice")
	tkt, key, err := cl.GetServiceTicket(spn)
	if err != nil {
		t.Fatal(err)
	}
	made, err := NewNegTokenInitKRB5(cl, tkt, key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := made.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	isInit, token, err := UnmarshalNegToken(b)
	if got, ok := token.(NegTokenInit); err != nil || !isInit || !ok || len(got.MechTypes) == 0 {
		t.Errorf("%t, %T, %v; want a NegTokenInit", isInit, token, err)
	}
	resp, err := hex.DecodeString("a1143012a0030a0100a10b06092a864886f712010202")
	if err != nil {
		t.Fatal(err)
	}
	isInit, token, err = UnmarshalNegToken(resp)
	if got, ok := token.(NegTokenResp); err != nil || isInit || !ok || got.State() != NegStateAcceptCompleted {
		t.Errorf("%t, %T, %v; want a NegTokenResp that accepts", isInit, token, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "garbage": []byte("garbage"), "half": b[:len(b)/2], "huge": []byte(strings.Repeat("\xa0", maxToken+1)),
	} {
		if _, _, err := UnmarshalNegToken(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKRB5Token(t *testing.T) {
	kdc := newRealm(t)
	cl := clientOf(t, kdc, "alice")
	tkt, key, err := cl.GetServiceTicket(spn)
	if err != nil {
		t.Fatal(err)
	}
	token, err := NewKRB5TokenAPREQ(cl, tkt, key, []int{gssapi.ContextFlagInteg}, nil)
	if err != nil || !token.IsAPReq() {
		t.Errorf("%v, is an AP-REQ: %t", err, token.IsAPReq())
	}
}
