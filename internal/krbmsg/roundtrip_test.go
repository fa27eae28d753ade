package krbmsg

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
)

// Every message comes back as it was, whole and without each of the fields that
// may be absent.
func TestRoundTrip(t *testing.T) {
	for _, c := range testCodecs() {
		t.Run(c.name, func(t *testing.T) {
			full := roundTrip(t, c, c.full)
			for _, path := range c.optional {
				if part := roundTrip(t, c, without(t, c.full, path)); len(part) >= len(full) {
					t.Errorf("without %s the message is no shorter", path)
				}
			}
			bare := c.full
			for _, path := range c.optional {
				if overlaps(c.optional, path) {
					continue
				}
				bare = without(t, bare, path)
			}
			roundTrip(t, c, bare)
		})
	}
}

// overlaps reports whether path lies below another of the paths.
func overlaps(paths []string, path string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(path, p+".") })
}

func roundTrip(t *testing.T, c codec, v any) []byte {
	t.Helper()
	b := c.encode(v)
	got, err := c.parse(b)
	if err != nil {
		t.Fatalf("%v is encoded as %x, which is refused: %v", v, b, err)
	}
	if got := withoutRaw(got); !reflect.DeepEqual(got, v) {
		t.Errorf("it comes back as\n%#v, want\n%#v", got, v)
	}
	if again := c.encode(got); !bytes.Equal(again, b) {
		t.Errorf("encoded again it is %x, not %x", again, b)
	}
	return b
}

