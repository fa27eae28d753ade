// Package krb5 is a provider of package gss in pure Go: Kerberos 5 (RFC 4120,
// RFC 4121) and SPNEGO (RFC 4178) over it. It reads the files that MIT Kerberos
// reads (krb5.conf, credential caches, keytabs) and talks to KDCs itself.
//
//	provider, err := krb5.New(krb5.Options{})
//
// is all that a program needs in an environment where kinit works.
package krb5
