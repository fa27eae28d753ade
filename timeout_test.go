package negotiate

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// TestTimeouts lets the time run out at each wait of a request, by http.Client's
// Timeout and by a deadline of its context.
func TestTimeouts(t *testing.T) {
	leavesNothing(t)
	const limit = 30 * time.Second
	block := func(op gsstest.Op, step int) func(*scene) {
		return func(s *scene) { s.provider.Inject(gsstest.Fault{Op: op, Step: step, Do: gsstest.Block}) }
	}
	phases := map[string]func(*scene){
		"dial": func(s *scene) {
			s.base.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		},
		"TLS": func(s *scene) {
			s.url = "https://web.example.com/"
			s.base.DialContext = func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { io.Copy(io.Discard, server); server.Close() }()
				return client, nil
			}
		},
		"TLS by a dialer of the caller's": func(s *scene) {
			s.url = "https://web.example.com/"
			s.base.DialTLSContext = func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { io.Copy(io.Discard, server); server.Close() }()
				return tls.Client(client, &tls.Config{ServerName: webHost}), nil
			}
		},
		"acquire":          block(gsstest.OpAcquire, 0),
		"KDC":              block(gsstest.OpInitiate, 0),
		"first token":      block(gsstest.OpInitiateStep, 1),
		"second token":     block(gsstest.OpInitiateStep, 2),
		"proof":            block(gsstest.OpInitiateStep, 3),
		"first leg":        func(s *scene) { s.stuck = 1 },
		"second leg":       func(s *scene) { s.stuck = 2 },
		"third leg":        func(s *scene) { s.stuck = 3 },
		"body of a 401":    func(s *scene) { s.half = 1 },
		"body of the next": func(s *scene) { s.half = 2 },
		"last body":        func(s *scene) { s.half = 3 },
	}
	ways := map[string]func(*http.Client, *http.Request) (*http.Request, context.CancelFunc){
		"Client.Timeout": func(c *http.Client, r *http.Request) (*http.Request, context.CancelFunc) {
			c.Timeout = limit
			return r, func() {}
		},
		"deadline": func(_ *http.Client, r *http.Request) (*http.Request, context.CancelFunc) {
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			return r.WithContext(ctx), cancel
		},
	}
	for phase, setup := range phases {
		for way, limited := range ways {
			t.Run(phase+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &scene{provider: gsstest.New(gsstest.Options{Legs: 2}), url: "http://web.example.com/"}
					defer s.close()
					s.base = pipeServer(t, s)
					setup(s)
					tr := &Transport{Base: s.base, Provider: s.provider, Mutual: MutualRequired}
					c := &http.Client{Transport: tr}
					req, cancel := limited(c, newRequest(t, "GET", s.url, nil))
					defer cancel()
					begun := time.Now()
					resp, err := c.Do(req)
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
					timeout, ok := errors.AsType[net.Error](err)
					if !ok || !timeout.Timeout() || time.Since(begun) != limit {
						t.Errorf("got %v after %s", err, time.Since(begun))
					}
					synctest.Wait()
					assertPoolEmpty(t, tr)
				})
			})
		}
	}
}

// scene is a client and a server with one context of two legs.
type scene struct {
	base     *http.Transport
	provider *gsstest.Provider
	url      string

	leg   int
	stuck int // the leg that gets no answer
	half  int // the leg whose body does not end
	sc    gss.SecContext
}

func (s *scene) close() {
	if s.sc != nil {
		s.sc.Close()
	}
}

func (s *scene) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.leg++
	if s.leg == s.stuck {
		<-r.Context().Done()
		return
	}
	status, challenge := s.answer(r)
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(status)
	io.WriteString(w, "some")
	if s.leg == s.half {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

func (s *scene) answer(r *http.Request) (status int, challenge string) {
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Negotiate "))
	if err != nil || len(token) == 0 {
		return 401, "Negotiate"
	}
	if s.sc == nil {
		s.sc, _ = gsstest.New(gsstest.Options{}).Accept(r.Context(), gss.AcceptOptions{})
	}
	out, done, err := s.sc.Step(r.Context(), token)
	switch {
	case err != nil:
		return 401, "Negotiate"
	case done:
		return 200, encodeToken(out)
	}
	return 401, encodeToken(out)
}

// TestBusyServers hands over what a server says that is too busy, before it has
// asked and after, and sends nothing again.
func TestBusyServers(t *testing.T) {
	leavesNothing(t)
	for _, status := range []int{429, 503} {
		s := startServer(t, func(s *testServer) {
			s.next = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
				io.WriteString(w, "later")
			}
		})
		c := s.client(t, &Transport{})
		for path, legs := range map[string]int{"/open": 1, "/private": 2} {
			if a := get(t, c, s.URL+path); a.StatusCode != status || a.Header.Get("Retry-After") != "7" || a.body != "later" || a.ex.Legs != legs || a.ex.Err != nil {
				t.Errorf("%s: got %d %v %q, %+v", path, a.StatusCode, a.Header, a.body, a.ex)
			}
		}
	}
}