// What was read is written back unchanged where a signature or a key of somebody
// else covers it.
func TestRawEncodingsAreKept(t *testing.T) {
	// The tag of the realm is a UTF8String, which would not be written so.
	other := bytes.Replace(testTicket.Append(nil), []byte("\x1b\x0eATHENA"), []byte("\x0c\x0eATHENA"), 1)
	ticket, err := ParseTicket(other)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ticket.Append(nil), other) {
		t.Error("a ticket is not written as it was read")
	}
	req := APReq{Ticket: ticket, Authenticator: testEnc}
	if !bytes.Contains(req.Append(nil), other) {
		t.Error("an AP-REQ does not carry the ticket as it was read")
	}
	body := bytes.Replace(testBody.Append(nil), []byte("\x1b\x0eATHENA"), []byte("\x0c\x0eATHENA"), 1)
	tgsReq, err := ParseKDCReq((&KDCReq{Type: TypeTGSReq, RawBody: body}).Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(tgsReq.RawBody, body) || !bytes.Contains(tgsReq.Append(nil), body) {
		t.Error("the body of a request is not kept as it was read")
	}
	id := S4UUserID{Nonce: 1, User: testClient}
	user, err := ParseS4UX509User((&S4UX509User{ID: id, Checksum: testSum}).Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(user.RawID, id.Append(nil)) {
		t.Error("what the checksum of a PA-S4U-X509-USER covers is not kept")
	}
}

func TestAppendLeavesTheBeginning(t *testing.T) {
	for _, c := range testCodecs() {
		if m, ok := c.full.(interface{ Append([]byte) []byte }); ok {
			if got := m.Append([]byte("before")); !bytes.Equal(got, append([]byte("before"), c.encode(c.full)...)) {
				t.Errorf("%s: Append does not append", c.name)
			}
		}
	}
	for name, appendTo := range map[string]func([]byte) []byte{
		"Ticket":        testTicket.Append,
		"AP-REQ":        (&APReq{Ticket: testTicket}).Append,
		"Authenticator": (&Authenticator{Client: testClient}).Append,
		"EncTicketPart": (&EncTicketPart{Client: testClient}).Append,
		"KDC-REQ":       (&KDCReq{Type: TypeASReq}).Append,
		"METHOD-DATA":   func(b []byte) []byte { return AppendMethodData(b, testPA) },
	} {
		if got := appendTo([]byte("before")); !bytes.Equal(got, append([]byte("before"), appendTo(nil)...)) {
			t.Errorf("%s: Append does not append", name)
		}
	}
}

// A request without an end of its own asks for the longest lifetime, as 1970,
// and is read as such.
func TestTillZero(t *testing.T) {
	body := testBody
	body.Till = time.Time{}
	b := (&KDCReq{Type: TypeASReq, Body: body}).Append(nil)
	if !bytes.Contains(b, []byte("\xa5\x11\x18\x0f19700101000000Z")) {
		t.Errorf("no till of 1970 in %x", b)
	}
	m, err := ParseKDCReq(b)
	if err != nil || !m.Body.Till.IsZero() {
		t.Errorf("till is read as %v, %v; want the zero time", m.Body.Till, err)
	}
}

func TestLastReq(t *testing.T) {
	p := EncKDCRepPart{Key: testKey, Server: testServer}
	b := p.Append(TypeASRep, nil)
	if !bytes.Contains(b, []byte("\xa0\x03\x02\x01\x00\xa1\x11\x18\x0f19700101000000Z")) {
		t.Errorf("no empty last-req in %x", b)
	}
	got, err := ParseEncKDCRepPart(b)
	if err != nil || !got.LastReq.IsZero() {
		t.Errorf("an empty last-req is read as %v, %v", got.LastReq, err)
	}
}

// Numbers with the top bit set come as negative ones from some peers.
func TestUnsignedNumbersWrittenAsSigned(t *testing.T) {
	a := Authenticator{Client: testClient, Time: testTime, HasSeq: true, SeqNumber: 0x80000001}
	b := a.Append(nil)
	signed := replaceOnce(t, b, "\xa7\x07\x02\x05\x00\x80\x00\x00\x01", "\xa7\x06\x02\x04\x80\x00\x00\x01")
	signed[1]--
	signed[3]--
	got, err := ParseAuthenticator(signed)
	if err != nil || got.SeqNumber != 0x80000001 {
		t.Errorf("the sequence number is read as %#x, %v", got.SeqNumber, err)
	}
	enc, err := ParseEncryptedData([]byte("\x30\x0f\xa0\x03\x02\x01\x12\xa1\x03\x02\x01\xff\xa2\x03\x04\x01x"))
	if err != nil || enc.KVNO != 1<<32-1 {
		t.Errorf("the key version is read as %#x, %v", enc.KVNO, err)
	}
}

// Microseconds alone, which MIT sends, are no time.
func TestKRBErrorMicrosecondsAlone(t *testing.T) {
	m := KRBError{ServerTime: testTime, Code: ErrGeneric, Server: testServer}
	b := m.Append(nil)
	const before = "\xa1\x03\x02\x01\x1e" // msg-type
	b = replaceOnce(t, b, before, before+"\xa3\x03\x02\x01\x07")
	b[1] += 5
	b[3] += 5
	got, err := ParseKRBError(b)
	if err != nil {
		t.Fatal(err)
	}
	if !got.ClientTime.IsZero() {
		t.Errorf("the client's time is %v, want none", got.ClientTime)
	}
}

// The numbers of RFC 4120, section 5.10 and appendix A, or SEQUENCE.
func TestTags(t *testing.T) {
	tags := map[string]byte{
		"Ticket": 1, "Authenticator": 2, "EncTicketPart": 3, "AS-REQ": 10, "AS-REP": 11, "TGS-REQ": 12, "TGS-REP": 13,
		"AP-REQ": 14, "AP-REP": 15, "KRB-CRED": 22, "EncASRepPart": 25, "EncTGSRepPart": 26, "EncAPRepPart": 27,
		"EncKrbCredPart": 29, "KRB-ERROR": 30,
	}
	for _, c := range testCodecs() {
		want := byte(0x30)
		if n, ok := tags[c.name]; ok {
			want = 0x60 | n
		}
		if got := c.encode(c.full)[0]; got != want {
			t.Errorf("%s begins with %#x, want %#x", c.name, got, want)
		}
	}
	krbError := testCodec(t, "KRB-ERROR")
	if !IsKRBError(krbError.encode(krbError.full)) || IsKRBError(testTicket.Append(nil)) || IsKRBError(nil) {
		t.Error("IsKRBError does not tell a KRB-ERROR from other messages")
	}
}

// Type 0 is reserved: a checksum or a key of it is as good as none.
func TestChecksumsAndKeysOfTypeZero(t *testing.T) {
	c := testCodec(t, "Authenticator")
	b := c.encode(Authenticator{
		Client: testClient, Time: testTime, Checksum: Checksum{Type: 1, Sum: []byte("x")}, Subkey: EncryptionKey{Type: 1},
	})
	b = replaceOnce(t, b, "\xa0\x03\x02\x01\x01\xa1\x03\x04\x01x", "\xa0\x03\x02\x01\x00\xa1\x03\x04\x01x")
	b = replaceOnce(t, b, "\xa0\x03\x02\x01\x01\xa1\x02\x04\x00", "\xa0\x03\x02\x01\x00\xa1\x02\x04\x00")
	got, err := ParseAuthenticator(b)
	if err != nil || got.Checksum.Sum != nil || got.Subkey.Value != nil {
		t.Errorf("the checksum is read as %v, the key as one of %d octets, %v", got.Checksum, len(got.Subkey.Value), err)
	}
}

// Somebody has to be meant where a decision hangs on it; in a KRB-ERROR of a KDC
// that knows no better, nobody may be.
func TestNamesOfNobody(t *testing.T) {
	nobody := principal.Name{Realm: "ATHENA.MIT.EDU"}
	if _, err := ParseEncTicketPart((&EncTicketPart{Key: testKey, Client: nobody}).Append(nil)); err == nil {
		t.Error("a ticket of nobody is taken")
	}
	if _, err := ParseAuthenticator((&Authenticator{Client: nobody}).Append(nil)); err == nil {
		t.Error("an authenticator of nobody is taken")
	}
	m, err := ParseKRBError((&KRBError{Code: ErrGeneric, Server: nobody}).Append(nil))
	if err != nil || !m.Server.Equal(nobody) {
		t.Errorf("an error of no service is read as %v, %v", m, err)
	}
}

func replaceOnce(t *testing.T, b []byte, old, new string) []byte {
	t.Helper()
	if bytes.Count(b, []byte(old)) != 1 {
		t.Fatalf("%x is not in %x once", old, b)
	}
	return bytes.Replace(b, []byte(old), []byte(new), 1)
}
