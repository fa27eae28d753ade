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
// # Credential caches
//
// FILE and DIR, MIT's formats 1 to 4, are read again when their files change; so is
// KEYRING (Linux: persistent, session and user) when its keys do. KCM, the daemons
// of sssd and Heimdal, is asked at use, once a second at most, so that a change
// takes that long to be seen. MEMORY:name is a cache of one Provider, which
// [Provider.StoreCCache] fills. In a collection, the cache of the wanted principal
// is used, or else the primary one; ~/.k5identity is not read.
//
// With [Options].StoreTickets what is fetched is written back, as MIT's library
// does. Where the default cache is missing, empty or expired and there is a client
// keytab (KRB5_CLIENT_KTNAME), its keys log in, as the cache's owner if there is
// one and else as the keytab's first principal. A cache that is there and cannot be
// understood, or a daemon that does not answer, is an error.
//
// # Renewal
//
// Tickets are replaced before they end: five minutes, or a quarter of a shorter
// life. One request does that when it is due, and takes at most three seconds for
// it; others go on with the present ticket. A password or keytab logs in again, a
// renewable ticket is renewed. There is no goroutine in the background.
//
// # KDCs
//
// The KDCs of a realm are those of krb5.conf or, without any, those of the SRV
// records of the DNS. They are asked in order, over UDP, TCP or, at an https URL, a
// KDC proxy (MS-KKDCP): the next one as soon as one fails or has been silent for
// a second. Those that did not answer are asked last for five minutes. A login
// that is refused is tried at the primary KDC too, if there is one. Where this
// machine's clock differs from the KDC's, a client goes by the KDC's, unless
// krb5.conf has kdc_timesync = 0.
//
// The realm of a host is told by [domain_realm], or else by the KDC of the
// client's realm, then by the DNS if krb5.conf has dns_lookup_realm = true, and
// last by the host's domain. A client may be an enterprise name, such as
// "alice@corp.example@REALM".
//
// # Acting for users
//
// A delegated ticket-granting ticket is in [gss.ContextInfo].Delegated. Constrained
// delegation (S4U2Self and S4U2Proxy, MS-SFU) needs none: [Provider.Impersonate]
// stands for a user who takes no part, and [Provider.DelegatingAcceptor] goes on
// with the client's own ticket.
//
// # Groups
//
// [PACFrom] reads what Active Directory puts into a ticket: identifiers of the user
// and of groups. Nothing of it is looked at unless a program asks.
//
// # What is not there
//
// Credential caches of the type API; logins by smart card (PKINIT), one-time
// password or through FAST, which are kinit's business; user-to-user tickets;
// KDCs that only a URI record of the DNS names; constrained delegation into another
// realm. The encryption types are AES with SHA-1 (RFC 3962) and SHA-2 (RFC 8009),
// and RC4 where krb5.conf has allow_weak_crypto or allow_rc4; not Camellia (RFC
// 6803), for which Go has no cipher that is kept up.
package krb5
