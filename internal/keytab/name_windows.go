package keytab

// systemKeytab is MIT's place on Windows, %WINDIR%\krb5kt.
func systemKeytab(getenv func(string) string) string { return getenv("WINDIR") + `\krb5kt` }
