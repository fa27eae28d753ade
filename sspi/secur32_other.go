//go:build !windows

package sspi

// system is Windows' secur32.dll, which other systems do not have.
func system() (secur32, error) { return nil, ErrNotWindows }
