package spnego

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/go-negotiate/negotiate/gss"
)

// NegState is the state that a NegTokenResp announces (RFC 4178, section 4.2.2).
type NegState uint8

const (
	// StateAcceptCompleted: the sender has an established context and
	// expects no further message.
	StateAcceptCompleted NegState = 0
	// StateAcceptIncomplete: the sender expects another message.
	StateAcceptIncomplete NegState = 1
	// StateReject: the sender gives up.
	StateReject NegState = 2
	// StateRequestMIC: as StateAcceptIncomplete, and mechListMICs have to be
	// exchanged. Only an acceptor's first reply may say so.
	StateRequestMIC NegState = 3
)

// String returns the name of RFC 4178, such as "accept-completed".
func (s NegState) String() string {
	switch s {
	case StateAcceptCompleted:
		return "accept-completed"
	case StateAcceptIncomplete:
		return "accept-incomplete"
	case StateReject:
		return "reject"
	case StateRequestMIC:
		return "request-mic"
	}
	return fmt.Sprintf("NegState(%d)", uint8(s))
}

// NegTokenResp is every message after the first (RFC 4178, section 4.2.2).
type NegTokenResp struct {
	// HasState tells that the message has a State.
	HasState bool
	// State is meaningful with HasState only.
	State NegState
	// SupportedMech is the mechanism that the acceptor picked; "" for none.
	SupportedMech gss.OID
	// ResponseToken is the mechanism's token; nil for none.
	ResponseToken []byte
	// MechListMIC is the signature of the initiator's list of mechanisms; nil
	// for none.
	MechListMIC []byte
}

// is reports whether the message announces the state s.
func (t *NegTokenResp) is(s NegState) bool { return t.HasState && t.State == s }

// Append appends the message to dst. It allocates at most once.
func (t *NegTokenResp) Append(dst []byte) []byte {
	fields := t.size()
	dst = grow(dst, sizeTLV(sizeTLV(fields)))
	dst = appendHeader(dst, tagResp, sizeTLV(fields))
	dst = appendHeader(dst, tagSequence, fields)
	if t.HasState {
		dst = append(dst, tagContext, 3, tagEnumerated, 1, byte(t.State))
	}
	if t.SupportedMech != "" {
		dst = appendField(dst, 1, tagOID, string(t.SupportedMech))
	}
	if t.ResponseToken != nil {
		dst = appendField(dst, 2, tagOctetString, t.ResponseToken)
	}
	if t.MechListMIC != nil {
		dst = appendField(dst, 3, tagOctetString, t.MechListMIC)
	}
	return dst
}

// size is the length of all fields.
func (t *NegTokenResp) size() int {
	n := 0
	if t.HasState {
		n += sizeField(1)
	}
	if t.SupportedMech != "" {
		n += sizeField(len(t.SupportedMech))
	}
	if t.ResponseToken != nil {
		n += sizeField(len(t.ResponseToken))
	}
	if t.MechListMIC != nil {
		n += sizeField(len(t.MechListMIC))
	}
	return n
}

// ParseResp reads a NegTokenResp, bare or in a frame. The result aliases tok.
// A mechListMIC that repeats responseToken, as Windows 2000 and those who
// imitated it send it, is taken for absent (RFC 4178, appendix C). The error is
// a [*gss.Error] with ErrDefectiveToken.
func ParseResp(tok []byte) (*NegTokenResp, error) {
	t, err := parseResp(tok)
	if err != nil {
		return nil, parseError(gss.MechSPNEGO, err)
	}
	return t, nil
}

func parseResp(tok []byte) (*NegTokenResp, error) {
	if err := checkSize(tok); err != nil {
		return nil, err
	}
	if tok[0] == tagFrame {
		mech, inner, err := parseFrame(tok)
		if err != nil {
			return nil, err
		}
		if mech != gss.MechSPNEGO {
			return nil, fmt.Errorf("the token is one of %s, not of SPNEGO", mech.Describe())
		}
		tok = inner
	}
	seq, err := readChoice(tok, tagResp)
	if err != nil {
		return nil, fmt.Errorf("NegTokenResp: %w", err)
	}
	t := new(NegTokenResp)
	if err := eachField(seq, t.parseField); err != nil {
		return nil, fmt.Errorf("NegTokenResp: %w", err)
	}
	if t.ResponseToken != nil && bytes.Equal(t.MechListMIC, t.ResponseToken) {
		t.MechListMIC = nil
	}
	return t, nil
}

func (t *NegTokenResp) parseField(number int, body cryptobyte.String) (err error) {
	switch number {
	case 0:
		t.HasState = true
		t.State, err = parseState(body)
	case 1:
		var ok bool
		if t.SupportedMech, ok = readOID(&body); !ok || !body.Empty() {
			return errors.New("supportedMech is no object identifier")
		}
	case 2:
		t.ResponseToken, err = readTag(body, tagOctetString, "responseToken")
	case 3:
		t.MechListMIC, err = readTag(body, tagOctetString, "mechListMIC")
	}
	return err
}

func parseState(body cryptobyte.String) (NegState, error) {
	b, err := readTag(body, tagEnumerated, "negState")
	if err != nil {
		return 0, err
	}
	if len(b) != 1 || b[0] > byte(StateRequestMIC) {
		return 0, errors.New("negState is none of the four states")
	}
	return NegState(b[0]), nil
}
