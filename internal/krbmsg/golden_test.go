package krbmsg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// goldenMessages are the recorded messages below testdata and their codecs.
var goldenMessages = map[string]string{
	"mit/as-req":                         "AS-REQ",
	"mit/krb-error-preauth-required":     "KRB-ERROR",
	"mit/as-req-preauth":                 "AS-REQ",
	"mit/as-rep":                         "AS-REP",
	"mit/krb-error-preauth-failed":       "KRB-ERROR",
	"mit/krb-error-unknown-service":      "KRB-ERROR",
	"mit/tgs-req":                        "TGS-REQ",
	"mit/tgs-rep":                        "TGS-REP",
	"mit/tgs-req-forward":                "TGS-REQ",
	"mit/tgs-rep-forward":                "TGS-REP",
	"mit/ap-req":                         "AP-REQ",
	"mit/ap-rep":                         "AP-REP",
	"heimdal/krb-error-preauth-required": "KRB-ERROR",
	"heimdal/as-rep":                     "AS-REP",
	"heimdal/krb-error-unknown-client":   "KRB-ERROR",
	"heimdal/krb-error-of-no-service":    "KRB-ERROR",
	"heimdal/tgs-req":                    "TGS-REQ",
	"heimdal/tgs-rep":                    "TGS-REP",
}

func golden(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)+".der"))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// What others sent is encoded, from its values alone, as they did it.
func TestGoldenMessagesEncodeAsTheyWere(t *testing.T) {
	for name, codec := range goldenMessages {
		c := testCodec(t, codec)
		b := golden(t, name)
		m, err := c.parse(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := c.encode(m); !bytes.Equal(got, b) {
			t.Errorf("%s is encoded as\n%x, not\n%x", name, got, b)
		}
	}
}

// session follows the recorded session, from one key to the next.
type session struct {
	t              *testing.T
	client, server principal.Name
	tgs            EncKDCRepPart // what the KDC told the client at its login
	service        EncTicketPart // what it told the service
	authTime       time.Time     // of the AP-REQ's authenticator
}

// must returns v from a function that also returns an error, which ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func passwordKey(t *testing.T, password, salt string) *etype.Key {
	t.Helper()
	return must(etype.StringToKey(etype.ID(18), password, salt, nil))(t)
}

func sessionKey(t *testing.T, k EncryptionKey) *etype.Key {
	t.Helper()
	return must(etype.NewKey(etype.ID(k.Type), k.Value))(t)
}

// open decrypts what was recorded. What comes out is parsed by parse and, with
// the padding that it may have, encoded again as it was.
func open[T any](t *testing.T, codec string, key *etype.Key, usage uint32, enc EncryptedData) T {
	t.Helper()
	plain := must(key.AppendDecrypt(nil, usage, enc.Cipher))(t)
	c := testCodec(t, codec)
	v := must(c.parse(plain))(t)
	if got := c.encode(v); !bytes.HasPrefix(plain, got) && codec != "EncKrbCredPart" {
		t.Errorf("%s is encoded as\n%x, not\n%x", codec, got, plain)
	}
	return v.(T)
}

// TestGoldenSession reads the session as its three parties did: each
// decryption and each checksum proves that the octets before it were read right.
func TestGoldenSession(t *testing.T) {
	s := &session{
		t:      t,
		client: principal.New("EXAMPLE.COM", "alice"),
		server: principal.Service("EXAMPLE.COM", "HTTP", "web.example.com"),
	}
	s.preauthentication()
	s.login()
	s.ticket()
	s.apReq()
	s.apRep()
}

