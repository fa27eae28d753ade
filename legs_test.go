package negotiate

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// micProvider speaks SPNEGO over gsstest, between a client that offers Kerberos
// and a server that would rather have something else: the two exchange
// mechListMICs (RFC 4178, section 5), for which Kerberos needs a second leg.
type micProvider struct{ *gsstest.Provider }

func (p micProvider) Initiate(_ context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	o.Mechanism = gss.MechKRB5
	return spnego.NewInitiator([]spnego.Mech{{OID: gss.MechKRB5, New: func(ctx context.Context) (gss.SecContext, error) {
		return p.Provider.Initiate(ctx, o)
	}}}), nil
}

func (p micProvider) Accept(_ context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	return spnego.NewAcceptor([]spnego.Mech{
		{OID: "\x2a\x03", New: func(context.Context) (gss.SecContext, error) { return nil, gss.ErrBadMech }},
		{OID: gss.MechKRB5, New: func(ctx context.Context) (gss.SecContext, error) { return p.Provider.Accept(ctx, o) }},
	}), nil
}

// TestRequestMIC has a server that requests MICs, a hundred clients at a time,
// and others on the same pool.
func TestRequestMIC(t *testing.T) {
	leavesNothing(t)
	for _, mutual := range []Mutual{MutualDisabled, MutualOptional, MutualRequired} {
		t.Run(mutual.String(), func(t *testing.T) {
			s := startServer(t)
			s.acceptor = micProvider{s.provider}
			base := s.base(t)
			base.MaxIdleConnsPerHost = 100
			p := gsstest.New(gsstest.Options{})
			tr := &Transport{Base: base, Provider: micProvider{p}, Mutual: mutual}
			c := s.client(t, tr)
			get(t, c, s.URL)
			if got := s.shape(); got != "C1 C1+ C1+" {
				t.Fatalf("the server saw %s", got)
			}
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					req := newRequest(t, "GET", s.URL+"/private", nil)
					if i%2 == 0 {
						req = newRequestAs(t, nil, s.URL+"/open")
						if mutual == MutualRequired {
							return // nobody proves anything there
						}
					}
					a, err := do(t, c, req)
					if err != nil || a.StatusCode != 200 || a.ex.MutualVerified != (i%2 == 1 && mutual != MutualDisabled) {
						t.Errorf("got %+v, %+v, %v", a.Response, a.ex, err)
					}
				})
			}
			wg.Wait()
			assertLegsTogether(t, s, 2)
			waitIdle(t, p)
		})
	}
}

// TestRequestMICWithTokenOfProxy has both, a proxy and a server, request MICs.
func TestRequestMICByProxy(t *testing.T) {
	leavesNothing(t)
	eachHop(t, func(t *testing.T, h hop, s *testServer, p *testProxy) {
		s.acceptor, p.provider = micProvider{s.provider}, micProvider{p.provider.(*gsstest.Provider)}
		c := p.through(t, s, &Transport{Provider: micProvider{gsstest.New(gsstest.Options{})}, Mutual: MutualRequired, ProxyMutual: MutualRequired})
		if a := get(t, c, s.at(webHost, "/private")); a.StatusCode != 200 || !a.ex.MutualVerified {
			t.Errorf("got %d, %+v, the proxy saw %s", a.StatusCode, a.ex, p.shape())
		}
	})
}

