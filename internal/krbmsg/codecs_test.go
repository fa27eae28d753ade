package krbmsg

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// codec is one message in a form that lets a test go over all of them.
type codec struct {
	name     string
	full     any      // a value with every field set
	optional []string // paths of its fields that may be absent
	padded   bool     // what follows the element is padding
	parse    func(b []byte) (any, error)
	encode   func(v any) []byte
}

// codecOf makes a codec out of functions of the message's own type. Its encode
// function leaves out the encodings that were read, so that it encodes afresh.
func codecOf[T any](name string, parse func([]byte) (T, error), encode func(T) []byte, full T, optional string) codec {
	return codec{
		name:     name,
		full:     full,
		optional: strings.Fields(optional),
		parse:    func(b []byte) (any, error) { return parse(b) },
		encode:   func(v any) []byte { return encode(withoutRaw(v).(T)) },
	}
}

func (c codec) withPadding() codec {
	c.padded = true
	return c
}

// Values that the messages below are made of.
var (
	testTime   = time.Date(1994, 6, 10, 6, 3, 17, 123_456_000, time.UTC)
	testSecond = testTime.Truncate(time.Second)
	testClient = principal.New("ATHENA.MIT.EDU", "hftsai", "extra")
	testServer = principal.Service("ATHENA.MIT.EDU", "HTTP", "web.example.com")
	testKey    = EncryptionKey{Type: 18, Value: []byte("12345678901234567890123456789012")}
	testEnc    = EncryptedData{EType: 18, KVNO: 5, Cipher: []byte("krbASN.1 test message")}
	testSum    = Checksum{Type: -138, Sum: []byte("1234")}
	testData   = []TypedData{{Type: 1, Data: []byte("foobar")}, {Type: -5, Data: []byte{}}}
	testPA     = []PAData{{Type: 149, Value: []byte{}}, {Type: -1, Value: []byte("pa-data")}}
	testTicket = Ticket{Server: testServer, Enc: testEnc}
	testBody   = KDCReqBody{
		Options: OptForwardable | OptCanonicalize, Client: testClient, Realm: testClient.Realm, Server: testServer,
		From: testSecond, Till: testSecond.AddDate(40, 0, 0), RenewTill: testSecond.AddDate(50, 0, 0), Nonce: 1<<32 - 1,
		ETypes: []int32{20, 18, -128}, Addresses: testData, AuthData: &testEnc, AddTickets: []Ticket{testTicket, testTicket},
	}
)

