//go:build interop

package main

import (
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/sspi"
)

func systemMakers() map[string]func() (gss.Provider, error) {
	return map[string]func() (gss.Provider, error){
		"sspi": func() (gss.Provider, error) { return sspi.New(sspi.Options{}) },
	}
}
