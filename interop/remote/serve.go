//go:build interop

package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-negotiate/negotiate/gss"
)

// Serve answers requests for a provider until the input ends.
func Serve(in io.Reader, out io.Writer, p gss.Provider) error {
	s := &server{provider: p, credentials: map[int]gss.Credential{}, contexts: map[int]gss.SecContext{}}
	requests := json.NewDecoder(bufio.NewReader(in))
	answers := json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(s.answer(r)); err != nil {
			return err
		}
	}
}

type server struct {
	provider    gss.Provider
	last        int
	credentials map[int]gss.Credential
	contexts    map[int]gss.SecContext
}

func (s *server) answer(r request) answer {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.Cancelled {
		cancel()
	}
	a, err := s.do(ctx, r)
	a.Error = failureOf(err)
	return a
}

func (s *server) do(ctx context.Context, r request) (a answer, err error) {
	switch r.Op {
	case "hello":
		a.Text = s.provider.String()
		for _, m := range s.provider.Mechanisms() {
			a.Mechanisms = append(a.Mechanisms, []byte(m))
		}
		return a, nil
	case "acquire":
		return s.acquire(ctx, *r.Options)
	case "resolve":
		c, ok := s.credentials[r.Handle].(gss.Resolver)
		if !ok {
			return a, errors.New("no such resolver")
		}
		resolved, err := c.Resolve(ctx)
		if err != nil {
			return a, err
		}
		return s.keep(resolved), nil
	case "initiate":
		sc, err := s.provider.Initiate(ctx, gss.InitiateOptions{
			Credential: s.credential(r.Credential), Target: r.Target, Mechanism: gss.OID(r.Mechanism), Flags: r.Flags, ChannelBindings: r.Bindings,
		})
		return s.begun(sc, err)
	case "accept":
		sc, err := s.provider.Accept(ctx, gss.AcceptOptions{Credential: s.credential(r.Credential), ChannelBindings: r.Bindings})
		return s.begun(sc, err)
	case "close":
		return a, s.close(r.Handle)
	}
	sc := s.contexts[r.Handle]
	if sc == nil {
		return a, fmt.Errorf("%s: there is no context %d", r.Op, r.Handle)
	}
	switch r.Op {
	case "step":
		a.Data, a.Done, err = sc.Step(ctx, r.Data)
		return a, err
	case "info":
		a.Info = s.info(sc.Info())
		return a, nil
	}
	return protect(sc, r)
}

func protect(sc gss.SecContext, r request) (a answer, err error) {
	m, ok := sc.(gss.MessageProtector)
	if !ok {
		return a, &gss.Error{Major: gss.ErrUnavailable, Op: r.Op, Err: errors.New("the provider does not protect messages")}
	}
	switch r.Op {
	case "wrap":
		a.Data, err = m.Wrap(r.Conf, r.Data)
	case "unwrap":
		a.Data, a.Conf, err = m.Unwrap(r.Data)
	case "mic":
		a.Data, err = m.GetMIC(r.Data)
	case "verify":
		err = m.VerifyMIC(r.Data, r.MIC)
	default:
		err = fmt.Errorf("there is no op %q", r.Op)
	}
	return a, err
}

func (s *server) acquire(ctx context.Context, o options) (answer, error) {
	c, err := s.provider.Acquire(ctx, gss.CredentialOptions{
		Name: o.Name, Usage: o.Usage, Mechanism: gss.OID(o.Mechanism), CCache: o.CCache, Keytab: o.Keytab, Password: o.Password,
	})
	if err != nil {
		return answer{}, err
	}
	return s.keep(c), nil
}

// credential is nil, the default, for 0.
func (s *server) credential(handle int) gss.Credential {
	if handle == 0 {
		return nil
	}
	return s.credentials[handle]
}

func (s *server) keep(c gss.Credential) answer {
	s.last++
	s.credentials[s.last] = c
	_, resolver := c.(gss.Resolver)
	return answer{Handle: s.last, Name: c.Name(), Usage: c.Usage(), Expires: c.Expires(), Resolver: resolver}
}

func (s *server) begun(sc gss.SecContext, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	s.last++
	s.contexts[s.last] = sc
	return answer{Handle: s.last}, nil
}

func (s *server) info(i gss.ContextInfo) *info {
	out := &info{Mechanism: []byte(i.Mechanism), Initiator: i.Initiator, Acceptor: i.Acceptor, Flags: i.Flags, Expires: i.Expires}
	if i.Delegated != nil {
		kept := s.keep(i.Delegated)
		out.Delegated = &kept
	}
	return out
}

// close releases what a handle stands for. A context stays known: what comes after
// Close is for the provider to refuse.
func (s *server) close(handle int) error {
	if sc := s.contexts[handle]; sc != nil {
		return sc.Close()
	}
	if c := s.credentials[handle]; c != nil {
		return c.Close()
	}
	return fmt.Errorf("close: there is no handle %d", handle)
}
