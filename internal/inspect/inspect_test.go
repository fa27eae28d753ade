package inspect_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/inspect"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

const aes256 = int32(etype.AES256SHA1)

// secret stands for ciphertext, which no description may show.
var secret = []byte("the quick brown fox")

var web = krbmsg.Ticket{
	Server: principal.Service("X.TEST", "HTTP", "web.x.test"),
	Enc:    krbmsg.EncryptedData{EType: aes256, KVNO: 3, Cipher: secret},
}

func apReq(id string, options uint32) []byte {
	m := krbmsg.APReq{Options: options, Ticket: web, Authenticator: krbmsg.EncryptedData{EType: aes256, Cipher: secret}}
	return spnego.AppendInitialToken(nil, gss.MechKRB5, m.Append([]byte(id)))
}

func apRep() []byte {
	m := krbmsg.APRep{Enc: krbmsg.EncryptedData{EType: aes256, Cipher: secret}}
	return spnego.AppendInitialToken(nil, gss.MechKRB5, m.Append([]byte("\x02\x00")))
}

func negInit(t *spnego.NegTokenInit) []byte { return t.Append(nil) }

func negResp(t *spnego.NegTokenResp) []byte { return t.Append(nil) }

func krbErr(e *krbmsg.KRBError) []byte { return e.Append(nil) }

func TestToken(t *testing.T) {
	tests := []struct {
		name  string
		token []byte
		want  string
	}{
		{"init", negInit(&spnego.NegTokenInit{
			MechTypes: []gss.OID{gss.MechKRB5, gss.MechNTLM}, MechToken: apReq("\x01\x00", krbmsg.APMutualRequired), MechListMIC: secret,
		}), `
SPNEGO NegTokenInit, 235 octets
  offers krb5, NTLM
  krb5 AP-REQ, 146 octets: the server shall prove its identity
    ticket for HTTP/web.x.test@X.TEST: aes256-cts-hmac-sha1-96, key version 3, 19 octets
    authenticator: aes256-cts-hmac-sha1-96, 19 octets
  mechListMIC, 19 octets`},
		{"init without token", negInit(&spnego.NegTokenInit{MechTypes: []gss.OID{gss.MechKRB5}}), `
SPNEGO NegTokenInit, 29 octets
  offers krb5`},
		{"resp", negResp(&spnego.NegTokenResp{HasState: true, State: spnego.StateAcceptCompleted, SupportedMech: gss.MechKRB5, ResponseToken: apRep()}), `
SPNEGO NegTokenResp, 87 octets: accept-completed
  picks krb5
  krb5 AP-REP, 46 octets
    proof: aes256-cts-hmac-sha1-96, 19 octets`},
		{"raw krb5", apReq("\x01\x00", 0), `
krb5 AP-REQ, 146 octets
  ticket for HTTP/web.x.test@X.TEST: aes256-cts-hmac-sha1-96, key version 3, 19 octets
  authenticator: aes256-cts-hmac-sha1-96, 19 octets`},
		{"krb5 of another kind", apReq("\x04\x04", 0), `
krb5 token with the identifier 0404, 162 octets`},
		{"krb5 cut", spnego.AppendInitialToken(nil, gss.MechKRB5, []byte{1}), `
krb5 token, 14 octets, without an identifier`},
		{"krb5 malformed", spnego.AppendInitialToken(nil, gss.MechKRB5, []byte("\x01\x00nonsense")), `
krb5 AP-REQ, 8 octets, malformed: *`},
		{"krb5 refusal", spnego.AppendInitialToken(nil, gss.MechKRB5, (&krbmsg.KRBError{
			Code: krbmsg.ErrModified, ServerTime: time.Unix(0, 0), Server: web.Server,
		}).Append([]byte("\x03\x00"))), `
krb5 KRB-ERROR, 84 octets
  * (KRB_AP_ERR_MODIFIED)`},
		{"another mechanism", spnego.AppendInitialToken(nil, "\x2a\x03", secret), `
token of mechanism 1.2.3, 25 octets`},
		{"NTLM", append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), secret...), `
NTLM NEGOTIATE message, 31 octets`},
		{"NTLM cut", []byte("NTLMSSP\x00"), `
NTLM message, 8 octets`},
		{"nothing", nil, `
0 octets that are no token of SPNEGO, krb5 or NTLM`},
		{"garbage", secret, `
19 octets that are no token of SPNEGO, krb5 or NTLM`},
	}
	for _, test := range tests {
		check(t, test.name, inspect.Token(test.token), test.want)
	}
}