func (s *session) preauthentication() {
	t := s.t
	t.Helper()
	req := must(ParseKDCReq(golden(t, "mit/as-req")))(t)
	b := req.Body
	if !b.Client.Equal(s.client) || !b.Server.Equal(principal.TGS("EXAMPLE.COM", "EXAMPLE.COM")) ||
		b.Options != OptForwardable|OptRenewable || len(b.ETypes) == 0 || b.ETypes[0] != 18 {
		t.Errorf("the first request is read as %+v", b)
	}

	krbErr := must(ParseKRBError(golden(t, "mit/krb-error-preauth-required")))(t)
	if !errors.Is(krbErr, ErrPreauthRequired) || !krbErr.Client.Equal(s.client) || krbErr.Text != "NEEDED_PREAUTH" {
		t.Errorf("the demand for pre-authentication is read as %v, of %v", krbErr, krbErr.Client)
	}
	methods := must(ParseMethodData(krbErr.Data))(t)
	info, ok := FindPAData(methods, PAETypeInfo2)
	if !ok {
		t.Fatal("no PA-ETYPE-INFO2 is found")
	}
	want := []ETypeInfo2{{EType: 18, HasSalt: true, Salt: "EXAMPLE.COMalice"}}
	if got := must(ParseETypeInfo2(info))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("the salts are %v, want %v", got, want)
	}

	req = must(ParseKDCReq(golden(t, "mit/as-req-preauth")))(t)
	stamp, ok := FindPAData(req.PAData, PAEncTimestamp)
	if !ok {
		t.Fatal("no PA-ENC-TIMESTAMP is found")
	}
	enc := must(ParseEncryptedData(stamp))(t)
	at := open[time.Time](t, "PA-ENC-TS-ENC", passwordKey(t, "alice-password", "EXAMPLE.COMalice"), UsageASReqTimestamp, enc)
	if krbErr := must(ParseKRBError(golden(t, "mit/krb-error-preauth-required")))(t); at.Sub(krbErr.ServerTime).Abs() > time.Second {
		t.Errorf("the client's time is %v, the KDC's a moment before %v", at, krbErr.ServerTime)
	}
	if err := must(ParseKRBError(golden(t, "mit/krb-error-preauth-failed")))(t); !errors.Is(err, ErrPreauthFailed) {
		t.Errorf("the answer to a wrong password is read as %v", err)
	}
}

func (s *session) login() {
	t := s.t
	t.Helper()
	rep := must(ParseKDCRep(TypeASRep, golden(t, "mit/as-rep")))(t)
	if !rep.Client.Equal(s.client) || !rep.Ticket.Server.IsTGS() || rep.Ticket.Enc.KVNO == 0 {
		t.Errorf("the reply is for %v, its ticket for %v", rep.Client, rep.Ticket.Server)
	}
	s.tgs = open[EncKDCRepPart](t, "EncTGSRepPart", passwordKey(t, "alice-password", "EXAMPLE.COMalice"), UsageASRepPart, rep.Enc)
	req := must(ParseKDCReq(golden(t, "mit/as-req-preauth")))(t)
	if p := s.tgs; p.Nonce != req.Body.Nonce || !p.Server.Equal(rep.Ticket.Server) || !p.KeyExpiration.IsZero() ||
		p.Flags != FlagForwardable|FlagRenewable|FlagInitial|FlagPreAuth|FlagEncPARep ||
		!p.StartTime.IsZero() || p.EndTime.Sub(p.AuthTime) != 10*time.Hour || p.RenewTill.Sub(p.AuthTime) != 7*24*time.Hour {
		t.Errorf("the KDC tells the client %+v", p)
	}
}

