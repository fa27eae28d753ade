//go:build interop

// Gsspeer is one provider in a process of its own, for package remote to talk to
// over standard input and output:
//
//	go build -tags interop -o gsspeer ./interop/gsspeer
//	KRB5_CONFIG=... KRB5CCNAME=... KRB5_KTNAME=... gsspeer krb5|libgssapi|sspi
//
// The environment is the provider's; NEGOTIATE_LIBGSSAPI names the library.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop/remote"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// makers make a provider by its name.
func makers() map[string]func() (gss.Provider, error) {
	all := map[string]func() (gss.Provider, error){
		"krb5":      func() (gss.Provider, error) { return krb5.New(krb5.Options{}) },
		"libgssapi": func() (gss.Provider, error) { return libgssapi.Load("") },
	}
	maps.Copy(all, systemMakers())
	return all
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gsspeer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	all := makers()
	if len(args) != 1 || all[args[0]] == nil {
		return fmt.Errorf("want one of %q", slices.Sorted(maps.Keys(all)))
	}
	p, err := all[args[0]]()
	if err != nil {
		return err
	}
	return remote.Serve(os.Stdin, os.Stdout, p)
}