func TestMessage(t *testing.T) {
	alice := principal.New("X.TEST", "alice")
	tgs := principal.TGS("X.TEST", "X.TEST")
	tgt := krbmsg.Ticket{Server: tgs, Enc: krbmsg.EncryptedData{EType: aes256, KVNO: 1, Cipher: secret}}
	sealed := krbmsg.EncryptedData{EType: aes256, KVNO: 2, Cipher: secret}
	ap := krbmsg.APReq{Ticket: tgt, Authenticator: krbmsg.EncryptedData{EType: aes256, Cipher: secret}}
	asReq := krbmsg.KDCReqBody{Options: krbmsg.OptForwardable | krbmsg.OptRenewableOK, Client: alice, Realm: "X.TEST", Server: tgs, ETypes: []int32{aes256, 23}}
	tgsReq := krbmsg.KDCReqBody{Realm: "X.TEST", Server: web.Server, ETypes: []int32{aes256}}
	tests := []struct {
		name    string
		message []byte
		want    string
	}{
		{"AS-REQ", (&krbmsg.KDCReq{Type: krbmsg.TypeASReq, Body: asReq}).Append(nil), `
AS-REQ, * octets
  alice@X.TEST asks for krbtgt/X.TEST@X.TEST
  no pre-authentication
  encryption types: aes256-cts-hmac-sha1-96, arcfour-hmac
  options: forwardable, renewable-ok`},
		{"AS-REQ with a timestamp", (&krbmsg.KDCReq{
			Type: krbmsg.TypeASReq, Body: asReq,
			PAData: []krbmsg.PAData{{Type: krbmsg.PAEncTimestamp, Value: krbmsg.AppendEncryptedData(nil, sealed)}},
		}).Append(nil), `
AS-REQ, * octets
  alice@X.TEST asks for krbtgt/X.TEST@X.TEST
  pre-authentication by timestamp: aes256-cts-hmac-sha1-96, key version 2, 19 octets
  encryption types: aes256-cts-hmac-sha1-96, arcfour-hmac
  options: forwardable, renewable-ok`},
		{"TGS-REQ", (&krbmsg.KDCReq{
			Type: krbmsg.TypeTGSReq, Body: tgsReq,
			PAData: []krbmsg.PAData{{Type: krbmsg.PATGSReq, Value: ap.Append(nil)}},
		}).Append(nil), `
TGS-REQ, * octets
  asks for HTTP/web.x.test@X.TEST
  AP-REQ, * octets
    ticket for krbtgt/X.TEST@X.TEST: aes256-cts-hmac-sha1-96, key version 1, 19 octets
    authenticator: aes256-cts-hmac-sha1-96, 19 octets
  encryption types: aes256-cts-hmac-sha1-96`},
		{"AS-REP", (&krbmsg.KDCRep{Type: krbmsg.TypeASRep, Client: alice, Ticket: tgt, Enc: sealed}).Append(nil), `
AS-REP, * octets
  for alice@X.TEST
  ticket for krbtgt/X.TEST@X.TEST: aes256-cts-hmac-sha1-96, key version 1, 19 octets
  session key and lifetime: aes256-cts-hmac-sha1-96, key version 2, 19 octets`},
		{"TGS-REP", (&krbmsg.KDCRep{Type: krbmsg.TypeTGSRep, Client: alice, Ticket: web, Enc: sealed}).Append(nil), `
TGS-REP, * octets
  for alice@X.TEST
  ticket for HTTP/web.x.test@X.TEST: aes256-cts-hmac-sha1-96, key version 3, 19 octets
  session key and lifetime: aes256-cts-hmac-sha1-96, key version 2, 19 octets`},
		{"demand for pre-authentication", krbErr(&krbmsg.KRBError{
			Code: krbmsg.ErrPreauthRequired, ServerTime: time.Unix(0, 0), Server: tgs,
			Data: krbmsg.AppendMethodData(nil, []krbmsg.PAData{{Type: krbmsg.PAETypeInfo2, Value: krbmsg.AppendETypeInfo2(nil, []krbmsg.ETypeInfo2{
				{EType: aes256, HasSalt: true, Salt: "X.TESTalice", Params: []byte{0, 0, 0x10, 0}},
				{EType: 23},
			})}}),
		}), `
KRB-ERROR, * octets
  * (KDC_ERR_PREAUTH_REQUIRED)
  key of the password: aes256-cts-hmac-sha1-96, salt "X.TESTalice", 4096 iterations
  key of the password: arcfour-hmac`},
		{"nothing", nil, `
nothing`},
		{"garbage", secret, `
19 octets that are no message of a KDC`},
		{"cut", []byte{0x6a, 0x03, 1, 2, 3}, `
AS-REQ, 5 octets, malformed: *`},
	}
	for _, test := range tests {
		check(t, test.name, inspect.Message(test.message), test.want)
	}
}

// check compares a description with one in which a star stands for anything.
func check(t *testing.T, name string, n inspect.Node, want string) {
	t.Helper()
	got, lines := n.Lines(), strings.Split(strings.TrimPrefix(want, "\n"), "\n")
	ok := len(got) == len(lines)
	for i := 0; ok && i < len(lines); i++ {
		ok = matches(got[i], lines[i])
	}
	if !ok {
		t.Errorf("%s: got\n%s\nwant%s", name, n, want)
	}
	if text := n.String(); strings.Contains(text, string(secret)) || strings.Contains(text, hex.EncodeToString(secret)) {
		t.Errorf("%s: the description shows ciphertext:\n%s", name, text)
	}
}

func matches(s, pattern string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

// TestBounds are tokens that would make a careless reader write much.
func TestBounds(t *testing.T) {
	many := make([]gss.OID, 1000)
	for i := range many {
		many[i] = gss.MechKRB5
	}
	if text := inspect.Token(negInit(&spnego.NegTokenInit{MechTypes: many})).String(); len(text) > 500 {
		t.Errorf("a thousand mechanisms give %d octets of text", len(text))
	}
	nested := apRep()
	for range 100 {
		nested = negResp(&spnego.NegTokenResp{HasState: true, ResponseToken: nested})
	}
	if n := len(inspect.Token(nested).Lines()); n > 10 {
		t.Errorf("a hundred nested tokens give %d lines", n)
	}
}
