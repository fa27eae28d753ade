// Package krb5 is a provider of package gss in pure Go: Kerberos 5 (RFC 4120,
// RFC 4121) and SPNEGO (RFC 4178) over it. It reads the files that MIT Kerberos
// reads (krb5.conf, credential caches, keytabs) and talks to KDCs itself.
//
//	provider, err := krb5.New(krb5.Options{})
//
// is all that a program needs in an environment where kinit works. The defaults
// come from where MIT's tools have them: KRB5_CONFIG, KRB5CCNAME, KRB5_KTNAME,
// KRB5_CLIENT_KTNAME and krb5.conf.
//
// # Credentials
//
// A client is who its credential says. [Provider.FromCCache] takes the tickets
// of kinit, [Provider.FromKeytab] and [Provider.FromPassword] log in by
// themselves and again when the ticket has expired. Service tickets are kept in
// memory, one for each credential and service, and fetched once however many
// goroutines ask. A service accepts with [Provider.AcceptorFromKeytab].
//
// # What is not there
//
// Credential caches of the types KEYRING, KCM, API and MEMORY; logins by smart
// card (PKINIT), one-time password or through FAST, which are kinit's business;
// KDC proxies (MS-KKDCP); user-to-user tickets. The encryption types are AES with
// SHA-1 (RFC 3962) and SHA-2 (RFC 8009), and RC4 where krb5.conf permits it.
package krb5
