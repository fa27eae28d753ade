package spnego

import (
	"bytes"
	"crypto/rand"
	"reflect"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
)

// addTokens seeds a fuzz target with messages of each kind.
func addTokens(f *testing.F) {
	for _, toks := range mitTranscripts(f) {
		for _, tok := range toks {
			f.Add(tok)
		}
	}
	f.Add((&NegTokenInit{MechTypes: []gss.OID{gss.MechNTLM}, ReqFlags: []byte{1, 0x42}, Hint: &NegHints{Name: hintName, Address: []byte{1}}, MechListMIC: []byte("m")}).Append(nil))
	f.Add(AppendInitialToken(nil, gss.MechKRB5, []byte{1, 0}))
	f.Add(AppendInitialToken(nil, gss.MechSPNEGO, completed(NegTokenResp{MechListMIC: []byte("m")})))
	f.Add([]byte("NTLMSSP\x00"))
}

// FuzzParseInit: what is parsed and encoded is parsed to the same, and encoded to
// the same octets. The list that the MIC covers is the one that is parsed.
func FuzzParseInit(f *testing.F) {
	addTokens(f)
	f.Fuzz(func(t *testing.T, tok []byte) {
		m, err := ParseInit(tok)
		if err != nil {
			return
		}
		canonical := m.Append(nil)
		again, err := ParseInit(canonical)
		if err != nil {
			t.Fatalf("%x, encoded to %x, is not parsed: %v", tok, canonical, err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%x is parsed to %+v, and encoded and parsed to %+v", tok, m, again)
		}
		if got := again.Append(nil); !bytes.Equal(got, canonical) {
			t.Errorf("%x is parsed and encoded to %x", canonical, got)
		}
		if encoded := (&NegTokenInit{MechTypes: m.MechTypes}).MechListDER(); m.MechTypes != nil && !bytes.Equal(m.MechListDER(), encoded) {
			t.Errorf("the list %x is one of %x", m.MechListDER(), encoded)
		}
		m.Flags()
	})
}

func FuzzParseResp(f *testing.F) {
	addTokens(f)
	f.Fuzz(func(t *testing.T, tok []byte) {
		m, err := ParseResp(tok)
		if err != nil {
			return
		}
		canonical := m.Append(nil)
		again, err := ParseResp(canonical)
		if err != nil {
			t.Fatalf("%x, encoded to %x, is not parsed: %v", tok, canonical, err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Errorf("%x is parsed to %+v, and encoded and parsed to %+v", tok, m, again)
		}
		if got := again.Append(nil); !bytes.Equal(got, canonical) {
			t.Errorf("%x is parsed and encoded to %x", canonical, got)
		}
	})
}

// FuzzSniff: what a parser takes is sniffed as that.
func FuzzSniff(f *testing.F) {
	addTokens(f)
	f.Fuzz(func(t *testing.T, tok []byte) {
		kind, mech := Sniff(tok)
		if kind.String() == "" || len(mech) > maxOIDLen {
			t.Errorf("%x: kind %d of %x", tok, kind, mech)
		}
		if _, err := ParseInit(tok); err == nil && kind != KindInit {
			t.Errorf("%x: a NegTokenInit is sniffed as %v", tok, kind)
		}
		if _, err := ParseResp(tok); err == nil && kind != KindResp {
			t.Errorf("%x: a NegTokenResp is sniffed as %v", tok, kind)
		}
		framed, inner, err := ParseInitialToken(tok)
		if err != nil {
			return
		}
		if framed != mech {
			t.Errorf("%x: framed by %s, sniffed %s", tok, framed, mech)
		}
		if got := AppendInitialToken(nil, framed, inner); !bytes.Equal(got, tok) {
			t.Errorf("%x is parsed and encoded to %x", tok, got)
		}
	})
}

// messages cuts fuzzed data into messages: two octets of length, then as many
// octets. It returns what begins with the octets that are there.
func messages(data []byte) [][]byte {
	var all [][]byte
	for len(data) >= 2 && len(all) < 8 {
		n := min(int(data[0])<<8|int(data[1]), len(data)-2)
		all = append(all, data[2:2+n])
		data = data[2+n:]
	}
	return all
}

func joined(messages ...[]byte) []byte {
	var data []byte
	for _, m := range messages {
		data = append(data, byte(len(m)>>8), byte(len(m)))
		data = append(data, m...)
	}
	return data
}

// fuzzOffers are two mechanisms whose signatures nobody can make: a negotiation
// that needs one never ends well.
func fuzzOffers(legs byte) (a, b offer) {
	key := rand.Text()
	n := int(legs%4) + 1
	return offer{oid: mechA, legs: n, key: key}, offer{oid: mechB, legs: n, key: key}
}

// FuzzInitiatorStep: whatever the acceptor sends, an initiator that is done has a
// mechanism that is done, and the one it prefers, for no MIC can be right.
func FuzzInitiatorStep(f *testing.F) {
	type resp = NegTokenResp
	f.Add(byte(0), joined(completed(resp{SupportedMech: mechA})))
	f.Add(byte(1), joined(completed(resp{SupportedMech: mechA, ResponseToken: leg(mechA, 2)})))
	f.Add(byte(1), joined(leg(mechA, 2)))
	f.Add(byte(1), joined(requestMIC(resp{SupportedMech: mechB}), incomplete(resp{ResponseToken: leg(mechB, 2), MechListMIC: make([]byte, 32)})))
	f.Add(byte(2), joined(incomplete(resp{ResponseToken: leg(mechA, 2)}), completed(resp{})))
	f.Add(byte(3), joined(requestMIC(resp{ResponseToken: leg(mechA, 2)}), incomplete(resp{ResponseToken: leg(mechA, 4), MechListMIC: make([]byte, 32)})))
	f.Add(byte(3), joined(incomplete(resp{ResponseToken: leg(mechA, 2)}), rejected(resp{ResponseToken: leg(mechA, 99)})))
	f.Fuzz(func(t *testing.T, legs byte, data []byte) {
		a, b := fuzzOffers(legs)
		i := newSide(true, a, b)
		defer i.Close()
		_, done, err := i.Step(t.Context(), nil)
		if done || err != nil {
			t.Fatalf("first Step: done %t, %v", done, err)
		}
		for _, m := range messages(data) {
			_, done, err = i.Step(t.Context(), m)
			checkInfo(t, i, done, err)
			if done && (len(i.begun) != 1 || !i.begun[0].done) {
				t.Errorf("done with %d mechanisms begun", len(i.begun))
			}
		}
	})
}

// FuzzAcceptorStep: whatever the initiator sends, an acceptor that is done has a
// mechanism that is done, and that both prefer, for no MIC can be right.
func FuzzAcceptorStep(f *testing.F) {
	type resp = NegTokenResp
	f.Add(byte(0), joined(initOf(leg(mechA, 1), mechA)))
	f.Add(byte(1), joined(initOf(leg(mechA, 1), mechA, mechB)))
	f.Add(byte(1), joined(initOf(nil, mechC, mechA), incomplete(resp{ResponseToken: leg(mechA, 1)}), completed(resp{MechListMIC: make([]byte, 32)})))
	f.Add(byte(1), joined(initOf(leg(mechB, 1), mechB, mechA), completed(resp{MechListMIC: make([]byte, 32)})))
	f.Add(byte(2), joined(initOf(leg(mechA, 1), mechA), incomplete(resp{ResponseToken: leg(mechA, 3)})))
	f.Add(byte(2), joined(initOf(leg(mechA, 1), mechA), rejected(resp{})))
	f.Fuzz(func(t *testing.T, legs byte, data []byte) {
		a, b := fuzzOffers(legs)
		s := newSide(false, a, b)
		defer s.Close()
		all := messages(data)
		for _, m := range all {
			_, done, err := s.Step(t.Context(), m)
			checkInfo(t, s, done, err)
			if !done {
				continue
			}
			if len(s.begun) != 1 || s.begun[0].oid != mechA || !s.begun[0].done {
				t.Errorf("done, with the mechanism %+v", s.begun)
			}
			if first, err := ParseInit(all[0]); err != nil || first.MechTypes[0] != mechA {
				t.Errorf("done, although the initiator prefers %+v (%v)", first, err)
			}
		}
	})
}
