package spnego

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/go-negotiate/negotiate/gss"
)

const (
	// MaxToken is the length in octets of the longest token that is parsed.
	// Kerberos tokens with the authorization data of a user in a thousand
	// groups have about 50 kB.
	MaxToken = 128 << 10

	maxMechs  = 64
	maxOIDLen = 127
)

// AppendInitialToken appends the frame of an initial context token (RFC 2743,
// section 3.1) to dst: the mechanism's number and inner, which is the token of
// that mechanism.
func AppendInitialToken(dst []byte, mech gss.OID, inner []byte) []byte {
	dst = grow(dst, sizeFrame(mech, len(inner)))
	return append(appendFrame(dst, mech, len(inner)), inner...)
}

// ParseInitialToken takes the frame off an initial context token. inner aliases
// tok. The error is a [*gss.Error] with ErrDefectiveToken.
func ParseInitialToken(tok []byte) (mech gss.OID, inner []byte, err error) {
	mech, inner, err = parseFrame(tok)
	if err != nil {
		return "", nil, parseError("", err)
	}
	return mech, inner, nil
}

func sizeFrame(mech gss.OID, inner int) int {
	return sizeTLV(sizeTLV(len(mech)) + inner)
}

// appendFrame appends all of the frame that precedes inner octets.
func appendFrame(dst []byte, mech gss.OID, inner int) []byte {
	dst = appendHeader(dst, tagFrame, sizeTLV(len(mech))+inner)
	return appendTLV(dst, tagOID, string(mech))
}

func parseFrame(tok []byte) (mech gss.OID, inner []byte, err error) {
	if err := checkSize(tok); err != nil {
		return "", nil, err
	}
	s := cryptobyte.String(tok)
	var body cryptobyte.String
	switch {
	case tok[0] != tagFrame:
		return "", nil, fmt.Errorf("the token begins with %#02x, not with the %#02x of an initial context token", tok[0], tagFrame)
	case !s.ReadASN1(&body, tagFrame):
		return "", nil, errors.New("the initial context token is cut short or its length is wrong")
	case !s.Empty():
		return "", nil, fmt.Errorf("%d octets follow the initial context token", len(s))
	}
	mech, ok := readOID(&body)
	if !ok {
		return "", nil, errors.New("the initial context token names no mechanism")
	}
	return mech, body, nil
}

func checkSize(tok []byte) error {
	switch {
	case len(tok) == 0:
		return errors.New("the token is empty")
	case len(tok) > MaxToken:
		return fmt.Errorf("the token has %d octets, at most %d are accepted", len(tok), MaxToken)
	}
	return nil
}

func readOID(s *cryptobyte.String) (gss.OID, bool) {
	var body cryptobyte.String
	if !s.ReadASN1(&body, asn1.OBJECT_IDENTIFIER) || len(body) == 0 || len(body) > maxOIDLen {
		return "", false
	}
	return internOID(body), true
}

// internOID spares the usual mechanisms an allocation.
func internOID(b []byte) gss.OID {
	for _, o := range [...]gss.OID{gss.MechKRB5, gss.MechSPNEGO, gss.MechMSKRB5, gss.MechNTLM} {
		if string(b) == string(o) {
			return o
		}
	}
	return gss.OID(b)
}

// parseError is what the exported parsers return.
func parseError(mech gss.OID, cause error) error {
	return &gss.Error{Major: gss.ErrDefectiveToken, Mech: mech, Op: "parse", Err: cause}
}
