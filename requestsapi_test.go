package negotiate_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/krbtest"
)

// eachProtocol runs a test over HTTP/1.1 and HTTP/2. serve protects the handler
// in a world of its own.
func eachProtocol(t *testing.T, test func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped)) {
	t.Run("HTTP/1.1", func(t *testing.T) {
		w := newWorld(t)
		test(t, w, func(h http.HandlerFunc) *tapped { return w.serve(w.handler(h)) })
	})
	t.Run("HTTP/2", func(t *testing.T) {
		w := newWorld(t)
		test(t, w, func(h http.HandlerFunc) *tapped { return w.serveH2(w.handler(h)) })
	})
}

// verifying is a Transport that trusts nobody without a proof.
func verifying() *negotiate.Transport {
	return &negotiate.Transport{Mutual: negotiate.MutualRequired}
}

// echo answers with the method and the body of the request.
func echo(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	rw.Header().Set("X-Method", r.Method)
	rw.Write(body)
}

func TestEveryMethod(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(echo)
		c := w.client(verifying())
		for _, method := range []string{"", "GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "MKCOL", "x-own"} {
			for _, body := range []string{"", "a body"} {
				var r io.Reader
				if body != "" {
					r = strings.NewReader(body)
				}
				got, err := w.send(c, w.request(method, s.url+"/", r))
				want := method
				if method == "" {
					want = "GET"
				}
				if err != nil || got.StatusCode != 200 || got.Header.Get("X-Method") != want || !got.x.MutualVerified {
					t.Errorf("%s with %q: got %+v, %v", method, body, got, err)
				} else if got.body != body && method != "HEAD" {
					t.Errorf("%s with %q: the server got the body %q", method, body, got.body)
				}
			}
		}
	})
}

// pipedRequest has a body that can be read only once, and whose length nobody
// knows.
func (w *world) pipedRequest(method, url string) (*http.Request, *io.PipeWriter) {
	w.t.Helper()
	r, out := io.Pipe()
	w.t.Cleanup(func() { r.Close() })
	return w.request(method, url, r), out
}

// TestStreamingUpload writes a part of the body only when the server has the one
// before.
func TestStreamingUpload(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		arrived := make(chan string)
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			if r.ContentLength != -1 {
				t.Errorf("Content-Length is %d, want it unknown", r.ContentLength)
			}
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				arrived <- lines.Text()
			}
			close(arrived)
		})
		w.base.ExpectContinueTimeout = time.Minute
		c := w.client(verifying())
		req, out := w.pipedRequest("PUT", s.url)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer out.Close()
			for i := range 20 {
				line := fmt.Sprintf("part %d", i)
				fmt.Fprintln(out, line)
				if got := <-arrived; got != line {
					t.Errorf("the server got %q, want %q", got, line)
				}
			}
		})
		got, err := w.send(c, req)
		wg.Wait()
		if err != nil || got.StatusCode != 200 || !got.x.MutualVerified {
			t.Errorf("got %+v, %v", got, err)
		}
		if extra, open := <-arrived; open {
			t.Errorf("the server got %q besides", extra)
		}
	})
}

func TestMultipart(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			f, header, err := r.FormFile("file")
			if err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
			content, _ := io.ReadAll(f)
			fmt.Fprintf(rw, "%s %s %x", r.FormValue("field"), header.Filename, sha256.Sum256(content))
		})
		content := bytes.Repeat([]byte("content "), 1<<15)
		want := fmt.Sprintf("value f.txt %x", sha256.Sum256(content))
		write := func(to io.Writer) string {
			m := multipart.NewWriter(to)
			m.WriteField("field", "value")
			part, _ := m.CreateFormFile("file", "f.txt")
			part.Write(content)
			m.Close()
			return m.FormDataContentType()
		}
		c := w.client(verifying())

		var buf bytes.Buffer
		contentType := write(&buf)
		req := w.request("POST", s.url, &buf)
		req.Header.Set("Content-Type", contentType)
		if got, err := w.send(c, req); err != nil || got.body != want {
			t.Errorf("from memory: got %q, %v", got.body, err)
		}

		c.CloseIdleConnections() // so that the server asks once more
		r, out := io.Pipe()
		m := multipart.NewWriter(out)
		var wg sync.WaitGroup
		wg.Go(func() {
			m.WriteField("field", "value")
			part, _ := m.CreateFormFile("file", "f.txt")
			part.Write(content)
			out.CloseWithError(m.Close())
		})
		req = w.request("POST", s.url, r)
		req.Header.Set("Content-Type", m.FormDataContentType())
		if got, err := w.send(c, req); err != nil || got.body != want {
			t.Errorf("streamed: got %q, %v", got.body, err)
		}
		r.Close()
		wg.Wait()
	})
}

