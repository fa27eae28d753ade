package negotiate

import (
	"context"
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

// authenticate returns who sent token. reply is for the client, with an error
// too; it may be empty.
func (h *Handler) authenticate(r *http.Request, token []byte, bindings *gss.ChannelBindings) (id *Identity, reply []byte, err error) {
	if isNTLM(token) && !h.takesNTLM() {
		return nil, nil, errors.New("NTLM is not accepted")
	}
	p, reply, done, err := h.advance(r, token, bindings)
	if err != nil {
		if len(reply) > maxErrorToken {
			reply = nil
		}
		return nil, reply, err
	}
	if !done {
		if err := h.suspend(r, p, reply); err != nil {
			p.sc.Close()
			return nil, nil, err
		}
		return nil, reply, errContinue
	}
	defer p.sc.Close()
	if id, err = h.identify(p.sc.Info()); err != nil {
		return nil, nil, err
	}
	return id, reply, nil
}

// advance gives token to the context that waits on this connection, or to a new
// one. The context is returned open, unless there is an error.
func (h *Handler) advance(r *http.Request, token []byte, bindings *gss.ChannelBindings) (*pending, []byte, bool, error) {
	waiting := connFrom(r.Context()).take(h)
	if waiting == nil {
		return h.begin(r.Context(), token, bindings)
	}
	out, done, err := waiting.step(r.Context(), token)
	if err == nil {
		return waiting, out, done, nil
	}
	// The client may have given up that context and begun another. A token that
	// is the first of one proves itself.
	if p, out, done, err := h.begin(r.Context(), token, bindings); err == nil {
		return p, out, done, nil
	}
	return nil, out, false, err
}

// begin gives token to a new context.
func (h *Handler) begin(ctx context.Context, token []byte, bindings *gss.ChannelBindings) (*pending, []byte, bool, error) {
	sc, err := h.Provider.Accept(ctx, gss.AcceptOptions{Credential: h.Credential, ChannelBindings: bindings})
	if err != nil {
		return nil, nil, false, err
	}
	p := &pending{sc: sc}
	out, done, err := p.step(ctx, token)
	if err != nil {
		return nil, out, false, err
	}
	return p, out, done, nil
}

// suspend leaves p waiting on the connection of r for the client's next token.
func (h *Handler) suspend(r *http.Request, p *pending, reply []byte) error {
	conn := connFrom(r.Context())
	switch {
	case conn == nil:
		return errors.New("the client's mechanism needs several requests on one connection, and the server does not tell connections apart: call Handler.ConfigureServer with the http.Server")
	case p.legs >= maxAcceptedLegs:
		return fmt.Errorf("the context is not finished after %d tokens", p.legs)
	case len(reply) == 0:
		return errors.New("the context is not finished, and the provider has no token for the client")
	case !conn.put(h, p):
		return errors.New("the connection ended before the context was finished")
	}
	return nil
}

// identify turns a finished context into an identity.
func (h *Handler) identify(info gss.ContextInfo) (*Identity, error) {
	id := &Identity{
		Principal:    info.Initiator.Value,
		Mechanism:    info.Mechanism,
		Flags:        info.Flags,
		ChannelBound: info.Flags.Has(gss.FlagChannelBound),
		Expires:      info.Expires,
		Delegated:    info.Delegated,
	}
	if err := h.checkIdentity(id); err != nil {
		id.close()
		return nil, err
	}
	return id, nil
}

func (h *Handler) checkIdentity(id *Identity) error {
	switch {
	case id.Principal == "":
		return errors.New("the context is finished and names no client")
	case id.Flags.Has(gss.FlagAnonymous):
		return errors.New("the client is anonymous")
	case !utf8.ValidString(id.Principal) || strings.ContainsFunc(id.Principal, unicode.IsControl):
		return fmt.Errorf("the client's name %q has characters that no name should have", id.Principal)
	case h.ChannelBindings == BindingRequire && !id.ChannelBound:
		return errors.New("the client presented no channel bindings, and BindingRequire wants them (a provider that cannot tell counts as well)")
	}
	return nil
}
