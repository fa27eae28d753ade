//go:build interop && !windows

package main

import "github.com/go-negotiate/negotiate/gss"

func systemMakers() map[string]func() (gss.Provider, error) { return nil }
