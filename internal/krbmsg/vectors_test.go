package krbmsg

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
)

// vector is one of MIT Kerberos' reference encodings, which the test data of
// gokrb5 repeat.
type vector struct {
	name, codec, hex string
	other            bool // encoded afresh it differs, as explained
}

func testVectors() []vector {
	return []vector{
		{"authenticator", "Authenticator", testdata.MarshaledKRB5authenticator, false},
		{"authenticator, empty", "Authenticator", testdata.MarshaledKRB5authenticatorOptionalsEmpty, false},
		{"authenticator, null", "Authenticator", testdata.MarshaledKRB5authenticatorOptionalsNULL, false},
		{"ticket", "Ticket", testdata.MarshaledKRB5ticket, false},
		{"enc_tkt_part", "EncTicketPart", testdata.MarshaledKRB5enc_tkt_part, false},
		{"enc_tkt_part, null", "EncTicketPart", testdata.MarshaledKRB5enc_tkt_partOptionalsNULL, false},
		// Two entries of last-req; one is written.
		{"enc_kdc_rep_part", "EncTGSRepPart", testdata.MarshaledKRB5enc_kdc_rep_part, true},
		{"enc_kdc_rep_part, null", "EncTGSRepPart", testdata.MarshaledKRB5enc_kdc_rep_partOptionalsNULL, true},
		{"as_rep", "AS-REP", testdata.MarshaledKRB5as_rep, false},
		{"as_rep, null", "AS-REP", testdata.MarshaledKRB5as_repOptionalsNULL, false},
		{"tgs_rep", "TGS-REP", testdata.MarshaledKRB5tgs_rep, false},
		{"tgs_rep, null", "TGS-REP", testdata.MarshaledKRB5tgs_repOptionalsNULL, false},
		{"ap_req", "AP-REQ", testdata.MarshaledKRB5ap_req, false},
		{"ap_rep", "AP-REP", testdata.MarshaledKRB5ap_rep, false},
		{"ap_rep_enc_part", "EncAPRepPart", testdata.MarshaledKRB5ap_rep_enc_part, false},
		{"ap_rep_enc_part, null", "EncAPRepPart", testdata.MarshaledKRB5ap_rep_enc_partOptionalsNULL, false},
		{"as_req", "AS-REQ", testdata.MarshaledKRB5as_req, false},
		{"as_req, second ticket", "AS-REQ", testdata.MarshaledKRB5as_reqOptionalsNULLexceptsecond_ticket, false},
		{"as_req, server", "AS-REQ", testdata.MarshaledKRB5as_reqOptionalsNULLexceptserver, false},
		{"tgs_req", "TGS-REQ", testdata.MarshaledKRB5tgs_req, false},
		{"tgs_req, second ticket", "TGS-REQ", testdata.MarshaledKRB5tgs_reqOptionalsNULLexceptsecond_ticket, false},
		{"tgs_req, server", "TGS-REQ", testdata.MarshaledKRB5tgs_reqOptionalsNULLexceptserver, false},
		{"cred", "KRB-CRED", testdata.MarshaledKRB5cred, false},
		// A nonce, a time and addresses, which are not kept.
		{"enc_cred_part", "EncKrbCredPart", testdata.MarshaledKRB5enc_cred_part, true},
		{"enc_cred_part, null", "EncKrbCredPart", testdata.MarshaledKRB5enc_cred_partOptionalsNULL, false},
		{"error", "KRB-ERROR", testdata.MarshaledKRB5error, false},
		// Microseconds without a time.
		{"error, null", "KRB-ERROR", testdata.MarshaledKRB5errorOptionalsNULL, true},
		{"authorization_data", "AuthorizationData", testdata.MarshaledKRB5authorization_data, false},
		{"typed_data", "AuthorizationData", testdata.MarshaledKRB5typed_data, false},
		{"padata_sequence", "METHOD-DATA", testdata.MarshaledKRB5padata_sequence, false},
		{"padata_sequence, empty", "METHOD-DATA", testdata.MarshaledKRB5padataSequenceEmpty, false},
		{"etype_info2", "PA-ETYPE-INFO2", testdata.MarshaledKRB5etype_info2, false},
		{"etype_info2, one", "PA-ETYPE-INFO2", testdata.MarshaledKRB5etype_info2Only1, false},
		{"pa_enc_ts", "PA-ENC-TS-ENC", testdata.MarshaledKRB5pa_enc_ts, false},
		// Microseconds are always written.
		{"pa_enc_ts, no microseconds", "PA-ENC-TS-ENC", testdata.MarshaledKRB5pa_enc_tsNoUsec, true},
		{"enc_data", "EncryptedData", testdata.MarshaledKRB5enc_data, false},
		// Key versions that MIT writes as signed numbers.
		{"enc_data, large kvno", "EncryptedData", testdata.MarshaledKRB5enc_dataMSBSetkvno, true},
		{"enc_data, kvno -1", "EncryptedData", testdata.MarshaledKRB5enc_dataKVNONegOne, true},
		{"pa_for_user", "PA-FOR-USER", testdata.MarshaledKRB5pa_for_user, false},
		{"pa_s4u_x509_user", "PA-S4U-X509-USER", testdata.MarshaledKRB5pa_s4u_x509_user, false},
	}
}

