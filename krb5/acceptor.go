package krb5

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// acceptor is the acceptor's context of mechanism krb5 (RFC 4121). It takes one
// token.
type acceptor struct {
	p        *Provider
	cred     *acceptorCredential
	bindings *gss.ChannelBindings
	oid      gss.OID

	state     state
	session   *etype.Key
	client    principal.Name
	server    principal.Name
	expires   time.Time
	flags     gss.Flags
	delegated *login
	subkey    [maxKeySize]byte
	protection
}

func (c *acceptor) begin(context.Context) (gss.SecContext, error) { return c, nil }

// Step verifies the AP-REQ and makes the AP-REP if the initiator wants one. With
// an error comes a KRB-ERROR token for the initiator.
func (c *acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if err := ctx.Err(); err != nil {
		c.state = stateDead
		return nil, false, err
	}
	if c.state != stateNew {
		c.state = stateDead
		return nil, false, defective("accept", "a token after the context was finished")
	}
	out, err = c.accept(in)
	if err != nil {
		c.state = stateDead
		if r, ok := err.(*refusal); ok {
			return c.refuse(r), false, r.err
		}
		return nil, false, err
	}
	c.state = stateDone
	return out, true, nil
}

// refusal is an error that the initiator is told.
type refusal struct {
	code krbmsg.ErrorCode
	err  *gss.Error
}

func (r *refusal) Error() string { return r.err.Error() }

func refuse(major gss.Major, code krbmsg.ErrorCode, format string, args ...any) error {
	e := failure(major, "accept", format, args...)
	e.Minor = uint32(code)
	return &refusal{code: code, err: e}
}

func (c *acceptor) refuse(r *refusal) []byte {
	server := c.server
	if server.IsZero() {
		server = principal.New("", "unknown")
	}
	return errorToken(c.oid, &krbmsg.KRBError{ServerTime: c.p.now(), Code: r.code, Server: server})
}

func (c *acceptor) accept(in []byte) ([]byte, error) {
	id, msg, err := splitToken("accept", in)
	if err != nil {
		return nil, err
	}
	if id != idAPReq {
		return nil, defective("accept", "the token is no AP-REQ")
	}
	req, err := krbmsg.ParseAPReq(msg)
	if err != nil {
		return nil, defective("accept", "%w", err)
	}
	part, err := c.openTicket(&req)
	if err != nil {
		return nil, err
	}
	auth, err := c.openAuthenticator(&req, part)
	if err != nil {
		return nil, err
	}
	sum, err := c.checkChecksum(auth)
	if err != nil {
		return nil, err
	}
	if err := c.p.replay.check(c.p.now(), c.p.skew(), auth.Time, req.Authenticator.Cipher); err != nil {
		return nil, err
	}
	if err := c.takeDelegation(&sum, auth); err != nil {
		return nil, err
	}
	c.client, c.expires = part.Client, part.EndTime
	return c.answer(&req, auth)
}

// openTicket decrypts the ticket and checks that it is valid now (RFC 4120,
// section 3.2.3).
func (c *acceptor) openTicket(req *krbmsg.APReq) (*krbmsg.EncTicketPart, error) {
	c.server = req.Ticket.Server
	if req.Options&krbmsg.APUseSessionKey != 0 {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrNoKey, "a user-to-user ticket, which a keytab cannot open")
	}
	keys, err := c.p.keysOf(c.cred.path)
	if err != nil {
		return nil, err
	}
	plain, code := keys.open(&req.Ticket, c.cred.matches)
	if code != 0 {
		return nil, refuse(gss.ErrFailure, code, "%w", c.explainKeys(code, &req.Ticket, keys))
	}
	part, err := krbmsg.ParseEncTicketPart(plain)
	if err != nil {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrModified, "%w", err)
	}
	if c.session, err = etype.NewKey(etype.ID(part.Key.Type), part.Key.Value); err != nil || !c.p.permitted(part.Key.Type) {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrETypeNoSupp, "the ticket's session key is of type %s, which is not permitted", etype.ID(part.Key.Type))
	}
	now, skew := c.p.now(), c.p.skew()
	start := part.StartTime
	if start.IsZero() {
		start = part.AuthTime
	}
	switch {
	case part.Flags&krbmsg.FlagInvalid != 0, start.Sub(now) > skew:
		return nil, refuse(gss.ErrFailure, krbmsg.ErrTktNYV, "the ticket of %s is valid only from %s on", part.Client, start.Format(time.RFC3339))
	case now.Sub(part.EndTime) > skew:
		return nil, refuse(gss.ErrCredentialsExpired, krbmsg.ErrTktExpired, "the ticket of %s expired at %s", part.Client, part.EndTime.Format(time.RFC3339))
	case len(part.Client.Components) == 0 || part.Client.Realm == "":
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrBadMatch, "the ticket names no client")
	}
	return &part, nil
}

