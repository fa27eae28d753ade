// Package spnego is the Simple and Protected GSS-API Negotiation mechanism
// (RFC 4178, with the extensions of MS-SPNG): the codec of its tokens, and the
// negotiation itself over any mechanism that is a [gss.SecContext].
//
// [NewInitiator] and [NewAcceptor] wrap the contexts of the mechanisms that one
// side has. They hold no key: the mechanism authenticates, SPNEGO only picks
// it and, by the mechListMIC, shows that nobody picked it for the two sides.
//
// The numbers 1.2.840.113554.1.2.2 and 1.2.840.48018.1.2.2 are one mechanism,
// Kerberos 5, wherever numbers are compared here.
//
// The parsers take tokens of at most [MaxToken] octets and reject data after
// the token, a field that appears twice and lengths that are not DER. Their
// results alias the token, which therefore must not change while they are used.
package spnego
