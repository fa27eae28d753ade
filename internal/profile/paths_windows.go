package profile

import "path/filepath"

// systemPaths names MIT's file of the machine and the older one.
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