func testCodecs() []codec {
	kdcRep := func(name string, typ int) codec {
		return codecOf(name, func(b []byte) (KDCRep, error) { return ParseKDCRep(typ, b) },
			func(m KDCRep) []byte { return m.Append(nil) },
			KDCRep{Type: typ, PAData: testPA, Client: testClient, Ticket: testTicket, Enc: testEnc},
			"PAData Ticket.Enc.KVNO Enc.KVNO")
	}
	encKDCRep := func(name string, typ int) codec {
		return codecOf(name, ParseEncKDCRepPart, func(p EncKDCRepPart) []byte { return p.Append(typ, nil) },
			EncKDCRepPart{
				Key: testKey, LastReq: testSecond, Nonce: 42, KeyExpiration: testSecond, Flags: FlagInitial | FlagPreAuth,
				AuthTime: testSecond, StartTime: testSecond, EndTime: testSecond, RenewTill: testSecond,
				Server: testServer, Addresses: testData, PAData: testPA,
			}, "KeyExpiration StartTime RenewTill Addresses PAData").withPadding()
	}
	kdcReq := func(name string, typ int) codec {
		return codecOf(name, ParseKDCReq, func(m KDCReq) []byte { return m.Append(nil) },
			KDCReq{Type: typ, PAData: testPA, Body: testBody},
			"PAData Body.Client Body.Server Body.From Body.RenewTill Body.Addresses Body.AuthData Body.AddTickets")
	}
	return []codec{
		kdcReq("AS-REQ", TypeASReq),
		kdcReq("TGS-REQ", TypeTGSReq),
		kdcRep("AS-REP", TypeASRep),
		kdcRep("TGS-REP", TypeTGSRep),
		encKDCRep("EncASRepPart", TypeASRep),
		encKDCRep("EncTGSRepPart", TypeTGSRep),
		codecOf("Ticket", ParseTicket, func(m Ticket) []byte { return m.Append(nil) }, testTicket, "Enc.KVNO"),
		codecOf("EncTicketPart", ParseEncTicketPart, func(p EncTicketPart) []byte { return p.Append(nil) },
			EncTicketPart{
				Flags: FlagForwardable, Key: testKey, Client: testClient, TransitedType: 1, Transited: []byte("EDU,MIT."),
				AuthTime: testSecond, StartTime: testSecond, EndTime: testSecond, RenewTill: testSecond,
				Addresses: testData, AuthData: testData,
			}, "StartTime RenewTill Addresses AuthData").withPadding(),
		codecOf("AP-REQ", ParseAPReq, func(m APReq) []byte { return m.Append(nil) },
			APReq{Options: APMutualRequired, Ticket: testTicket, Authenticator: testEnc}, "Authenticator.KVNO"),
		codecOf("Authenticator", ParseAuthenticator, func(a Authenticator) []byte { return a.Append(nil) },
			Authenticator{
				Client: testClient, Checksum: testSum, Time: testTime, Subkey: testKey,
				HasSeq: true, SeqNumber: 1<<32 - 1, AuthData: testData,
			}, "Checksum Subkey HasSeq+SeqNumber AuthData").withPadding(),
		codecOf("AP-REP", ParseAPRep, func(m APRep) []byte { return m.Append(nil) }, APRep{Enc: testEnc}, "Enc.KVNO"),
		codecOf("EncAPRepPart", ParseEncAPRepPart, func(p EncAPRepPart) []byte { return p.Append(nil) },
			EncAPRepPart{Time: testTime, Subkey: testKey, HasSeq: true, SeqNumber: 17}, "Subkey HasSeq+SeqNumber").withPadding(),
		codecOf("KRB-CRED", ParseCred, func(m Cred) []byte { return m.Append(nil) },
			Cred{Tickets: []Ticket{testTicket, testTicket}, Enc: testEnc}, "Tickets Enc.KVNO"),
		codecOf("EncKrbCredPart", ParseEncCredPart, func(p EncCredPart) []byte { return p.Append(nil) },
			EncCredPart{Info: []CredInfo{{
				Key: testKey, Client: testClient, Flags: FlagForwarded, AuthTime: testSecond, StartTime: testSecond,
				EndTime: testSecond, RenewTill: testSecond, Server: testServer, Addresses: testData,
			}}}, "Info.0.Client Info.0.Flags Info.0.AuthTime Info.0.StartTime Info.0.EndTime Info.0.RenewTill Info.0.Server Info.0.Addresses Info").withPadding(),
		codecOf("KRB-ERROR", ParseKRBError, func(m *KRBError) []byte { return m.Append(nil) },
			&KRBError{
				ClientTime: testTime, ServerTime: testTime, Code: ErrSkew, Client: testClient, Server: testServer,
				Text: "clock skew", Data: []byte("krb5data"),
			}, "ClientTime Client Client.Components+Client.Type Text Data"),
		codecOf("METHOD-DATA", ParseMethodData, func(l []PAData) []byte { return AppendMethodData(nil, l) }, testPA, ""),
		codecOf("AuthorizationData", ParseTypedData, func(l []TypedData) []byte { return AppendTypedData(nil, l) }, testData, ""),
		codecOf("PA-ETYPE-INFO2", ParseETypeInfo2, func(l []ETypeInfo2) []byte { return AppendETypeInfo2(nil, l) },
			[]ETypeInfo2{{EType: 18, HasSalt: true, Salt: "REALMuser", Params: []byte{0, 0, 16, 0}}, {EType: 23}},
			"0.HasSalt+0.Salt 0.Params"),
		codecOf("PA-ENC-TS-ENC", ParsePAEncTSEnc, func(t time.Time) []byte { return AppendPAEncTSEnc(nil, t) }, testTime, "").withPadding(),
		codecOf("EncryptedData", ParseEncryptedData, func(e EncryptedData) []byte { return AppendEncryptedData(nil, e) }, testEnc, "KVNO"),
		codecOf("PA-FOR-USER", ParseForUser, func(u ForUser) []byte { return u.Append(nil) },
			ForUser{User: testClient, Checksum: testSum, Package: "Kerberos"}, ""),
		codecOf("PA-S4U-X509-USER", ParseS4UX509User, func(u S4UX509User) []byte { return u.Append(nil) },
			S4UX509User{
				ID: S4UUserID{
					Nonce: 13243546, User: testClient, Certificate: []byte("pa_s4u_x509_user"), Options: 1 << 29, HasOptions: true,
				},
				Checksum: testSum,
			}, "ID.User.Components+ID.User.Type ID.Certificate ID.HasOptions+ID.Options"),
		codecOf("KDC-PROXY-MESSAGE", ParseProxyMessage, func(m ProxyMessage) []byte { return m.Append(nil) },
			ProxyMessage{Message: []byte("a request"), Realm: "ATHENA.MIT.EDU"}, "Realm"),
		codecOf("PA-PAC-OPTIONS", ParsePACOptions, func(v uint32) []byte { return AppendPACOptions(nil, v) }, uint32(PACOptionsRBCD), ""),
	}
}

func testCodec(t *testing.T, name string) codec {
	t.Helper()
	for _, c := range testCodecs() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no codec of %s", name)
	return codec{}
}

// withoutRaw copies v without the encodings that a parser kept.
func withoutRaw(v any) any {
	return deepCopy(reflect.ValueOf(v), func(field string) bool {
		return field == "Raw" || field == "RawBody" || field == "RawID"
	}).Interface()
}

// deepCopy copies v, leaving out struct fields by name.
func deepCopy(v reflect.Value, leaveOut func(field string) bool) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem(), leaveOut))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepCopy(v.Index(i), leaveOut))
			}
		}
	case reflect.Struct:
		out.Set(v)
		if v.Type() == reflect.TypeFor[time.Time]() {
			break
		}
		for i := range v.NumField() {
			if leaveOut(v.Type().Field(i).Name) {
				out.Field(i).SetZero()
			} else {
				out.Field(i).Set(deepCopy(v.Field(i), leaveOut))
			}
		}
	default:
		out.Set(v)
	}
	return out
}

// without copies v with the fields at the paths zero; "A.0.B+C" are two paths.
func without(t *testing.T, v any, paths string) any {
	t.Helper()
	// A pointer, so that the fields can be set.
	box := reflect.New(reflect.TypeOf(v))
	box.Elem().Set(deepCopy(reflect.ValueOf(v), func(string) bool { return false }))
	for path := range strings.SplitSeq(paths, "+") {
		f := box.Elem()
		for step := range strings.SplitSeq(path, ".") {
			if f.Kind() == reflect.Pointer {
				f = f.Elem()
			}
			if f.Kind() == reflect.Slice {
				f = f.Index(int(step[0] - '0'))
			} else {
				f = f.FieldByName(step)
			}
		}
		if f.IsZero() {
			t.Fatalf("%s is not set in the first place", path)
		}
		f.SetZero()
	}
	return box.Elem().Interface()
}