// TestTrailers sends some both ways.
func TestTrailers(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Trailer", "X-Sum")
			body, _ := io.ReadAll(r.Body)
			rw.Write(body)
			rw.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		})
		for _, replayable := range []bool{true, false} {
			c := w.client(verifying())
			body := &trailing{Reader: strings.NewReader("the body")}
			req := w.request("POST", s.url, body)
			req.ContentLength = -1
			req.Trailer = http.Header{"X-Sum": nil}
			body.end = func() { req.Trailer.Set("X-Sum", "1234") }
			if replayable {
				req.GetBody = func() (io.ReadCloser, error) {
					return &trailing{strings.NewReader("the body"), body.end}, nil
				}
			}
			got, err := w.send(c, req)
			if err != nil || got.body != "the body" || got.Trailer.Get("X-Sum") != "1234" || !got.x.MutualVerified {
				t.Errorf("replayable %t: got %+v with trailers %v, %v", replayable, got, got.Trailer, err)
			}
		}
	})
}

// trailing is a body at whose end something happens.
type trailing struct {
	io.Reader
	end func()
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.end()
	}
	return n, err
}

func (b *trailing) Close() error { return nil }

func TestGzip(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				io.WriteString(rw, "plain")
				return
			}
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			io.WriteString(z, "unpacked")
			z.Close()
		})
		c := w.client(verifying())
		got := w.get(c, s.url)
		if got.body != "unpacked" || !got.Uncompressed || got.Header.Get("Content-Encoding") != "" {
			t.Errorf("got %q, header %v", got.body, got.Header)
		}
		req := w.request("GET", s.url, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		got, err := w.send(c, req)
		if err != nil || got.Uncompressed || !strings.HasPrefix(got.body, "\x1f\x8b") {
			t.Errorf("asked for by the caller: got %q, %v", got.body, err)
		}
		w.base.DisableCompression = true
		if got := w.get(w.client(verifying()), s.url); got.body != "plain" {
			t.Errorf("with DisableCompression: got %q", got.body)
		}
	})
}

func TestRange(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			http.ServeContent(rw, r, "f", time.Unix(1e9, 0), strings.NewReader("0123456789"))
		})
		c := w.client(verifying())
		req := w.request("GET", s.url, nil)
		req.Header.Set("Range", "bytes=2-4")
		got, err := w.send(c, req)
		if err != nil || got.StatusCode != 206 || got.body != "234" || got.Header.Get("Content-Range") != "bytes 2-4/10" {
			t.Errorf("got %+v, %v", got, err)
		}
		req = w.request("GET", s.url, nil)
		req.Header.Set("If-Modified-Since", time.Unix(1e9, 0).UTC().Format(http.TimeFormat))
		got, err = w.send(c, req)
		if err != nil || got.StatusCode != 304 || !got.x.MutualVerified {
			t.Errorf("conditional: got %+v, %v", got, err)
		}
	})
}

