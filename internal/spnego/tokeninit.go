package spnego

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/go-negotiate/negotiate/gss"
)

// NegTokenInit is the initiator's first message (RFC 4178, section 4.2.1), or
// with Hint the acceptor's NegTokenInit2 (MS-SPNG, section 2.2.1).
type NegTokenInit struct {
	// MechTypes are the mechanisms that are offered, preferred first. Nil is
	// a message without that field, which RFC 4178 does not allow.
	MechTypes []gss.OID
	// ReqFlags is the content of the BIT STRING reqFlags: a count of unused
	// bits, then the bits. Nil for none, as RFC 4178 wants it.
	ReqFlags []byte
	// MechToken is the optimistic token, of the first of MechTypes; nil for
	// none.
	MechToken []byte
	// MechListMIC is the signature of MechListDER; nil for none.
	MechListMIC []byte
	// Hint is negHints of NegTokenInit2; nil for none.
	Hint *NegHints

	mechList []byte // as it was received
}

// NegHints is in the NegTokenInit2 of Windows. It is not authenticated and
// tells nothing of use: its name is "not_defined_in_RFC4178@please_ignore".
type NegHints struct {
	Name    string // "" for none
	Address []byte // nil for none
}

// Flags are the context flags in ReqFlags. They are not authenticated.
func (t *NegTokenInit) Flags() gss.Flags {
	if len(t.ReqFlags) < 2 {
		return 0
	}
	order := [...]gss.Flags{gss.FlagDelegate, gss.FlagMutual, gss.FlagReplay, gss.FlagSequence,
		gss.FlagAnonymous, gss.FlagConfidentiality, gss.FlagIntegrity}
	var flags gss.Flags
	for i, f := range order {
		if t.ReqFlags[1]&(0x80>>i) != 0 {
			flags |= f
		}
	}
	return flags
}

// MechListDER is what a mechListMIC is computed over: the DER of the list of
// mechanisms, without the tag of the field. After [ParseInit] these are the
// octets that were received, else the ones that Append would write.
func (t *NegTokenInit) MechListDER() []byte {
	if t.mechList != nil {
		return t.mechList
	}
	return appendMechList(make([]byte, 0, sizeMechList(t.MechTypes)), t.MechTypes)
}

func sizeMechOIDs(mechs []gss.OID) int {
	n := 0
	for _, m := range mechs {
		n += sizeTLV(len(m))
	}
	return n
}

func sizeMechList(mechs []gss.OID) int { return sizeTLV(sizeMechOIDs(mechs)) }

func appendMechList(dst []byte, mechs []gss.OID) []byte {
	dst = appendHeader(dst, tagSequence, sizeMechOIDs(mechs))
	for _, m := range mechs {
		dst = appendTLV(dst, tagOID, string(m))
	}
	return dst
}

// Append appends the message in its frame to dst. It allocates at most once.
func (t *NegTokenInit) Append(dst []byte) []byte {
	dst = grow(dst, sizeFrame(gss.MechSPNEGO, sizeTLV(sizeTLV(t.size()))))
	dst = append(t.appendHead(dst), t.MechToken...)
	mic := byte(3)
	if t.Hint != nil {
		dst = t.Hint.append(dst)
		mic = 4
	}
	if t.MechListMIC != nil {
		dst = appendField(dst, mic, tagOctetString, t.MechListMIC)
	}
	return dst
}

// appendHead appends what comes before the octets of MechToken.
func (t *NegTokenInit) appendHead(dst []byte) []byte {
	fields := t.size()
	dst = appendFrame(dst, gss.MechSPNEGO, sizeTLV(sizeTLV(fields)))
	dst = appendHeader(dst, tagInit, sizeTLV(fields))
	dst = appendHeader(dst, tagSequence, fields)
	if t.MechTypes != nil {
		dst = appendHeader(dst, tagContext, sizeMechList(t.MechTypes))
		dst = appendMechList(dst, t.MechTypes)
	}
	if t.ReqFlags != nil {
		dst = appendField(dst, 1, tagBitString, t.ReqFlags)
	}
	if t.MechToken != nil {
		dst = appendHeader(dst, tagContext|2, sizeTLV(len(t.MechToken)))
		dst = appendHeader(dst, tagOctetString, len(t.MechToken))
	}
	return dst
}

// headRoom is a bound of what appendHead appends, whatever the token's length.
func (t *NegTokenInit) headRoom() int {
	const headers = 8 * 6 // tag and length
	return headers + len(gss.MechSPNEGO) + sizeMechOIDs(t.MechTypes) + sizeField(len(t.ReqFlags))
}

// complete returns the message, whose last field MechToken is the end of buf. In
// front of it is room for the rest.
func (t *NegTokenInit) complete(buf []byte) []byte {
	var room [128]byte
	head := t.appendHead(room[:0])
	begin := len(buf) - len(t.MechToken) - len(head)
	copy(buf[begin:], head)
	return buf[begin:]
}

