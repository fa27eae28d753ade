// Package libgssapi is a [gss.Provider] over the system's GSS-API library: MIT
// Kerberos, Heimdal or Apple's GSS framework. The library is loaded when the
// program calls [Load], so that nothing of it is needed to build: no cgo, no
// headers, no C compiler. One binary runs on each of them.
//
//	p, err := libgssapi.Load("")
//	if err != nil {
//		return err // there is no such library; the error says what was tried
//	}
//	client := &http.Client{Transport: &negotiate.Transport{Provider: p}}
//
// Choose it over package krb5, which needs no library, for what only the
// system's library has: credential caches that belong to the desktop or to the
// kernel, hardware tokens, plug-ins, and further mechanisms.
//
// # What goes straight through
//
// [Provider.Mechanisms] is what the library has, plug-ins included. Names,
// flags, lifetimes and channel bindings reach it as they are given. It reads
// krb5.conf, KRB5CCNAME and the rest of its configuration by itself.
//
// # Waiting
//
// A call into the library cannot be interrupted: while it waits for a KDC it
// keeps a thread. When the caller's context ends, the method returns at once and
// what the call makes is released when it comes back. At most 256 calls of one
// Provider run at a time, stuck ones included; others wait for their turn.
//
// # Memory
//
// The C library keeps its memory until it is told. Close contexts and
// credentials; those that are forgotten are released once Go's garbage collector
// has found them, which may be late.
//
// # What the libraries do not do
//
// Heimdal 7 does not tell an acceptor whether the initiator presented channel
// bindings, only when they were others: [gss.FlagChannelBound] is never set. It
// has no replay cache for acceptors unless the service keeps one. Apple's
// framework has not been tested: the layout of its structures was taken from its
// headers.
package libgssapi
