//go:build linux && !cgo && !libgssapi

package main

import (
	"errors"

	"github.com/go-negotiate/negotiate/gss"
)

// withLibrary says that this build can load a GSS-API library. A program that can
// is itself linked to glibc, and does not start where that is missing. Without cgo
// it is linked to nothing, as is expected of such builds, unless asked for.
const withLibrary = false

func loadLibrary() (gss.Provider, error) {
	return nil, errors.New("this build is linked to nothing and cannot load libgssapi: build the command with -tags libgssapi, or with cgo")
}
