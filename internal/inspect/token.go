package inspect

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// maxDepth bounds how deep tokens within tokens are looked at. SPNEGO with a
// mechanism in it takes two.
const maxDepth = 4

// Token describes a token of HTTP Negotiate: SPNEGO, krb5 or NTLM. It takes
// anything, and says so if it is none.
func Token(b []byte) Node { return token(b, 1) }

func token(b []byte, depth int) Node {
	kind, mech := spnego.Sniff(b)
	switch {
	case depth > maxDepth:
		return leaf("a token, %d octets, too deep to look at", len(b))
	case kind == spnego.KindInit:
		return negTokenInit(b, depth)
	case kind == spnego.KindResp:
		return negTokenResp(b, depth)
	case kind == spnego.KindNTLM:
		return ntlm(b)
	case kind == spnego.KindMech && (mech == gss.MechKRB5 || mech == gss.MechMSKRB5):
		return krb5Token(b, mech)
	case kind == spnego.KindMech:
		return leaf("token of mechanism %s, %d octets", mech.Describe(), len(b))
	}
	return leaf("%d octets that are no token of SPNEGO, krb5 or NTLM", len(b))
}

func negTokenInit(b []byte, depth int) Node {
	t, err := spnego.ParseInit(b)
	if err != nil {
		return broken("SPNEGO NegTokenInit", b, err)
	}
	n := leaf("SPNEGO NegTokenInit, %d octets", len(b))
	n.add(leaf("offers %s", mechNames(t.MechTypes)))
	if t.MechToken != nil {
		n.add(token(t.MechToken, depth+1))
	}
	n.addMIC(t.MechListMIC)
	return n
}

func negTokenResp(b []byte, depth int) Node {
	t, err := spnego.ParseResp(b)
	if err != nil {
		return broken("SPNEGO NegTokenResp", b, err)
	}
	n := leaf("SPNEGO NegTokenResp, %d octets", len(b))
	if t.HasState {
		n.Text += ": " + t.State.String()
	}
	if t.SupportedMech != "" {
		n.add(leaf("picks %s", t.SupportedMech.Describe()))
	}
	if t.ResponseToken != nil {
		n.add(token(t.ResponseToken, depth+1))
	}
	n.addMIC(t.MechListMIC)
	return n
}

func (n *Node) addMIC(mic []byte) {
	if mic != nil {
		n.add(leaf("mechListMIC, %d octets", len(mic)))
	}
}

// maxNames bounds how many elements of a list are written out.
const maxNames = 12

func mechNames(oids []gss.OID) string {
	names := make([]string, min(len(oids), maxNames))
	for i := range names {
		names[i] = oids[i].Describe()
	}
	return list(names, len(oids))
}

// list joins names, of which there may be more.
func list(names []string, all int) string {
	if all == 0 {
		return "nothing"
	}
	if all > len(names) {
		names = append(names, fmt.Sprintf("and %d more", all-len(names)))
	}
	return strings.Join(names, ", ")
}

// Identifiers of krb5 tokens (RFC 4121, section 4.1).
const (
	idAPReq = 0x0100
	idAPRep = 0x0200
	idError = 0x0300
)

func krb5Token(b []byte, mech gss.OID) Node {
	_, inner, err := spnego.ParseInitialToken(b)
	if err != nil {
		return broken(mech.Describe()+" token", b, err)
	}
	if len(inner) < 2 {
		return leaf("%s token, %d octets, without an identifier", mech.Describe(), len(b))
	}
	id, msg := binary.BigEndian.Uint16(inner), inner[2:]
	switch id {
	case idAPReq:
		return apReq(mech.Describe()+" AP-REQ", msg)
	case idAPRep:
		return apRep(mech.Describe()+" AP-REP", msg)
	case idError:
		return krbError(mech.Describe()+" KRB-ERROR", msg)
	}
	return leaf("%s token with the identifier %04x, %d octets", mech.Describe(), id, len(b))
}

func apReq(what string, b []byte) Node {
	m, err := krbmsg.ParseAPReq(b)
	if err != nil {
		return broken(what, b, err)
	}
	n := leaf("%s, %d octets", what, len(b))
	if m.Options&krbmsg.APMutualRequired != 0 {
		n.Text += ": the server shall prove its identity"
	}
	n.add(ticket(&m.Ticket), sealed("authenticator", &m.Authenticator))
	return n
}

func apRep(what string, b []byte) Node {
	m, err := krbmsg.ParseAPRep(b)
	if err != nil {
		return broken(what, b, err)
	}
	n := leaf("%s, %d octets", what, len(b))
	n.add(sealed("proof", &m.Enc))
	return n
}

// ntlm tells which of its three messages it is (MS-NLMP, section 2.2.1).
func ntlm(b []byte) Node {
	names := map[uint32]string{1: "NEGOTIATE", 2: "CHALLENGE", 3: "AUTHENTICATE"}
	if len(b) >= 12 {
		if name, ok := names[binary.LittleEndian.Uint32(b[8:])]; ok {
			return leaf("NTLM %s message, %d octets", name, len(b))
		}
	}
	return leaf("NTLM message, %d octets", len(b))
}
