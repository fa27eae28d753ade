package kdcclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// proxyOverhead is what HTTPS adds to a reply: tags and lengths.
const proxyOverhead = 64

// askProxy has a KDC proxy pass a request on (MS-KKDCP, section 3.1.5). The
// connection is used once: exchanges are rare, and nothing is left behind.
func (c *Client) askProxy(ctx context.Context, realm, address string, req []byte) ([]byte, error) {
	trust, err := c.trust(realm)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       c.dial,
		TLSClientConfig:   trust,
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	message := krbmsg.ProxyMessage{Message: req, Realm: realm}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(message.Append(nil)))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/kerberos")
	post.Header.Set("Cache-Control", "no-cache")
	post.Header.Set("User-Agent", "kerberos/1.0")
	// RoundTrip, since a redirection would lead to whom krb5.conf does not name.
	resp, err := transport.RoundTrip(post)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	return readProxy(resp)
}

// trust is a configuration of its own for one connection.
func (c *Client) trust(realm string) (*tls.Config, error) {
	if c.TLS == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	conf, err := c.TLS(realm)
	if err != nil {
		return nil, err
	}
	conf = conf.Clone()
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	return conf, nil
}

// withoutURL drops what the caller names anyway.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// readProxy reads a proxy's answer, as much of it as a KDC may send.
func readProxy(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the KDC proxy answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+proxyOverhead+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxReply+proxyOverhead {
		return nil, fmt.Errorf("the KDC proxy sent more than the %d octets that are taken", maxReply)
	}
	message, err := krbmsg.ParseProxyMessage(body)
	if err != nil {
		return nil, fmt.Errorf("the KDC proxy sent %d octets that are no KDC-PROXY-MESSAGE", len(body))
	}
	return message.Message, nil
}
