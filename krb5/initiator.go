package krb5

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/go-negotiate/negotiate/internal/profile"
)

// state is how far a context has come.
type state uint8

const (
	stateNew state = iota
	stateWaiting
	stateDone
	stateDead
)

// initiator is the initiator's context of mechanism krb5 (RFC 4121).
type initiator struct {
	p         *Provider
	cred      gss.Credential // nil: the default
	target    principal.Name
	hostBased bool // target is, so that its host may be looked up
	want      gss.Flags
	bindings  *gss.ChannelBindings
	oid       gss.OID

	state  state
	login  *login
	ticket *kdcclient.Ticket
	time   time.Time // of the authenticator, in whole microseconds
	flags  gss.Flags
	protection
}

// newInitiator has the key beside the context, in one allocation.
func newInitiator() *initiator {
	var both struct {
		initiator
		key contextKey
	}
	c := &both.initiator
	c.secret = &both.key
	return c
}

// begin lets SPNEGO start the context.
func (c *initiator) begin(context.Context) (gss.SecContext, error) { return c, nil }

// Step makes the AP-REQ, then verifies the AP-REP if mutual authentication was
// asked for. A context without it is done after the first Step, and takes one
// more token: a KRB-ERROR, with which the acceptor says why it refuses.
func (c *initiator) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	return c.step(ctx, in, 0)
}

// First implements spnego.RoomLeaver.
func (c *initiator) First(ctx context.Context, room int) (out []byte, done bool, err error) {
	return c.step(ctx, nil, room)
}

func (c *initiator) step(ctx context.Context, in []byte, room int) (out []byte, done bool, err error) {
	switch c.state {
	case stateNew:
		out, err = c.first(ctx, in, room)
	case stateWaiting:
		err = c.finish(in)
	case stateDone:
		err = c.late(in)
	default:
		err = defective("initiate", "a token after the context had ended")
	}
	if err != nil {
		c.state = stateDead
		return nil, false, err
	}
	return out, c.state == stateDone, nil
}

func (c *initiator) first(ctx context.Context, in []byte, room int) (out []byte, err error) {
	if in != nil {
		return nil, defective("initiate", "a token of the acceptor before the first of the initiator")
	}
	if c.login, err = c.p.loginOf(ctx, c.cred); err != nil {
		return nil, err
	}
	if c.ticket, err = c.getTicket(ctx); err != nil {
		return nil, err
	}
	c.p.logTicket(ctx, "using a ticket", c.ticket)
	sum, err := c.checksum(ctx)
	if err != nil {
		return nil, err
	}
	if out, err = c.apReq(room, &sum); err != nil {
		return nil, failure(gss.ErrFailure, "initiate", "%w", err)
	}
	c.state = stateWaiting
	if !c.flags.Has(gss.FlagMutual) {
		c.establish(krbmsg.EncryptionKey{}, c.send)
	}
	return out, nil
}

// getTicket also looks the target's canonical name up, where krb5.conf says so.
func (c *initiator) getTicket(ctx context.Context) (*kdcclient.Ticket, error) {
	if c.hostBased && c.p.canonicalizes(profile.CanonicalizeAlways) {
		c.target = c.p.canonicalName(ctx, c.target)
	}
	t, err := c.login.serviceTicket(ctx, c.target)
	if c.hostBased && errors.Is(err, krbmsg.ErrSPrincipalUnknown) && c.p.canonicalizes(profile.CanonicalizeFallback) {
		if canonical := c.p.canonicalName(ctx, c.target); !canonical.Equal(c.target) {
			return c.login.serviceTicket(ctx, canonical)
		}
	}
	return t, err
}

// requestFlags are those that a request may set by itself.
const requestFlags = gss.FlagMutual | gss.FlagReplay | gss.FlagSequence

