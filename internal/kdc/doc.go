// Package kdc is a Kerberos key distribution center: the AS and TGS exchanges
// of RFC 4120, referrals of RFC 6806 and the delegation of MS-SFU, for tests
// and demonstrations.
//
// A [Realm] is the database with the two exchanges as a function from message
// to message. A [Server] puts it on UDP and TCP, counts what comes and fails on
// demand. Everything is in memory. Keys are derived when they are first needed,
// so that a realm costs nothing to make.
//
// It is no KDC to keep people's passwords in: there is no storage, no
// administration protocol, no lockout of guessers, no PAC and no FAST.
package kdc
