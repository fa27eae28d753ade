//go:build !windows

package keytab

func systemKeytab(func(string) string) string { return "/etc/krb5.keytab" }
