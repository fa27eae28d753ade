// Package spnego stands in for github.com/dpotapov/go-spnego. Change the import
// and keep the code:
//
//	import "github.com/go-negotiate/negotiate/compat/gospnego"
//
//	client := &http.Client{Transport: &spnego.Transport{}}
//
// It is deprecated from the start. What to write instead:
//
//	&spnego.Transport{}                    &negotiate.Transport{}
//	  in it: Transport: http.Transport{…}  Base: &http.Transport{…}
//	  in it: NoCanonicalize: true          nothing, it is the default
//	  in it: NoCanonicalize: false         Target: negotiate.CanonicalTarget(nil), where the realm needs it
//	  a token with each request            Opportunistic: negotiate.OpportunisticAlways
//	*spnego.Error                          negotiate.ExchangeFrom(resp), with the server's 401
//	spnego.New().SetSPNEGOHeader(req)      a negotiate.Transport as the client's Transport
//
// What works better than in the original, without a change to the code: a 401
// is answered; connections that carry a token are not shared with other users of
// the program; DIR: collections of credential caches, client keytabs and all of
// krb5.conf are understood; service tickets are kept between requests; a context
// that ends is respected; the request is not changed.
//
// Deprecated: use negotiate.Transport.
package spnego
