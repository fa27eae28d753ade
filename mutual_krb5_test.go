package negotiate_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// mutualPeer is a server whose responses have any status, and any proof or what
// it passes off as one.
type mutualPeer struct {
	*peer
	w *world

	mu     sync.Mutex
	first  []byte // the proof of an earlier exchange
	others []byte // the proof that another client got
}

func newMutualPeer(w *world) *mutualPeer {
	p := &mutualPeer{w: w, peer: &peer{acceptor: w.acceptor("HTTP/" + wwwHost)}}
	p.peer.answer = p.respond
	return p
}

// respond does what the query says: status and proof.
func (p *mutualPeer) respond(rw http.ResponseWriter, r *http.Request, reply []byte) {
	h := rw.Header()
	if value := p.proof(r.URL.Query().Get("proof"), reply); value != "" {
		h.Set("WWW-Authenticate", value)
	}
	h.Set("Server", "peer/1.0")
	h.Set("Location", "/elsewhere")
	h.Set("X-Extra", "1")
	h.Set("Trailer", "X-Trailer")
	http.SetCookie(rw, &http.Cookie{Name: "session", Value: "stolen"})
	var status int
	fmt.Sscan(r.URL.Query().Get("status"), &status)
	rw.WriteHeader(status)
	if status >= 200 && status != 204 && status != 304 {
		io.WriteString(rw, "content")
	}
}

// proof is the value of WWW-Authenticate.
func (p *mutualPeer) proof(kind string, reply []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch kind {
	case "good", "good, lower case":
		if p.first == nil {
			p.first = reply
		}
		value := bearing(reply)
		if kind == "good" || len(reply) == 0 {
			return value
		}
		return `Basic realm="x, y", ` + strings.Replace(value, "Negotiate", "negotiate", 1)
	case "none":
		return ""
	case "bare": // as a server that still offers it to others
		return "Negotiate"
	case "accept-completed": // as servers with gokrb5 do
		return bearing((&spnego.NegTokenResp{HasState: true, State: spnego.StateAcceptCompleted, SupportedMech: gss.MechKRB5}).Append(nil))
	case "garbage":
		return bearing([]byte("not a token of anything"))
	case "no base64":
		return "Negotiate ***"
	case "altered":
		if len(reply) > 0 {
			reply[len(reply)-5] ^= 0x40
		}
		return bearing(reply)
	case "truncated":
		return bearing(reply[:len(reply)/2])
	case "replayed":
		return bearing(p.first)
	case "another's":
		return bearing(p.others)
	case "the client's own":
		return "reflected"
	}
	panic("proof " + kind)
}

// reflecting sends the client's token back to it.
func reflecting(next *mutualPeer) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("proof") != "the client's own" || r.Header.Get("Authorization") == "" {
			next.ServeHTTP(rw, r)
			return
		}
		own := r.Header.Get("Authorization")
		next.ServeHTTP(&headerWriter{ResponseWriter: rw, set: func(h http.Header) { h.Set("WWW-Authenticate", own) }}, r)
	}
}

type headerWriter struct {
	http.ResponseWriter
	set  func(http.Header)
	done bool
}

