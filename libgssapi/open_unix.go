//go:build (darwin || linux || netbsd || (freebsd && cgo)) && !android && !faketime

package libgssapi

import (
	"github.com/ebitengine/purego"
)

// open loads a library. Its symbols stay its own, so that MIT's and Heimdal's,
// which have the same names, can be in one process.
func open(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// symbol returns the address of a symbol of the library or of those that it
// needs; zero for none.
func symbol(handle uintptr, name string) uintptr {
	address, err := purego.Dlsym(handle, name)
	if err != nil {
		return 0
	}
	return address
}

// call calls a C function. What the arguments point to is not on a stack: it is
// pinned, see memory, or the library's own.
func call(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}
