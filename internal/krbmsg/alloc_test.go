package krbmsg

import "testing"

// The paths that each request takes allocate what they return, and nothing to
// read with: per principal its realm, its components and the list of them, and
// per list its entries.
func TestAllocations(t *testing.T) {
	server := Ticket{Server: testServer, Enc: testEnc}
	server.Raw = server.Append(nil)
	req := APReq{Options: APMutualRequired, Ticket: server, Authenticator: testEnc}
	encodedReq := req.Append(nil)
	ticket := EncTicketPart{
		Key: testKey, Client: testClient, AuthTime: testSecond, EndTime: testSecond,
		AuthData: []TypedData{{Type: ADIfRelevant, Data: make([]byte, 800)}},
	}
	encodedTicket := ticket.Append(nil)
	auth := Authenticator{Client: testClient, Checksum: testSum, Time: testTime, Subkey: testKey, HasSeq: true}
	encodedAuth := auth.Append(nil)
	rep := EncAPRepPart{Time: testTime, Subkey: testKey, HasSeq: true}
	buf := make([]byte, 0, 2048)

	const principal = 4 // with two components
	for _, tt := range []struct {
		name string
		max  float64
		f    func() error
	}{
		{"ParseAPReq", principal, func() error { _, err := ParseAPReq(encodedReq); return err }},
		{"ParseEncTicketPart", principal + 1, func() error { _, err := ParseEncTicketPart(encodedTicket); return err }},
		{"ParseAuthenticator", principal, func() error { _, err := ParseAuthenticator(encodedAuth); return err }},
		{"APReq.Append", 0, func() error { req.Append(buf); return nil }},
		{"Authenticator.Append", 0, func() error { auth.Append(buf); return nil }},
		{"EncAPRepPart.Append", 0, func() error { rep.Append(buf); return nil }},
		{"APRep.Append", 0, func() error { (&APRep{Enc: testEnc}).Append(buf); return nil }},
	} {
		n := testing.AllocsPerRun(100, func() {
			if err := tt.f(); err != nil {
				t.Fatal(err)
			}
		})
		if n > tt.max {
			t.Errorf("%s: %v allocations, want %v at most", tt.name, n, tt.max)
		}
	}
}

func BenchmarkParseAPReq(b *testing.B) {
	req := APReq{Options: APMutualRequired, Ticket: Ticket{Server: testServer, Enc: testEnc}, Authenticator: testEnc}
	encoded := req.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAPReq(encoded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAPReqAppend(b *testing.B) {
	enc := EncryptedData{EType: 18, Cipher: make([]byte, 1000)}
	ticket := Ticket{Server: testServer, Enc: enc}
	ticket.Raw = ticket.Append(nil)
	req := APReq{Ticket: ticket, Authenticator: testEnc}
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		req.Append(buf)
	}
}
