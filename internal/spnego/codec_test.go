package spnego

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mitTranscripts are real exchanges with MIT Kerberos 1.20.1, by name.
// "go test -tags interop -update" writes them.
func mitTranscripts(t testing.TB) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/mit/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	all := make(map[string][][]byte)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		for line := range strings.Lines(string(text)) {
			all[name] = append(all[name], unhex(t, strings.TrimSpace(line)))
		}
	}
	return all
}

// reencode parses a token of SPNEGO and encodes the result.
func reencode(tok []byte) ([]byte, error) {
	if kind, _ := Sniff(tok); kind == KindInit {
		m, err := ParseInit(tok)
		if err != nil {
			return nil, err
		}
		return m.Append(nil), nil
	}
	m, err := ParseResp(tok)
	if err != nil {
		return nil, err
	}
	return m.Append(nil), nil
}

func TestMITTranscripts(t *testing.T) {
	want := map[string]string{
		"initiator-mutual":                   "init KRB5 tok; resp accept-completed KRB5 tok",
		"initiator-one-leg":                  "init KRB5 tok; resp accept-completed KRB5",
		"initiator-dce":                      "init KRB5 tok; resp accept-incomplete KRB5 tok; resp accept-incomplete tok; resp accept-completed",
		"initiator-microsoft":                "init MSKRB5,KRB5 tok; resp accept-completed MSKRB5 tok",
		"initiator-counter-proposal":         "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic",
		"initiator-counter-proposal-one-leg": "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok mic; resp accept-completed mic",
		"initiator-counter-proposal-dce":     "init A,KRB5 tok; resp request-mic KRB5; resp accept-incomplete tok; resp accept-incomplete tok; resp accept-incomplete tok mic; resp accept-completed mic",
		"acceptor-mutual":                    "init KRB5 tok; resp accept-completed KRB5 tok",
		"acceptor-prefers-other":             "init KRB5 tok; resp request-mic KRB5 tok mic; resp accept-completed mic",
		"acceptor-prefers-other-one-leg":     "init KRB5 tok; resp request-mic KRB5 mic; resp accept-completed mic",
	}
	got := mitTranscripts(t)
	for name, toks := range got {
		if s := shapes(t, toks); s != want[name] {
			t.Errorf("%s\n got %s\nwant %s", name, s, want[name])
		}
		for n, tok := range toks {
			if again, err := reencode(tok); err != nil || !bytes.Equal(again, tok) {
				t.Errorf("%s, message %d: encoding it again gives %x, %v; want %x", name, n+1, again, err, tok)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d transcripts, want %d", len(got), len(want))
	}
}

// The ASN.1 of RFC 4178 and MS-SPNG, for the standard library's codec.
type (
	asn1Hints struct {
		Name    asn1.RawValue `asn1:"explicit,optional,tag:0"`
		Address []byte        `asn1:"explicit,optional,tag:1"`
	}
	asn1Init struct {
		MechTypes []asn1.ObjectIdentifier `asn1:"explicit,optional,tag:0"`
		ReqFlags  asn1.BitString          `asn1:"explicit,optional,tag:1"`
		Token     []byte                  `asn1:"explicit,optional,omitempty,tag:2"`
		MIC       []byte                  `asn1:"explicit,optional,omitempty,tag:3"`
	}
	asn1Init2 struct {
		MechTypes []asn1.ObjectIdentifier `asn1:"explicit,optional,tag:0"`
		ReqFlags  asn1.BitString          `asn1:"explicit,optional,tag:1"`
		Token     []byte                  `asn1:"explicit,optional,omitempty,tag:2"`
		Hints     asn1Hints               `asn1:"explicit,optional,tag:3"`
		MIC       []byte                  `asn1:"explicit,optional,omitempty,tag:4"`
	}
	asn1Resp struct {
		State asn1.Enumerated       `asn1:"explicit,optional,tag:0,default:99"`
		Mech  asn1.ObjectIdentifier `asn1:"explicit,optional,tag:1"`
		Token []byte                `asn1:"explicit,optional,omitempty,tag:2"`
		MIC   []byte                `asn1:"explicit,optional,omitempty,tag:3"`
	}
)

func mustMarshal(t testing.TB, v any, params string) []byte {
	t.Helper()
	b, err := asn1.MarshalWithParams(v, params)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oracleFrame puts a NegotiationToken in its frame with the standard library.
func oracleFrame(t testing.TB, choice []byte) []byte {
	body := append(mustMarshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}, ""), choice...)
	return mustMarshal(t, asn1.RawValue{Class: asn1.ClassApplication, Tag: 0, IsCompound: true, Bytes: body}, "")
}

// TestEncodersAgainstStandardLibrary compares with encoding/asn1 over lengths at
// which the length octets change.
func TestEncodersAgainstStandardLibrary(t *testing.T) {
	krb5 := asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	ntlm := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}
	for _, n := range []int{1, 50, 100, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 240, 250, 254, 255, 256, 257, 1100, 65400, 65530, 65535, 65536, 65537, 100000} {
		tok, mic := bytes.Repeat([]byte{0xab}, n), []byte("signature")
		init := NegTokenInit{MechTypes: []gss.OID{gss.MechKRB5, gss.MechNTLM}, MechToken: tok, MechListMIC: mic}
		want := oracleFrame(t, mustMarshal(t, asn1Init{MechTypes: []asn1.ObjectIdentifier{krb5, ntlm}, Token: tok, MIC: mic}, "explicit,tag:0"))
		if got := init.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("NegTokenInit with %d octets differs", n)
		}
		if got := init.Append([]byte("before")); string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
			t.Errorf("NegTokenInit with %d octets is not appended", n)
		}
		init.ReqFlags, init.Hint = []byte{1, 0x42}, &NegHints{Name: "x", Address: []byte("y")}
		want = oracleFrame(t, mustMarshal(t, asn1Init2{
			MechTypes: []asn1.ObjectIdentifier{krb5, ntlm}, Token: tok, MIC: mic,
			ReqFlags: asn1.BitString{Bytes: []byte{0x42}, BitLength: 7},
			Hints:    asn1Hints{Name: asn1.RawValue{FullBytes: []byte{0xa0, 3, 0x1b, 1, 'x'}}, Address: []byte("y")},
		}, "explicit,tag:0"))
		if got := init.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("NegTokenInit2 with %d octets differs:\n got %.60x\nwant %.60x", n, got, want)
		}
		resp := NegTokenResp{HasState: true, State: StateRequestMIC, SupportedMech: gss.MechKRB5, ResponseToken: tok, MechListMIC: mic}
		want = mustMarshal(t, asn1Resp{State: 3, Mech: krb5, Token: tok, MIC: mic}, "explicit,tag:1")
		if got := resp.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("NegTokenResp with %d octets differs", n)
		}
		if mech, inner, err := ParseInitialToken(AppendInitialToken(nil, gss.MechKRB5, tok)); err != nil || mech != gss.MechKRB5 || !bytes.Equal(inner, tok) {
			t.Errorf("frame with %d octets: %v", n, err)
		}
	}
}

