package negotiate

import (
	"bytes"
	"crypto/tls"

	"github.com/go-negotiate/negotiate/gss"
)

// maxLegs is how many tokens of one context are sent at most.
const maxLegs = 8

// session is a security context and how far it is.
type session struct {
	sc       gss.SecContext
	bindings *gss.ChannelBindings
	legs     int  // tokens made
	peer     bool // a token of the server was taken: the server holds state
	done     bool
}

// flags are the properties that the context is to have. Integrity lets SPNEGO
// protect its list of mechanisms. Replay detection and sequencing concern
// messages, of which HTTP has none unless there is a Protection.
func (n *negotiation) flags() gss.Flags {
	f := gss.FlagIntegrity
	if n.t.Mutual != MutualDisabled {
		f |= gss.FlagMutual
	}
	if n.protection != nil {
		f |= gss.FlagConfidentiality | gss.FlagReplay | gss.FlagSequence
	}
	if n.delegates {
		f |= n.t.Delegation.flags()
	}
	return f
}

// begin makes a context for the channel and its first token. The error is an
// *ExchangeError.
func (n *negotiation) begin(channel *tls.ConnectionState) ([]byte, error) {
	n.end()
	if n.who.err != nil {
		return nil, &ExchangeError{StageCredential, n.who.err}
	}
	target, err := n.target()
	if err != nil {
		return nil, &ExchangeError{StageTarget, err}
	}
	bindings, err := n.t.ChannelBindings.bindings(n.req.URL.Scheme, channel)
	if err != nil {
		return nil, &ExchangeError{StageBinding, err}
	}
	o := gss.InitiateOptions{
		Credential:      n.who.cred,
		Target:          target,
		Mechanism:       n.t.Mechanism,
		Flags:           n.flags(),
		ChannelBindings: bindings,
	}
	n.logContext(&o)
	sc, err := n.who.provider.Initiate(n.ctx, o)
	if err != nil {
		n.c.gssLog.DebugContext(n.ctx, "no context", "target", target, "provider", n.who.provider, "error", err)
		return nil, &ExchangeError{StageInitiate, err}
	}
	n.session = &session{sc: sc, bindings: bindings}
	token, err := n.step(nil)
	if err != nil {
		n.end()
		return nil, &ExchangeError{StageInitiate, err}
	}
	if len(token) == 0 {
		n.end()
		return nil, &ExchangeError{StageInitiate, errNoToken}
	}
	n.ex.Target = target
	return token, nil
}

func (n *negotiation) target() (gss.Name, error) {
	if n.t.Target != nil {
		return n.t.Target(n.req)
	}
	return hostBased(serviceHTTP, n.req.URL.Hostname())
}

// step advances the session with a token of the server, nil at the beginning.
func (n *negotiation) step(in []byte) ([]byte, error) {
	s := n.session
	out, done, err := s.sc.Step(n.ctx, in)
	s.peer = s.peer || in != nil
	if err != nil {
		n.logStep(len(in), len(out), err)
		return nil, err
	}
	s.done = done
	if len(out) > 0 {
		s.legs++
	}
	n.logStep(len(in), len(out), nil)
	return out, nil
}

// mutual reports whether the context is complete and the server has proved its
// identity.
func (s *session) mutual() bool { return s.done && s.sc.Info().Flags.Has(gss.FlagMutual) }

// end closes the session, if there is one.
func (n *negotiation) end() {
	if n.session != nil {
		n.session.sc.Close()
		n.session = nil
	}
}

// forget drops what the refused token was made from.
func (s *session) forget() {
	if f, ok := s.sc.(gss.Forgetter); ok {
		f.Forget()
	}
}

// boundElsewhere reports whether the session is tied to another channel than
// the given one.
func (n *negotiation) boundElsewhere(channel *tls.ConnectionState) bool {
	now, err := n.t.ChannelBindings.bindings(n.req.URL.Scheme, channel)
	was := n.session.bindings
	if err != nil || now == nil || was == nil {
		return err != nil || (now == nil) != (was == nil)
	}
	return !bytes.Equal(now.ApplicationData, was.ApplicationData)
}

// record describes the session in the caller's Exchange.
func (s *session) record(ex *Exchange) {
	info := s.sc.Info()
	ex.Mechanism = info.Mechanism
	ex.ChannelBound = s.bindings != nil
	if !s.done {
		return
	}
	ex.Flags = info.Flags
	ex.Initiator = info.Initiator
	ex.Expires = info.Expires
	ex.Delegated = info.Flags.Has(gss.FlagDelegate)
}
