package krbmsg

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// refused fails the test unless the codec refuses b, as a malformed message and
// with a zero value.
func refused(t *testing.T, c codec, b []byte, why string) {
	t.Helper()
	v, err := c.parse(b)
	switch {
	case err == nil:
		t.Errorf("%s: a message is taken although %s: %x", c.name, why, b)
	case !errors.Is(err, ErrMalformed):
		t.Errorf("%s: %s gives the error %v, which is not ErrMalformed", c.name, why, err)
	case !reflect.ValueOf(v).IsZero():
		t.Errorf("%s: %s gives an error and the value %v", c.name, why, v)
	}
}

func TestTruncatedMessages(t *testing.T) {
	for _, c := range testCodecs() {
		b := c.encode(c.full)
		for n := range b {
			refused(t, c, b[:n], fmt.Sprintf("only %d octets of %d are there", n, len(b)))
		}
	}
}

// A plaintext may have padding; whole messages have nothing after them.
func TestTrailingOctets(t *testing.T) {
	for _, c := range testCodecs() {
		b := c.encode(c.full)
		for _, tail := range []string{"\x00", "\x00\x00\x00\x00\x00\x00\x00", "\x30\x00"} {
			long := append(bytes.Clone(b), tail...)
			if !c.padded {
				refused(t, c, long, fmt.Sprintf("%x follows it", tail))
				continue
			}
			if got, err := c.parse(long); err != nil || !reflect.DeepEqual(withoutRaw(got), c.full) {
				t.Errorf("%s: with the padding %x it is read as %v, %v", c.name, tail, got, err)
			}
		}
	}
}

// Each value in a message is checked, however deep, and also where padding may
// follow the message.
func TestEveryValueIsChecked(t *testing.T) {
	for _, c := range testCodecs() {
		root := parseTree(t, c.encode(c.full))
		root.all(func(e *element) {
			if e.children != nil {
				return
			}
			tag := e.tag
			e.tag = 0x05 // NULL is no value of any field
			refused(t, c, root.encode(), fmt.Sprintf("the value %x has another type", e.content))
			e.tag = tag
		})
	}
}

// Two elements in a field, or in the tag around a message, are read by one peer
// as the first and by another as the second.
func TestFieldsHoldOneElement(t *testing.T) {
	for _, c := range testCodecs() {
		root := parseTree(t, c.encode(c.full))
		root.all(func(e *element) {
			if e.tag == der.TagSequence || e.children == nil {
				return
			}
			children := e.children
			e.children = append(slices.Clone(children), &element{tag: 0x05})
			refused(t, c, root.encode(), fmt.Sprintf("the field %x holds two elements", e.tag))
			e.children = children
		})
	}
}

// What a later version of the protocol adds to a SEQUENCE is passed over.
func TestUnknownElementsAtTheEnd(t *testing.T) {
	for _, c := range testCodecs() {
		root := parseTree(t, c.encode(c.full))
		seq := root
		if len(root.children) == 1 && root.tag != der.TagSequence {
			seq = root.children[0]
		}
		if isList(seq) {
			continue
		}
		seq.children = append(seq.children, &element{tag: der.Ctx(30), children: []*element{{tag: 0x05}}})
		if got, err := c.parse(root.encode()); err != nil || !reflect.DeepEqual(withoutRaw(got), c.full) {
			t.Errorf("%s: with one more element it is read as %v, %v", c.name, got, err)
		}
	}
}

// isList tells a SEQUENCE OF from a SEQUENCE of fields.
func isList(seq *element) bool { return seq.children[0].tag == der.TagSequence }