const hintName = "not_defined_in_RFC4178@please_ignore"

// What is put in front of a token that is in its place is what Append writes there,
// and has room enough.
func TestMessageAroundItsToken(t *testing.T) {
	for _, mechs := range []int{1, 2, 60} {
		for _, n := range []int{1, 100, 127, 128, 255, 256, 65535, 65536, MaxToken} {
			init := NegTokenInit{MechTypes: slices.Repeat([]gss.OID{gss.MechKRB5}, mechs)}
			room := init.headRoom()
			buf := append(make([]byte, room), bytes.Repeat([]byte{0x5a}, n)...)
			init.MechToken = buf[room:]
			if got, want := init.complete(buf), init.Append(nil); !bytes.Equal(got, want) {
				t.Errorf("%d mechanisms and %d octets: the message is not the one of Append", mechs, n)
			}
		}
	}
}

func TestParseInit(t *testing.T) {
	tests := []struct {
		name, tok string
		want      NegTokenInit
	}{
		{"NegTokenInit2 of Windows", "604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b24" + hex.EncodeToString([]byte(hintName)),
			NegTokenInit{MechTypes: []gss.OID{gss.MechNTLM}, Hint: &NegHints{Name: hintName}}},
		{"no fields", "600c 06062b0601050502 a002 3000", NegTokenInit{}},
		{"empty list", "6010 06062b0601050502 a006 3004 a002 3000", NegTokenInit{MechTypes: []gss.OID{}}},
		{"flags", "6012 06062b0601050502 a008 3006 a104 030201a0", NegTokenInit{ReqFlags: []byte{1, 0xa0}}},
		{"MIC as [3]", "6012 06062b0601050502 a008 3006 a304 0402abcd", NegTokenInit{MechListMIC: []byte{0xab, 0xcd}}},
		{"MIC as [4]", "6012 06062b0601050502 a008 3006 a404 0402abcd", NegTokenInit{MechListMIC: []byte{0xab, 0xcd}}},
		{"hints and MIC", "6016 06062b0601050502 a00c 300a a302 3000 a404 0402abcd", NegTokenInit{Hint: &NegHints{}, MechListMIC: []byte{0xab, 0xcd}}},
		{"hints with more fields", "601a 06062b0601050502 a010 300e a30c 300a a104 04027f01 a602 3000", NegTokenInit{Hint: &NegHints{Address: []byte{0x7f, 1}}}},
		{"field of the future", "6010 06062b0601050502 a006 3004 a902 0500", NegTokenInit{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseInit(unhex(t, tt.tok))
			if err != nil {
				t.Fatal(err)
			}
			got.mechList = nil
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestParseResp(t *testing.T) {
	tests := []struct {
		name, tok string
		want      NegTokenResp
	}{
		{"no fields", "a102 3000", NegTokenResp{}},
		{"state only", "a107 3005 a003 0a0102", NegTokenResp{HasState: true, State: StateReject}},
		{"framed, as Sun did", "6011 06062b0601050502 a107 3005 a003 0a0101", NegTokenResp{HasState: true, State: StateAcceptIncomplete}},
		{"empty token", "a106 3004 a202 0400", NegTokenResp{ResponseToken: []byte{}}},
		{"token and MIC", "a10c 300a a203 0401aa a303 0401bb", NegTokenResp{ResponseToken: []byte{0xaa}, MechListMIC: []byte{0xbb}}},
		{"token repeated as MIC, as Windows 2000 did", "a10c 300a a203 0401aa a303 0401aa", NegTokenResp{ResponseToken: []byte{0xaa}}},
		{"field of the future", "a106 3004 a502 0500", NegTokenResp{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseResp(unhex(t, tt.tok))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestParsersRefuse(t *testing.T) {
	init := func(tok []byte) error { _, err := ParseInit(tok); return err }
	resp := func(tok []byte) error { _, err := ParseResp(tok); return err }
	frame := func(tok []byte) error { _, _, err := ParseInitialToken(tok); return err }
	huge := (&NegTokenResp{ResponseToken: make([]byte, MaxToken)}).Append(nil)
	many := (&NegTokenInit{MechTypes: slices.Repeat([]gss.OID{mechA}, maxMechs+1)}).Append(nil)
	longOID := AppendInitialToken(nil, gss.OID(make([]byte, maxOIDLen+1)), nil)
	var manyFields []byte
	for n := range maxFields + 1 {
		manyFields = append(manyFields, byte(0xa5+n), 0)
	}
	manyFields = appendTLV(nil, tagResp, appendTLV(nil, tagSequence, manyFields))

	tests := []struct {
		name  string
		parse func([]byte) error
		tok   []byte
		says  string
	}{
		{"nothing", init, nil, "empty"},
		{"nothing", resp, nil, "empty"},
		{"nothing", frame, nil, "empty"},
		{"too long", resp, huge, "at most"},
		{"too long", frame, AppendInitialToken(nil, mechA, huge), "at most"},
		{"too many mechanisms", init, many, "more than 64"},
		{"too many fields", resp, manyFields, "no field"},
		{"number of mechanism too long", frame, longOID, "names no mechanism"},
		{"no number of mechanism", frame, unhex(t, "6002 0600"), "names no mechanism"},
		{"cut short", frame, unhex(t, "6009 06062b0601050502"), "cut short"},
		{"octets after the token", frame, unhex(t, "6008 06062b0601050502 00"), "follow"},
		{"length not DER", frame, unhex(t, "608108 06062b0601050502"), "length"},
		{"indefinite length", frame, unhex(t, "6080 06062b0601050502 0000"), "length"},
		{"a NegTokenResp", frame, unhex(t, "a102 3000"), "begins with 0xa1"},
		{"another mechanism", init, AppendInitialToken(nil, gss.MechKRB5, nil), "krb5"},
		{"another mechanism", resp, AppendInitialToken(nil, gss.MechKRB5, nil), "krb5"},
		{"octets after the choice", init, unhex(t, "600d 06062b0601050502 a002 3000 00"), "malformed"},
		{"octets after the choice", resp, unhex(t, "a102 3000 00"), "malformed"},
		{"octets after the sequence", resp, unhex(t, "a103 3000 00"), "malformed"},
		{"field twice", resp, unhex(t, "a10c 300a a203 0401aa a203 0401bb"), "[2] appears twice"},
		{"fields out of order", resp, unhex(t, "a10c 300a a303 0401aa a203 0401bb"), "[2] follows"},
		{"field twice", init, unhex(t, "6014 06062b0601050502 a00a 3008 a002 3000 a002 3000"), "[0] appears twice"},
		{"MIC twice", init, unhex(t, "6018 06062b0601050502 a00e 300c a304 0402abcd a404 0402abcd"), "twice"},
		{"hint twice", init, unhex(t, "601c 06062b0601050502 a012 3010 a30e 300c a104 04027f01 a104 04027f01"), "twice"},
		{"field with two elements", resp, unhex(t, "a108 3006 a204 0400 0400"), "responseToken"},
		{"field without element", resp, unhex(t, "a104 3002 a200"), "responseToken"},
		{"field of another type", resp, unhex(t, "a106 3004 a202 0500"), "responseToken"},
		{"no field at all", resp, unhex(t, "a104 3002 0500"), "none of a field"},
		{"state 4", resp, unhex(t, "a107 3005 a003 0a0104"), "negState"},
		{"state 256", resp, unhex(t, "a108 3006 a004 0a020100"), "negState"},
		{"state without octets", resp, unhex(t, "a106 3004 a002 0a00"), "negState"},
		{"mechanism without number", resp, unhex(t, "a106 3004 a102 0600"), "supportedMech"},
		{"list of something else", init, unhex(t, "6012 06062b0601050502 a008 3006 a004 3002 0500"), "entry 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.parse(tt.tok)
			if !errors.Is(err, gss.ErrDefectiveToken) {
				t.Fatalf("error %v, want one with %v", err, gss.ErrDefectiveToken)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

// TestTruncated cuts real tokens short everywhere, and lengthens them.
func TestTruncated(t *testing.T) {
	for name, toks := range mitTranscripts(t) {
		for n, tok := range toks {
			for cut := range tok {
				if _, err := reencode(tok[:cut]); err == nil {
					t.Errorf("%s, message %d: the first %d of %d octets are a message", name, n+1, cut, len(tok))
				}
			}
			if _, err := reencode(append(slices.Clone(tok), 0)); err == nil {
				t.Errorf("%s, message %d: one octet more is taken", name, n+1)
			}
		}
	}
}

func TestSniff(t *testing.T) {
	init, resp := (&NegTokenInit{}).Append(nil), (&NegTokenResp{}).Append(nil)
	long := (&NegTokenInit{MechToken: make([]byte, 300)}).Append(nil)
	tests := []struct {
		name string
		tok  []byte
		kind Kind
		mech gss.OID
	}{
		{"nothing", nil, KindUnknown, ""},
		{"text", []byte("hello"), KindUnknown, ""},
		{"NegTokenInit", init, KindInit, gss.MechSPNEGO},
		{"long NegTokenInit", long, KindInit, gss.MechSPNEGO},
		{"beginning of a long NegTokenInit", long[:20], KindInit, gss.MechSPNEGO},
		{"NegTokenResp", resp, KindResp, gss.MechSPNEGO},
		{"framed NegTokenResp", AppendInitialToken(nil, gss.MechSPNEGO, resp), KindResp, gss.MechSPNEGO},
		{"SPNEGO with something else", AppendInitialToken(nil, gss.MechSPNEGO, []byte{1, 2}), KindUnknown, gss.MechSPNEGO},
		{"krb5", AppendInitialToken(nil, gss.MechKRB5, []byte{1, 0}), KindMech, gss.MechKRB5},
		{"krb5 with nothing in it", AppendInitialToken(nil, gss.MechKRB5, nil), KindMech, gss.MechKRB5},
		{"NTLM", []byte("NTLMSSP\x00\x01\x00\x00\x00"), KindNTLM, gss.MechNTLM},
		{"NTLM cut short", []byte("NTLMSSP"), KindUnknown, ""},
		{"a tag", []byte{tagFrame}, KindUnknown, ""},
		{"length of 127 octets", []byte{tagFrame, 0xff, 6}, KindUnknown, ""},
		{"number of mechanism longer than the token", []byte{tagFrame, 3, 6, 9, 1}, KindUnknown, ""},
	}
	for _, tt := range tests {
		if kind, mech := Sniff(tt.tok); kind != tt.kind || mech != tt.mech {
			t.Errorf("%s: got %v of %q, want %v of %q", tt.name, kind, mech, tt.kind, tt.mech)
		}
	}
}

func TestMechListDER(t *testing.T) {
	want := unhex(t, "3016 06092a864886f712010202 06092a864882f712010202")
	sent := &NegTokenInit{MechTypes: []gss.OID{gss.MechKRB5, gss.MechMSKRB5}}
	if got := sent.MechListDER(); !bytes.Equal(got, want) {
		t.Errorf("of the message to send: %x, want %x", got, want)
	}
	tok := sent.Append(nil)
	received, err := ParseInit(tok)
	if err != nil {
		t.Fatal(err)
	}
	got := received.MechListDER()
	if !bytes.Equal(got, want) {
		t.Errorf("of the received message: %x, want %x", got, want)
	}
	if &got[0] != &tok[bytes.Index(tok, want)] {
		t.Error("the list of a received message is not what was received but encoded anew")
	}
}

func TestReqFlags(t *testing.T) {
	tests := []struct {
		bits []byte
		want gss.Flags
	}{
		{nil, 0},
		{[]byte{0}, 0},
		{[]byte{1, 0x80}, gss.FlagDelegate},
		{[]byte{1, 0x42}, gss.FlagMutual | gss.FlagIntegrity},
		{[]byte{1, 0x3c}, gss.FlagReplay | gss.FlagSequence | gss.FlagAnonymous | gss.FlagConfidentiality},
		{[]byte{0, 0x01, 0xff}, 0},
	}
	for _, tt := range tests {
		if got := (&NegTokenInit{ReqFlags: tt.bits}).Flags(); got != tt.want {
			t.Errorf("%x: %v, want %v", tt.bits, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	for want, s := range map[string]interface{ String() string }{
		"accept-completed": StateAcceptCompleted, "accept-incomplete": StateAcceptIncomplete,
		"reject": StateReject, "request-mic": StateRequestMIC, "NegState(9)": NegState(9),
		"unknown": KindUnknown, "NegTokenInit": KindInit, "NegTokenResp": KindResp,
		"mechanism token": KindMech, "NTLM message": KindNTLM, "Kind(9)": Kind(9),
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
