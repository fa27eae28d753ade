package profile

import "path/filepath"

func systemPaths(getenv func(string) string) []string {
	const name = "Library/Preferences/edu.mit.Kerberos"
	paths := []string{"/" + name, "/etc/krb5.conf"}
	if home := getenv("HOME"); home != "" {
		paths = append([]string{filepath.Join(home, name)}, paths...)
	}
	return paths
}