// TestMutualIsDoneBeforeTheLastLeg accepts no token after the proof that does not
// belong to the context.
func TestMutualIsDoneBeforeTheLastLeg(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) { s.final = func([]byte) []byte { return []byte("garbage") } })
	s.acceptor = micProvider{s.provider}
	_, err := do(t, s.client(t, &Transport{Provider: micProvider{gsstest.New(gsstest.Options{})}, Mutual: MutualRequired}), newRequest(t, "GET", s.URL, nil))
	if _, ok := errors.AsType[*MutualAuthenticationError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// waitIdle waits until the provider has nothing open.
func waitIdle(t *testing.T, p *gsstest.Provider) {
	t.Helper()
	waitFor(t, func() bool { n := p.Counts(); return n.OpenContexts == 0 && n.OpenCredentials == 0 })
}

// assertLegsTogether checks that on each connection the legs of one context stand
// together, each of so many tokens.
func assertLegsTogether(t *testing.T, s *testServer, legs int) {
	t.Helper()
	on := make(map[int64]string)
	for _, r := range s.requests() {
		if r.path == "/private" {
			on[r.conn] += map[bool]string{true: "+", false: "-"}[r.token]
		}
	}
	for conn, seq := range on {
		for _, part := range strings.Split(seq, "-") {
			if len(part)%legs == 0 {
				continue
			}
			t.Errorf("connection %d carried %s", conn, seq)
		}
	}
}

// TestLegsOverHTTP2 has a server that knows contexts by their connection, of which
// HTTP/2 has one for all. Those that are taken for each other begin anew over
// HTTP/1.1, and from then on all do.
func TestLegsOverHTTP2(t *testing.T) {
	leavesNothing(t)
	s := startH2(t)
	base := s.base(t)
	base.MaxIdleConnsPerHost = 100
	c := s.client(t, &Transport{Base: base, Provider: gsstest.New(gsstest.Options{Legs: 3}), Mutual: MutualRequired})
	if a := get(t, c, s.URL+"/private"); a.StatusCode != 200 || a.ProtoMajor != 2 || s.shape() != "C1 C1+ C1+ C1+" {
		t.Fatalf("alone: got %s %d, the server saw %s", a.Proto, a.StatusCode, s.shape())
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			a, err := do(t, c, newRequest(t, "GET", s.URL+"/private", nil))
			if err != nil || a.StatusCode != 200 || !a.ex.MutualVerified {
				t.Errorf("got %+v, %+v, %v", a.Response, a.ex, err)
			}
		})
	}
	wg.Wait()
	if a := get(t, c, s.URL+"/private"); a.StatusCode != 200 || a.ProtoMajor != 1 {
		t.Errorf("afterwards: got %s %d, want HTTP/1.1", a.Proto, a.StatusCode)
	}
}

// TestFallsBackOnce has a server that takes no second leg over HTTP/2.
func TestFallsBackOnce(t *testing.T) {
	leavesNothing(t)
	var refused atomic.Int32
	s := startH2(t, func(s *testServer) {
		s.before = func(_ http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				return
			}
			c := r.Context().Value(serverConnKey{}).(*serverConn)
			c.mu.Lock()
			if c.sc != nil {
				refused.Add(1)
				c.sc.Close()
				c.sc = nil
			}
			c.mu.Unlock()
		}
	})
	c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
	for range 3 {
		if a := get(t, c, s.URL); a.StatusCode != 200 || a.ProtoMajor != 1 {
			t.Errorf("got %s %d, %v", a.Proto, a.StatusCode, a.ex.Err)
		}
	}
	if refused.Load() != 1 {
		t.Errorf("HTTP/2 was refused %d times, want it remembered", refused.Load())
	}
}

// TestFirstTokenRefusedOverHTTP2 does not blame HTTP/2 for a token that no server
// takes.
func TestFirstTokenRefusedOverHTTP2(t *testing.T) {
	leavesNothing(t)
	s := startH2(t, func(s *testServer) { s.refuse = func(string) bool { return true } })
	c := s.client(t, &Transport{})
	for range 2 {
		if a := get(t, c, s.URL); a.StatusCode != 401 || a.ProtoMajor != 2 {
			t.Errorf("got %s %d", a.Proto, a.StatusCode)
		}
	}
	if s.conns.Load() != 1 {
		t.Errorf("the server saw %s", s.shape())
	}
}

