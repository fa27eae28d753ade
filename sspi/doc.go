// Package sspi is a provider of package gss over Windows' Security Support
// Provider Interface: the login session of the user, and no file of MIT's.
//
//	provider, err := sspi.New(sspi.Options{})
//
// It is the default of package negotiate on Windows. On other systems New
// returns [ErrNotWindows].
//
// # Mechanisms
//
// SPNEGO is the package Negotiate, krb5 the package Kerberos and NTLM the
// package NTLM. Negotiate would fall back to NTLM where Kerberos fails. Here it
// does not: NTLM is used only where its mechanism is asked for by name, by
// InitiateOptions.Mechanism for a client and by CredentialOptions.Mechanism for
// a server. Windows is told so by the package list "!ntlm", each token is looked
// at on its way out and in, and the finished context is asked which package it
// uses.
//
// # Credentials
//
// The default is the login session of the calling thread, which may impersonate
// somebody: Acquire and Initiate ask for it on the caller's thread. A password
// comes with a name, as alice@EXAMPLE.COM or DOMAIN\alice. It is handed to
// Windows and wiped here as soon as Windows has it. Windows has no credential
// caches and no keytabs; a server accepts as the account that it runs as.
//
// # Delegation
//
// Windows delegates to services only that the domain trusts for it.
// FlagDelegate asks for what FlagDelegatePolicy asks for, and no more.
//
// # Wine
//
// Tests run the package under Wine, whose Kerberos is MIT's library. Wine 8
// lacks some of Windows, and where that would be unsafe the provider says so
// instead of going on: it ignores channel bindings, so contexts with bindings
// fail with ErrUnavailable; see docs/interop.md for the rest. What only Windows
// has is reviewed against its documentation and was not run.
package sspi
