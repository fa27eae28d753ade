package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
)

// getOptions is a command line of get.
type getOptions struct {
	url *url.URL

	method   string
	headers  headerLines
	data     []datum
	head     bool
	location bool

	include  bool
	output   string
	fail     bool
	silent   bool
	errors   bool // show errors though silent
	verbose  bool
	insecure bool
	cacert   string
	maxTime  time.Duration
	proxy    *string // nil: as the environment says
	http1    bool
	http2    bool

	login  login
	auth   authOptions
	target negotiate.TargetFunc // nil: the URL's host
}

// authOptions are those that a Transport has under the same names.
type authOptions struct {
	mechanism     gss.OID
	mutual        negotiate.Mutual
	keepErrors    bool
	opportunistic negotiate.Opportunism
	delegation    negotiate.Delegation
	bindings      negotiate.ChannelBindings
	proxy         bool
}

func (o *getOptions) groups() []group {
	return []group{
		{"Request", o.requestFlags()},
		{"Output", o.outputFlags()},
		{"Connection", o.connectionFlags()},
		{"Who the client is", o.login.flags()},
		{"Authentication", o.authFlags()},
	}
}

func (o *getOptions) requestFlags() []*flag {
	return []*flag{
		{short: "X", long: "request", value: "METHOD", help: "the method; GET unless another flag says otherwise", set: setString(&o.method)},
		{short: "d", long: "data", value: "DATA", help: "send DATA in a POST, as a form; @FILE sends a file without its line breaks, @- standard input. More than one are joined with &", set: o.addData(false)},
		{long: "data-binary", value: "DATA", help: "as --data, but a file is sent as it is", set: o.addData(true)},
		{short: "H", long: "header", value: "LINE", help: "send a header, as in 'Accept: text/html'; 'Name:' leaves one out, 'Name;' sends it empty", set: o.headers.add},
		{short: "I", long: "head", help: "send HEAD, and print the headers", set: setBool(&o.head)},
		{short: "L", long: "location", help: "follow redirects, 50 at most", set: setBool(&o.location)},
	}
}

func (o *getOptions) outputFlags() []*flag {
	return []*flag{
		{short: "i", long: "include", help: "print the headers before the body", set: setBool(&o.include)},
		{short: "o", long: "output", value: "FILE", help: "write to FILE instead of standard output; - is standard output", set: setString(&o.output)},
		{short: "f", long: "fail", help: "print no body and exit with 22 if the status is 400 or above", set: setBool(&o.fail)},
		{short: "s", long: "silent", help: "print no messages", set: setBool(&o.silent)},
		{short: "S", long: "show-error", help: "print messages in spite of --silent", set: setBool(&o.errors)},
		{short: "v", long: "verbose", help: "tell on standard error what is sent and received, and what became of the authentication; never a token", set: setBool(&o.verbose)},
	}
}

func (o *getOptions) connectionFlags() []*flag {
	return []*flag{
		{short: "k", long: "insecure", help: "accept any certificate", set: setBool(&o.insecure)},
		{long: "cacert", value: "FILE", help: "trust the authorities in this PEM file instead of the system's", set: setString(&o.cacert)},
		{short: "m", long: "max-time", value: "SECONDS", help: "give up after this time, as in 2.5", set: o.setMaxTime},
		{short: "x", long: "proxy", value: "URL", help: "the proxy: http, https or socks5; '' for none. Else HTTP_PROXY, HTTPS_PROXY and NO_PROXY tell", set: o.setProxy},
		{long: "http1.1", help: "speak HTTP/1.1 only", set: setBool(&o.http1)},
		{long: "http2", help: "speak HTTP/2 where TLS can negotiate it; this is the default", set: setBool(&o.http2)},
	}
}