// checksum settles the flags and fetches what delegation needs.
func (c *initiator) checksum(ctx context.Context) (sum gssChecksum, err error) {
	c.flags = c.want&requestFlags | gss.FlagConfidentiality | gss.FlagIntegrity
	if c.bindings != nil {
		sum.bindings = hashBindings(c.bindings)
	}
	if c.delegates() {
		if sum.deleg, err = c.delegation(ctx); err != nil {
			return sum, err
		}
	}
	if sum.deleg != nil {
		c.flags |= gss.FlagDelegate
	}
	sum.flags = c.flags
	if sum.deleg != nil {
		c.flags |= c.want & gss.FlagDelegatePolicy // which concerns this side only
	}
	return sum, nil
}

// delegates reports whether the credential is to be delegated: because the
// caller wants it, or because the realm trusts the service.
func (c *initiator) delegates() bool {
	trusted := c.ticket.Flags&krbmsg.FlagOKAsDelegate != 0
	switch {
	case c.want.Has(gss.FlagDelegatePolicy) && trusted:
		return true
	case !c.want.Has(gss.FlagDelegate):
		return false
	case c.p.conf.EnforceOKAsDelegate && !trusted:
		c.noDelegation(errors.New("the realm does not trust the service for it (OK-AS-DELEGATE), and krb5.conf has enforce_ok_as_delegate = true"))
		return false
	}
	return true
}

// delegation is the KRB-CRED with a forwarded ticket-granting ticket; nil, and
// no error, if there cannot be one.
func (c *initiator) delegation(ctx context.Context) ([]byte, error) {
	tgt, err := c.login.forwardedTGT(ctx, c.ticket.Server)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.noDelegation(err)
		return nil, nil
	}
	cred, err := sealCred(tgt, c.ticket.Key)
	if err == nil && len(cred) > math.MaxUint16 {
		err = fmt.Errorf("the forwarded ticket takes %d octets, and %d fit into a token", len(cred), math.MaxUint16)
	}
	if err != nil {
		c.noDelegation(err)
		return nil, nil
	}
	return cred, nil
}

func (c *initiator) noDelegation(why error) {
	c.p.log.Warn("no credential is delegated", slog.String("target", c.ticket.Server.String()), slog.Any("error", why))
}

// apReq encodes the token in one buffer, after room octets, and encrypts the
// authenticator there.
func (c *initiator) apReq(room int, sum *gssChecksum) ([]byte, error) {
	key := c.ticket.Key
	c.send = newSequence()
	c.secret.random(key.Type())
	c.time = c.login.authenticatorTime()
	var sumBuf [checksumLen]byte
	auth := krbmsg.Authenticator{
		Client:    c.ticket.Client,
		Checksum:  krbmsg.Checksum{Type: krbmsg.ChecksumGSSAPI, Sum: sum.append(sumBuf[:0])},
		Time:      c.time,
		Subkey:    c.secret.message(),
		HasSeq:    true,
		SeqNumber: uint32(c.send),
	}
	if c.bindings != nil {
		auth.AuthData = cbtAuthData()
	}
	options := uint32(0)
	if c.flags.Has(gss.FlagMutual) {
		options = krbmsg.APMutualRequired
	}
	return apReqToken(room, c.oid, options, c.ticket.Raw, key, &auth)
}

// newSequence is an initial sequence number. It has 30 bits, since some peers
// take it for signed.
func newSequence() uint64 {
	var b [4]byte
	rand.Read(b[:])
	return uint64(binary.BigEndian.Uint32(b[:]) & 0x3fffffff)
}

// finish takes the acceptor's answer.
func (c *initiator) finish(in []byte) error {
	id, msg, err := splitToken("initiate", in)
	if err != nil {
		return err
	}
	switch id {
	case idAPRep:
		return c.verify(msg)
	case idError:
		return c.refused(msg)
	}
	return defective("initiate", "the acceptor sent a token that is neither an AP-REP nor an error")
}

// late takes a token that comes when the context is done.
func (c *initiator) late(in []byte) error {
	if id, msg, err := splitToken("initiate", in); err == nil && id == idError && !c.flags.Has(gss.FlagMutual) {
		return c.refused(msg)
	}
	return defective("initiate", "a token after the context was finished")
}