func (w *headerWriter) WriteHeader(status int) {
	if !w.done {
		w.done = true
		w.set(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// the outcomes of a response
const (
	asItCame  = "returned as it came"
	sanitised = "returned sanitised"
	refused   = "a MutualAuthenticationError"
)

// mutualOutcome is what the documentation promises, said in another way than the
// code does.
func mutualOutcome(m negotiate.Mutual, keep bool, proof string, status int) string {
	good := strings.HasPrefix(proof, "good")
	absent := proof == "none" || proof == "bare"
	switch {
	case m == negotiate.MutualDisabled || good:
		return asItCame
	case !absent:
		return refused
	case m == negotiate.MutualOptional:
		return asItCame
	case status < 400:
		return refused
	case keep:
		return asItCame
	}
	return sanitised
}

// TestMutualKerberos has every mode meet every kind of response on both paths.
func TestMutualKerberos(t *testing.T) {
	negotiate.LeavesNothing(t)
	proofs := []string{"good", "good, lower case", "none", "bare", "accept-completed", "garbage", "no base64",
		"altered", "truncated", "replayed", "another's", "the client's own"}
	responses := []struct {
		method string
		status int
	}{{"GET", 200}, {"HEAD", 200}, {"GET", 204}, {"GET", 302}, {"GET", 304}, {"GET", 404}, {"HEAD", 404}, {"POST", 500}}

	w := newWorld(t)
	p := newMutualPeer(w)
	s := w.serve(reflecting(p))
	provider := w.user("alice")
	w.get(w.client(&negotiate.Transport{Provider: w.user("bob"), Mutual: negotiate.MutualRequired}), s.url+"/?status=200&proof=good")
	p.others, p.first = p.first, nil
	w.get(w.client(&negotiate.Transport{Provider: provider, Mutual: negotiate.MutualRequired}), s.url+"/?status=200&proof=good")

	for _, opportunistic := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
		for _, mutual := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualOptional, negotiate.MutualRequired} {
			for _, keep := range []bool{false, true} {
				c := w.client(&negotiate.Transport{Provider: provider, Mutual: mutual, KeepUnverifiedErrors: keep, Opportunistic: opportunistic})
				c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				for _, proof := range proofs {
					if mutual == negotiate.MutualDisabled && proof == "truncated" {
						continue // the server has nothing to truncate
					}
					for _, resp := range responses {
						name := fmt.Sprintf("%s/%s/keep=%t/%s/%s %d", opportunistic, mutual, keep, proof, resp.method, resp.status)
						target := s.url + "/?" + url.Values{"proof": {proof}, "status": {fmt.Sprint(resp.status)}}.Encode()
						s.reset()
						c.CloseIdleConnections() // a token goes out unasked on one that had a token before
						got, err := w.send(c, w.request(resp.method, target, nil))
						want := mutualOutcome(mutual, keep, proof, resp.status)
						if bad := checkOutcome(want, resp.method, resp.status, proof, mutual, got, err); bad != "" {
							t.Errorf("%s: %s, want it %s", name, bad, want)
						}
						legs := 2
						if opportunistic == negotiate.OpportunisticAlways {
							legs = 1
						}
						if n := len(s.requests()); n != legs {
							t.Errorf("%s: %d requests, want %d: %s", name, n, legs, s.shape())
						}
					}
				}
			}
		}
	}
}

// checkOutcome tells what is wrong with what came; "" for nothing.
func checkOutcome(want, method string, status int, proof string, mutual negotiate.Mutual, got received, err error) string {
	if me, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); ok {
		switch {
		case want != refused:
			return err.Error()
		case me.Status != status || me.Reason == "" || proof == "accept-completed" && !strings.Contains(me.Error(), "says accept-completed but sent no token"):
			return fmt.Sprintf("the error says %q", me)
		}
		return ""
	}
	if err != nil || want == refused {
		return fmt.Sprintf("got %v, %v", got.Response, err)
	}
	verified := strings.HasPrefix(proof, "good") && mutual != negotiate.MutualDisabled
	if got.StatusCode != status || got.x.MutualVerified != verified || got.x.Sanitized != (want == sanitised) || got.x.Err != nil {
		return fmt.Sprintf("got %d, %+v", got.StatusCode, got.x)
	}
	if want == sanitised {
		return checkSanitised(got)
	}
	body := "content"
	if method == "HEAD" || status == 204 || status == 304 {
		body = ""
	}
	if got.body != body || got.Header.Get("X-Extra") != "1" || len(got.Cookies()) != 1 {
		return fmt.Sprintf("got body %q, header %v", got.body, got.Header)
	}
	return ""
}

// checkSanitised holds a response to the table of the documentation: status,
// URL, Date, Server, Content-Length 0, and nothing else.
func checkSanitised(got received) string {
	for name := range got.Header {
		switch name {
		case "Date", "Server", "Content-Length":
		default:
			return fmt.Sprintf("it has %s", name)
		}
	}
	switch {
	case got.body != "" || got.ContentLength != 0 || got.Header.Get("Content-Length") != "0":
		return fmt.Sprintf("it has a body %q of length %d, header %v", got.body, got.ContentLength, got.Header)
	case got.Header.Get("Server") != "peer/1.0" || got.Header.Get("Date") == "":
		return fmt.Sprintf("its header is %v", got.Header)
	case len(got.Cookies()) != 0 || len(got.Trailer) != 0 || len(got.TransferEncoding) != 0 || got.Uncompressed:
		return fmt.Sprintf("it is %+v", got.Response)
	case got.Request == nil || got.Request.URL.Path != "/":
		return fmt.Sprintf("its request is %v", got.Request)
	}
	return ""
}

// TestCookieJar has cookies of verified responses only reach the jar.
func TestCookieJar(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, tt := range []struct {
		proof  string
		status int
		keep   bool
		want   int
	}{
		{"good", 200, false, 1},
		{"good", 500, false, 1},
		{"none", 500, false, 0},
		{"none", 403, false, 0},
		{"none", 200, false, 0},     // an error
		{"altered", 200, false, 0},  // an error
		{"replayed", 500, false, 0}, // an error
		{"altered", 500, true, 0},   // an error
		{"none", 500, true, 1},      // as asked for
	} {
		t.Run(fmt.Sprintf("%s %d keep=%t", tt.proof, tt.status, tt.keep), func(t *testing.T) {
			w := newWorld(t)
			s := w.serve(newMutualPeer(w))
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			c := w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired, KeepUnverifiedErrors: tt.keep})
			w.get(c, s.url+"/?proof=good&status=200") // something to replay
			c.Jar = jar
			w.send(c, w.request("GET", fmt.Sprintf("%s/?proof=%s&status=%d", s.url, tt.proof, tt.status), nil))
			u, _ := url.Parse(s.url)
			if got := jar.Cookies(u); len(got) != tt.want {
				t.Errorf("the jar has %v, want %d cookies", got, tt.want)
			}
		})
	}
}