// frames is an HTTP/2 connection by hand. next is called for each request, counted
// from 1, with the stream's number.
func frames(conn net.Conn, next func(fr *http2.Framer, n int, stream uint32, token string) (goOn bool)) {
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, conn)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	fr.WriteSettings()
	for n := 0; ; {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				fr.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			n++
			token := ""
			for _, field := range f.Fields {
				if field.Name == "authorization" {
					token = field.Value
				}
			}
			if !next(fr, n, f.StreamID, token) {
				return
			}
		}
	}
}

// answerFrames answers a stream, with a challenge for 401.
func answerFrames(fr *http2.Framer, stream uint32, status, challenge string) {
	var block strings.Builder
	enc := hpack.NewEncoder(&block)
	enc.WriteField(hpack.HeaderField{Name: ":status", Value: status})
	if challenge != "" {
		enc.WriteField(hpack.HeaderField{Name: "www-authenticate", Value: challenge})
	}
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true})
}

// TestHTTP2EndsInContext has servers that end an HTTP/2 connection at each leg of a
// context, in each way there is. Before the server holds a context the exchange
// goes on elsewhere; then it is over, and says so.
func TestHTTP2EndsInContext(t *testing.T) {
	leavesNothing(t)
	ways := map[string]func(fr *http2.Framer, stream uint32) (goOn bool){
		"GOAWAY, unprocessed": func(fr *http2.Framer, stream uint32) bool {
			fr.WriteGoAway(max(stream, 2)-2, http2.ErrCodeNo, nil)
			return true
		},
		"GOAWAY, error": func(fr *http2.Framer, stream uint32) bool {
			fr.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, nil)
			return false
		},
		"refused": func(fr *http2.Framer, stream uint32) bool {
			fr.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			return true
		},
		"reset": func(fr *http2.Framer, stream uint32) bool {
			fr.WriteRSTStream(stream, http2.ErrCodeInternal)
			return true
		},
		"HTTP/1.1": func(fr *http2.Framer, stream uint32) bool {
			fr.WriteRSTStream(stream, http2.ErrCodeHTTP11Required)
			return true
		},
		"closed": func(*http2.Framer, uint32) bool { return false },
	}
	// Where the first leg on a fresh connection may be repeated, and the second.
	repeats := map[string]string{"GOAWAY, unprocessed": "12", "GOAWAY, error": "2", "refused": "12", "reset": "", "HTTP/1.1": "12", "closed": "2"}
	for name, end := range ways {
		for leg := 1; leg <= 3; leg++ {
			t.Run(fmt.Sprintf("%s, leg %d", name, leg), func(t *testing.T) {
				var ended atomic.Bool
				s := startFrames(t, func(s *testServer, fr *http2.Framer, n int, stream uint32, token string) bool {
					if n == leg && !ended.Swap(true) {
						return end(fr, stream)
					}
					switch {
					case token == "":
						answerFrames(fr, stream, "401", "Negotiate")
					default:
						s.answerToken(t, fr, stream, token)
					}
					return true
				})
				a, err := do(t, s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})}), newRequest(t, "GET", s.URL, nil))
				switch {
				case !ended.Load():
					t.Fatal("the connection was not ended")
				case strings.Contains(repeats[name], fmt.Sprint(leg)):
					if err != nil || a.StatusCode != 200 {
						t.Errorf("got %+v, %v, want it repeated", a.Response, err)
					}
				case leg == 3:
					if ee, ok := errors.AsType[*ExchangeError](err); !ok || ee.Stage != StageConnection {
						t.Errorf("got %+v, %v, want the stage connection", a.Response, err)
					}
				case err == nil:
					t.Errorf("got %+v, want an error", a.Response)
				}
			})
		}
	}
}

