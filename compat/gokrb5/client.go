package spnego

import (
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
	"github.com/go-negotiate/negotiate/compat/internal/outcome"
)

// Client is an http.Client that authenticates with the tickets of a client of
// gokrb5. [NewClient] makes one. It is safe for concurrent use.
//
// Deprecated: use an http.Client with a negotiate.Transport.
type Client struct {
	// Client has the time-out, the cookies, the Transport that makes the
	// connections and the rule for redirects.
	*http.Client

	spn        string
	initiators *initiators
	jar        http.CookieJar // for a Client without one
	notice     deprecated.Notice

	mu        sync.Mutex
	transport *negotiate.Transport // over the Transport of Client
}

// NewClient returns a Client that authenticates as krb5Cl to servers that ask
// for it. A nil httpCl is a new one; another is not changed, may be shared with
// other users, and is looked at again at each request. If it has no cookie jar,
// the Client uses one of its own.
//
// An empty spn stands for HTTP/ the URL's host, or its canonical name in the DNS
// where the realm does not know that one. Any other is the name of every server
// that this client talks to.
//
// Deprecated: use an http.Client with a negotiate.Transport.
func NewClient(krb5Cl *client.Client, httpCl *http.Client, spn string) *Client {
	if httpCl == nil {
		httpCl = &http.Client{}
	}
	jar, _ := cookiejar.New(nil) // it has no errors
	return &Client{Client: httpCl, spn: spn, initiators: newInitiators(krb5Cl), jar: jar}
}

// Do sends a request, as Do of http.Client does. Where a server insists on a
// token and there is none, for want of a ticket for one, the error says so and
// comes together with the server's 401, whose body is closed.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	c.notice.Log(req.Context(), nil, "compat/gokrb5 NewClient", "an http.Client with a negotiate.Transport, see the documentation of compat/gokrb5")
	authenticated := *c.Client
	authenticated.Transport = c.over(c.Client.Transport)
	if authenticated.Jar == nil {
		authenticated.Jar = c.jar
	}
	resp, err := authenticated.Do(req)
	if err != nil {
		return resp, err
	}
	return resp, outcome.OwnFault(resp)
}

// over returns the Transport over base, the same one as long as base is.
func (c *Client) over(base http.RoundTripper) *negotiate.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport != nil && same(c.transport.Base, base) {
		return c.transport
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	c.transport = &negotiate.Transport{
		Base:          base,
		Provider:      c.initiators,
		Target:        targetOf(c.spn),
		MaxBodyBuffer: math.MaxInt64, // the original repeats any body
	}
	return c.transport
}

func same(a, b http.RoundTripper) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() {
	c.over(c.Client.Transport).CloseIdleConnections()
	c.Client.CloseIdleConnections()
}

// Get sends a GET request.
func (c *Client) Get(url string) (*http.Response, error) {
	return c.request(http.MethodGet, url, nil)
}

// Head sends a HEAD request.
func (c *Client) Head(url string) (*http.Response, error) {
	return c.request(http.MethodHead, url, nil)
}

func (c *Client) request(method, url string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

// Post sends a POST request.
func (c *Client) Post(url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return c.Do(req)
}

// PostForm sends a POST request with a form.
func (c *Client) PostForm(url string, data url.Values) (*http.Response, error) {
	return c.Post(url, "application/x-www-form-urlencoded", strings.NewReader(data.Encode()))
}
