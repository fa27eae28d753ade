package ccache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// ErrUnsupportedType is what the errors of [ParseName] wrap when the type of
// cache cannot be read here.
var ErrUnsupportedType = errors.New("unsupported type of credential cache")

// Types of credential cache that [ParseName] knows.
const (
	TypeFile    = "FILE"    // one file
	TypeDir     = "DIR"     // a folder of files, or ":" and one file of it
	TypeMemory  = "MEMORY"  // the process itself, by any name
	TypeKCM     = "KCM"     // a daemon; the residual selects one of the user's caches
	TypeKeyring = "KEYRING" // the kernel's keys: "anchor:collection" or "anchor:collection:cache"
)

// Name is a credential cache's name: its type and what the type makes of the
// rest, such as a path.
type Name struct {
	Type     string
	Residual string
}

// String returns the name as MIT writes it, "FILE:/tmp/krb5cc_0".
func (n Name) String() string { return n.Type + ":" + n.Residual }

// ParseName reads a cache's name: "/path", "FILE:/path", "DIR:/folder",
// "DIR::/folder/tktfile", "MEMORY:name", "KCM:" with or without a residual or
// "KEYRING:persistent:1000". A single letter before the colon is a drive. Types
// are recognised in upper case only, as MIT does. The error for another type
// wraps [ErrUnsupportedType]; the Name is returned with it.
func ParseName(name string) (Name, error) {
	if name == "" {
		return Name{}, errors.New("the name of the credential cache is empty; want FILE:path or DIR:folder")
	}
	if strings.Contains(name, "\x00") {
		return Name{}, fmt.Errorf("the name of the credential cache %q has a zero octet", name)
	}
	typ, rest, ok := strings.Cut(name, ":")
	if !ok || len(typ) == 1 || strings.ContainsAny(typ, `/\`) {
		return Name{TypeFile, name}, nil
	}
	n := Name{typ, rest}
	switch typ {
	case TypeKCM, TypeMemory:
		return n, nil
	case TypeKeyring:
		if rest == "" {
			return Name{}, fmt.Errorf("credential cache %q names no keyring; want one as in KEYRING:persistent:%d", name, max(os.Getuid(), 0))
		}
		return n, nil
	case TypeFile, TypeDir:
		if strings.TrimPrefix(rest, ":") == "" {
			return Name{}, fmt.Errorf("credential cache %q has no path", name)
		}
		return n, nil
	}
	return n, fmt.Errorf("%w: %q; use a FILE:, DIR:, KCM: or KEYRING: cache, in KRB5CCNAME or as default_ccache_name in krb5.conf", ErrUnsupportedType, name)
}

// DefaultName returns the name of the default cache where KRB5CCNAME names none,
// as MIT chooses it: configured (default_ccache_name of krb5.conf, expanded), then
// FILE:/tmp/krb5cc_UID. Where users have no numbers (uid below 0, as os.Getuid
// gives on Windows), the last is krb5cc in the folder for temporary files.
func DefaultName(configured string, uid int) string {
	if configured != "" {
		return configured
	}
	if uid < 0 || runtime.GOOS == "windows" {
		return "FILE:" + filepath.Join(os.TempDir(), "krb5cc")
	}
	return "FILE:/tmp/krb5cc_" + strconv.Itoa(uid)
}