// TestCookies are the business of http.Client: they go out with each leg, and
// come from the response that the caller gets.
func TestCookies(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		var mu sync.Mutex
		var cookies []string
		h := w.handler(func(rw http.ResponseWriter, r *http.Request) {
			http.SetCookie(rw, &http.Cookie{Name: "session", Value: "s1"})
		})
		s := serve(nil)
		s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			mu.Lock()
			cookies = append(cookies, r.Header.Get("Cookie"))
			mu.Unlock()
			if r.Header.Get("Authorization") == "" {
				http.SetCookie(rw, &http.Cookie{Name: "of-the-401", Value: "x"})
			}
			h.ServeHTTP(rw, r)
		})
		c := w.client(&negotiate.Transport{})
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Jar = jar
		u, _ := url.Parse(s.url)
		jar.SetCookies(u, []*http.Cookie{{Name: "mine", Value: "m"}})
		w.get(c, s.url)
		w.get(c, s.url)
		want := []string{"mine=m", "mine=m", "mine=m; session=s1", "mine=m; session=s1"}
		if strings.Join(cookies, "|") != strings.Join(want, "|") {
			t.Errorf("the server got %q, want %q", cookies, want)
		}
	})
}

// TestCheckRedirect has the caller's rules apply, and a body follow a 307.
func TestCheckRedirect(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/307":
				http.Redirect(rw, r, "/end", http.StatusTemporaryRedirect)
			case "/302":
				http.Redirect(rw, r, "/end", http.StatusFound)
			case "/loop":
				http.Redirect(rw, r, "/loop", http.StatusFound)
			default:
				echo(rw, r)
			}
		})
		c := w.client(verifying())
		var via []string
		c.CheckRedirect = func(req *http.Request, before []*http.Request) error {
			if len(before) == 3 {
				return errors.New("three are enough")
			}
			if req.Response == nil || req.Header.Get("Authorization") != "" {
				t.Errorf("CheckRedirect sees %+v", req)
			}
			if x, ok := negotiate.ExchangeFrom(req.Response); !ok || !x.MutualVerified {
				t.Errorf("the redirect's Exchange is %+v", x)
			}
			via = append(via, req.Method+" "+req.URL.Path)
			return nil
		}
		for path, want := range map[string]string{"/307": "POST the body", "/302": "GET "} {
			got, err := w.send(c, w.request("POST", s.url+path, strings.NewReader("the body")))
			if err != nil || got.Header.Get("X-Method")+" "+got.body != want {
				t.Errorf("%s: got %+v, %v, want %s", path, got, err, want)
			}
		}
		if _, err := w.send(c, w.request("GET", s.url+"/loop", nil)); err == nil || !strings.Contains(err.Error(), "three are enough") {
			t.Errorf("got %v, want CheckRedirect's error", err)
		}
		if len(via) != 4 {
			t.Errorf("CheckRedirect was asked for %v", via)
		}
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if got := w.get(c, s.url+"/302"); got.StatusCode != 302 || got.Header.Get("Location") != "/end" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestLargeDownload has the server make a part of the body only when the client
// has read the one before, so that nobody between them can have gathered it.
func TestLargeDownload(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		const parts = 200
		part := bytes.Repeat([]byte("x"), 32<<10)
		next := make(chan struct{}, 1)
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			for range parts {
				select {
				case <-next:
				case <-r.Context().Done():
					t.Error("the client went away")
					return
				}
				rw.Write(part)
				http.NewResponseController(rw).Flush()
			}
		})
		next <- struct{}{}
		resp, err := w.client(verifying()).Do(w.request("GET", s.url, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		buf := make([]byte, len(part))
		for i := range parts {
			if _, err := io.ReadFull(resp.Body, buf); err != nil {
				t.Fatalf("part %d: %v", i, err)
			}
			next <- struct{}{}
		}
		if n, err := resp.Body.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("after the last part: %d octets, %v", n, err)
		}
	})
}

// TestAbandonedDownload closes a body early: the server learns of it, and the
// next request works.
func TestAbandonedDownload(t *testing.T) {
	negotiate.LeavesNothing(t)
	eachProtocol(t, func(t *testing.T, w *world, serve func(http.HandlerFunc) *tapped) {
		gone := make(chan struct{}, 1)
		s := serve(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/endless" {
				return
			}
			for r.Context().Err() == nil {
				if _, err := rw.Write(make([]byte, 32<<10)); err != nil {
					break
				}
			}
			gone <- struct{}{}
		})
		c := w.client(verifying())
		resp, err := c.Do(w.request("GET", s.url+"/endless", nil))
		if err != nil {
			t.Fatal(err)
		}
		io.ReadFull(resp.Body, make([]byte, 10))
		resp.Body.Close()
		<-gone
		if got := w.get(c, s.url+"/"); got.StatusCode != 200 {
			t.Errorf("got %d afterwards", got.StatusCode)
		}
	})
}