// explainKeys tells why no key opens a ticket, and what to do about it.
func (c *acceptor) explainKeys(code krbmsg.ErrorCode, t *krbmsg.Ticket, keys keyTable) error {
	switch code {
	case krbmsg.ErrNotUs:
		have := "nothing"
		if len(keys) > 0 {
			have = keys[0].principal.String()
		}
		return fmt.Errorf("the ticket is for %s, and the keytab %s has no such principal (the first it has is %s): add its key, or have the client use another target", t.Server, c.cred.path, have)
	case krbmsg.ErrNoKey:
		return fmt.Errorf("the ticket for %s is encrypted with %s, of which the keytab %s has no permitted key: export the keytab again", t.Server, etype.ID(t.Enc.EType), c.cred.path)
	}
	return fmt.Errorf("the ticket for %s (key version %d) does not open with the key in the keytab %s: the service was rekeyed, export the keytab again", t.Server, t.Enc.KVNO, c.cred.path)
}

// openAuthenticator decrypts the authenticator and checks that it is of the
// ticket's client and of this time.
func (c *acceptor) openAuthenticator(req *krbmsg.APReq, part *krbmsg.EncTicketPart) (*krbmsg.Authenticator, error) {
	if req.Authenticator.EType != int32(c.session.Type()) {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrBadIntegrity, "the authenticator is not encrypted with the ticket's key")
	}
	plain, err := c.session.AppendDecrypt(nil, krbmsg.UsageAPReqAuthenticator, req.Authenticator.Cipher)
	if err != nil {
		return nil, refuse(gss.ErrBadMIC, krbmsg.ErrBadIntegrity, "the authenticator is not encrypted with the ticket's key")
	}
	auth, err := krbmsg.ParseAuthenticator(plain)
	if err != nil {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrModified, "%w", err)
	}
	now := c.p.now()
	switch off := auth.Time.Sub(now); {
	case !auth.Client.Equal(part.Client):
		return nil, refuse(gss.ErrFailure, krbmsg.ErrBadMatch, "the ticket is of %s and the authenticator of %s", part.Client, auth.Client)
	case off.Abs() > c.p.skew():
		return nil, refuse(gss.ErrFailure, krbmsg.ErrSkew, "the client's clock says %s and this machine's %s, which is more than %s apart: synchronise them", auth.Time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), c.p.skew())
	}
	return &auth, nil
}

// checkChecksum reads the GSS-API checksum and compares the channel bindings.
func (c *acceptor) checkChecksum(auth *krbmsg.Authenticator) (sum gssChecksum, err error) {
	if auth.Checksum.Type != krbmsg.ChecksumGSSAPI {
		return sum, refuse(gss.ErrDefectiveToken, krbmsg.ErrInappCksum, "the authenticator has no GSS-API checksum: it was not made for this protocol")
	}
	sum, ok := parseChecksum(auth.Checksum.Sum)
	if !ok {
		return sum, refuse(gss.ErrDefectiveToken, krbmsg.ErrInappCksum, "the authenticator's GSS-API checksum is malformed")
	}
	c.flags = sum.flags & (requestFlags | gss.FlagConfidentiality | gss.FlagIntegrity)
	if c.bindings == nil {
		return sum, nil
	}
	own := hashBindings(c.bindings)
	none := sum.bindings == [len(sum.bindings)]byte{}
	switch {
	case subtle.ConstantTimeCompare(own[:], sum.bindings[:]) == 1:
		c.flags |= gss.FlagChannelBound
	case !none:
		return sum, refuse(gss.ErrBadBindings, krbmsg.ErrMutFail, "%s presented the bindings of another channel: somebody stands in the middle, or TLS ends at a proxy", auth.Client)
	case saysCBT(auth.AuthData):
		return sum, refuse(gss.ErrBadBindings, krbmsg.ErrMutFail, "%s presents channel bindings as a rule and presented none: somebody stands in the middle, or TLS ends at a proxy", auth.Client)
	}
	return sum, nil
}

