//go:build !linux || cgo || libgssapi

package main

import (
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// withLibrary says that this build can load a GSS-API library.
const withLibrary = true

func loadLibrary() (gss.Provider, error) { return orNil(libgssapi.Load("")) }