// TestExpectContinue is the caller's own.
func TestExpectContinue(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	w.base.ExpectContinueTimeout = time.Minute
	s := w.serve(w.handler(echo))
	for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
		req := w.request("POST", s.url, io.NopCloser(strings.NewReader("the body")))
		req.ContentLength = 8
		req.Header.Set("Expect", "100-continue")
		tr := verifying()
		tr.Opportunistic, tr.MaxBodyBuffer = o, -1
		got, err := w.send(w.client(tr), req)
		if err != nil || got.StatusCode != 200 || got.body != "the body" || req.Header.Get("Expect") != "100-continue" {
			t.Errorf("%s: got %+v, %v", o, got, err)
		}
	}
}

// upgrade switches to a protocol that says each line twice.
func upgrade(t *testing.T) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			rw.WriteHeader(http.StatusUpgradeRequired)
			return
		}
		proof := rw.Header().Get("WWW-Authenticate")
		conn, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nWWW-Authenticate: %s\r\n\r\n", proof)
		buf.Flush()
		for {
			line, err := buf.ReadString('\n')
			if err != nil {
				return
			}
			buf.WriteString(line + line)
			buf.Flush()
		}
	}
}

// TestUpgrade hands the connection to the caller, as a websocket needs it.
func TestUpgrade(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(w.handler(upgrade(t)))
	for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
		tr := verifying()
		tr.Opportunistic = o
		checkUpgrade(t, w, w.client(tr), s.url)
	}
}

func checkUpgrade(t *testing.T, w *world, c *http.Client, url string) {
	t.Helper()
	req := w.request("GET", url, nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok {
		t.Fatalf("got %s, a body of %T", resp.Status, resp.Body)
	}
	defer conn.Close()
	c.CloseIdleConnections() // it is none
	lines := bufio.NewReader(conn)
	for i := range 3 {
		fmt.Fprintf(conn, "line %d\n", i)
		for range 2 {
			if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintf("line %d\n", i) {
				t.Fatalf("got %q, %v", got, err)
			}
		}
	}
	if got := w.get(c, url); got.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("beside it: got %s", got.Status)
	}
}