// TestCookiesOfRefusals has the jar get cookies of a 401 from servers only that
// have proved themselves, where a proof is required. Its body is for all to read.
func TestCookiesOfRefusals(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, tt := range []struct {
		name   string
		tr     *negotiate.Transport
		proved bool // the server knows the client, proves itself and does not want him
		plain  bool // it does not ask for Negotiate
		want   int
	}{
		{"required", &negotiate.Transport{Mutual: negotiate.MutualRequired}, false, false, 0},
		{"required, at once", &negotiate.Transport{Mutual: negotiate.MutualRequired, Opportunistic: negotiate.OpportunisticAlways}, false, false, 0},
		{"required, not asked", &negotiate.Transport{Mutual: negotiate.MutualRequired}, false, true, 0},
		{"required, proved", &negotiate.Transport{Mutual: negotiate.MutualRequired}, true, false, 1},
		{"required, kept", &negotiate.Transport{Mutual: negotiate.MutualRequired, KeepUnverifiedErrors: true}, false, false, 1},
		{"optional", &negotiate.Transport{Mutual: negotiate.MutualOptional}, false, false, 1},
		{"disabled", &negotiate.Transport{}, false, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := &peer{acceptor: w.acceptor("HTTP/" + wwwHost), open: true}
			p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
				if !tt.plain {
					rw.Header().Set("WWW-Authenticate", "Negotiate")
				}
				if tt.proved && reply != nil {
					rw.Header().Set("WWW-Authenticate", bearing(reply))
				}
				http.SetCookie(rw, &http.Cookie{Name: "session", Value: "stolen"})
				rw.WriteHeader(http.StatusUnauthorized)
				io.WriteString(rw, "not you")
			}
			s := w.serve(p)
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			c := w.client(tt.tr)
			c.Jar = jar
			got := w.get(c, s.url)
			u, _ := url.Parse(s.url)
			if in := jar.Cookies(u); len(in) != tt.want || got.StatusCode != 401 || got.body != "not you" || got.x.Sanitized {
				t.Errorf("got %d %q, %+v, and the jar has %v, want %d cookies", got.StatusCode, got.body, got.x, in, tt.want)
			}
		})
	}
}

// TestRedirectIsVerified does not follow a redirect of somebody who has not
// proved to be the server, and verifies each hop.
func TestRedirectIsVerified(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	p := &peer{acceptor: w.acceptor("HTTP/" + wwwHost)}
	p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
		if r.URL.Query().Get("proof") != "none" {
			rw.Header().Set("WWW-Authenticate", bearing(reply))
		}
		if r.URL.Path == "/last" {
			io.WriteString(rw, "content")
			return
		}
		http.Redirect(rw, r, "/last", http.StatusFound)
	}
	s := w.serve(p)
	c := w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired})
	if got := w.get(c, s.url+"/first"); got.body != "content" || !got.x.MutualVerified || s.shape() != "401 302+ 200+" {
		t.Errorf("got %q, %+v, the server saw %s", got.body, got.x, s.shape())
	}
	s.reset()
	_, err := w.send(c, w.request("GET", s.url+"/first?proof=none", nil))
	wantMutualError(t, err)
	if got := s.shape(); strings.Contains(got, "200") || strings.Count(got, "302") != 1 {
		t.Errorf("the server saw %s: the redirect was followed", got)
	}
}

// TestServerThatNeverAsks has no way to prove who it is: lighttpd, say, on an
// open page.
func TestServerThatNeverAsks(t *testing.T) {
	negotiate.LeavesNothing(t)
	for status, want := range map[int]string{200: refused, 302: refused, 404: sanitised, 500: sanitised} {
		w := newWorld(t)
		s := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Server", "peer/1.0")
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(status)
			io.WriteString(rw, "content")
		}))
		got, err := w.send(w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired}), w.request("GET", s.url+"/", nil))
		if want == refused {
			wantMutualError(t, err)
			if err != nil && !strings.Contains(err.Error(), "did not ask") {
				t.Errorf("%d: the error says %q, not that the server did not ask", status, err)
			}
			continue
		}
		if err != nil || !got.x.Sanitized || checkSanitised(got) != "" {
			t.Errorf("%d: got %+v, %v", status, got, err)
		}
		got, err = w.send(w.client(&negotiate.Transport{Mutual: negotiate.MutualOptional}), w.request("GET", s.url, nil))
		if err != nil || got.body != "content" {
			t.Errorf("%d, optional: got %+v, %v", status, got, err)
		}
	}
}

// TestTokenWithoutContext has a first response that already bears a token, for a
// context that does not exist.
func TestTokenWithoutContext(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	for _, status := range []int{200, 500} {
		s := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("WWW-Authenticate", bearing([]byte("a token out of nowhere")))
			rw.WriteHeader(status)
		}))
		for _, m := range []negotiate.Mutual{negotiate.MutualOptional, negotiate.MutualRequired} {
			_, err := w.send(w.client(&negotiate.Transport{Mutual: m}), w.request("GET", s.url, nil))
			wantMutualError(t, err)
		}
	}
}
