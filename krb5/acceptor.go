package krb5

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/replay"
)

// acceptor is the acceptor's context of mechanism krb5 (RFC 4121). It takes one
// token.
type acceptor struct {
	p        *Provider
	cred     *acceptorCredential
	bindings *gss.ChannelBindings
	oid      gss.OID

	state     state
	named     principal.Name // the service as the ticket names it, unprotected
	ticket    *openedTicket
	flags     gss.Flags
	delegated gss.Credential
	protection
}

// newAcceptor has the key beside the context, in one allocation.
func newAcceptor() *acceptor {
	var both struct {
		acceptor
		key contextKey
	}
	c := &both.acceptor
	c.secret = &both.key
	return c
}

func (c *acceptor) begin(context.Context) (gss.SecContext, error) { return c, nil }

// Step verifies the AP-REQ and makes the AP-REP if the initiator wants one. With
// an error comes a KRB-ERROR token for the initiator.
func (c *acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	first := c.state == stateNew
	c.state = stateDead // unless this Step succeeds
	switch {
	case ctx.Err() != nil:
		return nil, false, context.Cause(ctx)
	case !first:
		return nil, false, defective("accept", "a token after the context was finished")
	}
	out, err = c.accept(in)
	if r, ok := err.(*refusal); ok {
		return c.refusalToken(r), false, r.err
	}
	if err != nil {
		return nil, false, err
	}
	c.goOn(ctx)
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

func (c *acceptor) refusalToken(r *refusal) []byte {
	server := c.named
	if len(server.Components) == 0 {
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
	c.named = req.Ticket.Server
	if req.Options&krbmsg.APUseSessionKey != 0 {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrNoKey, "a user-to-user ticket, which a keytab cannot open")
	}
	keys, err := c.cred.keys("accept")
	if err != nil {
		return nil, err
	}
	var room [512]byte // for what is decrypted, first the ticket and then the authenticator
	ticket, err := c.openTicket(&req.Ticket, keys, room[:0])
	if err != nil {
		return nil, err
	}
	now := c.p.now()
	if err := c.checkTicket(ticket, now); err != nil {
		return nil, err
	}
	plain, err := c.openAuthenticator(&req, ticket, room[:0])
	if err != nil {
		return nil, err
	}
	defer clear(plain) // it has a key
	auth, err := c.readAuthenticator(plain, ticket, now)
	if err != nil {
		return nil, err
	}
	sum, err := c.checkChecksum(&auth)
	if err != nil {
		return nil, err
	}
	if err := c.checkReplay(&req, &auth, now); err != nil {
		return nil, err
	}
	keys.opened.add(ticket)
	c.ticket = ticket
	if err := c.takeDelegation(&sum, &auth); err != nil {
		return nil, err
	}
	return c.answer(&auth)
}

func (c *acceptor) openAuthenticator(req *krbmsg.APReq, t *openedTicket, dst []byte) ([]byte, error) {
	if req.Authenticator.EType != int32(t.session.Type()) {
		return nil, refuse(gss.ErrDefectiveToken, krbmsg.ErrBadIntegrity, "the authenticator is encrypted with %s, and the ticket's key is of type %s", etype.ID(req.Authenticator.EType), t.session.Type())
	}
	plain, err := t.session.AppendDecrypt(dst, krbmsg.UsageAPReqAuthenticator, req.Authenticator.Cipher)
	if err != nil {
		return nil, refuse(gss.ErrBadMIC, krbmsg.ErrBadIntegrity, "the authenticator is not encrypted with the ticket's key: whoever sent it has not got the ticket from the KDC")
	}
	return plain, nil
}

// readAuthenticator checks that the authenticator is of the ticket's client and
// of this time.
func (c *acceptor) readAuthenticator(plain []byte, t *openedTicket, now time.Time) (auth krbmsg.Authenticator, err error) {
	if auth, err = krbmsg.ParseAuthenticator(plain); err != nil {
		return auth, refuse(gss.ErrDefectiveToken, krbmsg.ErrModified, "%w", err)
	}
	switch {
	case !auth.Client.Equal(t.client):
		return auth, refuse(gss.ErrFailure, krbmsg.ErrBadMatch, "the ticket is of %s and the authenticator of %s", t.client, auth.Client)
	case auth.Time.Sub(now).Abs() > c.p.skew():
		return auth, refuse(gss.ErrFailure, krbmsg.ErrSkew, "the client's clock says %s and this machine's %s, which is more than %s apart: synchronise them", auth.Time.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), c.p.skew())
	case len(auth.Subkey.Value) > maxKeySize:
		return auth, refuse(gss.ErrDefectiveToken, krbmsg.ErrETypeNoSupp, "the authenticator's sub-key has %d octets", len(auth.Subkey.Value))
	}
	return auth, nil
}

// acceptedFlags are those that the initiator may set by itself. Mutual
// authentication goes by the flag here, which is protected, and not by the option
// of the AP-REQ, which is not.
const acceptedFlags = requestFlags | gss.FlagConfidentiality | gss.FlagIntegrity