func (s *session) ticket() {
	t := s.t
	t.Helper()
	key := sessionKey(t, s.tgs.Key)
	req := must(ParseKDCReq(golden(t, "mit/tgs-req")))(t)
	value, ok := FindPAData(req.PAData, PATGSReq)
	if !ok {
		t.Fatal("no PA-TGS-REQ is found")
	}
	ap := must(ParseAPReq(value))(t)
	auth := open[Authenticator](t, "Authenticator", key, UsageTGSReqAuthenticator, ap.Authenticator)
	if !auth.Client.Equal(s.client) {
		t.Errorf("the authenticator is of %v", auth.Client)
	}
	if err := key.VerifyChecksum(UsageTGSReqChecksum, req.RawBody, auth.Checksum.Sum); err != nil {
		t.Errorf("the body of the request is not what the client signed: %v", err)
	}

	rep := must(ParseKDCRep(TypeTGSRep, golden(t, "mit/tgs-rep")))(t)
	// Its encrypted part is of FAST (RFC 6113), with a key that is not known here.
	if !rep.Client.Equal(s.client) || !rep.Ticket.Server.Equal(s.server) || len(rep.PAData) != 1 || rep.PAData[0].Type != PAFXFast {
		t.Errorf("the reply is for %v, its ticket for %v, with %d elements beside", rep.Client, rep.Ticket.Server, len(rep.PAData))
	}
	krbErr := must(ParseKRBError(golden(t, "mit/krb-error-unknown-service")))(t)
	if !errors.Is(krbErr, ErrSPrincipalUnknown) ||
		!krbErr.Server.Equal(principal.Service("EXAMPLE.COM", "HTTP", "other.example.com")) {
		t.Errorf("the answer for an unknown service is read as %v, for %v", krbErr, krbErr.Server)
	}
	if strings.Contains(krbErr.Error(), "\x00") {
		t.Errorf("the error shows a C string's end: %q", krbErr.Error())
	}
}

func (s *session) apReq() {
	t := s.t
	t.Helper()
	ap := must(ParseAPReq(golden(t, "mit/ap-req")))(t)
	if ap.Options != APMutualRequired || !ap.Ticket.Server.Equal(s.server) {
		t.Errorf("the AP-REQ has the options %#x and a ticket for %v", ap.Options, ap.Ticket.Server)
	}
	rep := must(ParseKDCRep(TypeTGSRep, golden(t, "mit/tgs-rep")))(t)
	if !bytes.Equal(ap.Ticket.Raw, rep.Ticket.Raw) {
		t.Error("the ticket is not the one that the KDC issued")
	}
	webKey := passwordKey(t, "web-password", "EXAMPLE.COMHTTPweb.example.com")
	s.service = open[EncTicketPart](t, "EncTicketPart", webKey, UsageTicket, ap.Ticket.Enc)
	if p := s.service; !p.Client.Equal(s.client) || !p.AuthTime.Equal(s.tgs.AuthTime) || !p.EndTime.Equal(s.tgs.EndTime) ||
		p.Flags&(FlagForwardable|FlagInitial|FlagOKAsDelegate) != FlagForwardable|FlagOKAsDelegate || p.TransitedType != TransitedX500 {
		t.Errorf("the ticket says %+v", p)
	}
	var pac bool
	for _, d := range s.service.AuthData {
		if d.Type == ADIfRelevant {
			inner := must(ParseTypedData(d.Data))(t)
			pac = pac || len(inner) == 1 && inner[0].Type == ADWin2KPAC
		}
	}
	if !pac {
		t.Error("no PAC is found in the ticket")
	}
	auth := open[Authenticator](t, "Authenticator", sessionKey(t, s.service.Key), UsageAPReqAuthenticator, ap.Authenticator)
	if !auth.Client.Equal(s.client) || auth.Checksum.Type != ChecksumGSSAPI || !auth.HasSeq || auth.Subkey.IsZero() {
		t.Errorf("the authenticator says %+v", auth)
	}
	s.authTime = auth.Time
	s.delegation(auth)
}

// delegation reads the KRB-CRED in the checksum (RFC 4121, section 4.1.1.1).
func (s *session) delegation(auth Authenticator) {
	t := s.t
	t.Helper()
	sum := auth.Checksum.Sum
	if len(sum) < 28 || int(binary.LittleEndian.Uint16(sum[26:])) > len(sum)-28 {
		t.Fatalf("the checksum has %d octets", len(sum))
	}
	cred := must(ParseCred(sum[28 : 28+binary.LittleEndian.Uint16(sum[26:])]))(t)
	rep := must(ParseKDCRep(TypeTGSRep, golden(t, "mit/tgs-rep-forward")))(t)
	if len(cred.Tickets) != 1 || !bytes.Equal(cred.Tickets[0].Raw, rep.Ticket.Raw) {
		t.Error("the delegated ticket is not the one that the KDC issued")
	}
	if again := cred.Append(nil); !bytes.Equal(again, sum[28:28+len(again)]) {
		t.Error("the KRB-CRED is not encoded as it was")
	}
	part := open[EncCredPart](t, "EncKrbCredPart", sessionKey(t, s.service.Key), UsageCredPart, cred.Enc)
	if len(part.Info) != 1 || !part.Info[0].Client.Equal(s.client) || !part.Info[0].Server.IsTGS() ||
		part.Info[0].Flags&FlagForwarded == 0 || !part.Info[0].EndTime.Equal(s.tgs.EndTime) {
		t.Errorf("the KRB-CRED says %+v", part)
	}
}

