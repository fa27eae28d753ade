package main

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/sspi"
)

// providerNames are the values of --provider. The first is the default outside
// Windows.
var providerNames = []string{"krb5", "libgssapi", "sspi"}

// defaultProviderName is the provider that a Transport has by default.
func defaultProviderName() string {
	if runtime.GOOS == "windows" {
		return "sspi"
	}
	return "krb5"
}

// setProvider takes one of providerNames.
func setProvider(p *string) func(string) error {
	return func(v string) error {
		if !slices.Contains(providerNames, v) {
			return fmt.Errorf("%q is none of %s", v, strings.Join(providerNames, ", "))
		}
		*p = v
		return nil
	}
}

// providerHelp is the help on --provider.
func providerHelp() string {
	return "the implementation of the GSS-API: krb5 (in pure Go), libgssapi (the system's library) or sspi (Windows'); " +
		defaultProviderName() + " by default. See: negotiate providers"
}

// newProvider makes the provider of that name; empty is the default.
func newProvider(name string, logger *slog.Logger) (gss.Provider, error) {
	if name == "" {
		name = defaultProviderName()
	}
	switch name {
	case "libgssapi":
		return loadLibrary()
	case "sspi":
		return orNil(sspi.New(sspi.Options{}))
	}
	return orNil(krb5.New(krb5.Options{Logger: logger}))
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[P gss.Provider](p P, err error) (gss.Provider, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