// takeDelegation makes a credential of what the initiator delegates.
func (c *acceptor) takeDelegation(sum *gssChecksum, auth *krbmsg.Authenticator) error {
	if !sum.flags.Has(gss.FlagDelegate) {
		return nil
	}
	var subkey *etype.Key
	if !auth.Subkey.IsZero() {
		subkey, _ = etype.NewKey(etype.ID(auth.Subkey.Type), auth.Subkey.Value)
	}
	tickets, err := openCred(sum.deleg, c.session, subkey)
	if err != nil {
		return refuse(gss.ErrDefectiveToken, krbmsg.ErrModified, "the delegated credential of %s: %w", auth.Client, err)
	}
	l := newLogin(c.p, auth.Client, "the credential delegated by "+auth.Client.String())
	for _, t := range tickets {
		if t.Client.IsZero() {
			t.Client = auth.Client
		}
		if !t.Client.Equal(auth.Client) {
			return refuse(gss.ErrDefectiveToken, krbmsg.ErrBadMatch, "%s delegates a credential of %s", auth.Client, t.Client)
		}
		l.addFromCache(t)
	}
	c.delegated = l
	c.flags |= gss.FlagDelegate
	return nil
}

// answer establishes the context, with an AP-REP that proves who we are and
// brings our sub-key if the initiator asks for one.
func (c *acceptor) answer(req *krbmsg.APReq, auth *krbmsg.Authenticator) ([]byte, error) {
	c.receive.next = uint64(auth.SeqNumber)
	c.send = newSequence()
	c.keyType, c.keyValue = etype.ID(auth.Subkey.Type), auth.Subkey.Value
	if auth.Subkey.IsZero() {
		c.keyType, c.keyValue = c.session.Type(), c.session.Bytes()
	}
	c.established = true
	if req.Options&krbmsg.APMutualRequired == 0 {
		c.flags &^= gss.FlagMutual
		// Without an answer the initiator expects our numbers to begin with its own.
		c.send = uint64(auth.SeqNumber)
		return nil, nil
	}
	c.flags |= gss.FlagMutual
	id := c.session.Type()
	key := c.subkey[:id.KeySize()]
	rand.Read(key)
	c.keyType, c.keyValue, c.acceptorSubkey = id, key, true
	part := krbmsg.EncAPRepPart{
		Time:      auth.Time,
		Subkey:    krbmsg.EncryptionKey{Type: int32(id), Value: key},
		HasSeq:    true,
		SeqNumber: uint32(c.send),
	}
	w := der.Writer{Buf: make([]byte, 0, 256)}
	frame := w.Begin(der.App(0))
	oid := w.Begin(der.TagOID)
	w.Buf = append(w.Buf, c.oid...)
	w.End(oid)
	w.Buf = append(w.Buf, idAPRep...)
	err := appendAPRep(&w, c.session, &part)
	w.End(frame)
	if err != nil {
		return nil, failure(gss.ErrFailure, "accept", "%w", err)
	}
	return w.Buf, nil
}

// Info describes the context.
func (c *acceptor) Info() gss.ContextInfo {
	info := gss.ContextInfo{Mechanism: c.oid}
	if c.state != stateDone {
		return info
	}
	info.Initiator = gssName(c.client)
	info.Acceptor = gssName(c.server)
	info.Flags = c.flags
	info.Expires = c.expires
	if c.delegated != nil {
		info.Delegated = loginCredential{c.delegated}
	}
	return info
}

// Close wipes the keys. What was delegated stays usable.
func (c *acceptor) Close() error {
	clear(c.subkey[:])
	c.wipe()
	c.state = stateDead
	return nil
}

// LogValue shows who and how far, and no key.
func (c *acceptor) LogValue() slog.Value {
	return slog.StringValue("krb5 acceptor context for " + c.server.String())
}