// verify checks that the acceptor could read our authenticator (RFC 4120,
// section 3.2.5).
func (c *initiator) verify(msg []byte) error {
	rep, err := krbmsg.ParseAPRep(msg)
	if err != nil {
		return defective("initiate", "%w", err)
	}
	plain, err := c.ticket.Key.AppendDecrypt(nil, krbmsg.UsageAPRepPart, rep.Enc.Cipher)
	if err != nil || rep.Enc.EType != int32(c.ticket.Key.Type()) {
		return failure(gss.ErrBadMIC, "initiate", "the acceptor's AP-REP is not encrypted with the key of %s's ticket: it has not proved that it is %s", c.ticket.Server, c.ticket.Server)
	}
	defer clear(plain)
	part, err := krbmsg.ParseEncAPRepPart(plain)
	if err != nil {
		return defective("initiate", "%w", err)
	}
	if !part.Time.Equal(c.time) {
		return failure(gss.ErrBadMIC, "initiate", "the acceptor's AP-REP answers another request: it has not proved that it is %s", c.ticket.Server)
	}
	if len(part.Subkey.Value) > maxKeySize {
		return defective("initiate", "the acceptor's sub-key has %d octets", len(part.Subkey.Value))
	}
	c.establish(part.Subkey, uint64(part.SeqNumber))
	return nil
}

// refused explains a KRB-ERROR of the acceptor. Nothing protects it: it ends the
// context and changes nothing else.
func (c *initiator) refused(msg []byte) error {
	e, err := krbmsg.ParseKRBError(msg)
	if err != nil {
		return defective("initiate", "%w", err)
	}
	hint := ""
	switch e.Code {
	case krbmsg.ErrModified, krbmsg.ErrBadIntegrity, krbmsg.ErrBadKeyVer, krbmsg.ErrNoKey, krbmsg.ErrNotUs:
		hint = "; its keytab and the KDC disagree about " + c.ticket.Server.String() + ": export the keytab again, or name another target"
	case krbmsg.ErrSkew, krbmsg.ErrTktNYV:
		hint = "; its clock says " + e.ServerTime.UTC().Format(time.RFC3339) + " and ours " + c.time.UTC().Format(time.RFC3339)
	case krbmsg.ErrTktExpired:
		hint = "; the ticket ends at " + c.ticket.EndTime.UTC().Format(time.RFC3339) + " and its clock says " + e.ServerTime.UTC().Format(time.RFC3339)
	}
	err = fmt.Errorf("the acceptor refused the ticket for %s: %w%s", c.ticket.Server, e, hint)
	// A code of zero says nothing, and the zero Minor that there was none.
	minor := uint32(e.Code)
	if minor == 0 {
		minor = uint32(krbmsg.ErrGeneric)
	}
	return &gss.Error{Major: gss.ErrFailure, Minor: minor, Mech: gss.MechKRB5, Op: "initiate", Err: err}
}

// establish finishes the context. The acceptor's sub-key, if it has sent one,
// protects messages; else ours does (RFC 4121, section 2).
func (c *initiator) establish(acceptors krbmsg.EncryptionKey, receive uint64) {
	c.protection.initiator = true
	if !acceptors.IsZero() {
		c.acceptorSubkey = true
		c.secret.set(etype.ID(acceptors.Type), acceptors.Value)
	}
	c.receive = window{next: receive, ordered: c.flags.Has(gss.FlagSequence)}
	c.established = true
	c.state = stateDone
}

// Info describes the context. FlagChannelBound says that bindings were
// presented, which an acceptor that has bindings must have matched.
func (c *initiator) Info() gss.ContextInfo {
	info := gss.ContextInfo{Mechanism: c.oid}
	if c.state != stateDone {
		return info
	}
	info.Initiator = gssName(c.ticket.Client)
	info.Acceptor = gssName(c.ticket.Server)
	info.Flags = c.flags
	if c.bindings != nil {
		info.Flags |= gss.FlagChannelBound
	}
	info.Expires = c.ticket.EndTime
	return info
}

// Forget drops the cached service ticket, so that the next context gets a new
// one from the KDC.
func (c *initiator) Forget() {
	if c.login != nil && c.ticket != nil {
		c.login.forget(c.ticket)
	}
}

// Close wipes the context's key.
func (c *initiator) Close() error {
	c.wipe()
	c.state = stateDead
	return nil
}