func (o *getOptions) authFlags() []*flag {
	a := &o.auth
	return []*flag{
		{long: "target", value: "NAME", help: "the server's name, if it is not the URL's host: a host, HTTP@host, or HTTP/host@REALM", set: o.setTarget},
		{long: "mutual", value: "WHEN", help: "must the server prove its identity: disabled (the default), optional or required", set: setChoice(&a.mutual, negotiate.MutualDisabled, negotiate.MutualOptional, negotiate.MutualRequired)},
		{long: "keep-errors", help: "with --mutual required: print responses of status 400 and above though nothing proves who sent them", set: setBool(&a.keepErrors)},
		{long: "opportunistic", value: "WHEN", optional: true, help: "send a token before the server asks: always (the default without WHEN), learned or never", set: setOpportunism(&a.opportunistic)},
		{long: "delegate", value: "WHEN", help: "give the server the credential: never (the default), trusted (if the realm trusts the server with it) or always", set: setChoice(&a.delegation, negotiate.DelegateNever, negotiate.DelegateIfTrusted, negotiate.DelegateAlways)},
		{long: "channel-bindings", value: "TYPE", help: "tie tokens to the TLS channel: none (the default) or tls-server-end-point", set: setChoice(&a.bindings, negotiate.BindNone, negotiate.BindTLSServerEndPoint)},
		{long: "mech", value: "NAME", help: "the mechanism: spnego (the default), krb5, ntlm or an OID such as 1.3.6.1.5.5.2; the provider may not have it", set: setMechanism(&a.mechanism)},
		{long: "proxy-negotiate", help: "authenticate to an HTTP proxy too, if it asks with status 407", set: setBool(&a.proxy)},
		{short: "u", long: "user", value: ":", help: "taken as curl takes it for Negotiate; only : is allowed", set: checkUser},
		{long: "negotiate", help: "taken as curl takes it; it is always on", set: setBool(new(bool))},
	}
}

// parseGet reads the command line.
func parseGet(args []string) (*getOptions, error) {
	o := new(getOptions)
	rest, err := parseFlags(o.groups(), args)
	if err != nil {
		return nil, err
	}
	switch {
	case len(rest) == 0:
		return nil, errors.New("there is no URL")
	case len(rest) > 1:
		return nil, fmt.Errorf("one URL is wanted, got %d arguments: %s", len(rest), strings.Join(rest, " "))
	case o.http1 && o.http2:
		return nil, errors.New("--http1.1 and --http2 exclude each other")
	case o.head && len(o.data) > 0:
		return nil, errors.New("--head and --data exclude each other")
	}
	if o.url, err = parseURL(rest[0]); err != nil {
		return nil, err
	}
	return o, o.login.check()
}

// parseURL takes a URL without a scheme for http, as curl does.
func parseURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the URL cannot be read: %w", errors.Unwrap(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the scheme of the URL is %q, want http or https", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("the URL has no host")
	}
	if u.User != nil {
		return nil, errors.New("the URL names a user; say who you are with kinit, --principal or --keytab")
	}
	return u, nil
}

func (o *getOptions) setMaxTime(v string) error {
	seconds, err := strconv.ParseFloat(v, 64)
	if err != nil || !(seconds > 0 && seconds < 1e9) {
		return fmt.Errorf("%q is no number of seconds above 0", v)
	}
	o.maxTime = time.Duration(seconds * float64(time.Second))
	return nil
}

func (o *getOptions) setProxy(v string) error {
	o.proxy = &v
	_, err := proxyURL(v)
	return err
}

func checkUser(v string) error {
	if v != ":" && v != "" {
		return errors.New("a user and a password are of no use to Negotiate: run kinit, or use --principal with --keytab")
	}
	return nil
}

func setOpportunism(p *negotiate.Opportunism) func(string) error {
	choose := setChoice(p, negotiate.OpportunisticNever, negotiate.OpportunisticLearned, negotiate.OpportunisticAlways)
	return func(v string) error {
		if v == "" {
			v = negotiate.OpportunisticAlways.String()
		}
		return choose(v)
	}
}

func setMechanism(p *gss.OID) func(string) error {
	return func(v string) (err error) {
		switch strings.ToLower(v) {
		case "spnego":
			*p = gss.MechSPNEGO
		case "krb5":
			*p = gss.MechKRB5
		case "ntlm":
			*p = gss.MechNTLM
		default:
			if *p, err = gss.ParseOID(v); err != nil {
				return fmt.Errorf("%q is none of spnego, krb5 and ntlm, and no OID", v)
			}
		}
		return nil
	}
}

// setTarget takes a host for the service HTTP on it.
func (o *getOptions) setTarget(v string) error {
	if v == "" {
		return errors.New("the name is empty")
	}
	if !strings.ContainsAny(v, "@/") {
		o.target = negotiate.HostTarget(v)
		return nil
	}
	n, err := gss.ParseName(v)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "gss: "))
	}
	o.target = negotiate.FixedTarget(n)
	return nil
}
