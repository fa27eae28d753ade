package keytab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ParseName returns the path of a keytab that is named as MIT names it:
// "/path", "FILE:/path" or "WRFILE:/path". A single letter before the colon is
// a drive, not a type. Other types are kept by no package here and are an error.
func ParseName(name string) (path string, err error) {
	typ, rest, ok := strings.Cut(name, ":")
	switch {
	case name == "":
		return "", fmt.Errorf("keytab name is empty; want a path or FILE:path")
	case !ok || len(typ) == 1 || strings.ContainsAny(typ, `/\`):
		return name, nil
	case typ == "FILE" || typ == "WRFILE":
		if rest == "" {
			return "", fmt.Errorf("keytab name %q has no path", name)
		}
		return rest, nil
	}
	return "", fmt.Errorf("keytab name %q: type %q is not supported; use FILE:path", name, typ)
}

// DefaultName returns the name of the acceptor's keytab, as MIT chooses it:
// KRB5_KTNAME, then configured (default_keytab_name of krb5.conf), then
// FILE:/etc/krb5.keytab.
func DefaultName(getenv func(string) string, configured string) string {
	if name := getenv("KRB5_KTNAME"); name != "" {
		return name
	}
	if configured != "" {
		return configured
	}
	return "FILE:" + systemKeytab(getenv)
}

// DefaultClientName returns the name of the initiator's keytab, as MIT chooses
// it: KRB5_CLIENT_KTNAME, then configured (default_client_keytab_name of
// krb5.conf), then client.keytab in the folder of the user with number euid,
// which systems keep in different places: the first that exists is taken.
func DefaultClientName(getenv func(string) string, configured string, euid int) string {
	if name := getenv("KRB5_CLIENT_KTNAME"); name != "" {
		return name
	}
	if configured != "" {
		return configured
	}
	for _, dir := range clientDirs {
		path := clientKeytab(dir, euid)
		if _, err := os.Stat(path); err == nil {
			return "FILE:" + path
		}
	}
	return "FILE:" + clientKeytab(clientDirs[0], euid)
}

// clientDirs are Debian's, Red Hat's and MIT's own places.
var clientDirs = [...]string{"/etc/krb5/user", "/var/kerberos/krb5/user", "/var/lib/krb5/user", "/var/krb5/user"}

func clientKeytab(dir string, euid int) string {
	return dir + "/" + strconv.Itoa(euid) + "/client.keytab"
}
