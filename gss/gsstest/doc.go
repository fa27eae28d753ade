// Package gsstest helps to test what uses or implements package gss.
//
// [New] makes a [Provider] that needs no Kerberos: its mechanism lives in
// memory, yet forged, altered, replayed and misdirected tokens fail as they do
// with a real one. It can be told to fail at any step, and it counts what was
// begun and what was closed.
//
//	p := gsstest.New(gsstest.Options{Legs: 2})
//	p.Inject(gsstest.Fault{Op: gsstest.OpAcceptStep, Step: 2, Err: gss.ErrBadMIC})
//
// [Run] is the conformance suite: what every provider has to do, asserted.
package gsstest