// size is the length of all fields.
func (t *NegTokenInit) size() int {
	n := 0
	if t.MechTypes != nil {
		n += sizeTLV(sizeMechList(t.MechTypes))
	}
	if t.ReqFlags != nil {
		n += sizeField(len(t.ReqFlags))
	}
	if t.MechToken != nil {
		n += sizeField(len(t.MechToken))
	}
	if t.Hint != nil {
		n += sizeField(t.Hint.size())
	}
	if t.MechListMIC != nil {
		n += sizeField(len(t.MechListMIC))
	}
	return n
}

func (h *NegHints) size() int {
	n := 0
	if h.Name != "" {
		n += sizeField(len(h.Name))
	}
	if h.Address != nil {
		n += sizeField(len(h.Address))
	}
	return n
}

func (h *NegHints) append(dst []byte) []byte {
	dst = appendHeader(dst, tagContext|3, sizeTLV(h.size()))
	dst = appendHeader(dst, tagSequence, h.size())
	if h.Name != "" {
		dst = appendField(dst, 0, tagGeneralString, h.Name)
	}
	if h.Address != nil {
		dst = appendField(dst, 1, tagOctetString, h.Address)
	}
	return dst
}

// ParseInit reads a NegTokenInit or NegTokenInit2 in its frame. The result
// aliases tok. Missing fields are no error. The error is a [*gss.Error] with
// ErrDefectiveToken.
func ParseInit(tok []byte) (*NegTokenInit, error) {
	t, err := parseInit(tok)
	if err != nil {
		return nil, parseError(gss.MechSPNEGO, err)
	}
	return t, nil
}

func parseInit(tok []byte) (*NegTokenInit, error) {
	mech, inner, err := parseFrame(tok)
	if err != nil {
		return nil, err
	}
	if mech != gss.MechSPNEGO {
		return nil, fmt.Errorf("the token is one of %s, not of SPNEGO", mech.Describe())
	}
	seq, err := readChoice(inner, tagInit)
	if err != nil {
		return nil, fmt.Errorf("NegTokenInit: %w", err)
	}
	t := new(NegTokenInit)
	if err := eachField(seq, t.parseField); err != nil {
		return nil, fmt.Errorf("NegTokenInit: %w", err)
	}
	return t, nil
}

// readChoice opens the NegotiationToken down to the fields of its SEQUENCE.
func readChoice(tok []byte, tag asn1.Tag) (cryptobyte.String, error) {
	body, err := readTag(tok, tag, "the message")
	if err != nil {
		return nil, err
	}
	return readTag(body, tagSequence, "the message")
}

func (t *NegTokenInit) parseField(number int, body cryptobyte.String) (err error) {
	switch number {
	case 0:
		t.mechList = body
		t.MechTypes, err = parseMechList(body)
	case 1:
		t.ReqFlags, err = readTag(body, tagBitString, "reqFlags")
	case 2:
		t.MechToken, err = readTag(body, tagOctetString, "mechToken")
	case 3:
		if len(body) > 0 && body[0] == tagSequence {
			t.Hint, err = parseHints(body)
		} else {
			t.MechListMIC, err = readTag(body, tagOctetString, "mechListMIC")
		}
	case 4:
		if t.MechListMIC != nil {
			return errors.New("mechListMIC appears twice, as [3] and as [4]")
		}
		t.MechListMIC, err = readTag(body, tagOctetString, "mechListMIC")
	}
	return err
}

func parseMechList(body cryptobyte.String) ([]gss.OID, error) {
	list, err := readTag(body, tagSequence, "mechTypes")
	if err != nil {
		return nil, err
	}
	mechs := make([]gss.OID, 0, 4)
	for s := cryptobyte.String(list); !s.Empty(); {
		if len(mechs) == maxMechs {
			return nil, fmt.Errorf("mechTypes has more than %d mechanisms", maxMechs)
		}
		m, ok := readOID(&s)
		if !ok {
			return nil, fmt.Errorf("entry %d of mechTypes is no object identifier", len(mechs)+1)
		}
		mechs = append(mechs, m)
	}
	return mechs, nil
}

func parseHints(body cryptobyte.String) (*NegHints, error) {
	seq, err := readTag(body, tagSequence, "negHints")
	if err != nil {
		return nil, err
	}
	h := new(NegHints)
	err = eachField(seq, func(number int, body cryptobyte.String) error {
		switch number {
		case 0:
			name, err := readTag(body, tagGeneralString, "hintName")
			h.Name = string(name)
			return err
		case 1:
			h.Address, err = readTag(body, tagOctetString, "hintAddress")
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("negHints: %w", err)
	}
	return h, nil
}