func (v vector) bytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := hex.DecodeString(v.hex)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestVectorsEncodeAsTheyWere(t *testing.T) {
	for _, v := range testVectors() {
		c := testCodec(t, v.codec)
		b := v.bytes(t)
		m, err := c.parse(b)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if got := c.encode(m); bytes.Equal(got, b) == v.other {
			t.Errorf("%s: encoded again it is\n%x, from\n%x", v.name, got, b)
		}
	}
}

// What MIT put into its vectors.
var (
	vectorTime   = time.Date(1994, 6, 10, 6, 3, 17, 0, time.UTC)
	vectorClient = principal.Name{Type: 1, Realm: "ATHENA.MIT.EDU", Components: []string{"hftsai", "extra"}}
	vectorKey    = EncryptionKey{Type: 1, Value: []byte("12345678")}
	vectorSum    = Checksum{Type: 1, Sum: []byte("1234")}
	vectorEnc    = EncryptedData{EType: 0, KVNO: 5, Cipher: []byte("krbASN.1 test message")}
	vectorAddrs  = slices.Repeat([]TypedData{{Type: 2, Data: []byte{18, 208, 0, 35}}}, 2)
	vectorData   = slices.Repeat([]TypedData{{Type: 1, Data: []byte("foobar")}}, 2)
	vectorPA     = slices.Repeat([]PAData{{Type: 13, Value: []byte("pa-data")}}, 2)
	vectorTicket = Ticket{Server: vectorClient, Enc: vectorEnc}
)

const (
	vectorMicros = 123456 * time.Microsecond
	vectorFlags  = 0xfedcba98
)

