//go:build !windows && !darwin

package profile

func systemPaths(func(string) string) []string { return []string{"/etc/krb5.conf"} }
