//go:build !((darwin || linux || netbsd || (freebsd && cgo)) && !android && !faketime)

package libgssapi

import (
	"fmt"
	"runtime"
)

func open(string) (uintptr, error) {
	if runtime.GOOS == "windows" {
		return 0, fmt.Errorf("libraries of the GSS-API are not loaded on Windows: use package sspi")
	}
	if runtime.GOOS == "freebsd" { // what loads libraries does not compile without cgo there
		return 0, fmt.Errorf("libraries are loaded at run time on FreeBSD only by programs built with CGO_ENABLED=1: build with it, or use package krb5")
	}
	return 0, fmt.Errorf("libraries are not loaded at run time on %s/%s: use package krb5", runtime.GOOS, runtime.GOARCH)
}

func symbol(uintptr, string) uintptr { return 0 }

// call fails as a call of the GSS-API does. It is never reached, since nothing
// can be opened.
func call(uintptr, ...uintptr) uintptr { return ^uintptr(0) }