// TestReverseProxy has the Transport authenticate a proxy to what is behind it.
func TestReverseProxy(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	back := w.serve(w.handler(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/upgrade":
			upgrade(t)(rw, r)
		case "/missing":
			http.NotFound(rw, r)
		case "/trailer":
			rw.Header().Set("Trailer", "X-Sum")
			echo(rw, r)
			rw.Header().Set("X-Sum", "1234")
		default:
			rw.Header().Set("X-Forwarded-For-Was", r.Header.Get("X-Forwarded-For"))
			echo(rw, r)
		}
	}))
	target, err := url.Parse(back.url)
	if err != nil {
		t.Fatal(err)
	}
	tr := verifying()
	w.client(tr)
	w.base.ExpectContinueTimeout = time.Minute
	front := w.start(&httputil.ReverseProxy{
		Transport: tr,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
	}, startHTTP)
	c := front.Client()
	for _, body := range []string{"", "a body", strings.Repeat("0123456789abcdef", 1<<17)} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, known := range []bool{true, false} {
				var r io.Reader
				if body != "" {
					r = strings.NewReader(body)
					if !known {
						r = io.NopCloser(r)
					}
				}
				tr.CloseIdleConnections() // so that the server asks each time
				resp, err := c.Do(w.request(method, front.URL, r))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(got) != body || resp.Header.Get("X-Method") != method || resp.Header.Get("X-Forwarded-For-Was") != "127.0.0.1" {
					t.Errorf("%s of %d octets, known length %t: got %s, %d octets, %v", method, len(body), known, resp.Status, len(got), err)
				}
			}
		}
	}
	if resp, err := c.Get(front.URL + "/missing"); err != nil || resp.StatusCode != 404 {
		t.Errorf("got %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	req := w.request("POST", front.URL+"/trailer", io.NopCloser(strings.NewReader("x")))
	if resp, err := c.Do(req); err != nil {
		t.Error(err)
	} else {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.Trailer.Get("X-Sum") != "1234" {
			t.Errorf("got the trailers %v", resp.Trailer)
		}
	}
	req = w.request("GET", front.URL+"/upgrade", nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok {
		t.Fatalf("got %s, a body of %T", resp.Status, resp.Body)
	}
	fmt.Fprintln(conn, "hello")
	if got, err := bufio.NewReader(conn).ReadString('\n'); got != "hello\n" {
		t.Errorf("got %q, %v through the proxy", got, err)
	}
}

// TestReverseProxyBehindHandler has both sides of a proxy authenticate, and
// each client verify its own server.
func TestReverseProxyBehindHandler(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	back := w.serve(w.handler(greet))
	target, err := url.Parse(back.url)
	if err != nil {
		t.Fatal(err)
	}
	tr := verifying()
	tr.Provider = w.user("bob") // the proxy's own account
	w.client(tr)
	h := w.handler(nil)
	h.Next = &httputil.ReverseProxy{
		Transport: tr,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Del("WWW-Authenticate")
			return nil
		},
	}
	front := w.serve(h)
	got := w.get(w.client(verifying()), front.url)
	if got.body != "hello "+bob || !got.x.MutualVerified || len(got.Header.Values("WWW-Authenticate")) != 1 {
		t.Errorf("got %q, %+v, header %v", got.body, got.x, got.Header)
	}
	if front.shape() != "401 200+" || back.shape() != "401 200+" {
		t.Errorf("the proxy saw %s, the server behind it %s", front.shape(), back.shape())
	}
}

// TestTimeout has http.Client.Timeout end a request in each of its phases.
func TestTimeout(t *testing.T) {
	negotiate.LeavesNothing(t)
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	phases := map[string]func(w *world, tr *negotiate.Transport) (url string){
		"connecting": func(w *world, tr *negotiate.Transport) string {
			base := w.base.Clone()
			base.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			tr.Base = base
			return "http://" + wwwHost
		},
		"waiting for the 401": func(w *world, tr *negotiate.Transport) string {
			return w.serve(http.HandlerFunc(hang)).url
		},
		"waiting for the KDC": func(w *world, tr *negotiate.Transport) string {
			w.SetFault(krbtest.Silent())
			return w.serve(w.handler(greet)).url
		},
		"waiting for the KDC, opportunistic": func(w *world, tr *negotiate.Transport) string {
			w.SetFault(krbtest.Silent())
			tr.Opportunistic = negotiate.OpportunisticAlways
			return w.serve(w.handler(greet)).url
		},
		"reading the 401": func(w *world, tr *negotiate.Transport) string {
			return w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("WWW-Authenticate", "Negotiate")
				rw.WriteHeader(401)
				io.WriteString(rw, "who")
				http.NewResponseController(rw).Flush()
				hang(rw, r)
			})).url
		},
		"waiting for the response": func(w *world, tr *negotiate.Transport) string {
			return w.serve(w.handler(hang)).url
		},
		"reading the response": func(w *world, tr *negotiate.Transport) string {
			return w.serve(w.handler(func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, "some")
				http.NewResponseController(rw).Flush()
				hang(rw, r)
			})).url
		},
	}
	for name, prepare := range phases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tr := &negotiate.Transport{}
			url := prepare(w, tr)
			c := w.client(tr)
			c.Timeout = 300 * time.Millisecond
			resp, err := c.Get(url)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			w.secrets.note(err)
			ne, ok := errors.AsType[net.Error](err)
			if !ok || !ne.Timeout() {
				t.Errorf("got %v, want a time-out", err)
			}
		})
	}
}