// TestGOAWAYBetweenLegs has a server that takes no more requests after it has
// answered one.
func TestGOAWAYBetweenLegs(t *testing.T) {
	leavesNothing(t)
	for leg := 1; leg <= 2; leg++ {
		t.Run(fmt.Sprint(leg), func(t *testing.T) {
			var ended atomic.Bool
			s := startFrames(t, func(s *testServer, fr *http2.Framer, n int, stream uint32, token string) bool {
				if n == leg && !ended.Swap(true) {
					fr.WriteGoAway(stream, http2.ErrCodeNo, nil)
				}
				if token == "" {
					answerFrames(fr, stream, "401", "Negotiate")
				} else {
					s.answerToken(t, fr, stream, token)
				}
				return true
			})
			a, err := do(t, s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})}), newRequest(t, "GET", s.URL, nil))
			if leg == 1 {
				if err != nil || a.StatusCode != 200 {
					t.Errorf("got %+v, %v", a.Response, err)
				}
				return
			}
			if ee, ok := errors.AsType[*ExchangeError](err); err == nil && stage(t, a.ex) != StageConnection || err != nil && (!ok || ee.Stage != StageConnection) {
				t.Errorf("got %+v, %v, %v", a.Response, a.ex, err)
			}
		})
	}
}

// startFrames starts a server that speaks HTTP/2 by hand.
func startFrames(t *testing.T, next func(s *testServer, fr *http2.Framer, n int, stream uint32, token string) bool) (s *testServer) {
	t.Helper()
	byHand := func(h *httptest.Server) {
		h.EnableHTTP2 = true
		h.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
				frames(conn, func(fr *http2.Framer, n int, stream uint32, token string) bool { return next(s, fr, n, stream, token) })
			},
		}
		h.StartTLS()
	}
	return start(t, byHand, func(started *testServer) { s = started })
}

// answerToken gives a token to the context of the server, of which it knows one.
func (s *testServer) answerToken(t *testing.T, fr *http2.Framer, stream uint32, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "Negotiate "))
	if err != nil {
		t.Error(err)
	}
	if s.only == nil || readToken(t, value).Target != "" {
		if s.only, err = s.provider.Accept(t.Context(), gss.AcceptOptions{}); err != nil {
			t.Error(err)
			return
		}
	}
	out, done, err := s.only.Step(t.Context(), token)
	switch {
	case err != nil:
		t.Error(err)
	case done:
		answerFrames(fr, stream, "200", "")
	default:
		answerFrames(fr, stream, "401", encodeToken(out))
	}
}

// TestNoHTTP1ToFallBackTo has a server that takes no further leg over HTTP/2 and
// speaks nothing else. Its 401 is the response.
func TestNoHTTP1ToFallBackTo(t *testing.T) {
	leavesNothing(t)
	s := start(t, func(h *httptest.Server) {
		h.EnableHTTP2 = true
		h.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !slices.Contains(hello.SupportedProtos, "h2") {
				return nil, errors.New("HTTP/2 only")
			}
			return nil, nil
		}}
		h.StartTLS()
	}, func(s *testServer) {
		s.before = func(_ http.ResponseWriter, r *http.Request) {
			c := r.Context().Value(serverConnKey{}).(*serverConn)
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.sc != nil {
				c.sc.Close()
				c.sc = nil
			}
		}
	})
	c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
	for range 2 {
		if a := get(t, c, s.URL); a.StatusCode != 401 || a.ProtoMajor != 2 || a.body != "who are you?" || stage(t, a.ex) != StageRejected {
			t.Errorf("got %s %d, %v", a.Proto, a.StatusCode, a.ex.Err)
		}
	}
}

// TestConnectionLostByLongBody has a server whose 401 in the middle of a context
// is too long to be read. What is left of the context cannot go elsewhere.
func TestConnectionLostByLongBody(t *testing.T) {
	leavesNothing(t)
	s := startServer(t, func(s *testServer) {
		s.before = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				s.padding = 4 * maxDrain
			}
		}
	})
	c := s.client(t, &Transport{Provider: gsstest.New(gsstest.Options{Legs: 2})})
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	ex, _ := ExchangeFrom(resp)
	if resp.StatusCode != 401 || stage(t, ex) != StageConnection || s.shape() != "C1 C1+" {
		t.Errorf("got %d, %v, the server saw %s", resp.StatusCode, ex.Err, s.shape())
	}
}
