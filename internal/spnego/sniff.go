package spnego

import (
	"bytes"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// Kind is what a token looks like from its first octets.
type Kind uint8

const (
	// KindUnknown is none of the others.
	KindUnknown Kind = iota
	// KindInit is a NegTokenInit of SPNEGO, in its frame.
	KindInit
	// KindResp is a NegTokenResp of SPNEGO, bare or, as old Sun systems sent
	// it, in a frame.
	KindResp
	// KindMech is a token of another mechanism in its frame, such as krb5.
	KindMech
	// KindNTLM is a message of NTLM without SPNEGO around it.
	KindNTLM
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case KindUnknown:
		return "unknown"
	case KindInit:
		return "NegTokenInit"
	case KindResp:
		return "NegTokenResp"
	case KindMech:
		return "mechanism token"
	case KindNTLM:
		return "NTLM message"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

var ntlmMagic = []byte("NTLMSSP\x00")

// Sniff tells what tok looks like, and the mechanism that it belongs to if it
// says so. It looks at the beginning only, so that the token may still turn out
// to be defective.
func Sniff(tok []byte) (Kind, gss.OID) {
	switch {
	case bytes.HasPrefix(tok, ntlmMagic):
		return KindNTLM, gss.MechNTLM
	case len(tok) > 1 && tok[0] == tagResp:
		return KindResp, gss.MechSPNEGO
	}
	mech, inner, ok := sniffFrame(tok)
	switch {
	case !ok:
		return KindUnknown, ""
	case mech != gss.MechSPNEGO:
		return KindMech, mech
	case len(inner) > 0 && inner[0] == tagInit:
		return KindInit, mech
	case len(inner) > 0 && inner[0] == tagResp:
		return KindResp, mech
	}
	return KindUnknown, mech
}

// sniffFrame reads the frame's head and believes the lengths it finds there.
func sniffFrame(tok []byte) (mech gss.OID, inner []byte, ok bool) {
	if len(tok) < 2 || tok[0] != tagFrame {
		return "", nil, false
	}
	head := 2
	if tok[1] >= 0x80 {
		head += int(tok[1] & 0x7f)
	}
	if len(tok) < head+2 || tok[head] != tagOID {
		return "", nil, false
	}
	n := int(tok[head+1])
	rest := tok[head+2:]
	if n == 0 || n > maxOIDLen || n > len(rest) {
		return "", nil, false
	}
	return internOID(rest[:n]), rest[n:], true
}
