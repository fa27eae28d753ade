// Command winrm asks a Windows host's WS-Management service (WinRM) what it is,
// with the tickets of kinit:
//
//	kinit
//	winrm -url https://host.example.com:5986/wsman
//
// Over http, WinRM as Windows sets it up wants messages encrypted with the key of
// the Kerberos context. negotiate.Protection has that key and keeps the connection,
// but this program does not put messages into the form that WinRM has for it: use
// https.
//
// It exits with 1 for a failure, 2 for a wrong command line, 3 if the host has not
// proved its identity and 4 if there is no usable ticket.
package main

import (
	"bytes"
	"context"
	"encoding/xml"
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
		fmt.Fprintln(os.Stderr, "winrm:", err)
		os.Exit(exitStatus(err))
	}
}

var errUsage = errors.New("usage: winrm -url URL [-service NAME]")

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
	flags := flag.NewFlagSet("winrm", flag.ContinueOnError)
	address := flags.String("url", os.Getenv("WINRM_URL"), "the service, such as https://host:5986/wsman")
	// Where a web application on the host runs under an account of its own, the
	// name HTTP/host is that account's, whose key WinRM does not have.
	service := flags.String("service", "HTTP", "the service in the host's name: HTTP or WSMAN")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	if u, err := url.Parse(*address); err != nil || u.Host == "" {
		return fmt.Errorf("%w: the URL %q has no host", errUsage, *address)
	}
	t := &negotiate.Transport{Mutual: negotiate.MutualRequired, Target: negotiate.ServiceTarget(*service)}
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	id, err := identify(ctx, &http.Client{Transport: t}, *address)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "vendor:   %s\nversion:  %s\nprotocol: %s\n", id.ProductVendor, id.ProductVersion, id.ProtocolVersion)
	return err
}

const (
	soapType = "application/soap+xml;charset=UTF-8"

	// DMTF DSP0226, section 11.
	identifyRequest = xml.Header +
		`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"` +
		` xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">` +
		`<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`
)

// envelope is a SOAP message that answers identifyRequest.
type envelope struct {
	XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
	Body    struct {
		Identity *identity `xml:"http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd IdentifyResponse"`
		Fault    *struct {
			Reason string `xml:"http://www.w3.org/2003/05/soap-envelope Reason>Text"`
		} `xml:"http://www.w3.org/2003/05/soap-envelope Fault"`
	} `xml:"http://www.w3.org/2003/05/soap-envelope Body"`
}

// identity is what a service says of itself. It tells its version to
// authenticated clients only.
type identity struct {
	ProtocolVersion, ProductVendor, ProductVersion string
}

func identify(ctx context.Context, client *http.Client, address string) (*identity, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(identifyRequest))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", soapType)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return nil, fmt.Errorf("%s: %w", resp.Status, x.Err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return parse(resp.Status, body)
}

// parse reads the response. A fault may have any status.
func parse(status string, body []byte) (*identity, error) {
	var e envelope
	err := xml.NewDecoder(bytes.NewReader(body)).Decode(&e)
	switch {
	case err == nil && e.Body.Fault != nil:
		return nil, fmt.Errorf("%s: %s", status, strings.TrimSpace(e.Body.Fault.Reason))
	case !strings.HasPrefix(status, "200 "):
		return nil, errors.New(status)
	case err != nil:
		return nil, fmt.Errorf("the response is no SOAP message: %w", err)
	case e.Body.Identity == nil:
		return nil, errors.New("the response is no IdentifyResponse")
	}
	return e.Body.Identity, nil
}
