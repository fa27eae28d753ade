//go:build !nolibgssapi

package main

import (
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/libgssapi"
)

func loadLibrary() (gss.Provider, error) { return orNil(libgssapi.Load("")) }
