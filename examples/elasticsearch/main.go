// Command elasticsearch searches an Elasticsearch cluster that has a Kerberos
// realm, with the tickets of kinit:
//
//	kinit
//	elasticsearch -url https://es.example.com:9200 -index 'logs-*' 'status:500 AND host:web1'
//
// It prints who the cluster takes the client for on standard error, and one line
// of JSON for each document found on standard output.
//
// It exits with 1 for a failure, 2 for a wrong command line and 4 if there is no
// usable ticket.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
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
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "elasticsearch:", err)
		os.Exit(exitStatus(err))
	}
}

var errUsage = errors.New("usage: elasticsearch -url URL [-cacert FILE] [-index NAME] [-n COUNT] QUERY")

func exitStatus(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, gss.ErrNoCred), errors.Is(err, gss.ErrCredentialsExpired):
		return 4
	}
	return 1
}

func run(ctx context.Context, args []string, out, info io.Writer) error {
	flags := flag.NewFlagSet("elasticsearch", flag.ContinueOnError)
	base := flags.String("url", os.Getenv("ELASTICSEARCH_URL"), "a node of the cluster")
	cacert := flags.String("cacert", "", "trust the authorities in this PEM file instead of the system's")
	index := flags.String("index", "_all", "what to search: names of indices, data streams or aliases, with * and commas")
	count := flags.Int("n", 10, "how many documents to print at most")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return errUsage
	}
	c, err := newClient(*base, *cacert)
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.whoAmI(ctx, info); err != nil {
		return err
	}
	return c.search(ctx, *index, strings.Join(flags.Args(), " "), *count, out, info)
}

// client calls a cluster.
type client struct {
	base *url.URL
	http *http.Client
}

func newClient(base, cacert string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, fmt.Errorf("%w: the URL %q has no host", errUsage, base)
	}
	tlsConfig, err := trusting(cacert)
	if err != nil {
		return nil, err
	}
	plain := http.DefaultTransport.(*http.Transport).Clone()
	plain.TLSClientConfig = tlsConfig
	return &client{base: u, http: &http.Client{Transport: &negotiate.Transport{
		Base: plain,
		// Elasticsearch gives out no session: each request is authenticated. Once
		// the cluster has asked, the token goes along without being asked for.
		Opportunistic: negotiate.OpportunisticLearned,
	}}}, nil
}

// trusting returns a TLS configuration that trusts the authorities in a PEM
// file; nil, which trusts the system's, without a name.
func trusting(cacert string) (*tls.Config, error) {
	if cacert == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(cacert)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", cacert)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// whoAmI prints who the cluster takes the client for.
func (c *client) whoAmI(ctx context.Context, info io.Writer) error {
	var user struct {
		Username string
		Roles    []string
		Realm    struct{ Name, Type string } `json:"authentication_realm"`
	}
	if err := c.call(ctx, http.MethodGet, "_security/_authenticate", nil, &user); err != nil {
		return err
	}
	_, err := fmt.Fprintf(info, "%s, of realm %s (%s), with roles %s\n", user.Username, user.Realm.Name, user.Realm.Type,
		cmp.Or(strings.Join(user.Roles, ", "), "none"))
	return err
}

func (c *client) search(ctx context.Context, index, query string, count int, out, info io.Writer) error {
	request := map[string]any{
		"size":  count,
		"query": map[string]any{"query_string": map[string]any{"query": query}},
	}
	var response struct {
		Hits struct {
			Total struct {
				Value    int64
				Relation string // "eq", or "gte" for "at least"
			}
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			}
		}
	}
	if err := c.call(ctx, http.MethodPost, index+"/_search", request, &response); err != nil {
		return err
	}
	for _, hit := range response.Hits.Hits {
		var line bytes.Buffer
		if err := json.Compact(&line, hit.Source); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, &line); err != nil {
			return err
		}
	}
	atLeast := ""
	if response.Hits.Total.Relation == "gte" {
		atLeast = "at least "
	}
	_, err := fmt.Fprintf(info, "%d of %s%d documents\n", len(response.Hits.Hits), atLeast, response.Hits.Total.Value)
	return err
}

// call sends a request in JSON, or without a body if in is nil, and reads the
// response into out.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failure(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("the response to %s cannot be read: %w", path, err)
	}
	return nil
}

// failure makes an error of a response that is not what was asked for.
func failure(resp *http.Response) error {
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return fmt.Errorf("%s: %w", resp.Status, x.Err)
	}
	var response struct {
		Error struct{ Type, Reason string }
	}
	err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&response)
	if err != nil || response.Error.Type == "" {
		return errors.New(resp.Status)
	}
	return fmt.Errorf("%s: %s: %s", resp.Status, response.Error.Type, response.Error.Reason)
}
