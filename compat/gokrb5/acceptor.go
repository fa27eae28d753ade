package spnego

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

var errServiceOnly = errors.New("gokrb5's service accepts only")

// acceptors is a provider that accepts by the settings of a service of gokrb5.
// Package krb5 verifies the tokens; what the settings ask for beyond that is
// checked afterwards.
type acceptors struct {
	settings *service.Settings
	krb5     lazyProvider

	mu   sync.Mutex
	raw  []byte // the keytab that keys and cred are of
	keys keys
	cred gss.Credential
}

func newAcceptors(settings *service.Settings) *acceptors {
	a := &acceptors{settings: settings}
	a.krb5.options = krb5.Options{ClockSkew: settings.MaxClockSkew(), Logger: loggerOf(settings)}
	return a
}

// loggerOf writes to the logger of the settings; nil if there is none.
func loggerOf(s *service.Settings) *slog.Logger {
	if s.Logger() == nil {
		return nil
	}
	return slog.New(slog.NewTextHandler(logWriter{s.Logger()}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{} // the logger has its own
			}
			return a
		},
	}))
}

type logWriter struct {
	l interface {
		Output(calldepth int, s string) error
	}
}

// Write implements io.Writer.
func (w logWriter) Write(p []byte) (int, error) { return len(p), w.l.Output(2, string(p)) }

// visit is what is known of a request: where it came from, and later whose it is.
type visit struct {
	from  types.HostAddress
	creds *credentials.Credentials
}

type visitKey struct{}

// String names the two libraries.
func (a *acceptors) String() string { return "krb5 with keys of gokrb5" }

// Mechanisms are those of package krb5.
func (a *acceptors) Mechanisms() []gss.OID { return []gss.OID{gss.MechSPNEGO, gss.MechKRB5} }

// Acquire is not available: the keytab is the credential.
func (a *acceptors) Acquire(context.Context, gss.CredentialOptions) (gss.Credential, error) {
	return nil, &gss.Error{Major: gss.ErrUnavailable, Mech: gss.MechKRB5, Op: "acquire", Err: errServiceOnly}
}

// Initiate is not available.
func (a *acceptors) Initiate(context.Context, gss.InitiateOptions) (gss.SecContext, error) {
	return nil, &gss.Error{Major: gss.ErrUnavailable, Mech: gss.MechKRB5, Op: "initiate", Err: errServiceOnly}
}

// Accept begins a context. The visit of ctx gets the client's credentials when
// it is done.
func (a *acceptors) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	provider, err := a.krb5.get()
	if err != nil {
		return nil, err
	}
	var k keys
	if o.Credential, k, err = a.credential(provider); err != nil {
		return nil, err
	}
	sc, err := provider.Accept(ctx, o)
	if err != nil {
		return nil, err
	}
	return &acceptor{SecContext: sc, settings: a.settings, keys: k}, nil
}

// credential is the keytab as it is now: programs put other keys into it when
// the service is rekeyed.
func (a *acceptors) credential(provider *krb5.Provider) (gss.Credential, keys, error) {
	raw, err := marshal(a.settings.Keytab)
	if err != nil {
		return nil, nil, &gss.Error{Major: gss.ErrNoCred, Mech: gss.MechKRB5, Op: "accept", Err: err}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cred != nil && bytes.Equal(raw, a.raw) {
		return a.cred, a.keys, nil
	}
	chosen, err := restrict(raw, a.settings.KeytabPrincipal())
	if err != nil {
		return nil, nil, &gss.Error{Major: gss.ErrNoCred, Mech: gss.MechKRB5, Op: "accept", Err: err}
	}
	k, err := readKeys(chosen)
	if err != nil {
		return nil, nil, err
	}
	cred, err := provider.AcceptorFromKeytabBytes(chosen)
	if err != nil {
		return nil, nil, err
	}
	a.raw, a.keys, a.cred = raw, k, cred
	return cred, k, nil
}

// marshal returns a keytab as the content of a file. One that was not made by
// keytab.New has no version, and counts as the present one.
func marshal(kt *keytab.Keytab) ([]byte, error) {
	if kt == nil {
		return nil, errors.New("the service was given no keytab")
	}
	b, err := kt.Marshal()
	if err != nil {
		return nil, err
	}
	const current = 2
	if b[1] == 0 {
		b[1] = current
	}
	return b, nil
}

// verify accepts a single token.
func (a *acceptors) verify(ctx context.Context, token []byte) (done bool, err error) {
	sc, err := a.Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		return false, err
	}
	defer sc.Close()
	_, done, err = sc.Step(ctx, token)
	return done, err
}

// acceptor is a context that, once package krb5 has accepted the client, checks
// the rest.
type acceptor struct {
	gss.SecContext
	settings *service.Settings
	keys     keys
	apReq    []byte // of the last token that has one
}

// Step implements [gss.SecContext].
func (c *acceptor) Step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	if b := findAPReq(in); b != nil {
		c.apReq = b
	}
	out, done, err = c.SecContext.Step(ctx, in)
	if err != nil || !done {
		return out, done, err
	}
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		v = &visit{}
	}
	creds, err := c.inspect(v.from)
	if err != nil {
		c.Close()
		return nil, false, &gss.Error{Major: gss.ErrUnauthorized, Mech: gss.MechKRB5, Op: "accept", Err: err}
	}
	v.creds = creds
	return out, true, nil
}
