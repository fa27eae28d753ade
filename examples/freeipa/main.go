// Command freeipa calls a method of FreeIPA's JSON-RPC interface with the
// tickets of kinit, and prints its result:
//
//	kinit admin
//	freeipa -url https://ipa.example.com user_find alice
//	freeipa -url https://ipa.example.com -o sizelimit=3 -o all=true host_find
//
// The methods are those of the ipa command, with "_" for "-"; ipa -vv shows what
// it sends.
//
// It exits with 1 for a failure, 2 for a wrong command line, 3 if the server has
// not proved its identity and 4 if there is no usable ticket.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "freeipa:", err)
		os.Exit(exitStatus(err))
	}
}

var errUsage = errors.New("usage: freeipa -url URL [-cacert FILE] [-o NAME=VALUE]... METHOD [ARGUMENT... ]")

func exitStatus(err error) int {
	if _, ok := errors.AsType[*negotiate.MutualAuthenticationError](err); ok {
		return 3
	}
	switch {
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, gss.ErrNoCred), errors.Is(err, gss.ErrCredentialsExpired):
		return 4
	}
	return 1
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("freeipa", flag.ContinueOnError)
	base := flags.String("url", os.Getenv("IPA_URL"), "the server")
	cacert := flags.String("cacert", "", "trust the authorities in this PEM file, such as /etc/ipa/ca.crt, instead of the system's")
	options := map[string]any{}
	flags.Func("o", "an option of the method, as in all=true; the value is JSON or a string", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=VALUE")
		}
		options[name] = jsonOrString(value)
		return nil
	})
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return errUsage
	}
	c, err := newClient(*base, *cacert)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.login(ctx); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	result, err := c.call(ctx, flags.Arg(0), flags.Args()[1:], options)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, result, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, &indented)
	return err
}

func jsonOrString(s string) any {
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return s
	}
	return v
}

// client is a session with a server.
type client struct {
	base  *url.URL
	plain http.RoundTripper
	jar   http.CookieJar
}

func newClient(base, cacert string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	// Whoever can read the session's cookie can use it.
	if u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: the URL %q is not of the form https://HOST", errUsage, base)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	if cacert != "" {
		pem, err := os.ReadFile(cacert)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM form", cacert)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &client{base: u, plain: t, jar: jar}, nil
}

// login exchanges a ticket for a session, which is a cookie.
func (c *client) login(ctx context.Context) error {
	t := &negotiate.Transport{Base: c.plain, Mutual: negotiate.MutualRequired}
	defer t.CloseIdleConnections()
	resp, err := c.post(ctx, t, "ipa/session/login_kerberos", "application/x-www-form-urlencoded", nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// call calls a method within the session.
func (c *client) call(ctx context.Context, method string, arguments []string, options map[string]any) (json.RawMessage, error) {
	// params are the list of arguments and the options by name.
	request, err := json.Marshal(map[string]any{"id": 0, "method": method, "params": []any{arguments, options}})
	if err != nil {
		return nil, err
	}
	resp, err := c.post(ctx, c.plain, "ipa/session/json", "application/json", request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var response struct {
		Result json.RawMessage
		Error  *struct {
			Name, Message string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
		return nil, fmt.Errorf("the response cannot be read: %w", err)
	}
	if e := response.Error; e != nil {
		return nil, fmt.Errorf("%s: %s", e.Name, e.Message)
	}
	return response.Result, nil
}

// post sends a request and returns the response, whose status is 200.
func (c *client) post(ctx context.Context, t http.RoundTripper, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	// Without it FreeIPA takes the request for one that another site has a
	// browser send, and refuses it.
	req.Header.Set("Referer", c.base.JoinPath("ipa").String())
	resp, err := (&http.Client{Transport: t, Jar: c.jar}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	resp.Body.Close()
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return nil, fmt.Errorf("%s: %w", resp.Status, x.Err)
	}
	return nil, errors.New(resp.Status)
}
