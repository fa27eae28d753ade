// Command vault logs in to HashiCorp Vault with the tickets of kinit, through
// Vault's Kerberos auth method, and prints the token that Vault gives out:
//
//	kinit
//	export VAULT_ADDR=https://vault.example.com:8200
//	VAULT_TOKEN=$(vault) some-command
//
// VAULT_ADDR, VAULT_CACERT and VAULT_NAMESPACE are those of the vault command.
// The method's mount has to pass the header on:
//
//	vault auth enable -passthrough-request-headers=Authorization \
//		-allowed-response-headers=www-authenticate kerberos
//
// It exits with 1 for a failure, 2 for a wrong command line and 4 if there is no
// usable ticket.
package main

import (
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
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(exitStatus(err))
	}
}

var errUsage = errors.New("usage: vault [-mount PATH] [-target NAME], with VAULT_ADDR set")

func exitStatus(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, gss.ErrNoCred), errors.Is(err, gss.ErrCredentialsExpired):
		return 4
	}
	return 1
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("vault", flag.ContinueOnError)
	mount := flags.String("mount", "kerberos", "where the auth method is mounted")
	target := flags.String("target", "", "Vault's service principal, such as HTTP/vault@EXAMPLE.COM, if it is not that of the host in VAULT_ADDR")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	addr, err := url.Parse(os.Getenv("VAULT_ADDR"))
	if err != nil {
		return err
	}
	if addr.Host == "" {
		return fmt.Errorf("%w: VAULT_ADDR %q has no host", errUsage, addr)
	}
	t, err := newTransport(addr, *target)
	if err != nil {
		return err
	}
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	token, err := login(ctx, &http.Client{Transport: t}, addr, *mount)
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

// newTransport returns one that sends the token with the first request, since a
// Vault whose mount lacks allowed_response_headers does not ask for it. Allow
// has it do so towards Vault only, if that redirects to a standby node or to
// somewhere else.
func newTransport(addr *url.URL, target string) (*negotiate.Transport, error) {
	t := &negotiate.Transport{
		Opportunistic: negotiate.OpportunisticAlways,
		Allow:         func(r *http.Request) bool { return r.URL.Scheme == addr.Scheme && r.URL.Host == addr.Host },
	}
	if target != "" {
		name, err := gss.ParseName(target)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		t.Target = negotiate.FixedTarget(name)
	}
	if cacert := os.Getenv("VAULT_CACERT"); cacert != "" {
		pem, err := os.ReadFile(cacert)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM form", cacert)
		}
		base := http.DefaultTransport.(*http.Transport).Clone()
		base.TLSClientConfig = &tls.Config{RootCAs: pool}
		t.Base = base
	}
	return t, nil
}

// login returns a Vault token.
func login(ctx context.Context, client *http.Client, addr *url.URL, mount string) (string, error) {
	u := addr.JoinPath("v1/auth", mount, "login")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Vault-Request", "true") // see require_request_header of Vault Agent
	if ns := os.Getenv("VAULT_NAMESPACE"); ns != "" {
		req.Header.Set("X-Vault-Namespace", ns)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return "", fmt.Errorf("%s: %w", resp.Status, x.Err)
	}
	var response struct {
		Auth *struct {
			ClientToken string `json:"client_token"`
		}
		Errors, Warnings []string
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&response)
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", failure(resp.Status, append(response.Errors, response.Warnings...))
	case err != nil:
		return "", fmt.Errorf("the response cannot be read: %w", err)
	case response.Auth == nil || response.Auth.ClientToken == "":
		return "", errors.New("the response has no token")
	}
	return response.Auth.ClientToken, nil
}

func failure(status string, messages []string) error {
	if len(messages) == 0 {
		return errors.New(status)
	}
	return fmt.Errorf("%s: %s", status, strings.Join(messages, "; "))
}
