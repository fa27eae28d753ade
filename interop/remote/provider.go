//go:build interop

package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

// Provider is a gss.Provider in another process. It is safe for concurrent use,
// and its calls take turns.
type Provider struct {
	mu       sync.Mutex
	requests *json.Encoder
	answers  *json.Decoder

	text  string
	mechs []gss.OID
}

// New returns the provider at the other end of a process' standard input and
// output.
func New(stdin io.Writer, stdout io.Reader) (*Provider, error) {
	p := &Provider{requests: json.NewEncoder(stdin), answers: json.NewDecoder(stdout)}
	a, err := p.call(context.Background(), request{Op: "hello"})
	if err != nil {
		return nil, err
	}
	p.text = a.Text
	for _, m := range a.Mechanisms {
		p.mechs = append(p.mechs, gss.OID(m))
	}
	return p, nil
}

// call sends a request. Its error is the provider's, or tells that the process is
// gone. A context that ends meanwhile is not noticed.
func (p *Provider) call(ctx context.Context, r request) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Cancelled = ctx.Err() != nil
	var a answer
	if err := p.requests.Encode(r); err != nil {
		return a, fmt.Errorf("remote: %s: %w", r.Op, err)
	}
	if err := p.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("remote: %s: no answer: %w", r.Op, err)
	}
	return a, a.Error.err()
}

// String is the other provider's.
func (p *Provider) String() string { return p.text }

// Mechanisms are the other provider's.
func (p *Provider) Mechanisms() []gss.OID { return p.mechs }

// Acquire implements gss.Provider.
func (p *Provider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	a, err := p.call(ctx, request{Op: "acquire", Options: &options{
		Name: o.Name, Usage: o.Usage, Mechanism: []byte(o.Mechanism), CCache: o.CCache, Keytab: o.Keytab, Password: o.Password,
	}})
	if err != nil {
		return nil, err
	}
	return p.credential(a), nil
}

// Initiate implements gss.Provider.
func (p *Provider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	cred, err := p.handleOf(o.Credential)
	if err != nil {
		return nil, err
	}
	a, err := p.call(ctx, request{
		Op: "initiate", Credential: cred, Target: o.Target, Mechanism: []byte(o.Mechanism), Flags: o.Flags, Bindings: o.ChannelBindings,
	})
	if err != nil {
		return nil, err
	}
	return &secContext{p, a.Handle}, nil
}

// Accept implements gss.Provider.
func (p *Provider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	cred, err := p.handleOf(o.Credential)
	if err != nil {
		return nil, err
	}
	a, err := p.call(ctx, request{Op: "accept", Credential: cred, Bindings: o.ChannelBindings})
	if err != nil {
		return nil, err
	}
	return &secContext{p, a.Handle}, nil
}

func (p *Provider) handleOf(c gss.Credential) (int, error) {
	switch c := c.(type) {
	case nil:
		return 0, nil
	case *credential:
		return c.a.Handle, nil
	case *resolver:
		return c.a.Handle, nil
	}
	return 0, fmt.Errorf("remote: the credential (%T) is not of this process", c)
}

func (p *Provider) credential(a answer) gss.Credential {
	c := &credential{p, a}
	if a.Resolver {
		return &resolver{c}
	}
	return c
}

type credential struct {
	p *Provider
	a answer
}

func (c *credential) Name() gss.Name     { return c.a.Name }
func (c *credential) Usage() gss.Usage   { return c.a.Usage }
func (c *credential) Expires() time.Time { return c.a.Expires }
func (c *credential) Close() error       { return c.p.close(c.a.Handle) }

type resolver struct{ *credential }

func (r *resolver) Resolve(ctx context.Context) (gss.Credential, error) {
	a, err := r.p.call(ctx, request{Op: "resolve", Handle: r.a.Handle})
	if err != nil {
		return nil, err
	}
	return r.p.credential(a), nil
}

func (p *Provider) close(handle int) error {
	_, err := p.call(context.Background(), request{Op: "close", Handle: handle})
	return err
}

type secContext struct {
	p      *Provider
	handle int
}

func (c *secContext) Step(ctx context.Context, in []byte) ([]byte, bool, error) {
	a, err := c.p.call(ctx, request{Op: "step", Handle: c.handle, Data: in})
	return a.Data, a.Done, err
}

func (c *secContext) Info() gss.ContextInfo {
	a, err := c.p.call(context.Background(), request{Op: "info", Handle: c.handle})
	if err != nil || a.Info == nil {
		return gss.ContextInfo{}
	}
	i := gss.ContextInfo{
		Mechanism: gss.OID(a.Info.Mechanism), Initiator: a.Info.Initiator, Acceptor: a.Info.Acceptor,
		Flags: a.Info.Flags, Expires: a.Info.Expires,
	}
	if a.Info.Delegated != nil {
		i.Delegated = c.p.credential(*a.Info.Delegated)
	}
	return i
}

func (c *secContext) Close() error { return c.p.close(c.handle) }

func (c *secContext) Wrap(conf bool, msg []byte) ([]byte, error) {
	a, err := c.message(request{Op: "wrap", Data: msg, Conf: conf})
	return a.Data, err
}

func (c *secContext) Unwrap(token []byte) ([]byte, bool, error) {
	a, err := c.message(request{Op: "unwrap", Data: token})
	return a.Data, a.Conf, err
}

func (c *secContext) GetMIC(msg []byte) ([]byte, error) {
	a, err := c.message(request{Op: "mic", Data: msg})
	return a.Data, err
}

func (c *secContext) VerifyMIC(msg, mic []byte) error {
	_, err := c.message(request{Op: "verify", Data: msg, MIC: mic})
	return err
}

func (c *secContext) message(r request) (answer, error) {
	r.Handle = c.handle
	return c.p.call(context.Background(), r)
}
