//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unpacked is a folder with the files of Debian packages that are not
// installed; see peers.sh.
type unpacked string

// needUnpacked finds the files of a peer that peers.sh has unpacked.
func needUnpacked(peer string) (unpacked, error) {
	dir := filepath.Join(cmp.Or(os.Getenv("INTEROP_PEERS"), "/var/cache/negotiate-interop"), peer)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		return "", fmt.Errorf("interop: %w: Debian's packages of %s are not unpacked: run interop/peers.sh %[2]s", err, peer)
	}
	return unpacked(dir), nil
}

func (u unpacked) path(elem ...string) string {
	return filepath.Join(append([]string{string(u)}, elem...)...)
}

// libraryPath is the value of LD_LIBRARY_PATH for the peer's own libraries.
func (u unpacked) libraryPath() string {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*-linux-gnu", "lib/*-linux-gnu"} {
		found, _ := filepath.Glob(u.path(pattern)) // its only error is a bad pattern
		dirs = append(dirs, found...)
	}
	return strings.Join(dirs, ":")
}