func TestVectorsMeanWhatMITMeant(t *testing.T) {
	body := KDCReqBody{
		Options: 0xfedcba90, Client: vectorClient, Realm: vectorClient.Realm, Server: vectorClient,
		From: vectorTime, Till: vectorTime, RenewTill: vectorTime, Nonce: 42, ETypes: []int32{0, 1},
		Addresses: vectorAddrs, AuthData: &vectorEnc, AddTickets: []Ticket{vectorTicket, vectorTicket},
	}
	info := CredInfo{
		Key: vectorKey, Client: vectorClient, Flags: vectorFlags, AuthTime: vectorTime, StartTime: vectorTime,
		EndTime: vectorTime, RenewTill: vectorTime, Server: vectorClient, Addresses: vectorAddrs,
	}
	want := map[string]any{
		"authenticator": Authenticator{
			Client: vectorClient, Checksum: vectorSum, Time: vectorTime.Add(vectorMicros), Subkey: vectorKey,
			HasSeq: true, SeqNumber: 17, AuthData: vectorData,
		},
		"authenticator, null": Authenticator{Client: vectorClient, Time: vectorTime.Add(vectorMicros)},
		"ticket":              vectorTicket,
		"enc_tkt_part": EncTicketPart{
			Flags: vectorFlags, Key: vectorKey, Client: vectorClient, TransitedType: 1,
			Transited: []byte("EDU,MIT.,ATHENA.,WASHINGTON.EDU,CS."), AuthTime: vectorTime, StartTime: vectorTime,
			EndTime: vectorTime, RenewTill: vectorTime, Addresses: vectorAddrs, AuthData: vectorData,
		},
		"enc_kdc_rep_part": EncKDCRepPart{
			Key: vectorKey, LastReq: vectorTime, Nonce: 42, KeyExpiration: vectorTime, Flags: vectorFlags,
			AuthTime: vectorTime, StartTime: vectorTime, EndTime: vectorTime, RenewTill: vectorTime,
			Server: vectorClient, Addresses: vectorAddrs,
		},
		"as_rep":          KDCRep{Type: TypeASRep, PAData: vectorPA, Client: vectorClient, Ticket: vectorTicket, Enc: vectorEnc},
		"tgs_rep":         KDCRep{Type: TypeTGSRep, PAData: vectorPA, Client: vectorClient, Ticket: vectorTicket, Enc: vectorEnc},
		"ap_req":          APReq{Options: vectorFlags, Ticket: vectorTicket, Authenticator: vectorEnc},
		"ap_rep":          APRep{Enc: vectorEnc},
		"ap_rep_enc_part": EncAPRepPart{Time: vectorTime.Add(vectorMicros), Subkey: vectorKey, HasSeq: true, SeqNumber: 17},
		"as_req":          KDCReq{Type: TypeASReq, PAData: vectorPA, Body: body},
		"tgs_req":         KDCReq{Type: TypeTGSReq, PAData: vectorPA, Body: body},
		"cred":            Cred{Tickets: []Ticket{vectorTicket, vectorTicket}, Enc: vectorEnc},
		"enc_cred_part":   EncCredPart{Info: []CredInfo{info, info}},
		"enc_cred_part, null": EncCredPart{Info: []CredInfo{
			{Key: vectorKey}, info,
		}},
		"error": &KRBError{
			ClientTime: vectorTime.Add(vectorMicros), ServerTime: vectorTime.Add(vectorMicros), Code: ErrGeneric,
			Client: vectorClient, Server: vectorClient, Text: "krb5data", Data: []byte("krb5data"),
		},
		"error, null": &KRBError{ServerTime: vectorTime.Add(vectorMicros), Code: ErrGeneric, Server: vectorClient},
		"etype_info2": []ETypeInfo2{
			{EType: 0, HasSalt: true, Salt: "Morton's #0", Params: []byte("s2k: 0")},
			{EType: 1, Params: []byte("s2k: 1")},
			{EType: 2, HasSalt: true, Salt: "Morton's #2", Params: []byte("s2k: 2")},
		},
		"pa_enc_ts":                  vectorTime.Add(vectorMicros),
		"pa_enc_ts, no microseconds": vectorTime,
		"enc_data, large kvno":       EncryptedData{KVNO: 0xff000000, Cipher: vectorEnc.Cipher},
		"enc_data, kvno -1":          EncryptedData{KVNO: 0xffffffff, Cipher: vectorEnc.Cipher},
		"pa_for_user":                ForUser{User: vectorClient, Checksum: vectorSum, Package: "krb5data"},
		"pa_s4u_x509_user": S4UX509User{
			ID: S4UUserID{
				Nonce: 13243546, User: vectorClient, Certificate: []byte("pa_s4u_x509_user"), Options: 1 << 31, HasOptions: true,
			},
			Checksum: vectorSum,
		},
	}
	for _, v := range testVectors() {
		w, ok := want[v.name]
		if !ok {
			continue
		}
		delete(want, v.name)
		got, err := testCodec(t, v.codec).parse(v.bytes(t))
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
		} else if got = withoutRaw(got); !reflect.DeepEqual(got, w) {
			t.Errorf("%s is read as\n%#v, want\n%#v", v.name, got, w)
		}
	}
	for name := range want {
		t.Errorf("no vector %q", name)
	}
}