func TestVersionsAndTypesOfMessages(t *testing.T) {
	for _, tt := range []struct{ codec, field, name string }{
		{"AS-REQ", "\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a", "pvno and msg-type"},
		{"TGS-REQ", "\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0c", "pvno and msg-type"},
		{"AS-REP", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0b", "pvno and msg-type"},
		{"TGS-REP", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0d", "pvno and msg-type"},
		{"AP-REQ", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0e", "pvno and msg-type"},
		{"AP-REP", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x0f", "pvno and msg-type"},
		{"KRB-CRED", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x16", "pvno and msg-type"},
		{"KRB-ERROR", "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e", "pvno and msg-type"},
		{"Ticket", "\xa0\x03\x02\x01\x05", "tkt-vno"},
		{"Authenticator", "\xa0\x03\x02\x01\x05", "authenticator-vno"},
	} {
		c := testCodec(t, tt.codec)
		b := c.encode(c.full)
		for at := 4; at < len(tt.field); at += 5 {
			for _, v := range []byte{0, 4, 6, 0x7f, 0x85} {
				changed := []byte(tt.field)
				changed[at] = v
				refused(t, c, bytes.Replace(b, []byte(tt.field), changed, 1), fmt.Sprintf("%s is %x", tt.name, changed))
			}
		}
	}
}

// No message passes as another one.
func TestMessagesAreToldApart(t *testing.T) {
	// One parser reads both.
	alike := map[[2]string]bool{
		{"EncASRepPart", "EncTGSRepPart"}: true, {"EncTGSRepPart", "EncASRepPart"}: true,
		{"AS-REQ", "TGS-REQ"}: true, {"TGS-REQ", "AS-REQ"}: true,
	}
	for _, c := range testCodecs() {
		for _, other := range testCodecs() {
			if c.name != other.name && !alike[[2]string{c.name, other.name}] {
				refused(t, c, other.encode(other.full), "it is a "+other.name)
			}
		}
	}
}

func TestListsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  int
		encode func(n int) (codec, []byte)
	}{
		{"padata of a reply", 256, func(n int) (codec, []byte) {
			return testCodec(t, "AS-REP"), (&KDCRep{Type: TypeASRep, PAData: make([]PAData, n)}).Append(nil)
		}},
		{"padata of a request", 256, func(n int) (codec, []byte) {
			return testCodec(t, "AS-REQ"), (&KDCReq{Type: TypeASReq, PAData: make([]PAData, n)}).Append(nil)
		}},
		{"encryption types", 256, func(n int) (codec, []byte) {
			return testCodec(t, "AS-REQ"), (&KDCReq{Type: TypeASReq, Body: KDCReqBody{ETypes: make([]int32, n)}}).Append(nil)
		}},
		{"additional tickets", 256, func(n int) (codec, []byte) {
			return testCodec(t, "TGS-REQ"), (&KDCReq{Type: TypeTGSReq, Body: KDCReqBody{AddTickets: make([]Ticket, n)}}).Append(nil)
		}},
		{"authorization data", 256, func(n int) (codec, []byte) {
			return testCodec(t, "EncTicketPart"), (&EncTicketPart{Client: testClient, AuthData: make([]TypedData, n)}).Append(nil)
		}},
		{"addresses", 256, func(n int) (codec, []byte) {
			return testCodec(t, "EncTGSRepPart"), (&EncKDCRepPart{Addresses: make([]TypedData, n)}).Append(TypeTGSRep, nil)
		}},
		{"delegated tickets", 256, func(n int) (codec, []byte) {
			return testCodec(t, "KRB-CRED"), (&Cred{Tickets: make([]Ticket, n)}).Append(nil)
		}},
		{"what tells of delegated tickets", 256, func(n int) (codec, []byte) {
			return testCodec(t, "EncKrbCredPart"), (&EncCredPart{Info: make([]CredInfo, n)}).Append(nil)
		}},
		{"salts", 256, func(n int) (codec, []byte) {
			return testCodec(t, "PA-ETYPE-INFO2"), AppendETypeInfo2(nil, make([]ETypeInfo2, n))
		}},
		{"components of a name", 16, func(n int) (codec, []byte) {
			return testCodec(t, "Ticket"), (&Ticket{Server: principal.Name{Components: make([]string, n)}}).Append(nil)
		}},
	} {
		c, b := tt.encode(tt.limit)
		if _, err := c.parse(b); err != nil {
			t.Errorf("%d %s are refused: %v", tt.limit, tt.name, err)
		}
		c, b = tt.encode(tt.limit + 1)
		refused(t, c, b, fmt.Sprintf("there are %d %s", tt.limit+1, tt.name))
	}
}

// A length that the peer names costs nothing before the octets are there.
func TestLengthsAreNotBelieved(t *testing.T) {
	for _, c := range testCodecs() {
		b := c.encode(c.full)
		for _, length := range []string{"\x84\xff\xff\xff\xff", "\x84\x7f\xff\xff\xff", "\x83\xff\xff\xff"} {
			huge := append([]byte{b[0]}, length...)
			huge = append(huge, b[1:]...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			refused(t, c, huge, fmt.Sprintf("its length is %x", length))
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<16 {
				t.Errorf("%s: a length of %x makes it allocate %d octets", c.name, length, n)
			}
		}
	}
}

// One octet changed: refused, or read as something that has an encoding.
func TestChangedOctets(t *testing.T) {
	for _, c := range testCodecs() {
		b := c.encode(c.full)
		for i := range b {
			for bit := range 8 {
				changed := bytes.Clone(b)
				changed[i] ^= 1 << bit
				checkStable(t, c, changed)
			}
		}
	}
}

func TestMicrosecondsAreBounded(t *testing.T) {
	for _, tt := range []struct{ codec, usec string }{
		{"Authenticator", "\xa4\x05\x02\x03\x01\xe2\x40"},
		{"EncAPRepPart", "\xa1\x05\x02\x03\x01\xe2\x40"},
		{"KRB-ERROR", "\xa3\x05\x02\x03\x01\xe2\x40"},
		{"KRB-ERROR", "\xa5\x05\x02\x03\x01\xe2\x40"},
		{"PA-ENC-TS-ENC", "\xa1\x05\x02\x03\x01\xe2\x40"},
	} {
		c := testCodec(t, tt.codec)
		b := c.encode(c.full)
		for _, v := range []string{"\x0f\x42\x40", "\xff\x00\x00"} {
			refused(t, c, replaceOnce(t, b, tt.usec, tt.usec[:4]+v), fmt.Sprintf("it has %x microseconds", v))
		}
	}
}

// checkStable parses b. What is taken has an encoding that is read as the same.
func checkStable(t *testing.T, c codec, b []byte) {
	t.Helper()
	v, err := c.parse(b)
	if err != nil {
		if !errors.Is(err, ErrMalformed) || !reflect.ValueOf(v).IsZero() {
			t.Errorf("%s: %x gives %v, %v", c.name, b, v, err)
		}
		return
	}
	encoded := c.encode(v)
	again, err := c.parse(encoded)
	if err != nil {
		t.Fatalf("%s: %x is read as\n%#v, whose encoding %x is refused: %v", c.name, b, v, encoded, err)
	}
	if !reflect.DeepEqual(withoutRaw(again), withoutRaw(v)) {
		t.Errorf("%s: %x is read as\n%#v, whose encoding %x is read as\n%#v", c.name, b, v, encoded, again)
	}
	if twice := c.encode(again); !bytes.Equal(twice, encoded) {
		t.Errorf("%s: %x is encoded as %x, then as %x", c.name, b, encoded, twice)
	}
}
