package gss

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// OID is an ASN.1 object identifier in the form in which GSS-API tokens carry
// it: the content octets of its DER encoding, without tag and length. It is a
// string, so that it compares with == and serves as a map key. The empty OID
// means "none" or "the default", as each use documents.
type OID string

// Mechanisms of the field.
const (
	// MechSPNEGO is 1.3.6.1.5.5.2, the negotiation mechanism of RFC 4178.
	MechSPNEGO OID = "\x2b\x06\x01\x05\x05\x02"
	// MechKRB5 is 1.2.840.113554.1.2.2, Kerberos 5 as of RFC 4121.
	MechKRB5 OID = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
	// MechMSKRB5 is 1.2.840.48018.1.2.2, the same mechanism under the number
	// that Windows 2000 gave it by mistake and its successors still use in
	// SPNEGO.
	MechMSKRB5 OID = "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
	// MechNTLM is 1.3.6.1.4.1.311.2.2.10, NTLMSSP (MS-NLMP). No provider here
	// uses it unless it is asked for by name.
	MechNTLM OID = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
)

// maxOIDLen bounds what ParseOID and String accept; the longest mechanism in
// use has 10 octets.
const maxOIDLen = 128

// arcBits bounds the numbers in an object identifier, so that they fit a
// uint64 with room to spare. The first two share one number.
const arcBits = 56

// ErrBadOID is returned by ParseOID for text that is no object identifier.
var ErrBadOID = errors.New("gss: not an object identifier")

// ParseOID reads the dotted form, such as "1.3.6.1.5.5.2". It returns an error
// that wraps ErrBadOID for anything else.
func ParseOID(s string) (OID, error) {
	if len(s) > 4*maxOIDLen {
		return "", fmt.Errorf("%w: it has %d characters, at most %d are allowed", ErrBadOID, len(s), 4*maxOIDLen)
	}
	parts := strings.Split(s, ".")
	if len(parts) < 2 {
		return "", fmt.Errorf("%w: %q: want numbers separated by dots", ErrBadOID, s)
	}
	arcs := make([]uint64, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, arcBits)
		if err != nil || (len(p) > 1 && p[0] == '0') {
			return "", fmt.Errorf("%w: %q: bad arc %q", ErrBadOID, s, p)
		}
		arcs[i] = n
	}
	if arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39) {
		return "", fmt.Errorf("%w: %q: it cannot begin with %d.%d", ErrBadOID, s, arcs[0], arcs[1])
	}
	top := arcs[0]*40 + arcs[1]
	if top>>arcBits != 0 {
		return "", fmt.Errorf("%w: %q: arc %d is too large", ErrBadOID, s, arcs[1])
	}
	out := appendArc(nil, top)
	for _, a := range arcs[2:] {
		out = appendArc(out, a)
	}
	if len(out) > maxOIDLen {
		return "", fmt.Errorf("%w: %q: longer than %d octets", ErrBadOID, s, maxOIDLen)
	}
	return OID(out), nil
}

func appendArc(b []byte, n uint64) []byte {
	shift := 0
	for n>>(shift+7) != 0 {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		b = append(b, 0x80|byte(n>>shift)&0x7f)
	}
	return append(b, byte(n)&0x7f)
}

// String returns the dotted form, which ParseOID reads. The empty OID gives ""
// and octets that are no object identifier give "invalid OID", since a peer may
// have sent them.
func (o OID) String() string {
	if o == "" {
		return ""
	}
	if len(o) > maxOIDLen || o[len(o)-1]&0x80 != 0 {
		return "invalid OID"
	}
	var out []byte
	var n uint64
	first, atStart := true, true
	for i := range len(o) {
		n = n<<7 | uint64(o[i]&0x7f)
		if atStart && o[i] == 0x80 || n>>arcBits != 0 {
			return "invalid OID"
		}
		atStart = o[i]&0x80 == 0
		if !atStart {
			continue
		}
		if first {
			top := min(n/40, 2)
			out = strconv.AppendUint(out, top, 10)
			n -= top * 40
			first = false
		}
		out = append(out, '.')
		out = strconv.AppendUint(out, n, 10)
		n = 0
	}
	return string(out)
}

// Describe returns the mechanism's usual name, such as "SPNEGO" or "krb5",
// and the dotted form for an OID that has none here.
func (o OID) Describe() string {
	switch o {
	case MechSPNEGO:
		return "SPNEGO"
	case MechKRB5:
		return "krb5"
	case MechMSKRB5:
		return "krb5 (Microsoft)"
	case MechNTLM:
		return "NTLM"
	}
	return o.String()
}
