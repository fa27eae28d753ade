package negotiate

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-negotiate/negotiate/gss"
)

const (
	// maxErrorToken bounds an error token that goes back to the client; a
	// KRB-ERROR has some hundred bytes.
	maxErrorToken = 8 << 10
	// maxAcceptedLegs bounds the tokens that one context takes from a client.
	maxAcceptedLegs = 8
)

// errContinue is returned for a context that waits for another token, as
// multi-leg mechanisms do.
var errContinue = errors.New("the context needs another token")

// attempt is a request that may prove who sent it.
type attempt struct {
	h        *Handler
	r        *http.Request
	provider gss.Provider
	bindings *gss.ChannelBindings
	token    []byte
}

// authenticate returns who sent the token. reply is for the client, with an error
// too; it may be empty.
func (a *attempt) authenticate() (id *Identity, reply []byte, err error) {
	if isNTLM(a.token) && !takesNTLM(a.provider) {
		return nil, nil, errors.New("NTLM is not accepted")
	}
	p, reply, done, err := a.advance()
	if err != nil {
		if len(reply) > maxErrorToken {
			reply = nil
		}
		return nil, reply, err
	}
	if !done {
		if err := a.suspend(p, reply); err != nil {
			p.sc.Close()
			return nil, nil, err
		}
		return nil, reply, errContinue
	}
	if id, err = a.identify(p.sc); err != nil {
		p.sc.Close()
		return nil, nil, err
	}
	id.sc = p.sc
	return id, reply, nil
}

// advance gives the token to the context that waits on this connection, or to a
// new one. The context is returned open, unless there is an error.
func (a *attempt) advance() (p *pending, reply []byte, done bool, err error) {
	waiting := connFrom(a.r.Context()).take(a.h)
	if waiting == nil {
		return a.begin()
	}
	reply, done, err = waiting.step(a.r.Context(), a.token)
	if err == nil {
		return waiting, reply, done, nil
	}
	// The client may have given up that context and begun another. A token that
	// is the first of one proves itself.
	if p, reply, done, err := a.begin(); err == nil {
		return p, reply, done, nil
	}
	return nil, reply, false, err
}

// begin gives the token to a new context.
func (a *attempt) begin() (p *pending, reply []byte, done bool, err error) {
	ctx := a.r.Context()
	sc, err := a.provider.Accept(ctx, gss.AcceptOptions{Credential: a.h.Credential, ChannelBindings: a.bindings})
	if err != nil {
		return nil, nil, false, err
	}
	p = &pending{sc: sc}
	if reply, done, err = p.step(ctx, a.token); err != nil {
		return nil, reply, false, err
	}
	return p, reply, done, nil
}

// suspend leaves p waiting on the connection for the client's next token.
func (a *attempt) suspend(p *pending, reply []byte) error {
	conn := connFrom(a.r.Context())
	switch {
	case conn == nil:
		return errors.New("the client's mechanism needs several requests on one connection, and the server does not tell connections apart: call Handler.ConfigureServer with the http.Server")
	case p.legs >= maxAcceptedLegs:
		return fmt.Errorf("the context is not finished after %d tokens", p.legs)
	case len(reply) == 0:
		return errors.New("the context is not finished, and the provider has no token for the client")
	case !conn.put(a.h, p):
		return errors.New("the connection ended before the context was finished")
	}
	return nil
}

// identify turns a finished context into an identity.
func (a *attempt) identify(sc gss.SecContext) (*Identity, error) {
	info := sc.Info()
	id := &Identity{
		Principal:    info.Initiator.Value,
		Mechanism:    info.Mechanism,
		Flags:        info.Flags,
		ChannelBound: info.Flags.Has(gss.FlagChannelBound),
		Expires:      info.Expires,
		Delegated:    info.Delegated,
	}
	if authorizer, ok := sc.(gss.Authorizer); ok {
		id.Authorization = authorizer.Authorization()
	}
	if err := a.checkIdentity(id); err != nil {
		id.close()
		return nil, err
	}
	return id, nil
}

func (a *attempt) checkIdentity(id *Identity) error {
	switch {
	case id.Principal == "":
		return errors.New("the context is finished and names no client")
	case id.Flags.Has(gss.FlagAnonymous):
		return errors.New("the client is anonymous")
	case !utf8.ValidString(id.Principal) || strings.ContainsFunc(id.Principal, unicode.IsControl):
		return fmt.Errorf("the client's name %q has characters that no name should have", id.Principal)
	case a.h.ChannelBindings == BindingRequire && !id.ChannelBound:
		return errors.New("the client presented no channel bindings, and BindingRequire wants them (a provider that cannot tell counts as well)")
	}
	return nil
}
