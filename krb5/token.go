package krb5

import (
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// Token identifiers (RFC 4121, section 4.1).
const (
	idAPReq = "\x01\x00"
	idAPRep = "\x02\x00"
	idError = "\x03\x00"
)

// splitToken cuts a context token into its identifier and its message. Tokens
// under either number of the mechanism are taken.
func splitToken(op string, tok []byte) (id string, msg []byte, err error) {
	mech, inner, err := spnego.ParseInitialToken(tok)
	switch {
	case err != nil:
		return "", nil, defective(op, "%w", err)
	case mech != gss.MechKRB5 && mech != gss.MechMSKRB5:
		return "", nil, failure(gss.ErrBadMech, op, "the token is of mechanism %s", mech.Describe())
	case len(inner) < 2:
		return "", nil, defective(op, "the token ends before its identifier")
	}
	return string(inner[:2]), inner[2:], nil
}

// errorToken is the token that tells the initiator why it was refused.
func errorToken(oid gss.OID, e *krbmsg.KRBError) []byte {
	return spnego.AppendInitialToken(nil, oid, e.Append([]byte(idError)))
}

// The messages below are encoded and encrypted in the buffer that is sent, since
// a server or a client makes one for each request.

// apReqToken makes the token with an AP-REQ, after room octets for the caller.
func apReqToken(room int, oid gss.OID, options uint32, ticket []byte, key *etype.Key, auth *krbmsg.Authenticator) ([]byte, error) {
	w := der.Writer{Buf: make([]byte, room, room+len(ticket)+len(auth.Checksum.Sum)+512)}
	frame := beginToken(&w, oid, idAPReq)
	err := appendAPReq(&w, options, ticket, key, auth)
	w.End(frame)
	return w.Buf, err
}

// apRepToken makes the token with an AP-REP.
func apRepToken(oid gss.OID, key *etype.Key, part *krbmsg.EncAPRepPart) ([]byte, error) {
	w := der.Writer{Buf: make([]byte, 0, 256)}
	frame := beginToken(&w, oid, idAPRep)
	err := appendAPRep(&w, key, part)
	w.End(frame)
	return w.Buf, err
}

// beginToken writes the frame of a token and its identifier (RFC 4121, section
// 4.1), and returns the mark that ends it.
func beginToken(w *der.Writer, oid gss.OID, id string) der.Mark {
	frame := w.BeginLong(der.App(0))
	mark := w.Begin(der.TagOID)
	w.Buf = append(w.Buf, oid...)
	w.End(mark)
	w.Buf = append(w.Buf, id...)
	return frame
}

// appendAPReq appends an AP-REQ with the authenticator encrypted under the
// ticket's session key.
func appendAPReq(w *der.Writer, options uint32, ticket []byte, key *etype.Key, auth *krbmsg.Authenticator) error {
	app := w.BeginLong(der.App(krbmsg.TypeAPReq))
	seq := w.BeginLong(der.TagSequence)
	w.CtxInt(0, krbmsg.Version)
	w.CtxInt(1, krbmsg.TypeAPReq)
	w.CtxBits32(2, options)
	w.CtxRaw(3, ticket)
	err := appendSealed(w, 4, key, krbmsg.UsageAPReqAuthenticator, auth.Append)
	w.End(seq)
	w.End(app)
	return err
}

// appendAPRep appends an AP-REP.
func appendAPRep(w *der.Writer, key *etype.Key, part *krbmsg.EncAPRepPart) error {
	app := w.Begin(der.App(krbmsg.TypeAPRep))
	seq := w.Begin(der.TagSequence)
	w.CtxInt(0, krbmsg.Version)
	w.CtxInt(1, krbmsg.TypeAPRep)
	err := appendSealed(w, 2, key, krbmsg.UsageAPRepPart, part.Append)
	w.End(seq)
	w.End(app)
	return err
}

// appendSealed appends field n with EncryptedData, encrypting in place what
// plain appends.
func appendSealed(w *der.Writer, n uint8, key *etype.Key, usage uint32, plain func([]byte) []byte) error {
	id := key.Type()
	field := w.Begin(der.Ctx(n))
	seq := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(id))
	cipher := w.Begin(der.Ctx(2))
	octets := w.Begin(der.TagOctetString)
	start := len(w.Buf)
	w.Buf = append(w.Buf, make([]byte, id.Confounder())...)
	w.Buf = plain(w.Buf)
	w.Buf = append(w.Buf, make([]byte, id.MACSize())...)
	err := key.Seal(usage, w.Buf[start:])
	w.End(octets)
	w.End(cipher)
	w.End(seq)
	w.End(field)
	return err
}