// checkChecksum reads the GSS-API checksum and compares the channel bindings.
func (c *acceptor) checkChecksum(auth *krbmsg.Authenticator) (sum gssChecksum, err error) {
	if auth.Checksum.Type != krbmsg.ChecksumGSSAPI {
		return sum, refuse(gss.ErrDefectiveToken, krbmsg.ErrInappCksum, "the authenticator has no GSS-API checksum: it was not made for this protocol")
	}
	sum, ok := parseChecksum(auth.Checksum.Sum)
	if !ok {
		return sum, refuse(gss.ErrDefectiveToken, krbmsg.ErrInappCksum, "the authenticator's GSS-API checksum is malformed")
	}
	c.flags = sum.flags & acceptedFlags
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

func (c *acceptor) checkReplay(req *krbmsg.APReq, auth *krbmsg.Authenticator, now time.Time) error {
	switch c.p.replay.Check(now, auth.Time, req.Authenticator.Cipher) {
	case nil:
		return nil
	case replay.ErrRepeated:
		return refuse(gss.ErrDuplicateToken|gss.ErrFailure, krbmsg.ErrRepeat, "this token was used before: it was replayed, or sent twice")
	}
	return refuse(gss.ErrOldToken|gss.ErrFailure, krbmsg.ErrSkew, "so many authenticators came that it is no longer known whether one of %s was used: retry, or raise ReplayCacheSize", auth.Time.UTC().Format(time.RFC3339))
}

// takeDelegation makes a credential of what the initiator delegates. If its keys
// are of a type that is not supported here the context goes without.
func (c *acceptor) takeDelegation(sum *gssChecksum, auth *krbmsg.Authenticator) error {
	if !sum.flags.Has(gss.FlagDelegate) {
		return nil
	}
	var subkey *etype.Key
	if !auth.Subkey.IsZero() {
		subkey, _ = etype.NewKey(etype.ID(auth.Subkey.Type), auth.Subkey.Value)
	}
	tickets, err := openCred(sum.deleg, c.ticket.session, subkey)
	if errors.Is(err, etype.ErrUnsupported) {
		c.p.log.Warn("a delegated credential cannot be used", "client", auth.Client.String(), "error", err)
		return nil
	}
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
		// The keys in the message are the initiator's to choose. A ticket for any
		// service but the ticket-granting one of its own realm would have it speak
		// for that service.
		if t.Server.IsTGS() && realmOf(t) == auth.Client.Realm && t.Server.Realm == auth.Client.Realm {
			l.addKnown(t)
		}
	}
	if l.held() == nil {
		c.p.log.Warn("a delegated credential cannot be used: it has no ticket-granting ticket of the client's realm", "client", auth.Client.String())
		return nil
	}
	c.delegated = newOwnCredential(l)
	c.flags |= gss.FlagDelegate
	return nil
}

// answer establishes the context, with an AP-REP that proves who we are and
// brings our sub-key if the initiator asks for one.
func (c *acceptor) answer(auth *krbmsg.Authenticator) ([]byte, error) {
	session := c.ticket.session
	c.receive = window{next: uint64(auth.SeqNumber), ordered: c.flags.Has(gss.FlagSequence)}
	c.established = true
	if !c.flags.Has(gss.FlagMutual) {
		// Without an answer the initiator expects our numbers to begin with its own.
		c.send = uint64(auth.SeqNumber)
		c.secret.set(etype.ID(auth.Subkey.Type), auth.Subkey.Value)
		if auth.Subkey.IsZero() {
			c.secret.set(session.Type(), session.Bytes())
		}
		return nil, nil
	}
	c.secret.random(session.Type())
	c.acceptorSubkey = true
	c.send = newSequence()
	part := krbmsg.EncAPRepPart{
		Time:      auth.Time,
		Subkey:    c.secret.message(),
		HasSeq:    true,
		SeqNumber: uint32(c.send),
	}
	token, err := apRepToken(c.oid, session, &part)
	if err != nil {
		return nil, failure(gss.ErrFailure, "accept", "%w", err)
	}
	return token, nil
}

// Info describes the context. The acceptor is the one whose key opened the
// ticket, whatever the client called it.
func (c *acceptor) Info() gss.ContextInfo {
	info := gss.ContextInfo{Mechanism: c.oid}
	if c.state != stateDone {
		return info
	}
	info.Initiator = gssName(c.ticket.client)
	info.Acceptor = gssName(c.ticket.server)
	info.Flags = c.flags
	if c.ticket.anonymous() {
		info.Flags |= gss.FlagAnonymous
	}
	info.Expires = c.ticket.end
	info.Delegated = c.delegated
	return info
}

// Close wipes the context's key. What was delegated stays usable.
func (c *acceptor) Close() error {
	c.wipe()
	c.state = stateDead
	return nil
}
