package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate/gss"
)

func providersHelp() string {
	return `Usage: negotiate providers

Tells which providers of the GSS-API this machine offers, as the values of
--provider: what each is, the mechanisms that it has, and the credential that it
would use by default, with its end. It asks no network.
`
}

func runProviders(ctx context.Context, args []string, s stdio) int {
	if _, err := parseOnlyFlags(nil, args); err != nil {
		return usageError(s, "providers", err)
	}
	for _, name := range providerNames {
		tellProvider(ctx, name, s.out)
	}
	return exitOK
}

// tellProvider prints what a provider offers.
func tellProvider(ctx context.Context, name string, w io.Writer) {
	title := name
	if name == defaultProviderName() {
		title += ", the default"
	}
	fmt.Fprintln(w, title)
	line := func(what, text string) { fmt.Fprintf(w, "  %-12s%s\n", what, printable(text)) }
	p, err := newProvider(name, slog.New(slog.DiscardHandler))
	if err != nil {
		line("not here", reason(err))
		return
	}
	if text := p.String(); text != name {
		line("is", text)
	}
	line("mechanisms", mechanismNames(p.Mechanisms()))
	text, err := defaultCredential(ctx, p)
	if err != nil {
		line("credential", "none: "+reason(err))
		return
	}
	line("credential", text)
}

func mechanismNames(mechs []gss.OID) string {
	names := make([]string, len(mechs))
	for i, m := range mechs {
		names[i] = m.Describe()
	}
	return strings.Join(names, ", ")
}

// defaultCredential is as whom a client would authenticate, and until when.
func defaultCredential(ctx context.Context, p gss.Provider) (string, error) {
	c, err := p.Acquire(ctx, gss.CredentialOptions{})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if r, ok := c.(gss.Resolver); ok {
		if c, err = r.Resolve(ctx); err != nil {
			return "", err
		}
	}
	name := c.Name().String()
	if name == "" {
		name = "somebody whom the provider does not name"
	}
	end := c.Expires()
	text := end.UTC().Format(time.RFC3339)
	switch {
	case end.IsZero():
		return name, nil
	case end.Before(time.Now()):
		return name + ", which has expired at " + text, nil
	}
	return name + ", until " + text, nil
}
