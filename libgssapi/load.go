package libgssapi

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// EnvLibrary is the environment variable that names the library for Load(""): a
// path, or a file name that the system's loader finds.
const EnvLibrary = "NEGOTIATE_LIBGSSAPI"

// ErrNoLibrary is what Load's errors wrap when nothing could be loaded.
var ErrNoLibrary = errors.New("libgssapi: no GSS-API library")

// Load loads a GSS-API library: that of path, which may be a file name that the
// system's loader finds, such as "libgssapi.so.3". An empty path takes the one
// that NEGOTIATE_LIBGSSAPI names and without that the first of those that this
// system usually has, MIT's before Heimdal's, or Apple's framework on macOS.
//
// The error says what was tried and why each failed; it wraps [ErrNoLibrary] if
// nothing could be loaded. A library is never unloaded: load once and share the
// Provider.
func Load(path string) (*Provider, error) {
	candidates, source := []string{path}, "the path given"
	if path == "" {
		candidates, source = usual(runtime.GOOS), "what this system usually has"
		if named := os.Getenv(EnvLibrary); named != "" {
			candidates, source = []string{named}, EnvLibrary
		}
	}
	var tried []error
	for _, candidate := range candidates {
		handle, err := open(candidate)
		if err != nil {
			tried = append(tried, fmt.Errorf("%s: %w", candidate, err))
			continue
		}
		return load(handle, candidate)
	}
	return nil, noLibrary(source, tried)
}

func noLibrary(source string, tried []error) error {
	var why []string
	for _, err := range tried {
		why = append(why, err.Error())
	}
	return fmt.Errorf("%w could be loaded (%s): %s; install MIT Kerberos (Debian: libgssapi-krb5-2, Fedora: krb5-libs), set %s to a library, or use package krb5, which needs none",
		ErrNoLibrary, source, strings.Join(why, "; "), EnvLibrary)
}

// usual are the names of the libraries on a system.
func usual(goos string) []string {
	switch goos {
	case "darwin":
		return []string{appleFramework}
	case "freebsd", "netbsd":
		// MIT's from the ports, then the base system's Heimdal.
		return []string{"libgssapi_krb5.so.2", "libgssapi.so.10", "libgssapi.so"}
	case "windows":
		return []string{"gssapi64.dll"} // for the error message
	}
	return []string{"libgssapi_krb5.so.2", "libgssapi.so.3"}
}

// appleFramework is in no file of its own on newer systems, and the loader finds
// it nevertheless.
const appleFramework = "/System/Library/Frameworks/GSS.framework/GSS"
