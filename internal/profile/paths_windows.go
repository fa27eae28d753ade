package profile

import "path/filepath"

// systemPaths is MIT's order: the first that exists completes nothing, but
// having both is rare and harmless.
func systemPaths(getenv func(string) string) []string {
	var paths []string
	if dir := getenv("PROGRAMDATA"); dir != "" {
		paths = append(paths, filepath.Join(dir, "MIT", "Kerberos5", "krb5.ini"))
	}
	if dir := getenv("WINDIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "krb5.ini"))
	}
	return paths
}
