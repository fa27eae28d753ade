// Package gss is a portable GSS-API (RFC 2743) for Go: the names, object
// identifiers, flags, status codes and interfaces that a security mechanism
// provider implements and that a protocol such as HTTP Negotiate (RFC 4559)
// uses.
//
// It imports the standard library only and contains no mechanism. Providers
// live in sibling packages: krb5 (pure Go), libgssapi (the system's library)
// and sspi (Windows). They are interchangeable: a program written against
// [Provider] runs on any of them.
//
// A context is established by calling [SecContext.Step] with each token of
// the peer, starting with nil on the initiator, until done is true or an error
// is returned:
//
//	sc, err := provider.Initiate(ctx, gss.InitiateOptions{
//		Target: gss.HostBased("HTTP", "web.example.com"),
//		Flags:  gss.FlagMutual,
//	})
//	if err != nil {
//		return err
//	}
//	defer sc.Close()
//	token, done, err := sc.Step(ctx, nil)
package gss
