// Package spnego stands in for github.com/jcmturner/gokrb5/v8/spnego. Change the
// import and keep the code:
//
//	import "github.com/go-negotiate/negotiate/compat/gokrb5"
//
//	client := spnego.NewClient(krb5Client, nil, "")
//	http.Handle("/", spnego.SPNEGOKRB5Authenticate(app, keytab, service.Logger(l)))
//
// The other packages of gokrb5 stay as they are: a *client.Client gets the
// tickets, a *keytab.Keytab has the keys, handlers find the user with package
// goidentity. Authentication itself is that of this module: [Client] runs on
// negotiate.Transport, [SPNEGOKRB5Authenticate] on negotiate.Handler, and tokens
// are made and verified by package krb5.
//
// It is deprecated from the start. What to write instead:
//
//	client.NewWithPassword("alice", "EXAMPLE.COM", …)  provider.FromPassword("alice@EXAMPLE.COM", …)
//	client.NewWithKeytab("alice", "EXAMPLE.COM", …)    provider.FromKeytab("alice@EXAMPLE.COM", …)
//	client.NewFromCCache(…)                            provider.FromCCache("FILE:…"), or nothing for the default
//	NewClient(cl, nil, "")                             &http.Client{Transport: &negotiate.Transport{Credential: …}}
//	NewClient(cl, nil, "HTTP/web.example.com")           in it: Target: negotiate.HostTarget("web.example.com")
//	SetSPNEGOHeader(cl, r, "")                         the same Transport
//	SPNEGOKRB5Authenticate(app, kt)                    &negotiate.Handler{Next: app, Credential: …}, of provider.AcceptorFromKeytab(…)
//	goidentity.FromHTTPRequestContext(r)               negotiate.IdentityFrom(r.Context())
//	service.KeytabPrincipal("account")                 provider.Acquire with that Name and UsageAccept
//	service.MaxClockSkew(d)                            krb5.Options{ClockSkew: d}
//	service.SessionManager(m)                          a session of the application's own
//	SPNEGOClient, SPNEGOService, tokens                package gss: Provider.Initiate and Accept
//
// docs/migration/gokrb5.md has the programs in full. Each [Client], [SPNEGO] and
// handler logs once that it is deprecated; a function such as [SetSPNEGOHeader] does
// so once in a process, to slog.Default().
//
// # What is different
//
// The server proves its identity with an AP-REP to clients that ask for it. A
// token is refused where the original panics or lets it pass. An identity out of
// a session ends when the ticket did. Handlers do not see the Authorization
// header. Requests, and the *http.Client that is given to [NewClient], are not
// changed. Nothing loops with a server that refuses for good. RC4 is accepted
// only if krb5.conf permits it.
//
// Each handler remembers tokens for itself to refuse them the second time: have
// one handler in front of all paths, not one for each.
//
// Deprecated: use negotiate.Transport and negotiate.Handler.
package spnego
