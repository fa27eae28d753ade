//go:build nolibgssapi

package main

import (
	"errors"

	"github.com/go-negotiate/negotiate/gss"
)

// A program that can load a library is itself linked to the C library. This is
// for one that is linked to nothing.
func loadLibrary() (gss.Provider, error) {
	return nil, errors.New("this build has no libgssapi: it was made with -tags nolibgssapi")
}