func (s *session) apRep() {
	t := s.t
	t.Helper()
	rep := must(ParseAPRep(golden(t, "mit/ap-rep")))(t)
	part := open[EncAPRepPart](t, "EncAPRepPart", sessionKey(t, s.service.Key), UsageAPRepPart, rep.Enc)
	if !part.Time.Equal(s.authTime) || !part.HasSeq || part.Subkey.IsZero() {
		t.Errorf("the AP-REP says %+v, want the time %v", part, s.authTime)
	}
}

// TestGoldenHeimdal reads what a KDC of Heimdal answers.
func TestGoldenHeimdal(t *testing.T) {
	alice, web := principal.New("HEIM.TEST", "alice"), principal.Service("HEIM.TEST", "HTTP", "pw.heim.test")
	for name, want := range map[string]ErrorCode{
		"heimdal/krb-error-preauth-required": ErrPreauthRequired,
		"heimdal/krb-error-unknown-client":   ErrCPrincipalUnknown,
		"heimdal/krb-error-of-no-service":    ErrNotUs,
	} {
		if err := must(ParseKRBError(golden(t, name)))(t); !errors.Is(err, want) {
			t.Errorf("%s is read as %v, want %v", name, err, want)
		}
	}
	if err := must(ParseKRBError(golden(t, "heimdal/krb-error-of-no-service")))(t); len(err.Server.Components) != 0 {
		t.Errorf("the error comes from %v, want nobody", err.Server)
	}
	demand := must(ParseKRBError(golden(t, "heimdal/krb-error-preauth-required")))(t)
	if _, ok := FindPAData(must(ParseMethodData(demand.Data))(t), PAETypeInfo2); !ok {
		t.Error("no PA-ETYPE-INFO2 is found")
	}

	rep := must(ParseKDCRep(TypeASRep, golden(t, "heimdal/as-rep")))(t)
	key := passwordKey(t, "alicepw", "HEIM.TESTalice")
	tgs := open[EncKDCRepPart](t, "EncASRepPart", key, UsageASRepPart, rep.Enc)
	if !rep.Client.Equal(alice) || !tgs.Server.IsTGS() || tgs.Flags&FlagInitial == 0 {
		t.Errorf("the KDC tells %v %+v", rep.Client, tgs)
	}

	req := must(ParseKDCReq(golden(t, "heimdal/tgs-req")))(t)
	value, _ := FindPAData(req.PAData, PATGSReq)
	ap := must(ParseAPReq(value))(t)
	auth := open[Authenticator](t, "Authenticator", sessionKey(t, tgs.Key), UsageTGSReqAuthenticator, ap.Authenticator)

	rep = must(ParseKDCRep(TypeTGSRep, golden(t, "heimdal/tgs-rep")))(t)
	service := open[EncKDCRepPart](t, "EncTGSRepPart", sessionKey(t, auth.Subkey), UsageTGSRepSubkey, rep.Enc)
	if service.Nonce != req.Body.Nonce || !service.Server.Equal(web) || !service.AuthTime.Equal(tgs.AuthTime) {
		t.Errorf("the KDC tells the client %+v", service)
	}
	part := open[EncTicketPart](t, "EncTicketPart", passwordKey(t, "web-password", "HEIM.TESTHTTPpw.heim.test"), UsageTicket, rep.Ticket.Enc)
	if !part.Client.Equal(alice) || !bytes.Equal(part.Key.Value, service.Key.Value) || !part.EndTime.Equal(service.EndTime) {
		t.Errorf("the ticket says %+v", part)
	}
}
